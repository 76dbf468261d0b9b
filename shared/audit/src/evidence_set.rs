//! Evidence in memory: the objects of a run by key, and what their source says about them. This module does no I/O.

use std::collections::{BTreeMap, BTreeSet};

use p1_contract::canonical::{self, CanonicalError};
use p1_contract::cause::chain;
use p1_contract::evidence::{Body, Document, DocumentOf, ExecutionSummary, split};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{Environment, ExecutionArn, environments_of};
use p1_contract::observations::phase_entry::ReadDocument;
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
/// The largest object of evidence in bytes. No step writes a larger one, or reads one.
pub const LARGEST_OBJECT: u64 = 4 << 20;
/// The largest document in bytes that a mirror holds beside the evidence. A history may have many events.
pub const LARGEST_LIST: u64 = 64 << 20;
/// How many bytes of objects are read at most, all of them together.
pub const MOST_BYTES: u64 = 256 << 20;
/// The longest key in bytes that S3 allows.
pub const LONGEST_KEY: usize = 1024;
/// A history may have many events; every other document is small.
const LIMITS: Limits = Limits {
    max_bytes: 64 << 20,
    max_depth: 64,
};

/// Why the content of a file of a mirror is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It is no ordinary file or folder: a link, a pipe, a socket, a device; or its name is no text.
    NoFile,
    /// Its path is longer than any key. What lies below it is not looked at.
    NoKey,
    /// It has this many bytes, more than anything that P1 writes or reads.
    TooLarge(u64),
    /// The files before it have used up [`MOST_BYTES`].
    TooMuch,
    /// The system refused to read it, for this reason. It may be a folder.
    Failed(String),
}

impl Unread {
    /// Whether the file may be of another writer, and then is as good as any other of such files.
    fn may_be_foreign(&self) -> bool {
        matches!(self, Self::TooLarge(_) | Self::TooMuch)
    }

    /// Adds the finding about the file.
    pub(crate) fn report(&self, subject: &str, findings: &mut Findings) {
        match self {
            Self::NoFile => findings.tampered(subject, "is no ordinary file with a readable name"),
            Self::NoKey => findings.tampered(subject, "has a longer path than a key of S3 can have; it is not read"),
            Self::TooLarge(bytes) => findings.tampered(
                subject,
                format!("has {bytes} bytes, more than anything that P1 writes; it is not read"),
            ),
            Self::TooMuch => findings.incomplete(
                subject,
                format!(
                    "is not read: the files before it have more than {} MiB",
                    MOST_BYTES >> 20
                ),
            ),
            Self::Failed(why) => findings.incomplete(subject, format!("cannot be read: {why}")),
        }
    }
}

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

/// The outcome that an execution ended with, as its output or the cause of its failure names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// M3.J's verdict.
    Verdict,
    /// One state of a rerun ran alone.
    SingleState,
    /// A rerun was refused.
    RerunRefused,
    /// A later phase was admitted.
    PhaseAdmitted,
    /// A later phase was refused.
    EntryRefused,
}

impl Outcome {
    /// The outcome of this name. One state alone ends in a success, and a refused rerun in a failure.
    fn of(word: &str, succeeded: bool) -> Option<Self> {
        match (word, succeeded) {
            ("VERDICT", _) => Some(Self::Verdict),
            ("SINGLE_STATE", true) => Some(Self::SingleState),
            ("RERUN_REFUSED", false) => Some(Self::RerunRefused),
            ("PHASE_ADMITTED", _) => Some(Self::PhaseAdmitted),
            ("ENTRY_REFUSED", _) => Some(Self::EntryRefused),
            _ => None,
        }
    }
}

/// What the engine says about the execution: its ARN, and what it ended with.
#[derive(Debug)]
pub struct Ending {
    /// The execution.
    pub execution: ExecutionArn,
    /// The outcome. `None` if the execution ended without any.
    pub outcome: Option<Outcome>,
    /// The closure that it ended with. `None` without an outcome.
    pub closure: Option<ClosureRef>,
    /// Everything that the output, or the cause of the failure, says. Null if the source does not hold it.
    pub said: Value,
}

impl Ending {
    /// The closure that it ended with, if this is the outcome.
    #[must_use]
    pub fn closure_of(&self, outcome: Outcome) -> Option<&ClosureRef> {
        self.closure.as_ref().filter(|_| self.outcome == Some(outcome))
    }
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
    /// Files of a mirror that are there and were not read, unless a finding has said so already. Whether such a file is of another
    /// writer is only known when the chain is.
    pub not_read: BTreeMap<String, Unread>,
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
    /// Builds the set from a mirrored directory. `files` are the files that were read, by their path below the directory, with `/`
    /// between the parts. `unread` are all the others.
    #[must_use]
    pub fn from_mirror(
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
        unread: impl IntoIterator<Item = (String, Unread)>,
    ) -> Self {
        let mut set = EvidenceSet::default();
        let (mut beside, mut is_overwritten) = (BTreeMap::new(), false);
        for (path, bytes) in files {
            if path.starts_with("evidence/") {
                if is_of_system(&path) {
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
        let mut not_read_beside = BTreeSet::new();
        for (path, why) in unread {
            if !path.starts_with("evidence/") {
                why.report(&path, &mut findings);
                not_read_beside.insert(path);
            } else if !why.may_be_foreign() {
                why.report(&path, &mut findings);
                set.unread.insert(path);
            } else if is_of_system(&path) {
                set.foreign.push(path);
            } else {
                set.unread.insert(path.clone());
                set.not_read.insert(path, why);
            }
        }
        if is_overwritten {
            findings.tampered("other_versions", "a key has more than one version: it was overwritten");
        }
        let mut document = |name: &str, findings: &mut Findings| {
            let bytes = beside.remove(name);
            if bytes.is_none() && !not_read_beside.contains(name) && name != VERSIONS {
                findings.incomplete(name, "is not there");
            }
            parse(&bytes?, name, findings)
        };
        if let Some(list) = document(OBJECTS, &mut findings) {
            set.listed = listed(list, &mut findings);
            compare(&set, &mut findings);
            let is_unlisted = |key: &&String| !set.listed.contains_key(*key);
            let there = set.files.keys().chain(set.not_read.keys());
            set.unlisted = there.filter(is_unlisted).cloned().collect();
        }
        // Mirrors of earlier versions do not have this file.
        if let Some(versions) = document(VERSIONS, &mut findings) {
            let foreign = versions_of(versions, &mut findings);
            set.foreign_unnamed = foreign.count.saturating_sub(foreign.keys.len() as u64);
            set.foreign.extend(foreign.keys);
        }
        set.history = document(HISTORY, &mut findings);
        set.ending = set.history.as_ref().and_then(|history| ending(history, &mut findings));
        set.findings = findings;
        set
    }
}

impl EvidenceSet {
    /// The environments that the keys are of, in order. More than one is a finding of [`verify`](crate::verify).
    #[must_use]
    pub fn environments(&self) -> BTreeSet<Environment> {
        environments_of(self.files.keys().map(String::as_str))
    }

    /// The environment that the evidence is of: the one that its keys name, or the default where no step left anything.
    #[must_use]
    pub fn environment(&self) -> Environment {
        self.environments().pop_first().unwrap_or_default()
    }

    /// Adds a document that M3.J's function read for a phase entry. Its content is canonical JSON, so it gives the bytes.
    ///
    /// # Errors
    /// Fails if the content is not JSON that P1 writes.
    pub fn put(&mut self, document: &ReadDocument) -> Result<(), CanonicalError> {
        let object = &document.object;
        let bytes = canonical::to_document(&document.content)?;
        let listed = ListedObject {
            key: object.key.to_string(),
            version_id: object.version_id.clone(),
            etag: String::new(),
            sha256: object.sha256.clone(),
            bytes: object.bytes,
        };
        let sha256 = Sha256Hex::of(&bytes);
        self.listed.insert(object.key.to_string(), listed);
        self.files.insert(object.key.to_string(), File { bytes, sha256 });
        Ok(())
    }

    /// The version id of the object at `key`, if the source lists it.
    #[must_use]
    pub fn version(&self, key: &str) -> Option<String> {
        self.listed.get(key)?.version_id.clone()
    }

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
    pub fn document<B: Body>(&self, key: &str) -> Result<DocumentOf<B>, String> {
        let file = self.files.get(key).ok_or("it is not there")?;
        DocumentOf::<B>::parse(&file.bytes).map_err(|error| chain(&error))
    }

    /// Parses the closing summary called `name` at `key`.
    ///
    /// # Errors
    /// Fails if the object is missing or is not a closing summary. The error says why.
    pub fn summary(&self, key: &str, name: &str) -> Result<Document<ExecutionSummary>, String> {
        split(self.value(key)?, name).map_err(|error| chain(&error))
    }
}

/// Whether a file is one that an operating system put into a folder.
fn is_of_system(path: &str) -> bool {
    OF_SYSTEMS.contains(&path.rsplit('/').next().unwrap_or_default())
}

/// Parses a canonical document that lies beside the evidence. Returns `None` and adds a finding if that fails.
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

fn compare(set: &EvidenceSet, findings: &mut Findings) {
    for (key, object) in &set.listed {
        match set.files.get(key) {
            // What is listed is no other writer's, so the reason why it was not read is said here.
            None if set.unread.contains(key) => {
                if let Some(why) = set.not_read.get(key) {
                    why.report(key, findings);
                }
            }
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
    let text = |pointer: &str| last.and_then(|event| event.pointer(pointer)).and_then(Value::as_str);
    let output = text("/executionSucceededEventDetails/output");
    let word = output.or_else(|| text("/executionFailedEventDetails/cause"));
    let said: Value = word
        .and_then(|word| serde_json::from_str(word).ok())
        .unwrap_or_default();
    let named: Option<ClosureRef> = serde_json::from_value(said["closure"].clone()).ok();
    if named.is_none() && !said["closure"].is_null() {
        findings.tampered(HISTORY, "the closure that it ended with is none");
    }
    let word = said["outcome"].as_str().unwrap_or_default();
    let outcome = Outcome::of(word, output.is_some());
    let is_duplicate = word == "DUPLICATE_DELIVERY";
    if outcome.is_some() != named.is_some() || (output.is_some() && outcome.is_none() && !is_duplicate) {
        findings.tampered(HISTORY, "the outcome that it ended with is none");
    }
    let outcome = outcome.filter(|_| named.is_some());
    if outcome.is_none() {
        findings.incomplete(HISTORY, "the execution ended without a verdict");
    }
    Some(Ending {
        execution,
        outcome,
        closure: named.filter(|_| outcome.is_some()),
        said,
    })
}
