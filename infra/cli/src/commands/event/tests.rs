use p1_contract::ids::Stamp;

use super::*;
use crate::drive::engine_events::{answer, task};
use crate::scratch::says;

const ARN: &str = "arn:aws:states:eu-west-2:123456789012:execution:machine:name";
const KEY: &str = "evidence/dev_full/run_control/m2j_20261122T115900Z/m2j_m3_entry_readiness_receipt.json";

fn settings() -> Settings {
    p1_runtime::testing::settings("evidence-bucket")
}

/// The answer of a step, with the ids of the execution.
fn closed(step: Step) -> Value {
    let stamp = Stamp::parse_compact("20261122T120000Z").unwrap();
    let id = PhaseExecutionId::derive(step, stamp, ARN);
    let mut answer = answer(step.id(), &[]);
    answer["phase_execution_id"] = Value::from(id.as_str());
    answer["closure"]["phase_execution_id"] = Value::from(id.as_str());
    answer
}

/// The history of an execution that passed these steps. Its first event is one second after its start.
fn history(steps: &[Step]) -> Value {
    let input = json!({"m2_handoff": {"key": KEY}}).to_string();
    let mut events = vec![json!({
        "type": "ExecutionStarted", "timestamp": "2026-11-22T12:00:01.001Z",
        "executionStartedEventDetails": {"input": input}
    })];
    for step in steps {
        events.extend(task(*step, &closed(*step), 100.0));
    }
    json!({"execution_arn": ARN, "events": events})
}

/// The payload of a step, made again from the history.
fn made(history: &Value, owner: impl Into<Owner>) -> Result<Value, String> {
    replay(history, &settings(), owner.into())
}

#[test]
fn a_payload_is_made_again_from_the_history() {
    let history = history(&Step::ALL[..3]);
    let first = made(&history, Step::HandleClosure).unwrap();
    assert_eq!(first["closures"], json!({}));
    assert_eq!(first["context"]["Execution"]["StartTime"], "2026-11-22T12:00:00Z");
    let third = made(&history, owner("m3.c").unwrap()).unwrap();
    assert_eq!(third["context"]["State"]["Name"], "M3.C Config digest");
    assert_eq!(third["closures"]["M3.A"], closed(Step::HandleClosure)["closure"]);
    let owners: Vec<&String> = third["closures"].as_object().unwrap().keys().collect();
    assert_eq!(owners, ["M3.A", "M3.B"]);
    assert_eq!(
        third["context"]["Execution"]["Input"],
        json!({"m2_handoff": {"key": KEY}})
    );
}

#[test]
fn what_did_not_happen_is_said() {
    let why = made(&history(&Step::ALL[..2]), Step::PhaseVerdict).unwrap_err();
    says(&why, &["did not come to M3.J", "M3.B Run identity"]);
    assert!(made(&history(&[Step::HandleClosure]), Owner::Admission).is_err());
    assert!(made(&json!({}), Step::HandleClosure).is_err());
    assert!(made(&json!({"execution_arn": ARN}), Step::HandleClosure).is_err());
    let mut other = history(&Step::ALL[..2]);
    other["execution_arn"] = Value::from(format!("{ARN}2"));
    says(&made(&other, Step::RunIdentity).unwrap_err(), &["do not belong"]);
    assert!(owner("M3.K").is_err());
}

#[test]
fn the_next_event_holds_the_closure_of_the_last() {
    let history = history(&Step::ALL[..2]);
    let first = made(&history, Step::HandleClosure).unwrap();
    let follows = |result: Value| next(first.clone(), result, Owner::Step(Step::RunIdentity));
    let second = follows(closed(Step::HandleClosure)).unwrap();
    assert_eq!(second, made(&history, Step::RunIdentity).unwrap());

    let mut duplicate = closed(Step::HandleClosure);
    duplicate["closure"] = Value::Null;
    says(&follows(duplicate).unwrap_err(), &["closed nothing"]);
    assert!(follows(json!({"errorType": "Transient"})).is_err());
}

#[test]
fn an_admission_hands_on_its_closures() {
    let mut admitted = answer("M3.A", &[]);
    admitted["step"] = Value::from(Owner::Admission.id());
    admitted["outcome"] = Value::from("ADMITTED");
    admitted["closures"] = json!({"M3.A": closed(Step::HandleClosure)["closure"]});
    (admitted["resume_at"], admitted["only"]) = (json!("M3.B"), json!(false));
    let admitted: StepResult = serde_json::from_value(admitted).unwrap();
    let mut closures = Map::new();
    take(&mut closures, &admitted).unwrap();
    assert_eq!(closures.keys().collect::<Vec<_>>(), ["M3.A"]);
}
