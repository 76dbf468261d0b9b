//! `cargo p1 status`: says whether a local platform is up.

use p1_local::Platform;
use serde::Serialize;

use super::say;
use crate::args::StatusArgs;
use crate::exit::{CliError, ExitStatus};

/// What is printed about a platform that is up, as a table or as JSON.
#[derive(Debug, Serialize)]
pub(super) struct PlatformReport<'a> {
    endpoint: &'a str,
    region: &'a str,
    account: &'a str,
    stack: &'a str,
    state_machine_arn: &'a str,
    evidence_bucket: &'a str,
    object_store_bucket: &'a str,
    artifacts_bucket: &'a str,
    pid: u32,
}

impl<'a> PlatformReport<'a> {
    pub(super) fn of(platform: &'a Platform) -> Self {
        Self {
            endpoint: platform.endpoint(),
            region: platform.region(),
            account: platform.account(),
            stack: platform.stack(),
            state_machine_arn: platform.state_machine_arn(),
            evidence_bucket: platform.evidence_bucket(),
            object_store_bucket: platform.object_store_bucket(),
            artifacts_bucket: platform.artifacts_bucket(),
            pid: platform.pid(),
        }
    }

    /// Writes to standard output: one line of JSON, or one line for each fact under `headline`.
    pub(super) fn print(&self, headline: &str, json: bool) -> Result<(), CliError> {
        let text = if json {
            serde_json::to_string(self).map_err(|error| CliError::failed("serialise the platform", &error))?
        } else {
            format!(
                "{headline}\n  endpoint         {}\n  region           {}\n  account          {}\n  stack            {}\n  \
                 state machine    {}\n  evidence bucket  {}\n  object store     {}\n  artifacts        {}\n  pid              {}",
                self.endpoint,
                self.region,
                self.account,
                self.stack,
                self.state_machine_arn,
                self.evidence_bucket,
                self.object_store_bucket,
                self.artifacts_bucket,
                self.pid
            )
        };
        say(&text)
    }
}

/// Runs `cargo p1 status`. With `--json`, it prints `null` if no platform is up.
///
/// # Errors
/// Returns [`CliError::Fault`] if the state file cannot be read.
pub async fn status(args: StatusArgs) -> Result<ExitStatus, CliError> {
    match Platform::attach().await? {
        Some(platform) => PlatformReport::of(&platform).print("a local platform is up", args.json)?,
        None => {
            let text = if args.json {
                "null"
            } else {
                "no local platform is up; start one with `cargo p1 up`"
            };
            say(text)?;
        }
    }
    Ok(ExitStatus::Advance)
}
