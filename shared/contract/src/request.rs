//! What the state machine hands to a function, and what it gets back.

mod result;
mod told;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ids::{ExecutionArn, PhaseExecutionId, Stamp, StateMachineArn};
use crate::input::{ExecutionInput, InputError, error, join, reason};
use crate::owner::Owner;
use crate::reference::ClosureRef;
use crate::settings::{Settings, SettingsFields};
use crate::step::Step;

pub use result::{Admitted, Concluded, Conclusion, PhaseAdmitted, StepResult, TaskOutcome};
pub use told::{Findings, PASTE_LIMIT, TOLD_LIMIT, Told, asked};

/// Which of its two duties the function of M3.G or M3.J is called for; all others know one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// The step itself.
    Step,
    /// The admission of a rerun: M3.G's function.
    Admission,
    /// The entry of a later phase: M3.J's function.
    Entry,
}

impl From<Owner> for Mode {
    fn from(owner: Owner) -> Self {
        match owner {
            Owner::Step(_) => Mode::Step,
            Owner::Admission => Mode::Admission,
            Owner::Entry => Mode::Entry,
        }
    }
}

/// The payload of a Task, as it arrives.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    mode: Mode,
    settings: SettingsFields,
    context: RawContext,
    closures: BTreeMap<String, ClosureRef>,
}

/// The context object of Step Functions, whole, as it arrives. It is AWS's: what is not read here is passed over.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawContext {
    execution: RawExecution,
    state: RawState,
    state_machine: RawStateMachine,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawExecution {
    id: ExecutionArn,
    input: Value,
    start_time: String,
    #[serde(default)]
    redrive_count: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawState {
    name: String,
    #[serde(default)]
    retry_count: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawStateMachine {
    id: StateMachineArn,
}

/// A call of a function, to make the payload of: by a test, or by the tool for a step that is invoked by hand.
#[derive(Debug, Clone, Copy)]
pub struct TaskCall<'a> {
    /// Step, admission or entry.
    pub mode: Mode,
    /// The deployment's settings.
    pub settings: &'a Settings,
    /// ARN of the P1 execution.
    pub execution: &'a str,
    /// Its start, in RFC 3339.
    pub start_time: &'a str,
    /// ARN of the state machine.
    pub state_machine: &'a str,
    /// Name of the Task state.
    pub state: &'a str,
    /// The closures so far.
    pub closures: &'a Value,
    /// What started the execution.
    pub input: &'a Value,
}

impl TaskCall<'_> {
    /// The payload that the state machine sends for this call, on its first attempt.
    #[must_use]
    pub fn payload(&self) -> Value {
        let last = |arn: &str| arn.rsplit(':').next().unwrap_or_default().to_owned();
        json!({
            "mode": self.mode,
            "settings": self.settings,
            "context": {
                "Execution": {
                    "Id": self.execution, "Name": last(self.execution), "Input": self.input, "StartTime": self.start_time,
                    "RedriveCount": 0,
                },
                "State": { "Name": self.state, "RetryCount": 0 },
                "StateMachine": { "Id": self.state_machine, "Name": last(self.state_machine) },
            },
            "closures": self.closures,
        })
    }
}

/// The closures so far, by their owner.
pub type Closures = BTreeMap<Owner, ClosureRef>;

/// What a step works on: everything that its verdict may depend on besides its observations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepInput {
    /// Step, admission or entry.
    pub mode: Mode,
    /// The P1 execution.
    pub execution: ExecutionArn,
    /// Its start, UTC, floored to seconds: the one time that evidence knows.
    pub stamp: Stamp,
    /// The machine it runs on, without version or alias.
    pub state_machine: StateMachineArn,
    /// The closures so far.
    pub closures: Closures,
    /// The deployment's settings.
    pub settings: Settings,
    /// What started the execution.
    pub input: ExecutionInput,
}

/// How the call came about: for logs, never for evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The name of the state.
    pub state_name: String,
    /// The engine's retries of this Task so far.
    pub retry_count: u32,
    /// The redrives of this execution so far.
    pub redrive_count: u32,
}

impl StepInput {
    /// Reads a Task's payload.
    ///
    /// # Errors
    /// When it is not what the state machine sends; the error names the field.
    pub fn parse(payload: Value) -> Result<(Self, Attempt), InputError> {
        let raw: RawRequest = serde_json::from_value(payload).map_err(|e| {
            let problem = format!("is not what the state machine sends ({})", reason(&e));
            let remedy = "invoke the function through the state machine, or with one of the sample events";
            error("payload", problem, remedy)
        })?;
        // Absent it stands only in evidence of revision 1: the state machine always says it.
        if raw.settings.environment.is_none() {
            let remedy = "deploy the state machine and the functions of one release";
            return Err(error("settings.environment", "is missing", remedy));
        }
        let settings = Settings::try_from(raw.settings)?;
        let evidence_bucket = &settings.evidence_bucket;
        let RawContext {
            execution,
            state,
            state_machine,
        } = raw.context;
        let stamp = Stamp::from_rfc3339_floor(&execution.start_time).map_err(|e| {
            let remedy = "give the execution's start time in RFC 3339";
            error("context.Execution.StartTime", format!("is not a time ({e})"), remedy)
        })?;
        let mut closures = Closures::new();
        for (id, closure) in raw.closures {
            let key = closure.key.as_str();
            let is_ours = closure.bucket == *evidence_bucket && settings.environment.below(key).is_some();
            let in_chain = |owner: &Owner| *owner == closure.step && is_ours && *owner != Owner::Entry;
            let owner = Owner::from_id(&id).filter(in_chain);
            let owner = owner.ok_or_else(|| {
                let problem = "is not a closure of a step in the deployment's evidence bucket and environment";
                error(
                    &join("closures", &id),
                    problem,
                    "pass the closures on as the steps return them",
                )
            })?;
            closures.insert(owner, closure);
        }
        let input = ExecutionInput::parse(&execution.input, &settings.environment, evidence_bucket)?;
        let attempt = Attempt {
            state_name: state.name,
            retry_count: state.retry_count,
            redrive_count: execution.redrive_count,
        };
        let step_input = StepInput {
            mode: raw.mode,
            execution: execution.id,
            stamp,
            state_machine: state_machine.id,
            closures,
            settings,
            input,
        };
        Ok((step_input, attempt))
    }

    /// The phase execution id of `step` (or of the admission, or of the entry) in this execution.
    #[must_use]
    pub fn phase_execution_id(&self, step: Step) -> PhaseExecutionId {
        let owner = match self.mode {
            Mode::Step => step.into(),
            Mode::Admission => Owner::Admission,
            Mode::Entry => Owner::Entry,
        };
        PhaseExecutionId::derive(owner, self.stamp, self.execution.as_str())
    }

    /// The closure of `step`, if the chain has one.
    #[must_use]
    pub fn closure(&self, step: Step) -> Option<&ClosureRef> {
        self.closures.get(&Owner::Step(step))
    }

    /// The closure of the admission that this rerun went through, if it is one.
    #[must_use]
    pub fn admission(&self) -> Option<&ClosureRef> {
        self.closures.get(&Owner::Admission)
    }

    /// The closures in the order of the chain: the steps, then the admission.
    #[must_use]
    pub fn upstream(&self) -> Vec<ClosureRef> {
        Owner::all()
            .filter_map(|owner| self.closures.get(&owner).cloned())
            .collect()
    }
}
