//! An execution, read from its history: which steps ran, what each one answered, and how the execution ended. These are pure
//! functions of the JSON that the engine returns. They do not trust it.

use jiff::Timestamp;
use p1_contract::evidence::RunIds;
use p1_contract::ids::PlatformRunId;
use p1_contract::owner::Owner;
use p1_contract::reference::ClosureRef;
use p1_contract::request::StepResult;
use p1_contract::step::Step;
use serde_json::Value;

/// One Task state of the execution.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRun {
    /// The state's name.
    pub state: String,
    /// The step that it runs. `None` for the admission of a rerun, and for the entry of a phase.
    pub step: Option<Step>,
    /// Seconds from entering the state to leaving it. For a state that still runs, seconds to its latest event.
    pub seconds: f64,
    /// Every failure of its function.
    pub failures: Vec<Failure>,
    /// The function's answer. `None` while it runs, and `None` if it failed for good.
    pub result: Option<StepResult>,
    /// The function's answer, if it is not a step's result.
    pub unreadable: Option<String>,
}

impl TaskRun {
    /// The word for the function's answer.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match (self.step, self.result.as_ref().map(|result| result.overall_pass)) {
            (_, None) => "no answer",
            (_, Some(true)) => "PASS",
            (Some(_), Some(false)) => "HOLD",
            (None, Some(false)) => "REFUSED",
        }
    }
}

/// An error with its cause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// The error's name.
    pub error: String,
    /// The error's details.
    pub cause: String,
}

/// How an execution ended, according to the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: &'static str,
    /// The output. `None` if the execution did not succeed.
    pub output: Option<String>,
    /// Error and cause, if the execution did not succeed.
    pub failure: Failure,
}

/// The whole history so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The Task states in the order in which they were entered.
    pub tasks: Vec<TaskRun>,
    /// The last state of any kind that was entered.
    pub last_state: Option<String>,
    /// The end. `None` while the execution runs.
    pub ending: Option<Ending>,
}

impl History {
    /// Reads the events of an execution, in the engine's order.
    #[must_use]
    pub fn read(events: &[Value]) -> Self {
        let mut history = Self::default();
        let mut entered_at = 0.0;
        for event in events {
            history.take(event, &mut entered_at);
        }
        history
    }

    fn take(&mut self, event: &Value, entered_at: &mut f64) {
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        let at = event.get("timestamp").and_then(seconds).unwrap_or(*entered_at);
        let text = |pointer: &str| {
            event
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        if kind.ends_with("StateEntered") {
            let state = text("/stateEnteredEventDetails/name");
            if kind == "TaskStateEntered" {
                *entered_at = at;
                self.tasks.push(TaskRun {
                    state: state.clone(),
                    step: Step::ALL.into_iter().find(|step| step.state_name() == state),
                    seconds: 0.0,
                    failures: Vec::new(),
                    result: None,
                    unreadable: None,
                });
            }
            self.last_state = Some(state);
            return;
        }
        // The details of `TaskFailed` are its `taskFailedEventDetails`.
        let (first, rest) = kind.split_at_checked(1).unwrap_or_default();
        let details = format!("/{}{rest}EventDetails", first.to_lowercase());
        let detail = |field: &str| text(&format!("{details}/{field}"));
        let failure = || Failure {
            error: detail("error"),
            cause: detail("cause"),
        };
        match kind {
            "TaskSucceeded" | "LambdaFunctionSucceeded" => self.answered(&detail("output"), at - *entered_at),
            "TaskFailed"
            | "TaskTimedOut"
            | "TaskSubmitFailed"
            | "TaskStartFailed"
            | "LambdaFunctionFailed"
            | "LambdaFunctionTimedOut" => self.failed(failure()),
            "ExecutionSucceeded" => self.ended("SUCCEEDED", Some(detail("output")), Failure::default()),
            "ExecutionFailed" => self.ended("FAILED", None, failure()),
            "ExecutionAborted" => self.ended("ABORTED", None, failure()),
            "ExecutionTimedOut" => self.ended("TIMED_OUT", None, failure()),
            _ => {}
        }
    }

    fn answered(&mut self, output: &str, seconds: f64) {
        if let Some(task) = self.tasks.last_mut() {
            task.seconds = seconds.max(0.0);
            task.result = step_result(output);
            task.unreadable = task.result.is_none().then(|| output.to_owned());
        }
    }

    fn failed(&mut self, failure: Failure) {
        if let Some(task) = self.tasks.last_mut() {
            task.failures.push(failure);
        }
    }

    fn ended(&mut self, status: &'static str, output: Option<String>, failure: Failure) {
        self.ending = Some(Ending {
            status,
            output,
            failure,
        });
    }

    /// The answers of all Tasks: those of the steps, and those of the admission of a rerun or of a later phase.
    pub fn answers(&self) -> impl Iterator<Item = &StepResult> {
        self.tasks.iter().filter_map(|task| task.result.as_ref())
    }

    /// The run's ids, from all answers so far.
    #[must_use]
    pub fn ids(&self) -> RunIds {
        RunIds::known(self.answers().map(|result| &result.run))
    }

    /// The run that this execution worked on, once it is known. A phase entry works on none.
    #[must_use]
    pub fn run(&self) -> Option<PlatformRunId> {
        let is_entry = self.answers().any(|result| result.step == Owner::Entry);
        self.ids().platform_run_id.filter(|_| !is_entry)
    }

    /// Every closure that this execution names, without duplicates: the closures of its steps, and those that an admission took
    /// over.
    #[must_use]
    pub fn closures(&self) -> Vec<ClosureRef> {
        let mut closures: Vec<ClosureRef> = Vec::new();
        for result in self.answers() {
            let admitted = result.admitted().into_iter();
            let taken_over = admitted.flat_map(|admitted| admitted.closures.values());
            for closure in result.closure.iter().chain(taken_over) {
                if !closures.contains(closure) {
                    closures.push(closure.clone());
                }
            }
        }
        closures
    }
}

/// The function's answer in the output of a Task. The answer is the output itself, or the `Payload` of the Lambda integration.
fn step_result(output: &str) -> Option<StepResult> {
    let output: Value = serde_json::from_str(output).ok()?;
    let answer = match output.get("Payload") {
        Some(Value::String(text)) => serde_json::from_str(text).ok()?,
        Some(payload) => payload.clone(),
        None => output,
    };
    serde_json::from_value(answer).ok()
}

/// A timestamp in seconds since 1970. It is a number in the engine's answer, and text after [`readable`].
fn seconds(timestamp: &Value) -> Option<f64> {
    match timestamp {
        Value::Number(number) => number.as_f64(),
        #[expect(
            clippy::cast_precision_loss,
            reason = "microseconds since 1970 fit into a double's 53 bits until 2255"
        )]
        Value::String(text) => Some(text.parse::<Timestamp>().ok()?.as_microsecond() as f64 / 1e6),
        _ => None,
    }
}

/// Converts an engine event for canonical JSON. Times become RFC 3339 text, as the AWS command line prints them. A number that is
/// not an integer becomes text.
#[must_use]
pub fn readable(event: Value) -> Value {
    match event {
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| {
                    let value = match value.as_f64() {
                        Some(at) if key == "timestamp" => readable_time(at).map_or(value, Value::from),
                        _ => readable(value),
                    };
                    (key, value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(readable).collect()),
        Value::Number(number) if number.as_i64().is_none() => Value::String(number.to_string()),
        other => other,
    }
}

fn readable_time(seconds: f64) -> Option<String> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a time beyond the calendar is refused by from_millisecond"
    )]
    let millis = (seconds * 1e3).round() as i64;
    Some(format!("{:.3}", Timestamp::from_millisecond(millis).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The answer of a step that passed or blocked.
    fn answer(step: &str, blockers: &[&str]) -> Value {
        let prefix = step.to_lowercase().replace('.', "");
        let id = format!("{prefix}_20261122T120000Z_0123456789ab");
        let pass = blockers.is_empty();
        json!({
            "step": step, "outcome": "CLOSED", "phase_execution_id": id, "overall_pass": pass,
            "next_gate": if pass { format!("{step}_READY") } else { "HOLD".to_owned() }, "blockers": blockers,
            "closure": {
                "step": step, "phase_execution_id": id, "overall_pass": pass, "bucket": "evidence-bucket",
                "key": format!("evidence/dev_full/run_control/{id}/{prefix}_execution_summary.json"),
                "version_id": "v1", "sha256": "0".repeat(64)
            },
            "run": { "platform_run_id": "platform_20261122T120000Z" }
        })
    }

    /// The events of one step's Task.
    fn task(step: Step, answer: &Value, at: f64) -> Vec<Value> {
        vec![
            json!({"type": "TaskStateEntered", "timestamp": at, "stateEnteredEventDetails": {"name": step.state_name(), "input": "{}"}}),
            json!({"type": "TaskScheduled", "timestamp": at, "taskScheduledEventDetails": {"resource": "invoke"}}),
            json!({"type": "TaskSucceeded", "timestamp": at + 0.25, "taskSucceededEventDetails": {"output": json!({"Payload": answer}).to_string()}}),
            json!({"type": "TaskStateExited", "timestamp": at + 0.25, "stateExitedEventDetails": {"name": step.state_name()}}),
        ]
    }

    #[test]
    fn a_passing_step_is_read_with_its_time_and_closure() {
        let history = History::read(&task(Step::HandleClosure, &answer("M3.A", &[]), 100.0));
        let (task, result) = (&history.tasks[0], history.answers().next().unwrap());
        assert_eq!(task.step, Some(Step::HandleClosure));
        assert!((task.seconds - 0.25).abs() < 1e-9);
        assert!(result.overall_pass);
        assert_eq!(history.closures().len(), 1);
        let run = history.ids().platform_run_id.unwrap();
        assert_eq!(run.as_str(), "platform_20261122T120000Z");
        assert_eq!(history.ending, None);
    }

    #[test]
    fn retries_are_counted_and_the_end_is_seen() {
        let history = History::read(&[
            json!({"type": "TaskStateEntered", "timestamp": 1, "stateEnteredEventDetails": {"name": "M3.B Run identity"}}),
            json!({"type": "TaskFailed", "timestamp": 2, "taskFailedEventDetails": {"error": "Transient", "cause": "down"}}),
            json!({"type": "TaskFailed", "timestamp": 3, "taskFailedEventDetails": {"error": "Transient", "cause": "still"}}),
            json!({"type": "ExecutionFailed", "timestamp": 4, "executionFailedEventDetails": {"error": "Transient", "cause": "still"}}),
        ]);
        assert_eq!(history.tasks[0].failures.len(), 2);
        let Failure { error, cause } = history.ending.unwrap().failure;
        assert_eq!((error.as_str(), cause.as_str()), ("Transient", "still"));
        assert_eq!(history.last_state.as_deref(), Some("M3.B Run identity"));
    }

    #[test]
    fn nonsense_is_read_without_a_panic() {
        let nonsense = [
            json!(null),
            json!({"type": 3}),
            json!({"type": "TaskSucceeded"}),
            json!([]),
        ];
        let history = History::read(&nonsense);
        assert_eq!(history, History::default());
        let history = History::read(&task(Step::HandleClosure, &json!("text"), 1.0));
        assert_eq!(history.answers().count(), 0);
        assert_eq!(history.tasks.len(), 1);
    }

    #[test]
    fn events_become_fit_for_canonical_json() {
        let event =
            readable(json!({"id": 1, "timestamp": 1_795_348_800.123_456, "x": {"f": 1.5, "timestamp": "kept"}}));
        assert_eq!(
            event,
            json!({"id": 1, "timestamp": "2026-11-22T12:00:00.123Z", "x": {"f": "1.5", "timestamp": "kept"}})
        );
        assert!(p1_contract::canonical::to_canonical(&event).is_ok());
        assert_eq!(seconds(&json!("2026-11-22T12:00:00.500Z")), Some(1_795_348_800.5));
    }
}
