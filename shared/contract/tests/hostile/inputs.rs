//! Execution inputs and payloads.

use p1_contract::ids::{Environment, PlatformRunId};
use p1_contract::input::{ExecutionInput, InputError};
use p1_contract::request::{Mode, StepInput, TaskCall};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{any_change, any_json, any_text, bucket, changed, check_message};

const RECEIPT: &str = "evidence/dev_full/run_control/m2j_20260223T061612Z/m2j_m3_entry_readiness_receipt.json";
const HELD: &str = "evidence/dev_full/run_control/m3f_20260223T174307Z_0123456789ab/m3f_execution_summary.json";

fn parse(input: &Value) -> Result<ExecutionInput, InputError> {
    ExecutionInput::parse(input, &Environment::default(), &bucket())
}

/// Each of the three forms with every field it may have.
pub(super) fn valid_inputs() -> [Value; 4] {
    [
        json!({
            "version": "0", "id": "x", "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012",
            "time": "2026-02-23T06:16:12Z", "region": "eu-west-2", "resources": ["arn:aws:s3:::b"],
            "detail": {
                "version": "0", "bucket": {"name": bucket().as_str()},
                "object": {"key": RECEIPT, "size": 2, "etag": "e", "version-id": "v1", "sequencer": "00A1"},
                "reason": "PutObject"
            }
        }),
        json!({
            "m2_handoff": {"key": RECEIPT, "version_id": "v1"},
            "oracle_input_manifest": {"uri": "s3://oracle-store/manifest.json", "sha256": "a".repeat(64)}
        }),
        json!({"resume": {
            "held": {"key": HELD, "version_id": "v", "sha256": "a".repeat(64)},
            "only": true,
            "reset": {
                "actor": "a", "reason": "r", "class": "checkpoint_reset", "scope": "s",
                "approval": {"who": "w", "blocker": "M3F-B1"}
            }
        }}),
        json!({
            "platform_run_id": "platform_20260223T174307Z_01", "scenario_run_id": format!("scenario_{}", "a".repeat(32)),
            "phase_id": "M4", "event_id": "e", "runtime_lane": "spark", "trace_id": "t"
        }),
    ]
}

pub(super) fn valid_payload(input: &Value) -> Value {
    let closure = json!({
        "step": "M3.A", "phase_execution_id": "m3a_20260223T174307Z_0123456789ab", "overall_pass": true,
        "bucket": bucket().as_str(), "version_id": "v", "sha256": "a".repeat(64),
        "key": "evidence/dev_full/run_control/m3a_20260223T174307Z_0123456789ab/m3a_execution_summary.json"
    });
    let settings = json!({
        "deployment": "p1", "evidence_bucket": bucket().as_str(), "registry_uri": "s3://artifacts/registry.md",
        "stack_outputs_uris": "", "cost_source": "cost_explorer", "billing_artifact_uri": "", "signing": "off", "signing_key": ""
    });
    let call = TaskCall {
        mode: Mode::Step,
        settings: &serde_json::from_value(settings).unwrap(),
        execution: "arn:aws:states:eu-west-2:123456789012:execution:p1:x",
        start_time: "2026-02-23T17:43:07.123Z",
        state_machine: "arn:aws:states:eu-west-2:123456789012:stateMachine:p1",
        state: "M3.B Run identity",
        closures: &json!({"M3.A": closure}),
        input,
    };
    call.payload()
}

fn check_refusal(error: &InputError) -> Result<(), TestCaseError> {
    prop_assert!(
        !error.field.is_empty() && !error.problem.is_empty() && !error.remedy.is_empty(),
        "{error:?}"
    );
    let message = error.to_string();
    prop_assert!(message.contains(&format!("`{}`", error.field)), "{message}");
    check_message(&message)
}

/// A field and a place are about the same when one lies at or below the other.
fn is_about(field: &str, place: &[String]) -> bool {
    if place.len() <= 1 || field == "." {
        return true;
    }
    let place: Vec<String> = place.iter().take(2).map(|part| as_shown(part)).collect();
    let place = place.join(".");
    let holds = |outer: &str, inner: &str| inner == outer || inner.starts_with(&format!("{outer}."));
    holds(&place, field) || holds(field, &place)
}

/// A name as a path of a message shows it.
fn as_shown(name: &str) -> String {
    let quote = if name.is_empty() || name.contains('.') {
        "\""
    } else {
        ""
    };
    let name: String = name.chars().take(64).flat_map(char::escape_debug).collect();
    format!("{quote}{name}{quote}")
}

/// What an accepted input points at lies where the contract says, whatever else was in it.
fn check_accepted(input: &ExecutionInput) -> Result<(), TestCaseError> {
    if let Some(receipt) = input.receipt() {
        prop_assert!(receipt.key.as_str().starts_with("evidence/dev_full/run_control/m2j_"));
        prop_assert!(receipt.key.as_str().ends_with("/m2j_m3_entry_readiness_receipt.json"));
        prop_assert!(!receipt.key.as_str().contains(".."));
    }
    if let Some(rerun) = input.rerun() {
        prop_assert!(rerun.held.key.as_str().starts_with("evidence/dev_full/run_control/m3"));
        prop_assert!(rerun.held.key.as_str().ends_with("_execution_summary.json"));
        prop_assert!(!rerun.held.key.as_str().contains(".."));
    }
    if let Some(entry) = input.phase_entry() {
        prop_assert!(PlatformRunId::parse(entry.platform_run_id.as_str()).is_ok());
        prop_assert!(entry.platform_run_id.run_root().matches("..").count() == 0);
        for text in [&entry.phase_id, &entry.event_id, &entry.runtime_lane, &entry.trace_id] {
            prop_assert!(text.as_ref().is_none_or(|text| text.len() <= 1024));
        }
    }
    let stored: ExecutionInput = serde_json::from_value(serde_json::to_value(input).unwrap()).unwrap();
    prop_assert_eq!(&stored, input, "evidence reads back as something else");
    Ok(())
}

#[test]
fn the_examples_are_valid() {
    for input in valid_inputs() {
        parse(&input).unwrap();
        StepInput::parse(valid_payload(&input)).unwrap();
    }
}

#[test]
fn a_field_without_a_name_is_named_all_the_same() {
    for (name, field) in [("", r#""""#), (".", r#"".""#), ("a.b", r#""a.b""#), ("a\nb", r"a\nb")] {
        let mut input = valid_inputs()[1].clone();
        input[name] = json!(1);
        assert_eq!(parse(&input).unwrap_err().field, field);
    }
}

#[test]
fn a_message_repeats_no_more_of_the_input_than_it_must() {
    let long = "x\n".repeat(100_000);
    let mut receipt = valid_inputs()[2].clone();
    receipt["resume"]["reset"][&long] = json!(1);
    let mut payload = valid_payload(&valid_inputs()[0]);
    payload[&long] = json!(1);
    let mut mode = valid_payload(&valid_inputs()[0]);
    mode["mode"] = json!(long);
    let mut closure = valid_payload(&valid_inputs()[0]);
    closure["closures"][&long] = closure["closures"]["M3.A"].clone();
    let deep = (0..100).fold(json!("x".repeat(2000)), |inner, _| json!({"n\n".repeat(40): inner}));
    let inputs = [receipt, deep].map(|input| parse(&input).unwrap_err());
    let payloads = [payload, mode, closure].map(|payload| StepInput::parse(payload).unwrap_err());
    for error in payloads.iter().chain(&inputs) {
        check_refusal(error).unwrap();
    }
}

proptest! {
    #[test]
    fn any_json_gets_an_answer(value in any_json()) {
        match parse(&value) {
            Ok(input) => check_accepted(&input)?,
            Err(error) => check_refusal(&error)?,
        }
        if let Err(error) = StepInput::parse(value.clone()) {
            check_refusal(&error)?;
        }
        let mut wrapped = valid_payload(&value);
        wrapped["mode"] = json!("ADMISSION");
        if let Err(error) = StepInput::parse(wrapped) {
            check_refusal(&error)?;
        }
    }

    #[test]
    fn a_changed_input_is_refused_at_the_change_or_is_another_input(
        form in 0_usize..4, (at, change) in any_change()
    ) {
        let original = &valid_inputs()[form];
        let Some((input, place)) = changed(original, at, change) else { return Ok(()) };
        match parse(&input) {
            Ok(parsed) => check_accepted(&parsed)?,
            Err(error) => {
                check_refusal(&error)?;
                prop_assert!(is_about(&error.field, &place), "{place:?} was changed: {error}");
            }
        }
    }

    #[test]
    fn a_changed_payload_gets_an_answer(form in 0_usize..4, (at, change) in any_change()) {
        let original = valid_payload(&valid_inputs()[form]);
        let Some((payload, place)) = changed(&original, at, change) else { return Ok(()) };
        match StepInput::parse(payload) {
            Ok((input, _)) => {
                check_accepted(&input.input)?;
                prop_assert!(input.closures.values().all(|closure| closure.bucket == bucket()));
                prop_assert_eq!(input.upstream().len(), input.closures.len());
            }
            Err(error) => {
                check_refusal(&error)?;
                prop_assert!(place.first().is_none_or(|top| top != "mode") || error.field == "payload", "{error}");
            }
        }
    }

    #[test]
    fn no_key_leads_elsewhere(key in prop_oneof![any_text(), "[a-z0-9_/.]{0,80}", "evidence/dev_full/run_control/[m23j_0-9TZ/.a-z]{0,60}"]) {
        for (form, pointer) in [(1, "/m2_handoff/key"), (2, "/resume/held/key")] {
            let mut input = valid_inputs()[form].clone();
            *input.pointer_mut(pointer).unwrap() = json!(key);
            if let Ok(parsed) = parse(&input) {
                check_accepted(&parsed)?;
            }
        }
    }
}
