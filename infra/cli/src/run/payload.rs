//! The payload of a Task, as the state machine makes it: made again from what is known of the execution.

use p1_contract::ids::{BucketName, ExecutionArn, PhaseExecutionId, StateMachineArn};
use p1_contract::reference::ADMISSION;
use p1_contract::request::{StepInput, StepResult};
use p1_contract::step::Step;
use serde_json::{Map, Value, json};

/// The state that admits a rerun.
pub const ADMIT_RERUN: &str = "Admit rerun";

/// What a function can be invoked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// A step.
    Step(Step),
    /// The admission of a rerun.
    Admission,
}

impl Duty {
    /// The duty that a Task state runs.
    #[must_use]
    pub fn of_state(state: &str) -> Option<Self> {
        let step = Step::ALL.into_iter().find(|step| step.state_name() == state);
        step.map(Self::Step)
            .or_else(|| (state == ADMIT_RERUN).then_some(Self::Admission))
    }

    /// `M3.A` … `M3.J`, or `ADMISSION`.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Step(step) => step.id(),
            Self::Admission => ADMISSION,
        }
    }

    /// The step whose function is invoked.
    #[must_use]
    pub fn step(self) -> Step {
        match self {
            Self::Step(step) => step,
            Self::Admission => Step::RerunDiscipline,
        }
    }

    /// The name of its Task state.
    #[must_use]
    pub fn state(self) -> String {
        match self {
            Self::Step(step) => step.state_name(),
            Self::Admission => ADMIT_RERUN.to_owned(),
        }
    }

    fn mode(self) -> &'static str {
        match self {
            Self::Step(_) => "STEP",
            Self::Admission => ADMISSION,
        }
    }
}

/// A payload as the state machine makes it, held against the functions' own parser.
///
/// # Errors
/// In words, when the functions would refuse it.
pub fn payload(
    duty: Duty,
    execution: &ExecutionArn,
    start_time: &str,
    closures: &Map<String, Value>,
    input: &Value,
) -> Result<Value, String> {
    let machine = StateMachineArn::for_name(
        execution.region(),
        execution.account(),
        execution.state_machine(),
        execution.partition(),
    );
    let payload = json!({
        "mode": duty.mode(),
        "context": {
            "execution_arn": execution.as_str(),
            "execution_name": execution.name(),
            "start_time": start_time,
            "state_machine_id": machine.map_err(|error| error.to_string())?.as_str(),
            "state_name": duty.state(),
            "retry_count": 0,
            "redrive_count": 0
        },
        "closures": closures,
        "input": input
    });
    parse(&payload).map(|_| payload)
}

/// Adds what the state machine keeps of a result.
///
/// # Errors
/// In words, when the result closed nothing.
pub fn take(closures: &mut Map<String, Value>, result: &StepResult) -> Result<(), String> {
    let value = |value: serde_json::Result<Value>| value.map_err(|error| error.to_string());
    match (&result.closures, &result.closure) {
        (Some(all), _) => {
            for (owner, closure) in all {
                closures.insert(owner.clone(), value(serde_json::to_value(closure))?);
            }
        }
        (None, Some(closure)) => {
            closures.insert(result.step.clone(), value(serde_json::to_value(closure))?);
        }
        (None, None) => {
            return Err(format!(
                "{} closed nothing: its event belongs to another execution",
                result.step
            ));
        }
    }
    Ok(())
}

/// The phase execution id that the functions derive from a payload.
#[must_use]
pub fn phase_execution_id(payload: &Value, duty: Duty) -> Option<PhaseExecutionId> {
    parse(payload).ok().map(|input| input.phase_execution_id(duty.step()))
}

/// Reads a payload as a function does, whose evidence bucket is the one that the payload speaks of.
fn parse(payload: &Value) -> Result<StepInput, String> {
    let named = payload.pointer("/input/detail/bucket/name");
    let closed = payload["closures"]
        .as_object()
        .and_then(|closures| closures.values().next());
    let bucket = closed
        .and_then(|closure| closure.get("bucket"))
        .or(named)
        .and_then(Value::as_str);
    // Where none is named none is compared.
    let bucket = BucketName::parse(bucket.unwrap_or("unnamed")).map_err(|error| error.to_string())?;
    StepInput::parse(payload.clone(), &bucket)
        .map(|(input, _)| input)
        .map_err(|error| error.to_string())
}
