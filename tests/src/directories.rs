//! The audit library on evidence directories.

use std::path::Path;

use p1::ExitStatus;
use p1_audit::verify::Report;
use p1_audit::{EvidenceSet, diff};
use p1_contract::attestation::PublicKey;

/// The evidence of a directory.
pub fn read(dir: &Path) -> EvidenceSet {
    p1::directory::read(dir).unwrap()
}

/// What `verify --no-replay` makes of a directory.
pub fn verify(dir: &Path, keys: &[PublicKey]) -> Report {
    p1_audit::verify::verify(&read(dir), keys)
}

/// What `cargo p1 verify` makes of a directory: the judgement, and what the steps give again.
pub async fn verify_and_replay(dir: &Path, keys: &[PublicKey]) -> p1_replay::Verified {
    p1_replay::verify(&read(dir), keys, true).await
}

/// The exit status of `cargo p1 verify` for this report.
pub fn exit_code(report: &Report) -> u8 {
    ExitStatus::Verified(report.standing).code()
}

/// What `replay` makes of a directory.
pub async fn replay(dir: &Path) -> p1_replay::Report {
    p1_replay::replay(&read(dir)).await
}

/// What `diff` makes of two directories.
pub fn compare(a: &Path, b: &Path) -> diff::Report {
    diff::diff(&read(a), &read(b))
}

/// The page that `report` makes of a directory.
pub fn page(dir: &Path, keys: &[PublicKey]) -> String {
    let set = read(dir);
    p1_report::page(&set, &p1_audit::verify::verify(&set, keys))
}
