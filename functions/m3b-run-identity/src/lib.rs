//! M3.B Run identity: who is this run, and which scenario does it run?
//!
//! It hashes the oracle input manifests, reserves a run id in its ledger, and derives the scenario id (contract
//! sections 4 and 7).

mod evaluate;
mod manifest;
#[cfg(test)]
mod tests;

use p1_contract::artifacts::{CollisionProbe, ProbeOutcome};
use p1_contract::handles::{self, HandleFacts};
use p1_contract::ids::PlatformRunId;
use p1_contract::ledger::LedgerRecord;
use p1_contract::observations::run_identity::Observed;
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_runtime::{Evaluation, Fault, Recreated, StepContext, StepLogic, run_ledger};

/// The step.
#[derive(Debug, Clone, Copy)]
pub struct RunIdentity;

/// The last suffix that is tried on collision.
const LAST_ATTEMPT: u8 = 20;
/// How many foreign objects under a candidate's root are counted.
const MOST_COUNTED: usize = 1_000;

impl StepLogic for RunIdentity {
    const STEP: Step = Step::RunIdentity;
    type Observed = Observed;

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let names = handles::names_read_by(Step::RunIdentity, ctx.environment());
        let (handles, registry_problem) = match ctx.pinned_registry().await? {
            Ok(registry) => (HandleFacts::read(&registry, &names), None),
            Err(why) => (HandleFacts::default(), Some(why)),
        };
        let reservation = reserve(ctx);
        let manifest = manifest::read(ctx, &handles);
        let ((probes, reserved), manifest) = futures_util::try_join!(reservation, manifest)?;
        Ok(Observed {
            registry_problem,
            handles,
            manifest,
            probes,
            reserved: reserved.map(|run| run.to_string()),
        })
    }

    /// The reservations: the first record of every candidate's ledger that was not taken.
    fn recreate(&self, input: &StepInput, observed: &Observed) -> Result<Vec<Recreated>, Fault> {
        let ours = observed
            .probes
            .iter()
            .filter(|probe| probe.outcome != ProbeOutcome::LedgerTaken);
        ours.map(|probe| {
            let run = &probe.candidate_platform_run_id;
            run_ledger::recorded(&LedgerRecord::acquired(run, 1, &input.execution, input.stamp))
        })
        .collect()
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        evaluate::evaluate(input, observed)
    }
}

/// Reserves the first free id of the execution's stamp: `platform_<stamp>`, then suffix `_01` … `_20`.
async fn reserve(ctx: &StepContext<'_>) -> Result<(Vec<CollisionProbe>, Option<PlatformRunId>), Fault> {
    let mut probes = Vec::new();
    for attempt in 0..=LAST_ATTEMPT {
        let Some(candidate) = PlatformRunId::mint(ctx.input.stamp, attempt) else {
            break;
        };
        let (outcome, foreign_objects) = probe(ctx, &candidate).await?;
        probes.push(CollisionProbe {
            candidate_platform_run_id: candidate.clone(),
            outcome,
            foreign_objects,
        });
        if outcome == ProbeOutcome::Reserved {
            return Ok((probes, Some(candidate)));
        }
    }
    Ok((probes, None))
}

/// Reserves in the ledger first, and looks at the root then: whoever reserves later sees our record.
async fn probe(ctx: &StepContext<'_>, candidate: &PlatformRunId) -> Result<(ProbeOutcome, u32), Fault> {
    if !run_ledger::reserve(ctx, candidate).await? {
        return Ok((ProbeOutcome::LedgerTaken, 0));
    }
    let keys = ctx
        .store
        .list(ctx.bucket(), &candidate.run_root(), MOST_COUNTED)
        .await?;
    let own = candidate.ledger_key(1);
    let foreign = keys.iter().filter(|key| **key != own).count();
    let outcome = if foreign == 0 {
        ProbeOutcome::Reserved
    } else {
        ProbeOutcome::RootOccupied
    };
    Ok((outcome, u32::try_from(foreign).unwrap_or(u32::MAX)))
}
