//! The ledger of a run: the create-only sequence of who may work on it and what was committed (contract section 4).
//!
//! This module decides; the shell reads and creates the records. Whoever creates the next record wins: S3's
//! create-only write is the fence, and re-reading before a write is only an early exit.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::canonical;
use crate::evidence::PHASE_ID;
use crate::ids::{ExecutionArn, PlatformRunId, Stamp};
use crate::reference::ObjectRef;
use crate::revision::{self, SCHEMA_VERSION};
use crate::strict::{self, Limits};
use crate::verdict::PhaseVerdict;

/// The `artifact` of every ledger record.
pub const LEDGER_RECORD: &str = "p1_ledger_record";

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LedgerKind {
    /// `holder` may work on the run.
    Acquired,
    /// `holder` has committed its verdict.
    Committed,
}

/// One record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerRecord {
    /// The shape's version.
    pub schema_version: u64,
    /// `p1_ledger_record`.
    pub artifact: String,
    /// `P1`.
    pub phase_id: String,
    /// The run.
    pub platform_run_id: PlatformRunId,
    /// The record's number, from 1.
    pub sequence: u32,
    /// What it says.
    pub kind: LedgerKind,
    /// The P1 execution that wrote it.
    pub holder: ExecutionArn,
    /// The stamp of that execution, from which its phase execution ids follow.
    pub holder_stamp_utc: Stamp,
    /// The committed verdict; of a COMMITTED record alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<PhaseVerdict>,
    /// The committed `m3_execution_summary`; of a COMMITTED record alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<ObjectRef>,
}

/// Why an object in a ledger is no record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// It is no JSON document that P1 would read.
    #[error("is not strict JSON: {0}")]
    Json(String),
    /// It has another shape.
    #[error("has another shape: {0}")]
    Shape(String),
    /// P1 would have written other bytes for it.
    #[error("is not in the canonical bytes of a record")]
    NotCanonical,
}

/// Reads a record from its bytes, which must be exactly those that P1 writes.
pub(crate) fn parse_record<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordError> {
    let value = strict::parse_strict(bytes, Limits::DOCUMENT).map_err(|e| RecordError::Json(e.to_string()))?;
    let record = serde_json::from_value(value).map_err(|e| RecordError::Shape(e.to_string()))?;
    match canonical::document_of(&record) {
        Ok(again) if again == bytes => Ok(record),
        _ => Err(RecordError::NotCanonical),
    }
}

impl LedgerRecord {
    /// Reads a record from its bytes, which must be exactly those that P1 writes.
    ///
    /// # Errors
    /// When they are not.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        parse_record(bytes)
    }

    /// An ACQUIRED record.
    #[must_use]
    pub fn acquired(run: &PlatformRunId, sequence: u32, holder: &ExecutionArn, stamp: Stamp) -> Self {
        LedgerRecord {
            schema_version: SCHEMA_VERSION,
            artifact: LEDGER_RECORD.to_owned(),
            phase_id: PHASE_ID.to_owned(),
            platform_run_id: run.clone(),
            sequence,
            kind: LedgerKind::Acquired,
            holder: holder.clone(),
            holder_stamp_utc: stamp,
            verdict: None,
            summary: None,
        }
    }

    /// A COMMITTED record.
    #[must_use]
    pub fn committed(
        run: &PlatformRunId,
        sequence: u32,
        holder: &ExecutionArn,
        stamp: Stamp,
        verdict: PhaseVerdict,
        summary: ObjectRef,
    ) -> Self {
        LedgerRecord {
            kind: LedgerKind::Committed,
            verdict: Some(verdict),
            summary: Some(summary),
            ..LedgerRecord::acquired(run, sequence, holder, stamp)
        }
    }
}

/// Why a sequence of records is no ledger. Nobody may write to such a run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LedgerError {
    /// A number is missing or stands twice.
    #[error("the ledger of {run} has record {found} where record {expected} belongs")]
    Gap {
        /// The run.
        run: PlatformRunId,
        /// The number that belongs there.
        expected: u32,
        /// The number that stands there.
        found: u32,
    },
    /// A record is of another run, another shape, or may not follow the one before it.
    #[error("record {sequence} of the ledger of {run} is not legal: {reason}")]
    Illegal {
        /// The run.
        run: PlatformRunId,
        /// The record's number.
        sequence: u32,
        /// Which rule it breaks.
        reason: &'static str,
    },
}

/// A legal ledger, from its first record to its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    run: PlatformRunId,
    records: Vec<LedgerRecord>,
}

/// What an execution that wants the ledger has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquire {
    /// The head is already its own ACQUIRED record.
    Ours,
    /// Create the next record, with this number.
    Create(u32),
    /// Ask whether `holder` is RUNNING; only if it is not, create the record with this number.
    AskHolder {
        /// The execution that holds the ledger.
        holder: ExecutionArn,
        /// Its stamp.
        started: Stamp,
        /// The number of the next record.
        sequence: u32,
    },
    /// An advance is committed: nothing follows it.
    Closed,
}

/// What an execution that wants to commit has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commit {
    /// The head is already this very commit.
    Done(u32),
    /// Create the COMMITTED record with this number.
    Create(u32),
    /// The ledger is not its own (any more).
    Lost {
        /// Who wrote the head; `None` where the ledger is empty.
        head: Option<ExecutionArn>,
    },
}

impl Ledger {
    /// Reads `records`, in the order of their keys, as the ledger of `run`.
    ///
    /// # Errors
    /// When they are not a legal sequence: a gap, a number 0, a record of another run, artifact or phase, an earlier revision after
    /// a later one, a verdict or a summary without COMMITTED or the reverse, a holder on another state machine than the first one's
    /// or with two stamps, a commit without its own ACQUIRED before it, or anything after a committed advance.
    pub fn read(run: &PlatformRunId, records: Vec<LedgerRecord>) -> Result<Self, LedgerError> {
        let mut before: Option<&LedgerRecord> = None;
        let first = records.first().map(|record| &record.holder);
        for (expected, record) in (1_u32..).zip(&records) {
            let illegal = |reason| LedgerError::Illegal {
                run: run.clone(),
                sequence: record.sequence,
                reason,
            };
            if record.sequence == 0 {
                return Err(illegal("records are numbered from 1"));
            }
            if record.sequence != expected {
                return Err(LedgerError::Gap {
                    run: run.clone(),
                    expected,
                    found: record.sequence,
                });
            }
            let shape = (record.artifact.as_str(), record.phase_id.as_str());
            let is_read = revision::READ.contains(&record.schema_version);
            if &record.platform_run_id != run || shape != (LEDGER_RECORD, PHASE_ID) || !is_read {
                return Err(illegal("it is not a record of this run's ledger"));
            }
            if before.is_some_and(|last| last.schema_version > record.schema_version) {
                return Err(illegal("it is of an earlier revision than the record before it"));
            }
            let committed = record.kind == LedgerKind::Committed;
            if committed != record.verdict.is_some() || committed != record.summary.is_some() {
                return Err(illegal(
                    "verdict and summary belong to COMMITTED, and to COMMITTED alone",
                ));
            }
            if first.is_some_and(|first| !first.is_of_the_same_machine(&record.holder)) {
                return Err(illegal("its holder is an execution of another state machine"));
            }
            match before {
                Some(last) if last.holder == record.holder && last.holder_stamp_utc != record.holder_stamp_utc => {
                    return Err(illegal("it gives its holder another stamp"));
                }
                Some(last) if last.verdict == Some(PhaseVerdict::AdvanceToM4) => {
                    return Err(illegal("nothing follows a committed advance"));
                }
                Some(last) if committed && (last.kind != LedgerKind::Acquired || last.holder != record.holder) => {
                    return Err(illegal("COMMITTED follows only the holder's own ACQUIRED"));
                }
                None if committed => return Err(illegal("a ledger begins with ACQUIRED")),
                _ => {}
            }
            before = Some(record);
        }
        Ok(Ledger {
            run: run.clone(),
            records,
        })
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &PlatformRunId {
        &self.run
    }

    /// All records.
    #[must_use]
    pub fn records(&self) -> &[LedgerRecord] {
        &self.records
    }

    /// Whether its holders are executions of the state machine that `execution` is of: in its account and region.
    #[must_use]
    pub fn is_of_the_machine_of(&self, execution: &ExecutionArn) -> bool {
        self.records
            .iter()
            .all(|record| record.holder.is_of_the_same_machine(execution))
    }

    /// The last record.
    #[must_use]
    pub fn head(&self) -> Option<&LedgerRecord> {
        self.records.last()
    }

    /// Whether the head is `holder`'s own ACQUIRED record: it may work on the run.
    #[must_use]
    pub fn is_held_by(&self, holder: &ExecutionArn) -> bool {
        self.head()
            .is_some_and(|head| head.kind == LedgerKind::Acquired && &head.holder == holder)
    }

    /// What `holder` has to do to acquire the ledger.
    #[must_use]
    pub fn acquire(&self, holder: &ExecutionArn) -> Acquire {
        let Some(head) = self.head() else {
            return Acquire::Create(1);
        };
        match (head.kind, head.verdict) {
            (_, Some(PhaseVerdict::AdvanceToM4)) => Acquire::Closed,
            (LedgerKind::Committed, _) => Acquire::Create(head.sequence + 1),
            (LedgerKind::Acquired, _) if &head.holder == holder => Acquire::Ours,
            (LedgerKind::Acquired, _) => Acquire::AskHolder {
                holder: head.holder.clone(),
                started: head.holder_stamp_utc,
                sequence: head.sequence + 1,
            },
        }
    }

    /// What `holder` has to do to commit `verdict` with the summary of this hash.
    #[must_use]
    pub fn commit(&self, holder: &ExecutionArn, verdict: PhaseVerdict, summary: &ObjectRef) -> Commit {
        let Some(head) = self.head() else {
            return Commit::Lost { head: None };
        };
        if self.is_held_by(holder) {
            return Commit::Create(head.sequence + 1);
        }
        let ours = head.kind == LedgerKind::Committed
            && &head.holder == holder
            && head.verdict == Some(verdict)
            && head.summary.as_ref() == Some(summary);
        if ours {
            Commit::Done(head.sequence)
        } else {
            Commit::Lost {
                head: Some(head.holder.clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Sha256Hex;
    use crate::ids::{BucketName, S3Key};

    fn run() -> PlatformRunId {
        PlatformRunId::parse("platform_20260223T174307Z").unwrap()
    }

    fn execution(name: &str) -> ExecutionArn {
        format!("arn:aws:states:eu-west-2:123456789012:execution:p1:{name}")
            .parse()
            .unwrap()
    }

    fn stamp() -> Stamp {
        Stamp::parse_compact("20260223T174307Z").unwrap()
    }

    fn summary() -> ObjectRef {
        ObjectRef {
            bucket: BucketName::parse("evidence").unwrap(),
            key: S3Key::parse("evidence/s.json").unwrap(),
            version_id: None,
            sha256: Sha256Hex::of(b"s"),
            bytes: 1,
        }
    }

    fn acquired(sequence: u32, holder: &str) -> LedgerRecord {
        LedgerRecord::acquired(&run(), sequence, &execution(holder), stamp())
    }

    fn committed(sequence: u32, holder: &str, verdict: PhaseVerdict) -> LedgerRecord {
        LedgerRecord::committed(&run(), sequence, &execution(holder), stamp(), verdict, summary())
    }

    fn ledger(records: Vec<LedgerRecord>) -> Ledger {
        Ledger::read(&run(), records).unwrap()
    }

    #[test]
    fn who_may_acquire() {
        use PhaseVerdict::{AdvanceToM4, HoldM3};
        let (a, b) = (execution("a"), execution("b"));
        assert_eq!(ledger(vec![]).acquire(&a), Acquire::Create(1));
        assert_eq!(ledger(vec![acquired(1, "a")]).acquire(&a), Acquire::Ours);
        let ask = Acquire::AskHolder {
            holder: a.clone(),
            started: stamp(),
            sequence: 2,
        };
        assert_eq!(ledger(vec![acquired(1, "a")]).acquire(&b), ask);
        let held = vec![acquired(1, "a"), committed(2, "a", HoldM3)];
        assert_eq!(ledger(held).acquire(&b), Acquire::Create(3));
        let advanced = vec![acquired(1, "a"), committed(2, "a", AdvanceToM4)];
        assert_eq!(ledger(advanced.clone()).acquire(&b), Acquire::Closed);
        assert_eq!(ledger(advanced).acquire(&a), Acquire::Closed);
    }

    #[test]
    fn who_may_commit() {
        use PhaseVerdict::{AdvanceToM4, HoldM3};
        let (a, b) = (execution("a"), execution("b"));
        let held_by_a = ledger(vec![acquired(1, "a")]);
        let lost = |head: Option<&ExecutionArn>| Commit::Lost { head: head.cloned() };
        assert_eq!(held_by_a.commit(&a, AdvanceToM4, &summary()), Commit::Create(2));
        assert_eq!(held_by_a.commit(&b, AdvanceToM4, &summary()), lost(Some(&a)));
        assert_eq!(ledger(vec![]).commit(&a, HoldM3, &summary()), lost(None));
        let committed = ledger(vec![acquired(1, "a"), committed(2, "a", HoldM3)]);
        assert_eq!(committed.commit(&a, HoldM3, &summary()), Commit::Done(2));
        assert_eq!(committed.commit(&a, AdvanceToM4, &summary()), lost(Some(&a)));
        let other = ObjectRef {
            sha256: Sha256Hex::of(b"other"),
            ..summary()
        };
        assert_eq!(committed.commit(&a, HoldM3, &other), lost(Some(&a)));
    }

    #[test]
    fn illegal_sequences_are_no_ledgers() {
        use PhaseVerdict::{AdvanceToM4, HoldM3};
        let mut foreign = acquired(1, "a");
        foreign.platform_run_id = PlatformRunId::parse("platform_20260223T174308Z").unwrap();
        let mut elsewhere = acquired(2, "b");
        elsewhere.holder = "arn:aws:states:eu-west-1:123456789012:execution:p1:b".parse().unwrap();
        let mut other_account = acquired(2, "b");
        other_account.holder = "arn:aws:states:eu-west-2:000000000000:execution:p1:b".parse().unwrap();
        let mut other_machine = acquired(2, "b");
        other_machine.holder = "arn:aws:states:eu-west-2:123456789012:execution:p2:b".parse().unwrap();
        let mut restamped = committed(2, "a", HoldM3);
        restamped.holder_stamp_utc = Stamp::parse_compact("20260223T174308Z").unwrap();
        let mut of_another_shape = acquired(1, "a");
        of_another_shape.schema_version = 3;
        let mut of_revision_1 = acquired(2, "b");
        of_revision_1.schema_version = 1;
        let mut verdict_on_acquired = acquired(1, "a");
        verdict_on_acquired.verdict = Some(HoldM3);
        for (records, why) in [
            (vec![acquired(2, "a")], "where record 1"),
            (vec![acquired(1, "a"), acquired(3, "b")], "where record 2"),
            (vec![committed(1, "a", HoldM3)], "begins with ACQUIRED"),
            (vec![acquired(1, "a"), committed(2, "b", HoldM3)], "own ACQUIRED"),
            (
                vec![acquired(1, "a"), committed(2, "a", HoldM3), committed(3, "a", HoldM3)],
                "own ACQUIRED",
            ),
            (
                vec![acquired(1, "a"), committed(2, "a", AdvanceToM4), acquired(3, "b")],
                "nothing follows",
            ),
            (vec![acquired(0, "a")], "numbered from 1"),
            (vec![acquired(0, "a"), acquired(1, "a")], "numbered from 1"),
            (vec![acquired(1, "a"), elsewhere], "another state machine"),
            (vec![acquired(1, "a"), other_account], "another state machine"),
            (vec![acquired(1, "a"), other_machine], "another state machine"),
            (vec![acquired(1, "a"), restamped], "another stamp"),
            (vec![foreign], "not a record of this run"),
            (vec![of_another_shape], "not a record of this run"),
            (vec![acquired(1, "a"), of_revision_1], "earlier revision"),
            (vec![verdict_on_acquired], "COMMITTED alone"),
        ] {
            let error = Ledger::read(&run(), records).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_record_is_read_from_exactly_its_own_bytes() {
        let record = acquired(1, "a");
        let bytes = canonical::document_of(&record).unwrap();
        assert_eq!(LedgerRecord::parse(&bytes).as_ref(), Ok(&record));
        let text = String::from_utf8(bytes).unwrap();
        let spaced = text.replace(",\"kind\"", ", \"kind\"");
        let null = text.replace("{", "{\"verdict\":null,");
        let no_newline = text.trim_end().to_owned();
        for other in [spaced, null, no_newline] {
            let parsed = LedgerRecord::parse(other.as_bytes());
            assert_eq!(parsed, Err(RecordError::NotCanonical), "{other}");
        }
        for (other, why) in [("[]", "shape"), ("", "JSON"), (&text.replace("\"P1\"", "1"), "shape")] {
            let error = LedgerRecord::parse(other.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let ledger = ledger(vec![record]);
        assert!(ledger.is_of_the_machine_of(&execution("z")));
        let elsewhere = "arn:aws:states:eu-west-2:123456789012:execution:p2:z".parse().unwrap();
        assert!(!ledger.is_of_the_machine_of(&elsewhere));
    }
}
