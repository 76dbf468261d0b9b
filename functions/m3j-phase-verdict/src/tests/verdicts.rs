//! Whole runs of the step: what an advance and a hold leave behind.

use std::collections::{BTreeMap, BTreeSet};

use p1_contract::artifacts::ItemStatus::{self, AwaitsAppend, AwaitsCommit, Complete, Open};
use p1_contract::artifacts::{CLOSURE_NOTES, CommitPosture, M4EntryReadinessReceipt, PhaseSummary};
use p1_contract::blocker::Blocker;
use p1_contract::evidence::Body;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::Environment;
use p1_contract::input::{ExecutionInput, is_to_fill};
use p1_contract::ledger::{LedgerKind, LedgerRecord};
use p1_contract::owner::Owner;
use p1_contract::step::Step;
use p1_contract::verdict::{PhaseVerdict, RollupVerdict};
use p1_runtime::testing::{BUCKET, TestExecution};

use super::platform::{chain, conclude, green, held, place, published, roll_up, steps, unresolved};

fn note(execution: &TestExecution, name: &str) -> String {
    let key = place(execution, Step::PhaseVerdict, &format!("{name}.md"));
    String::from_utf8(execution.store.dump(BUCKET).remove(&key).unwrap()).unwrap()
}

fn record(execution: &TestExecution, sequence: u32) -> Option<LedgerRecord> {
    let key = execution.run().platform_run_id.unwrap().ledger_key(sequence);
    Some(serde_json::from_slice(execution.store.dump(BUCKET).get(&key)?).unwrap())
}

fn statuses(summary: &PhaseSummary) -> Vec<ItemStatus> {
    let items = summary.completion_checklist.iter();
    items.map(|item| item.status.unwrap()).collect()
}

#[tokio::test]
async fn a_green_chain_is_committed_and_opens_m4() {
    let mut execution = green();
    let result = conclude(&mut execution).await;
    assert!(result.overall_pass, "{result:?}");
    assert_eq!(
        (result.verdict(), result.committed()),
        (Some(PhaseVerdict::AdvanceToM4), Some(true))
    );
    assert_eq!((unresolved(&result), &result.run), (&[][..], &execution.run()));
    assert!(result.findings.is_empty(), "{:?}", result.findings);

    let summary: PhaseSummary = published(&execution).unwrap();
    assert_eq!(
        (summary.verdict, summary.commit),
        (PhaseVerdict::AdvanceToM4, CommitPosture::ToBeCommitted)
    );
    assert_eq!(summary.adjudication, Some(RollupVerdict::AdvanceToM3J));
    assert_eq!((summary.closures.len(), summary.not_reached.len()), (9, 0));
    assert!(summary.overall_pass && summary.next_action.is_none());
    assert_eq!(summary.completion_checklist.len(), 13);
    // The commit and the documents come after the summary, which claims neither.
    let expected = [
        [Complete; 9].as_slice(),
        &[AwaitsCommit, Complete, AwaitsAppend, AwaitsAppend],
    ]
    .concat();
    assert_eq!(statuses(&summary), expected);

    let committed = record(&execution, 2).unwrap();
    assert_eq!(
        (committed.kind, committed.verdict),
        (LedgerKind::Committed, Some(PhaseVerdict::AdvanceToM4))
    );
    let receipt: M4EntryReadinessReceipt = published(&execution).unwrap();
    assert_eq!(committed.summary.as_ref(), Some(&receipt.m3_execution_summary.object()));
    assert!(receipt.p1_verdict.key.as_str().ends_with("/m3i_p1_verdict.json"));
    assert!(receipt.m4_handoff_pack.key.as_str().ends_with("/m4_handoff_pack.json"));
    assert_eq!(receipt.next_gate, "M4_READY");
    let bytes = execution.store.dump(BUCKET);
    for reference in [&receipt.m3_execution_summary, &receipt.commit] {
        assert_eq!(Sha256Hex::of(&bytes[reference.key.as_str()]), reference.sha256);
    }
    for item in &summary.completion_checklist {
        assert!(!item.evidence.is_empty(), "{item:?}");
        for key in &item.evidence {
            assert!(bytes.contains_key(key), "{key}");
        }
    }
    for name in CLOSURE_NOTES {
        let note = note(&execution, name);
        assert!(
            note.starts_with("## ") && note.contains("ADVANCE\\_TO\\_M4") && note.contains("None.\n"),
            "{note}"
        );
        assert!(note.contains(execution.closures["M3.F"].sha256.as_str()), "{note}");
        assert!(!note.contains("REDACTED"), "{note}");
    }
}

#[tokio::test]
async fn the_closing_summary_lists_everything_and_no_input_of_its_own() {
    let mut execution = green();
    conclude(&mut execution).await;
    let closing = execution
        .published(Step::PhaseVerdict, "m3j_execution_summary")
        .unwrap();
    let names = |field: &str, name: &str| -> Vec<String> {
        let entries = closing[field].as_array().unwrap().iter();
        entries.map(|entry| entry[name].as_str().unwrap().to_owned()).collect()
    };
    let mut artifacts = names("artifacts", "name");
    artifacts.sort();
    let [master_plan, implementation_map, logbook] = CLOSURE_NOTES;
    let mut expected = [
        PhaseSummary::NAME,
        M4EntryReadinessReceipt::NAME,
        "m3j_observations",
        "p1_ledger_record",
        master_plan,
        implementation_map,
        logbook,
    ];
    expected.sort_unstable();
    assert_eq!(artifacts, expected);
    let read = names("inputs", "key");
    assert!(
        !names("artifacts", "key").iter().any(|key| read.contains(key)),
        "{read:?}"
    );
}

#[tokio::test]
async fn concluding_a_hold_is_a_pass_and_offers_the_way_on() {
    let mut execution = held();
    let result = conclude(&mut execution).await;
    assert!(result.overall_pass, "{result:?}");
    assert_eq!(
        (result.verdict(), result.committed()),
        (Some(PhaseVerdict::HoldM3), Some(true))
    );
    assert_eq!(unresolved(&result), [Blocker::RunEvidenceWriteFailed]);
    assert!(published::<M4EntryReadinessReceipt>(&execution).is_none());
    assert_eq!(record(&execution, 2).unwrap().verdict, Some(PhaseVerdict::HoldM3));

    let summary: PhaseSummary = published(&execution).unwrap();
    assert_eq!(
        summary.not_reached,
        [Step::M4Handoff, Step::RerunDiscipline, Step::CostEnvelope]
    );
    assert_eq!(summary.unresolved_blockers.len(), 1);
    let expected = [
        [Complete; 4].as_slice(),
        &[Open; 4],
        &[Complete, Open, Complete, Open, AwaitsAppend],
    ]
    .concat();
    assert_eq!(statuses(&summary), expected);

    let next = summary.next_action.unwrap();
    assert_eq!((next.action.as_str(), next.remedies.len()), ("RESUME", 1));
    let mut alone = next.only_input.unwrap();
    assert_eq!(
        (alone.resume.only.take(), Some(&alone)),
        (Some(true), next.rerun_input.as_ref())
    );
    assert_eq!(next.start_input, None);
    let pasted = serde_json::to_value(next.rerun_input.unwrap()).unwrap();
    let input = ExecutionInput::parse(&pasted, &execution.settings.environment, &BUCKET.parse().unwrap()).unwrap();
    let rerun = input.rerun().unwrap();
    let closure = &execution.closures["M3.E"];
    assert_eq!((&rerun.held.key, &rerun.held.sha256), (&closure.key, &closure.sha256));
    assert_eq!(Some(&rerun.held.version_id), closure.version_id.as_ref());
    // Nothing makes up an actor or a time.
    for text in [&rerun.reset.actor, &rerun.reset.at_utc] {
        assert!(is_to_fill(text.as_deref().unwrap()), "{text:?}");
    }
    assert_eq!(rerun.reset.reason.as_deref(), Some("remediated: M3E-B4"));
    assert_eq!(rerun.reset.class.as_deref(), Some("service_runtime_reset"));
    assert_eq!(rerun.reset.scope.as_deref(), Some("M3.E Run publication"));

    for name in CLOSURE_NOTES {
        let note = note(&execution, name);
        assert!(
            note.contains("| M3E-B4 | S2 | run.json | s3 \\| \\`refuses\\`"),
            "{note}"
        );
        assert!(
            note.contains("| M3.F | NOT\\_REACHED |") && !note.contains("<!--"),
            "{note}"
        );
    }
}

#[tokio::test]
async fn a_hold_without_a_version_offers_no_input() {
    let mut execution = held();
    execution.closures.get_mut("M3.E").unwrap().version_id = None;
    roll_up(
        &mut execution,
        &[Blocker::RunEvidenceWriteFailed.on("run.json", "refused")],
    );
    conclude(&mut execution).await;
    let next = published::<PhaseSummary>(&execution).unwrap().next_action.unwrap();
    assert_eq!((next.action.as_str(), next.rerun_input), ("RESUME", None));
}

#[tokio::test]
async fn early_and_no_go_holds_are_started_anew() {
    for (step, code) in [
        (Step::HandleClosure, Blocker::HandleMissing),
        (Step::RunIdentity, Blocker::RunIdentityNotPublished),
        (Step::RerunDiscipline, Blocker::IdentityDrift),
    ] {
        let mut execution = chain(step, &[code.on("subject", "detail")]);
        let result = conclude(&mut execution).await;
        assert!(result.overall_pass, "{result:?}");
        let next = published::<PhaseSummary>(&execution).unwrap().next_action.unwrap();
        assert_eq!(
            (next.action.as_str(), &next.rerun_input),
            ("START_ANEW", &None),
            "{step}"
        );
        let start = serde_json::to_value(next.start_input.as_ref().unwrap()).unwrap();
        let input = ExecutionInput::parse(&start, &Environment::default(), &BUCKET.parse().unwrap()).unwrap();
        let request = execution.request(Step::PhaseVerdict).input;
        assert_eq!(
            input.receipt().map(|receipt| &receipt.key),
            request.input.receipt().map(|receipt| &receipt.key)
        );
        let pasted = &result.concluded().unwrap().next;
        assert_eq!(pasted.as_ref().unwrap()["start_input"], start);
    }
}

#[tokio::test]
async fn a_run_held_before_it_has_an_id_commits_nothing() {
    let mut execution = TestExecution::default();
    let blockers = [Blocker::HandleMissing.on("FIELD_CONFIG_DIGEST", "is missing")];
    steps(&mut execution, Step::HandleClosure, &blockers);
    execution.ids_known_from = Step::PhaseVerdict;
    roll_up(&mut execution, &blockers);
    let result = conclude(&mut execution).await;
    assert!(result.overall_pass, "{result:?}");
    assert_eq!(
        (result.verdict(), result.committed()),
        (Some(PhaseVerdict::HoldM3), Some(false))
    );
    assert_eq!(result.run, p1_contract::evidence::RunIds::default());
    let summary: PhaseSummary = published(&execution).unwrap();
    assert_eq!(summary.commit, CommitPosture::NoLedger);
    assert!(!execution.store.dump(BUCKET).keys().any(|key| key.contains("/ledger/")));
}

/// The same keys with the same bytes; says which differ.
fn assert_same(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>) {
    let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let differing: Vec<&&String> = keys.iter().filter(|key| left.get(**key) != right.get(**key)).collect();
    assert!(differing.is_empty(), "{differing:?}");
}

#[tokio::test]
async fn a_retry_comes_out_the_same() {
    for make in [green, held] {
        let mut execution = make();
        let first = conclude(&mut execution).await;
        let after = execution.store.dump(BUCKET);
        execution.closures.remove("M3.J");
        assert_eq!(conclude(&mut execution).await, first);
        assert_same(&execution.store.dump(BUCKET), &after);
    }
}

/// An attempt that died after the commit left summary and record, and no observations.
#[tokio::test]
async fn a_retry_after_the_commit_comes_out_the_same() {
    for make in [green, held] {
        let mut undisturbed = make();
        let expected = conclude(&mut undisturbed).await;

        let mut execution = make();
        super::platform::observe(&execution).await;
        let before = execution.store.dump(BUCKET);
        assert!(!before.keys().any(|key| key.ends_with("m3j_observations.json")));
        let result = conclude(&mut execution).await;
        assert_eq!(
            (result.overall_pass, result.verdict(), result.committed()),
            (true, expected.verdict(), Some(true))
        );
        assert_same(&execution.store.dump(BUCKET), &undisturbed.store.dump(BUCKET));
        for (key, bytes) in before {
            assert_eq!(execution.store.dump(BUCKET)[&key], bytes, "{key}");
        }
    }
}

#[tokio::test]
async fn a_rerun_that_passes_advances_with_its_admission() {
    let mut execution = TestExecution::default();
    execution.acquire(1, &execution.arn.clone());
    steps(&mut execution, Step::CostEnvelope, &[]);
    execution.close(Owner::Admission, &[], Vec::new());
    roll_up(&mut execution, &[]);
    let result = conclude(&mut execution).await;
    assert_eq!(
        (result.overall_pass, result.verdict()),
        (true, Some(PhaseVerdict::AdvanceToM4))
    );
    assert_eq!(published::<PhaseSummary>(&execution).unwrap().closures.len(), 10);
}
