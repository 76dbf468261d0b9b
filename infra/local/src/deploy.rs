//! Deploys `infra/template.yaml`, unmodified, with `sam deploy`, and learns from the stack's outputs what is there.

use std::collections::BTreeMap;
use std::path::Path;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use p1_contract::settings::{Settings, SettingsFields};
use p1_runtime::aws::{Answer, Call};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::bucket;
use crate::build::Build;
use crate::checkout::Checkout;
use crate::checkout::create_dir;
use crate::engine::Engine;
use crate::error::PlatformError;
use crate::options::PlatformOptions;
use crate::process::{leash, run};
use crate::signing::{Signing, local_key};
use crate::tools::Tools;

/// The template and what it refers to, relative to the checkout, as `sam deploy` from a checkout finds them.
const TEMPLATE: &str = "infra/template.yaml";
const DEFINITION: &str = "statemachine/platform-run.asl.json";
const ZIPS: &str = "target/lambda";

/// What a deployed stack says of itself, on the local platform and on AWS alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The stack's name.
    pub stack: String,
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
    /// Where M3.H reads the billing artifact; empty with Cost Explorer as its source.
    pub billing_artifact_uri: String,
    /// Every output of the stack by its key, these among them.
    pub outputs: BTreeMap<String, String>,
}

impl Deployment {
    /// Reads the outputs of a deployed stack.
    ///
    /// # Errors
    /// [`PlatformError::NoStack`] when there is none, [`PlatformError::Api`] when it cannot be described, [`PlatformError::Deployment`] when it is not one of
    /// `infra/template.yaml`.
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

    /// The stack whose outputs are these.
    ///
    /// # Errors
    /// When one is missing.
    pub fn from_outputs(stack: &str, outputs: BTreeMap<String, String>) -> Result<Self, PlatformError> {
        let output = |key: &str| {
            outputs.get(key).cloned().ok_or_else(|| {
                PlatformError::Deployment(format!(
                    "the stack {stack} has no output {key}; deploy it from {TEMPLATE} of this version"
                ))
            })
        };
        let list = output("StackOutputsUris")?;
        Ok(Self {
            stack: stack.to_owned(),
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
    /// [`PlatformError::Deployment`] when they are none that a function would take.
    pub fn settings(&self) -> Result<Settings, PlatformError> {
        let output = |key: &str| self.outputs.get(key).cloned().unwrap_or_default();
        let fields = SettingsFields {
            deployment: output("Deployment"),
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

/// CloudFormation refuses an empty output: the template writes `none` for it.
fn uris(list: &str) -> Vec<String> {
    list.split(',')
        .map(str::trim)
        .filter(|uri| !uri.is_empty() && *uri != "none")
        .map(str::to_owned)
        .collect()
}

/// Configuration of SDK clients for an engine; reads nothing of the person's own AWS settings.
#[must_use]
pub fn sdk_config(endpoint: &str, region: &str, account: &str) -> SdkConfig {
    let credentials = Credentials::new(account, "test", None, None, "local platform");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

/// Deploys to the engine, and brings the deployed platform to the state that the template describes where the engine
/// itself does not.
pub(super) async fn deploy(
    checkout: &Checkout,
    tools: &Tools,
    build: &Build,
    engine: &Engine,
    options: &PlatformOptions,
) -> Result<Deployment, PlatformError> {
    let stage = engine.directory().join("stage");
    lay_out(checkout, build, &stage)?;
    let config = sdk_config(engine.endpoint(), &options.profile.region, &options.profile.account);
    if options.enforce_roles {
        bucket::make(&config, &options.profile).await?;
    }
    sam_deploy(checkout, tools, engine, options, &stage).await?;
    let deployment = Deployment::read(&config, &options.profile.stack_name).await?;
    bucket::settle_evidence(&config, &deployment).await?;
    Ok(deployment)
}

/// The staging directory has the layout of a checkout in which `cargo lambda build` has run, so that the template needs no
/// change: the zips built for this machine lie where it names those built for AWS.
fn lay_out(checkout: &Checkout, build: &Build, stage: &Path) -> Result<(), PlatformError> {
    for file in [TEMPLATE, DEFINITION] {
        place(&checkout.root().join(file), &stage.join(file))?;
    }
    for (package, zip) in &build.zips {
        place(zip, &stage.join(ZIPS).join(package).join("bootstrap.zip"))?;
    }
    Ok(())
}

fn place(source: &Path, target: &Path) -> Result<(), PlatformError> {
    if let Some(parent) = target.parent() {
        create_dir(parent)?;
    }
    match std::fs::remove_file(target) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(PlatformError::file("replace", target)(error));
        }
        _ => {}
    }
    std::fs::copy(source, target)
        .map(|_| ())
        .map_err(PlatformError::file("stage", source))
}

async fn sam_deploy(
    checkout: &Checkout,
    tools: &Tools,
    engine: &Engine,
    options: &PlatformOptions,
    stage: &Path,
) -> Result<(), PlatformError> {
    let profile = &options.profile;
    let home = stage.join("home");
    create_dir(&home)?;
    let signing_key = match options.signing {
        Signing::LocalKey => local_key(checkout)?.display().to_string(),
        Signing::Off | Signing::Kms => String::new(),
    };
    let mut path = tools.bin().into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()));
    let mut command = Command::new(tools.bin().join("sam"));
    command
        .args([
            "deploy",
            "--template-file",
            TEMPLATE,
            "--resolve-s3",
            "--no-confirm-changeset",
        ])
        .args([
            "--no-fail-on-empty-changeset",
            "--no-progressbar",
            "--capabilities",
            "CAPABILITY_NAMED_IAM",
        ])
        .args([
            "--stack-name",
            &profile.stack_name,
            "--region",
            &profile.region,
            "--parameter-overrides",
        ])
        .args(parameters(options, &signing_key))
        .current_dir(stage)
        .env_clear()
        .env("PATH", path)
        .env("HOME", &home)
        .env("TMPDIR", &home)
        .env("LANG", "C.UTF-8")
        .env("SAM_CLI_TELEMETRY", "0")
        .env("SAM_CLI_POLL_DELAY", "0.2")
        .env("AWS_ENDPOINT_URL", engine.endpoint())
        .env("AWS_ACCESS_KEY_ID", &profile.account)
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", &profile.region)
        .env("AWS_DEFAULT_REGION", &profile.region)
        .env("AWS_EC2_METADATA_DISABLED", "true");
    leash(&mut command, checkout);
    run(command, "sam deploy of infra/template.yaml to the local platform")
        .await
        .map(|_| ())
}

/// The template's parameters on the local platform.
fn parameters(options: &PlatformOptions, signing_key: &str) -> Vec<String> {
    let profile = &options.profile;
    let (account, artifacts) = (&profile.account, &profile.artifacts_bucket);
    let stack_outputs: Vec<String> = (1..=options.stack_outputs)
        .map(|number| format!("s3://{artifacts}/p1/stack_outputs_{number:02}.json"))
        .collect();
    let stack_outputs = stack_outputs.join(",");
    let registry = format!("s3://{artifacts}/p1/handles.registry.md");
    let billing = format!("s3://{artifacts}/p1/billing_artifact.json");
    let role = |name: &str| format!("arn:aws:iam::{account}:role/{name}");
    let (upstream, operators) = (role("m2-handoff"), role("operators"));
    let creates_buckets = if options.enforce_roles { "false" } else { "true" };
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x86_64"
    };
    let mut all: BTreeMap<&str, &str> = BTreeMap::from([
        ("Architecture", architecture),
        ("EvidenceBucketName", profile.evidence_bucket.as_str()),
        ("ObjectStoreBucketName", &profile.object_store_bucket),
        ("ArtifactsBucketName", artifacts),
        ("StateMachineName", &profile.state_machine_name),
        ("StateMachineRoleName", &profile.state_machine_role_name),
        ("RegistryUri", &registry),
        ("StackOutputsUris", &stack_outputs),
        ("CostSource", "billing_artifact"),
        ("BillingArtifactUri", &billing),
        ("CreateEvidenceBucket", creates_buckets),
        ("CreateObjectStoreBucket", creates_buckets),
        ("CreateArtifactsBucket", creates_buckets),
        // The engine does not know versions and aliases of state machines.
        ("PublishStateMachineVersion", "false"),
        // Nor the saved queries of Logs Insights, nor alarms that add up metrics.
        ("Observability", "basic"),
        ("Signing", options.signing.parameter()),
        ("SigningKeyFile", signing_key),
        // Nobody checks them here; the template needs the one and makes the operator's role for the other.
        ("UpstreamRoleArn", &upstream),
        ("OperatorPrincipalArns", &operators),
    ]);
    all.extend(
        options
            .parameters
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str())),
    );
    all.iter()
        .map(|(key, value)| format!("ParameterKey={key},ParameterValue='{value}'"))
        .collect()
}
