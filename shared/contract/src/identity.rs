//! How `config_digest` and `scenario_run_id` follow from handles and manifests (contract section 4).

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::canonical::{self, CanonicalError};
use crate::handles::{
    CONFIG_DIGEST_ALGO, HandleFacts, HandleProblem, ORACLE_ENGINE_RUN_ID, ORACLE_REQUIRED_OUTPUT_IDS,
    ORACLE_SORT_KEY_BY_OUTPUT_ID, ORACLE_SOURCE_NAMESPACE, SCENARIO_RUN_ID_DERIVATION_MODE,
};
use crate::hash::Sha256Hex;
use crate::ids::{S3Key, ScenarioRunId};

/// The digest profile.
pub const DIGEST_PROFILE: &str = "m3b_seed_formula_v1";
/// The one canonicalisation mode.
pub const CANONICALIZATION_MODE: &str = "json_sorted_keys_v1";
/// The one derivation mode.
pub const DERIVATION_MODE: &str = "deterministic_hash_v1";
/// The one form of the scenario equivalence key.
pub const EQUIVALENCE_KEY_INPUT: &str = "sha256(canonical_json_v1)";
/// The one digest algorithm.
pub const DIGEST_ALGO: &str = "sha256";

/// The digest input of profile `m3b_seed_formula_v1`: exactly these fields, and never the run's own ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DigestInput {
    /// The value of `CONFIG_DIGEST_ALGO`.
    pub algo: String,
    /// The value of `ORACLE_SOURCE_NAMESPACE`.
    pub oracle_source_namespace: String,
    /// The value of `ORACLE_ENGINE_RUN_ID`.
    pub oracle_engine_run_id: String,
    /// The value of `ORACLE_REQUIRED_OUTPUT_IDS`, in registry order.
    pub oracle_required_output_ids: Vec<String>,
    /// The entries of `ORACLE_SORT_KEY_BY_OUTPUT_ID` whose key is a required output id.
    pub oracle_sort_key_by_output_id: BTreeMap<String, Value>,
    /// The value of `SCENARIO_RUN_ID_DERIVATION_MODE`.
    pub scenario_mode: String,
}

impl DigestInput {
    /// Takes the digest input from the handles.
    ///
    /// # Errors
    /// When a handle has no value or one of another shape.
    pub fn from_handles(handles: &HandleFacts) -> Result<Self, HandleProblem> {
        let required = handles.texts(ORACLE_REQUIRED_OUTPUT_IDS)?;
        let sort_keys = handles
            .value(ORACLE_SORT_KEY_BY_OUTPUT_ID)?
            .as_object()
            .ok_or_else(|| handles.wrong(ORACLE_SORT_KEY_BY_OUTPUT_ID, "is not a map"))?;
        let ids: BTreeSet<&str> = required.iter().map(String::as_str).collect();
        let oracle_sort_key_by_output_id = sort_keys
            .iter()
            .filter(|(id, _)| ids.contains(id.as_str()))
            .map(|(id, sort_key)| (id.clone(), sort_key.clone()))
            .collect();
        Ok(DigestInput {
            algo: handles.text(CONFIG_DIGEST_ALGO)?.to_owned(),
            oracle_source_namespace: handles.text(ORACLE_SOURCE_NAMESPACE)?.to_owned(),
            oracle_engine_run_id: handles.text(ORACLE_ENGINE_RUN_ID)?.to_owned(),
            oracle_required_output_ids: required,
            oracle_sort_key_by_output_id,
            scenario_mode: handles.text(SCENARIO_RUN_ID_DERIVATION_MODE)?.to_owned(),
        })
    }

    /// `config_digest`: the SHA-256 of the canonical bytes.
    ///
    /// # Errors
    /// When a sort key holds what canonical JSON refuses.
    pub fn digest(&self) -> Result<Sha256Hex, CanonicalError> {
        canonical::canonical_of(self).map(|bytes| Sha256Hex::of(&bytes))
    }
}

/// The same digest, straight from the handles' JSON without the typed input: M3.C's second code path.
///
/// # Errors
/// When a handle has no value.
pub fn digest_from_handle_values(handles: &HandleFacts) -> Result<Option<Sha256Hex>, HandleProblem> {
    let required = handles.value(ORACLE_REQUIRED_OUTPUT_IDS)?.clone();
    let mut sort_keys = handles.value(ORACLE_SORT_KEY_BY_OUTPUT_ID)?.clone();
    if let (Some(map), Some(ids)) = (sort_keys.as_object_mut(), required.as_array()) {
        let ids: BTreeSet<&str> = ids.iter().filter_map(Value::as_str).collect();
        map.retain(|key, _| ids.contains(key.as_str()));
    }
    let input = json!({
        "scenario_mode": handles.value(SCENARIO_RUN_ID_DERIVATION_MODE)?,
        "oracle_sort_key_by_output_id": sort_keys,
        "oracle_required_output_ids": required,
        "oracle_engine_run_id": handles.value(ORACLE_ENGINE_RUN_ID)?,
        "oracle_source_namespace": handles.value(ORACLE_SOURCE_NAMESPACE)?,
        "algo": handles.value(CONFIG_DIGEST_ALGO)?,
    });
    Ok(canonical::to_canonical(&input).ok().map(|bytes| Sha256Hex::of(&bytes)))
}

/// One entry of the composite manifest: the bytes of one output's manifest, by hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// The manifest's key in the oracle store.
    pub key: S3Key,
    /// The output that it describes.
    pub output_id: String,
    /// The hash of its bytes.
    pub sha256: Sha256Hex,
}

/// `oracle_input_manifest_sha256`: the SHA-256 of the canonical list of entries.
///
/// # Errors
/// Never for entries of parsed parts; the signature is that of the canonical writer.
pub fn composite_manifest_digest(entries: &[ManifestEntry]) -> Result<Sha256Hex, CanonicalError> {
    canonical::canonical_of(&entries).map(|bytes| Sha256Hex::of(&bytes))
}

/// What a run's identity is derived from: `seed_inputs` of `m3b_run_identity_seed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeedInputs {
    /// The digest profile.
    pub digest_profile: String,
    /// The digest input.
    pub digest_input: DigestInput,
    /// Its digest.
    pub config_digest: Sha256Hex,
    /// Where the oracle input manifest lies.
    pub oracle_input_manifest_uri: String,
    /// The hash of the (composite) manifest.
    pub oracle_input_manifest_sha256: Sha256Hex,
    /// The composite manifest's entries; empty where the operator pinned a manifest.
    pub oracle_input_manifest_entries: Vec<ManifestEntry>,
    /// The fields of the scenario equivalence key, as the registry lists them.
    pub scenario_fields: Vec<String>,
    /// How the scenario id is derived.
    pub scenario_derivation_mode: String,
    /// How the bytes are made.
    pub canonicalization_mode: String,
}

/// Why no scenario id could be derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DerivationError {
    /// The mode is not [`DERIVATION_MODE`].
    UnknownMode(String),
    /// The contract lists a field that is not known.
    UnknownField(String),
    /// The contract lists no field, or one twice.
    FieldList,
    /// A value that canonical JSON refuses.
    NotCanonical(String),
}

impl SeedInputs {
    /// The object whose canonical bytes give the scenario id: exactly the listed fields.
    ///
    /// # Errors
    /// When a field is unknown, listed twice, or none is listed.
    pub fn scenario_key(&self) -> Result<Value, DerivationError> {
        let mut object = Map::new();
        for field in &self.scenario_fields {
            let value = match field.as_str() {
                "oracle_input_manifest_uri" => json!(self.oracle_input_manifest_uri),
                "oracle_input_manifest_sha256" => json!(self.oracle_input_manifest_sha256),
                "oracle_required_output_ids" => json!(self.digest_input.oracle_required_output_ids),
                "oracle_sort_key_by_output_id" => json!(self.digest_input.oracle_sort_key_by_output_id),
                "config_digest" => json!(self.config_digest),
                unknown => return Err(DerivationError::UnknownField(unknown.chars().take(64).collect())),
            };
            if object.insert(field.clone(), value).is_some() {
                return Err(DerivationError::FieldList);
            }
        }
        if object.is_empty() {
            Err(DerivationError::FieldList)
        } else {
            Ok(Value::Object(object))
        }
    }

    /// The scenario id.
    ///
    /// # Errors
    /// When mode or fields are not the contract's.
    pub fn scenario_run_id(&self) -> Result<ScenarioRunId, DerivationError> {
        if self.scenario_derivation_mode != DERIVATION_MODE {
            return Err(DerivationError::UnknownMode(self.scenario_derivation_mode.clone()));
        }
        let bytes =
            canonical::to_canonical(&self.scenario_key()?).map_err(|e| DerivationError::NotCanonical(e.to_string()))?;
        Ok(ScenarioRunId::from_digest(&Sha256Hex::of(&bytes)))
    }
}

/// Splits a comma-separated list of fields, as the registry writes them.
#[must_use]
pub fn field_list(text: &str) -> Vec<String> {
    text.split(',').map(|field| field.trim().to_owned()).collect()
}
