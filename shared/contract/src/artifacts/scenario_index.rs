//! M3.J: the index of what was pinned, by scenario. An entry adds nothing to the evidence. It makes "was this scenario pinned
//! already" one list request, however many runs a bucket has; what counts is the run's ledger.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::{PHASE_ID, Triplet};
use crate::hash::Sha256Hex;
use crate::ids::{Environment, ExecutionArn, PlatformRunId, S3Key, ScenarioRunId, Stamp};
use crate::ledger::{RecordError, parse_record};
use crate::revision::SCHEMA_VERSION;
use crate::verdict::PhaseVerdict;

/// The `artifact` of a [`ScenarioIndexEntry`].
pub const SCENARIO_INDEX_ENTRY: &str = "p1_scenario_index_entry";

/// One pinned run, listed below its scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioIndexEntry {
    /// The shape's version.
    pub schema_version: u64,
    /// `p1_scenario_index_entry`.
    pub artifact: String,
    /// `P1`.
    pub phase_id: String,
    /// The scenario that the entry lies below.
    pub scenario_run_id: ScenarioRunId,
    /// The run.
    pub platform_run_id: PlatformRunId,
    /// What it runs with.
    pub config_digest: Sha256Hex,
    /// The verdict that was committed: `ADVANCE_TO_M4`. Nothing else is indexed.
    pub verdict: PhaseVerdict,
    /// The P1 execution that committed it.
    pub execution: ExecutionArn,
    /// The stamp of that execution.
    pub execution_stamp_utc: Stamp,
    /// The stamp of the execution that minted the run. Of a run that was never held, it is the same execution.
    pub pinned_at_utc: Stamp,
    /// The phase summary.
    pub m3_execution_summary: IndexedObject,
    /// The ledger's COMMITTED record.
    pub commit: IndexedObject,
    /// `run.json`, the run header and the handoff pack, as far as M3.E and M3.F list them, in the order of their keys.
    pub run_evidence: Vec<IndexedObject>,
}

/// An object of the evidence, by key and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexedObject {
    /// Its key in the evidence bucket.
    pub key: S3Key,
    /// SHA-256 of its raw bytes.
    pub sha256: Sha256Hex,
}

impl IndexedObject {
    /// The object with this key and hash.
    #[must_use]
    pub fn new(key: &S3Key, sha256: &Sha256Hex) -> Self {
        IndexedObject {
            key: key.clone(),
            sha256: sha256.clone(),
        }
    }
}

/// What an entry says of a run besides its ids.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// The P1 execution that committed the advance.
    pub execution: ExecutionArn,
    /// Its stamp.
    pub execution_stamp_utc: Stamp,
    /// The phase summary.
    pub m3_execution_summary: IndexedObject,
    /// The ledger's COMMITTED record.
    pub commit: IndexedObject,
    /// The run's evidence, in the order of the keys.
    pub run_evidence: Vec<IndexedObject>,
}

impl ScenarioIndexEntry {
    /// The entry of a run whose advance was committed. `None` only for an id that was never parsed.
    #[must_use]
    pub fn new(run: Triplet, pinned: Pinned) -> Option<Self> {
        Some(ScenarioIndexEntry {
            schema_version: SCHEMA_VERSION,
            artifact: SCENARIO_INDEX_ENTRY.to_owned(),
            phase_id: PHASE_ID.to_owned(),
            pinned_at_utc: run.platform_run_id.stamp()?,
            scenario_run_id: run.scenario_run_id,
            platform_run_id: run.platform_run_id,
            config_digest: run.config_digest,
            verdict: PhaseVerdict::AdvanceToM4,
            execution: pinned.execution,
            execution_stamp_utc: pinned.execution_stamp_utc,
            m3_execution_summary: pinned.m3_execution_summary,
            commit: pinned.commit,
            run_evidence: pinned.run_evidence,
        })
    }

    /// Where the entry lies in the evidence bucket:
    /// `evidence/<environment>/index/scenario/<scenario_run_id>/<platform_run_id>.json`.
    #[must_use]
    pub fn key(&self, environment: &Environment) -> String {
        let folder = environment.scenario_index(&self.scenario_run_id);
        format!("{folder}{}.json", self.platform_run_id)
    }

    /// Reads an entry from its bytes, which must be exactly those that M3.J writes.
    ///
    /// # Errors
    /// When they are not.
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let entry: Self = parse_record(bytes)?;
        let is_ours = entry.schema_version == SCHEMA_VERSION
            && entry.artifact == SCENARIO_INDEX_ENTRY
            && entry.phase_id == PHASE_ID
            && entry.verdict == PhaseVerdict::AdvanceToM4
            && Some(entry.pinned_at_utc) == entry.platform_run_id.stamp();
        match is_ours {
            true => Ok(entry),
            false => Err(RecordError::Shape("it is no entry of the scenario index".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical;

    fn entry() -> ScenarioIndexEntry {
        let object = |key: &str| IndexedObject::new(&S3Key::parse(key).unwrap(), &Sha256Hex::of(key.as_bytes()));
        let run = Triplet {
            platform_run_id: PlatformRunId::parse("platform_20261122T121701Z_02").unwrap(),
            scenario_run_id: ScenarioRunId::from_digest(&Sha256Hex::of(b"scenario")),
            config_digest: Sha256Hex::of(b"config"),
        };
        let pinned = Pinned {
            execution: "arn:aws:states:eu-west-2:123456789012:execution:p1:a".parse().unwrap(),
            execution_stamp_utc: Stamp::parse("2026-11-23T08:00:00Z").unwrap(),
            m3_execution_summary: object("evidence/s.json"),
            commit: object("evidence/c.json"),
            run_evidence: vec![object("evidence/run.json")],
        };
        ScenarioIndexEntry::new(run, pinned).unwrap()
    }

    #[test]
    fn an_entry_lies_below_its_scenario() {
        let entry = entry();
        let environment = Environment::parse("prod").unwrap();
        let expected = format!(
            "evidence/prod/index/scenario/{}/platform_20261122T121701Z_02.json",
            entry.scenario_run_id
        );
        assert_eq!(entry.key(&environment), expected);
        assert_eq!(entry.pinned_at_utc.rfc3339(), "2026-11-22T12:17:01Z");
    }

    #[test]
    fn an_entry_is_read_from_exactly_its_own_bytes() {
        let entry = entry();
        let bytes = canonical::document_of(&entry).unwrap();
        assert_eq!(ScenarioIndexEntry::parse(&bytes), Ok(entry));
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("ADVANCE_TO_M4", "HOLD_M3"),
            ("\"P1\"", "\"P2\""),
            ("\"schema_version\":2", "\"schema_version\":1"),
            ("p1_scenario_index_entry", "p1_event_claim"),
            (
                "\"pinned_at_utc\":\"2026-11-22T12:17:01Z\"",
                "\"pinned_at_utc\":\"2026-11-22T12:17:02Z\"",
            ),
            ("{\"artifact\"", "{ \"artifact\""),
            ("{\"artifact\"", "{\"a\":1,\"artifact\""),
            ("\n", ""),
        ] {
            assert!(text.contains(from), "{from}");
            let other = text.replacen(from, to, 1);
            assert!(ScenarioIndexEntry::parse(other.as_bytes()).is_err(), "{other}");
        }
    }
}
