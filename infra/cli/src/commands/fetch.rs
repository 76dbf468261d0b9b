//! `cargo p1 fetch`: mirrors the evidence of any execution or run, also of one that an event started.

use p1_audit::evidence_set::HISTORY;

use super::deployment::{self, Code};
use super::run::{self, Mirrored};
use crate::args::FetchArgs;
use crate::bucket::chain::Chain;
use crate::drive::find::{Found, find};
use crate::drive::mirror::{self, Wanted};
use crate::drive::preflight;
use crate::drive::screen::Screen;
use crate::drive::target::Target;
use crate::drive::verdict::Outcome;
use crate::exit::{CliError, ExitStatus};
use crate::named::shown;

/// Runs `cargo p1 fetch`.
///
/// # Errors
/// Returns [`CliError::Usage`] if the command line is not usable or names nothing, and [`CliError::Fault`] if AWS does not answer or the
/// mirror cannot be written.
pub async fn fetch(args: FetchArgs) -> Result<ExitStatus, CliError> {
    preflight::out_dir(&args.out)?;
    let screen = Screen::new();
    let stack = args.stack.as_deref();
    deployment::work_on(stack, Code::AsDeployed, &screen, async |target| {
        of(&args, target, &screen).await
    })
    .await
}

/// Fetches from a deployment.
///
/// # Errors
/// As [`fetch`].
pub async fn of(args: &FetchArgs, target: &Target, screen: &Screen) -> Result<ExitStatus, CliError> {
    let found = find(target, &args.what).await?;
    let is_whole = if found.is_known {
        let execution = run::watch(target, found.execution.as_str(), screen).await?;
        screen.finish();
        let outcome = run::report(Some(&args.out), args.json, target, &execution, None, screen).await?;
        !matches!(outcome, Outcome::EvidenceBroken(_))
    } else {
        without_history(args, target, &found, screen).await?;
        false
    };
    Ok(if is_whole {
        ExitStatus::Advance
    } else {
        ExitStatus::Fault
    })
}

/// Mirrors a run whose execution Step Functions has forgotten. The ledger leads to the evidence.
async fn without_history(args: &FetchArgs, target: &Target, found: &Found, screen: &Screen) -> Result<(), CliError> {
    screen.line(&format!(
        "Step Functions no longer knows {}: its history is not fetched, and the ledger leads to the evidence",
        found.execution
    ));
    let evidence = target.evidence();
    let closures = match &found.run {
        Some(run) => evidence.committed(run).await?,
        None => Vec::new(),
    };
    let chain = Chain::read(&evidence, closures).await;
    let wanted = Wanted {
        execution: None,
        chain: &chain,
        run: found.run.as_ref(),
        receipt_key: None,
    };
    let mirror = mirror::mirror(&evidence, &wanted, &args.out).await?;
    // `verify` calls such a mirror incomplete; in the bucket, it judges the run without the history.
    let no_history = format!(
        "{HISTORY} is not there: Step Functions has forgotten the execution; `cargo p1 verify s3://…` needs none"
    );
    let found_problems = chain.problems.iter().cloned().chain(mirror.problems);
    let problems: Vec<String> = std::iter::once(no_history).chain(found_problems).collect();
    let mirrored = Mirrored {
        dir: &args.out,
        objects: Some(mirror.objects.len()),
        problems: &problems,
        foreign: &mirror.foreign,
    };
    let page = mirrored.page();
    if args.json {
        screen.line(page.trim_end());
        super::say_object(&serde_json::json!({
            "execution_arn": found.execution,
            "platform_run_id": found.run,
            "evidence_dir": shown(&args.out),
            "problems": problems,
            "exit_status": ExitStatus::Fault.code(),
        }))?;
    } else {
        super::say(page.trim_end())?;
    }
    Ok(())
}
