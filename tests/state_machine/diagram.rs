//! `docs/state-machine.md`: the state machine as a Mermaid diagram, drawn from the ASL.

use std::fmt::Write;

use serde_json::Value;

use crate::asl::{Asl, jsonata, project_root};

/// The document that holds the diagram.
fn document(asl: &Asl) -> String {
    let names = asl.reachable();
    let id = |name: &str| format!("s{}", names.iter().position(|known| known == name).unwrap());
    let mut drawn = String::new();
    for name in &names {
        let (open, close) = match asl.state(name)["Type"].as_str().unwrap() {
            "Choice" => ("{\"", "\"}"),
            "Task" => ("[\"", "\"]"),
            "Fail" => ("[[\"", "\"]]"),
            _ => ("([\"", "\"])"),
        };
        writeln!(drawn, "    {}{open}{name}{close}", id(name)).unwrap();
    }
    for name in &names {
        let has_rules = asl.state(name)["Type"] == "Choice";
        for edge in asl.edges(name) {
            let label = match &edge.condition {
                Some(condition) => format!("|\"{}\"|", shown(condition)),
                None if has_rules => "|\"else\"|".to_owned(),
                None => String::new(),
            };
            writeln!(drawn, "    {} -->{label} {}", id(name), id(&edge.target)).unwrap();
        }
    }
    let seconds = |value: &Value| value.as_u64().unwrap();
    let task = asl.state("M3.A Handle closure");
    let retry = &task["Retry"][0];
    format!(
        "# The state machine\n\n\
        Drawn from `statemachine/platform-run.asl.json`. After a change of that file, \
        `UPDATE=1 cargo test -p p1-tests --test state_machine diagram`\ndraws this page again. \
        The [glossary](glossary.md) explains the words.\n\n\
        - Boxes are Tasks, and diamonds are gates. Rounded boxes end the execution SUCCEEDED, and double boxes end it FAILED.\n\
        - One attempt of a Task may take {} seconds, and an execution {}.\n\
        - A Task that ends with one of these errors is tried up to {} more times:\n  {}.\n\
        - Any other error, or one of these after the last try, ends the execution FAILED at that Task. It can be redriven there.\n\n\
        ```mermaid\nflowchart TD\n{drawn}```\n",
        seconds(&task["TimeoutSeconds"]),
        seconds(&asl.root["TimeoutSeconds"]),
        seconds(&retry["MaxAttempts"]),
        retry["ErrorEquals"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| format!("`{}`", error.as_str().unwrap()))
            .collect::<Vec<_>>()
            .join(", "),
    )
}

/// A condition as a reader wants it: what the function answered, and the variables.
fn shown(condition: &str) -> String {
    let condition = jsonata(condition).unwrap();
    let condition = condition
        .replace("$type($states.input) = 'object' and ", "")
        .replace("$states.input.", "");
    condition
        .replace("$exists(resume)", "resume")
        .replace("$exists(platform_run_id)", "platform_run_id")
        .replace("$not($only)", "not only")
        .replace('$', "")
}

#[test]
fn the_checked_in_diagram_is_the_state_machines() {
    let path = project_root().join("docs/state-machine.md");
    let drawn = document(&Asl::read());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &drawn).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        checked_in, drawn,
        "docs/state-machine.md is out of date, run this test with UPDATE=1"
    );
}
