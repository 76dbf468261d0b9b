//! A registry of the size and form that a real platform keeps: 526 handles, of which P1 reads a tenth.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

use p1_contract::registry::{self, HandleValue, Reading, Registry};
use p1_contract::secrets::scan_document;
use serde_json::json;

/// The 17 handles that M3.A requires (contract section 3).
const REQUIRED: [&str; 17] = [
    "FIELD_PLATFORM_RUN_ID",
    "FIELD_SCENARIO_RUN_ID",
    "FIELD_CONFIG_DIGEST",
    "CONFIG_DIGEST_ALGO",
    "CONFIG_DIGEST_FIELD",
    "SCENARIO_EQUIVALENCE_KEY_INPUT",
    "SCENARIO_EQUIVALENCE_KEY_CANONICAL_FIELDS",
    "SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE",
    "SCENARIO_RUN_ID_DERIVATION_MODE",
    "S3_EVIDENCE_RUN_ROOT_PATTERN",
    "RUN_PIN_PATH_PATTERN",
    "EVIDENCE_RUN_JSON_KEY",
    "SR_READY_COMMIT_AUTHORITY",
    "REQUIRED_PLATFORM_RUN_ID_ENV_KEY",
    "ROLE_TERRAFORM_APPLY_DEV_FULL",
    "S3_EVIDENCE_BUCKET",
    "SFN_PLATFORM_RUN_ORCHESTRATOR_V0",
];

const REGISTRY: &str = include_str!("../../../tests/registry/full_platform.registry.md");

fn read() -> Registry {
    registry::parse(REGISTRY.as_bytes()).unwrap()
}

#[test]
fn every_required_handle_resolves() {
    let registry = read();
    for key in REQUIRED {
        let reading = registry.get(key);
        assert!(matches!(reading, Reading::Resolved(_)), "{key}: {reading:?}");
    }
    assert!(registry.contradictions().is_empty(), "{:?}", registry.contradictions());
    // 527 lines declare, two of them the same handle with the same value.
    assert_eq!(registry.len(), 526);
}

#[test]
fn it_holds_no_secret() {
    assert_eq!(scan_document("registry", REGISTRY), []);
}

#[test]
fn values_of_every_kind_are_read() {
    let registry = read();
    let value = |key: &str| registry.get(key).value().cloned();
    assert_eq!(
        value("DEV_FULL_MONTHLY_BUDGET_LIMIT_USD"),
        Some(HandleValue::Json(json!(300)))
    );
    assert_eq!(value("TAG_ENV_KEY"), Some(HandleValue::Json(json!("env"))));
    let outputs = value("ORACLE_REQUIRED_OUTPUT_IDS").unwrap().to_json();
    assert_eq!(outputs.as_array().unwrap().len(), 4);
    let sort_keys = value("ORACLE_SORT_KEY_BY_OUTPUT_ID").unwrap().to_json();
    assert_eq!(sort_keys["s4_event_labels_6B"], "flow_id,event_seq");
    assert!(matches!(registry.get("ENTRYPOINT_SR"), Reading::Unresolved { .. }));
    assert!(matches!(
        registry.get("AWS_BUDGET_NOTIFICATION_EMAIL"),
        Reading::Placeholder { .. }
    ));
    assert_eq!(registry.get("platform_run_id"), Reading::Missing);
}
