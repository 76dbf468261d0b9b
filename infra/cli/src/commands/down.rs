//! `cargo p1 down`: stops the local platform that was left running.

use p1_local::{Found, Platform};
use serde_json::json;

use super::{say, say_object};
use crate::args::JsonArgs;
use crate::exit::{CliError, ExitStatus};

/// Runs `cargo p1 down`. If no platform is up, the command says so and succeeds.
///
/// # Errors
/// Returns [`CliError::Fault`] if the platform could not be stopped.
pub async fn down(args: JsonArgs) -> Result<ExitStatus, CliError> {
    let said = match Platform::find().await? {
        Found::Up(platform) | Found::Silent(platform, _) => {
            let (endpoint, pid) = (platform.endpoint().to_owned(), platform.pid());
            platform.stop().await?;
            format!("stopped the local platform at {endpoint} (pid {pid})")
        }
        Found::Gone(gone) => {
            gone.forget()?;
            gone.to_string()
        }
        Found::Nothing => "no local platform is up".to_owned(),
    };
    if args.json {
        say_object(&json!({"up": false, "done": said, "exit_status": ExitStatus::Advance.code()}))?;
    } else {
        say(&said)?;
    }
    Ok(ExitStatus::Advance)
}
