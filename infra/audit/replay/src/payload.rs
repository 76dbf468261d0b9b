//! The payload of a Task, rebuilt from the known facts of the execution as the state machine builds it.

use p1_contract::ids::{ExecutionArn, PhaseExecutionId, StateMachineArn};
pub use p1_contract::owner::{ADMIT_RERUN, Owner};
use p1_contract::request::{StepInput, StepResult, TaskCall};
use p1_contract::settings::Settings;
use serde_json::{Map, Value};

/// Builds a payload as the state machine does, and checks it with the functions' own parser.
///
/// # Errors
/// Fails if the functions would refuse it. The error says why.
pub fn payload(
    owner: Owner,
    settings: &Settings,
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
    let machine = machine.map_err(|error| error.to_string())?;
    let call = TaskCall {
        mode: owner.into(),
        settings,
        execution: execution.as_str(),
        start_time,
        state_machine: machine.as_str(),
        state: &owner.state(),
        closures: &Value::Object(closures.clone()),
        input,
    };
    let payload = call.payload();
    parse(&payload).map(|_| payload)
}

/// Adds the parts of a result that the state machine keeps.
///
/// # Errors
/// Fails if the result closed nothing.
pub fn take(closures: &mut Map<String, Value>, result: &StepResult) -> Result<(), String> {
    let value = |value: serde_json::Result<Value>| value.map_err(|error| error.to_string());
    match (result.admitted(), &result.closure) {
        (Some(admitted), _) => {
            for (owner, closure) in &admitted.closures {
                closures.insert(owner.to_string(), value(serde_json::to_value(closure))?);
            }
        }
        (None, Some(closure)) => {
            closures.insert(result.step.to_string(), value(serde_json::to_value(closure))?);
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
pub fn phase_execution_id(payload: &Value, owner: Owner) -> Option<PhaseExecutionId> {
    parse(payload).ok().map(|input| input.phase_execution_id(owner.step()))
}

/// Reads a payload as a function does.
fn parse(payload: &Value) -> Result<StepInput, String> {
    StepInput::parse(payload.clone())
        .map(|(input, _)| input)
        .map_err(|error| error.to_string())
}
