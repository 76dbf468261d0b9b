//! M3.H Cost envelope and outcome: what the phase may cost, what it cost so far, and what it leaves behind for that.
//!
//! It reads the closures of M3.A … M3.G and the proofs that they list, reads the cost handles of the pinned registry, learns the month's spend from
//! the deployment's cost source, and writes the envelope before the receipt (contract section 7).
//!
//! **One code per cause.** A closure is a step's summary: one that is missing, changed or not a pass is `M3H-B2`. An
//! artifact that an intact closure lists and that is gone is no `M3H-B2`: when it is a proof of the spend and money was
//! spent, it is `M3H-B9`; any other is M3.I's to find, which re-hashes all of them and raises `M3I-B1`. The proofs of a
//! closure that is itself `M3H-B2` are not judged again.

mod amount;
mod billing;
mod day;
mod evaluate;
mod explorer;
mod proof;
mod rules;
mod source;
mod terms;

#[cfg(test)]
mod day_tests;
#[cfg(test)]
mod explorer_tests;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod harness_tests;
#[cfg(test)]
mod tests;

use futures_util::future::{try_join, try_join_all};
use p1_contract::handles::{self, HandleFacts};
use p1_contract::observations::cost_envelope::{Observed, RegistryFact};
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_runtime::{ClosureRead, Evaluation, Fault, Recreated, StepContext, StepLogic, audit_where};

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
        let closures = proof::UPSTREAM.into_iter().filter_map(|step| ctx.input.closure(step));
        let audits = async {
            // Of what the closures list, the proofs alone: M3.I reads everything again.
            let audits =
                closures.map(|closure| audit_where(ctx, closure, |artifact| proof::is_expected(closure, artifact)));
            let upstream = try_join_all(audits).await?;
            let proofs = proof::observe(ctx, &upstream).await?;
            Ok::<_, Fault>((upstream, proofs))
        };
        let spend = async {
            let registry = registry(ctx).await?;
            let source = source::observe(ctx, &self.explorer, registry.handles()).await?;
            Ok::<_, Fault>((registry, source))
        };
        let ((upstream, proofs), (registry, source)) = try_join(audits, spend).await?;
        Ok(Observed {
            upstream,
            proofs,
            registry,
            source,
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
        if let ClosureRead::Unusable(_) = ctx.closure(pin).await? {
            return Ok(RegistryFact::Unpinned);
        }
    }
    Ok(match ctx.pinned_registry().await? {
        Ok(registry) => RegistryFact::Read {
            handles: HandleFacts::read(
                &registry,
                &handles::names_read_by(Step::CostEnvelope, &ctx.settings().environment),
            ),
        },
        Err(problem) => RegistryFact::Unusable { problem },
    })
}
