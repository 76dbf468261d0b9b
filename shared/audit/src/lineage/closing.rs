//! Closing summaries: each one records how a phase execution ended.

use p1_contract::evidence::{Document, ExecutionSummary, split, summary_name};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, PhaseExecutionId, S3Key};
use p1_contract::ledger::LedgerRecord;
use p1_contract::owner::Owner;
use p1_contract::reference::ClosureRef;
use p1_contract::step::Step;
use p1_contract::strict::{Limits, parse_strict};

use super::folder_of;
use crate::evidence_set::EvidenceSet;

/// The closing summary of a phase execution.
#[derive(Debug, Clone)]
pub struct Closing {
    /// The step; `None` for the admission of a rerun.
    pub step: Option<Step>,
    /// The phase execution, from the name of its folder.
    pub id: PhaseExecutionId,
    /// The summary's key.
    pub key: String,
    /// The parsed summary, or the reason why it cannot be read.
    pub document: Result<Document<ExecutionSummary>, String>,
    /// The number of its execution within the lineage, counted from 1.
    pub execution: usize,
}

impl Closing {
    /// The summary's content. `None` if it cannot be read.
    #[must_use]
    pub fn summary(&self) -> Option<&ExecutionSummary> {
        self.document.as_ref().ok().map(|document| &document.body)
    }

    /// Whose it is.
    #[must_use]
    pub fn owner(&self) -> Owner {
        self.step.map_or(Owner::Admission, Owner::Step)
    }

    /// Whether this is M3.J's summary, which ends an execution.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.step == Some(Step::PhaseVerdict)
    }
}

/// Every closing summary in the folders of phase executions that worked on a run, which a phase entry does not. The execution of
/// each is not known yet.
#[must_use]
pub fn closings(set: &EvidenceSet) -> Vec<Closing> {
    let environment = set.environment();
    let place = |key: &String| {
        let (folder, file) = environment.below(key)?.split_once('/')?;
        let id = PhaseExecutionId::parse(folder).ok()?;
        let name = file.strip_suffix(".json")?;
        let worked_on_it = Owner::all().filter(|owner| *owner != Owner::Entry);
        let owner = worked_on_it.into_iter().find(|owner| name == owner.summary_name())?;
        Some(Closing {
            step: owner.as_step(),
            id,
            key: key.clone(),
            document: set.summary(key, name),
            execution: 0,
        })
    };
    set.files.keys().filter_map(place).collect()
}

/// The key of M3.J's closing summary. It lies beside the phase summary that the COMMITTED record names, and no evidence names it.
#[must_use]
pub fn closing_of_commit(record: &LedgerRecord) -> Option<S3Key> {
    let summary = record.summary.as_ref()?.key.as_str();
    let key = format!("{}{}.json", folder_of(summary), summary_name(Step::PhaseVerdict));
    S3Key::parse(&key).ok()
}

/// The closure of the closing summary of `owner` that the set holds at `key`. Returns `None` if there is no such summary.
pub(crate) fn closure_in(set: &EvidenceSet, owner: Owner, bucket: &BucketName, key: &str) -> Option<ClosureRef> {
    let (bytes, place) = (&set.files.get(key)?.bytes, S3Key::parse(key).ok()?);
    closure_of(owner, bucket, &place, set.version(key), bytes)
}

/// The closure of the closing summary of `owner` at `key`, computed from its bytes. Returns `None` if the bytes are not such a
/// summary.
#[must_use]
pub fn closure_of(
    owner: Owner,
    bucket: &BucketName,
    key: &S3Key,
    version_id: Option<String>,
    bytes: &[u8],
) -> Option<ClosureRef> {
    let value = parse_strict(bytes, Limits::DOCUMENT).ok()?;
    let document = split::<ExecutionSummary>(value, &owner.summary_name()).ok()?;
    Some(ClosureRef {
        step: owner,
        phase_execution_id: document.header.phase_execution_id,
        overall_pass: document.body.overall_pass,
        bucket: bucket.clone(),
        key: key.clone(),
        version_id,
        sha256: Sha256Hex::of(bytes),
    })
}
