//! What the platform's later phases ask of P1's evidence before they begin, written down from their own plans: M4.A and M4.E
//! gate on the phase summary and the receipt, M11 to M13 on the ids and the environment key of the pack. They read the
//! evidence alone, by file name, and know nothing of our types.

use std::collections::BTreeMap;

use m3j_phase_verdict::Signer;
use p1_tests::runs::{advanced, held, held_at_once, resumed};
use serde_json::{Value, json};

use crate::START;

type Files = BTreeMap<String, Vec<u8>>;

/// The last document of this name: that of the latest execution.
fn document(files: &Files, name: &str) -> Option<Value> {
    let file = format!("/{name}.json");
    let documents = files.iter().filter(|(path, _)| path.ends_with(&file));
    let documents = documents.map(|(_, bytes)| serde_json::from_slice::<Value>(bytes).unwrap());
    documents.max_by_key(|document| document["execution_stamp_utc"].as_str().unwrap_or_default().to_owned())
}

/// Why a later phase does not begin; nothing where it does.
fn refusals(files: &Files) -> Vec<String> {
    let mut why = Vec::new();
    let mut ask = |what: &str, found: &Value, expected: &Value| {
        if found != expected {
            why.push(format!("{what} is {found}"));
        }
    };
    let summary = document(files, "m3_execution_summary").unwrap_or_default();
    let receipt = document(files, "m4_entry_readiness_receipt").unwrap_or_default();
    let pack = document(files, "m4_handoff_pack").unwrap_or_default();
    for (name, document) in [("summary", &summary), ("receipt", &receipt)] {
        for (field, expected) in [
            ("verdict", json!("ADVANCE_TO_M4")),
            ("overall_pass", json!(true)),
            ("next_gate", json!("M4_READY")),
            ("m4_entry_ready", json!(true)),
            ("blocker_count", json!(0)),
            ("blockers", json!([])),
        ] {
            ask(&format!("{name}.{field}"), &document[field], &expected);
        }
    }
    for id in ["platform_run_id", "scenario_run_id", "config_digest"] {
        ask(
            &format!("{id} is a text in the summary"),
            &json!(summary[id].is_string()),
            &json!(true),
        );
        ask(&format!("pack.{id}"), &pack[id], &summary[id]);
        ask(&format!("receipt.{id}"), &receipt[id], &summary[id]);
    }
    ask("pack.overall_pass", &pack["overall_pass"], &json!(true));
    let key = &pack["required_platform_run_id_env_key"];
    ask(
        "the environment key is a text",
        &json!(key.as_str().is_some_and(|key| !key.is_empty())),
        &json!(true),
    );
    ask(
        "the environment value",
        &pack["required_platform_run_id_env_value"],
        &summary["platform_run_id"],
    );
    why
}

#[tokio::test]
async fn later_phases_begin_for_a_pinned_run_and_for_no_other() {
    for files in [
        advanced(START, Signer::Off).await.files,
        resumed(START, Signer::Off).await.files,
    ] {
        assert_eq!(refusals(&files), Vec::<String>::new());
    }
    for files in [
        held(START, Signer::Off).await.files,
        held_at_once(START, Signer::Off).await.files,
    ] {
        let why = refusals(&files);
        for field in [
            "verdict",
            "overall_pass",
            "next_gate",
            "m4_entry_ready",
            "blocker_count",
            "blockers",
        ] {
            let named = format!("summary.{field} is");
            assert!(why.iter().any(|reason| reason.starts_with(&named)), "{field}: {why:?}");
        }
        let summary = document(&files, "m3_execution_summary").unwrap();
        let blockers = summary["blockers"].as_array().unwrap();
        assert_eq!(summary["blocker_count"], blockers.len());
        assert!(
            blockers
                .iter()
                .all(|blocker| blocker["code"].is_string() && blocker["detail"].is_string())
        );
    }
}
