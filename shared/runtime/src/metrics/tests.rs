//! Each ending publishes the right metrics, and every document follows the format.

use p1_contract::blocker::Blocker;
use p1_contract::request::{Concluded, Conclusion, StepResult};
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use serde_json::{Value, json};

use super::rules::problems;
use super::*;
use crate::harness::duplicate_delivery;
use crate::testing::TestExecution;

/// 2026-11-22T12:17:01.250Z.
const ENDED: u64 = 1_795_349_821_250;

fn execution() -> TestExecution {
    TestExecution::default()
}

fn result(step: Step, blockers: Vec<Blocker>) -> StepResult {
    let execution = execution();
    let overall_pass = blockers.is_empty();
    StepResult {
        step: step.into(),
        conclusion: Conclusion::Closed,
        overall_pass,
        next_gate: step.ready_gate(),
        blockers,
        run: execution.run(),
        ..duplicate_delivery(step, execution.phase_execution_id(step))
    }
}

fn concluded(verdict: PhaseVerdict, committed: bool) -> Conclusion {
    Conclusion::Verdict(Concluded {
        verdict,
        committed,
        unresolved: Vec::new(),
        next: None,
    })
}

/// The lines of an ending. Each is checked against the rules of the format.
fn lines(ending: &Ending<'_>) -> Vec<Value> {
    let arn = execution().arn;
    let text = written("6a9b6ab0-1f0c-4d1c-9d7b-1f6e3c1c6c11", Some(&arn), ending);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn written(request_id: &str, execution: Option<&ExecutionArn>, ending: &Ending<'_>) -> String {
    let invocation = Invocation {
        deployment: &"dev-full-p1".parse().unwrap(),
        request_id,
        execution,
        ended_ms: ENDED,
    };
    let mut log = Vec::new();
    write(&documents(&invocation, ending), &mut log).unwrap();
    let text = String::from_utf8(log).unwrap();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        assert_eq!(problems(line), Vec::<String>::new(), "{line}");
    }
    text
}

/// The elements of a list.
fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn answered(result: &StepResult) -> Vec<Value> {
    lines(&Ending::Answered {
        result,
        duration_ms: 118,
    })
}

/// The metrics that CloudWatch extracts from the lines, with the values of their dimensions, in order.
fn extracted(lines: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for line in lines {
        for directive in list(&line["_aws"]["CloudWatchMetrics"]) {
            assert_eq!(directive["Namespace"], "P1/RunPinning");
            for set in list(&directive["Dimensions"]) {
                let value = |key: &Value| {
                    let key = key.as_str().unwrap();
                    format!("{key}={}", line[key].as_str().unwrap())
                };
                let by: Vec<String> = list(set).iter().map(value).collect();
                for metric in list(&directive["Metrics"]) {
                    let name = metric["Name"].as_str().unwrap();
                    found.push(format!("{name}[{}] {}", by.join(","), line[name]));
                }
            }
        }
    }
    found
}

#[test]
fn a_pass_is_one_document() {
    let lines = answered(&result(Step::ConfigDigest, Vec::new()));
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    let execution = execution();
    assert_eq!(
        *line,
        json!({
            "_aws": {
                "Timestamp": ENDED,
                "CloudWatchMetrics": [{
                    "Namespace": "P1/RunPinning",
                    "Dimensions": [["Deployment", "Step"]],
                    "Metrics": [{"Name": "StepDuration", "Unit": "Milliseconds"}, {"Name": "Passes", "Unit": "Count"}],
                }],
            },
            "Deployment": "dev-full-p1",
            "Step": "M3.C",
            "StepDuration": 118,
            "Passes": 1,
            "step": "M3.C",
            "request_id": "6a9b6ab0-1f0c-4d1c-9d7b-1f6e3c1c6c11",
            "execution_arn": execution.arn,
            "phase_execution_id": execution.phase_execution_id(Step::ConfigDigest),
            "platform_run_id": "platform_20261122T121701Z",
        })
    );
}

#[test]
fn a_hold_counts_each_code_in_a_document_of_its_own() {
    let lines = answered(&result(
        Step::HandleClosure,
        vec![Blocker::HandleMissing, Blocker::HandleUnresolved],
    ));
    let codes = [Blocker::HandleMissing.code(), Blocker::HandleUnresolved.code()];
    assert_eq!(
        extracted(&lines),
        [
            "StepDuration[Deployment=dev-full-p1,Step=M3.A] 118".to_owned(),
            "Holds[Deployment=dev-full-p1,Step=M3.A] 1".to_owned(),
            "Blockers[Deployment=dev-full-p1] 1".to_owned(),
            format!("Blockers[Deployment=dev-full-p1,Code={}] 1", codes[0]),
            "Blockers[Deployment=dev-full-p1] 1".to_owned(),
            format!("Blockers[Deployment=dev-full-p1,Code={}] 1", codes[1]),
        ]
    );
}

#[test]
fn only_what_the_ledger_holds_is_a_verdict_of_the_phase() {
    use PhaseVerdict::{AdvanceToM4, HoldM3};
    let of = |(verdict, committed)| {
        let mut closed = result(Step::PhaseVerdict, Vec::new());
        closed.conclusion = concluded(verdict, committed);
        extracted(&answered(&closed)).split_off(2)
    };
    let [advance, hold, void] = [(AdvanceToM4, true), (HoldM3, true), (HoldM3, false)].map(of);
    assert_eq!(advance, ["Advances[Deployment=dev-full-p1] 1"]);
    assert_eq!(hold, ["PhaseHolds[Deployment=dev-full-p1] 1"]);
    assert_eq!(void, Vec::<String>::new());
    let other = answered(&result(Step::PhaseVerdict, Vec::new()));
    assert_eq!(extracted(&other).len(), 2);
}

#[test]
fn a_duplicate_is_neither_a_hold_nor_a_pass() {
    let id = execution().phase_execution_id(Step::HandleClosure);
    let lines = answered(&duplicate_delivery(Step::HandleClosure, id));
    assert_eq!(extracted(&lines), ["Duplicates[Deployment=dev-full-p1] 1"]);
}

#[test]
fn the_admission_counts_as_a_step_of_its_own() {
    let refused = StepResult {
        step: Owner::Admission,
        conclusion: Conclusion::Refused,
        ..result(Step::RerunDiscipline, vec![Blocker::RerunPolicyInconsistent])
    };
    assert_eq!(
        extracted(&answered(&refused))[..2],
        [
            "StepDuration[Deployment=dev-full-p1,Step=ADMISSION] 118",
            "Holds[Deployment=dev-full-p1,Step=ADMISSION] 1"
        ]
    );
}

#[test]
fn a_fault_is_counted_by_step_and_named() {
    let lines = lines(&Ending::Faulted {
        owner: Step::CostEnvelope.into(),
        fault: "Transient",
    });
    assert_eq!(extracted(&lines), ["Faults[Deployment=dev-full-p1,Step=M3.H] 1"]);
    assert_eq!(lines[0]["fault"], "Transient");
}

/// Every dimension has a limited set of values. An id as a dimension would make a new metric for each run.
#[test]
fn no_id_is_a_dimension() {
    let mut hold = result(Step::PhaseVerdict, Blocker::ALL.to_vec());
    hold.conclusion = concluded(PhaseVerdict::HoldM3, true);
    let lines = answered(&hold);
    assert_eq!(lines.len(), 1 + Blocker::ALL.len());
    for line in &lines {
        for directive in list(&line["_aws"]["CloudWatchMetrics"]) {
            for key in list(&directive["Dimensions"]).iter().flat_map(list) {
                assert!(Dimension::ALL.iter().any(|dimension| key == dimension.name()), "{key}");
            }
        }
        assert_eq!(line["platform_run_id"], "platform_20261122T121701Z");
        assert_eq!(line["execution_arn"], execution().arn.as_str());
    }
}

#[test]
fn every_metric_is_published_by_the_dimensions_that_it_names() {
    let mut seen = std::collections::BTreeSet::new();
    let mut hold = result(Step::PhaseVerdict, vec![Blocker::HandleMissing]);
    hold.conclusion = concluded(PhaseVerdict::HoldM3, true);
    let mut pass = result(Step::PhaseVerdict, Vec::new());
    pass.conclusion = concluded(PhaseVerdict::AdvanceToM4, true);
    let duplicate = duplicate_delivery(Step::HandleClosure, execution().phase_execution_id(Step::HandleClosure));
    let fault = Ending::Faulted {
        owner: Step::HandleClosure.into(),
        fault: "Internal",
    };
    for found in [answered(&hold), answered(&pass), answered(&duplicate), lines(&fault)].concat() {
        for line in extracted(std::slice::from_ref(&found)) {
            seen.insert(line.split('[').next().unwrap().to_owned());
        }
    }
    let all: std::collections::BTreeSet<String> = Metric::ALL.iter().map(|metric| metric.name().to_owned()).collect();
    assert_eq!(seen, all);
}

#[test]
fn a_secret_in_a_member_is_taken_out() {
    let secret = format!("AKIA{}", "IOSFODNN7EXAMPLQ");
    let ending = Ending::Faulted {
        owner: Step::HandleClosure.into(),
        fault: &secret,
    };
    let text = written(&secret, None, &ending);
    assert!(!text.contains(&secret) && text.contains("REDACTED"), "{text}");
}

#[test]
fn a_deployment_name_fits_a_dimension() {
    for good in ["p1", "fraud-platform-dev-full-p1", "A_b-9", &"x".repeat(64)] {
        assert_eq!(good.parse::<DeploymentName>().unwrap().to_string(), good);
    }
    for bad in ["", " ", "a b", "a/b", "é", ":x", "a\n", &"x".repeat(65)] {
        assert!(bad.parse::<DeploymentName>().is_err(), "{bad:?}");
    }
}

/// Tests the check itself: each case makes one change to a good document that the specification forbids.
#[test]
fn the_rules_find_what_is_no_document() {
    let good = answered(&result(Step::ConfigDigest, Vec::new())).remove(0);
    let directive = |change: fn(&mut Value)| {
        let mut line = good.clone();
        change(&mut line["_aws"]["CloudWatchMetrics"][0]);
        line
    };
    let root = |change: fn(&mut Value)| {
        let mut line = good.clone();
        change(&mut line);
        line
    };
    let bad = [
        json!([]),
        root(|line| drop(line.as_object_mut().unwrap().remove("_aws"))),
        root(|line| line["_aws"]["Timestamp"] = json!("2026-11-22T12:17:01Z")),
        root(|line| line["_aws"]["Timestamp"] = json!(1.5)),
        root(|line| line["_aws"]["LogGroupName"] = json!("x")),
        root(|line| line["_aws"]["CloudWatchMetrics"] = json!({})),
        root(|line| line["_aws"]["CloudWatchMetrics"] = json!([1])),
        root(|line| line["Passes"] = json!("1")),
        root(|line| line["Passes"] = json!([1, "2"])),
        root(|line| line["Step"] = json!(3)),
        root(|line| line["Step"] = json!("")),
        root(|line| line["Step"] = json!("é")),
        root(|line| drop(line.as_object_mut().unwrap().remove("Deployment"))),
        root(|line| drop(line.as_object_mut().unwrap().remove("StepDuration"))),
        directive(|it| it["Namespace"] = json!("")),
        directive(|it| it["Namespace"] = json!("n".repeat(256))),
        directive(|it| it["Dimensions"] = json!([])),
        directive(|it| it["Dimensions"] = json!(["Step"])),
        directive(|it| it["Dimensions"] = json!([vec!["Step"; 10]])),
        directive(|it| it["Metrics"] = json!({})),
        directive(|it| it["Metrics"] = json!(vec![json!({"Name": "Passes"}); 101])),
        directive(|it| it["Metrics"][0]["Unit"] = json!("Hours")),
        directive(|it| it["Metrics"][0]["Extra"] = json!(1)),
        directive(|it| drop(it["Metrics"][0].as_object_mut().unwrap().remove("Name"))),
    ];
    for line in bad {
        assert_ne!(problems(&line.to_string()), Vec::<String>::new(), "{line}");
    }
    assert_ne!(problems(&format!("START {good}")), Vec::<String>::new());
    assert_ne!(problems(&format!("{good}\n{good}")), Vec::<String>::new());
}
