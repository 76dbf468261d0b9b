//! A forger who changes a document and every hash above it: only what the evidence means tells.

use std::collections::VecDeque;

use p1_contract::canonical::to_document;
use p1_contract::hash::Sha256Hex;
use serde_json::{Value, json};

use crate::damage::Files;

/// `files` with `edit` made to every document of this name, and everything that names them made to fit.
pub(crate) fn forged(files: &Files, name: &str, mut edit: impl FnMut(&mut Value)) -> Files {
    let mut files = files.clone();
    let mut changed = VecDeque::new();
    for (key, bytes) in &mut files {
        if key.ends_with(name) {
            let mut document: Value = serde_json::from_slice(bytes).unwrap();
            edit(&mut document);
            changed.push_back((key.clone(), Sha256Hex::of(bytes)));
            *bytes = to_document(&document).unwrap();
        }
    }
    assert!(!changed.is_empty(), "there is no {name}");
    while let Some((key, old)) = changed.pop_front() {
        let (new, length) = (Sha256Hex::of(&files[&key]), files[&key].len());
        for (path, bytes) in &mut files {
            let text = String::from_utf8_lossy(bytes).into_owned();
            if !text.contains(old.as_str()) || *path == key {
                continue;
            }
            let mut document: Value = match serde_json::from_str(&text.replace(old.as_str(), new.as_str())) {
                Ok(document) => document,
                Err(_) => continue,
            };
            resize(&mut document, new.as_str(), length);
            changed.push_back((path.clone(), Sha256Hex::of(bytes)));
            *bytes = to_document(&document).unwrap();
        }
    }
    files
}

fn resize(value: &mut Value, sha256: &str, length: usize) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| resize(item, sha256, length)),
        Value::Object(fields) => {
            if fields.get("sha256").is_some_and(|found| found == sha256) && fields.contains_key("bytes") {
                fields.insert("bytes".to_owned(), json!(length));
            }
            fields.values_mut().for_each(|field| resize(field, sha256, length));
        }
        _ => {}
    }
}
