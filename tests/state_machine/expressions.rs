//! Single expressions on values that an implementation of JSONata may treat in its own way: lists of one, empty lists and
//! objects, nulls, missing fields, other types.

use p1_contract::request::TOLD_LIMIT;
use serde_json::{Value, json};

use crate::asl::Asl;
use crate::evaluator::{Evaluated, Evaluator, REFERENCE};

struct Case {
    state: &'static str,
    pointer: &'static str,
    bindings: Value,
    expected: Evaluated,
}

fn case(state: &'static str, pointer: &'static str, bindings: Value, expected: Value) -> Case {
    Case {
        state,
        pointer,
        bindings,
        expected: Evaluated::Value(expected),
    }
}

/// Cases whose bindings are `$states.input` alone.
fn on_input(state: &'static str, pointer: &'static str, cases: Vec<(Value, Value)>) -> impl Iterator<Item = Case> {
    let bindings = |input| json!({ "states": { "input": input } });
    cases
        .into_iter()
        .map(move |(input, expected)| case(state, pointer, bindings(input), expected))
}

/// Cases of one variable's assignment: its old value, the function's answer, its new value.
fn on_answer(
    state: &'static str,
    pointer: &'static str,
    cases: Vec<(Value, Value, Value)>,
) -> impl Iterator<Item = Case> {
    let variable = pointer.rsplit('/').next().unwrap();
    let bindings =
        move |old: Value, answer: Value| json!({ variable: old, "states": { "result": { "Payload": answer } } });
    cases
        .into_iter()
        .map(move |(old, answer, new)| case(state, pointer, bindings(old, answer), new))
}

fn gates() -> Vec<Case> {
    let mut cases = Vec::new();
    let entry = vec![
        (json!({ "resume": { "held": {} } }), json!(true)),
        (json!({ "resume": null }), json!(true)),
        (json!({ "resume": false }), json!(true)),
        (json!({ "m2_handoff": { "resume": 1 } }), json!(false)),
        (json!({}), json!(false)),
        (json!([]), json!(false)),
        (json!([{ "resume": {} }]), json!(false)),
        (json!("resume"), json!(false)),
        (json!(5), json!(false)),
        (json!(true), json!(false)),
        (Value::Null, json!(false)),
    ];
    cases.extend(on_input("Entry", "/Choices/0/Condition", entry));
    let asked = vec![
        (json!({ "platform_run_id": "p", "scenario_run_id": "s" }), json!(true)),
        (json!({ "platform_run_id": null }), json!(true)),
        (json!({ "scenario_run_id": "s" }), json!(false)),
        (json!({ "m2_handoff": { "platform_run_id": 1 } }), json!(false)),
        (json!([{ "platform_run_id": "p" }]), json!(false)),
        (json!("platform_run_id"), json!(false)),
        (Value::Null, json!(false)),
    ];
    cases.extend(on_input("Entry", "/Choices/1/Condition", asked));
    let answered = |outcome: &str, pass: Value| json!({ "outcome": outcome, "overall_pass": pass });
    let enter = vec![
        (answered("PHASE_ADMITTED", json!(true)), json!(true)),
        (answered("PHASE_ADMITTED", json!(false)), json!(false)),
        (answered("PHASE_ADMITTED", json!("true")), json!(false)),
        (answered("ADMITTED", json!(true)), json!(false)),
        (json!({ "outcome": "PHASE_ADMITTED" }), json!(false)),
        (json!({}), json!(false)),
    ];
    cases.extend(on_input("Enter phase", "/Choices/1/Condition", enter));
    let duplicate = vec![
        (json!({ "outcome": "DUPLICATE_DELIVERY" }), json!(true)),
        (json!({ "outcome": "CLOSED" }), json!(false)),
        (json!({ "outcome": null }), json!(false)),
        (json!({}), json!(false)),
    ];
    cases.extend(on_input("Gate M3.A", "/Choices/0/Condition", duplicate));
    for (state, pointer) in [
        ("Gate M3.A", "/Choices/1/Condition"),
        ("Gate M3.B", "/Choices/0/Condition"),
        ("Gate M3.C", "/Choices/1/Condition"),
        ("Gate M3.D", "/Choices/1/Condition"),
        ("Gate M3.E", "/Choices/1/Condition"),
        ("Gate M3.F", "/Choices/1/Condition"),
        ("Gate M3.G", "/Choices/1/Condition"),
        ("Gate M3.H", "/Choices/1/Condition"),
    ] {
        let open = |value: Value| json!({ "overall_pass": value });
        let passed = vec![
            (open(json!(true)), json!(true)),
            (open(json!(false)), json!(false)),
            (open(json!("true")), json!(false)),
            (open(json!([true])), json!(false)),
            (open(Value::Null), json!(false)),
            (json!({}), json!(false)),
        ];
        cases.extend(on_input(state, pointer, passed));
    }
    let verdict = |pass: bool, verdict: &str, committed: bool| json!({ "overall_pass": pass, "verdict": verdict, "committed": committed });
    let committed = vec![
        (verdict(true, "ADVANCE_TO_M4", true), json!(true)),
        (verdict(false, "ADVANCE_TO_M4", true), json!(false)),
        (verdict(true, "HOLD_M3", true), json!(false)),
        (verdict(true, "ADVANCE_TO_M4", false), json!(false)),
        (
            json!({ "overall_pass": true, "verdict": "ADVANCE_TO_M4" }),
            json!(false),
        ),
        (json!({}), json!(false)),
    ];
    cases.extend(on_input("Gate M3.J", "/Choices/0/Condition", committed));
    let admitted = |at: &str| json!({ "outcome": "ADMITTED", "resume_at": at });
    for (only, at, expected) in [
        (false, "M3.I", true),
        (true, "M3.I", false),
        (false, "M3.H", false),
        (true, "M3.H", false),
    ] {
        let bindings = json!({ "only": only, "states": { "input": admitted(at) } });
        cases.push(case("Resume at", "/Choices/7/Condition", bindings, json!(expected)));
    }
    let refused = json!({ "only": false, "states": { "input": { "outcome": "REFUSED", "resume_at": "M3.C" } } });
    cases.push(case("Resume at", "/Choices/0/Condition", refused.clone(), json!(true)));
    cases.push(case("Resume at", "/Choices/1/Condition", refused, json!(false)));
    cases
}

fn assignments() -> Vec<Case> {
    let mut cases = Vec::new();
    let none = || json!({});
    let codes = vec![
        (json!([]), json!({ "blockers": [] }), json!([])),
        (json!([]), json!({ "blockers": ["a"] }), json!(["a"])),
        (json!(["a"]), json!({ "blockers": [] }), json!(["a"])),
        (json!(["a"]), json!({ "blockers": ["b"] }), json!(["a", "b"])),
        (
            json!(["a", "b"]),
            json!({ "blockers": ["c", "d"] }),
            json!(["a", "b", "c", "d"]),
        ),
        (json!([]), none(), json!([])),
        (json!(["a"]), none(), json!(["a"])),
    ];
    cases.extend(on_answer("M3.C Config digest", "/Assign/blockers", codes));
    let closures = vec![
        (
            none(),
            json!({ "closure": { "key": "k" } }),
            json!({ "M3.B": { "key": "k" } }),
        ),
        (
            json!({ "M3.A": { "l": ["x"] } }),
            json!({ "closure": {} }),
            json!({ "M3.A": { "l": ["x"] }, "M3.B": {} }),
        ),
        (json!({ "M3.B": 1 }), json!({ "closure": 2 }), json!({ "M3.B": 2 })),
        (json!({ "M3.A": 1 }), none(), json!({ "M3.A": 1 })),
    ];
    cases.extend(on_answer("M3.B Run identity", "/Assign/closures", closures));
    let no_closure = vec![(none(), json!({ "closure": null }), json!({ "M3.A": null }))];
    cases.extend(on_answer("M3.A Handle closure", "/Assign/closures", no_closure));
    let run = vec![
        (none(), json!({ "run": {} }), none()),
        (none(), none(), none()),
        (json!({ "a": "1" }), none(), json!({ "a": "1" })),
        (
            json!({ "a": "1" }),
            json!({ "run": { "b": "2" } }),
            json!({ "a": "1", "b": "2" }),
        ),
        (json!({ "a": "1" }), json!({ "run": { "a": "2" } }), json!({ "a": "2" })),
    ];
    cases.extend(on_answer("M3.J Phase verdict", "/Assign/run", run));
    let only = vec![
        (Value::Null, json!({ "only": true }), json!(true)),
        (Value::Null, json!({ "only": false }), json!(false)),
        (Value::Null, json!({ "only": "true" }), json!(false)),
        (Value::Null, none(), json!(false)),
    ];
    cases.extend(on_answer("Admit rerun", "/Assign/only", only));
    let admitted = vec![
        (
            none(),
            json!({ "closures": { "ADMISSION": { "l": [1] } } }),
            json!({ "ADMISSION": { "l": [1] } }),
        ),
        (none(), json!({ "closures": {} }), none()),
        (none(), none(), none()),
    ];
    cases.extend(on_answer("Admit rerun", "/Assign/closures", admitted));
    cases
}

fn payloads() -> Vec<Case> {
    let mut cases = Vec::new();
    for input in [
        json!({}),
        json!([]),
        json!([1]),
        json!([[1]]),
        json!([{ "a": [{ "b": [] }] }]),
        json!("text"),
        json!(0),
        json!(false),
        Value::Null,
        json!({ "one": ["x"], "nested": [["y"]], "none": null, "empty": [], "é\u{1f600}": "\u{e9}\u{1f600}" }),
    ] {
        let context = json!({ "Execution": { "Id": "x", "Input": input }, "State": { "RetryCount": 0 } });
        let bindings = json!({ "states": { "context": context } });
        cases.push(case(
            "M3.A Handle closure",
            "/Arguments/Payload/context",
            bindings,
            context,
        ));
    }
    for answer in [
        json!({ "blockers": ["one"], "closure": null, "run": {} }),
        json!({}),
        json!([{}]),
    ] {
        let bindings = json!({ "states": { "result": { "Payload": answer } } });
        cases.push(case("M3.A Handle closure", "/Output", bindings, answer));
    }
    let settings = json!({ "registry_uri": "s3://bucket/registry.md", "stack_outputs_uris": "" });
    cases.push(case(
        "M3.A Handle closure",
        "/Arguments/Payload/settings",
        json!({ "settings": settings, "states": {} }),
        settings,
    ));
    for closures in [json!({}), json!({ "M3.A": { "one": ["x"] } })] {
        cases.push(case(
            "M3.B Run identity",
            "/Arguments/Payload/closures",
            json!({ "closures": closures, "states": {} }),
            closures,
        ));
    }
    cases
}

/// More codes than a cause names, the longest that M3.J gives to be pasted, and the longest closure.
fn largest() -> (Vec<String>, Value, Value) {
    let codes = (0..300).map(|n| format!("M3J-B{n:03}")).collect();
    let mut next = json!({ "action": "" });
    next["action"] = json!("a".repeat(16_384 - next.to_string().len()));
    let escaped = "\"".repeat(1024);
    let closure = json!({ "bucket": "b".repeat(63), "key": escaped, "sha256": "0".repeat(64), "version_id": escaped });
    (codes, next, closure)
}

fn ends() -> Vec<Case> {
    let mut cases = Vec::new();
    let codes = vec![
        (json!({ "blockers": ["a"] }), json!(["a"])),
        (json!({ "blockers": [] }), json!([])),
        (json!({ "blockers": ["a", "b"] }), json!(["a", "b"])),
        (json!({}), json!([])),
    ];
    cases.extend(on_input("Single state closed", "/Output/blockers", codes));
    // Field order and spacing are part of the expectation: the cause is a text.
    let many: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    let listed: Vec<String> = many[..200].iter().map(|code| format!("\"{code}\"")).collect();
    for (blockers, unresolved, listed) in [
        (json!([]), json!([]), String::new()),
        (json!(["a"]), json!([]), "\"a\"".to_owned()),
        (json!([]), json!(["a"]), "\"a\"".to_owned()),
        (json!(["a"]), json!(["a"]), "\"a\"".to_owned()),
        (json!(["a", "a"]), json!(["b", "a"]), "\"a\",\"b\"".to_owned()),
        (json!(many), json!(["a"]), listed.join(",")),
    ] {
        let input = json!({ "unresolved": unresolved, "closure": { "key": "k" } });
        let bindings = json!({ "blockers": blockers, "run": { "platform_run_id": "p" }, "states": { "input": input } });
        let cause = format!(
            r#"{{"outcome":"VERDICT","verdict":"HOLD_M3","platform_run_id":"p","blockers":[{listed}],"findings":[],"closure":{{"key":"k"}}}}"#
        );
        cases.push(case("Hold", "/Cause", bindings, json!(cause)));
    }
    let input =
        json!({ "unresolved": [], "closure": null, "next": { "action": "RESUME", "rerun_input": { "resume": {} } } });
    let bindings = json!({ "blockers": [], "run": {}, "states": { "input": input } });
    let cause = r#"{"outcome":"VERDICT","verdict":"HOLD_M3","blockers":[],"findings":[],"closure":null,"next":{"action":"RESUME","rerun_input":{"resume":{}}}}"#;
    cases.push(case("Hold", "/Cause", bindings, json!(cause)));
    let (codes, next, closure) = largest();
    let findings = json!([{ "code": "a".repeat(TOLD_LIMIT - r#",{"code":""}"#.len()) }]);
    let input =
        json!({ "unresolved": [], "findings": findings, "findings_cut": 99_999, "closure": closure, "next": next });
    let bindings = json!({ "blockers": codes, "run": {}, "states": { "input": input } });
    let cause = format!(
        r#"{{"outcome":"VERDICT","verdict":"HOLD_M3","blockers":{},"findings":{findings},"findings_cut":99999,"closure":{closure},"next":{next}}}"#,
        json!(codes[..200])
    );
    assert!(
        cause.len() <= 32_768 - 300,
        "{} bytes, without the ids of a run",
        cause.len()
    );
    cases.push(case("Hold", "/Cause", bindings, json!(cause)));
    let bare = json!({ "blockers": [], "run": {}, "states": { "input": { "closure": null } } });
    let cause = r#"{"outcome":"VERDICT","verdict":"HOLD_M3","blockers":[],"findings":[],"closure":null}"#;
    cases.push(case("Hold", "/Cause", bare, json!(cause)));
    let refused = vec![
        (
            json!({ "blockers": ["a", "a"] }),
            json!(r#"{"outcome":"RERUN_REFUSED","blockers":["a"],"findings":[]}"#),
        ),
        (
            json!({ "blockers": [] }),
            json!(r#"{"outcome":"RERUN_REFUSED","blockers":[],"findings":[]}"#),
        ),
        (
            json!({ "blockers": [], "findings": [{ "code": "a" }], "findings_cut": 2, "asked": { "resume": {} } }),
            json!(
                r#"{"outcome":"RERUN_REFUSED","blockers":[],"findings":[{"code":"a"}],"findings_cut":2,"asked":{"resume":{}}}"#
            ),
        ),
    ];
    cases.extend(on_input(
        "Entry refused",
        "/Cause",
        vec![(
            json!({ "blockers": ["a"], "findings": [{ "code": "a" }, { "code": "b" }], "asked": { "platform_run_id": "p" } }),
            json!(
                r#"{"outcome":"ENTRY_REFUSED","blockers":["a"],"findings":[{"code":"a"},{"code":"b"}],"asked":{"platform_run_id":"p"}}"#
            ),
        )],
    ));
    cases.extend(on_input("Rerun refused", "/Cause", refused));
    let ids = json!({ "run": {}, "states": { "input": { "closure": { "key": "k" } } } });
    let output = json!({ "outcome": "VERDICT", "verdict": "ADVANCE_TO_M4", "blockers": [], "closure": { "key": "k" } });
    cases.push(case("Advance committed", "/Output", ids, output));
    // A closure that is missing is a fault, never an end without evidence.
    let nothing = json!({ "states": { "input": {} } });
    cases.push(Case {
        state: "Single state closed",
        pointer: "/Output/closure",
        bindings: nothing,
        expected: Evaluated::Undefined,
    });
    cases
}

#[test]
fn awkward_values_are_treated_alike_by_both_implementations() {
    let asl = Asl::read();
    let cases: Vec<Case> = [gates(), assignments(), payloads(), ends()]
        .into_iter()
        .flatten()
        .collect();
    for evaluator in &mut Evaluator::all() {
        for Case {
            state,
            pointer,
            bindings,
            expected,
        } in &cases
        {
            let evaluated = evaluator.evaluate(&asl.expression(state, pointer), bindings);
            let name = evaluator.name;
            assert_eq!(
                &evaluated, expected,
                "{pointer} of state {state:?} on {bindings} by the {name}"
            );
        }
    }
}

#[test]
fn the_evaluators_distinguish_null_nothing_and_failure() {
    for evaluator in &mut Evaluator::all() {
        let bindings = json!({ "v": null, "states": {} });
        assert_eq!(evaluator.evaluate("$v", &bindings), Evaluated::Value(Value::Null));
        assert_eq!(evaluator.evaluate("$w", &bindings), Evaluated::Undefined);
        assert_eq!(
            evaluator.evaluate("1 + 'a'", &bindings),
            Evaluated::Error("T2002".to_owned())
        );
    }
}

/// Step Functions implements JSONata 2.0.6. The engine's implementation knows operators of 2.1 too, so only the reference
/// implementation, at that version, notices a definition that AWS would refuse.
#[test]
fn the_reference_implementation_knows_no_more_than_step_functions() {
    for evaluator in &mut Evaluator::all() {
        if evaluator.name != REFERENCE {
            continue;
        }
        for newer in ["$v ?? 1", "$v ?: 1"] {
            let unknown = Evaluated::Error("S0211".to_owned());
            assert_eq!(evaluator.evaluate(newer, &json!({ "v": 2 })), unknown, "{newer}");
        }
    }
}
