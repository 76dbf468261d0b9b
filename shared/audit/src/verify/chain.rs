//! The chain from the ledger's COMMITTED record to every object that a closure names. Every object must be part of it.

use std::collections::{BTreeMap, BTreeSet};

use p1_contract::artifacts::PhaseSummary;
use p1_contract::attestation::SIDECARS;
use p1_contract::evidence::{Document, ExecutionSummary, Header, summary_name};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, Environment, PhaseExecutionId, PlatformRunId};
use p1_contract::ledger::LedgerRecord;
use p1_contract::owner::Owner;
use p1_contract::reference::{ArtifactRef, ClosureRef, ObjectRef};
use p1_contract::step::Step;

use super::shape::{Documents, read};
use crate::evidence_set::EvidenceSet;
use crate::findings::Findings;
use crate::lineage::{Lineage, closure_in, folder_of};

/// A closure, with the content of its summary.
pub(super) struct Closed {
    pub(super) closure: ClosureRef,
    pub(super) header: Header,
    pub(super) body: ExecutionSummary,
}

/// The result of walking the chain.
#[derive(Default)]
pub(super) struct Chain {
    pub(super) closures: Vec<Closed>,
    /// The phase summary of the execution that the directory belongs to, with its key; of one that ends without a verdict, the
    /// run's last one.
    pub(super) phase: Option<(String, Document<PhaseSummary>)>,
    /// The ledger's records in the order of their keys.
    pub(super) ledger: Vec<LedgerRecord>,
    /// The records of ids that M3.B reserved and gave up, by key.
    pub(super) given_up: BTreeMap<String, LedgerRecord>,
    /// The COMMITTED record of that execution; of one that ends without a verdict, the run's last one.
    pub(super) committed: Option<LedgerRecord>,
    /// The closure that the execution ended with, if it ended without a verdict.
    pub(super) ended_with: Option<ClosureRef>,
    /// The keys of M3.J's own summaries. The signatures lie beside them.
    pub(super) final_closings: BTreeSet<String>,
    pub(super) outside: BTreeSet<(String, String, Option<String>)>,
    pub(super) hashes: usize,
    /// Files below the run's root that no closure names. Other writers use that place too.
    pub(super) foreign: BTreeSet<String>,
    named: BTreeSet<String>,
    bucket: Option<BucketName>,
    /// Whether a summary could not be read, so that the objects it names are unknown.
    pub(super) broken: bool,
}

/// A reference to an object, with the document that holds it.
struct Named<'a> {
    bucket: &'a BucketName,
    key: &'a str,
    version_id: Option<&'a str>,
    sha256: &'a Sha256Hex,
    bytes: Option<u64>,
    etag: Option<&'a str>,
    by: &'a str,
}

impl<'a> Named<'a> {
    fn object(object: &'a ObjectRef, by: &'a str) -> Self {
        Named {
            bucket: &object.bucket,
            key: object.key.as_str(),
            version_id: object.version_id.as_deref(),
            sha256: &object.sha256,
            bytes: Some(object.bytes),
            etag: None,
            by,
        }
    }

    fn artifact(artifact: &'a ArtifactRef, by: &'a str) -> Self {
        Named {
            bucket: &artifact.bucket,
            key: artifact.key.as_str(),
            version_id: artifact.version_id.as_deref(),
            sha256: &artifact.sha256,
            bytes: Some(artifact.bytes),
            etag: Some(&artifact.etag),
            by,
        }
    }

    fn closure(closure: &'a ClosureRef, by: &'a str) -> Self {
        Named {
            bucket: &closure.bucket,
            key: closure.key.as_str(),
            version_id: closure.version_id.as_deref(),
            sha256: &closure.sha256,
            bytes: None,
            etag: None,
            by,
        }
    }
}

/// Walks the whole chain.
pub(super) fn walk(lineage: &Lineage<'_>, documents: &Documents, findings: &mut Findings) -> Chain {
    let set = lineage.set();
    let mut chain = Chain::default();
    chain.read_ledger(lineage, documents);
    let mut open = chain.roots(lineage, documents, findings);
    let mut seen = BTreeSet::new();
    while let Some((closure, by)) = open.pop() {
        if seen.insert(closure.clone()) {
            open.extend(chain.take(set, documents, closure, &by, findings));
        }
    }
    let order = |closed: &Closed| closed.closure.step;
    chain.closures.sort_by_key(order);
    let run = chain.run();
    chain.unnamed(set, run.as_ref(), findings);
    chain
}

/// The closure of a phase entry, and everything that its summary names. Any other file is foreign.
pub(super) fn named_by_an_entry(chain: &mut Chain, set: &EvidenceSet, documents: &Documents, findings: &mut Findings) {
    let name = Owner::Entry.summary_name();
    let ended = set.ending.as_ref().and_then(|ending| ending.closure.clone());
    let closure = ended.or_else(|| {
        let key = set.files.keys().find(|key| key.ends_with(&format!("/{name}.json")))?;
        let summary: Document<ExecutionSummary> = read(documents, key)?;
        closure_in(set, Owner::Entry, &summary.body.artifacts.first()?.bucket, key)
    });
    let Some(closure) = closure.filter(|closure| closure.step == Owner::Entry) else {
        findings.incomplete(name, "is not there: no answer was reached");
        return;
    };
    chain.bucket = Some(closure.bucket.clone());
    chain.take(set, documents, closure, "the directory", findings);
    chain.unnamed(set, None, findings);
}

impl Chain {
    /// The run that the evidence belongs to.
    fn run(&self) -> Option<PlatformRunId> {
        let of_ledger = self.ledger.first().map(|record| record.platform_run_id.clone());
        let of_phase = || self.phase.as_ref()?.1.header.platform_run_id.clone();
        let of_last = || self.last_closed()?.header.platform_run_id.clone();
        of_ledger.or_else(of_phase).or_else(of_last)
    }

    /// What the execution ended with, if it ended without a verdict, and the summary is there.
    pub(super) fn last_closed(&self) -> Option<&Closed> {
        let ended_with = self.ended_with.as_ref()?;
        self.closures.iter().find(|closed| closed.closure == *ended_with)
    }

    /// Judges the files that nothing names. Other writers use the root of the run too, but not its ledger.
    fn unnamed(&mut self, set: &EvidenceSet, run: Option<&PlatformRunId>, findings: &mut Findings) {
        let root = run.map(|run| (run.run_root(), run.ledger_prefix()));
        let there = set.files.keys().chain(set.not_read.keys());
        for key in there.filter(|key| !self.named.contains(*key)) {
            let is_beside = |(root, ledger): &(String, String)| key.starts_with(root) && !key.starts_with(ledger);
            if root.as_ref().is_some_and(is_beside) {
                self.foreign.insert(key.clone());
            } else if self.broken {
                findings.incomplete(key, "cannot be reached, because a summary is missing");
            } else {
                findings.tampered(key, "is a foreign file: no closure names it");
            }
        }
    }

    fn read_ledger(&mut self, lineage: &Lineage<'_>, documents: &Documents) {
        self.named.extend(lineage.ledger.iter().map(|entry| entry.key.clone()));
        self.ledger = lineage.ledger.iter().map(|entry| entry.record.clone()).collect();
        let given_up = lineage.given_up.iter();
        self.given_up = given_up
            .map(|entry| (entry.key.clone(), entry.record.clone()))
            .collect();
        self.committed = lineage.commit().map(|entry| entry.record.clone());
        let verdict = lineage.verdict().filter(|verdict| documents.contains_key(&verdict.key));
        self.phase = verdict.map(|verdict| (verdict.key, verdict.summary));
        // What a lost record names cannot be reached from it.
        self.broken = (1..)
            .zip(&self.ledger)
            .any(|(expected, record)| record.sequence != expected);
    }

    /// M3.J's closure of every execution that committed, and of the execution that the evidence belongs to.
    fn roots(
        &mut self,
        lineage: &Lineage<'_>,
        documents: &Documents,
        findings: &mut Findings,
    ) -> Vec<(ClosureRef, String)> {
        let set = lineage.set();
        let mut roots = Vec::new();
        for entry in lineage.commits() {
            let Some(summary) = &entry.record.summary else { continue };
            self.bucket.get_or_insert_with(|| summary.bucket.clone());
            self.name(set, &Named::object(summary, &entry.key), findings);
            let phase: Option<Document<PhaseSummary>> = read(documents, summary.key.as_str());
            if let Some(phase) = phase {
                let by = || summary.key.to_string();
                roots.extend(phase.body.closures.iter().map(|closure| (closure.clone(), by())));
            } else {
                self.broken = true;
            }
            let own = sibling_named(
                summary.key.as_str(),
                &format!("{}.json", summary_name(Step::PhaseVerdict)),
            );
            self.last(set, documents, &own, &mut roots, findings);
        }
        if !lineage.kind.has_verdict() {
            self.ended_with = lineage.ended_with();
            if lineage.has_lost_a_commit() {
                self.broken = true;
                findings.incomplete(
                    "ledger",
                    "has no COMMITTED record of a verdict of the run that is there",
                );
            }
        }
        if let Some(closure) = self.ended_with.clone() {
            self.bucket.get_or_insert_with(|| closure.bucket.clone());
            roots.push((closure, "the directory".to_owned()));
        } else if lineage.kind.ends_before() {
            self.broken = true;
            findings.incomplete("m3g_admission_summary", "is not there: no summary of the execution is");
        } else if self.committed.is_none() {
            // This execution committed nothing: it is a hold without a ledger, or its verdict is void.
            if let Some(key) = lineage.uncommitted_closing() {
                self.last(set, documents, key, &mut roots, findings);
            } else {
                self.broken = true;
                findings.incomplete("m3j_execution_summary", "is not there: no verdict was reached");
            }
        }
        roots
    }

    /// Checks M3.J's own summary, which no other evidence names. Its bytes are compared with `objects.json`, with the engine's
    /// history, and with the signature if there is one. The sidecars beside it do not count as foreign files.
    fn last(
        &mut self,
        set: &EvidenceSet,
        documents: &Documents,
        key: &str,
        roots: &mut Vec<(ClosureRef, String)>,
        findings: &mut Findings,
    ) {
        self.named.insert(key.to_owned());
        self.named.extend(SIDECARS.map(|name| sibling_named(key, name)));
        self.final_closings.insert(key.to_owned());
        if !set.files.contains_key(key) {
            self.broken = true;
            findings.incomplete(key, "is not there, and M3.J ends with it");
            return;
        }
        let Some(summary) = read::<ExecutionSummary>(documents, key) else {
            self.broken = true;
            return;
        };
        let upstream = summary.body.upstream.first().map(|closure| &closure.bucket);
        if let Some(bucket) = self.bucket.clone().or_else(|| upstream.cloned()) {
            let closure = closure_in(set, Step::PhaseVerdict.into(), &bucket, key);
            self.broken |= closure.is_none();
            self.bucket = Some(bucket);
            roots.extend(closure.map(|closure| (closure, "the directory".to_owned())));
        }
    }

    /// Checks a reference against the file. Returns whether the file is there with these bytes.
    fn name(&mut self, set: &EvidenceSet, named: &Named<'_>, findings: &mut Findings) -> bool {
        let Named { key, by, .. } = *named;
        if self.bucket.as_ref().is_some_and(|bucket| bucket != named.bucket) {
            let version = named.version_id.map(str::to_owned);
            self.outside.insert((named.bucket.to_string(), key.to_owned(), version));
            return false;
        }
        self.named.insert(key.to_owned());
        let Some(file) = set.files.get(key) else {
            let what = if set.unread.contains(key) {
                "could not be read"
            } else {
                "is not there"
            };
            findings.incomplete(key, format!("{what}, and {by} names it"));
            return false;
        };
        self.hashes += 1;
        if file.sha256 != *named.sha256 || named.bytes.is_some_and(|bytes| bytes != file.bytes.len() as u64) {
            findings.tampered(key, format!("has other bytes than {by} names"));
            return false;
        }
        if let Some(listed) = set.listed.get(key) {
            let version = listed.version_id.as_deref();
            if named.version_id.is_some() && named.version_id != version {
                findings.tampered(key, format!("is another version than {by} names"));
            }
            if named.etag.is_some_and(|etag| etag != listed.etag) {
                findings.tampered(key, format!("has another entity tag than {by} names"));
            }
        }
        true
    }

    /// Reads one summary. Returns the closures that it rests on.
    fn take(
        &mut self,
        set: &EvidenceSet,
        documents: &Documents,
        closure: ClosureRef,
        by: &str,
        findings: &mut Findings,
    ) -> Vec<(ClosureRef, String)> {
        let key = closure.key.to_string();
        if !self.name(set, &Named::closure(&closure, by), findings) {
            self.broken = true;
            return Vec::new();
        }
        let name = closure.step.summary_name();
        let document = read::<ExecutionSummary>(documents, &key).filter(|document| document.header.artifact == name);
        let Some(document) = document else {
            self.broken = true;
            findings.tampered(key, format!("is not the summary of {}", closure.step));
            return Vec::new();
        };
        for artifact in &document.body.artifacts {
            self.name(set, &Named::artifact(artifact, &key), findings);
            let own = documents.get(artifact.key.as_str());
            if own.is_some_and(|own| own["artifact"] != artifact.name.as_str()) {
                findings.tampered(artifact.key.as_str(), format!("is another artifact than {key} names"));
            }
        }
        for input in &document.body.inputs {
            self.name(set, &Named::object(input, &key), findings);
        }
        let upstream = document
            .body
            .upstream
            .iter()
            .map(|closure| (closure.clone(), key.clone()))
            .collect();
        self.closures.push(Closed {
            closure,
            header: document.header,
            body: document.body,
        });
        upstream
    }

    /// The reference to an artifact in the closure with this id.
    pub(super) fn artifact(&self, of: &PhaseExecutionId, name: &str) -> Option<&ArtifactRef> {
        let closed = self
            .closures
            .iter()
            .find(|closed| closed.closure.phase_execution_id == *of)?;
        closed.body.artifact(name)
    }
}

/// The key at which a closure's summary must lie.
pub(super) fn summary_key(environment: &Environment, closure: &ClosureRef) -> String {
    let name = closure.step.summary_name();
    format!("{}{name}.json", environment.phase_folder(&closure.phase_execution_id))
}

/// The key of `file` in the folder of `key`.
pub(super) fn sibling_named(key: &str, file: &str) -> String {
    format!("{}{file}", folder_of(key))
}
