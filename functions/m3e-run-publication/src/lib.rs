//! M3.E Durable run evidence: `run.json` and the run header, written once (contract section 7).
//!
//! Identity comes from M3.B, the digest from M3.C, the orchestrator from M3.D; nothing is computed again. The writes
//! happen while observing, because their end state is what the verdict is about; they are the same on every attempt.

mod evaluate;
mod plan;
#[cfg(test)]
mod tests;

use p1_contract::artifacts::{OrchestratorReadinessSnapshot, RunIdentitySeed};
use p1_contract::evidence::RunIds;
use p1_contract::handles::{self, HandleFacts};
use p1_contract::ids::S3Key;
use p1_contract::observations::run_publication::{Facts, Observed, Orchestrator, Writes};
use p1_contract::request::StepInput;
use p1_contract::secrets::SecretHit;
use p1_contract::step::Step;
use p1_runtime::{Evaluation, Fault, Prerequisites, Recreated, StepContext, StepLogic, run_ledger};

/// The step.
#[derive(Debug, Clone, Copy)]
pub struct RunPublication;

impl StepLogic for RunPublication {
    const STEP: Step = Step::RunPublication;
    type Observed = Observed;

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let facts = facts(ctx).await?;
        let writes = match plan::plan(&facts) {
            Err(_) => None,
            Ok(plan) => {
                let create =
                    async |name, planned: &Planned| ctx.create(ctx.bucket(), &planned.key, name, &planned.bytes).await;
                let (run_json, run_header) = futures_util::join!(
                    create(plan::RUN_JSON, &plan.run_json),
                    create(plan::RUN_HEADER, &plan.run_header)
                );
                Some(Writes { run_json, run_header })
            }
        };
        Ok(Observed { facts, writes })
    }

    /// `run.json` and the run header.
    fn recreate(&self, _input: &StepInput, observed: &Observed) -> Result<Vec<Recreated>, Fault> {
        let Ok(plan) = plan::plan(&observed.facts) else {
            return Ok(Vec::new());
        };
        let recreated = |name: &str, planned: Planned| Recreated {
            name: name.to_owned(),
            key: planned.key,
            bytes: planned.bytes,
        };
        Ok(vec![
            recreated(plan::RUN_JSON, plan.run_json),
            recreated(plan::RUN_HEADER, plan.run_header),
        ])
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        evaluate::evaluate(input, observed)
    }
}

async fn facts(ctx: &StepContext<'_>) -> Result<Facts, Fault> {
    let before: Vec<Step> = Step::RunPublication.before().collect();
    let closures = Prerequisites::read(ctx, &before).await?;
    let run = closures
        .summary(Step::ConfigDigest)
        .map(|summary| summary.header.run())
        .unwrap_or_default();
    // Without M3.A's closure there is no pinned registry: that is the prerequisite's blocker, not a fault.
    let registry = async {
        if closures.hold() {
            ctx.pinned_registry().await
        } else {
            Ok(Err("a prerequisite does not hold".to_owned()))
        }
    };
    let seed = closures.artifact::<RunIdentitySeed>(ctx, Step::RunIdentity);
    let readiness = closures.artifact::<OrchestratorReadinessSnapshot>(ctx, Step::OrchestratorReadiness);
    let ledger = ledger_lost(ctx, &run);
    let (registry, seed, readiness, ledger_lost) = futures_util::try_join!(registry, seed, readiness, ledger)?;
    let names = handles::names_read_by(Step::RunPublication, ctx.environment());
    let handles = registry.map(|registry| HandleFacts::read(&registry, &names));
    let lacking = [
        (Step::RunIdentity, seed.as_ref().err()),
        (Step::OrchestratorReadiness, readiness.as_ref().err()),
        (Step::HandleClosure, handles.as_ref().err()),
    ];
    let lacking = if closures.hold() { lacking.as_slice() } else { &[] };
    Ok(Facts {
        prerequisites: closures.into_facts(lacking),
        run,
        pinned_at_utc: seed.ok().map(|seed| seed.pinned_at_utc),
        orchestrator: readiness.ok().and_then(orchestrator),
        handles: handles.unwrap_or_default(),
        ledger_lost,
    })
}

async fn ledger_lost(ctx: &StepContext<'_>, run: &RunIds) -> Result<Option<String>, Fault> {
    // Without a run id there is no ledger to look at; the prerequisite says why.
    let Some(run) = &run.platform_run_id else {
        return Ok(None);
    };
    run_ledger::lost(ctx, run).await
}

fn orchestrator(snapshot: OrchestratorReadinessSnapshot) -> Option<Orchestrator> {
    Some(Orchestrator {
        name: snapshot.resolved_state_machine_name?,
        arn: snapshot.resolved_state_machine_arn?,
        role_arn: snapshot.configured_role_arn?,
        authority: snapshot.sr_ready_commit_authority?,
        env_key: snapshot.required_platform_run_id_env_key?,
    })
}

/// What is to be written, or every reason why not.
pub(crate) struct Planned {
    pub(crate) key: S3Key,
    pub(crate) bytes: Vec<u8>,
    pub(crate) secrets: Vec<SecretHit>,
}
