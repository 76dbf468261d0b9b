//! Runs through the real engine, with the real functions, on one local platform.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod audits;
mod aws_calls;
mod aws_failures;
mod blocker_codes;
mod concurrent_runs;
mod costs;
mod deployments;
mod duplicate_deliveries;
mod faulted_executions;
mod fetches;
mod input_forms;
mod ledger;
mod listings;
mod metrics;
mod mirrors;
mod overwritten_evidence;
mod phase_entry;
mod processes;
mod reruns;
mod roles;
mod runs;
mod secrets;
mod signatures;
mod stack_outputs;
mod two_doors;
mod untrusted_input;
