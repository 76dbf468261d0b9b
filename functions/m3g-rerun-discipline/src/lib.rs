//! M3.G Rerun and reset discipline, in its two duties (contract sections 6 and 7): [`RerunDiscipline`] is the step,
//! [`Admission`] decides whether a held or faulted run may go on.
//!
//! **Neither changes anything of a run but its ledger**, and that only the admission, by one create-only record, after
//! every check has passed.

pub mod admission;
pub mod discipline;
mod fact;
pub mod policy;

#[cfg(test)]
mod tests;

use p1_contract::request::{Mode, StepResult};
use p1_runtime::{Fault, Harness, Request};

pub use admission::Admission;
pub use discipline::RerunDiscipline;

/// Runs the duty that a payload calls for.
///
/// # Errors
/// When no verdict could be reached.
pub async fn handle(harness: &Harness, payload: &[u8]) -> Result<StepResult, Fault> {
    run(harness, &harness.request(payload)?).await
}

/// Runs the duty that an invocation calls for.
///
/// # Errors
/// When no verdict could be reached.
pub async fn run(harness: &Harness, request: &Request) -> Result<StepResult, Fault> {
    match request.input.mode {
        // Boxed: the two are deep, and the compiler's layout of both inside `main` is not.
        Mode::Step | Mode::Entry => Box::pin(harness.run(&RerunDiscipline, request)).await,
        Mode::Admission => Box::pin(harness.run(&Admission, request)).await,
    }
}
