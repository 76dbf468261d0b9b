//! A mirrored directory as a recording: the bucket as the run left it, its ledger, and the engine's history.

use std::collections::{BTreeMap, BTreeSet};

use p1_audit::EvidenceSet;
use p1_audit::evidence_set::{HISTORY, ListedObject};
use p1_audit::history::History;
use p1_audit::lineage::{Kind, Lineage};
use p1_contract::blocker::Blocker;
use p1_contract::evidence::{ExecutionSummary, NotStored, split};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, Environment, ExecutionArn, PhaseExecutionId, S3Key, Stamp};
use p1_contract::ledger::LedgerRecord;
use p1_contract::observations::Written;
use p1_contract::reference::{ArtifactRef, ClosureRef};
use p1_contract::strict::{Limits, parse_strict};
use p1_runtime::store::{Object, RecordedStore};
use serde_json::Value;

use crate::Missing;
use crate::payload::Owner;

/// The engine's history of the execution that the directory belongs to.
pub(super) struct Account {
    pub(super) execution: ExecutionArn,
    pub(super) history: History,
    /// The input that started it. `None` if the history does not keep the input.
    pub(super) input: Option<Value>,
}

/// The recording.
pub(super) struct Recording {
    /// The environment that the evidence is of.
    pub(super) environment: Environment,
    /// Whether it is the evidence of a phase entry, and not of a run.
    pub(super) is_entry: bool,
    pub(super) bucket: BucketName,
    pub(super) store: RecordedStore,
    pub(super) keys: Vec<S3Key>,
    pub(super) ledger: Vec<LedgerRecord>,
    /// Every object that `objects.json` lists.
    listed: BTreeMap<String, ListedObject>,
    pub(super) account: Option<Account>,
    /// Things that the directory does not hold, with the reason.
    pub(super) missing: Vec<Missing>,
}

/// A recorded closing summary.
pub(super) struct RecordedSummary {
    pub(super) closure: ClosureRef,
    pub(super) body: ExecutionSummary,
}

impl Recording {
    /// Reads the evidence, but not the `foreign` objects. If there is nothing to replay, the error says what is missing.
    pub(super) fn read(set: &EvidenceSet, foreign: &BTreeSet<String>) -> Result<Self, Vec<Missing>> {
        let mut missing: Vec<Missing> = Vec::new();
        let mut objects = BTreeMap::new();
        for (key, file) in set.files.iter().filter(|(key, _)| !foreign.contains(*key)) {
            let Ok(parsed) = S3Key::parse(key) else {
                missing.push(Missing::new(key, "is no key of a bucket"));
                continue;
            };
            let Some(listed) = set.listed.get(key) else {
                let why = "objects.json does not list it: its version and entity tag are not known";
                missing.push(Missing::new(key, why));
                continue;
            };
            let object = Object {
                bytes: file.bytes.clone(),
                version_id: listed.version_id.clone(),
                etag: listed.etag.clone(),
            };
            objects.insert(parsed, object);
        }
        let is_gone = |key: &&String| !set.files.contains_key(*key) && !foreign.contains(*key);
        for key in set.listed.keys().filter(is_gone) {
            missing.push(Missing::new(key, "is not there, and objects.json lists it"));
        }
        let mut environments = set.environments();
        let environment = environments.pop_first().unwrap_or_default();
        if let Some(other) = environments.first() {
            let why = format!("holds keys of the environments {environment} and {other}, and a run is of one");
            missing.push(Missing::new("evidence/", why));
        }
        let account = match account(set) {
            Ok(account) => Some(account),
            Err(why) => {
                missing.push(Missing::new(HISTORY, why));
                None
            }
        };
        let lineage = Lineage::of(set);
        let Some(bucket) = lineage.bucket() else {
            missing.push(Missing::new("evidence/", "holds no closing summary"));
            return Err(missing);
        };
        Ok(Recording {
            environment,
            ledger: lineage.ledger.iter().map(|entry| entry.record.clone()).collect(),
            listed: set.listed.clone(),
            keys: objects.keys().cloned().collect(),
            store: RecordedStore::new(bucket.clone(), objects),
            bucket,
            account,
            missing,
            is_entry: lineage.kind == Kind::PhaseEntry,
        })
    }

    /// The outcome of writing a summary that is lost. The mirror still lists the summary.
    pub(super) fn lost(&self, name: &str, key: &str) -> Option<(S3Key, Written)> {
        let listed = self.listed.get(key)?;
        let parsed = S3Key::parse(key).ok()?;
        let artifact = ArtifactRef {
            name: name.to_owned(),
            bucket: self.bucket.clone(),
            key: parsed.clone(),
            version_id: listed.version_id.clone(),
            etag: listed.etag.clone(),
            sha256: listed.sha256.clone(),
            bytes: listed.bytes,
        };
        Some((parsed, Written::Stored(artifact)))
    }

    /// Whether any object lies below this prefix.
    pub(super) fn holds(&self, prefix: &str) -> bool {
        self.keys_in(prefix).next().is_some()
    }

    /// The keys below this prefix.
    pub(super) fn keys_in(&self, prefix: &str) -> impl Iterator<Item = S3Key> {
        // The keys are in order, so those with the prefix lie together.
        let first = self.keys.partition_point(|key| key.as_str() < prefix);
        let rest = self.keys.get(first..).unwrap_or_default();
        rest.iter()
            .take_while(move |key| key.as_str().starts_with(prefix))
            .cloned()
    }

    /// The bytes at `key`.
    pub(super) fn bytes(&self, key: &str) -> Option<&[u8]> {
        let object = self.store.object(&S3Key::parse(key).ok()?)?;
        Some(&object.bytes)
    }

    /// The document at `key`. `None` if it cannot be read.
    pub(super) fn document(&self, key: &str) -> Option<Value> {
        parse_strict(self.bytes(key)?, Limits::DOCUMENT).ok()
    }

    /// The stamp with which this execution gives the phase execution ids in the directory.
    pub(super) fn stamp(&self, execution: &ExecutionArn) -> Option<Stamp> {
        self.keys.iter().find_map(|key| {
            let (folder, _) = self.environment.below(key.as_str())?.split_once('/')?;
            let stamp = Stamp::parse_compact(folder.split('_').nth(1)?).ok()?;
            let is_of = |owner| PhaseExecutionId::derive(owner, stamp, execution.as_str()).as_str() == folder;
            Owner::all().any(is_of).then_some(stamp)
        })
    }

    /// The closing summary at `key`, with the closure that the chain would name.
    pub(super) fn summary(&self, owner: Owner, id: &PhaseExecutionId, key: &str) -> Option<RecordedSummary> {
        let parsed = S3Key::parse(key).ok()?;
        let object = self.store.object(&parsed)?;
        let value = parse_strict(&object.bytes, Limits::DOCUMENT).ok()?;
        let body = split::<ExecutionSummary>(value, "summary").ok()?.body;
        Some(RecordedSummary {
            closure: ClosureRef {
                step: owner,
                phase_execution_id: id.clone(),
                overall_pass: body.overall_pass,
                bucket: self.bucket.clone(),
                key: parsed,
                version_id: object.version_id.clone(),
                sha256: Sha256Hex::of(&object.bytes),
            },
            body,
        })
    }
}

impl RecordedSummary {
    /// The outcomes of the step's writes.
    pub(super) fn ends(&self) -> BTreeMap<S3Key, Written> {
        let lost = |lost: &NotStored| (lost.key.clone(), Written::from(lost.end.clone()));
        let stored = |artifact: &ArtifactRef| (artifact.key.clone(), Written::Stored(artifact.clone()));
        let stored = self.body.artifacts.iter().map(stored);
        stored.chain(self.body.not_stored.iter().map(lost)).collect()
    }

    /// Whether a blocker says that the object at `key` could not be published.
    pub(super) fn blames(&self, key: &S3Key) -> bool {
        let step = self.closure.step.step();
        let codes = [
            Blocker::publish_failed(step),
            Blocker::set_incomplete(step),
            Blocker::HandoffReadback,
        ];
        let mut blockers = self.body.blockers.iter();
        blockers.any(|finding| finding.subject == key.as_str() && codes.contains(&finding.code))
    }
}

fn account(set: &EvidenceSet) -> Result<Account, String> {
    let document = set.history.as_ref().ok_or("is not there, or is not canonical JSON")?;
    let execution = document["execution_arn"].as_str().unwrap_or_default();
    let execution = ExecutionArn::parse(execution).map_err(|error| format!("names no execution ({error})"))?;
    let events = document["events"].as_array().ok_or("holds no events")?;
    let input = events.first().and_then(|event| {
        let input = event.pointer("/executionStartedEventDetails/input")?;
        serde_json::from_str(input.as_str()?).ok()
    });
    Ok(Account {
        execution,
        history: History::read(events),
        input,
    })
}
