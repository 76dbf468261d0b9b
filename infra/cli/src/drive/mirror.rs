//! The local copy of an execution's evidence. Every object lies at its key below the folder and is checked against the hash in
//! the summaries. `objects.json`, `object_versions.json` and `execution_history.json` lie beside the objects.
//!
//! Objects below the run's root that are not P1's are no evidence. They are counted and named, but not mirrored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use p1_audit::evidence_set::{HISTORY, ListedObject, OBJECTS, VERSIONS};
use p1_audit::object_versions::{Foreign, ObjectVersions, ghost_problem};
use p1_audit::{history, text};
use p1_contract::canonical;
use p1_contract::ids::{PlatformRunId, S3Key};
use p1_contract::ledger::LedgerRecord;
use serde::Serialize;
use serde_json::{Value, json};

use crate::atomic;
use crate::bucket::census::{Census, ghosts};
use crate::bucket::chain::{Chain, verified};
use crate::bucket::evidence::{Evidence, Listed, fetch};
use crate::exit::CliError;

/// The root of all evidence.
const EVIDENCE_ROOT: &str = "evidence/";
/// The folder for further versions of a key that already has a file.
const OTHER_VERSIONS: &str = "other_versions";

/// A mirror, and what is wrong with the evidence.
#[derive(Debug)]
pub struct Mirror {
    /// The objects, as `objects.json` lists them.
    pub objects: Vec<ListedObject>,
    /// Objects that are missing, differ from what the summaries list, or have a key that was overwritten or deleted. An object
    /// that differs is not in the mirror.
    pub problems: Vec<String>,
    /// Objects below the run's root that are not P1's.
    pub foreign: Foreign,
}

/// What is to be mirrored.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The execution, and all events of the engine. `None` if the engine has forgotten it.
    pub execution: Option<(&'a str, &'a [Value])>,
    /// The objects that the summaries list.
    pub chain: &'a Chain,
    /// The run. Everything of P1's below its root is mirrored. `None` if the execution has no run.
    pub run: Option<&'a PlatformRunId>,
    /// The M2 receipt that started the execution.
    pub receipt_key: Option<&'a str>,
}

/// Mirrors the evidence into `dir`, which is new or empty. An object that differs from what the summaries list is a problem; the
/// others are still mirrored.
///
/// # Errors
/// Returns a fault that names the file or the folder if the bucket cannot be listed or the mirror cannot be written.
pub async fn mirror(evidence: &Evidence, wanted: &Wanted<'_>, dir: &Path) -> Result<Mirror, CliError> {
    let census = Census::take(evidence, wanted.chain, wanted.run, &[]).await;
    if let Some((_, error)) = census.unlisted.first() {
        return Err(CliError::from(error.clone()));
    }
    let (mut fetched, mut problems) = (Vec::new(), Vec::new());
    let listed = complete(evidence, wanted, &census, &mut problems).await?;
    for (listed, read) in fetch(evidence, listed).await {
        let object = read.map_err(CliError::from);
        match object.and_then(|object| verified(&listed.key, listed.sha256.as_ref(), object)) {
            Ok(object) => fetched.push((listed, object)),
            Err(error) => problems.push(error.to_string()),
        }
    }
    let records = fetched.iter().filter(|(listed, _)| is_record(wanted.run, &listed.key));
    let records = records.filter_map(|(_, object)| LedgerRecord::parse(&object.bytes).ok());
    let versions = ObjectVersions {
        ghosts: ghosts(evidence, wanted.chain, records.collect::<Vec<_>>()).await?,
        foreign: Foreign::of(&census.foreign),
        keys: census.histories(),
    };
    for history in &versions.keys {
        let of_key = history.problems().into_iter();
        problems.extend(of_key.map(|problem| format!("{} {problem}", history.key)));
    }
    problems.extend(ghost_problem(&versions.ghosts));
    problems.sort();
    // The version that a summary lists comes first and gets the file at the key. An unlisted version never replaces it.
    fetched.sort_by(|(a, _), (b, _)| {
        (&a.key, a.sha256.is_none(), &a.version_id).cmp(&(&b.key, b.sha256.is_none(), &b.version_id))
    });

    let mut objects = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for (listed, object) in fetched {
        let entry = object.listed(&listed.key);
        if objects.contains(&entry) {
            continue;
        }
        let is_first = keys.insert(listed.key.clone());
        let other_version = entry.version_id.as_deref().filter(|_| !is_first);
        atomic::write(&place(dir, &listed.key, other_version)?, &object.bytes)?;
        objects.insert(entry);
    }
    let objects: Vec<ListedObject> = objects.into_iter().collect();
    write_document(&dir.join(OBJECTS), &objects)?;
    write_document(&dir.join(VERSIONS), &versions)?;
    if let Some((execution_arn, events)) = wanted.execution {
        let events: Vec<Value> = events.iter().cloned().map(history::readable).collect();
        let history = json!({"execution_arn": execution_arn, "events": events});
        write_document(&dir.join(HISTORY), &history)?;
    }
    Ok(Mirror {
        objects,
        problems,
        foreign: versions.foreign,
    })
}

fn is_record(run: Option<&PlatformRunId>, key: &S3Key) -> bool {
    run.is_some_and(|run| key.as_str().starts_with(&run.ledger_prefix()))
}

/// The objects that the summaries list, and the unlisted ones beside them: the rest of the phase folders and of the ledger, and
/// the receipt. An object behind a delete marker is fetched by its version.
async fn complete(
    evidence: &Evidence,
    wanted: &Wanted<'_>,
    census: &Census,
    problems: &mut Vec<String>,
) -> Result<BTreeSet<Listed>, CliError> {
    let mut listed = wanted.chain.listed.clone();
    let known: BTreeSet<S3Key> = listed.iter().map(|listed| listed.key.clone()).collect();
    if let Some(key) = wanted.receipt_key.and_then(|key| S3Key::parse(key).ok())
        && !known.contains(&key)
        && evidence.get(key.as_str(), None).await?.is_some()
    {
        listed.insert(Listed {
            key,
            version_id: None,
            sha256: None,
        });
    }
    for (key, versions) in &census.versions {
        let key = match S3Key::parse(key) {
            Ok(key) if !key.as_str().contains('\\') => key,
            _ => {
                problems.push(format!(
                    "a folder of P1 holds {}, a key that P1 never writes; it is not mirrored",
                    text::brief(key, 200)
                ));
                continue;
            }
        };
        let latest = versions.iter().find(|version| !version.is_delete_marker);
        if let Some(latest) = latest.filter(|_| !known.contains(&key)) {
            let is_hidden = versions.first().is_some_and(|version| version.is_delete_marker);
            listed.insert(Listed {
                key,
                version_id: latest.version_id.clone().filter(|_| is_hidden),
                sha256: None,
            });
        }
    }
    Ok(listed)
}

/// The file of an object: its key below the folder. A further version of a key goes below a folder of that version.
fn place(dir: &Path, key: &S3Key, other_version: Option<&str>) -> Result<PathBuf, CliError> {
    let refuse = |what: &str| Err(CliError::fault(format!("failed to mirror {key}: {what}")));
    // An `S3Key` has no empty, `.` or `..` part and no leading slash. On other systems a backslash would be a separator.
    if !key.as_str().starts_with(EVIDENCE_ROOT) || key.as_str().contains('\\') {
        return refuse("its key is not a path below evidence/");
    }
    let base = match other_version {
        None => dir.to_owned(),
        Some(version) if is_plain(version) => dir.join(OTHER_VERSIONS).join(version),
        Some(_) => return refuse("its version id is not a plain name"),
    };
    Ok(key.as_str().split('/').fold(base, |path, part| path.join(part)))
}

fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=128).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('.')
}

fn write_document(path: &Path, document: &impl Serialize) -> Result<(), CliError> {
    let what = format!("write {}", path.display());
    let value = serde_json::to_value(document).map_err(|error| CliError::failed(&what, &error))?;
    let bytes = canonical::to_document(&value).map_err(|error| CliError::failed(&what, &error))?;
    atomic::write(path, &bytes)
}

/// The default folder of an execution's mirror, below the build folder.
#[must_use]
pub fn default_dir(target: &Path, execution_name: &str) -> PathBuf {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name = execution_name.chars().map(|c| if plain(c) { c } else { '_' });
    let name: String = name.take(80).collect();
    target.join("p1").join("evidence").join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_leaves_the_folder() {
        let dir = Path::new("/mirror");
        let key = |text: &str| S3Key::parse(text).unwrap();
        assert_eq!(
            place(dir, &key("evidence/a/b.json"), None).unwrap(),
            Path::new("/mirror/evidence/a/b.json")
        );
        assert_eq!(
            place(dir, &key("evidence/a"), Some("v-1")).unwrap(),
            Path::new("/mirror/other_versions/v-1/evidence/a")
        );
        for outside in [
            "objects.json",
            "execution_history.json",
            "evidence\\..\\x",
            "x/evidence/a",
            "evidence/..\\x",
        ] {
            assert!(place(dir, &key(outside), None).is_err(), "{outside}");
        }
        for outside in [
            "../evidence/a",
            "/evidence/a",
            "evidence/../../a",
            "evidence//a",
            "evidence/./a",
        ] {
            assert!(S3Key::parse(outside).is_err(), "{outside}");
        }
        for version in ["..", "a/b", "", ".x"] {
            assert!(place(dir, &key("evidence/a"), Some(version)).is_err(), "{version}");
        }
    }

    #[test]
    fn the_default_folder_is_one_plain_name() {
        let dir = default_dir(Path::new("/t"), "../../etc/x:1");
        assert_eq!(dir, Path::new("/t/p1/evidence/______etc_x_1"));
    }
}
