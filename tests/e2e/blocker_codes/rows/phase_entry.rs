//! The entry of a later phase: each row has a run of its own.

use p1_contract::blocker::Blocker;

use super::{How, Row, row};
use crate::phase_entry::{Pinned, UNKNOWN_RUN, unknown};

pub(super) const ROWS: &[Row] = &[
    row(
        Blocker::NoCommittedAdvance,
        "nobody knows the run",
        How::Entered(|_| Box::pin(async { unknown(UNKNOWN_RUN) })),
    ),
    row(
        Blocker::EntryEvidenceInvalid,
        "run.json was overwritten",
        How::Entered(|stage| {
            Box::pin(async {
                let run = Pinned::new(stage).await;
                run.overwrite(&format!("{}run.json", run.root())).await;
                run.question()
            })
        }),
    ),
    row(
        Blocker::EntryIdsDisagree,
        "the phase asks with the scenario of another run",
        How::Entered(|stage| {
            Box::pin(async {
                let mut question = Pinned::new(stage).await.question();
                question["scenario_run_id"] = unknown(UNKNOWN_RUN)["scenario_run_id"].clone();
                question
            })
        }),
    ),
    row(
        Blocker::EntrySignatureInvalid,
        "the envelope is signed by another key",
        How::Entered(|stage| {
            Box::pin(async {
                let run = Pinned::new(stage).await;
                run.sign_with_another_key().await;
                run.question()
            })
        }),
    ),
];
