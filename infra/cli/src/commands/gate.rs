//! `cargo p1 gate`: asks the orchestrator whether a later phase may work on a run.

use p1_audit::text;
use p1_contract::artifacts::RunRecord;
use p1_contract::evidence::DocumentOf;
use p1_contract::ids::PlatformRunId;
use p1_contract::input::ExecutionInput;
use serde_json::{Value, json};

use super::deployment::{self, Code};
use super::run;
use crate::args::GateArgs;
use crate::drive::screen::Screen;
use crate::drive::target::Target;
use crate::drive::{preflight, start};
use crate::exit::{CliError, ExitStatus};

/// Runs `cargo p1 gate`.
///
/// # Errors
/// Returns [`CliError::Usage`] if the command line is not usable, or if no platform is up; nothing was started then. Returns
/// [`CliError::Fault`] if the execution could not be started or followed.
pub async fn gate(args: &GateArgs) -> Result<ExitStatus, CliError> {
    if let Some(out) = &args.out {
        preflight::out_dir(out)?;
    }
    let run = PlatformRunId::parse(&args.run)
        .map_err(|error| CliError::usage(format!("RUN {}: {error}", text::clean(&args.run))))?;
    let screen = Screen::new();
    let stack = args.stack.as_deref();
    let work = async |target: &Target| ask(args, &run, target, &screen).await;
    deployment::work_on(stack, Code::OfCheckout, &screen, work).await
}

/// Asks about one run, and reports the answer.
///
/// # Errors
/// As [`gate`] does.
pub async fn ask(
    args: &GateArgs,
    run: &PlatformRunId,
    target: &Target,
    screen: &Screen,
) -> Result<ExitStatus, CliError> {
    let input = input(args, run, target).await?;
    let arn = start::start_execution(target, &input).await?;
    let execution = run::watch(target, &arn, screen).await?;
    screen.finish();
    let outcome = run::report(args.out.as_deref(), args.json, target, &execution, None, screen).await?;
    Ok(outcome.exit_status())
}

/// The question. Without `--scenario` it names the scenario that the run's own `run.json` says it is of.
async fn input(args: &GateArgs, run: &PlatformRunId, target: &Target) -> Result<Value, CliError> {
    let scenario = match &args.scenario {
        Some(scenario) => scenario.clone(),
        None => scenario(run, target).await?,
    };
    let mut input = json!({"platform_run_id": run, "scenario_run_id": scenario});
    let given = [
        ("phase_id", &args.phase),
        ("event_id", &args.event),
        ("runtime_lane", &args.lane),
        ("trace_id", &args.trace),
    ];
    for (field, value) in given {
        if let Some(value) = value {
            input[field] = json!(value);
        }
    }
    ExecutionInput::parse(&input, &target.environment, &target.evidence_bucket)
        .map_err(|error| CliError::usage(text::clean(&error.to_string())))?;
    Ok(input)
}

/// The scenario that the run's own `run.json` names. Nothing is asked with an id that nobody named.
async fn scenario(run: &PlatformRunId, target: &Target) -> Result<String, CliError> {
    let key = format!("{}run.json", run.run_root());
    let found = target.evidence().get(&key, None).await?;
    let document = found.map(|found| DocumentOf::<RunRecord>::parse(&found.bytes));
    let problem = match document {
        None => "is not there",
        Some(Err(_)) => "cannot be read",
        Some(Ok(document)) => return Ok(document.header.scenario_run_id.into()),
    };
    Err(CliError::usage(format!(
        "{key} {problem}, so that the scenario of the run is not known; give --scenario ID to ask all the same"
    )))
}
