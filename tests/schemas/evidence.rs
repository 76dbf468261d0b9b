//! What the ten steps publish is valid against the schemas, and what departs from it is not.

use std::collections::BTreeMap;

use p1_contract::artifacts::CostClaim;
use p1_contract::attestation::{
    ENVELOPE_SCHEMA, Envelope, VERDICT_PREDICATE, VERDICT_SIDECAR, VERDICT_STATEMENT_SCHEMA, VSA_PREDICATE,
    VSA_STATEMENT_SCHEMA,
};
use p1_contract::canonical;
use p1_contract::request::StepResult;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use p1_tests::revision_1;
use p1_tests::runs::{Mirrored, entered, occupied, resumed};
use p1_tests::world::{ARTIFACTS, BILLING, EVIDENCE, RECEIPT, World, signer};
use serde_json::{Value, json};

use crate::registry::schemas;
use crate::validator::{Said, Scratch, validate};

type Objects = BTreeMap<String, Vec<u8>>;

const START: &str = "2026-02-23T17:43:07Z";

/// Takes the run to its verdict, as the gates do.
async fn close(world: &mut World) -> StepResult {
    // Boxed: the futures of all ten steps are too large to lie on a test's stack together.
    for step in Step::GATED {
        if !Box::pin(world.run(step)).await.overall_pass {
            break;
        }
    }
    Box::pin(world.run(Step::GateRollup)).await;
    Box::pin(world.run(Step::PhaseVerdict)).await
}

/// A run that an operator started, and that `change` holds.
async fn held(change: fn(&mut World)) -> World {
    let mut world = World::new();
    world.signer = signer(1);
    change(&mut world);
    let result = close(&mut world).await;
    assert_eq!(result.verdict(), Some(PhaseVerdict::HoldM3));
    world
}

/// A run from the event of its receipt to its advance.
async fn advanced() -> World {
    let mut world = World::new();
    world.signer = signer(1);
    world.input = json!({
        "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012",
        "time": "2026-02-23T17:43:07Z", "region": "eu-west-2", "resources": [],
        "detail": {"bucket": {"name": EVIDENCE}, "object": {"key": RECEIPT, "sequencer": "0A1B"}}
    });
    let result = close(&mut world).await;
    assert_eq!(result.committed(), Some(true), "{:?}", result.blockers);
    world
}

/// The objects of the evidence bucket that a mirror holds.
fn evidence(run: Mirrored) -> Objects {
    let files = run.files.into_iter();
    files.filter(|(path, _)| path.starts_with("evidence/")).collect()
}

fn documents(objects: &Objects) -> impl Iterator<Item = (&String, Value)> {
    let own = objects
        .iter()
        .filter(|(key, _)| key.ends_with(".json") && !key.ends_with(RECEIPT));
    own.map(|(key, bytes)| (key, serde_json::from_slice(bytes).unwrap()))
}

/// The schemas that a document is held against.
fn schemas_of(key: &str, document: &Value) -> Vec<String> {
    if !key.ends_with(".dsse.json") {
        return vec![document["artifact"].as_str().unwrap().to_owned()];
    }
    let envelope: Envelope = serde_json::from_value(document.clone()).unwrap();
    let payload: Value = serde_json::from_slice(&envelope.payload().unwrap()).unwrap();
    let statement = match payload["predicateType"].as_str() {
        Some(VERDICT_PREDICATE) => VERDICT_STATEMENT_SCHEMA,
        Some(VSA_PREDICATE) => VSA_STATEMENT_SCHEMA,
        other => panic!("{key}: a statement of the type {other:?}"),
    };
    vec![ENVELOPE_SCHEMA.to_owned(), statement.to_owned()]
}

#[tokio::test]
async fn what_a_run_publishes_is_valid() {
    let unpinned = held(|world| {
        world.edit_registry(
            "CONFIG_DIGEST_FIELD = \"config_digest\"",
            "CONFIG_DIGEST_FIELD = \"TO_PIN\"",
        );
    });
    let secret = held(|world| {
        world.edit_registry(
            "* `ENV_NAME = \"dev_full\"`",
            "* `ENV_NAME = \"dev_full\"`\n* `STRAY = \"AKIAIOSFODNN7EXAMPLE\"`",
        );
    });
    let underived = held(|world| world.edit_registry("\"deterministic_hash_v1\"", "\"random\""));
    let other_currency =
        held(|world| world.edit_registry("`BUDGET_CURRENCY = \"USD\"`", "`BUDGET_CURRENCY = \"EUR\"`"));
    let worlds = [
        ("advanced", advanced().await.store.dump(EVIDENCE)),
        ("resumed", evidence(resumed(START, signer(1)).await)),
        ("unpinned", unpinned.await.store.dump(EVIDENCE)),
        ("secret", secret.await.store.dump(EVIDENCE)),
        ("underived", underived.await.store.dump(EVIDENCE)),
        ("other_currency", other_currency.await.store.dump(EVIDENCE)),
    ];
    let mut all = Objects::new();
    for (name, objects) in worlds {
        all.extend(
            objects
                .into_iter()
                .map(|(key, bytes)| (format!("evidence/{name}/{key}"), bytes)),
        );
    }
    // A summary that records what could not be stored.
    let occupied = occupied(START).await.files;
    let lacking = occupied
        .into_iter()
        .filter(|(path, _)| path.ends_with("/m3c_execution_summary.json"));
    all.extend(lacking.map(|(path, bytes)| (format!("evidence/occupied/{path}"), bytes)));
    // Later phases that were admitted and refused.
    for (name, is_known) in [("admitted", true), ("refused", false)] {
        let files = entered(START, signer(1), is_known).await.files;
        let of_entry = files
            .into_iter()
            .filter(|(path, _)| path.contains("/m3j_20260325T080000Z_"));
        all.extend(of_entry.map(|(path, bytes)| (format!("evidence/{name}/{path}"), bytes)));
    }
    // The day's answer of Cost Explorer has the shape of a billing artifact.
    let billing = World::new().store.dump(ARTIFACTS).remove(BILLING).unwrap();
    all.insert("evidence/day/_cost/20260223.json".to_owned(), billing);
    let owner = World::new().execution.parse().unwrap();
    let claim = CostClaim::new(&owner, "2026-02-23".to_owned(), 1);
    let claim = canonical::document_of(&claim).unwrap();
    all.insert("evidence/day/_cost/20260223_claim_01.json".to_owned(), claim);
    let outcome = validate(&[Scratch::mirror("valid", &all).path()]).await;
    assert!(outcome.valid, "{}", outcome.text);
    let count = documents(&all).count();
    assert!(
        outcome.text.starts_with(&format!("{count} documents, ")),
        "{}",
        outcome.text
    );

    let mut unseen = schemas();
    for (key, document) in documents(&all) {
        for name in schemas_of(key, &document) {
            unseen.remove(&name);
        }
    }
    let unseen: Vec<String> = unseen.into_keys().collect();
    assert_eq!(unseen, Vec::<String>::new(), "not published by any of these runs");
}

/// The validator names this place with this problem.
fn expect_problem(said: &Said, place: &str, problem: &str) {
    let (start, mut lines) = (format!("{place}: "), said.text.lines());
    let is_named = lines.any(|line| line.starts_with(&start) && line.contains(problem));
    assert!(is_named, "{place}, {problem}: {}", said.text);
}

/// What is wrong with it, a key of the document and its new value, and what the validator says.
type Row = (&'static str, &'static str, Value, &'static str);

#[tokio::test]
async fn what_departs_from_the_schemas_is_refused() {
    let valid = advanced().await.store.dump(EVIDENCE);
    let key = "evidence/runs/platform_20260223T174307Z/run.json";
    let digest = "0".repeat(63);
    let rows: [Row; 9] = [
        ("extra field", "extra", json!(1), "'extra' was unexpected"),
        (
            "attempt in run evidence",
            "phase_execution_id",
            json!("m3e_20260223T174307Z_0123456789ab"),
            "unexpected",
        ),
        ("other schema version", "schema_version", json!(3), "2 was expected"),
        ("other step", "step", json!("M3.A"), "'M3.E' was expected"),
        ("short digest", "config_digest", json!(digest), "does not match"),
        (
            "line break after the id",
            "platform_run_id",
            json!("platform_20260223T174307Z\n"),
            "does not match",
        ),
        (
            "null for absent",
            "scenario_run_id",
            Value::Null,
            "is not of type 'string'",
        ),
        ("float", "schema_version", json!(1.0), "1.0 is no integer"),
        (
            "unknown artifact",
            "artifact",
            json!("run_2"),
            "is the artifact `run_2`, which has no schema",
        ),
    ];
    let text = String::from_utf8(valid[key].clone()).unwrap();
    let mut broken: Vec<(&str, String, &str)> = rows
        .into_iter()
        .map(|(what, field, value, expected)| {
            let mut document: Value = serde_json::from_str(&text).unwrap();
            document[field] = value;
            (what, document.to_string(), expected)
        })
        .collect();
    let name = "\"artifact\":\"run\",";
    let phase = "\"phase_id\":\"P1\",";
    broken.extend([
        (
            "field missing",
            text.replace(phase, ""),
            "'phase_id' is a required property",
        ),
        ("no name", text.replace(name, ""), "does not say which artifact it is"),
        ("key twice", text.replace(name, &name.repeat(2)), "names a key twice"),
        ("half a document", text[..40].to_owned(), "is not usable JSON"),
        ("no object", "[]".to_owned(), "does not say which artifact it is"),
    ]);

    let place = |what: &str| format!("evidence/{what}/run.json");
    let mut objects: Objects = broken
        .iter()
        .map(|(what, text, _)| (place(what), text.clone().into_bytes()))
        .collect();
    objects.insert(place("valid"), text.into_bytes());
    let outcome = validate(&[Scratch::mirror("broken", &objects).path()]).await;
    assert!(!outcome.valid, "{}", outcome.text);
    for (what, _, expected) in &broken {
        expect_problem(&outcome, &place(what), expected);
    }
    assert_eq!(outcome.text.lines().count(), broken.len() + 1, "{}", outcome.text);
}

#[tokio::test]
async fn sidecars_that_depart_from_the_schemas_are_refused() {
    let valid = held(|world| world.edit_registry("\"deterministic_hash_v1\"", "\"random\"")).await;
    let objects = valid.store.dump(EVIDENCE);
    let (_, bytes) = objects.iter().find(|(key, _)| key.ends_with(VERDICT_SIDECAR)).unwrap();
    let envelope: Envelope = serde_json::from_slice(bytes).unwrap();
    let payload = String::from_utf8(envelope.payload().unwrap()).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let with = |payload: &str| {
        let payload = aws_smithy_types::base64::encode(payload);
        text.replace(&envelope.payload, &payload)
    };
    let rows = [
        (
            "extra field",
            text.replace("\"payload\":", "\"cert\":\"\",\"payload\":"),
            "'cert' was unexpected",
        ),
        (
            "no signature",
            text.replace(&text[text.find("[{").unwrap()..text.find("}]").unwrap() + 2], "[]"),
            "$.signatures",
        ),
        (
            "other type",
            text.replace("in-toto+json", "in-toto+xml"),
            "$.payloadType",
        ),
        ("url-safe", text.replace("\"sig\":\"", "\"sig\":\"-_"), "does not match"),
        ("no statement", with("[]"), "a statement of the type None"),
        (
            "half a statement",
            with(&payload[..40]),
            "its payload is not usable JSON",
        ),
        (
            "other predicate",
            with(&payload.replace(VERDICT_PREDICATE, "urn:p1:predicate:other:1")),
            "has no schema",
        ),
        (
            "no subject",
            with(&payload.replace(&payload[payload.find("\"subject\":[").unwrap()..], "\"subject\":[]}")),
            "$.subject",
        ),
        (
            "other verdict",
            with(&payload.replace("\"HOLD_M3\"", "\"GO\"")),
            "$.predicate.verdict",
        ),
        (
            "field in the predicate",
            with(&payload.replace("\"committed\":", "\"by\":1,\"committed\":")),
            "'by' was unexpected",
        ),
    ];
    let place = |what: &str| format!("evidence/{what}/{VERDICT_SIDECAR}");
    let mut broken: Objects = rows
        .iter()
        .map(|(what, text, _)| (place(what), text.clone().into_bytes()))
        .collect();
    broken.insert(place("valid"), bytes.clone());
    let outcome = validate(&[Scratch::mirror("sidecars", &broken).path()]).await;
    for (what, _, expected) in &rows {
        expect_problem(&outcome, &place(what), expected);
    }
    assert!(!outcome.text.contains("/valid/"), "{}", outcome.text);
}

#[tokio::test]
async fn schemas_that_are_none_and_evidence_that_is_not_there_are_refused() {
    let empty = Scratch::new("empty");
    let outcome = validate(&[empty.path()]).await;
    assert!(
        !outcome.valid && outcome.text.contains("holds no evidence"),
        "{}",
        outcome.text
    );

    let schemas = Scratch::new("schemas");
    let arguments = ["--schemas".as_ref(), schemas.path()];
    let outcome = validate(&arguments).await;
    assert!(
        !outcome.valid && outcome.text.contains("holds no schemas"),
        "{}",
        outcome.text
    );
    let write = |name: &str, schema: Value| {
        std::fs::write(schemas.path().join(name), schema.to_string()).unwrap();
    };
    write(
        "run.schema.json",
        json!({"$schema": crate::schema::DIALECT, "type": "text"}),
    );
    write(
        "other.schema.json",
        json!({"properties": {"artifact": {"const": "run"}}}),
    );
    let outcome = validate(&arguments).await;
    for expected in [
        "run.schema.json: is no schema at $.type",
        "other.schema.json: is not of the dialect",
        "other.schema.json: is not the schema of an artifact `other`",
    ] {
        assert!(
            !outcome.valid && outcome.text.contains(expected),
            "{expected}: {}",
            outcome.text
        );
    }

    let outcome = validate(&[]).await;
    assert!(outcome.valid, "{}", outcome.text);
}

/// Evidence of revision 1 is held against the schemas of revision 1.
#[tokio::test]
async fn evidence_of_revision_1_is_valid_against_the_schemas_of_revision_1() {
    let mut all = Objects::new();
    for (name, _) in revision_1::RUNS {
        let evidence = evidence(revision_1::run(name)).into_iter();
        all.extend(evidence.map(|(path, bytes)| (format!("evidence/{name}/{path}"), bytes)));
    }
    let outcome = validate(&[Scratch::mirror("revision-1", &all).path()]).await;
    assert!(outcome.valid, "{}", outcome.text);
    let (key, mut run) = documents(&all)
        .find(|(_, document)| document["artifact"] == "run")
        .unwrap();
    run["added_later"] = json!(1);
    let broken = Objects::from([(key.clone(), run.to_string().into_bytes())]);
    let outcome = validate(&[Scratch::mirror("revision-1-broken", &broken).path()]).await;
    assert!(
        outcome.text.contains("'added_later' was unexpected"),
        "{}",
        outcome.text
    );
}
