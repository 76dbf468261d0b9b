//! `cargo p1 up`: starts a local platform and leaves it running.

use p1_local::progress::{Lines, Progress};
use p1_local::{Platform, PlatformOptions, Profile};

use crate::args::UpArgs;
use crate::commands::deployment::find_up;
use crate::commands::status::say_platform;
use crate::drive::sample_platform;
use crate::drive::target::Target;
use crate::exit::{CliError, ExitStatus};

/// Runs `cargo p1 up`. If a platform is up already, the command says so and leaves it as it is. With another profile of
/// its account and region it deploys that one to the same engine: a stack of its own beside what is there, or an update.
///
/// # Errors
/// Returns [`CliError::Usage`] if the profile cannot be used, [`CliError::Fault`] if the platform did not come up, or if the one that
/// is up is of another account or region.
pub async fn up(args: UpArgs) -> Result<ExitStatus, CliError> {
    let profile = Profile::load(args.platform.as_deref())?;
    let _one_at_a_time = Platform::lock_state(&Lines).await?;
    let there = find_up(|gone| Lines.note(gone)).await?;
    if let Some(mut platform) = there {
        let is_other = args.platform.is_some() && *platform.profile() != profile;
        if is_other && (platform.account(), platform.region()) == (&profile.account, &profile.region) {
            platform.deploy_beside(profile, &Lines).await?;
            platform.keep().await?;
        } else if *platform.profile() != profile {
            return Err(CliError::fault(format!(
                "a local platform with another profile is up (stack {}, account {}); stop it with `cargo p1 down` first",
                platform.stack(),
                platform.account()
            )));
        }
        if args.sample {
            put_sample(&platform).await?;
        }
        say_platform(&platform, "the local platform is up already", args.json)?;
        return Ok(ExitStatus::Advance);
    }
    let mut platform = Platform::start(PlatformOptions::new(profile), &Lines).await?;
    platform.keep().await?;
    if args.sample {
        put_sample(&platform).await?;
    }
    say_platform(
        &platform,
        "the local platform is up; stop it with `cargo p1 down`",
        args.json,
    )?;
    Ok(ExitStatus::Advance)
}

async fn put_sample(platform: &Platform) -> Result<(), CliError> {
    sample_platform::put(&Target::local(platform)?).await
}
