//! `cargo p1`: parses the command line, runs the command, ends with its exit status.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use p1::{Cli, CliError, ExitStatus, commands};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // These have exit statuses of their own; 2 says that evidence was tampered with, and a mistyped command line must not.
            let checks = std::env::args_os().nth(1).is_some_and(|command| {
                ["verify", "replay", "diff", "report"]
                    .iter()
                    .any(|check| command == *check)
            });
            return match (error.use_stderr(), checks) {
                (false, _) => ExitCode::SUCCESS,
                (true, true) => ExitStatus::NoEvidence.into(),
                (true, false) => ExitStatus::Usage.into(),
            };
        }
    };
    // When a signal wins, the command's future is dropped, and with it every process that it holds.
    let outcome = tokio::select! {
        outcome = commands::dispatch(cli.command) => outcome,
        signal = interrupted() => Err(CliError::fault(format!("stopped by {signal}; what was started here has been ended"))),
    };
    match outcome {
        Ok(status) => status.into(),
        Err(error) => {
            // If standard error is closed there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            error.exit_status().into()
        }
    }
}

/// Waits for a signal that asks this process to end, and names it.
async fn interrupted() -> &'static str {
    let wait = async |kind: SignalKind| match signal(kind) {
        Ok(mut stream) => {
            stream.recv().await;
        }
        // Without a handler the signal ends the process as it always does.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => "Ctrl-C",
        () = wait(SignalKind::terminate()) => "SIGTERM",
        () = wait(SignalKind::hangup()) => "SIGHUP",
    }
}
