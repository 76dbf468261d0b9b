//! The whole step through the harness, on a platform in memory.

use p1_contract::blocker::Blocker;
use p1_contract::request::StepResult;
use p1_contract::step::Step;
use p1_runtime::testing::BUCKET;
use serde_json::{Value, json};

use super::fixture::{
    ARTIFACTS, BILLING_KEY, DATABRICKS_KEY, Platform, REGISTRY, billing, proof_key, step, with_databricks,
};

pub(crate) async fn run(platform: &Platform) -> StepResult {
    platform.harness().run(&step(&[]).0, &platform.request()).await.unwrap()
}

/// The codes of the result, and those of the published summary, which must be the same.
pub(crate) async fn blocked(platform: &Platform) -> Vec<&'static str> {
    let result = run(platform).await;
    let codes: Vec<_> = result.blockers.iter().map(|blocker| blocker.code()).collect();
    let summary = platform.published("m3h_execution_summary");
    for blocker in summary["blockers"].as_array().unwrap() {
        assert!(codes.iter().any(|code| blocker["code"] == *code), "{blocker}");
    }
    assert_eq!(result.overall_pass, codes.is_empty());
    codes
}

#[tokio::test]
async fn a_pass_publishes_the_four_artifacts_where_the_registry_says() {
    let platform = Platform::new();
    let result = run(&platform).await;
    assert!(result.overall_pass, "{:?}", result.blockers);
    assert_eq!(result.next_gate, "M3.H_READY");
    let envelope = platform.published("phase_budget_envelope");
    assert_eq!(envelope["artifact"], "m3h_phase_budget_envelope");
    assert_eq!(envelope["budget_alerts_usd"], json!(["120", "210.50", "270"]));
    assert_eq!(envelope["envelope_valid"], true);
    let proofs = envelope["expected_proof_artifacts"].as_array().unwrap();
    assert!(
        proofs.len() == 11 && proofs.iter().all(|proof| proof["present"] == true),
        "{proofs:?}"
    );
    let receipt = platform.published("phase_cost_outcome_receipt");
    assert_eq!(receipt["phase_id"], "P1");
    assert_eq!(receipt["spend_amount"], "12.34");
    assert_eq!(receipt["window_start_utc"], "2026-11-01T00:00:00Z");
    assert_eq!(receipt["window_end_utc"], "2026-11-22T12:17:01Z");
    assert_eq!(receipt["artifacts_emitted"].as_array().unwrap().len(), 15);
    assert!(
        receipt["decision_or_risk_retired"]
            .as_str()
            .unwrap()
            .contains("platform_20261122T121701Z")
    );
    let posture = platform.published("daily_cost_posture");
    assert_eq!(posture["alerts_reached"], 0);
    assert_eq!(posture["overall_pass"], true);
    let sources = platform.published("m3h_cost_source_receipts");
    assert_eq!(sources["sources"].as_array().unwrap().len(), 2);
    assert_eq!(sources["sources"][0]["pass"], true);
    assert_eq!(sources["sources"][1]["pass"], true);
    let summary = platform.published("m3h_execution_summary");
    assert_eq!(summary["artifacts"].as_array().unwrap().len(), 5);
    assert_eq!(summary["upstream"].as_array().unwrap().len(), 7);
}

#[tokio::test]
async fn the_databricks_bill_is_added_to_awss() {
    let platform = Platform::with_registry(&with_databricks());
    assert_eq!(blocked(&platform).await, [""; 0]);
    let receipt = platform.published("phase_cost_outcome_receipt");
    assert_eq!(receipt["spend_amount"], "113");
    let posture = platform.published("daily_cost_posture");
    assert_eq!(posture["spend_amount"], "113");
    assert_eq!(posture["estimated"], true);
    let sources = platform.published("m3h_cost_source_receipts");
    let databricks = &sources["sources"][1];
    assert_eq!(databricks["mode"], "billing_artifact");
    assert_eq!(databricks["pass"], true);
    let summary = platform.published("m3h_execution_summary");
    let inputs = summary["inputs"].as_array().unwrap();
    let pinned = inputs.iter().find(|input| input["key"] == DATABRICKS_KEY).unwrap();
    assert!(pinned["bucket"] == ARTIFACTS && pinned["version_id"].is_string() && pinned["sha256"].is_string());

    // What cannot be read leaves the spend unknown: AWS's part of it is no answer.
    let platform = Platform::with_registry(&with_databricks());
    platform.store.deny(ARTIFACTS, DATABRICKS_KEY);
    assert_eq!(blocked(&platform).await, ["M3H-B4"]);
    assert_eq!(
        platform.published("phase_cost_outcome_receipt")["spend_amount"],
        Value::Null
    );
}

#[tokio::test]
async fn a_retry_writes_nothing_new() {
    let platform = Platform::new();
    let first = run(&platform).await;
    let before = platform.store.dump(BUCKET);
    // The world moves on; the observations of the first attempt count.
    platform.store.seed(BUCKET, BILLING_KEY, "{}");
    let again = run(&platform).await;
    assert_eq!(first, again);
    let mut after = platform.store.dump(BUCKET);
    after.insert(BILLING_KEY.to_owned(), before[BILLING_KEY].clone());
    assert_eq!(before, after);
}

#[tokio::test]
async fn blockers_of_the_registry_leave_complete_evidence() {
    for (line, other, code) in [
        ("CURRENCY = \"USD\"`", "CURRENCY = \"TO_PIN\"`", "M3H-B1"),
        ("/phase_budget_envelope.json", "/m3h_observations.json", "M3H-B1"),
        (
            "`AWS_COST_CAPTURE_ENABLED = true",
            "`AWS_COST_CAPTURE_ENABLED = false",
            "M3H-B3",
        ),
        ("* `DATABRICKS_COST_CAPTURE_REENABLE_GATE = \"M11.D\"`", "", "M3H-B4"),
        ("ALERT_1_USD = 120", "ALERT_1_USD = 220", "M3H-B5"),
        ("REQUIRED_FIELDS = \"phase_id,", "REQUIRED_FIELDS = \"", "M3H-B6"),
        ("CURRENCY = \"USD\"`", "CURRENCY = \"EUR\"`", "M3H-B7"),
    ] {
        assert!(REGISTRY.contains(line), "{line}");
        let platform = Platform::with_registry(&REGISTRY.replace(line, other));
        assert_eq!(blocked(&platform).await, [code], "{other}");
        let summary = platform.published("m3h_execution_summary");
        assert_eq!(summary["artifacts"].as_array().unwrap().len(), 5, "{other}");
        assert_eq!(platform.published("daily_cost_posture")["overall_pass"], false);
    }
    let platform = Platform::with_registry("* `SOMETHING = 1`\n");
    let result = run(&platform).await;
    assert_eq!(result.blockers, [Blocker::CostHandleInvalid]);
    assert_eq!(
        platform.published("m3h_phase_budget_envelope")["budget_currency"],
        Value::Null
    );
}

#[tokio::test]
async fn b2_a_closure_that_is_missing_changed_or_a_hold() {
    let mut platform = Platform::new();
    platform.execution.closures.remove("M3.D");
    assert_eq!(blocked(&platform).await, ["M3H-B2"]);

    let platform = Platform::new();
    platform
        .store
        .seed(BUCKET, platform.execution.closures["M3.E"].key.as_str(), "{}");
    assert_eq!(blocked(&platform).await, ["M3H-B2"]);

    let mut platform = Platform::new();
    let finding = Blocker::HandoffNotPublished.on("m4_handoff_pack", "refused");
    platform.close(Step::M4Handoff, vec![finding], Vec::new(), |_| false);
    assert_eq!(blocked(&platform).await, ["M3H-B2"]);

    // Without M3.A nothing pins the registry: one cause, and evidence all the same.
    let mut platform = Platform::new();
    platform.execution.closures.remove("M3.A");
    assert_eq!(blocked(&platform).await, ["M3H-B2"]);
    assert_eq!(
        platform.published("m3h_phase_cost_outcome_receipt")["spend_amount"],
        "12.34"
    );
}

#[tokio::test]
async fn b3_a_billing_artifact_that_cannot_be_used() {
    let platform = Platform::new();
    platform.store.deny(BUCKET, BILLING_KEY);
    assert_eq!(blocked(&platform).await, ["M3H-B3"]);
    let mut extra = billing();
    extra["comment"] = json!("hello");
    let mut number = billing();
    number["spend_amount"] = json!(12.34);
    for document in [json!([]), json!({}), extra, number] {
        let platform = Platform::new();
        platform.set_billing(&document);
        assert_eq!(blocked(&platform).await, ["M3H-B3"], "{document}");
    }
    let platform = Platform::new();
    platform.store.seed(BUCKET, BILLING_KEY, " ".repeat(2 << 20));
    assert_eq!(blocked(&platform).await, ["M3H-B3"]);
    assert_eq!(
        platform.published("phase_cost_outcome_receipt")["spend_amount"],
        Value::Null
    );
}

#[tokio::test]
async fn b3_a_secret_is_named_by_place_and_rule_and_never_published() {
    let secret = format!("AKIA{}", "IOSFODNN7EXAMPLQ");
    let platform = Platform::new();
    let mut document = billing();
    document["source"] = json!(secret);
    platform.set_billing(&document);
    assert_eq!(blocked(&platform).await, ["M3H-B3"]);
    let summary = platform.published("m3h_execution_summary");
    let detail = summary["blockers"][0]["detail"].as_str().unwrap();
    assert!(
        detail.contains("/source") && detail.contains("aws-access-key-id"),
        "{detail}"
    );
    for (key, bytes) in platform.store.dump(BUCKET) {
        assert!(
            key == BILLING_KEY || !String::from_utf8_lossy(&bytes).contains(&secret),
            "{key}"
        );
    }
}

#[tokio::test]
async fn b8_an_occupied_key() {
    let platform = Platform::new();
    let phase = super::fixture::phase(Step::CostEnvelope);
    let key = format!("evidence/dev_full/run_control/{phase}/phase_budget_envelope.json");
    platform.store.seed(BUCKET, &key, "somebody else's");
    assert_eq!(blocked(&platform).await, ["M3H-B8"]);
}

#[tokio::test]
async fn b9_spend_without_proof() {
    for (owner, name) in [
        (Step::RunPublication, "run_header"),
        (Step::HandleClosure, "m3a_handle_closure_snapshot"),
    ] {
        let platform = Platform::new();
        platform.store.seed(BUCKET, &proof_key(owner, name), "changed");
        assert_eq!(blocked(&platform).await, ["M3H-B9"], "{name}");
        let envelope = platform.published("phase_budget_envelope");
        let absent = envelope["expected_proof_artifacts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|proof| proof["present"] == false);
        assert_eq!(
            absent.map(|proof| proof["name"].as_str().unwrap()).collect::<Vec<_>>(),
            [name]
        );
    }
    let mut platform = Platform::new();
    platform.close(Step::RunIdentity, Vec::new(), Vec::new(), |name| {
        name != "m3b_run_identity_seed"
    });
    assert_eq!(blocked(&platform).await, ["M3H-B9"]);
}
