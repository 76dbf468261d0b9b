//! The JSON Schemas of the evidence: generated from the types, checked in under `statemachine/schemas`, and held against
//! published evidence by a validator that is not ours (contract section 6). Those of revision 1 lie below `revision-1`, and do not
//! change any more.
//!
//! `UPDATE=1 cargo test -p p1-tests --test schemas` writes them anew after a change of a type.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod evidence;
mod registry;
mod validator;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Once;

use p1_contract::catalogue::{self, Kind};
use p1_contract::hash::Sha256Hex;
use p1_contract::{revision, schema};
use serde_json::Value;

use crate::registry::{declared_artifacts, schemas};

const SUFFIX: &str = ".schema.json";

fn project_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap().to_owned()
}

/// The directory of the schemas, brought up to date first where `UPDATE` asks for it.
fn checked_in() -> PathBuf {
    static UPDATED: Once = Once::new();
    let directory = project_root().join("statemachine/schemas");
    if std::env::var_os("UPDATE").is_some() {
        UPDATED.call_once(|| update(&directory));
    }
    directory
}

/// The files of a directory by name.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let entries = entries.filter(|entry| entry.as_ref().unwrap().path().is_file());
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(&path).unwrap())
    };
    entries.map(|entry| read(entry.unwrap().path())).collect()
}

/// The files that the types give.
fn generated() -> BTreeMap<String, String> {
    let file = |(name, schema): (String, Value)| (format!("{name}{SUFFIX}"), schema::render(&schema));
    schemas().into_iter().map(file).collect()
}

/// Where a directory departs from what the types give.
fn differences(directory: &Path) -> Vec<String> {
    let (expected, found) = (generated(), files(directory));
    let wrong = expected.iter().filter_map(|(name, text)| match found.get(name) {
        None => Some(format!("{name} is missing")),
        Some(other) if other != text => Some(format!("{name} is not what the types give")),
        Some(_) => None,
    });
    let stray = found.keys().filter(|name| !expected.contains_key(*name));
    wrong
        .chain(stray.map(|name| format!("{name} is of no artifact")))
        .collect()
}

fn update(directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    let expected = generated();
    for name in files(directory).keys().filter(|name| !expected.contains_key(*name)) {
        std::fs::remove_file(directory.join(name)).unwrap();
    }
    for (name, text) in expected {
        std::fs::write(directory.join(name), text).unwrap();
    }
}

#[test]
fn the_checked_in_schemas_are_those_of_the_types() {
    let differences = differences(&checked_in());
    assert!(
        differences.is_empty(),
        "{differences:#?}\nrun `UPDATE=1 cargo test -p p1-tests --test schemas` and read the difference"
    );
}

#[test]
fn a_change_of_a_schema_is_noticed() {
    let copy = validator::Scratch::new("copy");
    update(copy.path());
    assert_eq!(differences(copy.path()), Vec::<String>::new());
    let file = copy.path().join(format!("run{SUFFIX}"));
    let renamed = std::fs::read_to_string(&file)
        .unwrap()
        .replace("\"pinned_at_utc\"", "\"pinned_at\"");
    std::fs::write(&file, renamed).unwrap();
    std::fs::remove_file(copy.path().join(format!("run_header{SUFFIX}"))).unwrap();
    std::fs::write(copy.path().join(format!("m3k_extra{SUFFIX}")), "{}").unwrap();
    assert_eq!(
        differences(copy.path()),
        [
            "run.schema.json is not what the types give",
            "run_header.schema.json is missing",
            "m3k_extra.schema.json is of no artifact",
        ]
    );
    update(copy.path());
    assert_eq!(differences(copy.path()), Vec::<String>::new());
}

#[test]
fn every_schema_has_exactly_one_row_of_the_catalogue() {
    for file in files(&checked_in()).keys() {
        let rows = catalogue::all()
            .iter()
            .filter(|row| format!("{}{SUFFIX}", row.name) == *file);
        assert_eq!(rows.count(), 1, "{file}");
    }
    assert_eq!(files(&checked_in()).len(), catalogue::all().len());
}

/// All of them as one hash: evidence of revision 1 is there, and nothing that is written is of it any more.
#[test]
fn the_schemas_of_revision_1_do_not_change() {
    let of_revision_1 = files(&checked_in().join("revision-1"));
    for name in of_revision_1.keys() {
        assert!(catalogue::find(name.trim_end_matches(SUFFIX)).is_some(), "{name}");
    }
    let all = serde_json::to_vec(&of_revision_1).unwrap();
    assert_eq!(
        Sha256Hex::of(&all).as_str(),
        "10ef07045d42bc1365b5fb23ae28c6fd195416004fa9cf4a87bf0568069fcb84"
    );
}

#[test]
fn every_artifact_has_a_schema() {
    let documents = catalogue::all().iter().filter(|row| row.kind == Kind::Document);
    let documents: BTreeSet<String> = documents.map(|row| row.name.clone()).collect();
    let declared: BTreeSet<String> = declared_artifacts().into_iter().collect();
    assert_eq!(
        declared, documents,
        "what `artifact!` declares is not what shared/contract/src/catalogue.rs lists"
    );
    for (name, schema) in &schemas() {
        if catalogue::find(name).unwrap().kind != Kind::Sidecar {
            assert_eq!(&schema["properties"]["artifact"]["const"], name);
        }
        assert_eq!(
            schema["$id"],
            format!("urn:p1:schema:{name}:{}", revision::version_of(name))
        );
        for keyword in ["title", "description"] {
            assert!(
                schema[keyword].as_str().is_some_and(|text| !text.is_empty()),
                "{name}: no {keyword}"
            );
        }
    }
}

#[test]
fn every_object_is_closed_and_every_integer_bounded() {
    fn check(at: &str, schema: &Value) {
        let composed = ["oneOf", "anyOf", "allOf", "$ref"];
        if schema.get("properties").is_some() {
            assert_eq!(schema["additionalProperties"], false, "{at} is open");
            let mixed = composed.iter().find(|keyword| schema.get(**keyword).is_some());
            assert_eq!(mixed, None, "{at} closes over another schema's properties");
        }
        let types = schema.get("type").map(|types| match types {
            Value::Array(types) => types.clone(),
            one => vec![one.clone()],
        });
        for kind in types.unwrap_or_default() {
            match kind.as_str().unwrap() {
                "integer" => assert!(
                    schema["minimum"].is_i64() && schema["maximum"].is_i64(),
                    "{at} has no range"
                ),
                "object" => assert!(schema.get("additionalProperties").is_some(), "{at} is open"),
                "array" => assert!(
                    schema.get("items").is_some() || schema.get("prefixItems").is_some(),
                    "{at} is open"
                ),
                "number" => panic!("{at} takes floats"),
                _ => {}
            }
        }
        let format = schema.get("format");
        assert_eq!(format, None, "{at} has a format that nothing checks");
        let inner = schema.as_object().into_iter().flatten();
        for (keyword, value) in inner {
            let at = format!("{at}/{keyword}");
            match (keyword.as_str(), value) {
                ("properties" | "$defs", Value::Object(schemas)) => {
                    schemas.iter().for_each(|(name, s)| check(&format!("{at}/{name}"), s));
                }
                ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                    schemas.iter().for_each(|s| check(&at, s));
                }
                ("items" | "additionalProperties", s) => check(&at, s),
                _ => {}
            }
        }
    }
    for (name, schema) in schemas() {
        check(&name, &schema);
        for reference in schema.to_string().split("\"$ref\":\"#/$defs/").skip(1) {
            let definition = reference.split('"').next().unwrap();
            assert!(
                schema["$defs"].get(definition).is_some(),
                "{name} does not define {definition}"
            );
        }
    }
}
