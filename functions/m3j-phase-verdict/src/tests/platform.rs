//! The valid examples: chains of closures with M3.I's documents, the handoff pack and the ledger.

use p1_contract::artifacts::{M4HandoffPack, P1Verdict, RegisteredBlocker, RollupBlockerRegister};
use p1_contract::blocker::{Blocker, Finding, codes};
use p1_contract::evidence::{Body, split};
use p1_contract::observations::phase_verdict::Observed;
use p1_contract::request::StepResult;
use p1_contract::step::Step;
use p1_contract::verdict::{RollupVerdict, adjudicate};
use p1_runtime::StepLogic as _;
use p1_runtime::testing::{BUCKET, TestExecution};

use crate::PhaseVerdictStep;

/// An execution whose ledger is held by it, with the chain up to `last`, which has `blockers`, and M3.I's closure.
pub(super) fn chain(last: Step, blockers: &[Finding]) -> TestExecution {
    let mut execution = TestExecution::default();
    execution.acquire(1, &execution.arn.clone());
    steps(&mut execution, last, blockers);
    roll_up(&mut execution, blockers);
    execution
}

/// The closures of M3.A up to `last`.
pub(super) fn steps(execution: &mut TestExecution, last: Step, blockers: &[Finding]) {
    for step in Step::GATED.into_iter().filter(|step| *step <= last) {
        let artifacts = match step {
            Step::M4Handoff => vec![(M4HandoffPack::NAME, execution.document(step, pack(execution)))],
            _ => vec![("proof", step.id().as_bytes().to_vec())],
        };
        let blockers = if step == last { blockers.to_vec() } else { Vec::new() };
        execution.close(step, &artifacts, blockers);
    }
}

pub(super) fn pack(execution: &TestExecution) -> M4HandoffPack {
    M4HandoffPack {
        required_platform_run_id_env_key: "REQUIRED_PLATFORM_RUN_ID".to_owned(),
        required_platform_run_id_env_value: execution.run().platform_run_id.unwrap(),
        correlation_required_fields: vec!["platform_run_id".to_owned()],
        durable_references: Vec::new(),
        source_execution_ids: std::collections::BTreeMap::new(),
        pinned_at_utc: execution.stamp,
        overall_pass: true,
    }
}

/// M3.I's closure over the chain, with these unresolved blockers.
pub(super) fn roll_up(execution: &mut TestExecution, unresolved: &[Finding]) {
    let not_reached: Vec<Step> = Step::GATED
        .into_iter()
        .filter(|step| !execution.closures.contains_key(step.id()))
        .collect();
    let verdict = adjudicate(&codes(unresolved), not_reached.is_empty());
    let verdict = P1Verdict {
        verdict,
        unresolved_codes: codes(unresolved),
        not_reached,
        reproducible: true,
        overall_pass: verdict == RollupVerdict::AdvanceToM3J,
    };
    let register = RollupBlockerRegister {
        resolved_blockers: Some(Vec::new()),
        unresolved_blockers: unresolved.iter().map(RegisteredBlocker::from).collect(),
        unresolved_count: unresolved.len() as u64,
    };
    let verdict = execution.document(Step::GateRollup, verdict);
    let register = execution.document(Step::GateRollup, register);
    let artifacts = [(P1Verdict::NAME, verdict), (RollupBlockerRegister::NAME, register)];
    execution.close(Step::GateRollup, &artifacts, Vec::new());
}

/// Every gate passed.
pub(super) fn green() -> TestExecution {
    chain(Step::CostEnvelope, &[])
}

/// Held at M3.E, with a mendable blocker.
pub(super) fn held() -> TestExecution {
    let detail = "s3 | `refuses`\n<!-- p1-closure: x -->";
    chain(
        Step::RunPublication,
        &[Blocker::RunEvidenceWriteFailed.on("run.json", detail)],
    )
}

pub(super) async fn conclude(execution: &mut TestExecution) -> StepResult {
    execution.invoke(&PhaseVerdictStep::default()).await.unwrap()
}

pub(super) fn published<B: Body>(execution: &TestExecution) -> Option<B> {
    let value = execution.published(Step::PhaseVerdict, B::NAME)?;
    Some(split(value, B::NAME).unwrap().body)
}

/// Where the execution's folder of `step` has this file.
pub(super) fn place(execution: &TestExecution, step: Step, file: &str) -> String {
    let id = execution.phase_execution_id(step);
    format!("evidence/dev_full/run_control/{id}/{file}")
}

/// The codes that stand, as a result tells of them.
pub(super) fn unresolved(result: &StepResult) -> &[Blocker] {
    &result.concluded().unwrap().unresolved
}

/// Whether any ledger has a record of this number.
pub(super) fn has_record(execution: &TestExecution, sequence: u32) -> bool {
    let end = format!("/ledger/{sequence:06}.json");
    execution.store.dump(BUCKET).keys().any(|key| key.ends_with(&end))
}

/// Writes the bytes at `key` a second time, or hides them behind a delete marker. Returns whether there were any.
pub(super) fn touch(execution: &TestExecution, key: &str, hide: bool) -> bool {
    let Some(bytes) = execution.store.dump(BUCKET).remove(key) else {
        return false;
    };
    if hide {
        execution.store.delete(BUCKET, key);
    } else {
        execution.store.seed(BUCKET, key, bytes);
    }
    true
}

/// The observations of the execution, for doctoring.
pub(super) async fn observe(execution: &TestExecution) -> Observed {
    let request = execution.request(Step::PhaseVerdict);
    let harness = execution.harness();
    let ctx = harness.context(&request.input, Step::PhaseVerdict);
    PhaseVerdictStep::default().observe(&ctx).await.unwrap()
}
