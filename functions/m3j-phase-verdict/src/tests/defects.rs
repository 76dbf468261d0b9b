//! The codes that only a defect of our own can raise, on doctored observations and documents.

use p1_contract::artifacts::{ItemStatus, M4EntryReadinessReceipt, PhaseSummary, RegisteredBlocker};
use p1_contract::blocker::{Blocker, codes};
use p1_contract::hash::Sha256Hex;
use p1_contract::observations::AuditProblem;
use p1_contract::observations::phase_verdict::{CommitOutcome, Observed, SummaryWrite};
use p1_contract::request::{Concluded, Conclusion};
use p1_contract::step::Step;
use p1_contract::verdict::{PhaseVerdict, RollupVerdict};
use p1_runtime::testing::TestExecution;
use p1_runtime::{Evaluation, StepLogic as _};

use super::platform::{green, held, observe};
use crate::{PhaseVerdictStep, checks, phase_summary, receipt};

/// The codes of the step's evaluation of doctored observations.
async fn evaluated(break_it: impl FnOnce(&mut Observed)) -> Vec<Blocker> {
    codes(&evaluation(break_it).await.findings)
}

async fn evaluation(break_it: impl FnOnce(&mut Observed)) -> Evaluation {
    let execution = green();
    let mut observed = observe(&execution).await;
    break_it(&mut observed);
    let request = execution.request(Step::PhaseVerdict);
    PhaseVerdictStep::default().evaluate(&request.input, &observed).unwrap()
}

/// The codes of a doctored phase summary.
async fn doctored(break_it: impl FnOnce(&mut PhaseSummary)) -> Vec<Blocker> {
    doctored_of(&green(), break_it).await
}

async fn doctored_of(execution: &TestExecution, break_it: impl FnOnce(&mut PhaseSummary)) -> Vec<Blocker> {
    let observed = observe(execution).await;
    let request = execution.request(Step::PhaseVerdict);
    let (mut document, own) = phase_summary(&request.input, &observed.facts).unwrap();
    assert!(own.is_empty() && checks::defects(&document.body, &observed.facts).is_empty());
    break_it(&mut document.body);
    codes(&checks::defects(&document.body, &observed.facts))
}

#[tokio::test]
async fn the_valid_observations_have_none() {
    assert!(evaluated(|_| ()).await.is_empty());
}

/// The race for the record was lost after the ledger had been read as ours.
#[tokio::test]
async fn a_commit_that_lost_the_race_is_b9_and_a_hold() {
    let lost = CommitOutcome::Lost("another execution wrote record 2 first".to_owned());
    let evaluation = evaluation(|observed| observed.commit = lost).await;
    assert_eq!(codes(&evaluation.findings), [Blocker::CommitLedgerLost]);
    let concluded = Concluded {
        verdict: PhaseVerdict::HoldM3,
        committed: false,
        unresolved: vec![Blocker::CommitLedgerLost],
        next: None,
    };
    assert_eq!(evaluation.conclusion, Conclusion::Verdict(concluded));
    assert_eq!(evaluation.waves.len(), 1, "the notes, and no receipt");
}

#[tokio::test]
async fn a_missing_verdict_is_b1() {
    let breaks: [fn(&mut Observed); 3] = [
        |observed| observed.facts.rollup.verdict = None,
        |observed| observed.facts.rollup.verdict.as_mut().unwrap().overall_pass = false,
        |observed| {
            observed.facts.rollup.verdict = None;
            let problem = AuditProblem {
                subject: "m3i_p1_verdict".to_owned(),
                detail: "MAYBE".to_owned(),
            };
            observed.facts.rollup.unreadable = vec![problem];
        },
    ];
    for break_it in breaks {
        let found = evaluated(|observed| {
            break_it(observed);
            // What a step with these facts would have written is not at stake here.
            observed.summary = SummaryWrite::NotStored("not tried".to_owned());
            observed.commit = CommitOutcome::NotTried;
        });
        assert_eq!(found.await, [Blocker::VerdictVocabulary, Blocker::VerdictNotPublished]);
    }
    assert_eq!(
        doctored(|summary| summary.adjudication = None).await,
        [Blocker::VerdictVocabulary]
    );
}

#[tokio::test]
async fn an_unresolved_blocker_at_an_advance_is_b3() {
    let finding = Blocker::HandleMissing.on("KEY", "is missing");
    let found = doctored(|summary| {
        summary.unresolved_blockers.push(RegisteredBlocker::from(&finding));
        summary.blocker_count = Some(1);
        summary.blockers = Some(vec![finding]);
    });
    let found = found.await;
    assert_eq!(found, [Blocker::UnresolvedAtAdvance]);
}

#[tokio::test]
async fn a_summary_that_contradicts_itself_is_b5() {
    let breaks: [fn(&mut PhaseSummary); 12] = [
        |summary| summary.next_gate = None,
        |summary| summary.m4_entry_ready = Some(false),
        |summary| summary.blocker_count = Some(1),
        |summary| summary.blockers = None,
        |summary| summary.overall_pass = false,
        |summary| summary.verdict = PhaseVerdict::HoldM3,
        |summary| summary.commit = p1_contract::artifacts::CommitPosture::NoLedger,
        |summary| summary.closures.reverse(),
        |summary| drop(summary.completion_checklist.pop()),
        |summary| summary.completion_checklist[2].complete = false,
        |summary| summary.completion_checklist[9].status = Some(ItemStatus::Complete),
        |summary| summary.completion_checklist[11].status = Some(ItemStatus::Open),
    ];
    for break_it in breaks {
        assert_eq!(doctored(break_it).await, [Blocker::SummaryInconsistent]);
    }
}

#[tokio::test]
async fn a_summary_that_is_not_the_one_that_follows_is_b5() {
    let found = evaluated(|observed| {
        let SummaryWrite::Stored(stored) = &mut observed.summary else {
            panic!("{observed:?}")
        };
        stored.sha256 = Sha256Hex::of(b"other");
    });
    assert_eq!(found.await, [Blocker::SummaryInconsistent]);
    assert_eq!(
        evaluated(|observed| observed.commit = CommitOutcome::NotTried).await,
        [Blocker::SummaryInconsistent]
    );
}

#[tokio::test]
async fn a_receipt_that_refers_to_something_else_is_b6() {
    let execution = green();
    let observed = observe(&execution).await;
    let valid = receipt(&observed).unwrap();
    let other = Sha256Hex::of(b"other");
    let breaks: [&dyn Fn(&mut M4EntryReadinessReceipt); 7] = [
        &|receipt| receipt.verdict = PhaseVerdict::HoldM3,
        &|receipt| receipt.overall_pass = false,
        &|receipt| receipt.next_gate = "HOLD".to_owned(),
        &|receipt| receipt.p1_verdict.sha256 = other.clone(),
        &|receipt| receipt.m4_handoff_pack.sha256 = other.clone(),
        &|receipt| receipt.m3_execution_summary.sha256 = other.clone(),
        &|receipt| receipt.commit.sha256 = other.clone(),
    ];
    let check = |receipt: &M4EntryReadinessReceipt| {
        checks::receipt_defect(receipt, &observed.facts, &valid.m3_execution_summary, &valid.commit).map(|f| f.code)
    };
    assert_eq!(check(&valid), None);
    for break_it in breaks {
        let mut receipt = valid.clone();
        break_it(&mut receipt);
        assert_eq!(check(&receipt), Some(Blocker::ReceiptReferencesInvalid), "{receipt:?}");
    }
    let found = evaluated(|observed| {
        let CommitOutcome::Done(record) = &mut observed.commit else {
            panic!("{observed:?}")
        };
        record.key = "evidence/runs/platform_20261122T121702Z/ledger/000002.json"
            .parse()
            .unwrap();
    });
    assert_eq!(found.await, [Blocker::ReceiptReferencesInvalid]);
}

#[tokio::test]
async fn an_advance_through_a_closed_gate_is_b8() {
    let breaks: [fn(&mut PhaseSummary); 3] = [
        |summary| summary.adjudication = Some(RollupVerdict::HoldRemediate),
        |summary| summary.not_reached.push(Step::CostEnvelope),
        |summary| summary.closures[3].overall_pass = false,
    ];
    for break_it in breaks {
        assert_eq!(doctored(break_it).await, [Blocker::VerdictAdvanceDespiteBlockers]);
    }
}

#[tokio::test]
async fn a_hold_needs_a_blocker() {
    let found = doctored_of(&held(), |summary| summary.unresolved_blockers.clear()).await;
    assert_eq!(found, [Blocker::SummaryInconsistent]);
}
