//! M3.I Gate rollup: reads every closure of M3.A … M3.H again, with everything that it lists, and adjudicates
//! (contract section 7).
//!
//! Rolling up a hold is a pass of this step. Its own blockers mean that evidence contradicts what the gates let
//! through.

mod gates;
mod lanes;
mod rollup;
#[cfg(test)]
mod tests;

use p1_contract::evidence::RunIds;
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_runtime::{Author, ClosureAudit, Evaluation, Fault, StepContext, StepLogic, audit_all};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::rollup::{Rollup, adjudicated};

/// The step.
#[derive(Debug, Clone, Copy, Default)]
pub struct GateRollup;

/// What the step learned: every closure as it stands in S3 now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The audits of M3.A … M3.H, as far as the run came, then of the admission.
    pub audits: Vec<ClosureAudit>,
}

impl StepLogic for GateRollup {
    const STEP: Step = Step::GateRollup;
    type Observed = Observed;

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let gated = Step::GATED.into_iter().filter_map(|step| ctx.input.closure(step));
        let audits = audit_all(ctx, gated.chain(ctx.input.admission())).await?;
        Ok(Observed { audits })
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        let (rollup, findings) = adjudicated(&observed.audits)?;
        let run = known_run(&observed.audits);
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

/// What is known of the run: each id from the latest summary that carries it.
fn known_run(audits: &[ClosureAudit]) -> RunIds {
    let mut run = RunIds::default();
    for known in audits
        .iter()
        .filter_map(|audit| audit.summary.as_ref())
        .map(|summary| &summary.run)
    {
        run.platform_run_id = known.platform_run_id.clone().or(run.platform_run_id);
        run.scenario_run_id = known.scenario_run_id.clone().or(run.scenario_run_id);
        run.config_digest = known.config_digest.clone().or(run.config_digest);
    }
    run
}
