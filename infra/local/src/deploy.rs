//! Deploys `infra/template.yaml`, unmodified, with `sam deploy`, and reads the stack's outputs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use p1_runtime::patience::{self, Patience};
use tokio::process::Command;

use crate::bucket;
use crate::build::Build;
use crate::checkout::{Checkout, create_dir};
use crate::deployment::Deployment;
use crate::engine::Engine;
use crate::error::PlatformError;
use crate::options::PlatformOptions;
use crate::process::{leash, run};
use crate::progress::Progress;
use crate::signing::{Signing, known_key};
use crate::tools::Tools;

/// The template, relative to the checkout. `sam deploy` resolves its references from there.
const TEMPLATE: &str = "infra/template.yaml";
const DEFINITION: &str = "statemachine/platform-run.asl.json";
/// The phase's name on the screen.
const DEPLOYING: &str = "deploying infra/template.yaml";
/// The longest time of a deployment. It takes some seconds, and on a busy machine some minutes.
const DEPLOY_LIMIT: Duration = Duration::from_secs(20 * 60);
const ZIPS: &str = "target/lambda";

/// Configuration of SDK clients for an engine. It uses none of the user's own AWS settings.
#[must_use]
pub fn sdk_config(endpoint: &str, region: &str, account: &str) -> SdkConfig {
    let credentials = Credentials::new(account, "test", None, None, "local platform");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(patience::plain_http())
        .timeout_config(Patience::TOOL.timeouts())
        .retry_config(Patience::TOOL.retries())
        .build()
}

/// Deploys to the engine. Then sets up everything that the template describes and the engine itself does not set up.
pub(super) async fn deploy(
    checkout: &Checkout,
    tools: &Tools,
    build: &Build,
    engine: &Engine,
    options: &PlatformOptions,
    progress: &dyn Progress,
) -> Result<Deployment, PlatformError> {
    let began = Instant::now();
    progress.begin(DEPLOYING);
    let stage = engine.directory().join("stage");
    lay_out(checkout, build, &stage)?;
    let config = sdk_config(engine.endpoint(), &options.profile.region, &options.profile.account);
    if options.enforce_roles {
        bucket::make(&config, &options.profile).await?;
    }
    sam_deploy(checkout, tools, engine, options, &stage).await?;
    let deployment = Deployment::read(&config, &options.profile.stack_name).await?;
    bucket::settle_evidence(&config, &deployment).await?;
    progress.done(DEPLOYING, began.elapsed());
    Ok(deployment)
}

/// Lays out the staging directory like a checkout after `cargo lambda build`, so that the template needs no change. The zips for
/// this machine lie where the template expects those for AWS.
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
        Signing::LocalKey => known_key(checkout)?.display().to_string(),
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
    run(
        command,
        "sam deploy of infra/template.yaml to the local platform",
        DEPLOY_LIMIT,
    )
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
        ("Environment", profile.environment.as_str()),
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
        // It also lacks the saved queries of Logs Insights, and alarms that add up metrics.
        ("Observability", "basic"),
        ("Signing", options.signing.parameter()),
        ("SigningKeyFile", signing_key),
        // Nobody checks these values here. The template needs the first one, and creates the operator's role for the second one.
        ("UpstreamRoleArn", &upstream),
        ("OperatorPrincipalArns", &operators),
    ]);
    all.extend(
        profile
            .parameters
            .iter()
            .chain(&options.parameters)
            .map(|(key, value)| (key.as_str(), value.as_str())),
    );
    all.iter().map(|(key, value)| parameter(key, value)).collect()
}

/// A parameter as `sam deploy` reads it: in quotes, so that a value may have spaces and apostrophes, as the path of a checkout may.
fn parameter(key: &str, value: &str) -> String {
    format!("ParameterKey={key},ParameterValue=\"{}\"", value.replace('"', "\\\""))
}
