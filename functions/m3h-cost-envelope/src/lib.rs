//! M3.H Cost envelope and outcome: what the phase may cost, what it cost so far, and what it leaves behind for that.
//!
//! It reads the closures of M3.A … M3.G and the proofs that they list, reads the cost handles of the pinned registry, learns the month's spend from
//! the deployment's cost source, and writes the envelope before the receipt (contract section 7).
//!
//! **One code per cause.** A closure is a step's summary with the artifacts that it lists: one that is missing, changed or
//! not a pass is `M3H-B2`. A proof of the spend that is gone is `M3H-B9` instead when money was spent. The proofs of a
//! closure whose summary is itself `M3H-B2` are not judged again.

mod amount;
mod billing;
mod databricks;
mod day;
mod evaluate;
mod explorer;
mod proof;
mod rules;
mod source;
mod terms;

#[cfg(test)]
mod tests;

use futures_util::future::try_join;
use p1_contract::handles::{self, HandleFacts};
use p1_contract::observations::cost_envelope::{Observed, RegistryFact};
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_runtime::{ClosureRead, Evaluation, Fault, Recreated, StepContext, StepLogic, audit_all};

pub use explorer::CostExplorer;
pub use proof::EXPECTED_PROOFS;

/// The step.
#[derive(Debug, Clone)]
pub struct CostEnvelope {
    /// Cost Explorer, which is asked only when it is the deployment's cost source.
    pub explorer: CostExplorer,
}

impl StepLogic for CostEnvelope {
    const STEP: Step = Step::CostEnvelope;

    type Observed = Observed;

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let closures = proof::upstream().filter_map(|step| ctx.input.closure(step));
        let audits = async {
            let upstream = audit_all(ctx, closures).await?;
            let proofs = proof::observe(ctx, &upstream).await?;
            Ok::<_, Fault>((upstream, proofs))
        };
        let spend = async {
            let registry = registry(ctx).await?;
            let source = source::observe(ctx, &self.explorer, registry.handles());
            let (source, databricks) = try_join(source, source::databricks(ctx, registry.handles())).await?;
            Ok::<_, Fault>((registry, source, databricks))
        };
        let ((upstream, proofs), (registry, source, databricks)) = try_join(audits, spend).await?;
        Ok(Observed {
            upstream,
            proofs,
            registry,
            source,
            databricks: Some(databricks),
        })
    }

    /// The claims to ask Cost Explorer, and its answer of the day.
    fn recreate(&self, input: &StepInput, observed: &Observed) -> Result<Vec<Recreated>, Fault> {
        source::recreate(input, &observed.source)
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        evaluate::evaluate(input, observed)
    }
}

/// The cost handles as pinned: by M3.A, or by the admission of a rerun.
async fn registry(ctx: &StepContext<'_>) -> Result<RegistryFact, Fault> {
    if ctx.input.admission().is_none() {
        let Some(pin) = ctx.input.closure(Step::HandleClosure) else {
            return Ok(RegistryFact::Unpinned);
        };
        match ctx.closure(pin).await? {
            ClosureRead::Found(summary) if summary.not_a_pass(pin).is_none() => {}
            ClosureRead::Found(_) | ClosureRead::Unusable(_) => return Ok(RegistryFact::Unpinned),
        }
    }
    let names = handles::names_read_by(Step::CostEnvelope, ctx.environment());
    Ok(match ctx.pinned_registry().await? {
        Ok(registry) => RegistryFact::Read {
            handles: HandleFacts::read(&registry, &names),
        },
        Err(problem) => RegistryFact::Unusable { problem },
    })
}
