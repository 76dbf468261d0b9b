//! Checks evidence, a mirrored directory offline or the bucket itself: was the run pinned, by which evidence, and has a byte changed since.
//!
//! Nothing here believes what it reads, and for a directory nothing asks the network. The ledger's COMMITTED record names the phase summary, that
//! names the closures, those name every object; what all of it means is computed again from the observed inputs.

mod bucket;
mod chain;
mod folder;
mod meaning;
mod pinned;
mod shape;
mod signature;
mod verified;

use std::collections::BTreeSet;
use std::path::Path;

use p1_contract::attestation::PublicKey;
use p1_contract::evidence::RunIds;
use serde::Serialize;

use crate::run::census::Foreign;
use crate::run::mirror::ghost_problem;

pub use bucket::{BucketError, Place, verify_bucket};
pub use folder::{Folder, Unusable};
pub use signature::{Signature, SignatureState, is_sidecar};

/// What became of a check, as the exit status of `cargo p1 verify` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// 0: a committed advance, and everything is as it was written.
    Pinned,
    /// 1: a hold, and everything is as it was written.
    Held,
    /// 2: something was changed, added, or contradicts something else.
    Tampered,
    /// 3: something that is named is not there, or no verdict was committed.
    Incomplete,
    /// 4: the directory is no evidence directory, or the command line is not usable.
    Usage,
}

impl Standing {
    /// The exit status.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Pinned => 0,
            Self::Held => 1,
            Self::Tampered => 2,
            Self::Incomplete => 3,
            Self::Usage => 4,
        }
    }
}

/// How a finding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Grade {
    /// The evidence was changed, or contradicts itself.
    Tampered,
    /// The evidence is not whole.
    Incomplete,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How it counts.
    pub grade: Grade,
    /// The key or the file that it is about.
    pub subject: String,
    /// What is wrong.
    pub detail: String,
}

/// Findings in the order in which they were made, each once.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, grade: Grade, subject: impl Into<String>, detail: impl Into<String>) {
        let finding = Finding {
            grade,
            subject: subject.into(),
            detail: detail.into(),
        };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    fn tampered(&mut self, subject: impl Into<String>, detail: impl Into<String>) {
        self.add(Grade::Tampered, subject, detail);
    }

    fn incomplete(&mut self, subject: impl Into<String>, detail: impl Into<String>) {
        self.add(Grade::Incomplete, subject, detail);
    }

    /// Notes records of the ledger whose holders left no evidence.
    fn ghosts(&mut self, ghosts: &[u32]) {
        if let Some(problem) = ghost_problem(ghosts) {
            self.incomplete("ledger", problem);
        }
    }

    /// Notes that `what` of `subject` is not what was computed again.
    fn expect<T: PartialEq>(&mut self, subject: &str, what: &str, found: &T, expected: &T) {
        if found != expected {
            self.tampered(subject, format!("{what} is not what the evidence gives"));
        }
    }
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Files of P1 below `evidence/`.
    pub objects: usize,
    /// References whose hash was held against the bytes.
    pub hashes: usize,
    /// Closures that were walked.
    pub closures: usize,
    /// Objects that the evidence names in other buckets: they are not part of a mirror.
    pub named_not_mirrored: usize,
}

/// What a check found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What became of it.
    pub standing: Standing,
    /// The committed verdict; none where no verdict counts.
    pub verdict: Option<String>,
    /// The run's ids, as far as the evidence has them.
    pub run: RunIds,
    /// The signature of the verdict.
    pub signature: Signature,
    /// How much was looked at.
    pub counts: Counts,
    /// What lies there and is not P1's. It is no evidence.
    pub foreign: Foreign,
    /// Everything that is wrong, the first thing first.
    pub findings: Vec<Finding>,
}

/// What a check found, with the very bytes that it looked at: who shows them afterwards shows nothing that was not checked.
#[derive(Debug)]
pub struct Checked {
    /// What was found.
    pub report: Report,
    /// The directory, as it was read once.
    pub folder: Folder,
}

/// Checks the evidence directory `dir`. A signature in it is held against the key beside it.
///
/// # Errors
/// When it is no evidence directory, or cannot be read.
pub fn verify(dir: &Path) -> Result<Report, Unusable> {
    verify_signed(dir, &[])
}

/// Checks the evidence directory `dir`, in which every verdict must be signed by one of `keys`; with no keys, as [`verify`].
///
/// # Errors
/// When it is no evidence directory, or cannot be read.
pub fn verify_signed(dir: &Path, keys: &[PublicKey]) -> Result<Report, Unusable> {
    examine(dir, keys).map(|checked| checked.report)
}

/// [`verify_signed`], which hands over what it read as well.
///
/// # Errors
/// When it is no evidence directory, or cannot be read.
pub fn examine(dir: &Path, keys: &[PublicKey]) -> Result<Checked, Unusable> {
    let mut findings = Findings::default();
    let folder = Folder::read(dir, &mut findings)?;
    let report = judge(&folder, keys, findings);
    Ok(Checked { report, folder })
}

/// Checks what was read, wherever it lay.
fn judge(folder: &Folder, keys: &[PublicKey], mut findings: Findings) -> Report {
    let (mut documents, misshapen) = shape::documents(folder, &mut findings);
    let mut chain = chain::walk(folder, &documents, &mut findings);
    // Below the run's root others write too: what they wrote is not judged as P1's.
    for (key, why) in misshapen.into_iter().filter(|(key, _)| !chain.foreign.contains(key)) {
        findings.tampered(key, why);
    }
    for key in folder.unlisted.iter().filter(|key| !chain.foreign.contains(*key)) {
        findings.tampered(key, "is a foreign file: objects.json does not list it");
    }
    documents.retain(|key, _| !chain.foreign.contains(key));
    chain.foreign.extend(folder.foreign.iter().cloned());
    verified::check(&documents, &mut findings);
    let meant = meaning::check(folder, &documents, &chain, &mut findings);
    let signature = signature::check(folder, &documents, &chain, keys, &mut findings);
    let foreign: Vec<String> = chain.foreign.iter().cloned().collect();
    let mut foreign = Foreign::of(&foreign);
    foreign.count += folder.foreign_unnamed;
    let grades: BTreeSet<Grade> = findings.0.iter().map(|finding| finding.grade).collect();
    let standing = match (grades.first(), meant.advance) {
        (Some(Grade::Tampered), _) => Standing::Tampered,
        (Some(Grade::Incomplete), _) | (None, None) => Standing::Incomplete,
        (None, Some(true)) => Standing::Pinned,
        (None, Some(false)) => Standing::Held,
    };
    let word = |advance| if advance { "ADVANCE_TO_M4" } else { "HOLD_M3" };
    Report {
        standing,
        verdict: meant.advance.map(|advance| word(advance).to_owned()),
        run: meant.run,
        signature,
        counts: Counts {
            objects: folder.files.keys().filter(|key| !chain.foreign.contains(*key)).count(),
            hashes: chain.hashes,
            closures: chain.closures.len(),
            named_not_mirrored: chain.outside.len(),
        },
        foreign,
        findings: findings.0,
    }
}
