//! Checks every document on its own: strict JSON, canonical bytes, and the shape of the artifact that it names itself.

use std::collections::BTreeMap;

use p1_contract::attestation::is_sidecar;
use p1_contract::canonical;
use p1_contract::catalogue::{self, Kind, Writer};
use p1_contract::evidence::{Document, split};
use p1_contract::ids::below_run_control;
use p1_contract::strict::{Limits, parse_strict};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::evidence_set::EvidenceSet;
use crate::findings::Findings;

/// The root of every run lies below this prefix.
pub(super) const RUNS_ROOT: &str = "evidence/runs/";

/// P1's documents by key. Documents that cannot be read are left out.
pub(super) type Documents = BTreeMap<String, Value>;

/// The document at `key`, as one with a body of this type. `None` if it is not there, or is another.
pub(super) fn read<B: DeserializeOwned>(documents: &Documents, key: &str) -> Option<Document<B>> {
    split(documents.get(key)?.clone(), key).ok()
}

/// Reads every document of P1. M2's receipt and closure notes are only hashed. Envelopes are read with the signature. Problems of
/// files below a run's root are returned separately, because those files may belong to another writer.
pub(super) fn documents(set: &EvidenceSet, findings: &mut Findings) -> (Documents, Vec<(String, String)>) {
    let (mut documents, mut misshapen) = (Documents::new(), Vec::new());
    for (key, file) in &set.files {
        if !key.ends_with(".json")
            || below_run_control(key).is_some_and(|rest| rest.starts_with("m2j_"))
            || is_sidecar(key)
        {
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
            Ok(writer) => {
                if let Some(why) = writer.and_then(|writer| misplaced(key, &writer)) {
                    wrong(key, why.to_owned());
                }
                documents.insert(key.clone(), value);
            }
            Err(why) => wrong(key, why),
        }
    }
    (documents, misshapen)
}

/// Says why a document does not belong to the phase execution whose folder it lies in.
fn misplaced(key: &str, writer: &Writer) -> Option<&'static str> {
    match below_run_control(key).and_then(|rest| rest.split_once('/')) {
        Some((folder, _)) if writer.phase_execution_id.as_str() == folder => {
            let is_of_step = folder.starts_with(writer.step.prefix());
            (!is_of_step).then_some("is of another step than its folder")
        }
        _ => Some("is of another phase execution than its folder"),
    }
}

/// The attempt that an artifact is of, which must have the shape that its name asks for. Run evidence and records are of none.
fn shape(value: &Value, bytes: &[u8]) -> Result<Option<Writer>, String> {
    let name = value["artifact"].as_str().ok_or("does not say which artifact it is")?;
    let entry = catalogue::find(name).filter(|entry| entry.kind != Kind::Sidecar);
    entry
        .ok_or("calls itself an artifact that P1 does not write")?
        .read(bytes)
}
