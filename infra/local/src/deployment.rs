//! The outputs of a deployed stack.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use p1_contract::ids::Environment;
use p1_contract::settings::{Settings, SettingsFields};
use p1_runtime::aws::{Answer, Call};
use serde::{Deserialize, Serialize};

use crate::error::PlatformError;

/// The outputs of a deployed stack, on the local platform or on AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The stack's name.
    pub stack: String,
    /// The environment.
    pub environment: Environment,
    /// Bucket of the evidence.
    pub evidence_bucket: String,
    /// Bucket of the oracle store.
    pub object_store_bucket: String,
    /// Bucket of registry, stack outputs and billing artifact.
    pub artifacts_bucket: String,
    /// ARN of the state machine, without version or alias.
    pub state_machine_arn: String,
    /// Name of the state machine.
    pub state_machine_name: String,
    /// ARN of the state machine's role.
    pub state_machine_role_arn: String,
    /// Where the functions read the handles registry.
    pub registry_uri: String,
    /// Where the functions read the stack outputs.
    pub stack_outputs_uris: Vec<String>,
    /// Where M3.H reads the billing artifact. Empty if its source is Cost Explorer.
    pub billing_artifact_uri: String,
    /// Every output of the stack by its key, including the fields above.
    pub outputs: BTreeMap<String, String>,
}

impl Deployment {
    /// Reads the outputs of a deployed stack.
    ///
    /// # Errors
    /// Fails with [`PlatformError::NoStack`] if there is no such stack, [`PlatformError::Api`] if it cannot be described, and
    /// [`PlatformError::Deployment`] if it is not a stack of `infra/template.yaml`.
    pub async fn read(config: &SdkConfig, stack: &str) -> Result<Self, PlatformError> {
        let client = aws_sdk_cloudformation::Client::new(config);
        let answer = client
            .describe_stacks()
            .stack_name(stack)
            .send()
            .await
            .map_err(|error| match Answer::of(Call::DescribeStack, &error) {
                Answer::NotThere => PlatformError::NoStack(stack.to_owned()),
                _ => PlatformError::api(format!("describe the stack {stack}"), &error),
            })?;
        let outputs: BTreeMap<String, String> = answer
            .stacks()
            .iter()
            .flat_map(aws_sdk_cloudformation::types::Stack::outputs)
            .filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())))
            .collect();
        Self::from_outputs(stack, outputs)
    }

    /// The stack with these outputs.
    ///
    /// # Errors
    /// Fails if an output is missing.
    pub fn from_outputs(stack: &str, outputs: BTreeMap<String, String>) -> Result<Self, PlatformError> {
        let output = |key: &str| {
            outputs.get(key).cloned().ok_or_else(|| {
                PlatformError::Deployment(format!(
                    "the stack {stack} has no output {key}; deploy it from infra/template.yaml of this version"
                ))
            })
        };
        let environment = Environment::parse(&output("Environment")?).map_err(|error| {
            PlatformError::Deployment(format!("the output Environment of the stack {stack}: {error}"))
        })?;
        let list = output("StackOutputsUris")?;
        Ok(Self {
            stack: stack.to_owned(),
            environment,
            evidence_bucket: output("EvidenceBucket")?,
            object_store_bucket: output("ObjectStoreBucket")?,
            artifacts_bucket: output("ArtifactsBucket")?,
            state_machine_arn: output("StateMachineArn")?,
            state_machine_name: output("StateMachineName")?,
            state_machine_role_arn: output("StateMachineRoleArn")?,
            registry_uri: output("RegistryUri")?,
            stack_outputs_uris: uris(&list),
            billing_artifact_uri: uris(&output("BillingArtifactUri")?).pop().unwrap_or_default(),
            outputs,
        })
    }

    /// The settings that the stack's state machine hands to its Tasks, from the stack's outputs.
    ///
    /// # Errors
    /// Fails with [`PlatformError::Deployment`] if a function would not accept them.
    pub fn settings(&self) -> Result<Settings, PlatformError> {
        let output = |key: &str| self.outputs.get(key).cloned().unwrap_or_default();
        let fields = SettingsFields {
            deployment: output("Deployment"),
            environment: Some(output("Environment")),
            evidence_bucket: self.evidence_bucket.clone(),
            registry_uri: self.registry_uri.clone(),
            stack_outputs_uris: self.stack_outputs_uris.join(","),
            cost_source: output("CostSource"),
            billing_artifact_uri: self.billing_artifact_uri.clone(),
            signing: output("Signing"),
            signing_key: output("SigningKey"),
        };
        Settings::try_from(fields)
            .map_err(|error| PlatformError::Deployment(format!("the outputs of the stack {}: {error}", self.stack)))
    }
}

/// Splits a list. The template writes `none` for an empty output, because CloudFormation refuses those.
fn uris(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|uri| !uri.is_empty() && *uri != "none")
        .map(str::to_owned)
        .collect()
}
