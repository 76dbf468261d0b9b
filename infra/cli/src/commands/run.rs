//! `cargo p1 run`: pins one run and prints its verdict.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use p1_audit::object_versions::Foreign;
use p1_audit::text;
use p1_contract::ids::{BucketName, Environment, PlatformRunId, S3Key};
use p1_contract::input::ExecutionInput;
use p1_local::{Checkout, Platform, PlatformOptions, Profile};
use serde_json::json;

use super::deployment::{explained, find_up, on_aws, refreshed, silenced};
use crate::args::RunArgs;
use crate::bucket::chain::Chain;
use crate::bucket::evidence::Evidence;
use crate::drive::follow::{Execution, follow};
use crate::drive::mirror::{self, Mirror, Wanted};
use crate::drive::page::Page;
use crate::drive::preflight::{self, Inputs};
use crate::drive::report::RunResult;
use crate::drive::screen::Screen;
use crate::drive::seed;
use crate::drive::start::{self, PutReceipt};
use crate::drive::target::Target;
use crate::drive::verdict::{self, Outcome};
use crate::exit::{CliError, ExitStatus};
use crate::named::shown;
use crate::paint::Paint;
use crate::wrap::block;

/// Runs `cargo p1 run`.
///
/// # Errors
/// Returns [`CliError::Usage`] if the command line or a file that it names is not usable; nothing was started then. Returns
/// [`CliError::Fault`] if no execution could be started or followed. An execution that ended is always reported, with the exit
/// status for its outcome.
pub async fn run(args: &RunArgs) -> Result<ExitStatus, CliError> {
    let inputs = preflight::check(args)?;
    let screen = Screen::new();
    let status = match &args.stack {
        Some(stack) => {
            let target = on_aws(stack).await?;
            check_input(args, &inputs, &target.environment, target.evidence_bucket.as_str())?;
            drive(args, &inputs, &target, &screen).await
        }
        None => on_local_platform(args, &inputs, &screen).await,
    };
    screen.finish();
    status
}

/// Writes the object of `--json` for an execution that was not started, or not followed to its end.
pub(super) fn failed(is_json: bool, status: Result<ExitStatus, CliError>) -> Result<ExitStatus, CliError> {
    if let (true, Err(error)) = (is_json, &status) {
        super::say_object(&RunResult::of_failure(error).json()?)?;
    }
    status
}

async fn on_local_platform(args: &RunArgs, inputs: &Inputs, screen: &Screen) -> Result<ExitStatus, CliError> {
    let named = args.platform.as_deref();
    let wanted = named.map(|path| Profile::load(Some(path))).transpose()?;
    let stack_outputs = inputs.stack_outputs.len().max(1);
    // Only one platform can be left running, so only `--keep` needs the lock. Other platforms end with their process.
    let _one_at_a_time = if args.keep {
        Some(Platform::lock_state(screen).await?)
    } else {
        None
    };
    if let Some(mut platform) = find_up(|gone| screen.line(gone)).await? {
        let profile = platform.profile();
        if wanted.is_some_and(|wanted| wanted != *profile) {
            return Err(CliError::usage(format!(
                "--platform: a local platform with another profile is up (stack {}, account {}); stop it with `cargo p1 down` first",
                platform.stack(),
                platform.account()
            )));
        }
        check_input(args, inputs, &profile.environment, platform.evidence_bucket())?;
        screen.line(&format!(
            "the local platform at {} is up; it is used, with the functions of this checkout",
            platform.endpoint()
        ));
        let status = match refreshed(&mut platform, stack_outputs, screen).await {
            Ok(target) => drive(args, inputs, &target, screen).await,
            Err(error) => Err(error),
        };
        return explained(&mut platform, status, screen).await;
    }
    let profile = match wanted {
        Some(profile) => profile,
        None => Profile::load(None)?,
    };
    check_input(args, inputs, &profile.environment, &profile.evidence_bucket)?;
    let options = PlatformOptions {
        stack_outputs,
        ..PlatformOptions::new(profile)
    };
    let mut platform = Platform::start(options, screen).await?;
    let status = match Target::local(&platform) {
        Ok(target) if args.keep => drive(args, inputs, &target, screen).await,
        Ok(target) => drive(args, inputs, &target.stopped_afterwards(), screen).await,
        Err(error) => Err(error),
    };
    if let Some(why) = platform.why_silent().await {
        // Whatever came of the run, an engine that is gone is neither kept nor asked to end.
        return silenced(&why, status, screen);
    }
    if args.keep {
        platform.keep().await?;
        screen.line(&format!(
            "the local platform stays up at {}; stop it with `cargo p1 down`",
            platform.endpoint()
        ));
    } else {
        platform.stop().await?;
    }
    status
}

/// Checks the execution input against its deployment before anything is started.
///
/// # Errors
/// Returns [`CliError::Usage`] if the deployment would refuse it.
pub fn check_input(
    args: &RunArgs,
    inputs: &Inputs,
    environment: &Environment,
    evidence_bucket: &str,
) -> Result<(), CliError> {
    let Some(input) = &inputs.input else { return Ok(()) };
    let bucket = BucketName::parse(evidence_bucket).map_err(|error| CliError::fault(error.to_string()))?;
    let path = args.input.as_deref().unwrap_or(Path::new(""));
    let refused = |error| CliError::usage(format!("--input {}: {error}", shown(path)));
    ExecutionInput::parse(input, environment, &bucket).map_err(refused)?;
    Ok(())
}

/// Seeds, starts, follows and reports one execution.
async fn drive(args: &RunArgs, inputs: &Inputs, target: &Target, screen: &Screen) -> Result<ExitStatus, CliError> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let unnamed = seed::Unnamed::of(target, inputs).await?;
    let plan = seed::plan(target, inputs, unnamed, today)?;
    for note in &plan.notes {
        screen.line(note);
    }
    let written = seed::upload(&target.s3, &plan).await?;
    if !plan.uploads.is_empty() {
        screen.line(&format!(
            "inputs of the platform: {} objects, {written} of them new",
            plan.uploads.len()
        ));
    }
    let (execution, receipt_key) = match &inputs.input {
        Some(input) => {
            let receipt_key = preflight::receipt_key(input).map(str::to_owned);
            if let Some(key) = input.pointer("/m2_handoff/key").and_then(serde_json::Value::as_str) {
                let key = S3Key::parse(key).map_err(|error| CliError::usage(format!("--input: {error}")))?;
                start::refuse_second(target, &key, args.again).await?;
            }
            place_receipt(inputs, target, receipt_key.as_deref(), screen).await?;
            let arn = start::start_execution(target, input).await?;
            (watch(target, &arn, screen).await?, receipt_key)
        }
        None => {
            let receipt = start::put_receipt(target, inputs.m2_receipt.as_deref()).await?;
            screen.line(&format!("M2 receipt: s3://{}/{}", target.evidence_bucket, receipt.key));
            let execution = if receipt.is_new {
                hand_over(target, &receipt, screen).await?
            } else {
                start::refuse_second(target, &receipt.key, args.again).await?;
                screen.line("it was there before, so that no event comes of it; starting from it as an operator does");
                let input = json!({"m2_handoff": {"key": receipt.key}});
                let arn = start::start_execution(target, &input).await?;
                watch(target, &arn, screen).await?
            };
            (execution, Some(receipt.key.to_string()))
        }
    };
    screen.finish();
    let receipt_key = receipt_key.as_deref();
    let outcome = report(args.out.as_deref(), args.json, target, &execution, receipt_key, screen).await?;
    Ok(outcome.exit_status())
}

/// Puts the receipt of the command line at the key that `--input` names. Without a receipt, the existing object is used.
async fn place_receipt(inputs: &Inputs, target: &Target, key: Option<&str>, screen: &Screen) -> Result<(), CliError> {
    match (key, &inputs.m2_receipt) {
        (Some(key), Some(receipt)) => {
            let key = S3Key::parse(key).map_err(|error| CliError::usage(format!("--input: {error}")))?;
            start::put_receipt_at(target, &key, receipt).await?;
            screen.line(&format!(
                "M2 receipt: s3://{}/{key}; its event starts an execution of its own",
                target.evidence_bucket
            ));
        }
        (Some(key), None) => {
            screen.line(&format!(
                "M2 receipt: read as it is at s3://{}/{}; --m2-receipt FILE would put one",
                target.evidence_bucket,
                text::clean(key)
            ));
        }
        (None, _) => {}
    }
    Ok(())
}

/// Follows the execution that EventBridge starts for the receipt. EventBridge may deliver an event more than once. If the
/// execution turns out to be a second one, the first one is followed.
async fn hand_over(target: &Target, receipt: &PutReceipt, screen: &Screen) -> Result<Execution, CliError> {
    let arn = start::await_execution(target, receipt, &[]).await?;
    let execution = watch(target, &arn, screen).await?;
    if verdict::read(&execution.history, &execution.ending).0 != Outcome::DuplicateDelivery {
        return Ok(execution);
    }
    screen.line("that was a second delivery of the event; following the execution that has the handoff");
    let first = start::await_execution(target, receipt, &[arn]).await?;
    watch(target, &first, screen).await
}

pub(super) async fn watch(target: &Target, arn: &str, screen: &Screen) -> Result<Execution, CliError> {
    screen.line(&format!("execution: {}", text::clean(arn)));
    follow(target, arn, screen).await
}

/// Mirrors and reports an execution that has ended, and says how it ended.
pub(super) async fn report(
    out: Option<&Path>,
    is_json: bool,
    target: &Target,
    execution: &Execution,
    receipt_key: Option<&str>,
    screen: &Screen,
) -> Result<Outcome, CliError> {
    let (outcome, document) = verdict::read(&execution.history, &execution.ending);
    let dir = out.map_or_else(|| mirror::default_dir(&target_dir(), &execution.name), Path::to_owned);
    let dir = std::path::absolute(&dir).unwrap_or(dir);
    let evidence = target.evidence();
    let mut closures = execution.history.closures();
    let (mut unread, mut later) = (None, None);
    let run = execution.history.run();
    if let Some(run) = &run {
        match evidence.records(run).await {
            Ok(records) => {
                let last = records.last().map(|record| record.holder.to_string());
                later = last.filter(|holder| *holder != execution.arn);
                match evidence.concluded(&records).await {
                    Ok(committed) => closures.extend(committed),
                    Err(error) => unread = Some(error.to_string()),
                }
            }
            Err(error) => unread = Some(error.to_string()),
        }
    }
    let chain = Chain::read(&evidence, closures).await;
    let mirrored = collect(&evidence, &chain, execution, run.as_ref(), receipt_key, &dir).await;
    let (objects, mut problems, foreign) = match mirrored {
        Ok(mirror) => (Some(mirror.objects.len()), mirror.problems, mirror.foreign),
        Err(error) => (None, vec![error.to_string()], Foreign::default()),
    };
    problems.splice(0..0, unread.into_iter().chain(chain.problems.iter().cloned()));
    let outcome = outcome.proven(problems.is_empty());
    let result = RunResult::new(
        execution,
        &outcome,
        &document,
        &chain.findings,
        objects.is_some().then(|| dir.display().to_string()),
        &problems,
    );
    let paint = if is_json {
        Paint::of(&std::io::stderr())
    } else {
        Paint::of(&std::io::stdout())
    };
    let shown = from_here(&dir).display().to_string();
    let page = Page {
        execution,
        outcome: &outcome,
        findings: &chain.findings,
        environment: result.environment.as_ref(),
        evidence_dir: objects.is_some().then_some(shown.as_str()),
        afterwards: &target.afterwards,
        later: later.as_deref(),
    };
    let mut page = page.text(paint);
    let mirrored = Mirrored {
        dir: &dir,
        objects,
        problems: &problems,
        foreign: &foreign,
    };
    page.push_str(&mirrored.page());
    if is_json {
        screen.line(page.trim_end());
        super::say_object(&result.json()?)?;
    } else {
        super::say(page.trim_end())?;
    }
    Ok(outcome)
}

/// A path as it is typed from the current directory, where it lies below it.
fn from_here(path: &Path) -> &Path {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path)
}

/// What became of a mirror.
pub(super) struct Mirrored<'a> {
    /// Its folder.
    pub(super) dir: &'a Path,
    /// The number of its objects. `None` if there is no mirror.
    pub(super) objects: Option<usize>,
    /// What is wrong with the evidence.
    pub(super) problems: &'a [String],
    /// Objects of other writers.
    pub(super) foreign: &'a Foreign,
}

impl Mirrored<'_> {
    /// The lines for people.
    pub(super) fn page(&self) -> String {
        let problems = self
            .problems
            .iter()
            .map(|problem| block(&format!("problem: {}", text::brief(problem, 2000)), 0));
        let dir = shown(from_here(self.dir));
        let objects = self
            .objects
            .map(|count| format!("evidence: {count} objects in\n  {dir}\n"));
        let foreign =
            (self.foreign.count > 0).then(|| block(&text::foreign(self.foreign.count, &self.foreign.keys), 0));
        problems.chain(objects).chain(foreign).collect()
    }
}

/// Mirrors the objects that the summaries list, and the other objects beside them.
async fn collect(
    evidence: &Evidence,
    chain: &Chain,
    execution: &Execution,
    run: Option<&PlatformRunId>,
    receipt_key: Option<&str>,
    dir: &Path,
) -> Result<Mirror, CliError> {
    preflight::out_dir(dir)?;
    let wanted = Wanted {
        execution: Some((&execution.arn, &execution.events)),
        chain,
        run,
        receipt_key,
    };
    mirror::mirror(evidence, &wanted, dir).await
}

/// The build folder. A run leaves nothing in the checkout outside of it.
fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| Checkout::default().root().join("target"), PathBuf::from)
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn an_input_is_held_against_the_deployment() {
        let args = RunArgs {
            input: Some(PathBuf::from("in.json")),
            ..RunArgs::default()
        };
        let inputs = |input| Inputs {
            input: Some(input),
            ..Inputs::default()
        };
        let own = Environment::default();
        let good = json!({"m2_handoff": {"key": "evidence/dev_full/run_control/m2j_20261122T010203Z/m2j_m3_entry_readiness_receipt.json"}});
        assert!(check_input(&args, &inputs(good), &own, "test-evidence").is_ok());
        assert!(check_input(&args, &Inputs::default(), &own, "test-evidence").is_ok());
        for (bad, named) in [
            (json!({"m2_handoff": {"key": "../x"}}), "m2_handoff.key"),
            (
                json!({"m2_handoff": {"key": "evidence/prod/run_control/m2j_20261122T010203Z/m2j_m3_entry_readiness_receipt.json"}}),
                "m2_handoff.key",
            ),
            (json!({"m2_handoff": {"key": "/evidence/x"}}), "m2_handoff.key"),
            (json!({"m2_handoff": {"key": "k", "extra": 1}}), "extra"),
            (json!({"resume": {}}), "held"),
        ] {
            let error = check_input(&args, &inputs(bad), &own, "test-evidence").unwrap_err();
            assert!(
                matches!(&error, CliError::Usage(message) if message.contains("--input in.json") && message.contains(named)),
                "{error}"
            );
        }
    }
}
