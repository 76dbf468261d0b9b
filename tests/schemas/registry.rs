//! The schemas of the catalogue, and the artifacts that the sources declare.

use std::collections::BTreeMap;
use std::path::Path;

use p1_contract::catalogue;
use serde_json::Value;

use crate::project_root;

/// The schema of every artifact, by name.
pub(crate) fn schemas() -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for entry in catalogue::all() {
        let before = all.insert(entry.name.clone(), entry.schema());
        assert!(before.is_none(), "{} stands twice", entry.name);
    }
    all
}

/// The names that the sources declare with `artifact!`, the one way to declare an artifact.
pub(crate) fn declared_artifacts() -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["shared", "functions"] {
        collect(&project_root().join(folder), &mut names);
    }
    assert!(names.len() > 30, "`artifact!` is not what declares artifacts any more");
    names
}

fn collect(folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let declarations = text.split("\nartifact!(").skip(1);
            names.extend(declarations.map(|rest| rest.split('"').nth(1).unwrap().to_owned()));
            let by_hand = text.contains("evidence::Body for") && !text.contains("macro_rules! artifact");
            assert!(!by_hand, "{} declares an artifact without `artifact!`", path.display());
        }
    }
}
