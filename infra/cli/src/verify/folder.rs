//! An evidence directory as it lies there: the files, `objects.json`, and the engine's last word.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use p1_contract::canonical;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::ExecutionArn;
use p1_contract::reference::ClosureRef;
use p1_contract::strict::{Limits, parse_strict};
use serde::Deserialize;
use serde_json::Value;

use super::Findings;
use crate::run::census::{Foreign, ObjectVersions};

const OBJECTS: &str = "objects.json";
const HISTORY: &str = "execution_history.json";
/// What the bucket said of its keys. Mirrors of earlier versions do not have it.
const VERSIONS: &str = "object_versions.json";
/// What operating systems leave in a folder that somebody looked into. They are named for what they are.
const OF_SYSTEMS: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];
/// A history may have many events; every other document is small.
const LIMITS: Limits = Limits {
    max_bytes: 64 << 20,
    max_depth: 64,
};

/// Why a directory cannot be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is not a directory with evidence in it.
    #[error(
        "{0} is no evidence directory: it has neither evidence/ nor objects.json; name a folder that `cargo p1 run --out` wrote"
    )]
    NoEvidence(PathBuf),
    /// A file or folder cannot be read.
    #[error("failed to read {path}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A file below `evidence/`.
#[derive(Debug)]
pub struct File {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their hash.
    pub sha256: Sha256Hex,
}

/// What `objects.json` says of an object.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    key: String,
    /// Its version.
    pub version_id: Option<String>,
    /// Its entity tag.
    pub etag: String,
    sha256: Sha256Hex,
    bytes: u64,
}

impl Listed {
    /// What a bucket says of an object.
    pub(super) fn new(key: &str, version_id: Option<String>, etag: &str, sha256: Sha256Hex, bytes: u64) -> Self {
        Listed {
            key: key.to_owned(),
            version_id,
            etag: etag.to_owned(),
            sha256,
            bytes,
        }
    }
}

/// What the engine says of the execution: who it was, and which closure it ended with.
#[derive(Debug)]
pub struct Ending {
    /// The execution.
    pub execution: ExecutionArn,
    /// M3.J's closure; none where the execution ended without a verdict.
    pub closure: Option<ClosureRef>,
}

/// The directory.
#[derive(Debug)]
pub struct Folder {
    /// Every file below `evidence/`, by key.
    pub files: BTreeMap<String, File>,
    /// What `objects.json`, or the bucket, lists, by key.
    pub listed: BTreeMap<String, Listed>,
    /// Keys whose objects could not be read: nothing is known of them.
    pub unread: BTreeSet<String>,
    /// Files below `evidence/` that `objects.json` does not list.
    pub unlisted: Vec<String>,
    /// What is no evidence: objects of others below the run's root, files of operating systems.
    pub foreign: Vec<String>,
    /// How many more there were in the bucket, which a mirror counts and does not name.
    pub foreign_unnamed: u64,
    /// The engine's last word.
    pub ending: Option<Ending>,
}

impl Folder {
    /// Reads the directory as it is, for those who do not judge it.
    pub(crate) fn unchecked(dir: &Path) -> Result<Self, Unusable> {
        Self::read(dir, &mut Findings::default())
    }

    /// Reads the directory, and holds `objects.json` against the files.
    pub(super) fn read(dir: &Path, findings: &mut Findings) -> Result<Self, Unusable> {
        let root = dir.join("evidence");
        if !root.is_dir() && !dir.join(OBJECTS).is_file() {
            return Err(Unusable::NoEvidence(dir.to_owned()));
        }
        let (mut files, mut foreign) = (BTreeMap::new(), Vec::new());
        if root.is_dir() {
            collect(&root, "evidence", &mut files, findings)?;
            let of_system = |key: &str| OF_SYSTEMS.contains(&key.rsplit('/').next().unwrap_or_default());
            foreign.extend(files.keys().filter(|key| of_system(key)).cloned());
            files.retain(|key, _| !of_system(key));
        }
        if dir.join("other_versions").exists() {
            findings.tampered("other_versions", "a key has more than one version: it was overwritten");
        }
        let listed = document(dir, OBJECTS, findings)?.map(|value| listed(value, findings));
        let mut unlisted = Vec::new();
        if let Some(listed) = &listed {
            compare(&files, listed, findings);
            unlisted.extend(files.keys().filter(|key| !listed.contains_key(*key)).cloned());
        }
        let mut foreign_unnamed = 0;
        if dir.join(VERSIONS).exists() {
            let versions = document(dir, VERSIONS, findings)?;
            let said = versions.map(|value| versions_of(value, findings)).unwrap_or_default();
            foreign_unnamed = said.count.saturating_sub(said.keys.len() as u64);
            foreign.extend(said.keys);
        }
        let ending = document(dir, HISTORY, findings)?.and_then(|history| ending(&history, findings));
        Ok(Folder {
            files,
            listed: listed.unwrap_or_default(),
            unread: BTreeSet::new(),
            unlisted,
            foreign,
            foreign_unnamed,
            ending,
        })
    }
}

fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Unusable {
    let path = path.to_owned();
    |source| Unusable::Unreadable { path, source }
}

fn collect(
    folder: &Path,
    key: &str,
    files: &mut BTreeMap<String, File>,
    findings: &mut Findings,
) -> Result<(), Unusable> {
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let entry = entry.map_err(unreadable(folder))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(unreadable(&path))?;
        let name = entry.file_name();
        let key = format!("{key}/{}", name.to_string_lossy());
        if name.to_str().is_none() || !(kind.is_dir() || kind.is_file()) {
            findings.tampered(key, "is no ordinary file with a readable name");
        } else if kind.is_dir() {
            collect(&path, &key, files, findings)?;
        } else {
            let bytes = fs::read(&path).map_err(unreadable(&path))?;
            let sha256 = Sha256Hex::of(&bytes);
            files.insert(key, File { bytes, sha256 });
        }
    }
    Ok(())
}

/// A canonical document beside the evidence; none, with a finding, where there is none.
fn document(dir: &Path, name: &str, findings: &mut Findings) -> Result<Option<Value>, Unusable> {
    let path = dir.join(name);
    if !path.is_file() {
        findings.incomplete(name, "is not there");
        return Ok(None);
    }
    let bytes = fs::read(&path).map_err(unreadable(&path))?;
    match parse_strict(&bytes, LIMITS) {
        Ok(value) if canonical::to_document(&value).is_ok_and(|again| again == bytes) => Ok(Some(value)),
        Ok(_) => {
            findings.tampered(name, "is not canonical JSON");
            Ok(None)
        }
        Err(error) => {
            findings.tampered(name, error.to_string());
            Ok(None)
        }
    }
}

fn listed(value: Value, findings: &mut Findings) -> BTreeMap<String, Listed> {
    let list: Vec<Listed> = match serde_json::from_value(value) {
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

fn compare(files: &BTreeMap<String, File>, listed: &BTreeMap<String, Listed>, findings: &mut Findings) {
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

/// What the bucket said of its keys when it was mirrored; gives the foreign ones.
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

/// The execution, and the closure in its output or in the cause of its failure.
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
    let closure = serde_json::from_value(outcome["closure"].clone()).ok();
    let closure = closure.filter(|_| outcome["outcome"] == "VERDICT");
    if closure.is_none() {
        findings.incomplete(HISTORY, "the execution ended without a verdict");
    }
    Some(Ending { execution, closure })
}
