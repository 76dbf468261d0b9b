//! `tests/verify/signature_readers/read.py`: sidecars read by tools of others.

use std::path::{Path, PathBuf};
use std::process::Command;

use p1_contract::attestation::{VERDICT_SIDECAR, VSA_SIDECAR};
use p1_local::progress::Lines;
use p1_local::{Checkout, Tools};

/// Whether every envelope below `dir` is accepted under the key, and the output.
pub async fn read(dir: &Path, key: &Path) -> (bool, String) {
    let checkout = Checkout::default();
    let requirements = checkout.root().join("tests/verify/signature_readers/requirements.txt");
    let python = Tools::environment(&checkout, "readers", &requirements, &Lines).await;
    let python = python.unwrap_or_else(|error| panic!("cannot set up the readers: {error}"));
    let mut sidecars = Vec::new();
    collect(&dir.join("evidence"), &mut sidecars);
    sidecars.sort();
    assert!(!sidecars.is_empty(), "{} holds no sidecars", dir.display());
    let script = checkout.root().join("tests/verify/signature_readers/read.py");
    let output = Command::new(python)
        .arg(script)
        .arg(key)
        .args(&sidecars)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let accepted = text.lines().filter(|line| line.starts_with("accepted ")).count();
    match output.status.code() {
        Some(0) => assert_eq!(accepted, sidecars.len(), "{text}"),
        // An uncaught exception exits with 1 too, and says nothing of a sidecar.
        Some(1) if text.lines().count() == sidecars.len() => assert!(accepted < sidecars.len(), "{text}"),
        _ => panic!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)),
    }
    (output.status.success(), text)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if [VERDICT_SIDECAR, VSA_SIDECAR].iter().any(|name| path.ends_with(name)) {
            found.push(path);
        }
    }
}
