//! Checks evidence, in a mirrored directory without a network or in the bucket: was the run pinned, which evidence shows it, and
//! did a byte change since?
//!
//! The checks trust nothing that they read. The ledger's COMMITTED record names the phase summary, which names the closures,
//! which name every object. The meaning of all of it is computed again from the observed inputs.

mod chain;
mod ended;
mod entry;
mod environment;
mod judged;
mod meaning;
mod offered;
mod pinned;
mod resolved;
mod shape;
mod signature;
mod verified;
mod windows;

use std::collections::BTreeSet;

use p1_contract::attestation::PublicKey;
use p1_contract::evidence::RunIds;
use serde::Serialize;

use self::chain::Chain;
use crate::evidence_set::EvidenceSet;
use crate::findings::{Finding, Findings, Grade};
use crate::lineage::{Kind, Lineage, What};
use crate::object_versions::Foreign;

pub use signature::{Signature, SignatureState};

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// An advance was committed, and everything is as it was written.
    Pinned,
    /// The run was held, and everything is as it was written.
    Held,
    /// A later phase was admitted to a run, and everything is as it was written.
    Admitted,
    /// A later phase was refused, and everything is as it was written.
    Refused,
    /// An execution that reaches no verdict, one state alone or a refused rerun, and everything is as it was written.
    Intact,
    /// An object was changed or added, or contradicts another one.
    Tampered,
    /// Nothing was changed, and a verdict is signed by none of the keys that were given.
    OtherKey,
    /// An object that the evidence names is missing, or no verdict was committed.
    Incomplete,
}

/// How much was checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// P1's files below `evidence/`.
    pub objects: usize,
    /// References whose hash was compared with the bytes.
    pub hashes: usize,
    /// Closures that were walked.
    pub closures: usize,
    /// Objects in other buckets that the evidence names. They are not part of a mirror.
    pub named_not_mirrored: usize,
}

/// What a check found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The result.
    pub standing: Standing,
    /// What the execution is that the evidence is of.
    pub execution: What,
    /// The committed verdict, or the answer to a later phase (`PHASE_ADMITTED`, `ENTRY_REFUSED`). `None` if neither counts,
    /// and for an execution that reaches none.
    pub verdict: Option<String>,
    /// The run's ids, as far as the evidence has them.
    pub run: RunIds,
    /// The signature of the verdict.
    pub signature: Signature,
    /// How much was checked.
    pub counts: Counts,
    /// Objects that are not P1's. They are no evidence.
    pub foreign: Foreign,
    /// All problems, in the order in which they were found.
    pub findings: Vec<Finding>,
    /// The keys of all foreign objects that the source holds. `foreign` names the first of them.
    #[serde(skip)]
    pub foreign_keys: BTreeSet<String>,
}

impl Report {
    /// Adds that a replay broke off, so that nobody knows what it would have found.
    pub fn could_not_replay(&mut self, detail: impl Into<String>) {
        self.findings.push(Finding {
            grade: Grade::Incomplete,
            subject: "replay".to_owned(),
            detail: detail.into(),
        });
        if self.standing != Standing::Tampered {
            self.standing = Standing::Incomplete;
        }
    }

    /// Adds what a replay found: an object that the steps do not make.
    pub fn contradict(&mut self, subject: impl Into<String>, detail: impl Into<String>) {
        self.findings.push(Finding {
            grade: Grade::Tampered,
            subject: subject.into(),
            detail: detail.into(),
        });
        self.standing = Standing::Tampered;
        self.signature.beside_tampering();
    }
}

/// The standing: the gravest finding decides, or else what the evidence states (`stated`).
fn standing(findings: &Findings, stated: Option<Standing>) -> Standing {
    match findings.all().iter().map(|finding| finding.grade).min() {
        Some(Grade::Tampered) => Standing::Tampered,
        Some(Grade::OtherKey) => Standing::OtherKey,
        Some(Grade::Incomplete) => Standing::Incomplete,
        None => stated.unwrap_or(Standing::Incomplete),
    }
}

/// Checks evidence in which every verdict must be signed by one of `keys`. Without keys, a signature is checked against the key
/// that lies beside it.
#[must_use]
pub fn verify(set: &EvidenceSet, keys: &[PublicKey]) -> Report {
    let mut findings = set.findings.clone();
    let (mut documents, misshapen) = shape::documents(set, &mut findings);
    let lineage = Lineage::of(set);
    if lineage.kind == Kind::PhaseEntry {
        return phase_entry(&lineage, &documents, misshapen, keys, findings);
    }
    let mut chain = chain::walk(&lineage, &documents, &mut findings);
    files(set, misshapen, &chain, &mut findings);
    if chain.broken && findings.all().is_empty() {
        findings.incomplete("evidence/", "a summary that the verdict rests on could not be followed");
    }
    documents.retain(|key, _| !chain.foreign.contains(key));
    chain.foreign.extend(set.foreign.iter().cloned());
    environment::check(set, &documents, &mut findings);
    verified::check(&documents, &mut findings);
    let judgement = meaning::check(&lineage, &documents, &chain, &mut findings);
    let mut signature = signature::check(set, &documents, &chain, keys, &mut findings);
    if let Some(closure) = chain.ended_with.as_ref().filter(|_| lineage.kind.ends_before()) {
        signature.of_no_verdict(closure.key.as_str(), keys, &mut findings);
    }
    let foreign: Vec<String> = chain.foreign.iter().cloned().collect();
    let mut foreign = Foreign::of(&foreign);
    foreign.count += set.foreign_unnamed;
    let of_verdict = |advance| if advance { Standing::Pinned } else { Standing::Held };
    let stated = if lineage.kind.has_verdict() {
        judgement.advance.map(of_verdict)
    } else {
        let last = chain.last_closed().filter(|_| lineage.kind.ends_before());
        last.map(|_| Standing::Intact)
    };
    report(&lineage, chain, &findings, stated, judgement.run, signature, foreign)
}

/// Checks the evidence of a phase entry.
fn phase_entry(
    lineage: &Lineage<'_>,
    documents: &shape::Documents,
    misshapen: Vec<(String, String)>,
    keys: &[PublicKey],
    mut findings: Findings,
) -> Report {
    let (set, mut chain) = (lineage.set(), Chain::default());
    files(set, misshapen, &chain, &mut findings);
    let admitted = entry::check(set, documents, &mut chain, keys, &mut findings);
    let stated = admitted.map(|admitted| match admitted {
        true => Standing::Admitted,
        false => Standing::Refused,
    });
    let run = chain.closures.first().map(|closed| closed.header.run());
    let (run, foreign) = (run.unwrap_or_default(), Foreign::of(&set.foreign));
    report(lineage, chain, &findings, stated, run, Signature::NONE, foreign)
}

/// What is wrong with the files as such. Other writers use the run's root too: their files are not judged as P1's.
fn files(set: &EvidenceSet, misshapen: Vec<(String, String)>, chain: &Chain, findings: &mut Findings) {
    for (key, why) in misshapen.into_iter().filter(|(key, _)| !chain.foreign.contains(key)) {
        findings.tampered(key, why);
    }
    for (key, why) in set.not_read.iter().filter(|(key, _)| !chain.foreign.contains(*key)) {
        why.report(key, findings);
    }
    for key in set.unlisted.iter().filter(|key| !chain.foreign.contains(*key)) {
        findings.tampered(key, "is a foreign file: objects.json does not list it");
    }
}

/// The report. `stated` is what the evidence states, if it states anything.
fn report(
    lineage: &Lineage<'_>,
    chain: Chain,
    findings: &Findings,
    stated: Option<Standing>,
    run: RunIds,
    mut signature: Signature,
    foreign: Foreign,
) -> Report {
    let standing = standing(findings, stated);
    if standing == Standing::Tampered {
        signature.beside_tampering();
    }
    let verdict = match stated {
        Some(Standing::Pinned) => Some("ADVANCE_TO_M4"),
        Some(Standing::Held) => Some("HOLD_M3"),
        Some(Standing::Admitted) => Some("PHASE_ADMITTED"),
        Some(Standing::Refused) => Some("ENTRY_REFUSED"),
        _ => None,
    };
    let own = lineage.set().files.keys().filter(|key| !chain.foreign.contains(*key));
    Report {
        standing,
        execution: lineage.what(),
        verdict: verdict.map(str::to_owned),
        run,
        signature,
        counts: Counts {
            objects: own.count(),
            hashes: chain.hashes,
            closures: chain.closures.len(),
            named_not_mirrored: chain.outside.len(),
        },
        foreign,
        findings: findings.all().to_vec(),
        foreign_keys: chain.foreign,
    }
}
