//! Inputs in the forms that other programs write them, through the engine: a replayed event, documents with a byte order mark or
//! in UTF-16, numbers in another notation, receipts that contradict themselves.

use p1_tests::stage::{Ended, Stage, on_stage};
use serde_json::{Value, json};

/// The bytes of a text in UTF-16, with a mark.
fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

async fn put_outputs(stage: &Stage, bytes: &[u8]) {
    for uri in stage.platform.stack_outputs_uris() {
        stage.put(&uri.parse().unwrap(), bytes.to_vec()).await;
    }
}

/// The details of M3.A's blockers.
async fn details(stage: &Stage, ended: &Ended) -> String {
    let folder = stage.folders(ended).await["M3.A"].clone();
    let summary = stage.json(&format!("{folder}m3a_execution_summary.json")).await;
    summary["blockers"].to_string()
}

/// An archive's replay: EventBridge adds a field, and the event has no version.
#[test]
fn a_replayed_event_starts_a_run() {
    on_stage(async |stage| {
        let first = stage.run().await.expect_advance();
        let mut event: Value = serde_json::from_str(&stage.input(&first.arn).await).unwrap();
        event["detail"]["object"]["version-id"] = json!(null);
        // Another delivery than the one that has pinned its run.
        event["detail"]["object"]["sequencer"] = json!("00REPLAYED00");
        event["replay-name"] = json!("of-last-week");
        let replayed = stage.start(&event).await.expect_advance();
        // The same delivery again is a duplicate, replayed or not.
        let again = stage.start(&event).await;
        assert_eq!(again.outcome()["outcome"], "DUPLICATE_DELIVERY", "{again:?}");
        assert!(replayed.outcome()["platform_run_id"].is_string());
    });
}

#[test]
fn a_receipt_that_contradicts_itself_pins_nothing() {
    on_stage(async |stage| {
        for (field, value) in [
            ("m3_entry_ready", json!(false)),
            ("blocker_count", json!(3)),
            ("unresolved_blockers", json!(["M2J-B2"])),
            ("verdict", json!("HOLD")),
            ("phase_execution_id", json!("m2j_19990101T000000Z")),
        ] {
            let execution = stage.deliver_receipt(|receipt| receipt[field] = value).await;
            let ended = stage.ended(&execution).await.expect_hold(&["M3A-B3"]);
            let details = details(stage, &ended).await;
            assert!(details.contains(field), "{field}: {details}");
        }
    });
}

#[test]
fn documents_with_a_mark_are_read_and_utf16_is_named() {
    on_stage(async |stage| {
        let bucket = stage.platform.evidence_bucket();
        let outputs =
            json!({"s3_evidence_bucket": {"sensitive": false, "type": "string", "value": bucket}}).to_string();
        put_outputs(stage, format!("\u{feff}{outputs}\r\n").as_bytes()).await;
        let marked = "\u{feff}{\"overall_pass\":true,\"blockers\":[]}".as_bytes().to_vec();
        let execution = stage.deliver_bytes(&Stage::new_receipt_key(), marked).await;
        stage.ended(&execution).await.expect_advance();

        put_outputs(stage, &utf16(&outputs)).await;
        let ended = stage.run().await.expect_hold(&["M3A-B6"]);
        let details = details(stage, &ended).await;
        assert!(
            details.contains("INCONCLUSIVE") && details.contains("UTF-16") && details.contains("save it as UTF-8"),
            "{details}"
        );
        stage.put_stack_outputs(None).await;

        let uri = stage.platform.registry_uri().parse().unwrap();
        stage
            .put(
                &uri,
                format!("\u{feff}{}", stage.registry().replace('\n', "\r\n")).into_bytes(),
            )
            .await;
        stage.run().await.expect_advance();
        stage.put(&uri, utf16(&stage.registry())).await;
        let ended = stage.run().await;
        assert_eq!(ended.error, "InvalidInput", "{ended:?}");
        assert!(ended.cause.contains("UTF-16"), "{ended:?}");
    });
}

#[test]
fn values_in_another_notation_are_equal_and_other_values_are_not() {
    on_stage(async |stage| {
        let handles = "\n# Field\n\n* `F_DECIMAL = 1.0`\n* `F_THOUSAND = 1000`\n* `F_PORTS = [\"80\",\"443\"]`\n\
                       * `F_OBJECT = {\"b\":1,\"a\":2}`\n* `F_NULL = \"some-name\"`\n* `F_TEXT = 300`\n";
        stage.put_registry(&format!("{}{handles}", stage.registry())).await;
        let outputs = |thousand: &str| {
            format!(
                r#"{{
                    "f_decimal": {{"sensitive": false, "type": "number", "value": 1}},
                    "f_thousand": {{"sensitive": false, "type": "number", "value": {thousand}}},
                    "f_ports": {{"sensitive": false, "type": ["tuple", ["number", "number"]], "value": [80, 443]}},
                    "f_object": {{"sensitive": false, "type": ["object", {{"a": "number", "b": "number"}}], "value": {{"a": 2, "b": 1}}}},
                    "f_text": {{"sensitive": false, "type": "string", "value": "300"}},
                    "f_handle_materialization": {{"sensitive": false, "type": "dynamic", "value": {{"F_NULL": null}}}},
                    "db_credentials_secret": {{"sensitive": false, "type": "string", "value": "shop/prod/db-credentials"}}
                }}"#
            )
        };
        put_outputs(stage, outputs("1e3").as_bytes()).await;
        stage.run().await.expect_advance();
        put_outputs(stage, outputs("1000.0000000000000000000001").as_bytes()).await;
        let ended = stage.run().await.expect_hold(&["M3A-B6"]);
        let details = details(stage, &ended).await;
        assert!(
            details.contains("F_THOUSAND") && details.contains("1000.0000000000000000000001"),
            "{details}"
        );
    });
}
