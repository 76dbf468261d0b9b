//! Whole executions: how each of them ends, which functions it runs, and what they are sent.

use std::collections::BTreeSet;

use p1_contract::step::Step;
use serde_json::{Value, json};

use crate::answers::{PLATFORM, SCENARIO, admitted, all_pass, closure, phase_admitted};
use crate::asl::Asl;
use crate::evaluator::Evaluator;
use crate::interpreter::{End, Script, context, walk};

struct Scenario {
    name: String,
    script: Script,
    /// The Task states, in order.
    tasks: Vec<String>,
    /// The execution's output, or error name and cause.
    expected: Result<Value, (&'static str, Value)>,
}

fn tasks(steps: impl IntoIterator<Item = Step>) -> Vec<String> {
    steps.into_iter().map(Step::state_name).collect()
}

fn from(first: Step) -> impl Iterator<Item = Step> {
    Step::ALL.into_iter().filter(move |step| *step >= first)
}

fn advance() -> Value {
    json!({ "outcome": "VERDICT", "verdict": "ADVANCE_TO_M4", "platform_run_id": PLATFORM, "scenario_run_id": SCENARIO,
        "config_digest": "cd", "blockers": [], "closure": closure("M3.J", true) })
}

/// The cause of a hold, with the ids that are known once `last` has answered.
fn hold(last: Step, blockers: &[&str], committer_passed: bool) -> Value {
    let mut cause = json!({ "outcome": "VERDICT", "verdict": "HOLD_M3", "blockers": blockers, "findings": [],
        "closure": closure("M3.J", committer_passed) });
    if last >= Step::RunIdentity {
        cause["platform_run_id"] = json!(PLATFORM);
        cause["scenario_run_id"] = json!(SCENARIO);
    }
    if last >= Step::ConfigDigest {
        cause["config_digest"] = json!("cd");
    }
    cause
}

fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut add = |name: &str, script: Script, tasks: Vec<String>, expected| {
        all.push(Scenario {
            name: name.to_owned(),
            script,
            tasks,
            expected,
        });
    };
    let (rollup, verdict) = (Step::GateRollup, Step::PhaseVerdict);
    let every = || tasks(Step::ALL);
    let held = |blockers: &[&str], passed: bool| Err(("M3.Hold", hold(verdict, blockers, passed)));

    add("every step passes", all_pass(), every(), Ok(advance()));

    for step in Step::GATED {
        // A run that is held at M3.A or M3.B learns no ids afterwards.
        let mut script = all_pass()
            .blocked(step, &["X-B1", "X-B2", "X-B1"])
            .held(&["X-B2", "X-B3"]);
        for late in [rollup, verdict] {
            script = script.answer(&late.state_name(), &json!({ "run": {} }));
        }
        let absurd = script.clone();
        let absurd = absurd.answer(&step.state_name(), &json!({ "overall_pass": "true" }));
        for (what, script) in [("blocks", script), ("answers a text for a boolean", absurd)] {
            let ran = tasks(step.before().chain([step, rollup, verdict]));
            let expected = hold(step, &["X-B1", "X-B2", "X-B3"], true);
            add(&format!("{step} {what}"), script, ran, Err(("M3.Hold", expected)));
        }
    }

    let one = all_pass().blocked(Step::RunIdentity, &["M3B-B2"]).held(&["M3B-B2"]);
    let ran = tasks([Step::HandleClosure, Step::RunIdentity, rollup, verdict]);
    add("one blocker stays a list", one, ran, held(&["M3B-B2"], true));

    let rollup_blocks = all_pass().blocked(rollup, &["M3I-B1"]).held(&["M3I-B1"]);
    add("M3.I blocks", rollup_blocks, every(), held(&["M3I-B1"], true));
    let verdict_blocks = all_pass().blocked(verdict, &["M3J-B9"]);
    add("M3.J blocks", verdict_blocks, every(), held(&["M3J-B9"], false));
    for (name, answer) in [
        ("an advance is not committed", json!({ "committed": false })),
        ("a hold is committed", json!({ "verdict": "HOLD_M3" })),
    ] {
        let script = all_pass().answer(&verdict.state_name(), &answer);
        add(name, script, every(), held(&[], true));
    }

    let codes: Vec<String> = (0..500).map(|n| format!("M3A-B{n}")).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let flood = all_pass().blocked(Step::RunIdentity, &codes).held(&codes);
    let ran = tasks([Step::HandleClosure, Step::RunIdentity, rollup, verdict]);
    add("the cause stays short", flood, ran, held(&codes[..200], true));

    let twice = json!({ "outcome": "DUPLICATE_DELIVERY", "closure": null });
    let duplicate = all_pass().answer(&Step::HandleClosure.state_name(), &twice);
    let ended = Ok(json!({ "outcome": "DUPLICATE_DELIVERY" }));
    let ran = tasks([Step::HandleClosure]);
    add("an event is delivered twice", duplicate, ran, ended);

    let admission = || vec!["Admit rerun".to_owned()];
    for step in from(Step::ConfigDigest).filter(|step| *step <= rollup) {
        let script = all_pass().rerun(admitted(step, false));
        let ran = [admission(), tasks(from(step))].concat();
        add(&format!("a rerun at {step}"), script, ran, Ok(advance()));
        if step == rollup {
            continue;
        }
        let passes = all_pass().rerun(admitted(step, true));
        let blocks = passes.clone().blocked(step, &["X-B1"]);
        for (what, script, blockers) in [("passes", passes, &[][..]), ("blocks", blocks, &["X-B1"])] {
            let pass = blockers.is_empty();
            let output = json!({ "outcome": "SINGLE_STATE", "step": step.id(), "overall_pass": pass, "blockers": blockers,
                "closure": closure(step.id(), pass) });
            let ran = [admission(), tasks([step])].concat();
            add(&format!("{step} alone {what}"), script, ran, Ok(output));
        }
    }
    let blocks_again = all_pass()
        .rerun(admitted(Step::M4Handoff, false))
        .blocked(Step::M4Handoff, &["M3F-B3"]);
    let ran = [admission(), tasks([Step::M4Handoff, rollup, verdict])].concat();
    let script = blocks_again.held(&["M3F-B3"]);
    add("a rerun blocks again", script, ran, held(&["M3F-B3"], true));

    let refusal = json!({ "step": "M3.G", "outcome": "REFUSED", "phase_execution_id": "a", "overall_pass": false,
        "next_gate": "HOLD", "blockers": ["M3G-B2", "M3G-B2"], "findings": [{ "code": "M3G-B2" }], "findings_cut": 3,
        "asked": { "resume": {} }, "closure": closure("M3.G", false), "run": {} });
    let cause = json!({ "outcome": "RERUN_REFUSED", "blockers": ["M3G-B2"], "findings": [{ "code": "M3G-B2" }],
        "findings_cut": 3, "closure": closure("M3.G", false), "asked": { "resume": {} } });
    let ended = Err(("M3.RerunRefused", cause));
    add("a rerun is refused", all_pass().rerun(refusal), admission(), ended);

    let asked = json!({ "platform_run_id": PLATFORM, "scenario_run_id": SCENARIO, "phase_id": "M4", "trace_id": "t" });
    let entry = || vec!["Admit phase".to_owned()];
    let answer = phase_admitted(&asked);
    let output = json!({ "outcome": "PHASE_ADMITTED", "platform_run_id": PLATFORM, "scenario_run_id": SCENARIO,
        "config_digest": "cd", "environment": { "RUN_ID": PLATFORM }, "phase_id": "M4", "trace_id": "t",
        "references": [{ "name": "run", "key": "run.json" }], "closure": closure("ENTRY", true) });
    let script = all_pass().entry(&asked, answer.clone());
    add("a later phase is admitted", script, entry(), Ok(output));
    let with = |changes: Value| {
        let mut answer = answer.clone();
        let fields = changes.as_object().unwrap().clone();
        answer.as_object_mut().unwrap().extend(fields);
        all_pass().entry(&asked, answer)
    };
    let cause = json!({ "outcome": "ENTRY_REFUSED", "blockers": ["M3J-E1"], "findings": [{ "code": "M3J-E1" }],
        "closure": closure("ENTRY", false), "asked": asked });
    let refused = with(
        json!({ "outcome": "REFUSED", "overall_pass": false, "blockers": ["M3J-E1"],
        "findings": [{ "code": "M3J-E1" }], "asked": asked, "closure": closure("ENTRY", false), "run": {} }),
    );
    let ended = Err(("M3.EntryRefused", cause));
    add("a later phase is refused", refused, entry(), ended);
    for (name, changes) in [
        ("without a pass", json!({ "overall_pass": false })),
        ("with a rerun's word", json!({ "outcome": "ADMITTED" })),
    ] {
        let ended = Err(("States.NoChoiceMatched", Value::Null));
        let name = format!("a later phase admitted {name} is a fault");
        add(&name, with(changes), entry(), ended);
    }

    for (name, step, only) in [
        ("before M3.C", Step::RunIdentity, false),
        ("of M3.I alone", rollup, true),
    ] {
        let script = all_pass().rerun(admitted(step, only));
        let ended = Err(("States.NoChoiceMatched", Value::Null));
        add(&format!("a rerun {name} is a fault"), script, admission(), ended);
    }
    all
}

#[test]
fn every_path_ends_as_the_contract_says_whoever_evaluates_it() {
    let asl = Asl::read();
    let mut evaluators = Evaluator::all();
    let mut edges = BTreeSet::new();
    let mut evaluated = BTreeSet::new();
    for scenario in scenarios() {
        let mut first: Option<Vec<_>> = None;
        for evaluator in &mut evaluators {
            let about = format!("{:?} by the {}", scenario.name, evaluator.name);
            let walked = walk(&asl, evaluator, &scenario.script);
            let is_task = |name: &&String| asl.state(name)["Type"] == "Task";
            let ran: Vec<&String> = walked.visited.iter().filter(is_task).collect();
            assert_eq!(ran, scenario.tasks.iter().collect::<Vec<_>>(), "{about}");
            match (&walked.end, &scenario.expected) {
                (End::Succeeded(output), Ok(expected)) => assert_eq!(output, expected, "{about}"),
                (End::Failed { error, cause }, Err((name, expected))) => {
                    assert_eq!(error, name, "{about}: {cause}");
                    let cause = serde_json::from_str(cause).unwrap_or(Value::Null);
                    assert_eq!(&cause, expected, "{about}");
                }
                (end, expected) => panic!("{about} ended with {end:?}, not with {expected:?}"),
            }
            edges.extend(walked.edges);
            evaluated.extend(
                walked
                    .evaluated
                    .iter()
                    .map(|(state, pointer, _)| (state.clone(), pointer.clone())),
            );
            match &first {
                None => first = Some(walked.evaluated),
                Some(first) => assert_eq!(&walked.evaluated, first, "{about}: the implementations disagree"),
            }
        }
    }

    for name in asl.names() {
        for target in asl.targets(name) {
            assert!(
                edges.contains(&(name.to_owned(), target.clone())),
                "no scenario goes from {name:?} to {target:?}"
            );
        }
        for (pointer, _) in asl.expressions(name) {
            let key = (name.to_owned(), pointer);
            assert!(
                evaluated.contains(&key),
                "no scenario evaluates {} of state {name:?}",
                key.1
            );
        }
    }
}

#[test]
fn a_step_is_sent_the_input_the_context_and_all_closures_before_it() {
    let asl = Asl::read();
    let script = all_pass();
    for evaluator in &mut Evaluator::all() {
        let walked = walk(&asl, evaluator, &script);
        for step in Step::ALL {
            let name = step.state_name();
            let closures: serde_json::Map<String, Value> = step
                .before()
                .map(|before| (before.id().to_owned(), closure(before.id(), true)))
                .collect();
            let expected = json!({
                "mode": "STEP",
                "settings": asl.state("Begin")["Assign"]["settings"],
                "context": context(&name, &script.input),
                "closures": closures,
            });
            assert_eq!(walked.payloads[&name], expected, "{name} by the {}", evaluator.name);
        }
    }
}

#[test]
fn a_rerun_is_sent_the_admitted_closures() {
    let asl = Asl::read();
    let script = all_pass().rerun(admitted(Step::RunPublication, false));
    for evaluator in &mut Evaluator::all() {
        let walked = walk(&asl, evaluator, &script);
        assert_eq!(walked.payloads["Admit rerun"]["mode"], "ADMISSION");
        assert_eq!(walked.payloads["Admit rerun"]["closures"], json!({}));
        let sent = &walked.payloads[&Step::RunPublication.state_name()]["closures"];
        assert_eq!(sent, &script.answers["Admit rerun"]["closures"], "{}", evaluator.name);
        let last = &walked.payloads[&Step::PhaseVerdict.state_name()]["closures"];
        let names: BTreeSet<&str> = last.as_object().unwrap().keys().map(String::as_str).collect();
        let before = Step::PhaseVerdict.before().map(Step::id);
        let expected = before.chain(["ADMISSION"]).collect();
        assert_eq!(names, expected, "{}", evaluator.name);
    }
}
