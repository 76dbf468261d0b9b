//! The codes that evidence can raise.

use p1_contract::artifacts::{CommitPosture, M4EntryReadinessReceipt, P1Verdict, PhaseSummary, RollupBlockerRegister};
use p1_contract::blocker::Blocker;
use p1_contract::ids::ExecutionArn;
use p1_contract::request::StepResult;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::store::PutAnswer;
use p1_runtime::testing::{BUCKET, TestExecution};

use super::platform::{
    chain, conclude, green, has_record, held, observe, pack, place, published, roll_up, steps, unresolved,
};
use crate::PhaseVerdictStep;

/// Concludes, and expects a hold of exactly these codes with no receipt.
async fn holds(execution: &mut TestExecution, codes: &[Blocker]) -> StepResult {
    let result = conclude(execution).await;
    assert_eq!(result.blockers, codes, "{result:?}");
    assert_eq!(
        (result.overall_pass, result.verdict()),
        (false, Some(PhaseVerdict::HoldM3))
    );
    for code in codes {
        assert!(unresolved(&result).contains(code));
    }
    // Who is told of the hold is told of each code that stands, and what to do.
    let mut told: Vec<Blocker> = result.findings.told.iter().map(|told| told.code).collect();
    told.dedup();
    assert_eq!(told, unresolved(&result), "{:?}", result.findings);
    let mut all = result.findings.told.iter();
    assert!(all.all(|told| told.remedy == told.code.remedy()));
    assert_eq!((result.findings.cut, &result.asked), (0, &None));
    assert!(published::<M4EntryReadinessReceipt>(execution).is_none());
    result
}

fn artifact_key(execution: &TestExecution, step: Step, name: &str) -> String {
    place(execution, step, &format!("{name}.json"))
}

fn other_execution() -> ExecutionArn {
    TestExecution::named("other").arn
}

#[tokio::test]
async fn a_chain_without_the_rollup_is_b2() {
    let mut execution = green();
    execution.closures.remove("M3.I");
    holds(&mut execution, &[Blocker::ChainIncomplete]).await;
}

#[tokio::test]
async fn a_rollup_that_cannot_be_read_is_b2() {
    for name in ["m3i_execution_summary", "m3i_p1_verdict", "m3i_blocker_register"] {
        let mut execution = green();
        execution
            .store
            .deny(BUCKET, &artifact_key(&execution, Step::GateRollup, name));
        let result = holds(&mut execution, &[Blocker::ChainIncomplete]).await;
        assert_eq!(result.committed(), Some(true), "the hold is committed: {name}");
        let next = published::<PhaseSummary>(&execution).unwrap().next_action.unwrap();
        assert_eq!(next.action, "START_ANEW");
    }
}

#[tokio::test]
async fn a_closure_that_changed_after_the_rollup_is_b2() {
    let changes: [fn(&mut TestExecution); 4] = [
        |execution| execution.store.deny(BUCKET, execution.closures["M3.C"].key.as_str()),
        |execution| drop(execution.closures.remove("M3.G")),
        |execution| {
            let blockers = vec![Blocker::CanonicalizationUnknown.on("mode", "unknown")];
            execution.close(Step::ConfigDigest, &[], blockers);
        },
        |execution| execution.closures.get_mut("M3.H").unwrap().overall_pass = false,
    ];
    for change in changes {
        let mut execution = green();
        change(&mut execution);
        holds(&mut execution, &[Blocker::ChainIncomplete]).await;
    }
}

#[tokio::test]
async fn what_the_rollup_registered_is_not_raised_again() {
    let mut execution = TestExecution::default();
    execution.acquire(1, &execution.arn.clone());
    steps(&mut execution, Step::CostEnvelope, &[]);
    let key = execution.closures["M3.B"].key.to_string();
    execution.store.deny(BUCKET, &key);
    roll_up(
        &mut execution,
        &[Blocker::RollupArtifactInvalid.on(key, "M3.B: may not be read")],
    );
    let result = conclude(&mut execution).await;
    assert!(result.overall_pass, "{result:?}");
    assert_eq!(unresolved(&result), [Blocker::RollupArtifactInvalid]);
}

#[tokio::test]
async fn a_pack_that_is_gone_or_of_another_run_is_b4() {
    let mut execution = green();
    execution
        .store
        .deny(BUCKET, &artifact_key(&execution, Step::M4Handoff, "m4_handoff_pack"));
    holds(&mut execution, &[Blocker::HandoffPackDrifted]).await;

    let other = TestExecution {
        stamp: p1_contract::ids::Stamp::parse("2026-11-22T12:17:02Z").unwrap(),
        ..green()
    };
    for bytes in [
        Some(other.document(Step::M4Handoff, pack(&other))),
        Some(green().document(Step::M4Handoff, pack(&other))),
        Some(b"{}".to_vec()),
        None,
    ] {
        let mut execution = green();
        let artifacts: Vec<_> = bytes.into_iter().map(|bytes| ("m4_handoff_pack", bytes)).collect();
        execution.close(Step::M4Handoff, &artifacts, Vec::new());
        roll_up(&mut execution, &[]);
        holds(&mut execution, &[Blocker::HandoffPackDrifted]).await;
    }
}

#[tokio::test]
async fn an_occupied_key_is_b7() {
    let mut execution = green();
    execution.store.seed(
        BUCKET,
        &artifact_key(&execution, Step::PhaseVerdict, "m3_execution_summary"),
        "other",
    );
    let result = holds(&mut execution, &[Blocker::VerdictNotPublished]).await;
    assert_eq!(result.committed(), Some(false));
}

/// The ledger's word stands: what is published after a committed advance is a redrive's business, never a hold.
#[tokio::test]
async fn an_occupied_receipt_after_the_commit_is_a_fault() {
    let mut execution = green();
    let key = artifact_key(&execution, Step::PhaseVerdict, "m4_entry_readiness_receipt");
    execution.store.seed(BUCKET, &key, "other");
    let fault = execution.invoke(&PhaseVerdictStep::default()).await.unwrap_err();
    assert_eq!(fault.name(), "Internal");
    assert!(
        fault.to_string().contains("the advance is committed and stands"),
        "{fault}"
    );
    let objects = execution.store.dump(BUCKET);
    assert!(!objects.contains_key(&artifact_key(&execution, Step::PhaseVerdict, "m3j_execution_summary")));
    assert!(
        objects
            .values()
            .any(|bytes| String::from_utf8_lossy(bytes).contains("\"kind\":\"COMMITTED\""))
    );
}

/// The valid advance with its summary written by an earlier attempt, so that the first PUT answers 412.
async fn with_summary() -> TestExecution {
    let (execution, first) = (green(), green());
    observe(&first).await;
    let key = artifact_key(&execution, Step::PhaseVerdict, "m3_execution_summary");
    execution
        .store
        .seed(BUCKET, &key, first.store.dump(BUCKET)[&key].clone());
    execution
}

#[tokio::test]
async fn a_write_that_is_refused_or_inconclusive_is_b7_and_never_a_verdict() {
    let unknown = PutAnswer::Unknown("time-out".to_owned());
    for answers in [vec![PutAnswer::Refused("403".to_owned())], vec![unknown; 4]] {
        let mut execution = green();
        execution.store.script(answers.clone());
        let result = holds(&mut execution, &[Blocker::VerdictNotPublished]).await;
        assert_eq!(result.committed(), Some(false));
        assert!(!has_record(&execution, 2));

        // The same answers to the PUT of the COMMITTED record.
        let mut execution = with_summary().await;
        execution
            .store
            .script([PutAnswer::Exists].into_iter().chain(answers).collect());
        let result = holds(&mut execution, &[Blocker::VerdictNotPublished]).await;
        assert_eq!(result.committed(), Some(false));
        assert!(!has_record(&execution, 2));
    }
}

#[tokio::test]
async fn secret_material_is_withheld_as_b7() {
    let key_id = ["AKIA", "IOSFODNN7", "EXAMPLQ"].concat();
    let blockers = [Blocker::RunEvidenceWriteFailed.on("run.json", format!("leaked {key_id}"))];
    let mut execution = chain(Step::RunPublication, &blockers);
    let result = holds(&mut execution, &[Blocker::VerdictNotPublished]).await;
    assert_eq!(result.committed(), Some(false));
    let own = place(&execution, Step::PhaseVerdict, "");
    for (key, bytes) in execution.store.dump(BUCKET) {
        assert!(
            !key.starts_with(&own) || !String::from_utf8(bytes).unwrap().contains(&key_id),
            "{key}"
        );
    }
}

#[tokio::test]
async fn a_ledger_that_was_lost_is_b9_and_nothing_is_committed() {
    for make in [green, held] {
        let mut execution = make();
        execution.acquire(2, &other_execution());
        let result = holds(&mut execution, &[Blocker::CommitLedgerLost]).await;
        assert_eq!(result.committed(), Some(false));
        assert_eq!(
            published::<PhaseSummary>(&execution).unwrap().commit,
            CommitPosture::LedgerLost
        );
        assert!(!has_record(&execution, 3));
    }
}

#[tokio::test]
async fn a_ledger_that_an_earlier_step_found_lost_is_not_raised_again() {
    let blockers = [Blocker::RunLockNotOurs.on("ledger", "held by another")];
    let mut execution = chain(Step::OrchestratorReadiness, &blockers);
    execution.acquire(2, &other_execution());
    let result = conclude(&mut execution).await;
    assert!(result.overall_pass, "{result:?}");
    assert_eq!(
        (result.verdict(), result.committed()),
        (Some(PhaseVerdict::HoldM3), Some(false))
    );
    assert_eq!(unresolved(&result), [Blocker::RunLockNotOurs]);
}

/// An attempt wrote its summary and died; before the redrive a successor took the ledger.
#[tokio::test]
async fn a_ledger_that_was_lost_between_attempts_is_b9_alone() {
    let mut execution = with_summary().await;
    execution.acquire(2, &other_execution());
    let result = holds(&mut execution, &[Blocker::CommitLedgerLost]).await;
    assert_eq!(result.committed(), Some(false));
}

#[tokio::test]
async fn an_advance_without_a_ledger_is_b9() {
    let mut execution = TestExecution::default();
    steps(&mut execution, Step::CostEnvelope, &[]);
    roll_up(&mut execution, &[]);
    let result = holds(&mut execution, &[Blocker::CommitLedgerLost]).await;
    assert_eq!(result.committed(), Some(false));
}

/// A rollup that could not be published has raised its own code.
#[tokio::test]
async fn a_rollup_that_held_explains_a_missing_verdict() {
    let mut execution = TestExecution::default();
    execution.acquire(1, &execution.arn.clone());
    steps(&mut execution, Step::CostEnvelope, &[]);
    let register = RollupBlockerRegister {
        resolved_blockers: Some(Vec::new()),
        unresolved_blockers: Vec::new(),
        unresolved_count: 0,
    };
    let register = execution.document(Step::GateRollup, register);
    let blockers = vec![Blocker::RollupNotPublished.on("m3i_p1_verdict", "refused")];
    execution.close(Step::GateRollup, &[("m3i_blocker_register", register)], blockers);
    let result = conclude(&mut execution).await;
    assert!(result.overall_pass, "{result:?}");
    assert_eq!(result.verdict(), Some(PhaseVerdict::HoldM3));
    assert_eq!(unresolved(&result), [Blocker::RollupNotPublished]);
    let next = published::<PhaseSummary>(&execution).unwrap().next_action.unwrap();
    let scope = next.rerun_input.unwrap().resume.reset.scope;
    assert_eq!(scope.as_deref(), Some("M3.I Gate rollup"));
    assert!(published::<P1Verdict>(&execution).is_none());
}
