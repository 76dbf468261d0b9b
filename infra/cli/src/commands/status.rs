//! `cargo p1 status`: says whether a local platform is up.

use p1_local::{Found, Platform};
use serde::Serialize;
use serde_json::json;

use super::{say, say_object};
use crate::args::StatusArgs;
use crate::exit::{CliError, ExitStatus};

/// What is printed about a platform that is up, as a table or as JSON.
#[derive(Debug, Serialize)]
pub(super) struct PlatformReport<'a> {
    up: bool,
    endpoint: &'a str,
    region: &'a str,
    account: &'a str,
    stack: &'a str,
    state_machine_arn: &'a str,
    evidence_bucket: &'a str,
    object_store_bucket: &'a str,
    artifacts_bucket: &'a str,
    pid: u32,
    exit_status: u8,
}

impl<'a> PlatformReport<'a> {
    pub(super) fn of(platform: &'a Platform) -> Self {
        Self {
            up: true,
            endpoint: platform.endpoint(),
            region: platform.region(),
            account: platform.account(),
            stack: platform.stack(),
            state_machine_arn: platform.state_machine_arn(),
            evidence_bucket: platform.evidence_bucket(),
            object_store_bucket: platform.object_store_bucket(),
            artifacts_bucket: platform.artifacts_bucket(),
            pid: platform.pid(),
            exit_status: ExitStatus::Advance.code(),
        }
    }

    /// Writes to standard output: one line of JSON, or one line for each fact under `headline`.
    pub(super) fn print(&self, headline: &str, json: bool) -> Result<(), CliError> {
        if json {
            let object = serde_json::to_value(self);
            return say_object(&object.map_err(|error| CliError::failed("serialise the platform", &error))?);
        }
        let text = format!(
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
        );
        say(&text)
    }
}

/// Runs `cargo p1 status`.
///
/// # Errors
/// Returns [`CliError::Fault`] if the state file cannot be read, or if the engine is there and does not answer.
pub async fn status(args: StatusArgs) -> Result<ExitStatus, CliError> {
    let why = match Platform::find().await? {
        Found::Up(platform) => {
            PlatformReport::of(&platform).print("a local platform is up", args.json)?;
            return Ok(ExitStatus::Advance);
        }
        // Whether it will answer again is not known.
        Found::Silent(_, why) => return Err(CliError::fault(why)),
        Found::Gone(gone) => format!("{gone}; start another one with `cargo p1 up`"),
        Found::Nothing => "no local platform is up; start one with `cargo p1 up`".to_owned(),
    };
    if args.json {
        say_object(&json!({"up": false, "why": why, "exit_status": ExitStatus::Advance.code()}))?;
    } else {
        say(&why)?;
    }
    Ok(ExitStatus::Advance)
}
