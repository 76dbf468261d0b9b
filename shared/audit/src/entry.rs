//! May a later phase work on a run? (contract section 5, form 4)
//!
//! The head of the run's ledger must be a committed advance. From there the references lead on: the record names the phase
//! summary, M3.J's own summary beside it lists the receipt for M4, the receipt names the handoff pack, and the pack names
//! `run.json`, the run header and M3.D's snapshot. [`named`] lists them, so that a caller knows what to read next, and
//! [`judge`] holds what was read against what names it. [`answer`] does so with what M3.J's function observed. All of it is pure.

use std::collections::BTreeMap;

use p1_contract::artifacts::{
    DurableReference, M4EntryReadinessReceipt, M4HandoffPack, PhaseSummary, RunHeader, RunRecord,
};
use p1_contract::attestation::Conclusion;
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::canonical::{self, CanonicalError};
use p1_contract::evidence::{Body, Document, DocumentOf, ExecutionSummary, Head, RunIds, Said, summary_name};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, Environment, PhaseExecutionId, PlatformRunId, S3Key, ScenarioRunId};
use p1_contract::input::PhaseEntry;
use p1_contract::ledger::{LEDGER_RECORD, LedgerKind, LedgerRecord};
use p1_contract::observations::phase_entry::{Observed, SignatureFacts};
use p1_contract::reference::{ArtifactRef, ClosureRef, ObjectRef};
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use serde_json::Value;

use crate::evidence_set::EvidenceSet;
use crate::lineage::{self, closing_of_commit, closure_in};

/// One thing that keeps a phase out. Its subject is a key, or a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: Blocker,
    subject: String,
    detail: String,
}

/// An object that the evidence names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What it is.
    pub name: String,
    /// Its bucket.
    pub bucket: BucketName,
    /// Its key.
    pub key: S3Key,
    /// Its version. `None` if the reference names none: then it is the key's one version.
    pub version_id: Option<String>,
    /// Its hash. `None` for M3.J's own summary, which no evidence but the signature names.
    pub sha256: Option<Sha256Hex>,
    /// The key of the document that names it.
    pub by: String,
}

/// What follows for a later phase.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The run's ids, as its committed summary gives them. Empty if there is no such summary.
    pub run: RunIds,
    /// The evidence that was found as it is named, in the order in which the references lead to it.
    pub references: Vec<DurableReference>,
    /// The variables that scope a runtime to the run, with their values. Empty if the pack cannot be used.
    pub environment: BTreeMap<String, PlatformRunId>,
    /// Everything that keeps the phase out. The phase may work on the run if this is empty.
    pub problems: Vec<Problem>,
}

/// Every object that the evidence in `set` names, from the head of the ledger on, in the order in which the references lead to it.
/// A document that is not in the set, or that cannot be read, names nothing.
#[must_use]
pub fn named(set: &EvidenceSet) -> Vec<Named> {
    Walk::of(set).named
}

/// Judges whether a phase that names `platform_run_id` and `scenario_run_id` may work on the run whose evidence `set` holds: the head
/// of its ledger, and what [`named`] lists. Keys in `set.unread` are known not to be usable, and are not judged again. `statement`
/// is what the verdict's envelope signs under the deployment's own key; `None` if that is not asked.
#[must_use]
pub fn judge(
    set: &EvidenceSet,
    platform_run_id: &PlatformRunId,
    scenario_run_id: &ScenarioRunId,
    statement: Option<&Value>,
) -> Judgement {
    let walk = Walk::of(set);
    let mut judged = Judgement::default();
    let Some(head) = &walk.head else {
        judged.problem(
            Blocker::NoCommittedAdvance,
            platform_run_id.as_str(),
            "has no ledger: P1 has not pinned it",
        );
        return judged;
    };
    if let Some(why) = no_advance(head) {
        judged.problem(Blocker::NoCommittedAdvance, &platform_run_id.ledger_prefix(), why);
        return judged;
    }
    judged.references(set, &walk.named);
    judged.contents(&walk, head);
    judged.ids(&walk, platform_run_id, scenario_run_id);
    if let (Some(pack), true) = (&walk.pack, judged.problems.is_empty()) {
        let body = &pack.body;
        judged.environment = BTreeMap::from([(
            body.required_platform_run_id_env_key.clone(),
            body.required_platform_run_id_env_value.clone(),
        )]);
    }
    if let (Some(statement), true) = (statement, judged.problems.is_empty()) {
        judged.statement(&walk, head, statement);
    }
    judged
}

/// Judges what M3.J's function observed for this question. Every cause is reported once.
///
/// # Errors
/// Fails if a document of the observations cannot be written as JSON. This never happens for what was read as JSON.
pub fn answer(asked: &PhaseEntry, observed: &Observed) -> Result<Judgement, CanonicalError> {
    let mut judged = Judgement::default();
    if let Err(why) = observed.ledger.as_result() {
        judged.problem(Blocker::NoCommittedAdvance, &asked.platform_run_id.ledger_prefix(), why);
        return Ok(judged);
    }
    let mut set = EvidenceSet::default();
    for document in &observed.documents {
        set.put(document)?;
    }
    let unusable = observed.unusable.iter().map(|problem| problem.subject.clone());
    set.unread.extend(unusable);
    let statement = match &observed.signature {
        SignatureFacts::Verified { statement, .. } => Some(statement),
        _ => None,
    };
    let judged_by_set = judge(&set, &asked.platform_run_id, &asked.scenario_run_id, statement);
    judged.run = judged_by_set.run;
    judged.references = judged_by_set.references;
    judged.environment = judged_by_set.environment;
    // A deleted object cannot be read either, and an overwritten envelope is not the deployment's: the first is the cause.
    let is_rewritten = |subject: &str| observed.rewritten.iter().any(|problem| problem.subject == subject);
    let unusable = observed
        .unusable
        .iter()
        .filter(|problem| !is_rewritten(&problem.subject));
    for problem in observed.rewritten.iter().chain(unusable) {
        judged.invalid(&problem.subject, &problem.detail);
    }
    if observed.signature == SignatureFacts::NoVerdict && judged_by_set.problems.is_empty() {
        let subject = asked.platform_run_id.as_str();
        judged.problem(
            Blocker::EntrySignatureInvalid,
            subject,
            "was not looked for, and the run has a verdict",
        );
    }
    let of_set = judged_by_set.problems.into_iter();
    judged
        .problems
        .extend(of_set.filter(|problem| !is_rewritten(&problem.subject)));
    if let SignatureFacts::Invalid(problem) = &observed.signature
        && !is_rewritten(&problem.subject)
    {
        judged.problem(Blocker::EntrySignatureInvalid, &problem.subject, &problem.detail);
    }
    if !judged.problems.is_empty() {
        judged.environment.clear();
    }
    Ok(judged)
}

/// Why the head of a legal ledger is no committed advance.
fn no_advance(head: &LedgerRecord) -> Option<String> {
    match (head.kind, head.verdict) {
        (LedgerKind::Committed, Some(PhaseVerdict::AdvanceToM4)) => None,
        (LedgerKind::Committed, _) => Some(format!("record {} commits a hold", head.sequence)),
        (LedgerKind::Acquired, _) => Some(format!(
            "record {} gives the run to {}, which has committed nothing",
            head.sequence, head.holder
        )),
    }
}

/// The documents that the references lead to, as far as the set holds them.
#[derive(Default)]
struct Walk {
    head: Option<LedgerRecord>,
    named: Vec<Named>,
    phase: Option<Document<PhaseSummary>>,
    closing: Option<Document<ExecutionSummary>>,
    closure: Option<ClosureRef>,
    receipt: Option<Document<M4EntryReadinessReceipt>>,
    pack: Option<DocumentOf<M4HandoffPack>>,
    record: Option<DocumentOf<RunRecord>>,
    header: Option<DocumentOf<RunHeader>>,
    /// Documents that are there and cannot be read, and why.
    unreadable: Vec<(String, String)>,
}

impl Walk {
    fn of(set: &EvidenceSet) -> Self {
        let mut walk = Walk::default();
        let Some(head) = lineage::entries(set).pop() else {
            return walk;
        };
        let record = head.record.clone();
        if let (Some(summary), Some(closing)) = (&record.summary, closing_of_commit(&record)) {
            walk.named.push(Named::object(PhaseSummary::NAME, summary, &head.key));
            walk.named.push(Named {
                name: summary_name(Step::PhaseVerdict),
                bucket: summary.bucket.clone(),
                key: closing.clone(),
                version_id: None,
                sha256: None,
                by: head.key.clone(),
            });
            walk.phase = walk.read(set, summary.key.as_str());
            walk.closing(set, &summary.bucket, &closing);
        }
        walk.head = Some(record);
        let receipt = walk.closing.as_ref().and_then(|closing| {
            let receipt = closing.body.artifact(M4EntryReadinessReceipt::NAME)?;
            Some(Named::artifact(receipt, walk.closure.as_ref()?.key.as_str()))
        });
        if let Some(receipt) = receipt {
            walk.receipt = walk.read(set, receipt.key.as_str());
            walk.named.push(receipt);
        }
        walk.behind_the_receipt(set);
        walk
    }

    /// M3.J's own summary.
    fn closing(&mut self, set: &EvidenceSet, bucket: &BucketName, key: &S3Key) {
        if !set.files.contains_key(key.as_str()) {
            return;
        }
        match set.summary(key.as_str(), &summary_name(Step::PhaseVerdict)) {
            Ok(closing) => {
                self.closure = closure_in(set, Step::PhaseVerdict.into(), bucket, key.as_str());
                self.closing = Some(closing);
            }
            Err(why) => self.unreadable.push((key.to_string(), why)),
        }
    }

    fn behind_the_receipt(&mut self, set: &EvidenceSet) {
        let Some((receipt, by)) = self
            .receipt
            .as_ref()
            .zip(self.named.last().map(|named| named.key.to_string()))
        else {
            return;
        };
        let body = &receipt.body;
        let (summary, commit) = (&body.m3_execution_summary, &body.commit);
        let pack = Named::object(M4HandoffPack::NAME, &body.m4_handoff_pack, &by);
        let more = [
            Named::artifact(summary, &by),
            Named::artifact(commit, &by),
            pack.clone(),
        ];
        self.named.extend(more);
        self.pack = self.read(set, pack.key.as_str());
        let Some(pack_body) = self.pack.as_ref().map(|pack| pack.body.clone()) else {
            return;
        };
        for reference in pack_body.durable_references {
            let key = reference.key.to_string();
            match reference.name.as_str() {
                RunRecord::NAME => self.record = self.read(set, &key),
                RunHeader::NAME => self.header = self.read(set, &key),
                _ => {}
            }
            self.named.push(Named {
                name: reference.name,
                bucket: reference.bucket,
                key: reference.key,
                version_id: reference.version_id,
                sha256: Some(reference.sha256),
                by: pack.key.to_string(),
            });
        }
        let header = self.header.as_ref().map(|header| &header.body);
        let place = self.named.iter().find(|named| named.name == RunHeader::NAME);
        if let Some((header, place)) = header.zip(place) {
            let run_json = Named {
                name: RunRecord::NAME.to_owned(),
                bucket: place.bucket.clone(),
                key: header.run_json_key.clone(),
                version_id: None,
                sha256: Some(header.run_json_sha256.clone()),
                by: place.key.to_string(),
            };
            self.named.push(run_json);
        }
    }

    fn read<B: Body>(&mut self, set: &EvidenceSet, key: &str) -> Option<DocumentOf<B>> {
        set.files.get(key)?;
        match set.document::<B>(key) {
            Ok(document) => Some(document),
            Err(why) => {
                self.unreadable.push((key.to_owned(), why));
                None
            }
        }
    }

    /// What the headers say that carry the run's ids.
    fn headers(&self) -> impl Iterator<Item = Said<'_>> {
        let headers = [
            self.phase.as_ref().map(|document| document.header.says()),
            self.closing.as_ref().map(|document| document.header.says()),
            self.receipt.as_ref().map(|document| document.header.says()),
            self.pack.as_ref().map(|document| document.header.says()),
            self.record.as_ref().map(|document| document.header.says()),
            self.header.as_ref().map(|document| document.header.says()),
        ];
        headers.into_iter().flatten()
    }
}

impl Named {
    fn object(name: &str, object: &ObjectRef, by: &str) -> Self {
        Named {
            name: name.to_owned(),
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            version_id: object.version_id.clone(),
            sha256: Some(object.sha256.clone()),
            by: by.to_owned(),
        }
    }

    fn artifact(artifact: &ArtifactRef, by: &str) -> Self {
        Named::object(&artifact.name, &artifact.object(), by)
    }
}

impl Judgement {
    /// The blockers of everything that keeps the phase out.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let finding = |problem: &Problem| problem.code.on(&problem.subject, &problem.detail);
        self.problems.iter().map(finding).collect()
    }

    fn problem(&mut self, code: Blocker, subject: &str, detail: impl Into<String>) {
        self.problems.push(Problem {
            code,
            subject: subject.to_owned(),
            detail: detail.into(),
        });
    }

    /// Evidence is missing, or is not what refers to it names.
    fn invalid(&mut self, key: &str, detail: impl Into<String>) {
        self.problem(Blocker::EntryEvidenceInvalid, key, detail);
    }

    /// Every object that is named must be there, with the version and the bytes that name it. Each is judged by the first reference
    /// that it does not match.
    fn references(&mut self, set: &EvidenceSet, named: &[Named]) {
        for named in named {
            let key = named.key.as_str();
            let known = |problem: &Problem| problem.subject == key;
            if set.unread.contains(key) || self.problems.iter().any(known) {
                continue;
            }
            let Some(file) = set.files.get(key) else {
                self.invalid(key, format!("is not there, and {} names it", named.by));
                continue;
            };
            let version = set.version(key);
            if named.sha256.as_ref().is_some_and(|sha256| *sha256 != file.sha256) {
                self.invalid(key, format!("has other bytes than {} names", named.by));
            } else if named.version_id.is_some() && named.version_id != version {
                self.invalid(key, format!("is another version than {} names", named.by));
            } else if self.references.iter().all(|reference| reference.key != named.key) {
                self.references.push(DurableReference {
                    name: named.name.clone(),
                    bucket: named.bucket.clone(),
                    key: named.key.clone(),
                    version_id: version,
                    sha256: file.sha256.clone(),
                });
            }
        }
    }

    /// What the documents say beside their references: each is of this commit, and opens M4.
    fn contents(&mut self, walk: &Walk, head: &LedgerRecord) {
        let is_known = |key: &str| self.problems.iter().any(|problem| problem.subject == key);
        let unreadable: Vec<_> = walk.unreadable.iter().filter(|(key, _)| !is_known(key)).collect();
        for (key, why) in unreadable {
            self.invalid(key, format!("cannot be read: {why}"));
        }
        let Some(summary) = &head.summary else { return };
        let key = summary.key.as_str();
        let id = PhaseExecutionId::derive(Step::PhaseVerdict, head.holder_stamp_utc, head.holder.as_str());
        let is_in_its_folder = Environment::of_key(key).is_some_and(|(environment, _)| {
            key == format!("{}{}.json", environment.phase_folder(&id), PhaseSummary::NAME)
        });
        if !is_in_its_folder {
            self.invalid(key, "is not in the folder of the execution that committed it");
        }
        let advances = |phase: &PhaseSummary| phase.verdict == PhaseVerdict::AdvanceToM4 && phase.overall_pass;
        if walk.phase.as_ref().is_some_and(|phase| !advances(&phase.body)) {
            self.invalid(key, "is a hold, and the ledger commits an advance");
        }
        if let (Some(closing), Some(closure)) = (&walk.closing, &walk.closure) {
            let place = closure.key.as_str();
            if !closing.body.overall_pass || !closing.body.is_consistent() {
                self.invalid(place, "is no pass of M3.J");
            } else if walk.receipt.is_none() && closing.body.artifact(M4EntryReadinessReceipt::NAME).is_none() {
                self.invalid(place, "lists no receipt for M4");
            }
        }
        let Some(receipt) = &walk.receipt else {
            return;
        };
        // Revision 1 may lack these; a later receipt says all of it.
        let must_say = receipt.header.schema_version > 1;
        let receipt = &receipt.body;
        let place = walk
            .named
            .iter()
            .find(|named| named.name == M4EntryReadinessReceipt::NAME);
        let place = place.map_or("", |named| named.key.as_str());
        let record = head.platform_run_id.ledger_key(head.sequence);
        let says = [
            receipt.m4_entry_ready,
            receipt.blocker_count.map(|count| count == 0),
            receipt.blockers.as_ref().map(Vec::is_empty),
        ];
        let blocked = says.into_iter().any(|green| !green.unwrap_or(!must_say));
        if receipt.commit.key.as_str() != record || receipt.commit.name != LEDGER_RECORD {
            self.invalid(place, format!("names another commit than {record}"));
        }
        if receipt.m3_execution_summary.key != summary.key {
            self.invalid(place, "names another phase summary than the ledger commits");
        }
        if receipt.verdict != PhaseVerdict::AdvanceToM4 || !receipt.overall_pass || blocked {
            self.invalid(place, "does not open M4");
        }
        if let Some(pack) = walk.pack.as_ref().filter(|pack| !pack.body.overall_pass) {
            self.invalid(&pack.header.artifact, "is no pass of M3.F");
        }
        let pinned = walk.pack.as_ref().map(|pack| &pack.body.durable_references);
        let pinned =
            pinned.and_then(|references| references.iter().find(|reference| reference.name == RunRecord::NAME));
        if let (Some(header), Some(pinned)) = (walk.header.as_ref().map(|header| &header.body), pinned)
            && (&header.run_json_key, &header.run_json_sha256) != (&pinned.key, &pinned.sha256)
        {
            self.invalid(pinned.key.as_str(), "is not the run.json that the run header names");
        }
        for name in [RunRecord::NAME, RunHeader::NAME] {
            let is_named = walk.named.iter().any(|named| named.name == name);
            if let (Some(_), false) = (&walk.pack, is_named) {
                self.invalid(receipt.m4_handoff_pack.key.as_str(), format!("names no `{name}`"));
            }
        }
    }

    /// All documents carry the ids of the committed summary, and the phase asks with them.
    fn ids(&mut self, walk: &Walk, platform_run_id: &PlatformRunId, scenario_run_id: &ScenarioRunId) {
        let Some(run) = walk.phase.as_ref().map(|phase| phase.header.run()) else {
            return;
        };
        if run.platform_run_id.as_ref() != Some(platform_run_id) {
            let detail = "is not the run that the committed summary is of";
            self.problem(Blocker::EntryIdsDisagree, "platform_run_id", detail);
        }
        if run.scenario_run_id.as_ref() != Some(scenario_run_id) {
            let other = run.scenario_run_id.as_ref().map_or("none", |id| id.as_str());
            self.problem(
                Blocker::EntryIdsDisagree,
                "scenario_run_id",
                format!("the run's is {other}"),
            );
        }
        if run.triplet().is_none() {
            self.problem(
                Blocker::EntryIdsDisagree,
                PhaseSummary::NAME,
                "does not carry the run's three ids",
            );
        }
        for header in walk.headers().skip(1).filter(|header| header.run != run) {
            let detail = "carries other ids than the committed summary";
            self.problem(Blocker::EntryIdsDisagree, header.artifact, detail);
        }
        if let Some(pack) = &walk.pack
            && Some(&pack.body.required_platform_run_id_env_value) != run.platform_run_id.as_ref()
        {
            let detail = "its environment variable scopes a runtime to another run";
            self.problem(Blocker::EntryIdsDisagree, M4HandoffPack::NAME, detail);
        }
        self.run = run;
    }

    /// What was signed must be what follows from the evidence.
    fn statement(&mut self, walk: &Walk, head: &LedgerRecord, statement: &Value) {
        let expected = expected_statement(walk, head, &self.references);
        if expected.is_none_or(|expected| canonical::to_canonical(statement).ok().as_ref() != Some(&expected)) {
            let place = walk.closure.as_ref().map_or("", |closure| closure.key.as_str());
            let detail = "the statement that the verdict's envelope signs is not what the evidence gives";
            self.problem(Blocker::EntrySignatureInvalid, place, detail);
        }
    }
}

fn expected_statement(walk: &Walk, head: &LedgerRecord, references: &[DurableReference]) -> Option<Vec<u8>> {
    let find = |name: &str| references.iter().find(|reference| reference.name == name);
    let object = |name: &str| find(name).map(|reference| (&reference.key, &reference.sha256));
    let mut run_evidence = [RunRecord::NAME, RunHeader::NAME, M4HandoffPack::NAME]
        .into_iter()
        .map(|name| {
            find(name).map(|reference| ObjectRef {
                bucket: reference.bucket.clone(),
                key: reference.key.clone(),
                version_id: reference.version_id.clone(),
                sha256: reference.sha256.clone(),
                bytes: 0,
            })
        })
        .collect::<Option<Vec<_>>>()?;
    run_evidence.sort_by(|a, b| a.key.cmp(&b.key));
    let conclusion = Conclusion {
        execution: &head.holder,
        phase: walk.phase.as_ref()?,
        phase_object: Some(object(PhaseSummary::NAME)?),
        commit: Some(object(LEDGER_RECORD)?),
        run_evidence: &run_evidence,
        closure: walk.closure.as_ref()?,
        blockers: &walk.closing.as_ref()?.body.blockers,
    };
    conclusion.verdict_payload().ok()
}
