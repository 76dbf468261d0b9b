//! Holds `statemachine/platform-run.asl.json` against the contract, without an engine.
//!
//! - `structure`: states, order, gates, retries, time-outs, and that every edge leads somewhere.
//! - `variables`: no expression reads a variable that some path to it has not assigned.
//! - `scenarios`: whole executions, walked state by state; every expression and every edge is taken at least once.
//! - `expressions`: single expressions on awkward values.
//! - `diagram`: `docs/state-machine.md` is what the state machine draws today.
//!
//! Expressions are evaluated twice, by the reference implementation of JSONata and by the local engine's library, and the
//! two must agree: AWS and the local platform use different ones.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod answers;
mod asl;
mod diagram;
mod evaluator;
mod expressions;
mod interpreter;
mod scenarios;
mod structure;
mod variables;
