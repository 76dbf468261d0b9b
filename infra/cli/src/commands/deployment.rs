//! The deployment that a command works on: the stack that `--stack` names, or the local platform that is up.

use aws_config::SdkConfig;
use p1_audit::text;
use p1_local::{Deployment, Found, Platform, PlatformError};

use crate::aws;
use crate::drive::screen::Screen;
use crate::drive::target::Target;
use crate::exit::{CliError, ExitStatus};

/// Which code of the functions a local platform runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// What was deployed.
    AsDeployed,
    /// Today's build of the checkout, which is deployed first.
    OfCheckout,
}

/// Works on the stack, or on the local platform that is up if no stack is named.
pub(super) async fn work_on(
    stack: Option<&str>,
    code: Code,
    screen: &Screen,
    work: impl AsyncFnOnce(&Target) -> Result<ExitStatus, CliError>,
) -> Result<ExitStatus, CliError> {
    let status = match stack {
        Some(stack) => work(&on_aws(stack).await?).await,
        None => {
            let mut platform = up().await?;
            let target = match code {
                Code::AsDeployed => Target::local(&platform),
                Code::OfCheckout => {
                    let stack_outputs = platform.stack_outputs_uris().len();
                    refreshed(&mut platform, stack_outputs, screen).await
                }
            };
            let status = match target {
                Ok(target) => work(&target).await,
                Err(error) => Err(error),
            };
            explained(&mut platform, status, screen).await
        }
    };
    screen.finish();
    status
}

/// A stack on AWS, reached with the user's own settings.
pub(super) async fn on_aws(stack: &str) -> Result<Target, CliError> {
    let config = aws::sdk_config("--stack").await?;
    Target::new(&stack_on_aws(stack, &config).await?, &config, false)
}

/// The outputs of a stack on AWS.
pub(super) async fn stack_on_aws(stack: &str, config: &SdkConfig) -> Result<Deployment, CliError> {
    Deployment::read(config, stack).await.map_err(|error| match error {
        PlatformError::NoStack(_) => CliError::usage(format!(
            "--stack {}: there is no such stack in this account and region; check the name, AWS_REGION and the credentials",
            text::clean(stack)
        )),
        other => CliError::from(other),
    })
}

/// The local platform that is up.
pub(super) async fn up() -> Result<Platform, CliError> {
    match Platform::find().await? {
        Found::Up(platform) => Ok(platform),
        Found::Silent(_, why) => Err(CliError::fault(why)),
        Found::Gone(gone) => Err(CliError::fault(format!("{gone}; start another one with `cargo p1 up`"))),
        Found::Nothing => Err(CliError::usage("no local platform is up; start one with `cargo p1 up`")),
    }
}

/// The local platform that is up, if there is one. Of one whose engine has ended, `tell` gets to know.
pub(super) async fn find_up(tell: impl FnOnce(&str)) -> Result<Option<Platform>, CliError> {
    match Platform::find().await? {
        Found::Up(platform) => Ok(Some(platform)),
        Found::Silent(_, why) => Err(CliError::fault(why)),
        Found::Gone(gone) => {
            tell(&gone.to_string());
            Ok(None)
        }
        Found::Nothing => Ok(None),
    }
}

/// The local platform that is up, with today's build of the functions, which read this number of stack outputs documents.
pub(super) async fn refreshed(
    platform: &mut Platform,
    stack_outputs: usize,
    screen: &Screen,
) -> Result<Target, CliError> {
    platform.refresh(stack_outputs, screen).await?;
    Target::local(platform)
}

/// If a command failed and the engine does not answer any more, that is why, and the user is told so.
pub(super) async fn explained(
    platform: &mut Platform,
    outcome: Result<ExitStatus, CliError>,
    screen: &Screen,
) -> Result<ExitStatus, CliError> {
    if !matches!(outcome, Err(CliError::Fault(_)) | Ok(ExitStatus::Fault)) {
        return outcome;
    }
    match platform.why_silent().await {
        Some(why) => silenced(&why, outcome, screen),
        None => outcome,
    }
}

/// What a command came to whose engine does not answer any more.
pub(super) fn silenced(
    why: &str,
    outcome: Result<ExitStatus, CliError>,
    screen: &Screen,
) -> Result<ExitStatus, CliError> {
    match outcome {
        Err(error) => Err(CliError::fault(format!("{why}; meanwhile: {error}"))),
        Ok(status) => {
            screen.line(why);
            Ok(status)
        }
    }
}
