//! The codes that only a defect of our own can raise, from doctored observations.

use p1_contract::blocker::{Blocker, codes};
use p1_contract::hash::Sha256Hex;
use p1_contract::observations::config_digest::Observed;
use p1_contract::request::{Mode, StepInput, TaskCall};
use p1_runtime::StepLogic;
use p1_runtime::testing::settings;
use serde_json::{Value, json};

use crate::ConfigDigest;

fn input() -> StepInput {
    let machine = "arn:aws:states:eu-west-2:123456789012:stateMachine:p1";
    let call = TaskCall {
        mode: Mode::Step,
        settings: &settings("evidence"),
        execution: "arn:aws:states:eu-west-2:123456789012:execution:p1:run-1",
        start_time: "2026-02-23T17:43:07.250Z",
        state_machine: machine,
        state: "M3.C Config digest",
        closures: &json!({}),
        input: &json!({"m2_handoff": {
            "key": "evidence/dev_full/run_control/m2j_20260223T061612Z/m2j_m3_entry_readiness_receipt.json"
        }}),
    };
    StepInput::parse(call.payload()).unwrap().0
}

/// Observations without a finding.
fn valid() -> Observed {
    let resolved = |value: Value| json!({"status": "RESOLVED", "value": value});
    let handles = json!({
        "CONFIG_DIGEST_ALGO": resolved(json!("sha256")),
        "CONFIG_DIGEST_FIELD": resolved(json!("config_digest")),
        "FIELD_CONFIG_DIGEST": resolved(json!("config_digest")),
        "ORACLE_ENGINE_RUN_ID": resolved(json!("0f1e")),
        "ORACLE_REQUIRED_OUTPUT_IDS": resolved(json!(["events"])),
        "ORACLE_SORT_KEY_BY_OUTPUT_ID": resolved(json!({"events": "ts_utc"})),
        "ORACLE_SOURCE_NAMESPACE": resolved(json!("sample")),
        "SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE": resolved(json!("json_sorted_keys_v1")),
        "SCENARIO_RUN_ID_DERIVATION_MODE": resolved(json!("deterministic_hash_v1")),
    });
    let digest_input = json!({
        "algo": "sha256",
        "oracle_engine_run_id": "0f1e",
        "oracle_required_output_ids": ["events"],
        "oracle_sort_key_by_output_id": {"events": "ts_utc"},
        "oracle_source_namespace": "sample",
        "scenario_mode": "deterministic_hash_v1",
    });
    let typed: p1_contract::identity::DigestInput = serde_json::from_value(digest_input.clone()).unwrap();
    let observed = json!({
        "run": {
            "platform_run_id": "platform_20260223T174307Z",
            "scenario_run_id": format!("scenario_{}", "0".repeat(32)),
        },
        "seed": {
            "digest_profile": "m3b_seed_formula_v1",
            "config_digest": typed.digest().unwrap(),
            "digest_input": digest_input,
            "oracle_input_manifest_uri": "s3://oracle/manifest",
            "oracle_input_manifest_sha256": Sha256Hex::of(b"manifest"),
            "oracle_input_manifest_entries": [],
            "scenario_fields": ["config_digest"],
            "scenario_derivation_mode": "deterministic_hash_v1",
            "canonicalization_mode": "json_sorted_keys_v1",
        },
        "handles": handles,
    });
    serde_json::from_value(observed).unwrap()
}

fn found(change: impl FnOnce(&mut Observed)) -> Vec<Blocker> {
    let mut observed = valid();
    change(&mut observed);
    codes(&ConfigDigest.evaluate(&input(), &observed).unwrap().findings)
}

#[test]
fn the_valid_example_has_no_blocker() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn a_payload_without_an_id_is_b1() {
    assert_eq!(
        found(|observed| observed.run.scenario_run_id = None),
        [Blocker::PayloadFieldMissing]
    );
    assert_eq!(
        found(|observed| observed.run.platform_run_id = None),
        [Blocker::PayloadFieldMissing]
    );
}

#[test]
fn another_digest_of_the_seed_is_b4() {
    let other = found(|observed| observed.seed.as_mut().unwrap().config_digest = Sha256Hex::of(b"other"));
    assert_eq!(other, [Blocker::DigestMismatch]);
}
