//! `cargo p1 event`: prints the payload of one step, so that its function can be invoked by hand with `cargo lambda invoke`.
//!
//! Each step works on the closures of the steps before it, and evidence is never replaced. So there are three sources. An
//! execution that ran gives its payload again, and the function answers it as before. An event that was answered by hand gives
//! the next event. M3.A alone needs no source: it gets a new start on the platform that is up.

use std::path::Path;

use jiff::Timestamp;
use p1_audit::evidence_set::HISTORY;
use p1_audit::history::{History, TaskRun};
use p1_audit::lineage::folder_of;
use p1_audit::text;
use p1_contract::ids::{ExecutionArn, PhaseExecutionId};
use p1_contract::input::M2_RECEIPT_FILE;
use p1_contract::request::StepResult;
use p1_contract::settings::Settings;
use p1_contract::step::Step;
use p1_local::Platform;
use p1_replay::payload::{Owner, payload, phase_execution_id, take};
use serde_json::{Map, Value, json};

use super::deployment::up;
use super::say;
use crate::args::EventArgs;
use crate::directory;
use crate::drive::target::Target;
use crate::exit::{CliError, ExitStatus};
use crate::named::shown;

const NO_EXECUTION: &str = "give the evidence folder that `cargo p1 run --out` wrote";

/// The owner that the user means by this name.
fn owner(name: &str) -> Result<Owner, CliError> {
    let unknown = || {
        let name = text::brief(name, 40);
        CliError::usage(format!("{name}: is no step; give M3.A to M3.J, ADMISSION or ENTRY"))
    };
    Owner::from_id(&name.to_uppercase()).ok_or_else(unknown)
}

/// Runs `cargo p1 event`: prints the payload as JSON.
///
/// # Errors
/// Returns [`CliError::Usage`] if the source is missing or holds no such event, [`CliError::Fault`] if the platform that is up
/// does not answer.
pub async fn event(args: EventArgs) -> Result<ExitStatus, CliError> {
    let owner = owner(&args.step)?;
    let payload = match (&args.from, args.after.as_deref()) {
        (Some(dir), _) => {
            let path = dir.join(HISTORY);
            let history = read_json(&path)?;
            let settings = recorded_settings(dir, &history).map_err(|why| refusal(dir, &why, NO_EXECUTION))?;
            replay(&history, &settings, owner).map_err(|why| refusal(&path, &why, NO_EXECUTION))?
        }
        (None, Some([event, result])) => {
            let remedy = "give the event of a step and the result that `cargo lambda invoke` printed for it";
            next(read_json(event)?, read_json(result)?, owner).map_err(|why| refusal(result, &why, remedy))?
        }
        (None, _) if owner == Owner::Step(Step::HandleClosure) => start(&up().await?).await?,
        (None, _) => {
            return Err(CliError::usage(format!(
                "{} works on the closures of the steps before it: give --from DIR (an execution's evidence) or --after EVENT \
                 RESULT (a step invoked by hand)",
                owner.id()
            )));
        }
    };
    say(&format!("{payload:#}"))?;
    Ok(ExitStatus::Advance)
}

/// A start by an operator from the latest M2 receipt. Each start has its own execution, so its evidence gets its own place.
async fn start(platform: &Platform) -> Result<Value, CliError> {
    let target = Target::local(platform)?;
    let receipts = target
        .evidence()
        .keys(&format!("{}m2j_", target.environment.run_control_root()))
        .await?;
    let receipt = receipts.into_iter().filter(|key| key.ends_with(M2_RECEIPT_FILE)).max();
    let Some(key) = receipt else {
        return Err(CliError::usage(format!(
            "s3://{} holds no M2 receipt; put the sample with `cargo p1 up --sample`",
            target.evidence_bucket
        )));
    };
    let now = Timestamp::now();
    let name = format!("by-hand-{}-{:08x}", now.strftime("%Y%m%dT%H%M%SZ"), fastrand::u32(..));
    let machine = &target.state_machine;
    let execution = ExecutionArn::parse(&format!(
        "arn:{}:states:{}:{}:execution:{}:{name}",
        machine.partition(),
        machine.region(),
        machine.account(),
        machine.name()
    ))
    .map_err(|error| CliError::fault(error.to_string()))?;
    payload(
        Owner::Step(Step::HandleClosure),
        &platform.deployment().settings()?,
        &execution,
        &format!("{now:.3}"),
        &Map::new(),
        &json!({"m2_handoff": {"key": key}}),
    )
    .map_err(CliError::fault)
}

/// The payload that the state machine sent, rebuilt from the history, because some engines do not keep payloads there.
fn replay(document: &Value, settings: &Settings, owner: Owner) -> Result<Value, String> {
    let arn = document
        .get("execution_arn")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let execution = ExecutionArn::parse(arn).map_err(|error| error.to_string())?;
    let events = document
        .get("events")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let history = History::read(events);
    let is_wanted = |task: &TaskRun| task.state == owner.state();
    let Some(at) = history.tasks.iter().position(is_wanted) else {
        let reached: Vec<&str> = history.tasks.iter().map(|task| task.state.as_str()).collect();
        return Err(format!(
            "this execution did not come to {}; it ran: {}",
            owner.id(),
            text::brief(&reached.join(", "), 400)
        ));
    };
    let mut closures = Map::new();
    for result in history.tasks[..at].iter().filter_map(|task| task.result.as_ref()) {
        take(&mut closures, result)?;
    }
    let started = events.first().ok_or("it holds no events")?;
    let input = started
        .pointer("/executionStartedEventDetails/input")
        .and_then(Value::as_str)
        .ok_or("its first event holds no execution input")?;
    let input: Value =
        serde_json::from_str(input).map_err(|error| format!("the execution input is not JSON ({error})"))?;
    // The first event may be a moment later than the start of the execution. The phase execution ids hold the correct second.
    let ids = history
        .tasks
        .iter()
        .filter_map(|task| Some(&task.result.as_ref()?.phase_execution_id));
    let start_time = match ids.into_iter().find_map(PhaseExecutionId::stamp) {
        Some(stamp) => stamp.rfc3339(),
        None => started
            .get("timestamp")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
    };
    let payload = payload(owner, settings, &execution, &start_time, &closures, &input)?;
    if let Some(result) = &history.tasks[at].result
        && Some(&result.phase_execution_id) != phase_execution_id(&payload, owner).as_ref()
    {
        return Err(format!("the ids of {} do not belong to {arn}", owner.id()));
    }
    Ok(payload)
}

/// The event that follows the one that `result` answered.
fn next(mut event: Value, result: Value, owner: Owner) -> Result<Value, String> {
    let result: StepResult =
        serde_json::from_value(result).map_err(|error| format!("is not a step's result ({error})"))?;
    let mut closures = match event.get_mut("closures").map(Value::take) {
        Some(Value::Object(closures)) => closures,
        _ => return Err("the event that it answers holds no `closures`".to_owned()),
    };
    take(&mut closures, &result)?;
    let text = |pointer: &str| {
        event
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let execution = ExecutionArn::parse(&text("/context/Execution/Id")).map_err(|error| error.to_string())?;
    let start_time = text("/context/Execution/StartTime");
    let mut part = |pointer: &str| event.pointer_mut(pointer).map(Value::take).unwrap_or_default();
    let settings: Settings = serde_json::from_value(part("/settings"))
        .map_err(|error| format!("the event that it answers holds no usable `settings` ({error})"))?;
    let input = part("/context/Execution/Input");
    payload(owner, &settings, &execution, &start_time, &closures, &input)
}

/// The settings of the execution. Every step stored them with its observations.
fn recorded_settings(dir: &Path, history: &Value) -> Result<Settings, String> {
    let folder = directory::read(dir).map_err(|error| error.to_string())?;
    let events = history.get("events").and_then(Value::as_array);
    let tasks = History::read(events.map_or(&[][..], Vec::as_slice)).tasks;
    let folders = tasks
        .iter()
        .filter_map(|task| Some(folder_of(task.result.as_ref()?.closure.as_ref()?.key.as_str()).to_owned()));
    let observations = folders.flat_map(|phase| {
        folder
            .files
            .range(phase.clone()..)
            .take_while(move |(key, _)| key.starts_with(&phase))
    });
    let documents = observations.filter(|(key, _)| key.ends_with("_observations.json"));
    let mut settings = documents.filter_map(|(_, file)| {
        let document: Value = serde_json::from_slice(&file.bytes).ok()?;
        serde_json::from_value(document.get("settings")?.clone()).ok()
    });
    settings
        .next()
        .ok_or_else(|| "holds no observations of this execution that say by which settings it went".to_owned())
}

fn read_json(path: &Path) -> Result<Value, CliError> {
    let bytes = directory::document(path)
        .map_err(|error| refusal(path, &format!("cannot be read ({error})"), "name a file that is there"))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        refusal(
            path,
            &format!("is not JSON ({error})"),
            "give the file as it was written",
        )
    })
}

fn refusal(path: &Path, what: &str, remedy: &str) -> CliError {
    CliError::usage(format!("{}: {}; {remedy}", shown(path), text::brief(what, 600)))
}

#[cfg(test)]
mod tests;
