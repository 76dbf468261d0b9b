//! `cargo p1`: parses the command line, runs the command, and ends with its exit status.

use std::io::Write;
use std::process::ExitCode;

use p1::{Cli, CliError, ExitStatus, commands};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // These commands use 2 for tampered evidence, so a mistyped command line needs another status.
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
    // If a signal comes first, the command's future is dropped, and all processes that it holds end with it.
    let outcome = tokio::select! {
        outcome = commands::dispatch(cli.command) => outcome,
        signal = interrupted() => Err(CliError::fault(format!("stopped by {signal}; what was started here has been ended"))),
    };
    match outcome {
        Ok(status) => status.into(),
        Err(error) => {
            // If standard error is closed, nobody can be told.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            error.exit_status().into()
        }
    }
}

/// Waits for a signal that asks this process to end. Returns its name.
async fn interrupted() -> &'static str {
    let wait = async |kind: SignalKind| match signal(kind) {
        Ok(mut stream) => {
            stream.recv().await;
        }
        // Without a handler, the signal ends the process as usual.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => "Ctrl-C",
        () = wait(SignalKind::terminate()) => "SIGTERM",
        () = wait(SignalKind::hangup()) => "SIGHUP",
    }
}
