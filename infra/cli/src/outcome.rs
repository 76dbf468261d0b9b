//! How a command ends: its exit status, or the error that a person reads.

use std::error::Error;
use std::process::ExitCode;

use crate::platform::PlatformError;
use crate::verify::Standing;
use crate::{diff, replay};

/// The documented exit status of `cargo p1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: the run advances, or the command did what it was asked to.
    Advance,
    /// 1: the run is held.
    Hold,
    /// 2: the command line or a file it names is not usable.
    Usage,
    /// 3: no verdict could be reached.
    Fault,
    /// What `verify` found, by its own exit status.
    Verified(Standing),
    /// What `diff` found, by its own exit status.
    Compared(diff::Standing),
    /// What `replay` found, by its own exit status.
    Replayed(replay::Standing),
}

impl ExitStatus {
    /// The number that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Advance => 0,
            Self::Hold => 1,
            Self::Usage => 2,
            Self::Fault => 3,
            Self::Verified(standing) => standing.code(),
            Self::Compared(standing) => standing.code(),
            Self::Replayed(standing) => standing.code(),
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

/// Why a command could not do what it was asked to. The message says what, where and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line, or a file that it names, is not usable. Nothing was started.
    #[error("{0}")]
    Usage(String),
    /// Something that the command depends on failed.
    #[error("{0}")]
    Fault(String),
}

impl CliError {
    /// A usage error.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// A fault without an underlying error.
    pub fn fault(message: impl Into<String>) -> Self {
        Self::Fault(message.into())
    }

    /// A fault while doing `operation` ("failed to {operation}: …"), with the whole chain of causes.
    pub fn failed(operation: &str, cause: &(dyn Error + 'static)) -> Self {
        Self::Fault(format!("failed to {operation}: {}", chain(cause)))
    }

    /// The exit status that this error ends the process with.
    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Usage(_) => ExitStatus::Usage,
            Self::Fault(_) => ExitStatus::Fault,
        }
    }
}

impl From<PlatformError> for CliError {
    fn from(error: PlatformError) -> Self {
        if error.is_usage() {
            Self::Usage(chain(&error))
        } else {
            Self::Fault(chain(&error))
        }
    }
}

/// An error and its causes in one line; causes whose text the outer message already holds are left out.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
