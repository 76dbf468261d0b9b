//! M3.E Durable run evidence: `run.json` and the run header, written once (contract section 7).
//!
//! Identity comes from M3.B, the digest from M3.C, the orchestrator from M3.D; nothing is computed again. The writes
//! happen while observing, because their end state is what the verdict is about; they are the same on every attempt.

mod evaluate;
mod plan;

use futures_util::future::try_join_all;
use p1_contract::artifacts::{OrchestratorReadinessSnapshot, RunIdentitySeed};
use p1_contract::evidence::{Body, RunIds};
use p1_contract::handles::{self, HandleFacts};
use p1_contract::ids::{S3Key, Stamp};
use p1_contract::reference::ClosureRef;
use p1_contract::request::StepInput;
use p1_contract::secrets::SecretHit;
use p1_contract::step::Step;
use p1_runtime::store::Written;
use p1_runtime::{ClosureRead, Evaluation, Fault, StepContext, StepLogic, Summary, run_ledger};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The step.
#[derive(Debug, Clone, Copy)]
pub struct RunPublication;

/// What the step learned from outside, and the end state of its writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// What the publication rests on.
    pub facts: Facts,
    /// The writes; none when a prerequisite did not hold.
    pub writes: Option<Writes>,
}

/// What the publication rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// M3.A … M3.D, in order.
    pub prerequisites: Vec<Prerequisite>,
    /// The ids that the chain has closed.
    pub run: RunIds,
    /// When the run was minted; none where M3.B's seed cannot be read.
    pub pinned_at_utc: Option<Stamp>,
    /// The orchestrator as M3.D closed it; none where that cannot be read.
    pub orchestrator: Option<Orchestrator>,
    /// The handles of the run's paths.
    pub handles: HandleFacts,
    /// Why the ledger is not ours, in words; none when it is.
    pub ledger_lost: Option<String>,
}

/// A closure that the publication rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prerequisite {
    /// The step.
    pub step: Step,
    /// Its closure; none where the chain has none.
    pub closure: Option<ClosureRef>,
    /// Why it cannot be rested on, in words; none when it can.
    pub problem: Option<String>,
}

/// The orchestrator as M3.D closed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Orchestrator {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its role.
    pub role_arn: String,
    /// Who may commit readiness.
    pub authority: String,
    /// The variable that scopes a runtime to the run.
    pub env_key: String,
}

/// The end state of both writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Writes {
    /// `run.json`.
    pub run_json: Written,
    /// The run header.
    pub run_header: Written,
}

/// The steps that the publication rests on.
const PREREQUISITES: [Step; 4] = [
    Step::HandleClosure,
    Step::RunIdentity,
    Step::ConfigDigest,
    Step::OrchestratorReadiness,
];

impl StepLogic for RunPublication {
    const STEP: Step = Step::RunPublication;
    type Observed = Observed;

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let facts = facts(ctx).await?;
        let writes = match plan::plan(ctx.input, &facts) {
            Err(_) => None,
            Ok(plan) => {
                let run_json = ctx.create(ctx.bucket(), &plan.run_json.key, plan::RUN_JSON, &plan.run_json.bytes);
                let run_header = ctx.create(
                    ctx.bucket(),
                    &plan.run_header.key,
                    plan::RUN_HEADER,
                    &plan.run_header.bytes,
                );
                let (run_json, run_header) = futures_util::join!(run_json, run_header);
                Some(Writes { run_json, run_header })
            }
        };
        Ok(Observed { facts, writes })
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        evaluate::evaluate(input, observed)
    }
}

async fn facts(ctx: &StepContext<'_>) -> Result<Facts, Fault> {
    let registry = async {
        // Without M3.A's closure there is no pinned registry: that is the prerequisite's blocker, not a fault.
        if ctx.input.closure(Step::HandleClosure).is_none() && ctx.input.admission().is_none() {
            return Ok(Err("the chain pins no registry".to_owned()));
        }
        ctx.pinned_registry().await
    };
    let closures = try_join_all(PREREQUISITES.map(|step| prerequisite(ctx, step)));
    let closures = closures.await?;
    let intact = closures.iter().all(|(prerequisite, _)| prerequisite.problem.is_none());
    let registry = if intact {
        registry.await?
    } else {
        Err("a prerequisite does not hold".to_owned())
    };
    let handles = registry.map(|registry| HandleFacts::read(&registry, handles::read_by(Step::RunPublication)));
    let summary = |step: Step| {
        closures
            .iter()
            .find(|(p, _)| p.step == step)
            .and_then(|(_, summary)| summary.as_ref())
    };

    let run = summary(Step::ConfigDigest)
        .map(|summary| summary.header.run())
        .unwrap_or_default();
    let seed = read_artifact::<RunIdentitySeed>(ctx, summary(Step::RunIdentity));
    let readiness = read_artifact::<OrchestratorReadinessSnapshot>(ctx, summary(Step::OrchestratorReadiness));
    let ledger = ledger_lost(ctx, &run);
    let (seed, readiness, ledger_lost) = futures_util::try_join!(seed, readiness, ledger)?;
    let mut prerequisites: Vec<Prerequisite> = closures.into_iter().map(|(prerequisite, _)| prerequisite).collect();
    for (step, why) in [
        (Step::RunIdentity, seed.as_ref().err()),
        (Step::OrchestratorReadiness, readiness.as_ref().err()),
        (Step::HandleClosure, handles.as_ref().err()),
    ] {
        if let (Some(why), Some(prerequisite)) = (why, prerequisites.iter_mut().find(|p| p.step == step)) {
            prerequisite.problem.get_or_insert_with(|| why.clone());
        }
    }
    Ok(Facts {
        prerequisites,
        run,
        pinned_at_utc: seed.ok().map(|seed| seed.pinned_at_utc),
        orchestrator: readiness.ok().and_then(orchestrator),
        handles: handles.unwrap_or_default(),
        ledger_lost,
    })
}

async fn prerequisite(ctx: &StepContext<'_>, step: Step) -> Result<(Prerequisite, Option<Summary>), Fault> {
    let Some(closure) = ctx.input.closure(step) else {
        let problem = Some("the chain has no such closure".to_owned());
        return Ok((
            Prerequisite {
                step,
                closure: None,
                problem,
            },
            None,
        ));
    };
    let (summary, problem) = match ctx.closure(closure).await? {
        ClosureRead::Found(summary) if summary.body.overall_pass => (Some(*summary), None),
        ClosureRead::Found(summary) => (Some(*summary), Some("it is not a pass".to_owned())),
        ClosureRead::Unusable(why) => (None, Some(why)),
    };
    Ok((
        Prerequisite {
            step,
            closure: Some(closure.clone()),
            problem,
        },
        summary,
    ))
}

async fn read_artifact<B: Body>(ctx: &StepContext<'_>, summary: Option<&Summary>) -> Result<Result<B, String>, Fault> {
    match summary {
        None => Ok(Err("the closure cannot be read".to_owned())),
        Some(summary) => Ok(ctx
            .artifact_if_intact::<B>(summary)
            .await?
            .map(|document| document.body)),
    }
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
