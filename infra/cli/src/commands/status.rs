//! `cargo p1 status`: says whether a local platform is up.

use p1_local::{Found, Platform};
use serde_json::json;

use super::{say, say_object};
use crate::args::JsonArgs;
use crate::exit::{CliError, ExitStatus};

/// Writes what there is to know of a platform that is up: one line of JSON, or one line for each fact under `headline`.
pub(super) fn say_platform(platform: &Platform, headline: &str, is_json: bool) -> Result<(), CliError> {
    let facts = [
        ("endpoint", "endpoint", platform.endpoint()),
        ("region", "region", platform.region()),
        ("account", "account", platform.account()),
        ("stack", "stack", platform.stack()),
        ("state_machine_arn", "state machine", platform.state_machine_arn()),
        ("evidence_bucket", "evidence bucket", platform.evidence_bucket()),
        ("object_store_bucket", "object store", platform.object_store_bucket()),
        ("artifacts_bucket", "artifacts", platform.artifacts_bucket()),
    ];
    let (pid, exit_status) = (platform.pid(), ExitStatus::Advance.code());
    if is_json {
        let mut object = json!({"up": true, "pid": pid, "exit_status": exit_status});
        for (name, _, value) in facts {
            object[name] = json!(value);
        }
        return say_object(&object);
    }
    say(headline)?;
    for (_, label, value) in facts {
        say(&format!("  {label:<16} {value}"))?;
    }
    say(&format!("  {:<16} {pid}", "pid"))
}

/// Runs `cargo p1 status`.
///
/// # Errors
/// Returns [`CliError::Fault`] if the state file cannot be read, or if the engine is there and does not answer.
pub async fn status(args: JsonArgs) -> Result<ExitStatus, CliError> {
    let why = match Platform::find().await? {
        Found::Up(platform) => {
            say_platform(&platform, "a local platform is up", args.json)?;
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
