//! The subcommands, one file each.

pub mod bench;
pub mod close;
pub mod diff;
pub mod down;
pub mod env;
pub mod event;
pub mod exit_codes;
pub mod outputs;
pub mod replay;
pub mod report;
pub mod resume;
pub mod run;
pub mod status;
pub mod tools;
pub mod up;
pub mod verify;

use std::io::Write;

use serde::Serialize;
use serde_json::json;

use crate::args::Command;
use crate::exit::{CliError, ExitStatus};

/// Runs one subcommand.
///
/// # Errors
/// [`CliError::Usage`] when the command line or a named file is not usable, [`CliError::Fault`] when something failed.
pub async fn dispatch(command: Command) -> Result<ExitStatus, CliError> {
    match command {
        Command::Run(args) => run::run(args).await,
        Command::Resume(args) => resume::resume(args).await,
        Command::Up(args) => up::up(args).await,
        Command::Down(args) => down::down(args).await,
        Command::Status(args) => status::status(args).await,
        Command::Env(args) => env::env(args).await,
        Command::Event(args) => event::event(args).await,
        Command::Outputs(args) => outputs::outputs(args).await,
        Command::Close(args) => close::close(args).await,
        Command::Diff(args) => diff::diff(&args),
        Command::Replay(args) => replay::replay(&args).await,
        Command::Verify(args) => verify::verify(&args).await,
        Command::Bench(args) => Err(bench::bench(&args)),
        Command::Report(args) => report::report(&args),
        Command::ExitCodes => exit_codes::exit_codes(),
        Command::Tools => tools::tools().await,
    }
}

/// Writes one line to standard output. A reader that has closed it has had enough: that is no fault.
fn say(text: &str) -> Result<(), CliError> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::failed("write to standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Writes that evidence could not be judged, and why.
fn say_refusal(is_json: bool, standing: &str, status: ExitStatus, why: &str) -> Result<ExitStatus, CliError> {
    if is_json {
        say(&json!({"standing": standing, "exit_status": status.code(), "error": why}).to_string())?;
    } else {
        say(&format!("{standing}  {why}"))?;
    }
    Ok(status)
}

/// Writes that there is no evidence to look at, and why.
fn say_no_evidence(is_json: bool, why: &str) -> Result<ExitStatus, CliError> {
    say_refusal(is_json, "USAGE", ExitStatus::NoEvidence, why)
}

/// Writes a report as one JSON object, with the exit status that its standing has.
fn say_document(report: &impl Serialize, status: ExitStatus) -> Result<(), CliError> {
    let mut document = serde_json::to_value(report).map_err(|error| CliError::failed("render the report", &error))?;
    document["exit_status"] = json!(status.code());
    say(&document.to_string())
}
