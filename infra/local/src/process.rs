//! Runs programs to their end. Each has its own process group, which ends when the value that holds it is dropped, so that an
//! interrupted build leaves no compiler running. Python programs also have the engine's kind of leash. It ends them when this
//! process is killed and cannot end them itself.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::checkout::Checkout;
use crate::error::PlatformError;

/// A running program with its outputs piped.
pub(super) struct Program {
    child: Child,
    group: Option<Pid>,
    /// Open as long as this process lives and holds the program. `Child::wait` would close it too early.
    _leash: Option<ChildStdin>,
}

/// Puts a Python program on a leash (`infra/local/sitecustomize.py`): it ends when its standard input closes.
pub(super) fn leash(command: &mut Command, checkout: &Checkout) {
    command
        .env("PYTHONPATH", checkout.local())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env(LEASH, "1");
}

/// The variable that asks `sitecustomize.py` for the leash.
pub(super) const LEASH: &str = "P1_LOCAL_LEASH";
/// The variable that names a file whose lock the Python program must hold.
pub(super) const LOCK: &str = "P1_LOCAL_LOCK";

impl Program {
    /// Starts a program. Nothing is ever written to its standard input.
    pub(super) fn spawn(mut command: Command, remedy: &'static str) -> Result<Self, PlatformError> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|source| PlatformError::Spawn {
            program: command.as_std().get_program().to_string_lossy().into_owned(),
            source,
            remedy,
        })?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let leash = child.stdin.take();
        Ok(Self {
            child,
            group,
            _leash: leash,
        })
    }

    /// Its standard output. Returns `None` at the second call.
    pub(super) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its standard error. Returns `None` at the second call.
    pub(super) fn stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits until it ends.
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.group = None;
        Ok(status)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // This fails if the group is gone already, which is no error.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Everything that can be read from a pipe, as text.
pub(super) async fn text_of(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Runs a program to its end and returns what it printed. If it fails, the error contains all of its output. A program that does not
/// end within `limit` is ended.
pub(super) async fn run(command: Command, what: &'static str, limit: Duration) -> Result<String, PlatformError> {
    let mut program = Program::spawn(command, "delete .p1/venv and try again if it should be there")?;
    let (stdout, stderr) = (program.stdout(), program.stderr());
    let outcome = async {
        let (printed, complaint) = tokio::try_join!(text_of(stdout), text_of(stderr))?;
        Ok::<_, std::io::Error>((program.wait().await?, printed, complaint))
    };
    let Ok(outcome) = tokio::time::timeout(limit, outcome).await else {
        return Err(PlatformError::TimedOut {
            what,
            seconds: limit.as_secs(),
        });
    };
    let (status, printed, complaint) =
        outcome.map_err(|error| PlatformError::api(format!("wait for the end of {what}"), &error))?;
    if status.success() {
        return Ok(printed);
    }
    Err(PlatformError::Command {
        what,
        status,
        output: format!("{}\n{}", complaint.trim(), printed.trim()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_does_not_end_is_ended_with_all_that_it_started() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("pid");
        // On a busy machine the shell may not have come to anything within the first limits.
        let mut text = String::new();
        for seconds in 1.. {
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 1000 & echo $! > \"$0\"; wait"]).arg(&file);
            let ended = run(command, "waiting for nothing", Duration::from_secs(seconds)).await;
            let error = ended.unwrap_err().to_string();
            assert!(error.contains("waiting for nothing"), "{error}");
            text = std::fs::read_to_string(&file).unwrap_or_default();
            if text.ends_with('\n') {
                break;
            }
        }
        let pid = Pid::from_raw(text.trim().parse().unwrap()).unwrap();
        // It is dead; whether it is still listed depends on its new parent.
        let is_running = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        while is_running() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
