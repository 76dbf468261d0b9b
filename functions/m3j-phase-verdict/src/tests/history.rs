//! What happened to a key after it was written: no version of it tells, so it is asked before the commit.

use p1_contract::artifacts::{CommitPosture, M4EntryReadinessReceipt, PhaseSummary};
use p1_contract::blocker::Blocker;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::testing::BUCKET;

use super::platform::{chain, conclude, green, held, published, touch};

#[tokio::test]
async fn a_key_of_the_chain_that_was_overwritten_or_deleted_never_advances() {
    let keys: Vec<String> = green().store.dump(BUCKET).into_keys().collect();
    let keys: Vec<&String> = keys.iter().filter(|key| !key.contains("/ledger/")).collect();
    assert!(keys.len() > 18, "{keys:?}");
    for key in keys {
        for hide in [false, true] {
            for make in [green, held] {
                let mut execution = make();
                if !touch(&execution, key, hide) {
                    continue;
                }
                let result = conclude(&mut execution).await;
                assert_eq!(result.blockers, [Blocker::ChainIncomplete], "{key}");
                assert_eq!(
                    (result.verdict(), result.committed()),
                    (Some(PhaseVerdict::HoldM3), Some(true)),
                    "the hold is committed: {key}"
                );
                let summary = published::<PhaseSummary>(&execution).unwrap();
                let blockers = &summary.unresolved_blockers;
                let is_named = blockers.iter().any(|blocker| blocker.subject == **key);
                assert!(is_named, "{key}: {blockers:?}");
                assert_eq!(summary.next_action.unwrap().action, "START_ANEW");
                assert!(published::<M4EntryReadinessReceipt>(&execution).is_none());
            }
        }
    }
}

#[tokio::test]
async fn a_ledger_record_with_a_history_is_no_ledger_to_commit_to() {
    for hide in [false, true] {
        let mut execution = green();
        let key = execution.run().platform_run_id.unwrap().ledger_key(1);
        assert!(touch(&execution, &key, hide));
        let result = conclude(&mut execution).await;
        assert_eq!(result.blockers, [Blocker::CommitLedgerLost]);
        assert_eq!(result.committed(), Some(false));
        let posture = published::<PhaseSummary>(&execution).unwrap().commit;
        assert_eq!(posture, CommitPosture::LedgerLost);
        assert_eq!(execution.store.dump(BUCKET).contains_key(&key), !hide);
    }
}

/// M3.G, or the admission, has raised it already: one code a cause.
#[tokio::test]
async fn what_the_guard_has_registered_is_not_raised_again() {
    let key = green().closures["M3.B"].key.to_string();
    let found = [Blocker::DestructiveMutation.on(key.clone(), "has 2 versions and 0 delete markers")];
    let mut execution = chain(Step::RerunDiscipline, &found);
    execution.store.seed(BUCKET, &key, "theirs");
    let result = conclude(&mut execution).await;
    assert!(result.overall_pass, "{result:?}");
}

/// Any text may be the key of an object that somebody else wrote.
#[tokio::test]
async fn foreign_objects_are_nobodys_business() {
    let mut execution = green();
    let root = execution.run().platform_run_id.unwrap().run_root();
    for key in ["ledger/", "run.json/", "m4//x", "../x", "\u{1}", ".DS_Store"] {
        execution.store.seed(BUCKET, &format!("{root}{key}"), "theirs");
    }
    for number in 0..2_000 {
        execution.store.seed(BUCKET, &format!("{root}a/{number}"), "theirs");
    }
    let result = conclude(&mut execution).await;
    assert_eq!(result.verdict(), Some(PhaseVerdict::AdvanceToM4), "{result:?}");
}
