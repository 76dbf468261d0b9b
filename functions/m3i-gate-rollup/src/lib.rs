//! M3.I Gate rollup: reads every closure of M3.A … M3.H again, with everything that it lists, and adjudicates
//! (contract section 7).
//!
//! Rolling up a hold is a pass of this step. Its own blockers mean that evidence contradicts what the gates let
//! through.

mod earlier;
mod gates;
mod lanes;
mod rollup;
#[cfg(test)]
mod tests;

use futures_util::future::try_join;
use p1_contract::observations::ClosureAudit;
use p1_contract::observations::gate_rollup::Observed;
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_runtime::{Author, Evaluation, Fault, StepContext, StepLogic, audit_all};

pub use crate::rollup::{Rollup, adjudicated};

/// The step.
#[derive(Debug, Clone, Copy, Default)]
pub struct GateRollup;

impl StepLogic for GateRollup {
    const STEP: Step = Step::GateRollup;
    type Observed = Observed;

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let gated = Step::GATED.into_iter().filter_map(|step| ctx.input.closure(step));
        let audits = audit_all(ctx, gated.chain(ctx.input.admission()));
        let (audits, earlier) = try_join(audits, earlier::observe(ctx)).await?;
        Ok(Observed {
            audits,
            earlier: Some(earlier),
        })
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        let (rollup, findings) = adjudicated(&observed.audits, observed.earlier.as_ref())?;
        let run = ClosureAudit::run_of(&observed.audits);
        let author = Author::new(input, Self::STEP, run.clone());
        let artifacts = vec![
            author.artifact(rollup.matrix)?,
            author.artifact(rollup.register)?,
            author.artifact(rollup.verdict)?,
        ];
        Ok(Evaluation {
            findings,
            waves: vec![artifacts],
            run,
            ..Evaluation::default()
        })
    }
}
