//! Requests to Step Functions: the properties of a machine, and whether an execution still runs.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use aws_config::SdkConfig;
use aws_sdk_sfn::Client;
use p1_contract::ids::{ExecutionArn, StateMachineArn};
use p1_contract::observations::{ExecutionAnswer, MachineAnswer};

use crate::aws::{Answer, Call, words};
use crate::fault::Fault;

/// Step Functions, or a fixed set of answers for tests.
#[derive(Debug, Clone)]
pub enum Orchestrator {
    /// Step Functions.
    StepFunctions(StepFunctions),
    /// Fixed answers.
    Fixed(Arc<FixedAnswers>),
}

/// Step Functions, with a client that is made at the first request. Two steps send requests in every run and prepare the client
/// early. The other steps send a request only if another execution holds a lock, so they should not pay for a client at each cold
/// start.
#[derive(Debug, Clone)]
pub struct StepFunctions(Arc<LateClient>);

#[derive(Debug)]
struct LateClient {
    config: SdkConfig,
    client: OnceLock<Client>,
}

impl StepFunctions {
    /// Step Functions with this configuration.
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

/// The answers of [`Orchestrator::Fixed`]. An ARN that is not listed is answered as not found.
#[derive(Debug, Default)]
pub struct FixedAnswers {
    /// The answers about state machines, by ARN.
    pub machines: BTreeMap<String, MachineAnswer>,
    /// The answers about executions, by ARN.
    pub executions: BTreeMap<String, ExecutionAnswer>,
}

impl Orchestrator {
    /// Makes the client now. Steps that send requests in every run call this in the init phase, where a function has more CPU.
    pub fn prepare(&self) {
        let _ = self.client();
    }

    /// Step Functions' client, or the answers that stand for it.
    fn client(&self) -> Result<&Client, &FixedAnswers> {
        match self {
            Orchestrator::StepFunctions(service) => Ok(service.client()),
            Orchestrator::Fixed(answers) => Err(answers),
        }
    }

    /// Calls `DescribeStateMachine`.
    ///
    /// # Errors
    /// Fails if Step Functions gives no answer.
    pub async fn machine(&self, arn: &StateMachineArn) -> Result<MachineAnswer, Fault> {
        let request = match self.client() {
            Ok(client) => client.describe_state_machine().state_machine_arn(arn.as_str()),
            Err(fixed) => {
                let answer = fixed.machines.get(arn.as_str()).cloned();
                return Ok(answer.unwrap_or(MachineAnswer::NotFound));
            }
        };
        match request.send().await {
            Ok(answer) => Ok(MachineAnswer::Found {
                arn: answer.state_machine_arn().to_owned(),
                name: answer.name().to_owned(),
                // Some engines know only active machines and return no status.
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

    /// Calls `DescribeExecution`.
    ///
    /// # Errors
    /// Fails if Step Functions gives no answer.
    pub async fn execution(&self, arn: &ExecutionArn) -> Result<ExecutionAnswer, Fault> {
        let request = match self.client() {
            Ok(client) => client.describe_execution().execution_arn(arn.as_str()),
            Err(fixed) => {
                let answer = fixed.executions.get(arn.as_str()).cloned();
                return Ok(answer.unwrap_or(ExecutionAnswer::NotFound));
            }
        };
        match request.send().await {
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
