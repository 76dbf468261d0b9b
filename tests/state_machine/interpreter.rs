//! Walks an execution through the state machine with scripted answers of the functions.
//!
//! Only what the state machine uses is understood: Choice, Task, Pass and Fail in JSONata. As on AWS a condition must be a
//! boolean, a cause a text, no expression may come to nothing, and all of a state's assignments see the old values.
//!
//! A kept library would be preferred. Each of these was looked at, or tried, in November 2026:
//!
//! | library | what it lacks |
//! |---|---|
//! | npm `aws-local-stepfunctions` 3.0.0 | JSONata: it depends on a JSONPath library alone, and sent a Task the raw input instead of its `Arguments` |
//! | npm `serverless-step-functions-offline` 2.1.4, `@fernthedev/serverless-offline-step-functions` 1.0.0-alpha.28 | JSONata: neither depends on an implementation |
//! | npm `stepfunctions-testing` 0.1.0 | an interpreter: it writes mock files for AWS's Step Functions Local, a Java program that AWS calls unsupported |
//! | PyPI `moto` 5.2.5 | an evaluator: it parses JSONata machines, but `1+1` ends in a `TypeError`, as the Java classes that it calls are never bound |
//! | PyPI `localstack-core` 2026.3.0 | the reference implementation: it evaluates with a Java port, for which it downloads a Java runtime when it runs |
//! | PyPI `ministack` 1.5.33, the local engine, with a mock file | AWS's strictness: it takes any value for a condition. It evaluates with a Python port, which knows operators that AWS does not. The end-to-end tests use it |
//!
//! None lets a test choose the evaluator, see each expression's value, or count the edges that were taken.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::asl::{Asl, jsonata};
use crate::evaluator::{Evaluated, Evaluator};

/// The longest cause that Step Functions takes.
const LONGEST_CAUSE: usize = 32_768;

/// What an execution gets: its input, and what the Task in each state is answered.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) input: Value,
    /// State name → the function's result.
    pub(crate) answers: BTreeMap<String, Value>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    Succeeded(Value),
    Failed { error: String, cause: String },
}

/// What happened on the way.
pub(crate) struct Walk {
    pub(crate) end: End,
    pub(crate) visited: Vec<String>,
    /// State name → the payload that its function was sent.
    pub(crate) payloads: BTreeMap<String, Value>,
    /// State, JSON pointer and value of every expression that was evaluated, in order.
    pub(crate) evaluated: Vec<(String, String, Evaluated)>,
    /// The edges that were taken.
    pub(crate) edges: BTreeSet<(String, String)>,
}

struct Interpreter<'a> {
    asl: &'a Asl,
    evaluator: &'a mut Evaluator,
    variables: Map<String, Value>,
    state: String,
    evaluated: Vec<(String, String, Evaluated)>,
}

/// Walks `script` through the state machine.
pub(crate) fn walk(asl: &Asl, evaluator: &mut Evaluator, script: &Script) -> Walk {
    let state = asl.start_at().to_owned();
    let mut interpreter = Interpreter {
        asl,
        evaluator,
        variables: Map::new(),
        state,
        evaluated: Vec::new(),
    };
    let mut visited = vec![interpreter.state.clone()];
    let mut payloads = BTreeMap::new();
    let mut edges = BTreeSet::new();
    let mut input = script.input.clone();
    let end = loop {
        match interpreter.step(&input, script, &mut payloads) {
            Ok(Onward::To(output, target)) => {
                edges.insert((interpreter.state.clone(), target.clone()));
                visited.push(target.clone());
                interpreter.state = target;
                input = output;
            }
            Ok(Onward::End(output)) => break End::Succeeded(output),
            Err((error, cause)) => break End::Failed { error, cause },
        }
    };
    Walk {
        end,
        visited,
        payloads,
        evaluated: interpreter.evaluated,
        edges,
    }
}

enum Onward {
    To(Value, String),
    End(Value),
}

type Failure = (String, String);

impl Interpreter<'_> {
    fn step(
        &mut self,
        input: &Value,
        script: &Script,
        payloads: &mut BTreeMap<String, Value>,
    ) -> Result<Onward, Failure> {
        let state = self.asl.state(&self.state).clone();
        let mut states = json!({ "input": input, "context": context(&self.state, &script.input) });
        match state["Type"].as_str().unwrap() {
            "Choice" => {
                for (n, rule) in state["Choices"].as_array().unwrap().iter().enumerate() {
                    let pointer = format!("/Choices/{n}");
                    let condition = self.template(&rule["Condition"], &format!("{pointer}/Condition"), &states)?;
                    let Value::Bool(taken) = condition else {
                        return Err(query_error(format!("condition is {condition}")));
                    };
                    if taken {
                        self.assign(rule, &pointer, &states)?;
                        return Ok(Onward::To(input.clone(), text(&rule["Next"])));
                    }
                }
                if state.get("Default").is_none() {
                    return Err(("States.NoChoiceMatched".to_owned(), String::new()));
                }
                self.assign(&state, "", &states)?;
                Ok(Onward::To(input.clone(), text(&state["Default"])))
            }
            "Task" => {
                let mut arguments = self.template(&state["Arguments"], "/Arguments", &states)?;
                payloads.insert(self.state.clone(), arguments["Payload"].take());
                let answer = script.answers.get(&self.state);
                let answer = answer.unwrap_or_else(|| panic!("nobody answers in state {:?}", self.state));
                states["result"] = json!({ "StatusCode": 200, "Payload": answer });
                let output = self.template(&state["Output"], "/Output", &states)?;
                self.assign(&state, "", &states)?;
                Ok(Onward::To(output, text(&state["Next"])))
            }
            "Pass" => {
                let output = match state.get("Output") {
                    Some(output) => self.template(output, "/Output", &states)?,
                    None => input.clone(),
                };
                self.assign(&state, "", &states)?;
                Ok(match state.get("Next") {
                    Some(next) => Onward::To(output, text(next)),
                    None => Onward::End(output),
                })
            }
            "Fail" => {
                let cause = text(&self.template(&state["Cause"], "/Cause", &states)?);
                assert!(
                    cause.chars().count() <= LONGEST_CAUSE,
                    "the cause of {:?} is too long",
                    self.state
                );
                Err((text(&state["Error"]), cause))
            }
            other => panic!(
                "state {:?} is a {other}, which this test does not understand",
                self.state
            ),
        }
    }

    fn assign(&mut self, holder: &Value, pointer: &str, states: &Value) -> Result<(), Failure> {
        let mut assigned = Map::new();
        for (name, value) in holder["Assign"].as_object().into_iter().flatten() {
            assigned.insert(
                name.clone(),
                self.template(value, &format!("{pointer}/Assign/{name}"), states)?,
            );
        }
        self.variables.extend(assigned);
        Ok(())
    }

    /// A field's value with every expression in it replaced by what it came to.
    fn template(&mut self, value: &Value, pointer: &str, states: &Value) -> Result<Value, Failure> {
        match value {
            Value::String(text) => {
                let Some(expression) = jsonata(text) else {
                    return Ok(value.clone());
                };
                let mut bindings = self.variables.clone();
                bindings.insert("states".to_owned(), states.clone());
                let evaluated = self.evaluator.evaluate(expression, &Value::Object(bindings));
                self.evaluated
                    .push((self.state.clone(), pointer.to_owned(), evaluated.clone()));
                match evaluated {
                    Evaluated::Value(value) => Ok(value),
                    other => Err(query_error(format!("{pointer} of {:?} is {other:?}", self.state))),
                }
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(n, item)| self.template(item, &format!("{pointer}/{n}"), states))
                    .collect()
            }
            Value::Object(fields) => {
                let mut filled = Map::new();
                for (key, field) in fields {
                    filled.insert(key.clone(), self.template(field, &format!("{pointer}/{key}"), states)?);
                }
                Ok(Value::Object(filled))
            }
            _ => Ok(value.clone()),
        }
    }
}

/// The context object of an execution that was never redriven, as the local engine and AWS show it.
pub(crate) fn context(state: &str, input: &Value) -> Value {
    json!({
        "Execution": {
            "Id": "arn:aws:states:eu-west-2:123456789012:execution:p1:run-1",
            "Input": input,
            "Name": "run-1",
            "StartTime": "2026-11-22T10:15:30.123Z",
        },
        "State": { "EnteredTime": "2026-11-22T10:15:31Z", "Name": state, "RetryCount": 0 },
        "StateMachine": { "Id": "arn:aws:states:eu-west-2:123456789012:stateMachine:p1", "Name": "p1" },
    })
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

fn query_error(cause: String) -> Failure {
    ("States.QueryEvaluationError".to_owned(), cause)
}
