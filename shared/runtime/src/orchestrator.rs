//! Questions to Step Functions: what a machine is like, and whether an execution still runs.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use aws_config::SdkConfig;
use aws_sdk_sfn::Client;
use p1_contract::ids::{ExecutionArn, Stamp, StateMachineArn};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::aws::{Answer, Call, words};
use crate::fault::Fault;

/// What a state machine says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MachineAnswer {
    /// It is there.
    Found {
        /// Its ARN.
        arn: String,
        /// Its name.
        name: String,
        /// `ACTIVE` or `DELETING`.
        status: String,
        /// Its role.
        role_arn: String,
    },
    /// There is none of that name.
    NotFound,
    /// We may not ask.
    Denied,
}

/// What an execution says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionAnswer {
    /// It is there; `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED` or `PENDING_REDRIVE`.
    Found {
        /// The status.
        status: String,
    },
    /// Step Functions does not know it (any more).
    NotFound,
    /// We may not ask.
    Denied,
}

impl ExecutionAnswer {
    /// Whether the execution, which started at `started`, has surely ended, as one that started at `asked` may conclude: only
    /// then may it take over the other's ledger. `None` if this answer does not tell.
    ///
    /// `DescribeExecution` is eventually consistent: an execution that has just started may be unknown. One that started
    /// more than a day earlier and is unknown was forgotten, which Step Functions does 90 days after the end.
    #[must_use]
    pub fn has_ended(&self, started: Stamp, asked: Stamp) -> Option<bool> {
        match self {
            ExecutionAnswer::Found { status } => Some(matches!(
                status.as_str(),
                "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "ABORTED"
            )),
            // It cannot have started after the one that asks: nothing will ever tell that it ended.
            ExecutionAnswer::NotFound if started > asked => Some(false),
            ExecutionAnswer::NotFound => asked.is_more_than_a_day_after(started).then_some(true),
            ExecutionAnswer::Denied => Some(false),
        }
    }
}

/// Step Functions, or a fixed set of answers for tests.
#[derive(Debug, Clone)]
pub enum Orchestrator {
    /// Step Functions.
    StepFunctions(StepFunctions),
    /// Fixed answers.
    Fixed(Arc<FixedAnswers>),
}

/// Step Functions, by a client that is made when it is first asked. Two steps ask in every run, and prepare it; the others ask
/// when a lock is held by another execution, and are not to pay for it in each of their cold starts.
#[derive(Debug, Clone)]
pub struct StepFunctions(Arc<LateClient>);

#[derive(Debug)]
struct LateClient {
    config: SdkConfig,
    client: OnceLock<Client>,
}

impl StepFunctions {
    /// Step Functions by this configuration.
    #[must_use]
    pub fn new(config: SdkConfig) -> Self {
        StepFunctions(Arc::new(LateClient {
            config,
            client: OnceLock::new(),
        }))
    }

    fn client(&self) -> &Client {
        self.0.client.get_or_init(|| Client::new(&self.0.config))
    }
}

/// The answers of [`Orchestrator::Fixed`]; what is not listed is not found.
#[derive(Debug, Default)]
pub struct FixedAnswers {
    /// By ARN.
    pub machines: BTreeMap<String, MachineAnswer>,
    /// By ARN.
    pub executions: BTreeMap<String, ExecutionAnswer>,
}

impl Orchestrator {
    /// Makes the client now: for a step that asks in every run, and has more CPU in its init phase than in its invocations.
    pub fn prepare(&self) {
        if let Orchestrator::StepFunctions(service) = self {
            let _ = service.client();
        }
    }

    /// `DescribeStateMachine`.
    ///
    /// # Errors
    /// When Step Functions gives no answer.
    pub async fn machine(&self, arn: &StateMachineArn) -> Result<MachineAnswer, Fault> {
        let client = match self {
            Orchestrator::Fixed(answers) => {
                return Ok(answers
                    .machines
                    .get(arn.as_str())
                    .cloned()
                    .unwrap_or(MachineAnswer::NotFound));
            }
            Orchestrator::StepFunctions(service) => service.client(),
        };
        match client
            .describe_state_machine()
            .state_machine_arn(arn.as_str())
            .send()
            .await
        {
            Ok(answer) => Ok(MachineAnswer::Found {
                arn: answer.state_machine_arn().to_owned(),
                name: answer.name().to_owned(),
                // A machine without a status is one of an engine that knows none but active ones.
                status: answer.status().map_or("ACTIVE", |status| status.as_str()).to_owned(),
                role_arn: answer.role_arn().to_owned(),
            }),
            Err(error) => match Answer::of(Call::DescribeMachine, &error) {
                Answer::NotThere => Ok(MachineAnswer::NotFound),
                Answer::Denied => Ok(MachineAnswer::Denied),
                _ => Err(Fault::transient(format!("describe state machine {arn}"), words(&error))),
            },
        }
    }

    /// `DescribeExecution`.
    ///
    /// # Errors
    /// When Step Functions gives no answer.
    pub async fn execution(&self, arn: &ExecutionArn) -> Result<ExecutionAnswer, Fault> {
        let client = match self {
            Orchestrator::Fixed(answers) => {
                return Ok(answers
                    .executions
                    .get(arn.as_str())
                    .cloned()
                    .unwrap_or(ExecutionAnswer::NotFound));
            }
            Orchestrator::StepFunctions(service) => service.client(),
        };
        match client.describe_execution().execution_arn(arn.as_str()).send().await {
            Ok(answer) => Ok(ExecutionAnswer::Found {
                status: answer.status().as_str().to_owned(),
            }),
            Err(error) => match Answer::of(Call::DescribeExecution, &error) {
                Answer::NotThere => Ok(ExecutionAnswer::NotFound),
                Answer::Denied => Ok(ExecutionAnswer::Denied),
                _ => Err(Fault::transient(format!("describe execution {arn}"), words(&error))),
            },
        }
    }
}
