//! Reads the scenario index: the pinned runs of a scenario, by one list request.
//!
//! An entry alone proves nothing. It counts when the run's ledger has the very commit that it names, and the phase summary that this
//! commit names has the triplet of the entry: three reads, however many runs the bucket has.

use p1_audit::text;
use p1_contract::artifacts::{PhaseSummary, ScenarioIndexEntry};
use p1_contract::evidence::Document;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{Environment, PlatformRunId, ScenarioRunId, Stamp};
use p1_contract::ledger::{LedgerKind, LedgerRecord};
use p1_contract::verdict::PhaseVerdict;

use crate::bucket::evidence::{Evidence, ReadError};

/// What lies at a key of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hit {
    /// An entry that the run's ledger confirms: the run is pinned.
    Pinned(Box<ScenarioIndexEntry>),
    /// Something else, and why it does not count.
    Unconfirmed(String),
}

impl Evidence {
    /// The keys below a scenario, the latest run first. With `since`, only those of runs that were minted then or later.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn indexed(
        &self,
        environment: &Environment,
        scenario: &ScenarioRunId,
        since: Option<Stamp>,
    ) -> Result<Vec<String>, ReadError> {
        let prefix = environment.scenario_index(scenario);
        let after = since.map(|since| format!("{prefix}{}", first_id(since)));
        let mut keys = self.keys_after(&prefix, after.as_deref()).await?;
        // Consoles create such a key for a folder.
        keys.retain(|key| !key.ends_with('/'));
        keys.reverse();
        Ok(keys)
    }

    /// The runs whose folders lie below `evidence/runs/`, the latest first. With `since`, only those that were minted then or later.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn runs(&self, since: Option<Stamp>) -> Result<Vec<PlatformRunId>, ReadError> {
        const ROOT: &str = "evidence/runs/";
        let after = since.map(|since| format!("{ROOT}{}", first_id(since)));
        let folders = self.folders_after(ROOT, after.as_deref()).await?;
        let id = |folder: &String| PlatformRunId::parse(folder.strip_prefix(ROOT)?.strip_suffix('/')?).ok();
        Ok(folders.iter().rev().filter_map(id).collect())
    }

    /// Reads the entry at `key`, and holds it against the run's ledger and phase summary.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn hit(&self, environment: &Environment, key: &str) -> Result<Hit, ReadError> {
        let Some(found) = self.get_own(key, None).await? else {
            return Ok(Hit::Unconfirmed("it cannot be read".to_owned()));
        };
        let entry = match entry(environment, key, &found.bytes) {
            Ok(entry) => entry,
            Err(why) => return Ok(Hit::Unconfirmed(why)),
        };
        let commit = self.get_own(entry.commit.key.as_str(), None).await?;
        let record = match commit_of(&entry, commit.as_ref().map(|found| found.bytes.as_slice())) {
            Ok(record) => record,
            Err(why) => return Ok(Hit::Unconfirmed(why)),
        };
        let phase = match &record.summary {
            Some(named) => self.phase_summary(named).await?,
            None => Err("its commit names no phase summary".to_owned()),
        };
        Ok(match phase.and_then(|phase| agrees(&entry, &phase)) {
            Ok(()) => Hit::Pinned(Box::new(entry)),
            Err(why) => Hit::Unconfirmed(why),
        })
    }
}

/// What comes just before the first id that is minted at `since`: it is no id itself, because every key goes on after it.
fn first_id(since: Stamp) -> String {
    format!("platform_{}", since.compact())
}

/// The entry in these bytes, if M3.J would have written it at this key.
fn entry(environment: &Environment, key: &str, bytes: &[u8]) -> Result<ScenarioIndexEntry, String> {
    let entry = ScenarioIndexEntry::parse(bytes).map_err(|why| format!("it {}", text::brief(&why.to_string(), 200)))?;
    if entry.key(environment) != key {
        return Err("it is the entry of another run or scenario".to_owned());
    }
    Ok(entry)
}

/// The COMMITTED record that the entry names, if its bytes are there and commit this run's advance.
fn commit_of(entry: &ScenarioIndexEntry, bytes: Option<&[u8]>) -> Result<LedgerRecord, String> {
    let named = &entry.commit;
    let bytes = bytes.ok_or_else(|| format!("the ledger has no record {}", named.key))?;
    if Sha256Hex::of(bytes) != named.sha256 {
        return Err(format!("{} has other bytes than the entry names", named.key));
    }
    let record = LedgerRecord::parse(bytes).map_err(|why| format!("{} is no record: {why}", named.key))?;
    let run = &entry.platform_run_id;
    let summary = record.summary.as_ref();
    let is_of_entry = record.kind == LedgerKind::Committed
        && record.verdict == Some(PhaseVerdict::AdvanceToM4)
        && &record.platform_run_id == run
        && run.ledger_key(record.sequence) == named.key.as_str()
        && (&record.holder, record.holder_stamp_utc) == (&entry.execution, entry.execution_stamp_utc)
        && summary.map(|summary| (&summary.key, &summary.sha256))
            == Some((&entry.m3_execution_summary.key, &entry.m3_execution_summary.sha256));
    if is_of_entry {
        Ok(record)
    } else {
        Err(format!(
            "{} is not the commit of the advance that the entry tells of",
            named.key
        ))
    }
}

/// Whether the phase summary that was committed has the triplet and the verdict of the entry.
fn agrees(entry: &ScenarioIndexEntry, phase: &Document<PhaseSummary>) -> Result<(), String> {
    let ids = phase.header.run().triplet();
    let is_same = ids.is_some_and(|ids| {
        ids.platform_run_id == entry.platform_run_id
            && ids.scenario_run_id == entry.scenario_run_id
            && ids.config_digest == entry.config_digest
    });
    if is_same && phase.body.verdict == PhaseVerdict::AdvanceToM4 {
        Ok(())
    } else {
        Err("the committed phase summary is of another scenario or configuration".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use p1_contract::artifacts::{IndexedObject, Pinned};
    use p1_contract::canonical;
    use p1_contract::evidence::Triplet;
    use p1_contract::ids::{BucketName, ExecutionArn, S3Key};
    use p1_contract::reference::ObjectRef;

    use super::*;

    fn execution() -> ExecutionArn {
        "arn:aws:states:eu-west-2:123456789012:execution:p1:a".parse().unwrap()
    }

    fn stamp() -> Stamp {
        Stamp::parse("2026-11-22T12:17:01Z").unwrap()
    }

    fn record(sequence: u32, verdict: PhaseVerdict) -> LedgerRecord {
        let summary = ObjectRef {
            bucket: BucketName::parse("evidence").unwrap(),
            key: S3Key::parse("evidence/s.json").unwrap(),
            version_id: None,
            sha256: Sha256Hex::of(b"s"),
            bytes: 1,
        };
        let run = PlatformRunId::parse("platform_20261122T121701Z").unwrap();
        LedgerRecord::committed(&run, sequence, &execution(), stamp(), verdict, summary)
    }

    /// A run's entry, and the bytes of the record that it names.
    fn valid() -> (ScenarioIndexEntry, Vec<u8>) {
        let record = record(2, PhaseVerdict::AdvanceToM4);
        let bytes = canonical::document_of(&record).unwrap();
        let run = Triplet {
            platform_run_id: record.platform_run_id.clone(),
            scenario_run_id: ScenarioRunId::from_digest(&Sha256Hex::of(b"scenario")),
            config_digest: Sha256Hex::of(b"config"),
        };
        let pinned = Pinned {
            execution: record.holder.clone(),
            execution_stamp_utc: record.holder_stamp_utc,
            m3_execution_summary: IndexedObject::new(&S3Key::parse("evidence/s.json").unwrap(), &Sha256Hex::of(b"s")),
            commit: named(&record),
            run_evidence: Vec::new(),
        };
        (ScenarioIndexEntry::new(run, pinned).unwrap(), bytes)
    }

    fn named(record: &LedgerRecord) -> IndexedObject {
        let key = S3Key::parse(&record.platform_run_id.ledger_key(record.sequence)).unwrap();
        IndexedObject::new(&key, &Sha256Hex::of(&canonical::document_of(record).unwrap()))
    }

    #[test]
    fn an_entry_counts_at_its_own_key_alone() {
        let (valid, _) = valid();
        let bytes = canonical::document_of(&valid).unwrap();
        let environment = Environment::default();
        let key = valid.key(&environment);
        assert_eq!(entry(&environment, &key, &bytes), Ok(valid.clone()));
        for other in [
            key.replace("dev_full", "prod"),
            key.replace("121701Z", "121702Z"),
            key.replace(valid.scenario_run_id.as_str(), &format!("scenario_{}", "0".repeat(32))),
        ] {
            assert!(entry(&environment, &other, &bytes).is_err(), "{other}");
        }
        assert!(entry(&environment, &key, b"{}").is_err());
    }

    #[test]
    fn an_entry_counts_by_the_very_commit_of_its_run() {
        let (valid, bytes) = valid();
        assert_eq!(commit_of(&valid, Some(&bytes)).unwrap().sequence, 2);
        assert!(commit_of(&valid, None).unwrap_err().contains("has no record"));
        assert!(commit_of(&valid, Some(b"x")).unwrap_err().contains("other bytes"));
        // Each names a record that is there, with its hash, and is not of this entry.
        let of = |change: fn(&mut LedgerRecord, &mut ScenarioIndexEntry)| {
            let (mut entry, mut record) = (valid.clone(), record(2, PhaseVerdict::AdvanceToM4));
            change(&mut record, &mut entry);
            let bytes = canonical::document_of(&record).unwrap();
            entry.commit.sha256 = Sha256Hex::of(&bytes);
            commit_of(&entry, Some(&bytes))
        };
        assert!(of(|_, _| {}).is_ok());
        for change in [
            (|record, _| record.verdict = Some(PhaseVerdict::HoldM3)) as fn(&mut LedgerRecord, &mut ScenarioIndexEntry),
            |record, _| record.kind = LedgerKind::Acquired,
            |record, _| record.sequence = 3,
            |record, _| record.platform_run_id = PlatformRunId::parse("platform_20261122T121701Z_01").unwrap(),
            |record, _| record.holder = "arn:aws:states:eu-west-2:123456789012:execution:p1:b".parse().unwrap(),
            |record, _| record.holder_stamp_utc = Stamp::parse("2026-11-22T12:17:02Z").unwrap(),
            |record, _| record.summary = None,
            |_, entry| entry.m3_execution_summary.sha256 = Sha256Hex::of(b"other"),
            |_, entry| entry.m3_execution_summary.key = S3Key::parse("evidence/other.json").unwrap(),
            |_, entry| entry.commit.key = S3Key::parse("evidence/elsewhere.json").unwrap(),
        ] {
            let why = of(change).unwrap_err();
            assert!(why.contains("is not the commit"), "{why}");
        }
    }
}
