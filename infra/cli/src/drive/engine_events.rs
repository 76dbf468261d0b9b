//! Engine events for tests.

use p1_contract::step::Step;
use serde_json::{Value, json};

/// The answer of a step that passed or blocked.
pub(crate) fn answer(step: &str, blockers: &[&str]) -> Value {
    let prefix = step.to_lowercase().replace('.', "");
    let id = format!("{prefix}_20261122T120000Z_0123456789ab");
    let pass = blockers.is_empty();
    json!({
        "step": step, "outcome": "CLOSED", "phase_execution_id": id, "overall_pass": pass,
        "next_gate": if pass { format!("{step}_READY") } else { "HOLD".to_owned() }, "blockers": blockers,
        "closure": {
            "step": step, "phase_execution_id": id, "overall_pass": pass, "bucket": "evidence-bucket",
            "key": format!("evidence/dev_full/run_control/{id}/{prefix}_execution_summary.json"),
            "version_id": "v1", "sha256": "0".repeat(64)
        },
        "run": { "platform_run_id": "platform_20261122T120000Z" }
    })
}

/// The events of one step's Task.
pub(crate) fn task(step: Step, answer: &Value, at: f64) -> Vec<Value> {
    vec![
        json!({"type": "TaskStateEntered", "timestamp": at, "stateEnteredEventDetails": {"name": step.state_name(), "input": "{}"}}),
        json!({"type": "TaskScheduled", "timestamp": at, "taskScheduledEventDetails": {"resource": "invoke"}}),
        json!({"type": "TaskSucceeded", "timestamp": at + 0.25, "taskSucceededEventDetails": {"output": json!({"Payload": answer}).to_string()}}),
        json!({"type": "TaskStateExited", "timestamp": at + 0.25, "stateExitedEventDetails": {"name": step.state_name()}}),
    ]
}
