//! The deployed stack on which a run takes place. The local platform and AWS are treated alike.

use aws_config::SdkConfig;
use p1_audit::text;
use p1_contract::ids::{BucketName, Environment, S3Uri, StateMachineArn};
use p1_local::sample::Names;
use p1_local::{Deployment, Platform};

use crate::bucket::evidence::Evidence;
use crate::drive::stack_outputs;
use crate::exit::CliError;

/// What becomes of a stack when the command that used it has ended. A run can be resumed only where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Afterwards {
    /// A stack on AWS, with its name.
    Stack(String),
    /// The local platform stays up.
    Up,
    /// The local platform is stopped, and the run is gone with it.
    Stopped,
}

/// A deployed stack, and clients for it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Whether it is the local platform. Only the local platform is seeded with the sample.
    pub is_local: bool,
    /// What becomes of it.
    pub afterwards: Afterwards,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// Step Functions.
    pub sfn: aws_sdk_sfn::Client,
    /// The orchestrator.
    pub state_machine: StateMachineArn,
    /// Its role.
    pub role_arn: String,
    /// The environment.
    pub environment: Environment,
    /// The bucket of the evidence.
    pub evidence_bucket: BucketName,
    /// The bucket of the oracle store. `None` if the stack names none.
    pub object_store_bucket: Option<BucketName>,
    /// Where the functions read the registry.
    pub registry: S3Uri,
    /// Where the functions read stack outputs.
    pub stack_outputs: Vec<S3Uri>,
    /// Where M3.H reads the billing artifact. `None` if it asks Cost Explorer.
    pub billing: Option<S3Uri>,
    /// The names that fill in the sample registry.
    pub names: Names,
    /// The stack's outputs, as [`stack_outputs::document`] writes them.
    pub own_outputs: Vec<u8>,
}

impl Target {
    /// The stack that these outputs describe.
    ///
    /// # Errors
    /// Returns a fault that names the output that is not usable.
    pub fn new(deployment: &Deployment, config: &SdkConfig, is_local: bool) -> Result<Self, CliError> {
        let unusable = |output: &str, error: &dyn std::fmt::Display| {
            CliError::fault(format!(
                "the output {output} of stack {} is not usable: {}; deploy the stack from infra/template.yaml of this version",
                text::clean(&deployment.stack),
                text::clean(&error.to_string())
            ))
        };
        let uri = |output: &str, value: &str| S3Uri::parse(value).map_err(|error| unusable(output, &error));
        let state_machine = StateMachineArn::parse(&deployment.state_machine_arn)
            .map_err(|error| unusable("StateMachineArn", &error))?;
        let evidence_bucket =
            BucketName::parse(&deployment.evidence_bucket).map_err(|error| unusable("EvidenceBucket", &error))?;
        let role_arn = deployment.state_machine_role_arn.clone();
        let names = Names {
            environment: deployment.environment.clone(),
            account: state_machine.account().to_owned(),
            region: state_machine.region().to_owned(),
            evidence_bucket: evidence_bucket.to_string(),
            object_store_bucket: deployment.object_store_bucket.clone(),
            artifacts_bucket: deployment.artifacts_bucket.clone(),
            state_machine: state_machine.name().to_owned(),
            // With its path, which is a part of the ARN too.
            state_machine_role: role_arn.split_once(":role/").unwrap_or_default().1.to_owned(),
        };
        // The SDK retries with a fresh connection. S3's path style works with any loopback port.
        let s3 = aws_sdk_s3::config::Builder::from(config)
            .force_path_style(is_local)
            .build();
        Ok(Self {
            is_local,
            afterwards: if is_local {
                Afterwards::Up
            } else {
                Afterwards::Stack(deployment.stack.clone())
            },
            s3: aws_sdk_s3::Client::from_conf(s3),
            sfn: aws_sdk_sfn::Client::new(config),
            state_machine,
            role_arn,
            environment: deployment.environment.clone(),
            evidence_bucket,
            object_store_bucket: BucketName::parse(&deployment.object_store_bucket).ok(),
            registry: uri("RegistryUri", &deployment.registry_uri)?,
            stack_outputs: deployment
                .stack_outputs_uris
                .iter()
                .map(|value| uri("StackOutputsUris", value))
                .collect::<Result<_, _>>()?,
            billing: match deployment.billing_artifact_uri.as_str() {
                "" => None,
                value => Some(uri("BillingArtifactUri", value)?),
            },
            names,
            own_outputs: stack_outputs::document(&deployment.outputs)?,
        })
    }

    /// A local platform.
    ///
    /// # Errors
    /// Returns a fault as [`Target::new`] does.
    pub fn local(platform: &Platform) -> Result<Self, CliError> {
        Self::new(platform.deployment(), &platform.sdk_config(), true)
    }

    /// The local platform, which is stopped when the command ends.
    #[must_use]
    pub fn stopped_afterwards(self) -> Self {
        Self {
            afterwards: Afterwards::Stopped,
            ..self
        }
    }

    /// Read access to the evidence.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        Evidence {
            s3: self.s3.clone(),
            bucket: self.evidence_bucket.clone(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aws_config::{BehaviorVersion, Region};

    use super::*;
    use crate::scratch::says;

    fn deployment() -> Deployment {
        let outputs = [
            ("Region", "eu-west-2"),
            ("Environment", "dev_full"),
            ("Account", "111122223333"),
            (
                "StateMachineArn",
                "arn:aws:states:eu-west-2:111122223333:stateMachine:test-machine",
            ),
            ("StateMachineName", "test-machine"),
            ("StateMachineRoleArn", "arn:aws:iam::111122223333:role/test-role"),
            ("EvidenceBucket", "test-evidence"),
            ("ObjectStoreBucket", "test-object-store"),
            ("ArtifactsBucket", "test-artifacts"),
            ("RegistryUri", "s3://test-artifacts/registry.md"),
            ("StackOutputsUris", "s3://test-artifacts/outputs_1.json"),
            ("BillingArtifactUri", "s3://test-artifacts/billing.json"),
        ];
        let outputs = outputs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        Deployment::from_outputs("test", outputs.into()).unwrap()
    }

    fn config() -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-2"))
            .build()
    }

    /// A stack for tests that never connect to it.
    pub(crate) fn target(is_local: bool) -> Target {
        Target::new(&deployment(), &config(), is_local).unwrap()
    }

    #[test]
    fn names_come_from_the_stack() {
        let target = target(true);
        assert_eq!(target.names.account, "111122223333");
        assert_eq!(target.names.state_machine_role, "test-role");
        assert_eq!(target.names.state_machine, "test-machine");
    }

    #[test]
    fn an_unusable_output_is_named() {
        let broken = Deployment {
            registry_uri: "registry.md".to_owned(),
            ..deployment()
        };
        let error = Target::new(&broken, &config(), true).unwrap_err().to_string();
        says(&error, &["RegistryUri", "stack test"]);
    }
}
