//! A valid chain has no blockers; each test breaks one thing in it and expects one code.

use p1_contract::artifacts::{GateRollupMatrix, P1Verdict, RerunAdmissionReceipt, RollupBlockerRegister, StepState};
use p1_contract::blocker::{Blocker, Finding, Severity, codes};
use p1_contract::evidence::{Body, RunIds, split};
use p1_contract::input::{HeldSummary, ResetReceipt};
use p1_contract::owner::Owner;
use p1_contract::reference::ClosureRef;
use p1_contract::request::StepResult;
use p1_contract::step::Step;
use p1_contract::verdict::RollupVerdict;
use p1_runtime::StepLogic as _;
use p1_runtime::testing::{BUCKET, TestExecution};

use super::*;
use crate::rollup::{build, defects, is_complete};

/// The chain up to `last`, which has `blockers`.
fn chain(last: Step, blockers: &[Finding]) -> TestExecution {
    let mut execution = TestExecution::default();
    close(&mut execution, Step::HandleClosure, last, blockers);
    execution
}

/// Closes the steps from `first` to `last`, which has `blockers`.
fn close(execution: &mut TestExecution, first: Step, last: Step, blockers: &[Finding]) {
    for step in Step::GATED.into_iter().filter(|step| (first..=last).contains(step)) {
        let evidence = lanes::LANES
            .iter()
            .flat_map(|(_, evidence)| evidence.iter())
            .filter(|(owner, _)| *owner == step);
        let mut names: Vec<&str> = evidence.map(|(_, name)| *name).collect();
        names.sort_unstable();
        names.dedup();
        let artifacts: Vec<_> = names.into_iter().map(|name| (name, name.as_bytes().to_vec())).collect();
        let blockers = if step == last { blockers.to_vec() } else { Vec::new() };
        execution.close(step, &artifacts, blockers);
    }
}

/// A rerun of the run that `held` was the last summary of: the execution `name`, admitted.
fn resume(execution: &mut TestExecution, name: &str, held: &ClosureRef) {
    admission(execution, name, held, Vec::new());
}

/// [`resume`], with these blockers of the admission.
fn admission(execution: &mut TestExecution, name: &str, held: &ClosureRef, blockers: Vec<Finding>) {
    execution.arn = TestExecution::named(name).arn;
    execution
        .closures
        .retain(|owner, closure| *owner != Owner::Admission && closure.overall_pass);
    let receipt = RerunAdmissionReceipt {
        held: HeldSummary {
            key: held.key.clone(),
            version_id: held.version_id.clone().unwrap(),
            sha256: held.sha256.clone(),
        },
        resume_at: None,
        only: false,
        reset: ResetReceipt::default(),
        checks: Vec::new(),
        registry: None,
        ledger_sequence: None,
        admitted: true,
    };
    let bytes = execution.document(Step::RerunDiscipline, receipt);
    execution.close(Owner::Admission, &[(RerunAdmissionReceipt::NAME, bytes)], blockers);
}

fn green() -> TestExecution {
    chain(Step::CostEnvelope, &[])
}

fn held() -> TestExecution {
    chain(
        Step::OrchestratorReadiness,
        &[Blocker::RunLockNotOurs.on("ledger", "held by another")],
    )
}

async fn roll_up(execution: &mut TestExecution) -> StepResult {
    execution.invoke(&GateRollup).await.unwrap()
}

async fn blocked(execution: &mut TestExecution) -> Vec<Blocker> {
    roll_up(execution).await.blockers
}

fn published<B: Body>(execution: &TestExecution) -> B {
    split(execution.published(Step::GateRollup, B::NAME).unwrap(), B::NAME)
        .unwrap()
        .body
}

#[tokio::test]
async fn a_green_chain_advances() {
    let mut execution = green();
    let result = roll_up(&mut execution).await;
    assert!(result.overall_pass, "{result:?}");
    assert_eq!(result.run, execution.run());
    let verdict: P1Verdict = published(&execution);
    assert_eq!(verdict.verdict, RollupVerdict::AdvanceToM3J);
    assert!(verdict.overall_pass && verdict.reproducible && verdict.not_reached.is_empty());
    let matrix: GateRollupMatrix = published(&execution);
    assert!(matrix.complete && matrix.lanes.iter().all(|lane| lane.covered));
    assert_eq!((matrix.steps.len(), matrix.lanes.len()), (8, 9));
    assert!(
        matrix
            .steps
            .iter()
            .all(|row| row.state == StepState::Green && row.checks.iter().all(|check| check.pass))
    );
    let register: RollupBlockerRegister = published(&execution);
    assert_eq!((register.unresolved_count, register.unresolved_blockers.len()), (0, 0));
}

#[tokio::test]
async fn rolling_up_a_hold_is_a_pass() {
    let mut execution = held();
    let result = roll_up(&mut execution).await;
    assert!(result.overall_pass, "{result:?}");
    let verdict: P1Verdict = published(&execution);
    assert_eq!(verdict.verdict, RollupVerdict::HoldRemediate);
    assert_eq!(verdict.unresolved_codes, [Blocker::RunLockNotOurs]);
    assert_eq!(verdict.not_reached, Step::GATED[4..]);
    let matrix: GateRollupMatrix = published(&execution);
    let states: Vec<StepState> = matrix.steps.iter().map(|row| row.state).collect();
    use StepState::{Green, Held, NotReached};
    assert_eq!(
        states,
        [
            Green, Green, Green, Held, NotReached, NotReached, NotReached, NotReached
        ]
    );
    assert!(matrix.complete);
    let covered: Vec<bool> = matrix.lanes.iter().map(|lane| lane.covered).collect();
    assert_eq!(covered, [true, false, false, false, false, true, false, false, false]);
}

#[tokio::test]
async fn a_no_go_blocker_makes_a_no_go() {
    let mut execution = chain(
        Step::HandleClosure,
        &[Blocker::HandleClosureSecret.on("registry", "rule jwt")],
    );
    let result = roll_up(&mut execution).await;
    assert!(result.overall_pass);
    assert_eq!(
        published::<P1Verdict>(&execution).verdict,
        RollupVerdict::NoGoResetRequired
    );
    assert_eq!(result.run, RunIds::default());
}

#[tokio::test]
async fn a_retry_writes_the_same_bytes() {
    let mut execution = held();
    let first = roll_up(&mut execution).await;
    let before = execution.store.dump(BUCKET);
    execution.closures.remove(Step::GateRollup.id());
    assert_eq!(roll_up(&mut execution).await, first);
    assert_eq!(execution.store.dump(BUCKET), before);
}

/// Held at M3.D, resumed, held at M3.H, resumed: the last register has both.
#[tokio::test]
async fn blockers_of_earlier_executions_are_listed_once_the_chain_has_them_no_more() {
    let lock = Blocker::RunLockNotOurs.on("ledger", "held by another");
    let machine = Blocker::StateMachineUnavailable.on("machine", "not ACTIVE");
    let scope = Blocker::CostHandleInvalid.on("COST_CAPTURE_SCOPE", "still holds TO_PIN");
    let resolved = |execution: &TestExecution| {
        let register: RollupBlockerRegister = published(execution);
        register.resolved_blockers.unwrap()
    };
    let mut execution = chain(Step::OrchestratorReadiness, &[lock.clone(), machine.clone()]);
    let first = execution.closures["M3.D"].clone();
    assert!(roll_up(&mut execution).await.overall_pass);
    assert_eq!(resolved(&execution), []);

    // Held again, by one of the two: the other is resolved.
    resume(&mut execution, "second", &first);
    close(
        &mut execution,
        Step::OrchestratorReadiness,
        Step::OrchestratorReadiness,
        std::slice::from_ref(&lock),
    );
    let second = execution.closures["M3.D"].clone();
    execution.closures.remove(Step::GateRollup.id());
    assert!(roll_up(&mut execution).await.overall_pass);
    let listed = resolved(&execution);
    assert_eq!(listed.len(), 1, "{listed:?}");
    let only = &listed[0];
    assert_eq!(only.code.on(&only.subject, &only.detail), machine);
    assert_eq!((&only.raised_by, &only.resolved_by), (&first, &second));

    resume(&mut execution, "third", &second);
    close(
        &mut execution,
        Step::OrchestratorReadiness,
        Step::CostEnvelope,
        std::slice::from_ref(&scope),
    );
    let (fourth, held) = (execution.closures["M3.D"].clone(), execution.closures["M3.H"].clone());
    resume(&mut execution, "fourth", &held);
    close(&mut execution, Step::CostEnvelope, Step::CostEnvelope, &[]);
    execution.closures.remove(Step::GateRollup.id());
    assert!(roll_up(&mut execution).await.overall_pass);
    let register: RollupBlockerRegister = published(&execution);
    assert_eq!(register.unresolved_count, 0);
    let listed: Vec<_> = resolved(&execution)
        .into_iter()
        .map(|resolved| (resolved.code, resolved.raised_by, resolved.resolved_by))
        .collect();
    let now = execution.closures["M3.H"].clone();
    assert_eq!(
        listed,
        [
            (machine.code, first.clone(), fourth.clone()),
            (lock.code, first.clone(), fourth.clone()),
            (lock.code, second, fourth),
            (scope.code, held, now),
        ]
    );

    // What an earlier execution rests on is gone.
    execution.store.deny(BUCKET, first.key.as_str());
    execution.arn = TestExecution::named("fifth").arn;
    execution.closures.remove(Step::GateRollup.id());
    let result = roll_up(&mut execution).await;
    assert_eq!(result.blockers, [Blocker::RollupArtifactInvalid]);
    let register: RollupBlockerRegister = published(&execution);
    assert_eq!(register.unresolved_blockers[0].subject, first.key.as_str());
}

#[tokio::test]
async fn an_artifact_that_cannot_be_read_is_b1() {
    let mut execution = green();
    let key = execution.closures["M3.E"]
        .key
        .as_str()
        .replace("m3e_execution_summary", "m3e_run_json_write_receipt");
    execution.store.deny(BUCKET, &key);
    let result = roll_up(&mut execution).await;
    assert_eq!(result.blockers, [Blocker::RollupArtifactInvalid]);
    let verdict: P1Verdict = published(&execution);
    assert_eq!(verdict.verdict, RollupVerdict::NoGoResetRequired);
    assert_eq!(verdict.unresolved_codes, [Blocker::RollupArtifactInvalid]);
    assert_eq!(
        published::<GateRollupMatrix>(&execution).steps[4].state,
        StepState::Held
    );
}

#[tokio::test]
async fn a_summary_of_another_hash_is_b1_alone() {
    let mut execution = green();
    let other = execution.closures["M3.C"].sha256.clone();
    execution.closures.get_mut("M3.B").unwrap().sha256 = other;
    assert_eq!(blocked(&mut execution).await, [Blocker::RollupArtifactInvalid]);
}

#[tokio::test]
async fn a_pass_without_its_evidence_is_b1() {
    let mut execution = green();
    execution.close(Step::CostEnvelope, &[], Vec::new());
    assert_eq!(blocked(&mut execution).await, [Blocker::RollupArtifactInvalid]);
}

#[tokio::test]
async fn a_held_step_that_was_let_through_is_b2() {
    let mut execution = green();
    execution.close(
        Step::OrchestratorReadiness,
        &[],
        vec![Blocker::RunLockNotOurs.on("ledger", "held by another")],
    );
    assert_eq!(blocked(&mut execution).await, [Blocker::GateContradicted]);
    let verdict: P1Verdict = published(&execution);
    assert_eq!(
        verdict.unresolved_codes,
        [Blocker::RunLockNotOurs, Blocker::GateContradicted]
    );
    assert_eq!(verdict.verdict, RollupVerdict::NoGoResetRequired);
}

#[tokio::test]
async fn a_step_that_was_passed_over_is_b2() {
    for gone in ["M3.D", "M3.H"] {
        let mut execution = green();
        execution.closures.remove(gone);
        assert_eq!(blocked(&mut execution).await, [Blocker::GateContradicted], "{gone}");
    }
}

#[tokio::test]
async fn a_chain_that_contradicts_a_summary_is_b2_alone() {
    let mut execution = held();
    execution.closures.get_mut("M3.D").unwrap().overall_pass = true;
    assert_eq!(blocked(&mut execution).await, [Blocker::GateContradicted]);
    let register: RollupBlockerRegister = published(&execution);
    assert_eq!(
        register.unresolved_count, 2,
        "the step's own, and the contradiction: {register:?}"
    );
}

#[tokio::test]
async fn the_admission_is_audited_too() {
    let mut execution = green();
    let held = execution.closures["M3.H"].clone();
    resume(&mut execution, "start", &held);
    assert!(roll_up(&mut execution).await.overall_pass);

    // An admission that names no receipt leads to no held summary.
    let mut execution = green();
    execution.close(Owner::Admission, &[], Vec::new());
    assert_eq!(blocked(&mut execution).await, [Blocker::RollupArtifactInvalid]);

    let mut execution = green();
    let held = execution.closures["M3.H"].clone();
    resume(&mut execution, "start", &held);
    let receipt = execution.closures[&Owner::Admission].key.as_str();
    let receipt = receipt.replace("m3g_admission_summary", RerunAdmissionReceipt::NAME);
    execution.store.deny(BUCKET, &receipt);
    assert_eq!(blocked(&mut execution).await, [Blocker::RollupArtifactInvalid]);
    let register: RollupBlockerRegister = published(&execution);
    assert_eq!(register.unresolved_count, 1, "one cause: {register:?}");

    let mut execution = green();
    let held = execution.closures["M3.H"].clone();
    let refusal = vec![Blocker::ResetReceiptIncomplete.on("actor", "is empty")];
    admission(&mut execution, "start", &held, refusal);
    assert_eq!(blocked(&mut execution).await, [Blocker::GateContradicted]);

    let mut execution = green();
    execution.close(Owner::Admission, &[], Vec::new());
    execution
        .store
        .deny(BUCKET, execution.closures[&Owner::Admission].key.as_str());
    assert_eq!(blocked(&mut execution).await, [Blocker::RollupArtifactInvalid]);
}

#[tokio::test]
async fn an_occupied_key_is_b7() {
    let mut execution = green();
    let id = execution.phase_execution_id(Step::GateRollup);
    execution.store.seed(
        BUCKET,
        &format!("evidence/dev_full/run_control/{id}/m3i_p1_verdict.json"),
        "other",
    );
    assert_eq!(blocked(&mut execution).await, [Blocker::RollupNotPublished]);
}

/// The rollup of the valid hold, for the codes that only a defect can raise.
async fn doctored(break_it: impl FnOnce(&mut Rollup)) -> Vec<Blocker> {
    let execution = held();
    let request = execution.request(Step::GateRollup);
    let harness = execution.harness();
    let ctx = harness.context(&request.input, Step::GateRollup);
    let observed = GateRollup.observe(&ctx).await.unwrap();
    let mut rollup = build(&observed.audits, None, &[]);
    assert!(defects(&rollup, b"", b"").is_empty());
    break_it(&mut rollup);
    codes(&defects(&rollup, b"", b""))
}

#[tokio::test]
async fn an_unknown_severity_is_b3() {
    let found = doctored(|rollup| rollup.register.unresolved_blockers[0].severity = Severity::S1).await;
    assert_eq!(found, [Blocker::SeverityUnknown]);
}

#[tokio::test]
async fn an_incomplete_matrix_is_b4() {
    let breaks: [fn(&mut Rollup); 5] = [
        |rollup| drop(rollup.matrix.steps.pop()),
        |rollup| drop(rollup.matrix.lanes.pop()),
        |rollup| drop(rollup.matrix.steps[7].checks.pop()),
        |rollup| rollup.matrix.steps[0].closure = None,
        |rollup| rollup.matrix.complete = false,
    ];
    for break_it in breaks {
        assert_eq!(doctored(break_it).await, [Blocker::MatrixIncomplete]);
    }
}

#[tokio::test]
async fn an_implicit_unresolved_set_is_b5() {
    let breaks: [fn(&mut Rollup); 3] = [
        |rollup| rollup.register.unresolved_count = 0,
        |rollup| rollup.verdict.unresolved_codes.clear(),
        |rollup| rollup.register.unresolved_blockers[0].code = Blocker::OrchestratorHandleInvalid,
    ];
    for break_it in breaks {
        assert_eq!(doctored(break_it).await, [Blocker::UnresolvedSetImplicit]);
    }
}

#[tokio::test]
async fn a_verdict_that_is_not_reproducible_is_b6() {
    assert_eq!(
        doctored(|rollup| rollup.verdict.reproducible = false).await,
        [Blocker::VerdictNotReproducible]
    );
    let rollup = build(&[], None, &[]);
    let found = defects(&rollup, b"one", b"two");
    assert_eq!(codes(&found), [Blocker::VerdictNotReproducible]);
    assert!(is_complete(&rollup.matrix));
}

#[tokio::test]
async fn an_advance_despite_blockers_is_b8() {
    let found = doctored(|rollup| {
        rollup.verdict.verdict = RollupVerdict::AdvanceToM3J;
        rollup.verdict.overall_pass = true;
    });
    assert_eq!(found.await, [Blocker::RollupAdvanceDespiteBlockers]);
    assert_eq!(
        doctored(|rollup| rollup.verdict.overall_pass = true).await,
        [Blocker::RollupAdvanceDespiteBlockers]
    );
}
