//! The local platforms of a test run, and what a test does with one.
//!
//! Most tests take turns on two platforms that are alike, whichever is free: a deployment names one registry, and a test may
//! change it. Tests of the roles take turns on another, whose engine enforces them. The remaining ones have a platform of their
//! own, or need the engine only for buckets of their own, and run beside all others. A platform ends with the test process: its
//! engine watches a pipe that closes then.

mod ended;
mod evidence;
mod executions;
mod inputs;
mod turns;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use p1_local::progress::Lines;
use p1_local::{Platform, PlatformOptions, Profile, Signing};

pub use ended::Ended;
pub use evidence::{expect_listed_hashes, files};
pub use turns::{beside_stage, on_guarded_stage, on_stage, on_stage_of_its_own, rounds};

/// How long an execution may take before the test gives up: a guard against a hang, not an expectation.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long to wait before the engine is asked again.
const POLL: Duration = Duration::from_millis(50);

/// The local platform, with clients.
pub struct Stage {
    /// The platform.
    pub platform: Platform,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// Step Functions.
    pub sfn: aws_sdk_sfn::Client,
    /// Manifests that were put already. They are never changed, so that tests beside each other see one version of each.
    manifests: std::sync::Mutex<BTreeSet<String>>,
    /// Executions whose input a test has looked at already, while it waited for its own.
    known: std::sync::Mutex<BTreeSet<String>>,
}

impl Stage {
    pub(super) async fn set(enforce_roles: bool) -> Stage {
        let options = PlatformOptions {
            wait_scale: Some(0.0),
            enforce_roles,
            // There, that M3.J's role suffices to sign is seen too.
            signing: if enforce_roles { Signing::Kms } else { Signing::LocalKey },
            ..PlatformOptions::new(Profile::load(None).unwrap())
        };
        let platform = Platform::start(options, &Lines).await.unwrap();
        let config = platform.sdk_config();
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(true)
            .build();
        let stage = Stage {
            s3: aws_sdk_s3::Client::from_conf(s3),
            sfn: aws_sdk_sfn::Client::new(&config),
            platform,
            manifests: std::sync::Mutex::default(),
            known: std::sync::Mutex::default(),
        };
        stage.seed().await;
        stage
    }

    /// A program of the platform's own virtual environment for tools.
    pub fn python(&self) -> Command {
        let checkout = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut command = Command::new(checkout.join(".p1/venv/tools/bin/python"));
        command
            .env("AWS_ENDPOINT_URL", self.platform.endpoint())
            .env("AWS_ACCESS_KEY_ID", self.platform.account())
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_DEFAULT_REGION", self.platform.region())
            .current_dir(checkout);
        command
    }
}
