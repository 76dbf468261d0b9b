//! Every way to damage a directory: one change each, of one file or two.

use std::collections::BTreeMap;

use p1_contract::canonical::to_document;
use p1_contract::hash::Sha256Hex;
use serde_json::{Value, json};

/// The files of a directory, by path.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

const OBJECTS: &str = "objects.json";

/// One damage.
pub(crate) struct Damage {
    /// What was done.
    pub(crate) what: String,
    /// The exit status that it must have.
    pub(crate) expected: u8,
    /// The files that change; none is a file that goes.
    pub(crate) changes: Vec<(String, Option<Vec<u8>>)>,
}

fn damage(what: &str, path: &str, expected: u8, changes: Vec<(String, Option<Vec<u8>>)>) -> Damage {
    let what = format!("{what} {path}");
    Damage {
        what,
        expected,
        changes,
    }
}

/// Every damage of `files`. `other` is another run's directory.
pub(crate) fn all(files: &Files, other: &Files) -> Vec<Damage> {
    let mut all = Vec::new();
    let one = |path: &str, bytes: Vec<u8>| vec![(path.to_owned(), Some(bytes))];
    let paths: Vec<&String> = files.keys().collect();
    for (index, path) in paths.iter().enumerate() {
        let bytes = &files[*path];
        let flipped = flip(bytes);
        all.push(damage("flip a byte of", path, 2, one(path, flipped.clone())));
        all.push(damage(
            "truncate",
            path,
            2,
            one(path, bytes[..bytes.len() / 2].to_vec()),
        ));
        all.push(damage("delete", path, 3, vec![((*path).clone(), None)]));
        all.push(damage("add a field to", path, 2, one(path, with_a_field(path, bytes))));
        let next = paths[(index + 1) % paths.len()];
        if files[next] != *bytes {
            let swapped = vec![
                ((*path).clone(), Some(files[next].clone())),
                (next.clone(), Some(bytes.clone())),
            ];
            all.push(damage("swap with the next", path, 2, swapped));
        }
        if let Some(replacement) = of_same_name(other, path).filter(|replacement| *replacement != bytes) {
            all.push(damage(
                "replace by another run's",
                path,
                2,
                one(path, replacement.clone()),
            ));
        }
        if path.starts_with("evidence/") {
            // The list goes along with the damage: only the chain can tell.
            let relisted = |expected, what: &str, bytes: Option<Vec<u8>>| {
                let list = relist(files, path, bytes.as_deref());
                damage(
                    what,
                    path,
                    expected,
                    vec![((*path).clone(), bytes), (OBJECTS.to_owned(), Some(list))],
                )
            };
            all.push(relisted(2, "flip a byte of, and list,", Some(flipped)));
            all.push(relisted(
                2,
                "add a field to, and list,",
                Some(with_a_field(path, bytes)),
            ));
            all.push(relisted(3, "delete, and do not list,", None));
        }
    }
    for path in [
        "evidence/foreign.json",
        "evidence/runs/platform_20200101T000000Z/run.json",
        "evidence/runs/platform_20200101T000000Z/ledger/000001.json",
        "evidence/dev_full/run_control/.hidden",
    ] {
        let bytes = files
            .iter()
            .find(|(path, _)| path.ends_with("/ledger/000001.json"))
            .unwrap()
            .1
            .clone();
        let list = relist(files, path, Some(&bytes));
        all.push(damage("add the foreign file", path, 2, one(path, bytes.clone())));
        let listed = vec![(path.to_owned(), Some(bytes)), (OBJECTS.to_owned(), Some(list))];
        all.push(damage("add, and list, the foreign file", path, 2, listed));
    }
    let (path, bytes) = files
        .iter()
        .find(|(path, _)| path.ends_with("/ledger/000001.json"))
        .unwrap();
    let version = format!("other_versions/v1/{path}");
    all.push(damage("add a version", path, 2, vec![(version, Some(bytes.clone()))]));
    let mut twice: Value = serde_json::from_slice(&files[OBJECTS]).unwrap();
    let first = twice[0].clone();
    twice.as_array_mut().unwrap().insert(0, first);
    all.push(damage(
        "list a version twice in",
        OBJECTS,
        2,
        one(OBJECTS, to_document(&twice).unwrap()),
    ));
    all
}

fn flip(bytes: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bytes.len() / 2] ^= 1;
    flipped
}

/// Rendered canonically, where it is JSON.
fn with_a_field(path: &str, bytes: &[u8]) -> Vec<u8> {
    if !path.ends_with(".json") {
        return [bytes, b"One line more.\n"].concat();
    }
    let mut document: Value = serde_json::from_slice(bytes).unwrap();
    let object = if document.is_array() {
        &mut document[0]
    } else {
        &mut document
    };
    object["zz_added"] = json!(true);
    to_document(&document).unwrap()
}

fn of_same_name<'a>(other: &'a Files, path: &str) -> Option<&'a Vec<u8>> {
    let name = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let candidates = other
        .iter()
        .filter(|(candidate, _)| candidate.contains('/') == path.contains('/'));
    candidates
        .filter(|(candidate, _)| name(candidate) == name(path))
        .map(|(_, bytes)| bytes)
        .next()
}

/// `objects.json` with the entry of `path` made to fit.
pub(crate) fn relist(files: &Files, path: &str, bytes: Option<&[u8]>) -> Vec<u8> {
    let mut list: Vec<Value> = serde_json::from_slice(&files[OBJECTS]).unwrap();
    let place = list.iter().position(|entry| entry["key"] == path);
    match (place, bytes) {
        (Some(place), None) => drop(list.remove(place)),
        (Some(place), Some(bytes)) => {
            list[place]["sha256"] = json!(Sha256Hex::of(bytes));
            list[place]["bytes"] = json!(bytes.len());
        }
        (None, bytes) => {
            let bytes = bytes.unwrap_or_default();
            list.push(json!({
                "key": path, "version_id": "v9", "etag": "e", "sha256": Sha256Hex::of(bytes), "bytes": bytes.len(),
            }));
        }
    }
    to_document(&Value::Array(list)).unwrap()
}
