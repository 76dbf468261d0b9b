//! The state machine as read from its file: states, edges and expressions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// One way out of a state.
pub(crate) struct Edge {
    /// The condition of a Choice rule, `None` for `Next` and for `Default`.
    pub(crate) condition: Option<String>,
    pub(crate) target: String,
    /// The variables that are assigned when this edge is taken.
    pub(crate) assigns: BTreeSet<String>,
}

/// The state machine's definition.
pub(crate) struct Asl {
    pub(crate) text: String,
    pub(crate) root: Value,
}

/// The top folder of the project.
pub(crate) fn project_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

impl Asl {
    /// Reads the definition.
    pub(crate) fn read() -> Asl {
        let text = std::fs::read_to_string(project_root().join("statemachine/platform-run.asl.json")).unwrap();
        let root = serde_json::from_str(&text).unwrap();
        Asl { text, root }
    }

    pub(crate) fn start_at(&self) -> &str {
        self.root["StartAt"].as_str().unwrap()
    }

    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.root["States"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect()
    }

    /// The state called `name`; panics when there is none.
    pub(crate) fn state(&self, name: &str) -> &Value {
        self.root["States"]
            .get(name)
            .unwrap_or_else(|| panic!("no state is called {name:?}"))
    }

    /// The names of the states of one type.
    pub(crate) fn of_type(&self, kind: &str) -> BTreeSet<&str> {
        self.names()
            .into_iter()
            .filter(|name| self.state(name)["Type"] == kind)
            .collect()
    }

    /// The ways out of a state, in the order in which they are tried.
    pub(crate) fn edges(&self, name: &str) -> Vec<Edge> {
        let state = self.state(name);
        let assigns = |holder: &Value| {
            holder["Assign"]
                .as_object()
                .into_iter()
                .flat_map(|assign| assign.keys().cloned())
                .collect::<BTreeSet<_>>()
        };
        let mut edges = Vec::new();
        for rule in state["Choices"].as_array().into_iter().flatten() {
            edges.push(Edge {
                condition: Some(rule["Condition"].as_str().unwrap().to_owned()),
                target: rule["Next"].as_str().unwrap().to_owned(),
                assigns: assigns(rule),
            });
        }
        for field in ["Next", "Default"] {
            if let Some(target) = state[field].as_str() {
                edges.push(Edge {
                    condition: None,
                    target: target.to_owned(),
                    assigns: assigns(state),
                });
            }
        }
        edges
    }

    /// The targets of a state's edges, in the order in which they are tried.
    pub(crate) fn targets(&self, name: &str) -> Vec<String> {
        self.edges(name).into_iter().map(|edge| edge.target).collect()
    }

    /// The names of all states that an execution can enter, nearest first.
    pub(crate) fn reachable(&self) -> Vec<String> {
        let mut found = vec![self.start_at().to_owned()];
        let mut next = 0;
        while next < found.len() {
            for target in self.targets(&found[next].clone()) {
                if !found.contains(&target) {
                    found.push(target);
                }
            }
            next += 1;
        }
        found
    }

    /// Every JSONata expression of a state: its JSON pointer below the state, and its text without the delimiters.
    pub(crate) fn expressions(&self, name: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        collect(self.state(name), String::new(), &mut found);
        found
    }

    /// One expression of one state.
    pub(crate) fn expression(&self, name: &str, pointer: &str) -> String {
        let text = self.state(name).pointer(pointer).and_then(Value::as_str);
        let text = text.unwrap_or_else(|| panic!("state {name:?} has no text at {pointer}"));
        jsonata(text)
            .unwrap_or_else(|| panic!("{pointer} of state {name:?} is no expression"))
            .to_owned()
    }
}

/// The JSONata inside `{% … %}`.
pub(crate) fn jsonata(text: &str) -> Option<&str> {
    Some(text.strip_prefix("{%")?.strip_suffix("%}")?.trim())
}

fn collect(value: &Value, pointer: String, found: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => found.extend(jsonata(text).map(|expression| (pointer, expression.to_owned()))),
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                collect(item, format!("{pointer}/{n}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                collect(field, format!("{pointer}/{key}"), found);
            }
        }
        _ => {}
    }
}
