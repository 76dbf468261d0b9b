//! The bytes of evidence do not change: every object of an advance, of holds and of a resumed run has the hash that the list
//! in this folder gives it.
//!
//! A list is rewritten by `UPDATE=1 cargo test -p p1-tests --test golden`. That is a change of the evidence, and belongs into
//! the changelog: runs that were pinned before it are pinned by other bytes. It also needs a new revision (or version of the rules
//! for secrets) once evidence of this one has been written in the field: `verify` computes steps again, and would call that
//! evidence tampered.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

use std::fmt::Write as _;
use std::path::Path;

use m3j_phase_verdict::Signer;
use p1_contract::hash::Sha256Hex;
use p1_tests::runs::{Mirrored, advanced, held, held_at_once, resumed};
use p1_tests::world::signer;

const START: &str = "2026-02-23T17:43:07.250Z";

/// One line an object: SHA-256 and key, in the order of the keys.
fn list(run: &Mirrored) -> String {
    let mut list = String::new();
    for (key, bytes) in run.files.iter().filter(|(key, _)| key.starts_with("evidence/")) {
        writeln!(list, "{}  {key}", Sha256Hex::of(bytes)).unwrap();
    }
    list
}

fn hold_against_the_list(name: &str, run: &Mirrored) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/{name}.sha256"));
    let (found, least) = (list(run), 15);
    assert!(found.lines().count() > least, "{name} holds fewer than {least} objects");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    let other: Vec<_> = found
        .lines()
        .filter(|line| !golden.lines().any(|known| known == *line))
        .collect();
    assert!(
        golden == found,
        "{name}: the evidence has other bytes than {}:\n{}",
        path.display(),
        other.join("\n")
    );
}

#[tokio::test]
async fn an_advance_has_the_bytes_that_it_always_had() {
    hold_against_the_list("advanced", &advanced(START, signer(1)).await);
}

#[tokio::test]
async fn a_hold_has_the_bytes_that_it_always_had() {
    hold_against_the_list("held", &held(START, signer(1)).await);
}

#[tokio::test]
async fn a_hold_without_a_ledger_has_the_bytes_that_it_always_had() {
    hold_against_the_list("held_at_once", &held_at_once(START, Signer::Off).await);
}

#[tokio::test]
async fn a_resumed_run_has_the_bytes_that_it_always_had() {
    hold_against_the_list("resumed", &resumed(START, signer(1)).await);
}
