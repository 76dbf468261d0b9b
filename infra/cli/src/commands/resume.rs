//! `cargo p1 resume`: resumes a held or faulted run from the last summary that it published.

use jiff::Timestamp;
use p1_audit::text;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{PhaseExecutionId, PlatformRunId};
use p1_contract::input::ExecutionInput;
use p1_contract::strict::{Limits, parse_foreign};
use serde_json::{Value, json};

use super::deployment::{self, Code};
use super::run;
use crate::args::ResumeArgs;
use crate::drive::screen::Screen;
use crate::drive::target::Target;
use crate::drive::{preflight, seed, start};
use crate::exit::{CliError, ExitStatus};

/// Runs `cargo p1 resume`.
///
/// # Errors
/// Returns [`CliError::Usage`] if the command line or a file that it names is not usable, or if no platform is up; nothing was
/// started then. Returns [`CliError::Fault`] if the execution could not be started or followed.
pub async fn resume(args: &ResumeArgs) -> Result<ExitStatus, CliError> {
    if let Some(out) = &args.out {
        preflight::out_dir(out)?;
    }
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let reset = preflight::reset(&args.reset, args.actor.as_deref(), &now)?;
    let registry = args.registry.as_deref().map(preflight::registry).transpose()?;
    let screen = Screen::new();
    let stack = args.stack.as_deref();
    let work = async |target: &Target| go_on(args, reset, registry, target, &screen).await;
    deployment::work_on(stack, Code::OfCheckout, &screen, work).await
}

async fn go_on(
    args: &ResumeArgs,
    reset: Value,
    registry: Option<Vec<u8>>,
    target: &Target,
    screen: &Screen,
) -> Result<ExitStatus, CliError> {
    let input = input(args, reset, target).await?;
    if let Some(bytes) = registry {
        let is_new = seed::put(&target.s3, "registry", &target.registry, bytes).await?;
        screen.line(if is_new {
            "registry: a new version"
        } else {
            "registry: unchanged"
        });
    }
    let arn = start::start_execution(target, &input).await?;
    let execution = run::watch(target, &arn, screen).await?;
    screen.finish();
    let outcome = run::report(args.out.as_deref(), args.json, target, &execution, None, screen).await?;
    Ok(outcome.exit_status())
}

/// The key that `--held` means. A phase execution id stands for the key of its summary.
fn summary_key(held: &str, target: &Target) -> String {
    let Ok(id) = PhaseExecutionId::parse(held) else {
        return held.to_owned();
    };
    let prefix = id.as_str().split('_').next().unwrap_or_default();
    format!(
        "{}{prefix}_execution_summary.json",
        target.environment.phase_folder(&id)
    )
}

/// The rerun input. It names the held summary by its current version and hash.
///
/// # Errors
/// Returns [`CliError::Usage`] if there is no such summary, or if nothing can follow it, because its run has advanced.
pub async fn input(args: &ResumeArgs, reset: Value, target: &Target) -> Result<Value, CliError> {
    let held_key = summary_key(&args.held, target);
    let key = text::clean(&held_key);
    let held = target.evidence().get(&held_key, None).await?.ok_or_else(|| {
        CliError::usage(format!(
            "--held {key}: there is no such object in {}; give what `cargo p1 run` printed for --held",
            target.evidence_bucket
        ))
    })?;
    let Some(version_id) = held.version_id else {
        return Err(CliError::usage(format!(
            "--held {key}: the object has no version; enable versioning on the bucket"
        )));
    };
    let run = parse_foreign(&held.bytes, Limits::DOCUMENT).ok();
    let run = run.and_then(|summary| PlatformRunId::parse(summary["platform_run_id"].as_str()?).ok());
    if let Some(run) = run
        && target.evidence().has_advanced(&run).await?
    {
        return Err(CliError::usage(format!(
            "--held {key}: {run} has advanced, and nothing can follow an advance; start a new run"
        )));
    }
    let mut input = json!({"resume": {
        "held": {"key": held_key, "version_id": version_id, "sha256": Sha256Hex::of(&held.bytes).to_string()},
        "reset": reset,
    }});
    if args.only {
        input["resume"]["only"] = json!(true);
    }
    ExecutionInput::parse(&input, &target.environment, &target.evidence_bucket)
        .map_err(|error| CliError::usage(format!("--held {key}: {}", text::clean(&error.to_string()))))?;
    Ok(input)
}
