//! The phase's costs: what AWS and Databricks bill, added up, and the windows that they are of.

use p1_local::sample::billing;
use p1_tests::stage::{Ended, Stage, on_stage};
use serde_json::{Value, json};

const URI: &str = "M3H_DATABRICKS_COST_SOURCE_URI";

/// A registry that enables the Databricks source and pins its bill by these values.
fn enabled(stage: &Stage, mode: &str, uri: &str, currency: &str) -> String {
    let disabled = "* `DATABRICKS_COST_CAPTURE_ENABLED = false`";
    let registry = stage.registry();
    assert!(registry.contains(disabled));
    let lines = format!(
        "* `DATABRICKS_COST_CAPTURE_ENABLED = true`\n* `M3H_DATABRICKS_COST_SOURCE_MODE = \"{mode}\"`\n* `{URI} = \"{uri}\"`\n* `M3H_DATABRICKS_COST_SOURCE_CURRENCY = \"{currency}\"`"
    );
    registry.replace(disabled, &lines)
}

/// A Databricks bill up to today, with `changes`.
fn bill(changes: &Value) -> Vec<u8> {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut bill: Value = serde_json::from_slice(&billing(today)).unwrap();
    let own = json!({"source": "databricks_billing", "metric": "ListCost", "spend_amount": "0.66"});
    for fields in [&own, changes] {
        for (name, value) in fields.as_object().unwrap() {
            bill[name] = value.clone();
        }
    }
    bill.to_string().into_bytes()
}

/// A document of M3.H.
async fn of_m3h(stage: &Stage, ended: &Ended, file: &str) -> Value {
    let folder = &stage.folders(ended).await["M3.H"];
    stage.json(&format!("{folder}{file}.json")).await
}

#[test]
fn a_databricks_bill_that_is_pinned_is_added_to_awss() {
    on_stage(async |stage| {
        let artifacts = stage.platform.artifacts_bucket().to_owned();
        let uri = format!("s3://{artifacts}/billing/databricks.json");
        stage.put(&uri.parse().unwrap(), bill(&json!({}))).await;
        stage
            .put_registry(&enabled(stage, "billing_artifact", &uri, "USD"))
            .await;
        let ended = stage.run().await.expect_advance();
        let receipt = of_m3h(stage, &ended, "phase_cost_outcome_receipt").await;
        assert_eq!(
            (&receipt["spend_amount"], &receipt["spend_currency"]),
            (&json!("13"), &json!("USD"))
        );
        let envelope = of_m3h(stage, &ended, "phase_budget_envelope").await;
        let run = ended.outcome()["platform_run_id"].as_str().unwrap().to_owned();
        for field in [
            "phase_window_start_utc",
            "phase_window_end_utc",
            "window_start_utc",
            "window_end_utc",
        ] {
            let instant = receipt[field].as_str().unwrap();
            assert!(instant.len() == 20 && instant.ends_with('Z'), "{field} is {instant}");
            assert_eq!(envelope[field], instant, "{field}");
        }
        let start = receipt["phase_window_start_utc"]
            .as_str()
            .unwrap()
            .replace(['-', ':'], "");
        assert!(run.contains(&start), "{run} was minted at {start}");
        let summary = of_m3h(stage, &ended, "m3h_execution_summary").await;
        let inputs = summary["inputs"].as_array().unwrap();
        let pinned = inputs
            .iter()
            .find(|input| input["bucket"] == artifacts.as_str() && input["key"] == "billing/databricks.json");
        assert!(
            pinned.is_some_and(|pinned| pinned["version_id"].is_string()),
            "{inputs:?}"
        );
    });
}

#[test]
fn a_databricks_bill_that_is_not_pinned_or_does_not_fit_holds_the_run() {
    on_stage(async |stage| {
        let artifacts = stage.platform.artifacts_bucket().to_owned();
        let uri = format!("s3://{artifacts}/billing/databricks-b4.json");
        let foreign = format!("s3://{}/billing.json", stage.platform.object_store_bucket());
        let missing = format!("s3://{artifacts}/billing/nothing.json");
        let (mode, none) = ("billing_artifact", json!({}));
        for (registry, changes, subject) in [
            (
                enabled(stage, "deferred_not_enabled", &uri, "USD"),
                &none,
                "M3H_DATABRICKS_COST_SOURCE_MODE",
            ),
            (enabled(stage, mode, "deferred_until_m11", "USD"), &none, URI),
            (enabled(stage, mode, &foreign, "USD"), &none, URI),
            (
                enabled(stage, mode, &uri, "EUR"),
                &none,
                "M3H_DATABRICKS_COST_SOURCE_CURRENCY",
            ),
            (enabled(stage, mode, &missing, "USD"), &none, missing.as_str()),
            (
                enabled(stage, mode, &uri, "USD"),
                &json!({"spend_currency": "EUR"}),
                uri.as_str(),
            ),
            (
                enabled(stage, mode, &uri, "USD"),
                &json!({"window_start_utc": "2026-01-01"}),
                uri.as_str(),
            ),
            (
                enabled(stage, mode, &uri, "USD"),
                &json!({"spend_amount": 1}),
                uri.as_str(),
            ),
        ] {
            stage.put(&uri.parse().unwrap(), bill(changes)).await;
            stage.put_registry(&registry).await;
            let held = stage.run().await.expect_hold(&["M3H-B4"]);
            let summary = of_m3h(stage, &held, "m3h_execution_summary").await;
            assert_eq!(summary["blockers"][0]["subject"], subject, "{summary}");
            let receipt = of_m3h(stage, &held, "phase_cost_outcome_receipt").await;
            assert_eq!(receipt["spend_amount"], Value::Null, "a part of the spend is no answer");
        }
    });
}
