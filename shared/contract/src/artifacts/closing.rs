//! M3.J: the verdict of the phase and the marker for M4.
//!
//! The completion checklist is the plan's, item for item, and stands in a summary that is written before the ledger's
//! commit and before anyone's documents are touched. So an item's `status` claims nothing that has not happened by then, and
//! `remaining` names what still has to happen: the commit that makes an advance count, and `cargo p1 close`, which appends the
//! published closure notes to the documents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RegisteredBlocker, artifact};
use crate::blocker::Finding;
use crate::ids::Stamp;
use crate::input::{HeldSummary, M2Receipt, PinnedManifest, ResetReceipt};
use crate::reference::{ArtifactRef, ClosureRef, ObjectRef};
use crate::step::Step;
use crate::verdict::{PhaseVerdict, RollupVerdict};

/// How far an item of the checklist has come when the summary is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ItemStatus {
    /// The evidence shows it.
    Complete,
    /// It holds once the ledger has the COMMITTED record.
    AwaitsCommit,
    /// It holds once the published note is appended to the document.
    AwaitsAppend,
    /// It is not done.
    Open,
}

/// An item of the completion checklist (the plan's section 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChecklistItem {
    /// The item.
    pub item: String,
    /// Whether it is complete. In evidence of revision 1: whether P1's own part of it is.
    pub complete: bool,
    /// How far it has come. Evidence of revision 1 does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ItemStatus>,
    /// The keys of the evidence for it.
    pub evidence: Vec<String>,
    /// What has to happen after this summary for the item to hold; none where the evidence shows it already.
    pub remaining: Option<String>,
}

/// What mends one blocker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// The blocker's code.
    pub code: crate::blocker::Blocker,
    /// What to do.
    pub remedy: String,
}

/// The input of the execution that goes on with the run: ready to be pasted once its receipt is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunInput {
    /// The rerun.
    pub resume: ResumeInput,
}

/// The rerun of a [`RerunInput`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeInput {
    /// The summary to start from.
    pub held: HeldSummary,
    /// Whether one state alone is run; absent where the run goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<bool>,
    /// The reset receipt. Who resumes and when is for the operator to fill in ([`crate::input::TO_FILL`]).
    pub reset: ResetReceipt,
}

/// The input of a new execution from the receipt that this one started from, ready to be pasted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartInput {
    /// The receipt, without a version: a mended one counts.
    pub m2_handoff: M2Receipt,
    /// The manifest that the operator pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle_input_manifest: Option<PinnedManifest>,
}

/// What to do about a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NextAction {
    /// `RESUME` or `START_ANEW`.
    pub action: String,
    /// What to mend, per code.
    pub remedies: Vec<Remedy>,
    /// The input to go on with; none where only a new start is offered.
    pub rerun_input: Option<RerunInput>,
    /// The input for the one state at which the run would go on, where that state can run alone. Evidence of revision 1 has it
    /// not, nor what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_input: Option<RerunInput>,
    /// What an execution of `only_input` does to `rerun_input`, and how to go on then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_effect: Option<String>,
    /// The input of a new start, where the execution that held was a start. `START_ANEW` after a rerun names none: take the
    /// receipt of the first execution. Nor is an input repeated that holds secret material.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_input: Option<StartInput>,
}

/// Whether the ledger can hold the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CommitPosture {
    /// The run has a ledger that this execution holds: the verdict counts once it is committed there.
    ToBeCommitted,
    /// The run was held before it had a ledger: nothing is committed.
    NoLedger,
    /// The ledger is another execution's: this verdict is void.
    LedgerLost,
}

/// The summary of the phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseSummary {
    /// The verdict.
    pub verdict: PhaseVerdict,
    /// M3.I's adjudication.
    pub adjudication: Option<RollupVerdict>,
    /// Whether the ledger can hold the verdict.
    pub commit: CommitPosture,
    /// The stamp of this execution.
    pub execution_stamp_utc: Stamp,
    /// Every closure, M3.A … M3.I and the admission.
    pub closures: Vec<ClosureRef>,
    /// The steps that did not run.
    pub not_reached: Vec<Step>,
    /// The blockers that stand.
    pub unresolved_blockers: Vec<RegisteredBlocker>,
    /// The completion checklist.
    pub completion_checklist: Vec<ChecklistItem>,
    /// What to do next, for a hold.
    pub next_action: Option<NextAction>,
    /// The verdict as a pass.
    pub overall_pass: bool,
    /// `M4_READY`, or `HOLD`: the gate that is open. Evidence of revision 1 says it in the receipt alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_gate: Option<String>,
    /// Whether M4 may begin, once the ledger holds the verdict. Evidence of revision 1 does not say it, nor what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m4_entry_ready: Option<bool>,
    /// How many blockers stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocker_count: Option<u64>,
    /// They, in the shape of every step's summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blockers: Option<Vec<Finding>>,
}
artifact!(PhaseSummary, "m3_execution_summary");

/// The marker that opens M4; it exists only after a committed advance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct M4EntryReadinessReceipt {
    /// The verdict.
    pub verdict: PhaseVerdict,
    /// M3.I's verdict.
    pub p1_verdict: ObjectRef,
    /// The handoff pack.
    pub m4_handoff_pack: ObjectRef,
    /// The phase summary.
    pub m3_execution_summary: ArtifactRef,
    /// The ledger's COMMITTED record.
    pub commit: ArtifactRef,
    /// The gate that is open.
    pub next_gate: String,
    /// The verdict as a pass.
    pub overall_pass: bool,
    /// Whether M4 may begin, once the ledger holds the verdict. Evidence of revision 1 does not say it, nor what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m4_entry_ready: Option<bool>,
    /// How many blockers stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocker_count: Option<u64>,
    /// They, in the shape of every step's summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blockers: Option<Vec<Finding>>,
}
artifact!(M4EntryReadinessReceipt, "m4_entry_readiness_receipt");

/// The names of the closure notes, in the order of the documents that they are for.
pub const CLOSURE_NOTES: [&str; 3] = [
    "m3j_closure_note_master_plan",
    "m3j_closure_note_implementation_map",
    "m3j_closure_note_logbook",
];
