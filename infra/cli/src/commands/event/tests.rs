use p1_contract::ids::Stamp;

use super::*;
use crate::drive::engine_events::{answer, task};

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

#[test]
fn a_payload_is_made_again_from_the_history() {
    let history = history(&Step::ALL[..3]);
    let first = replay(&history, &settings(), Owner::Step(Step::HandleClosure)).unwrap();
    assert_eq!(first["closures"], json!({}));
    assert_eq!(first["context"]["Execution"]["StartTime"], "2026-11-22T12:00:00Z");
    let third = replay(&history, &settings(), owner("m3.c").unwrap()).unwrap();
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
    let why = replay(&history(&Step::ALL[..2]), &settings(), Owner::Step(Step::PhaseVerdict)).unwrap_err();
    assert!(
        why.contains("did not come to M3.J") && why.contains("M3.B Run identity"),
        "{why}"
    );
    assert!(replay(&history(&[Step::HandleClosure]), &settings(), Owner::Admission).is_err());
    assert!(replay(&json!({}), &settings(), Owner::Step(Step::HandleClosure)).is_err());
    assert!(
        replay(
            &json!({"execution_arn": ARN}),
            &settings(),
            Owner::Step(Step::HandleClosure)
        )
        .is_err()
    );
    let mut other = history(&Step::ALL[..2]);
    other["execution_arn"] = Value::from(format!("{ARN}2"));
    assert!(
        replay(&other, &settings(), Owner::Step(Step::RunIdentity))
            .unwrap_err()
            .contains("do not belong")
    );
    assert!(owner("M3.K").is_err());
}

#[test]
fn the_next_event_holds_the_closure_of_the_last() {
    let history = history(&Step::ALL[..2]);
    let first = replay(&history, &settings(), Owner::Step(Step::HandleClosure)).unwrap();
    let second = next(
        first.clone(),
        closed(Step::HandleClosure),
        Owner::Step(Step::RunIdentity),
    )
    .unwrap();
    assert_eq!(
        second,
        replay(&history, &settings(), Owner::Step(Step::RunIdentity)).unwrap()
    );

    let mut duplicate = closed(Step::HandleClosure);
    duplicate["closure"] = Value::Null;
    assert!(
        next(first.clone(), duplicate, Owner::Step(Step::RunIdentity))
            .unwrap_err()
            .contains("closed nothing")
    );
    assert!(next(first, json!({"errorType": "Transient"}), Owner::Step(Step::RunIdentity)).is_err());
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
