//! Everything that P1 publishes and that has a schema: its name, what it is, who writes it, its schema, and how it is read.
//!
//! Schemas, audits, replays and reports all read this one list. `artifact!` declares the name of a document; here it gets its
//! writer. Closure notes are Markdown and have no schema: they are [`crate::artifacts::CLOSURE_NOTES`].

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::artifacts::*;
use crate::attestation::{
    ENVELOPE_SCHEMA, VERDICT_PREDICATE, VERDICT_STATEMENT_SCHEMA, VSA_PREDICATE, VSA_STATEMENT_SCHEMA,
    VerdictPredicate, VerificationSummary,
};
use crate::canonical;
use crate::cause::chain;
use crate::evidence::{Body, Document, DocumentOf, ExecutionSummary, Head, PHASE_ID, RunIds, merge, split};
use crate::ids::PhaseExecutionId;
use crate::ledger::{LEDGER_RECORD, LedgerRecord};
use crate::observations::{
    Observations, admission, config_digest, cost_envelope, gate_rollup, handle_closure, m4_handoff,
    orchestrator_readiness, phase_entry, phase_verdict, rerun_discipline, run_identity, run_publication,
};
use crate::owner::Owner;
use crate::revision;
use crate::schema;
use crate::step::Step;
use crate::strict::{Limits, parse_strict};

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A document with the common header and a body of its own.
    Document,
    /// The closing summary of a step, or of an admission.
    Summary,
    /// What a step, or an admission, stored before it concluded anything.
    Observations,
    /// A document without the common header.
    Record,
    /// What stands beside the evidence, told by its place and predicate and not by an `artifact`.
    Sidecar,
}

/// One artifact.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name: what `artifact` says in it, and the stem of its schema's file.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Who writes it; one, except for the records that several create.
    pub writers: Vec<Owner>,
    schema: fn(&Entry) -> Value,
    reader: Reader,
}

/// Reads the bytes of an entry: who wrote it, where its header says so, or in words what is wrong.
type Reader = fn(&Entry, &[u8]) -> Result<Option<Writer>, String>;

/// The attempt of a step that a document says it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The step.
    pub step: Step,
    /// The phase execution.
    pub phase_execution_id: PhaseExecutionId,
}

impl Entry {
    /// Its JSON Schema.
    #[must_use]
    pub fn schema(&self) -> Value {
        (self.schema)(self)
    }

    /// Reads a document strictly, as what the entry is, and says of which attempt it is; run evidence and records are of none.
    ///
    /// # Errors
    /// In words, when the bytes hold something else; so does every sidecar, which is read with the signature.
    pub fn read(&self, bytes: &[u8]) -> Result<Option<Writer>, String> {
        (self.reader)(self, bytes)
    }

    /// The step whose function writes it.
    fn step(&self) -> Step {
        self.writers.first().map_or(Step::HandleClosure, |owner| owner.step())
    }
}

static ALL: LazyLock<Vec<Entry>> = LazyLock::new(entries);

/// Every entry, in the order of the steps.
#[must_use]
pub fn all() -> &'static [Entry] {
    &ALL
}

/// The entry of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    all().iter().find(|entry| entry.name == name)
}

fn entries() -> Vec<Entry> {
    let mut all = List::default();

    let by = Owner::Step(Step::HandleClosure);
    all.closing::<handle_closure::Observed>(by);
    all.document::<HandleClosureSnapshot>(by);
    all.document::<HandleBlockerRegister>(by);
    all.document::<HandleCommandReceipts>(by);
    all.record::<EventClaim>(EVENT_CLAIM, [by], json_of::<EventClaim>);

    let by = Owner::Step(Step::RunIdentity);
    all.closing::<run_identity::Observed>(by);
    all.document::<RunIdGenerationSnapshot>(by);
    all.document::<CollisionProbeReceipts>(by);
    all.document::<RunIdentitySeed>(by);
    let reserves_acquires_commits = [by, Owner::Admission, Owner::Step(Step::PhaseVerdict)];
    all.record::<LedgerRecord>(LEDGER_RECORD, reserves_acquires_commits, ledger_record);

    let by = Owner::Step(Step::ConfigDigest);
    all.closing::<config_digest::Observed>(by);
    all.document::<RunConfigPayload>(by);
    all.document::<ConfigDigestSnapshot>(by);
    all.document::<DigestRecomputeReceipts>(by);

    let by = Owner::Step(Step::OrchestratorReadiness);
    all.closing::<orchestrator_readiness::Observed>(by);
    all.document::<OrchestratorReadinessSnapshot>(by);
    all.document::<RunLockPostureSnapshot>(by);
    all.document::<OrchestratorCommandReceipts>(by);

    let by = Owner::Step(Step::RunPublication);
    all.closing::<run_publication::Observed>(by);
    all.document::<RunRecord>(by);
    all.document::<RunHeader>(by);
    all.document::<RunJsonWriteReceipt>(by);
    all.document::<RunHeaderWriteReceipt>(by);
    all.document::<IntegrityReadbackReceipts>(by);

    let by = Owner::Step(Step::M4Handoff);
    all.closing::<m4_handoff::Observed>(by);
    all.document::<M4HandoffPack>(by);
    all.document::<RuntimeScopeBindingSnapshot>(by);
    all.document::<HandoffReferenceReceipts>(by);

    let by = Owner::Step(Step::RerunDiscipline);
    all.closing::<rerun_discipline::Observed>(by);
    all.document::<RerunResetPolicySnapshot>(by);
    all.document::<ResetClassMatrix>(by);
    all.document::<ProhibitedMutationGuardReceipts>(by);

    let by = Owner::Admission;
    all.closing::<admission::Observed>(by);
    all.document::<RerunAdmissionReceipt>(by);

    let by = Owner::Step(Step::CostEnvelope);
    all.closing::<cost_envelope::Observed>(by);
    all.document::<PhaseBudgetEnvelope>(by);
    all.document::<PhaseCostOutcomeReceipt>(by);
    all.document::<DailyCostPosture>(by);
    all.document::<CostSourceReceipts>(by);
    all.record::<BillingArtifact>(BILLING_ARTIFACT, [by], json_of::<BillingArtifact>);
    all.record::<CostClaim>(COST_CLAIM, [by], json_of::<CostClaim>);

    let by = Owner::Step(Step::GateRollup);
    all.closing::<gate_rollup::Observed>(by);
    all.document::<GateRollupMatrix>(by);
    all.document::<RollupBlockerRegister>(by);
    all.document::<P1Verdict>(by);

    let by = Owner::Step(Step::PhaseVerdict);
    all.closing::<phase_verdict::Observed>(by);
    all.document::<PhaseSummary>(by);
    all.document::<M4EntryReadinessReceipt>(by);
    all.record::<ScenarioIndexEntry>(SCENARIO_INDEX_ENTRY, [by], scenario_index_entry);
    all.sidecar(ENVELOPE_SCHEMA, by, |_| schema::envelope());
    all.sidecar(VERDICT_STATEMENT_SCHEMA, by, |entry| {
        schema::statement::<VerdictPredicate>(&entry.name, VERDICT_PREDICATE)
    });
    all.sidecar(VSA_STATEMENT_SCHEMA, by, |entry| {
        schema::statement::<VerificationSummary>(&entry.name, VSA_PREDICATE)
    });

    let by = Owner::Entry;
    all.closing::<phase_entry::Observed>(by);
    all.document::<PhaseEntryReceipt>(by);
    all.0
}

#[derive(Default)]
struct List(Vec<Entry>);

impl List {
    fn document<B: Body>(&mut self, by: Owner) {
        self.0.push(Entry {
            name: B::NAME.to_owned(),
            kind: Kind::Document,
            writers: vec![by],
            schema: |entry| schema::document::<B>(entry.step()),
            reader: document::<B>,
        });
    }

    /// What every step, the admission and the entry begin and end with.
    fn closing<O: JsonSchema + Serialize + DeserializeOwned>(&mut self, by: Owner) {
        self.0.push(Entry {
            name: by.observations_name(),
            kind: Kind::Observations,
            writers: vec![by],
            schema: |entry| schema::observations::<Observations<O>>(&entry.name, entry.step()),
            reader: observations::<O>,
        });
        self.0.push(Entry {
            name: by.summary_name(),
            kind: Kind::Summary,
            writers: vec![by],
            schema: |entry| schema::summary(&entry.name, entry.step()),
            reader: headed::<ExecutionSummary>,
        });
    }

    fn record<T: JsonSchema>(&mut self, name: &str, by: impl IntoIterator<Item = Owner>, read: Reader) {
        self.0.push(Entry {
            name: name.to_owned(),
            kind: Kind::Record,
            writers: by.into_iter().collect(),
            schema: |entry| schema::record::<T>(&entry.name),
            reader: read,
        });
    }

    fn sidecar(&mut self, name: &str, by: Owner, schema: fn(&Entry) -> Value) {
        self.0.push(Entry {
            name: name.to_owned(),
            kind: Kind::Sidecar,
            writers: vec![by],
            schema,
            reader: |_, _| Err("is read with the signature".to_owned()),
        });
    }
}

/// Parses a document, and renders it again: what the type does not hold would be lost.
fn document<B: Body>(entry: &Entry, bytes: &[u8]) -> Result<Option<Writer>, String> {
    let document = DocumentOf::<B>::parse(bytes).map_err(|error| chain(&error))?;
    rendered(entry, &document, bytes)
}

/// Reads a document whose type holds everything that is in its bytes.
fn rendered<B: Serialize, H: Head>(
    entry: &Entry,
    document: &Document<B, H>,
    bytes: &[u8],
) -> Result<Option<Writer>, String> {
    let again = merge(&document.header, &document.body).map_err(|error| chain(&error))?;
    if !canonical::to_document(&again).is_ok_and(|again| again == bytes) {
        return Err("is not what its type renders".to_owned());
    }
    writer(entry, &document.header)
}

/// Checks a header as the schema does: who writes the document, and which ids it has.
fn writer<H: Head>(entry: &Entry, header: &H) -> Result<Option<Writer>, String> {
    let says = header.says();
    if says.phase_id != PHASE_ID {
        return Err(format!("is of the phase {}", says.phase_id.escape_debug()));
    }
    let step = entry.step();
    if says.step != step {
        return Err(format!("says that {} wrote it, and {step} does", says.step));
    }
    // Observations come before anything that is known of the run.
    if entry.kind == Kind::Observations && says.run != RunIds::default() {
        return Err("has ids of the run".to_owned());
    }
    let Some(id) = says.phase_execution_id else {
        return Ok(None);
    };
    if !id.as_str().starts_with(step.prefix()) || id.as_str().split('_').count() != 3 {
        return Err("has not the phase execution id that it must have".to_owned());
    }
    Ok(Some(Writer {
        step,
        phase_execution_id: id.clone(),
    }))
}

fn headed<B: Serialize + DeserializeOwned>(entry: &Entry, bytes: &[u8]) -> Result<Option<Writer>, String> {
    let document = split::<B>(value(bytes)?, &entry.name).map_err(|error| error.to_string())?;
    rendered(entry, &document, bytes)
}

/// Observations of revision 1 have the shapes of their time, and their steps are not computed again: of them only the frame is read.
fn observations<O: Serialize + DeserializeOwned>(entry: &Entry, bytes: &[u8]) -> Result<Option<Writer>, String> {
    match revision::of(&value(bytes)?) {
        Some(1) => {
            let document = split::<Observations>(value(bytes)?, &entry.name);
            writer(entry, &document.map_err(|error| error.to_string())?.header)
        }
        _ => {
            let document = split::<Observations<O>>(value(bytes)?, &entry.name);
            let document = document.map_err(|error| error.to_string())?;
            if document.body.settings.is_none() {
                return Err("does not say by which settings its step went".to_owned());
            }
            rendered(entry, &document, bytes)
        }
    }
}

fn json_of<T: Serialize + DeserializeOwned>(_: &Entry, bytes: &[u8]) -> Result<Option<Writer>, String> {
    let value = value(bytes)?;
    if let Value::Object(fields) = &value {
        revision::check(fields)?;
    }
    // The billing artifact, which people make as well, does not say it.
    if value.get("phase_id").is_some_and(|phase| phase != PHASE_ID) {
        return Err("is of another phase".to_owned());
    }
    let record = serde_json::from_value::<T>(value).map_err(|error| error.to_string())?;
    match canonical::document_of(&record) {
        Ok(again) if again == bytes => Ok(None),
        _ => Err("is not what its type renders".to_owned()),
    }
}

fn ledger_record(_: &Entry, bytes: &[u8]) -> Result<Option<Writer>, String> {
    LedgerRecord::parse(bytes).map_err(|error| error.to_string())?;
    Ok(None)
}

fn scenario_index_entry(_: &Entry, bytes: &[u8]) -> Result<Option<Writer>, String> {
    ScenarioIndexEntry::parse(bytes).map_err(|error| error.to_string())?;
    Ok(None)
}

fn value(bytes: &[u8]) -> Result<Value, String> {
    parse_strict(bytes, Limits::DOCUMENT).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_stands_once_and_has_a_writer() {
        let names: BTreeSet<&str> = all().iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names.len(), all().len());
        for entry in all() {
            assert!(!entry.writers.is_empty(), "{}", entry.name);
            assert_eq!(find(&entry.name).map(|found| found.kind), Some(entry.kind));
            assert!(entry.kind == Kind::Record || entry.writers.len() == 1, "{}", entry.name);
        }
        assert!(find("m3k_extra").is_none());
    }

    #[test]
    fn every_duty_begins_with_observations_and_ends_with_a_summary() {
        let of = |kind: Kind| all().iter().filter(move |entry| entry.kind == kind);
        for owner in Owner::all() {
            for (kind, name) in [
                (Kind::Observations, owner.observations_name()),
                (Kind::Summary, owner.summary_name()),
            ] {
                let own: Vec<&str> = of(kind)
                    .filter(|entry| entry.writers == [owner])
                    .map(|entry| entry.name.as_str())
                    .collect();
                assert_eq!(own, [name]);
            }
        }
    }

    #[test]
    fn what_is_something_else_is_refused() {
        for entry in all() {
            assert!(entry.read(b"{}").is_err(), "{}", entry.name);
            assert!(entry.read(b"not JSON").is_err(), "{}", entry.name);
        }
    }
}
