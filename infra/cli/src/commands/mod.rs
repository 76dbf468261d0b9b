//! The subcommands, one file each.

#[cfg(feature = "operator")]
pub mod bench;
#[cfg(feature = "operator")]
pub mod close;
pub mod completions;
#[cfg(feature = "operator")]
mod deployment;
pub mod diff;
#[cfg(feature = "operator")]
pub mod down;
#[cfg(feature = "operator")]
pub mod env;
#[cfg(feature = "operator")]
pub mod event;
pub mod exit_codes;
#[cfg(feature = "operator")]
pub mod fetch;
#[cfg(feature = "operator")]
pub mod gate;
#[cfg(feature = "operator")]
pub mod init;
pub mod lint;
#[cfg(feature = "operator")]
pub mod outputs;
pub mod replay;
pub mod report;
#[cfg(feature = "operator")]
pub mod resume;
#[cfg(feature = "operator")]
pub mod run;
#[cfg(feature = "operator")]
pub mod runs;
#[cfg(feature = "operator")]
pub mod status;
#[cfg(feature = "operator")]
pub mod tools;
#[cfg(feature = "operator")]
pub mod up;
pub mod verify;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use p1_audit::text;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Command;
#[cfg(feature = "operator")]
use crate::args::Operator;
use crate::exit::{CliError, ExitStatus};
use crate::paint::Paint;
use crate::wrap::fitted_all;

/// Runs one subcommand.
///
/// # Errors
/// Returns [`CliError::Usage`] if the command line or a file that it names is not usable, [`CliError::Fault`] if something
/// failed.
pub async fn dispatch(command: Command) -> Result<ExitStatus, CliError> {
    match command {
        Command::Diff(args) => diff::diff(&args),
        Command::Replay(args) => replay::replay(&args).await,
        Command::Verify(args) => verify::verify(&args).await,
        Command::Report(args) => report::report(&args).await,
        Command::Lint(args) => lint::lint(&args).await,
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => completions::man(&args),
        Command::ExitCodes(args) => exit_codes::exit_codes(&args),
        #[cfg(feature = "operator")]
        Command::Operator(command) => operate(command).await,
    }
}

#[cfg(feature = "operator")]
async fn operate(command: Operator) -> Result<ExitStatus, CliError> {
    match command {
        Operator::Run(args) => run::failed(args.json, run::run(&args).await),
        Operator::Resume(args) => run::failed(args.json, resume::resume(&args).await),
        Operator::Gate(args) => run::failed(args.json, gate::gate(&args).await),
        Operator::Fetch(args) => fetch::fetch(args).await,
        Operator::Runs(args) => runs::runs(args).await,
        Operator::Init(args) => init::init(&args),
        Operator::Up(args) => up::up(args).await,
        Operator::Down(args) => down::down(args).await,
        Operator::Status(args) => status::status(args).await,
        Operator::Env(args) => env::env(args).await,
        Operator::Event(args) => event::event(args).await,
        Operator::Outputs(args) => outputs::outputs(args).await,
        Operator::Close(args) => close::close(args).await,
        Operator::Bench(args) => Err(bench::bench(&args)),
        Operator::Tools { names } => tools::tools(&names).await,
    }
}

/// Writes one line to standard output. It is no fault if the reader has closed it.
fn say(text: &str) -> Result<(), CliError> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::failed("write to standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Writes the lines of a page in 80 columns.
fn say_page(lines: &[String]) -> Result<(), CliError> {
    fitted_all(lines).iter().try_for_each(|line| say(line))
}

/// Writes a report: as one JSON object that includes the exit status, or as a page.
fn say_report(
    report: &impl Serialize,
    is_json: bool,
    status: ExitStatus,
    page: impl FnOnce(Paint) -> Vec<String>,
) -> Result<ExitStatus, CliError> {
    if is_json {
        say_document(report, status)?;
    } else {
        say_page(&page(Paint::of(&std::io::stdout())))?;
    }
    Ok(status)
}

/// Whether the object of `--json` has been written. One object stands on standard output, however a command ends.
static HAS_SAID: AtomicBool = AtomicBool::new(false);

/// Writes the one object of `--json`. After the first one nothing more is written.
fn say_object(object: &Value) -> Result<(), CliError> {
    if HAS_SAID.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    say(&object.to_string())
}

/// Writes the object of a command that failed, unless the command has written its own.
///
/// # Errors
/// Returns a fault if standard output cannot be written to.
pub fn say_failure(why: &str, status: ExitStatus) -> Result<(), CliError> {
    say_object(&json!({"error": text::clean(why), "exit_status": status.code()}))
}

/// Says that evidence could not be judged, and why. Only a standing of the evidence is a result.
fn say_refusal(is_json: bool, standing: &str, status: ExitStatus, why: &str) -> Result<ExitStatus, CliError> {
    if is_json {
        say_object(&json!({"standing": standing, "exit_status": status.code(), "error": why}))?;
    }
    if is_json || status == ExitStatus::NoEvidence {
        // If standard error is closed, nobody can be told.
        let _ = writeln!(std::io::stderr(), "{standing}  {why}");
    } else {
        say(&format!("{standing}  {why}"))?;
    }
    Ok(status)
}

/// Says that there is no evidence, and why.
fn say_no_evidence(is_json: bool, why: &str) -> Result<ExitStatus, CliError> {
    say_refusal(is_json, "USAGE", ExitStatus::NoEvidence, why)
}

/// Writes a report as one JSON object that includes the exit status.
fn say_document(report: &impl Serialize, status: ExitStatus) -> Result<(), CliError> {
    let mut document = serde_json::to_value(report).map_err(|error| CliError::failed("render the report", &error))?;
    document["exit_status"] = json!(status.code());
    say_object(&document)
}
