//! How stack outputs are read: documents that are nearly such, too.

use p1_contract::exact::Exact;
use p1_contract::ids::HandleKey;
use p1_contract::observations::handle_closure::{StackClaim, StackOutputsFact};
use p1_contract::secrets::SecretHit;
use p1_contract::stack_outputs::{self, redact};
use p1_contract::strict::Limits;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::hostile::{any_json, any_name};

/// The end of the name of an output that maps handles to values.
const MATERIALIZATION: &str = "_handle_materialization";

type Claims = Result<(Vec<StackClaim>, Vec<SecretHit>), String>;

fn claims(document: &Value) -> Claims {
    stack_outputs::claims(&Exact::of_written(document, &[], &[]))
}

fn read(text: &str) -> Vec<StackClaim> {
    stack_outputs::claims(&Exact::parse(text.as_bytes(), Limits::DOCUMENT).unwrap())
        .unwrap()
        .0
}

#[test]
fn claims_follow_the_contract_and_sensitive_outputs_are_never_read() {
    let (claims, hits) = claims(&json!({
        "s3_evidence_bucket": {"sensitive": false, "type": "string", "value": "b"},
        "x_handle_materialization": {"value": {"AWS_REGION": "eu-west-2", "LIMIT": 300}},
        "db_password": {"sensitive": true, "value": "hunter2hunter2"},
        "not-a-handle": {"value": "x"},
    }))
    .unwrap();
    let seen: Vec<_> = claims.iter().map(|c| (c.handle.as_str(), c.value.clone())).collect();
    assert_eq!(
        seen,
        [
            ("S3_EVIDENCE_BUCKET", json!("b")),
            ("AWS_REGION", json!("eu-west-2")),
            ("LIMIT", json!(300))
        ]
    );
    assert!(hits.is_empty());
}

#[test]
fn secrets_in_open_outputs_are_hits() {
    let (_, hits) = claims(&json!({"key": {"value": "AKIAIOSFODNN7EXAMPLE"}})).unwrap();
    assert_eq!(hits.len(), 1);
}

#[test]
fn other_shapes_are_refused() {
    for bad in [
        json!([]),
        json!({"a": 1}),
        json!({"a": {}}),
        json!({"a_handle_materialization": {"value": 1}}),
    ] {
        assert!(claims(&bad).is_err(), "{bad}");
    }
}

#[test]
fn numbers_and_sets_are_kept_as_the_stack_gave_them() {
    let claims = read(
        r#"{
            "a": {"type": "number", "value": 12345678901234567890.10},
            "b": {"type": ["set", "string"], "value": ["x", "y"]},
            "c": {"type": ["object", {"s": ["map", ["set", "number"]], "l": ["list", "string"]}],
                  "value": {"s": {"k": [1e3, 0.5]}, "l": ["x"]}},
            "d": {"type": ["tuple", ["string", ["set", "string"]]], "value": ["x", ["y"]]},
            "p_handle_materialization": {"type": ["object", {"E": ["set", "string"], "F": "string"}], "value": {"E": ["x"], "F": null}},
            "g": {"type": ["set"], "value": ["x"]},
            "h": {"type": {"set": 1}, "value": ["x"]},
            "i_handle_materialization": {"type": "dynamic", "value": null}
        }"#,
    );
    let seen: Vec<_> = claims
        .iter()
        .map(|claim| json!([claim.handle, claim.value, claim.numbers.join(" "), claim.sets.join(" ")]))
        .collect();
    let expected = [
        json!(["A", "12345678901234567890.1", "", ""]),
        json!(["B", ["x", "y"], "", ""]),
        json!(["C", {"l": ["x"], "s": {"k": [1000, "0.5"]}}, "/s/k/1", "/s/k"]),
        json!(["D", ["x", ["y"]], "", "/1"]),
        json!(["G", ["x"], "", ""]),
        json!(["H", ["x"], "", ""]),
        json!(["E", ["x"], "", ""]),
        json!(["F", null, "", ""]),
    ];
    assert_eq!(seen, expected);
    assert_eq!(
        (&claims[0].numbers[..], &claims[1].sets[..]),
        (&[String::new()][..], &[String::new()][..])
    );
    assert!(matches!(claims[0].exact(), Exact::Number(_)) && matches!(claims[1].exact(), Exact::Set(_)));
}

#[test]
fn evidence_of_revision_1_is_read() {
    let claim: StackClaim = serde_json::from_value(json!({"output": "a", "handle": "A", "value": "300"})).unwrap();
    assert!(Exact::of_written(&json!(300), &[], &[]).agrees_with(&claim.exact()));
}

/// Documents that are nearly stack outputs.
fn any_outputs() -> impl Strategy<Value = Value> {
    let sensitive = prop_oneof![3 => Just(Value::Bool(false)), 1 => Just(Value::Bool(true)), 1 => any_json()];
    let body = prop_oneof![
        6 => (sensitive, any_json()).prop_map(|(sensitive, value)| json!({"sensitive": sensitive, "value": value})),
        6 => any_json().prop_map(|value| json!({ "value": value })),
        1 => any_json(),
    ];
    let name = prop_oneof!["[a-z_]{1,12}", "[a-z]{0,6}_handle_materialization", any_name()];
    prop::collection::btree_map(name, body, 0..5).prop_map(|map| Value::Object(map.into_iter().collect()))
}

proptest! {
    #[test]
    fn any_document_gets_an_answer(document in prop_oneof![1 => any_json(), 4 => any_outputs()]) {
        match claims(&document) {
            Ok((claims, _)) => {
                for claim in claims {
                    prop_assert!(HandleKey::parse(&claim.handle).is_ok());
                    let body = &document[&claim.output];
                    prop_assert_ne!(body.get("sensitive"), Some(&Value::Bool(true)));
                    let value = if claim.output.ends_with(MATERIALIZATION) { &body["value"][&claim.handle] } else { &body["value"] };
                    prop_assert_eq!(&claim.exact(), &Exact::of_written(value, &[], &[]));
                }
            }
            Err(why) => {
                prop_assert!(!why.contains(char::is_control) && why.len() < 1000, "{why:?}");
                prop_assert!(why.contains("output `") || !document.is_object(), "names no output: {why}");
            }
        }
    }

    #[test]
    fn a_sensitive_output_changes_nothing(document in any_outputs(), name in "[a-z_]{1,12}", value in any_json()) {
        let mut with = document.clone();
        with[&name] = json!({"sensitive": true, "value": value});
        let mut without = document;
        without.as_object_mut().unwrap().remove(&name);
        let seen = |result: Result<_, String>| format!("{result:?}");
        prop_assert_eq!(seen(claims(&with)), seen(claims(&without)));
    }

    #[test]
    fn redaction_leaves_no_secret(document in any_outputs(), secret in "AKIA[A-Z2-7]{16}") {
        let mut document = document;
        document["planted"] = json!({ "value": { "deep": [secret] } });
        let Ok((claims, hits)) = claims(&document) else { return Ok(()) };
        prop_assert!(!hits.is_empty());
        let mut fact = StackOutputsFact { uri: "s3://b/k".into(), unreadable: None, claims };
        redact(&mut fact);
        let kept = format!("{fact:?} {hits:?}");
        prop_assert!(!kept.contains(&secret), "{}", kept);
    }
}
