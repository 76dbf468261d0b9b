//! The imperative shell that all ten steps share: harness, evidence store, ledger, and requests to Step Functions.
//!
//! A step's crate implements its logic as a [`StepLogic`]. Everything that uses S3, Step Functions, the environment or the clock
//! is here.

mod audit;
pub mod aws;
mod boundary;
mod clients;
mod context;
mod environment;
mod fault;
mod harness;
mod held;
mod lock;
pub mod metrics;
mod orchestrator;
pub mod patience;
mod prerequisite;
pub mod run_ledger;
mod serve;
pub mod stack_outputs;
mod step;
pub mod store;
#[cfg(any(test, feature = "memory"))]
pub mod testing;
mod trust;
mod write_once;

pub use audit::{audit, audit_all};
pub use clients::harness;
pub use context::{ClosureRead, Exact, StepContext, Summary, key_in, run_control_key};
pub use fault::Fault;
pub use harness::{Harness, Request, duplicate_delivery};
pub use held::held_closure;
pub use orchestrator::{FixedAnswers, Orchestrator, StepFunctions};
pub use prerequisite::Prerequisites;
pub use serve::{serve, serve_step, serve_step_on, start_logging};
pub use step::{Artifact, Author, Closed, Content, Evaluation, StepLogic};
pub use store::Recreated;
pub use write_once::rewritten;
