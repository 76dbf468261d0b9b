//! States, order, gates, retries and time-outs.

use std::collections::BTreeSet;

use p1_contract::step::Step;
use p1_runtime::Fault;
use serde_json::{Value, json};

use crate::asl::Asl;

/// The harness's faults, one of each.
fn faults() -> [Fault; 3] {
    [
        Fault::transient("", ""),
        Fault::InvalidInput(String::new()),
        Fault::internal("", ""),
    ]
}

/// Whether trying the Task again can help; a new kind of fault does not compile until it is decided here.
fn is_retried(fault: &Fault) -> bool {
    match fault {
        Fault::Transient { .. } => true,
        Fault::InvalidInput(_) | Fault::Internal { .. } => false,
    }
}

/// What Lambda itself reports when it could not run a function. AWS calls a function's time-out `Lambda.Unknown`, the local
/// engine calls it `Sandbox.Timedout`.
const LAMBDA_ERRORS: [&str; 8] = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
];

/// The functions' own time-out is 60 seconds: a Task's must never cut a function off before it.
const TASK_TIMEOUT_SECONDS: u64 = 90;
const MACHINE_TIMEOUT_SECONDS: u64 = 1800;

/// The name under which the template hands a step's function to the state machine.
fn substitution(step: Step) -> String {
    format!("${{M3{}FunctionArn}}", step.prefix().trim_start_matches("m3"))
}

fn gate(step: Step) -> String {
    format!("Gate {}", step.id())
}

fn payload(mode: &str) -> Value {
    json!({
        "mode": mode,
        "settings": "{% $settings %}",
        "context": "{% $states.context %}",
        "closures": "{% $closures %}",
    })
}

/// The deployment's settings, as the template hands them to the state machine: field and substitution.
const SETTINGS: [(&str, &str); 9] = [
    ("deployment", "Deployment"),
    ("environment", "Environment"),
    ("evidence_bucket", "EvidenceBucket"),
    ("registry_uri", "RegistryUri"),
    ("stack_outputs_uris", "StackOutputsUris"),
    ("cost_source", "CostSource"),
    ("billing_artifact_uri", "BillingArtifactUri"),
    ("signing", "Signing"),
    ("signing_key", "SigningKey"),
];

/// What every step adds to the variables; `expressions` tries each of the three on one step, for all.
fn assigns(step: Step) -> Value {
    json!({
        "closures": format!("{{% $merge([$closures, {{'{step}': $states.result.Payload.closure}}]) %}}"),
        "blockers": "{% [$blockers, $states.result.Payload.blockers] %}",
        "run": "{% $merge([$run, $states.result.Payload.run]) %}",
    })
}

#[test]
fn the_machine_speaks_jsonata_begins_with_its_settings_and_has_a_time_out() {
    let asl = Asl::read();
    assert_eq!(asl.root["QueryLanguage"], "JSONata");
    let begin = asl.state(asl.start_at());
    let settings: serde_json::Map<String, Value> = SETTINGS
        .into_iter()
        .map(|(field, substitution)| (field.to_owned(), json!(format!("${{{substitution}}}"))))
        .collect();
    assert_eq!(begin["Assign"]["settings"], json!(settings));
    assert_eq!((&begin["Type"], &begin["Next"]), (&json!("Pass"), &json!("Entry")));
    assert!(
        begin.get("Output").is_none(),
        "the input of the execution is the Choice's"
    );
    assert_eq!(asl.state("Entry")["Type"], "Choice");
    let first = Step::HandleClosure.state_name();
    assert_eq!(asl.targets("Entry"), ["Admit rerun", "Admit phase", &first]);
    assert_eq!(asl.root["TimeoutSeconds"], MACHINE_TIMEOUT_SECONDS);
    for name in asl.names() {
        assert!(
            asl.state(name).get("QueryLanguage").is_none(),
            "state {name:?} changes the query language"
        );
    }
}

#[test]
fn the_tasks_are_the_steps_in_order_and_the_two_admissions() {
    let asl = Asl::read();
    let mut expected: BTreeSet<String> = Step::ALL.into_iter().map(Step::state_name).collect();
    expected.extend(["Admit rerun", "Admit phase"].map(str::to_owned));
    let tasks: BTreeSet<String> = asl.of_type("Task").into_iter().map(str::to_owned).collect();
    assert_eq!(tasks, expected);

    // The way of a run that passes everywhere: of each gate, the edge that leads to neither end nor rollup.
    let mut order = vec![Step::HandleClosure.state_name()];
    for step in Step::GATED {
        assert_eq!(asl.targets(&step.state_name()), [gate(step)]);
        let onward = asl
            .edges(&gate(step))
            .into_iter()
            .rfind(|edge| edge.condition.is_some())
            .unwrap();
        order.push(onward.target);
    }
    order.extend(asl.targets(&Step::GateRollup.state_name()));
    assert_eq!(order, Step::ALL.map(Step::state_name));
}

#[test]
fn every_gate_has_exactly_the_contracts_ways_out() {
    let asl = Asl::read();
    let rollup = Step::GateRollup.state_name();
    for step in Step::GATED {
        let next = step.next().unwrap().state_name();
        let expected = match step {
            Step::HandleClosure => vec!["Duplicate delivery", next.as_str(), &rollup],
            // No rerun begins before M3.C, and so no single state does.
            Step::RunIdentity => vec![next.as_str(), &rollup],
            _ => vec!["Single state closed", next.as_str(), &rollup],
        };
        assert_eq!(asl.targets(&gate(step)), expected, "{}", gate(step));
        assert_eq!(
            asl.state(&gate(step))["Default"],
            rollup,
            "{} must hold unless the step passed",
            gate(step)
        );
    }
    assert_eq!(asl.targets(&rollup), [Step::PhaseVerdict.state_name()]);
    assert_eq!(
        asl.targets(&Step::PhaseVerdict.state_name()),
        [gate(Step::PhaseVerdict)]
    );
    assert_eq!(asl.targets(&gate(Step::PhaseVerdict)), ["Advance committed", "Hold"]);
    assert_eq!(asl.state(&gate(Step::PhaseVerdict))["Default"], "Hold");
}

#[test]
fn a_rerun_is_admitted_to_m3c_up_to_m3i_or_refused() {
    let asl = Asl::read();
    assert_eq!(asl.targets("Admit rerun"), ["Resume at"]);
    let resumable = Step::ALL
        .into_iter()
        .filter(|step| (Step::ConfigDigest..=Step::GateRollup).contains(step));
    let expected: Vec<String> = std::iter::once("Rerun refused".to_owned())
        .chain(resumable.map(Step::state_name))
        .collect();
    assert_eq!(asl.targets("Resume at"), expected);
    assert!(
        asl.state("Resume at").get("Default").is_none(),
        "an unknown answer of the admission must be a fault"
    );
}

#[test]
fn a_later_phase_is_admitted_or_refused_and_nothing_else_runs() {
    let asl = Asl::read();
    assert_eq!(asl.targets("Admit phase"), ["Enter phase"]);
    assert_eq!(asl.targets("Enter phase"), ["Entry refused", "Phase admitted"]);
    assert!(
        asl.state("Enter phase").get("Default").is_none(),
        "an unknown answer must be a fault"
    );
}

#[test]
fn every_task_invokes_its_function_and_keeps_its_answer() {
    let asl = Asl::read();
    let tasks = Step::ALL.map(|step| (step.state_name(), step, "STEP"));
    let admission = ("Admit rerun".to_owned(), Step::RerunDiscipline, "ADMISSION");
    let entry = ("Admit phase".to_owned(), Step::PhaseVerdict, "ENTRY");
    for (name, step, mode) in tasks.into_iter().chain([admission, entry]) {
        let task = asl.state(&name);
        assert_eq!(task["Resource"], "arn:aws:states:::lambda:invoke", "{name}");
        assert_eq!(task["Arguments"]["FunctionName"], substitution(step), "{name}");
        assert_eq!(task["Arguments"]["Payload"], payload(mode), "{name}");
        assert_eq!(task["Output"], "{% $states.result.Payload %}", "{name}");
        if mode == "STEP" {
            assert_eq!(task["Assign"], assigns(step), "{name}");
        }
    }
    let named: BTreeSet<&str> = asl
        .text
        .split("${")
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap())
        .collect();
    let functions = Step::ALL.map(|step| substitution(step).trim_matches(['$', '{', '}']).to_owned());
    let settings = SETTINGS.map(|(_, substitution)| substitution.to_owned());
    let expected: BTreeSet<String> = functions.into_iter().chain(settings).collect();
    assert_eq!(named, expected.iter().map(String::as_str).collect(), "substitutions");
}

#[test]
fn only_transient_trouble_is_retried_and_no_fault_is_caught() {
    let asl = Asl::read();
    assert!(!asl.text.contains("\"Catch\""), "a caught fault could not be redriven");
    let faults = faults();
    let transient = faults.iter().filter(|fault| is_retried(fault)).map(Fault::name);
    let retried: Vec<&str> = transient.chain(LAMBDA_ERRORS).collect();
    let retry = json!([{
        "ErrorEquals": retried,
        "IntervalSeconds": 1,
        "MaxAttempts": 3,
        "BackoffRate": 2.0,
        "MaxDelaySeconds": 10,
        "JitterStrategy": "FULL",
    }]);
    for name in asl.of_type("Task") {
        assert_eq!(asl.state(name)["Retry"], retry, "{name}");
        assert_eq!(asl.state(name)["TimeoutSeconds"], TASK_TIMEOUT_SECONDS, "{name}");
    }
}

#[test]
fn every_edge_leads_to_a_state_and_every_state_is_reached() {
    let asl = Asl::read();
    for name in asl.names() {
        for target in asl.targets(name) {
            assert!(
                asl.names().contains(target.as_str()),
                "state {name:?} leads to {target:?}, which does not exist"
            );
        }
        let ends = asl.edges(name).is_empty();
        let state = asl.state(name);
        assert_eq!(
            ends,
            state["End"] == true || state["Type"] == "Fail",
            "state {name:?} neither ends nor goes on"
        );
    }
    let reached: BTreeSet<String> = asl.reachable().into_iter().collect();
    assert_eq!(reached, asl.names().into_iter().map(str::to_owned).collect());
}

#[test]
fn the_ends_are_the_outcomes_of_the_contract() {
    let asl = Asl::read();
    let ends: BTreeSet<&str> = asl
        .names()
        .into_iter()
        .filter(|name| asl.edges(name).is_empty())
        .collect();
    let expected = [
        "Advance committed",
        "Duplicate delivery",
        "Entry refused",
        "Hold",
        "Phase admitted",
        "Rerun refused",
        "Single state closed",
    ];
    assert_eq!(ends, expected.into());
    assert_eq!(asl.of_type("Fail"), ["Entry refused", "Hold", "Rerun refused"].into());
    // The local engine ignores the Output of a Succeed state.
    assert!(asl.of_type("Succeed").is_empty());
    assert_eq!(asl.state("Hold")["Error"], "M3.Hold");
    assert_eq!(asl.state("Rerun refused")["Error"], "M3.RerunRefused");
    assert_eq!(asl.state("Entry refused")["Error"], "M3.EntryRefused");
}
