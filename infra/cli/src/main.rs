//! `cargo p1`: parses the command line, runs the command, and ends with its exit status.
//!
//! The command runs on a thread of its own, so that a signal is heard whatever the command does: it may compute for minutes
//! without coming back to the runtime.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use p1::exit::Stop;
use p1::{Cli, CliError, Command, ExitStatus, commands};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// How long a stopped command may take to end what it started.
const ENDING: Duration = Duration::from_secs(15);
/// The stack of the command's thread: as large as the one of a main thread.
const STACK: usize = 8 << 20;

fn main() -> ExitCode {
    // Also of a command line that cannot be parsed.
    let is_json = asks_for_json();
    let command = match Cli::read() {
        Ok(cli) => cli.command,
        Err(error) => {
            let _ = error.print();
            if !error.use_stderr() {
                return ExitStatus::Advance.into();
            }
            let why = error.to_string();
            return refused(is_json, why.trim(), usage_status());
        }
    };
    let outcome = Runtime::new()
        .map_err(|error| CliError::failed("start", &error))
        .and_then(|runtime| {
            let outcome = run(&runtime, command);
            // A request for a name or a file may still be under way, and is not waited for.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(Ended::Itself(Ok(status))) => status.into(),
        Ok(Ended::Itself(Err(error))) | Err(error) => failed(is_json, &error.to_string(), error.exit_status()),
        Ok(Ended::Stopped(stop, why)) => failed(is_json, &why, ExitStatus::Stopped(stop)),
    }
}

/// Says why a command failed, and ends.
fn failed(is_json: bool, why: &str, status: ExitStatus) -> ExitCode {
    // If standard error is closed, nobody can be told.
    let _ = writeln!(std::io::stderr(), "error: {why}");
    refused(is_json, why, status)
}

/// Whether one JSON object is expected on standard output.
fn asks_for_json() -> bool {
    let words: Vec<_> = std::env::args_os().collect();
    let is_format = |pair: &[std::ffi::OsString]| pair[0] == "--format" && pair[1] == "json";
    words.iter().any(|word| word == "--json" || word == "--format=json") || words.windows(2).any(is_format)
}

/// The values of options that may stand before the command.
const GLOBAL_VALUES: [&str; 3] = ["auto", "always", "never"];

/// The exit status of a mistyped command line. These commands use 2 for tampered evidence.
fn usage_status() -> ExitStatus {
    let words = std::env::args_os().skip(1);
    let mut words = words
        .skip_while(|word| word.to_string_lossy().starts_with('-') || GLOBAL_VALUES.iter().any(|value| word == *value));
    let checks = words.next().is_some_and(|command| {
        ["verify", "replay", "diff", "report"]
            .iter()
            .any(|check| command == *check)
    });
    if checks {
        ExitStatus::NoEvidence
    } else {
        ExitStatus::Usage
    }
}

/// Ends with `status`. With `--json`, standard output gets its one object, unless it has it already.
fn refused(is_json: bool, why: &str, status: ExitStatus) -> ExitCode {
    if is_json {
        // If standard output cannot be written to, the status says it all.
        let _ = commands::say_failure(why, status);
    }
    status.into()
}

/// How a command ended.
enum Ended {
    Itself(Result<ExitStatus, CliError>),
    /// By a signal, with the sentence for the user.
    Stopped(Stop, String),
}

fn run(runtime: &Runtime, command: Command) -> Result<Ended, CliError> {
    let failed = |error: std::io::Error| CliError::failed("start", &error);
    let (stop, stopped) = oneshot::channel::<()>();
    let (end, ended) = oneshot::channel();
    let handle = runtime.handle().clone();
    // The handlers are there before the command begins.
    let mut signals = {
        let _inside = handle.enter();
        Signals::new().map_err(failed)?
    };
    let holds_nothing = holds_nothing(&command);
    let work = move || {
        let outcome = handle.block_on(async {
            tokio::select! {
                biased;
                // Only a stop is sent. The command's future is dropped then, and all processes that it holds end with it.
                Ok(()) = stopped => None,
                outcome = commands::dispatch(command) => Some(outcome),
            }
        });
        // Nobody listens any more after the second signal.
        let _ = end.send(outcome);
    };
    std::thread::Builder::new()
        .name("command".to_owned())
        .stack_size(STACK)
        .spawn(work)
        .map_err(failed)?;
    runtime.block_on(async move {
        let mut ended = ended;
        let signal = tokio::select! {
            biased;
            outcome = &mut ended => return Ok(Ended::Itself(
                outcome.ok().flatten().unwrap_or_else(|| Err(CliError::fault("the command failed in a way that it must not; please report it"))),
            )),
            signal = signals.next() => signal,
        };
        let name = signal.name();
        if holds_nothing {
            return Ok(Ended::Stopped(signal, format!("stopped by {name}")));
        }
        let _ = stop.send(());
        let why = tokio::select! {
            biased;
            _ = ended => format!("stopped by {name}; what was started here has been ended"),
            _ = signals.next() => format!("stopped by {name}, and then at once; what was started here ends with it"),
            () = tokio::time::sleep(ENDING) => {
                format!("stopped by {name}; what was started here did not end within {} s, and ends with it", ENDING.as_secs())
            }
        };
        Ok(Ended::Stopped(signal, why))
    })
}

/// Whether a command only reads and computes: nothing has to be ended before the process may end.
fn holds_nothing(command: &Command) -> bool {
    matches!(
        command,
        Command::Diff(_) | Command::Replay(_) | Command::Verify(_) | Command::Report(_) | Command::ExitCodes(_)
    )
}

/// The signals that ask this process to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.terminate.recv() => Stop::Terminate,
            _ = self.hangup.recv() => Stop::Hangup,
        }
    }
}
