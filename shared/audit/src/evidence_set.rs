//! Evidence in memory: the objects of a run by key, and what their source says about them. This module does no I/O.

use std::collections::{BTreeMap, BTreeSet};

use p1_contract::canonical;
use p1_contract::cause::chain;
use p1_contract::evidence::{Body, Document, ExecutionSummary, split};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::ExecutionArn;
use p1_contract::reference::ClosureRef;
use p1_contract::strict::{Limits, parse_strict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::findings::Findings;
use crate::object_versions::{Foreign, ObjectVersions};

/// The mirror's list of its objects.
pub const OBJECTS: &str = "objects.json";
/// The engine's history of the execution.
pub const HISTORY: &str = "execution_history.json";
/// What the bucket said about its keys. Mirrors of earlier versions do not have this file.
pub const VERSIONS: &str = "object_versions.json";
/// Files that operating systems put into a folder when somebody opens it. Verification recognises them by these names.
const OF_SYSTEMS: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];
/// A history may have many events; every other document is small.
const LIMITS: Limits = Limits {
    max_bytes: 64 << 20,
    max_depth: 64,
};

/// An object of the evidence.
#[derive(Debug, Clone)]
pub struct File {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their hash.
    pub sha256: Sha256Hex,
}

/// An entry of `objects.json`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedObject {
    /// Its key.
    pub key: String,
    /// Its version id. `null` if the bucket is not versioned.
    pub version_id: Option<String>,
    /// Its entity tag without quotes.
    pub etag: String,
    /// SHA-256 of its bytes.
    pub sha256: Sha256Hex,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What the engine says about the execution: its ARN, and the closure that it ended with.
#[derive(Debug)]
pub struct Ending {
    /// The execution.
    pub execution: ExecutionArn,
    /// M3.J's closure. `None` if the execution ended without a verdict.
    pub closure: Option<ClosureRef>,
}

/// Everything that is known about a run's evidence, read from a mirrored directory or from the bucket.
///
/// ```
/// use p1_audit::{EvidenceSet, verify};
///
/// // A mirror is a directory: give its files by their path below it, with `/` between the parts.
/// let files = [("objects.json".to_owned(), b"[]\n".to_vec())];
/// let set = EvidenceSet::from_mirror(files, []);
/// let report = verify::verify(&set, &[]);
/// assert_eq!(report.standing, verify::Standing::Incomplete, "no verdict was committed");
/// ```
#[derive(Debug, Default)]
pub struct EvidenceSet {
    /// Every object of the evidence, by key.
    pub files: BTreeMap<String, File>,
    /// The entries of `objects.json`, or of the bucket's listing, by key.
    pub listed: BTreeMap<String, ListedObject>,
    /// Keys of objects that could not be read. Their contents are unknown.
    pub unread: BTreeSet<String>,
    /// Objects that `objects.json` does not list.
    pub unlisted: Vec<String>,
    /// Files that are no evidence: objects of other writers below the run's root, and files of operating systems.
    pub foreign: Vec<String>,
    /// The number of further foreign objects in the bucket. A mirror counts them and does not name them.
    pub foreign_unnamed: u64,
    /// How the execution ended, according to the engine.
    pub ending: Option<Ending>,
    /// The engine's events. `None` if the source does not hold them.
    pub history: Option<Value>,
    /// What is wrong with the source itself.
    pub findings: Findings,
}

impl EvidenceSet {
    /// Builds the set from a mirrored directory. `files` are all its files, by their path below the directory, with `/` between
    /// the parts. `irregular` names every entry that is not an ordinary file with a readable name.
    #[must_use]
    pub fn from_mirror(
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
        irregular: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut set = EvidenceSet::default();
        let (mut beside, mut is_overwritten) = (BTreeMap::new(), false);
        for (path, bytes) in files {
            if path.starts_with("evidence/") {
                let of_system = OF_SYSTEMS.contains(&path.rsplit('/').next().unwrap_or_default());
                if of_system {
                    set.foreign.push(path);
                } else {
                    let sha256 = Sha256Hex::of(&bytes);
                    set.files.insert(path, File { bytes, sha256 });
                }
            } else if path == "other_versions" || path.starts_with("other_versions/") {
                is_overwritten = true;
            } else {
                beside.insert(path, bytes);
            }
        }
        let mut findings = Findings::default();
        for path in irregular {
            findings.tampered(path, "is no ordinary file with a readable name");
        }
        if is_overwritten {
            findings.tampered("other_versions", "a key has more than one version: it was overwritten");
        }
        if let Some(list) = document(beside.remove(OBJECTS), OBJECTS, &mut findings) {
            set.listed = listed(list, &mut findings);
            compare(&set.files, &set.listed, &mut findings);
            let is_unlisted = |key: &&String| !set.listed.contains_key(*key);
            set.unlisted = set.files.keys().filter(is_unlisted).cloned().collect();
        }
        // Mirrors of earlier versions do not have this file.
        if let Some(bytes) = beside.remove(VERSIONS) {
            let versions = parse(&bytes, VERSIONS, &mut findings);
            let foreign = versions
                .map(|value| versions_of(value, &mut findings))
                .unwrap_or_default();
            set.foreign_unnamed = foreign.count.saturating_sub(foreign.keys.len() as u64);
            set.foreign.extend(foreign.keys);
        }
        set.history = document(beside.remove(HISTORY), HISTORY, &mut findings);
        set.ending = set.history.as_ref().and_then(|history| ending(history, &mut findings));
        set.findings = findings;
        set
    }
}

impl EvidenceSet {
    /// Parses the object at `key` as strict JSON.
    ///
    /// # Errors
    /// Fails if the object is missing or is not strict JSON. The error says why.
    pub fn value(&self, key: &str) -> Result<Value, String> {
        let file = self.files.get(key).ok_or("it is not there")?;
        parse_strict(&file.bytes, Limits::DOCUMENT).map_err(|error| error.to_string())
    }

    /// Parses the artifact at `key`.
    ///
    /// # Errors
    /// Fails if the object is missing or is not an artifact of this kind. The error says why.
    pub fn document<B: Body>(&self, key: &str) -> Result<Document<B>, String> {
        let file = self.files.get(key).ok_or("it is not there")?;
        Document::<B>::parse(&file.bytes).map_err(|error| chain(&error))
    }

    /// Parses the closing summary called `name` at `key`.
    ///
    /// # Errors
    /// Fails if the object is missing or is not a closing summary. The error says why.
    pub fn summary(&self, key: &str, name: &str) -> Result<Document<ExecutionSummary>, String> {
        split(self.value(key)?, name).map_err(|error| chain(&error))
    }
}

/// Parses a canonical document that lies beside the evidence. Returns `None` and adds a finding if that fails.
fn document(bytes: Option<Vec<u8>>, name: &str, findings: &mut Findings) -> Option<Value> {
    let Some(bytes) = bytes else {
        findings.incomplete(name, "is not there");
        return None;
    };
    parse(&bytes, name, findings)
}

fn parse(bytes: &[u8], name: &str, findings: &mut Findings) -> Option<Value> {
    match parse_strict(bytes, LIMITS) {
        Ok(value) if canonical::to_document(&value).is_ok_and(|again| again == bytes) => Some(value),
        Ok(_) => {
            findings.tampered(name, "is not canonical JSON");
            None
        }
        Err(error) => {
            findings.tampered(name, error.to_string());
            None
        }
    }
}

fn listed(value: Value, findings: &mut Findings) -> BTreeMap<String, ListedObject> {
    let list: Vec<ListedObject> = match serde_json::from_value(value) {
        Ok(list) => list,
        Err(error) => {
            findings.tampered(OBJECTS, format!("is no list of objects: {error}"));
            return BTreeMap::new();
        }
    };
    let mut by_key = BTreeMap::new();
    for object in list {
        let key = object.key.clone();
        if by_key.insert(key.clone(), object).is_some() {
            findings.tampered(key, "has more than one version: it was overwritten");
        }
    }
    by_key
}

fn compare(files: &BTreeMap<String, File>, listed: &BTreeMap<String, ListedObject>, findings: &mut Findings) {
    for (key, object) in listed {
        match files.get(key) {
            None => findings.incomplete(key, "is not there, and objects.json lists it"),
            Some(file) if file.sha256 != object.sha256 || file.bytes.len() as u64 != object.bytes => {
                findings.tampered(key, "has other bytes than objects.json lists");
            }
            Some(_) => {}
        }
    }
}

/// Reads what the bucket said about its keys when it was mirrored. Returns the foreign keys.
fn versions_of(value: Value, findings: &mut Findings) -> Foreign {
    let versions: ObjectVersions = match serde_json::from_value(value) {
        Ok(versions) => versions,
        Err(error) => {
            findings.tampered(VERSIONS, format!("says nothing of the keys' versions: {error}"));
            return Foreign::default();
        }
    };
    for history in &versions.keys {
        for problem in history.problems() {
            findings.tampered(&history.key, format!("{problem}, as the bucket said"));
        }
    }
    findings.ghosts(&versions.ghosts);
    versions.foreign
}

/// The execution, and the closure that its output or the cause of its failure names.
fn ending(history: &Value, findings: &mut Findings) -> Option<Ending> {
    let fields: Vec<&str> = history.as_object()?.keys().map(String::as_str).collect();
    let execution = history["execution_arn"].as_str().and_then(|arn| arn.parse().ok());
    let (Some(execution), ["events", "execution_arn"]) = (execution, fields.as_slice()) else {
        findings.tampered(HISTORY, "is not an execution and its events");
        return None;
    };
    let last = history["events"].as_array().and_then(|events| events.last());
    let word = last.and_then(|event| {
        let output = event.pointer("/executionSucceededEventDetails/output");
        output
            .or_else(|| event.pointer("/executionFailedEventDetails/cause"))?
            .as_str()
    });
    let outcome: Value = word
        .and_then(|word| serde_json::from_str(word).ok())
        .unwrap_or_default();
    let closure: Option<ClosureRef> = serde_json::from_value(outcome["closure"].clone()).ok();
    if closure.is_none() && !outcome["closure"].is_null() {
        findings.tampered(HISTORY, "the closure that it ended with is none");
    }
    let closure = closure.filter(|_| outcome["outcome"] == "VERDICT");
    if closure.is_none() {
        findings.incomplete(HISTORY, "the execution ended without a verdict");
    }
    Some(Ending { execution, closure })
}
