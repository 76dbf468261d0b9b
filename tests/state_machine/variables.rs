//! Which variables are assigned on every way to a state, and which ones its expressions read.

use std::collections::{BTreeMap, BTreeSet};

use crate::asl::Asl;

/// What an expression refers to: variables, functions, and paths below `$states`.
#[derive(Debug, Default, PartialEq, Eq)]
struct References {
    variables: BTreeSet<String>,
    functions: BTreeSet<String>,
    states: BTreeSet<String>,
}

/// Functions that JSONata 2.0.6 has, which is the version that Step Functions implements.
const FUNCTIONS: [&str; 6] = ["distinct", "exists", "merge", "not", "string", "type"];

fn references(expression: &str) -> References {
    let mut found = References::default();
    let mut rest = without_texts(expression);
    while let Some(at) = rest.find('$') {
        let after = &rest[at + 1..];
        let end = after
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(after.len());
        let (name, tail) = after.split_at(end);
        if tail.trim_start().starts_with('(') {
            found.functions.insert(name.to_owned());
        } else if name == "states" {
            let end = tail
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
                .unwrap_or(tail.len());
            found.states.insert(tail[..end].trim_start_matches('.').to_owned());
        } else {
            found.variables.insert(name.to_owned());
        }
        rest = tail.to_owned();
    }
    found
}

/// The expression without its quoted texts.
fn without_texts(expression: &str) -> String {
    let mut quote = None;
    let outside = expression.chars().filter(|&c| match quote {
        Some(open) => {
            if c == open {
                quote = None;
            }
            false
        }
        None if c == '\'' || c == '"' => {
            quote = Some(c);
            false
        }
        None => true,
    });
    outside.collect()
}

/// For each state, the variables that every way to it assigns.
fn assigned_on_entry(asl: &Asl) -> BTreeMap<String, BTreeSet<String>> {
    let mut on_entry = BTreeMap::from([(asl.start_at().to_owned(), BTreeSet::new())]);
    let mut open = vec![asl.start_at().to_owned()];
    while let Some(name) = open.pop() {
        for edge in asl.edges(&name) {
            let carried: BTreeSet<String> = on_entry[&name].union(&edge.assigns).cloned().collect();
            let known = on_entry.get(&edge.target);
            let narrowed = known.map_or(carried.clone(), |known| known.intersection(&carried).cloned().collect());
            if known != Some(&narrowed) {
                on_entry.insert(edge.target.clone(), narrowed);
                open.push(edge.target);
            }
        }
    }
    on_entry
}

#[test]
fn references_are_told_apart() {
    let found = references("$merge([$run, {'$no': $states.result.Payload.run}]) and $not($only)");
    assert_eq!(found.variables, ["only", "run"].map(str::to_owned).into());
    assert_eq!(found.functions, ["merge", "not"].map(str::to_owned).into());
    assert_eq!(found.states, ["result.Payload.run".to_owned()].into());
}

#[test]
fn no_expression_reads_a_variable_that_may_be_unassigned() {
    let asl = Asl::read();
    let on_entry = assigned_on_entry(&asl);
    let mut read = BTreeSet::new();
    for name in asl.names() {
        for (pointer, expression) in asl.expressions(name) {
            let variables = references(&expression).variables;
            let missing: Vec<_> = variables.difference(&on_entry[name]).collect();
            assert!(
                missing.is_empty(),
                "{pointer} of state {name:?} reads {missing:?}, not assigned on every way to it"
            );
            read.extend(variables);
        }
    }
    let expected = ["blockers", "closures", "only", "run", "settings"].map(str::to_owned);
    assert_eq!(
        read,
        expected.into(),
        "a variable that nothing reads is not worth assigning"
    );
}

#[test]
fn a_variable_that_is_removed_from_an_assign_is_noticed() {
    let mut asl = Asl::read();
    asl.root["States"]["Begin"]["Assign"]
        .as_object_mut()
        .unwrap()
        .remove("run");
    assert!(!assigned_on_entry(&asl)["M3.A Handle closure"].contains("run"));
    assert!(assigned_on_entry(&Asl::read())["M3.A Handle closure"].contains("run"));
}

#[test]
fn assignments_of_one_state_do_not_read_each_other() {
    // AWS evaluates them all with the old values, the local engine one after the other.
    let asl = Asl::read();
    for name in asl.names() {
        let assigns = asl.expressions(name).into_iter().filter_map(|(pointer, expression)| {
            let variable = pointer.split_once("/Assign/")?.1.to_owned();
            Some((variable, references(&expression).variables))
        });
        let assigns: Vec<_> = assigns.collect();
        for (variable, reads) in &assigns {
            let others = assigns
                .iter()
                .any(|(other, _)| other != variable && reads.contains(other));
            assert!(
                !others,
                "state {name:?} assigns {variable:?} from a variable that it assigns too"
            );
        }
    }
}

#[test]
fn expressions_use_known_functions_and_only_what_their_field_offers() {
    let asl = Asl::read();
    for name in asl.names() {
        for (pointer, expression) in asl.expressions(name) {
            let found = references(&expression);
            let known = |function: &String| FUNCTIONS.contains(&function.as_str());
            assert!(
                found.functions.iter().all(known),
                "{pointer} of state {name:?} calls {:?}",
                found.functions
            );
            let is_task = asl.state(name)["Type"] == "Task";
            let has_result = is_task && (pointer.starts_with("/Assign/") || pointer == "/Output");
            for path in found.states {
                let offered = match path.split('.').next().unwrap() {
                    "result" => has_result,
                    "input" => !is_task,
                    "context" => pointer == "/Arguments/Payload/context",
                    _ => false,
                };
                assert!(offered, "{pointer} of state {name:?} reads $states.{path}");
            }
        }
    }
}
