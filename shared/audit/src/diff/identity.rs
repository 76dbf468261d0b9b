//! The three ids, and where their differences come from (contract section 4).

use std::collections::BTreeSet;

use p1_contract::handles;
use p1_contract::identity::{DigestInput, SeedInputs};
use serde_json::{Map, Value, json};

use super::side::Side;
use super::{Change, IdChange, Standing, change, compared, handle_value};

/// Each field of the digest input, with the handles that give its value.
const DIGEST_FIELDS: [(&str, &[&str]); 6] = [
    ("algo", &[handles::CONFIG_DIGEST_ALGO.as_str()]),
    ("oracle_source_namespace", &[handles::ORACLE_SOURCE_NAMESPACE.as_str()]),
    ("oracle_engine_run_id", &[handles::ORACLE_ENGINE_RUN_ID.as_str()]),
    (
        "oracle_required_output_ids",
        &[handles::ORACLE_REQUIRED_OUTPUT_IDS.as_str()],
    ),
    // Only the entries of required outputs are part of the digest input.
    (
        "oracle_sort_key_by_output_id",
        &[
            handles::ORACLE_SORT_KEY_BY_OUTPUT_ID.as_str(),
            handles::ORACLE_REQUIRED_OUTPUT_IDS.as_str(),
        ],
    ),
    ("scenario_mode", &[handles::SCENARIO_RUN_ID_DERIVATION_MODE.as_str()]),
];

/// The handles that give the place of the oracle input manifest.
const MANIFEST_PLACE: [&str; 4] = [
    handles::ORACLE_STORE_BUCKET.as_str(),
    handles::S3_STREAM_VIEW_PREFIX_PATTERN.as_str(),
    handles::ORACLE_SOURCE_NAMESPACE.as_str(),
    handles::ORACLE_ENGINE_RUN_ID.as_str(),
];
/// The handles that give the place of one output's manifest.
const ENTRY_PLACE: [&str; 4] = [
    handles::ORACLE_STORE_BUCKET.as_str(),
    handles::S3_STREAM_VIEW_MANIFEST_KEY_PATTERN.as_str(),
    handles::ORACLE_SOURCE_NAMESPACE.as_str(),
    handles::ORACLE_ENGINE_RUN_ID.as_str(),
];

/// Whether the identity inputs are the same. A run that was held before M3.B closed has no identity inputs. Its handles can still
/// show that two runs differ, but never that they are the same.
pub(super) fn standing(a: &Side, b: &Side) -> Standing {
    if let (Some(a), Some(b)) = (&a.seed, &b.seed) {
        let same = a.digest_input == b.digest_input && a.scenario_key() == b.scenario_key();
        let same = same && a.scenario_derivation_mode == b.scenario_derivation_mode;
        return if same { Standing::Same } else { Standing::Differs };
    }
    match (digest_input(a), digest_input(b)) {
        (Some(a), Some(b)) if a != b => Standing::Differs,
        _ => Standing::Unknown,
    }
}

fn digest_input(side: &Side) -> Option<DigestInput> {
    let of_seed = side.seed.as_ref().map(|seed| seed.digest_input.clone());
    of_seed.or_else(|| DigestInput::from_handles(&side.handles).ok())
}

/// Compares the three ids.
pub(super) fn ids(a: &Side, b: &Side) -> Vec<IdChange> {
    let id = |id: &'static str, through: Vec<Change>| {
        // An id that a run has not is not there.
        let [here, there] = [a, b].map(|side| object(side.run()).remove(id));
        let same = here.is_some() && here == there;
        IdChange { id, same, through }
    };
    vec![
        id("platform_run_id", minted(a, b)),
        id("scenario_run_id", through_scenario(a, b)),
        id("config_digest", through_digest(a, b)),
    ]
}

/// Where a difference comes from: the handles that differ, or `else_words` if no handle differs.
fn from(a: &Side, b: &Side, handles: &[&str], else_words: &str) -> Vec<String> {
    let differs = |key: &&&str| handle_value(a, key) != handle_value(b, key);
    let mut from: Vec<String> = handles.iter().filter(differs).map(ToString::to_string).collect();
    if from.is_empty() {
        from.push(else_words.to_owned());
    }
    from
}

/// The reason why `platform_run_id` differs: every start mints a new id.
fn minted(a: &Side, b: &Side) -> Vec<Change> {
    let stamp = |side: &Side| side.pinned_at.map(|stamp| json!(stamp));
    let words = vec!["the start of the execution that minted it".to_owned()];
    compared("/pinned_at_utc", (a, b), stamp, words).into_iter().collect()
}

fn object(value: impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn through_digest(a: &Side, b: &Side) -> Vec<Change> {
    let (Some(here), Some(there)) = (digest_input(a), digest_input(b)) else {
        return Vec::new();
    };
    let (here, there) = (object(here), object(there));
    let mut changes = Vec::new();
    for (field, handles) in DIGEST_FIELDS {
        let from = || from(a, b, handles, "no handle that is recorded");
        changes.extend(field_changes(field, here.get(field), there.get(field), from));
    }
    changes
}

/// The changes of a field. A map is compared entry by entry.
fn field_changes(
    field: &str,
    here: Option<&Value>,
    there: Option<&Value>,
    from: impl Fn() -> Vec<String>,
) -> Vec<Change> {
    let (Some(Value::Object(one)), Some(Value::Object(other))) = (here, there) else {
        return change(&format!("/{field}"), here, there, from()).into_iter().collect();
    };
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    keys.into_iter()
        .filter_map(|key| change(&format!("/{field}/{key}"), one.get(key), other.get(key), from()))
        .collect()
}

fn through_scenario(a: &Side, b: &Side) -> Vec<Change> {
    let (Some(here), Some(there)) = (&a.seed, &b.seed) else {
        return Vec::new();
    };
    let key = |seed: &SeedInputs| object(seed.scenario_key().unwrap_or_default());
    let (one, other) = (key(here), key(there));
    let fields: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let mut changes = Vec::new();
    for field in fields {
        let (here_value, there_value) = (one.get(field), other.get(field));
        if here_value.is_none() || there_value.is_none() {
            let fields = handles::SCENARIO_EQUIVALENCE_KEY_CANONICAL_FIELDS.as_str();
            let from = from(a, b, &[fields], "the list of fields");
            changes.extend(change(&format!("/{field}"), here_value, there_value, from));
            continue;
        }
        let of_digest = DIGEST_FIELDS.iter().find(|(known, _)| known == field);
        let origin = || match (field.as_str(), of_digest) {
            (_, Some((_, handles))) => from(a, b, handles, "no handle that is recorded"),
            ("config_digest", _) => vec!["config_digest".to_owned()],
            ("oracle_input_manifest_uri", _) => {
                from(a, b, &MANIFEST_PLACE, "oracle_input_manifest of the operator's start")
            }
            _ => {
                let pinned =
                    here.oracle_input_manifest_entries.is_empty() || there.oracle_input_manifest_entries.is_empty();
                vec![if pinned {
                    "oracle_input_manifest of the operator's start".to_owned()
                } else {
                    "the manifests of its entries".to_owned()
                }]
            }
        };
        changes.extend(field_changes(field, here_value, there_value, origin));
        if field == "oracle_input_manifest_sha256" {
            changes.extend(entries(a, b, here, there));
        }
    }
    let mode = |seed: &SeedInputs| json!(seed.scenario_derivation_mode);
    let handle = handles::SCENARIO_RUN_ID_DERIVATION_MODE.as_str();
    let from = from(a, b, &[handle], "the derivation mode");
    let (one, other) = (mode(here), mode(there));
    changes.extend(change("/scenario_derivation_mode", Some(&one), Some(&other), from));
    changes
}

/// Compares the composite manifest output by output.
fn entries(a: &Side, b: &Side, here: &SeedInputs, there: &SeedInputs) -> Vec<Change> {
    let entry = |seed: &SeedInputs, output: &str| {
        let mut entries = seed.oracle_input_manifest_entries.iter();
        entries
            .find(|entry| entry.output_id == output)
            .map(|entry| json!({"key": entry.key, "sha256": entry.sha256}))
    };
    let all = here
        .oracle_input_manifest_entries
        .iter()
        .chain(&there.oracle_input_manifest_entries);
    let outputs: BTreeSet<&String> = all.map(|entry| &entry.output_id).collect();
    let mut changes = Vec::new();
    for output in outputs {
        let (one, other) = (entry(here, output), entry(there, output));
        let key = |entry: &Option<Value>| entry.as_ref().map(|entry| entry["key"].clone());
        let from = match (&one, &other) {
            (Some(_), Some(_)) if key(&one) == key(&other) => vec!["other bytes at the same key".to_owned()],
            (Some(_), Some(_)) => from(a, b, &ENTRY_PLACE, "another place"),
            _ => {
                let outputs = handles::ORACLE_REQUIRED_OUTPUT_IDS.as_str();
                from(a, b, &[outputs], "another list of outputs")
            }
        };
        let what = format!("/oracle_input_manifest_entries/{output}");
        changes.extend(change(&what, one.as_ref(), other.as_ref(), from));
    }
    changes
}
