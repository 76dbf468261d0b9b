//! The revisions of evidence: what `schema_version` tells apart (contract section 6).
//!
//! P1 writes [`SCHEMA_VERSION`] and reads every one of [`READ`]. [`ADDED_IN_2`] is the only list of what revision 2 added to
//! documents that revision 1 has too; readers, schemas and `tests/verify/verify.py` go by it. Which revisions may stand in one
//! chain:
//!
//! - A summary and everything that it lists as its own are of one revision, because one execution is of one release.
//! - A summary rests on closures of its own revision or of an earlier one. So a run that an earlier release held can be resumed.
//! - The records of a ledger never go back to an earlier revision.
//!
//! A run that an earlier release held *in* M3.E, after `run.json` was written, is started anew: this release would write other
//! bytes for it, and M3.E holds (`M3E-B3`).

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

/// The revision of what is written.
pub const SCHEMA_VERSION: u64 = 2;

/// The revisions that can be read.
pub const READ: RangeInclusive<u64> = 1..=SCHEMA_VERSION;

/// Artifact name → the fields that revision 2 added to it.
///
/// A dotted name is a field of an object inside (`observed.handle`), in a list that of every element. It belongs to each object
/// that is there. In Rust such a field is an `Option` that is left out when it is `None`.
pub const ADDED_IN_2: &[(&str, &[&str])] = &[
    ("m3a_execution_summary", SCANNED),
    ("m3b_execution_summary", SCANNED),
    ("m3c_execution_summary", SCANNED),
    ("m3d_execution_summary", SCANNED),
    ("m3e_execution_summary", SCANNED),
    ("m3f_execution_summary", SCANNED),
    ("m3g_execution_summary", SCANNED),
    ("m3h_execution_summary", SCANNED),
    ("m3i_execution_summary", SCANNED),
    ("m3j_execution_summary", SCANNED),
    ("m3g_admission_summary", SCANNED),
    ("m3j_entry_summary", SCANNED),
    ("m3b_run_id_generation_snapshot", &["platform_run_id_regex"]),
    ("m3_execution_summary", &["completion_checklist.status"]),
    ("m3a_observations", &["settings.environment"]),
    ("m3b_observations", &["settings.environment"]),
    ("m3c_observations", &["settings.environment"]),
    ("m3d_observations", &["settings.environment"]),
    ("m3e_observations", &["settings.environment"]),
    ("m3f_observations", &["settings.environment"]),
    ("m3g_observations", &["settings.environment"]),
    ("m3g_admission_observations", &["settings.environment"]),
    ("m3h_observations", &["observed.databricks", "settings.environment"]),
    ("m3i_observations", &["observed.earlier", "settings.environment"]),
    ("m3j_observations", &["settings.environment"]),
    ("m3j_entry_observations", &["settings.environment"]),
    (
        "m3h_phase_budget_envelope",
        &[
            "phase_window_end_utc",
            "phase_window_start_utc",
            "window_end_utc",
            "window_start_utc",
        ],
    ),
    (
        "m3h_phase_cost_outcome_receipt",
        &["phase_window_end_utc", "phase_window_start_utc"],
    ),
    ("m3i_blocker_register", &["resolved_blockers"]),
];

/// What revision 1 did not have at all.
const NEW_IN_2: &[&str] = &[
    "m3j_entry_observations",
    "m3j_entry_summary",
    "m3j_phase_entry",
    "p1_scenario_index_entry",
];

/// What every closing summary gained.
const SCANNED: &[&str] = &["secret_scan"];

/// Documents that people make as well: each has a version of its own, which revisions of evidence do not change.
const OWN_VERSIONS: &[(&str, u64)] = &[("p1_billing_artifact", 1)];

fn own_version(name: &str) -> Option<u64> {
    let row = OWN_VERSIONS.iter().find(|(artifact, _)| *artifact == name);
    row.map(|(_, version)| *version)
}

/// What revision 2 added to the artifact `name`.
#[must_use]
pub fn added(name: &str) -> &'static [&'static str] {
    let row = ADDED_IN_2.iter().find(|(artifact, _)| *artifact == name);
    row.map_or(&[], |(_, fields)| fields)
}

/// The `schema_version` of the artifact `name` that is written.
#[must_use]
pub fn version_of(name: &str) -> u64 {
    own_version(name).unwrap_or(SCHEMA_VERSION)
}

/// The revision of a document. `None` for one that no revision of evidence is of: it has no version, or one of its own.
#[must_use]
pub fn of(document: &Value) -> Option<u64> {
    let name = document["artifact"].as_str().unwrap_or_default();
    document["schema_version"]
        .as_u64()
        .filter(|_| own_version(name).is_none())
}

/// Checks that a document is of a revision that can be read, and has the fields of its revision.
///
/// # Errors
/// In words, when it is not or has not.
pub fn check(document: &Map<String, Value>) -> Result<(), String> {
    let name = document.get("artifact").and_then(Value::as_str).unwrap_or_default();
    check_fields(document, name, added(name))
}

fn check_fields(document: &Map<String, Value>, name: &str, added: &[&str]) -> Result<(), String> {
    let since = if NEW_IN_2.contains(&name) { 2 } else { *READ.start() };
    let readable = own_version(name).map_or(since..=SCHEMA_VERSION, |version| version..=version);
    let version = document.get("schema_version").unwrap_or(&Value::Null);
    let Some(version) = version.as_u64().filter(|version| readable.contains(version)) else {
        return Err(format!(
            "schema version {version} is unknown, expected {} to {}",
            readable.start(),
            readable.end()
        ));
    };
    let is_there = version >= 2;
    match added.iter().find(|field| !all(document, field, is_there)) {
        None => Ok(()),
        Some(field) if is_there => Err(format!("it is of revision {version} and lacks `{field}`")),
        Some(field) => Err(format!(
            "it is of revision {version} and has `{field}`, which revision 2 added"
        )),
    }
}

/// Whether every object that `path` leads into has its last field, or none has.
fn all(object: &Map<String, Value>, path: &str, is_there: bool) -> bool {
    match path.split_once('.') {
        // In Rust a field that is null is none.
        None if is_there => object.get(path).is_some_and(|value| !value.is_null()),
        None => !object.contains_key(path),
        Some((field, rest)) => match object.get(field) {
            Some(Value::Object(inner)) => all(inner, rest, is_there),
            Some(Value::Array(items)) => items
                .iter()
                .filter_map(Value::as_object)
                .all(|inner| all(inner, rest, is_there)),
            _ => true,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::artifacts::BILLING_ARTIFACT;
    use crate::catalogue;

    fn checked(document: &Value, added: &[&str]) -> Result<(), String> {
        check_fields(document.as_object().unwrap(), "sample", added)
    }

    #[test]
    fn each_revision_has_its_own_fields() {
        let added = &["new", "one.new", "many.new"];
        let of = |version: u64| json!({"schema_version": version, "one": {}, "many": [{}, {}], "nothing": null});
        let whole = |version: u64| {
            let mut document = of(version);
            document["new"] = json!(0);
            document["one"]["new"] = json!(1);
            document["many"] = json!([{"new": 2}, {"new": 3}]);
            document
        };
        assert_eq!(checked(&of(1), added), Ok(()));
        assert_eq!(checked(&whole(2), added), Ok(()));
        for place in ["", "/one", "/many/1"] {
            let field = if place.is_empty() {
                "new".to_owned()
            } else {
                format!("{}.new", place[1..].trim_end_matches("/1"))
            };
            let mut lacking = whole(2);
            let object = lacking.pointer_mut(place).unwrap().as_object_mut().unwrap();
            object.remove("new");
            let why = checked(&lacking, added).unwrap_err();
            assert_eq!(why, format!("it is of revision 2 and lacks `{field}`"));
            let mut having = of(1);
            having.pointer_mut(place).unwrap()["new"] = Value::Null;
            let why = checked(&having, added).unwrap_err();
            let expected = format!("it is of revision 1 and has `{field}`, which revision 2 added");
            assert_eq!(why, expected);
        }
        // What is not there has no fields.
        let without = json!({"schema_version": 2, "one": null, "new": 0});
        assert_eq!(checked(&without, added), Ok(()));
    }

    #[test]
    fn another_revision_is_unknown() {
        for version in [json!(0), json!(3), json!("2"), Value::Null] {
            let why = checked(&json!({"schema_version": version}), &[]).unwrap_err();
            assert_eq!(why, format!("schema version {version} is unknown, expected 1 to 2"));
        }
        assert!(checked(&json!({}), &[]).is_err());
        let billing = |version: u64| json!({"schema_version": version, "artifact": BILLING_ARTIFACT});
        assert_eq!(check(billing(1).as_object().unwrap()), Ok(()));
        assert!(check(billing(2).as_object().unwrap()).is_err());
        assert_eq!((of(&billing(1)), of(&json!({"schema_version": 1}))), (None, Some(1)));
    }

    #[test]
    fn the_table_names_artifacts_once() {
        for (at, (name, fields)) in ADDED_IN_2.iter().enumerate() {
            assert!(catalogue::find(name).is_some(), "{name} is no artifact");
            assert!(!fields.is_empty(), "{name}");
            let stood = ADDED_IN_2[..at].iter().any(|(before, _)| before == name);
            assert!(!stood, "{name} stands twice");
        }
    }
}
