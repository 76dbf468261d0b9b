//! Every document on its own: strict JSON, canonical bytes, the shape of the artifact that it calls itself.

use std::collections::BTreeMap;

use p1_contract::artifacts::*;
use p1_contract::canonical;
use p1_contract::evidence::{
    ADMISSION_OBSERVATIONS, ADMISSION_SUMMARY, Body, Document, ExecutionSummary, Header, RUN_CONTROL_ROOT,
    observations_name, split, summary_name,
};
use p1_contract::ledger::{LEDGER_RECORD, LedgerRecord};
use p1_contract::observations::Observations;
use p1_contract::step::Step;
use p1_contract::strict::{Limits, parse_strict};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::signature::is_sidecar;
use super::{Findings, Folder};

/// Below this every run has its root.
pub(super) const RUNS_ROOT: &str = "evidence/runs/";

/// The documents of P1 by key, as far as they can be read.
pub(super) type Documents = BTreeMap<String, Value>;

/// Reads every document of P1. What others wrote (M2's receipt) and closure notes are hashed and not read; envelopes are read
/// with the signature. What is wrong with a file below a run's root comes apart: it may be somebody else's.
pub(super) fn documents(folder: &Folder, findings: &mut Findings) -> (Documents, Vec<(String, String)>) {
    let (mut documents, mut misshapen) = (Documents::new(), Vec::new());
    for (key, file) in &folder.files {
        if !key.ends_with(".json") || key.starts_with(&format!("{RUN_CONTROL_ROOT}m2j_")) || is_sidecar(key) {
            continue;
        }
        let mut wrong = |key: &String, why: String| {
            if key.starts_with(RUNS_ROOT) {
                misshapen.push((key.clone(), why));
            } else {
                findings.tampered(key, why);
            }
        };
        let value = match parse_strict(&file.bytes, Limits::DOCUMENT) {
            Ok(value) => value,
            Err(error) => {
                wrong(key, error.to_string());
                continue;
            }
        };
        if !canonical::to_document(&value).is_ok_and(|again| again == file.bytes) {
            wrong(key, "is not canonical JSON".to_owned());
        }
        match shape(&value, &file.bytes) {
            Ok(header) => {
                if let Some(why) = header.and_then(|header| misplaced(key, &header)) {
                    wrong(key, why.to_owned());
                }
                documents.insert(key.clone(), value);
            }
            Err(why) => wrong(key, why),
        }
    }
    (documents, misshapen)
}

/// A document in a phase execution's folder is of that phase execution.
fn misplaced(key: &str, header: &Header) -> Option<&'static str> {
    let folder = key.strip_prefix(RUN_CONTROL_ROOT).and_then(|rest| rest.split_once('/'));
    match (&header.phase_execution_id, folder) {
        (Some(id), Some((folder, _))) if id.as_str() == folder => {
            let is_of_step = folder.starts_with(header.step.prefix());
            (!is_of_step).then_some("is of another step than its folder")
        }
        (Some(_), _) => Some("is of another phase execution than its folder"),
        (None, _) => None,
    }
}

/// The header of an artifact of the shape that its name asks for; none for the documents without one.
fn shape(value: &Value, bytes: &[u8]) -> Result<Option<Header>, String> {
    let name = value["artifact"].as_str().ok_or("does not say which artifact it is")?;
    if let Some(parse) = TYPED
        .iter()
        .find_map(|(known, parse)| (*known == name).then_some(parse))
    {
        return parse(bytes).map(Some);
    }
    let is = |names: fn(Step) -> String| Step::ALL.into_iter().any(|step| names(step) == name);
    if name == ADMISSION_SUMMARY || is(summary_name) {
        let document = split::<ExecutionSummary>(value.clone(), name).map_err(|error| error.to_string())?;
        return Ok(Some(document.header));
    }
    if name == ADMISSION_OBSERVATIONS || is(observations_name) {
        let document = split::<Observations>(value.clone(), name).map_err(|error| error.to_string())?;
        return Ok(Some(document.header));
    }
    match name {
        LEDGER_RECORD => LedgerRecord::parse(bytes)
            .map(|_| None)
            .map_err(|error| error.to_string()),
        EVENT_CLAIM => plain::<EventClaim>(value),
        BILLING_ARTIFACT => plain::<BillingArtifact>(value),
        COST_CLAIM => plain::<CostClaim>(value),
        _ => Err("calls itself an artifact that P1 does not write".to_owned()),
    }
}

fn plain<T: DeserializeOwned>(value: &Value) -> Result<Option<Header>, String> {
    serde_json::from_value::<T>(value.clone()).map_err(|error| error.to_string())?;
    Ok(None)
}

type Parse = fn(&[u8]) -> Result<Header, String>;

/// Parses a typed artifact, and renders it again: what the type does not hold would be lost.
fn typed<B: Body>(bytes: &[u8]) -> Result<Header, String> {
    let document = Document::<B>::parse(bytes).map_err(|error| crate::outcome::chain(&error))?;
    match document.render() {
        Ok(again) if again == bytes => Ok(document.header),
        _ => Err("is not what its type renders".to_owned()),
    }
}

const TYPED: [(&str, Parse); 33] = [
    (HandleClosureSnapshot::NAME, typed::<HandleClosureSnapshot>),
    (HandleBlockerRegister::NAME, typed::<HandleBlockerRegister>),
    (HandleCommandReceipts::NAME, typed::<HandleCommandReceipts>),
    (RunIdGenerationSnapshot::NAME, typed::<RunIdGenerationSnapshot>),
    (CollisionProbeReceipts::NAME, typed::<CollisionProbeReceipts>),
    (RunIdentitySeed::NAME, typed::<RunIdentitySeed>),
    (RunConfigPayload::NAME, typed::<RunConfigPayload>),
    (ConfigDigestSnapshot::NAME, typed::<ConfigDigestSnapshot>),
    (DigestRecomputeReceipts::NAME, typed::<DigestRecomputeReceipts>),
    (
        OrchestratorReadinessSnapshot::NAME,
        typed::<OrchestratorReadinessSnapshot>,
    ),
    (RunLockPostureSnapshot::NAME, typed::<RunLockPostureSnapshot>),
    (OrchestratorCommandReceipts::NAME, typed::<OrchestratorCommandReceipts>),
    (RunRecord::NAME, typed::<RunRecord>),
    (RunHeader::NAME, typed::<RunHeader>),
    (RunJsonWriteReceipt::NAME, typed::<RunJsonWriteReceipt>),
    (RunHeaderWriteReceipt::NAME, typed::<RunHeaderWriteReceipt>),
    (IntegrityReadbackReceipts::NAME, typed::<IntegrityReadbackReceipts>),
    (M4HandoffPack::NAME, typed::<M4HandoffPack>),
    (RuntimeScopeBindingSnapshot::NAME, typed::<RuntimeScopeBindingSnapshot>),
    (HandoffReferenceReceipts::NAME, typed::<HandoffReferenceReceipts>),
    (RerunResetPolicySnapshot::NAME, typed::<RerunResetPolicySnapshot>),
    (ResetClassMatrix::NAME, typed::<ResetClassMatrix>),
    (
        ProhibitedMutationGuardReceipts::NAME,
        typed::<ProhibitedMutationGuardReceipts>,
    ),
    (RerunAdmissionReceipt::NAME, typed::<RerunAdmissionReceipt>),
    (PhaseBudgetEnvelope::NAME, typed::<PhaseBudgetEnvelope>),
    (PhaseCostOutcomeReceipt::NAME, typed::<PhaseCostOutcomeReceipt>),
    (DailyCostPosture::NAME, typed::<DailyCostPosture>),
    (CostSourceReceipts::NAME, typed::<CostSourceReceipts>),
    (GateRollupMatrix::NAME, typed::<GateRollupMatrix>),
    (RollupBlockerRegister::NAME, typed::<RollupBlockerRegister>),
    (P1Verdict::NAME, typed::<P1Verdict>),
    (PhaseSummary::NAME, typed::<PhaseSummary>),
    (M4EntryReadinessReceipt::NAME, typed::<M4EntryReadinessReceipt>),
];
