//! Errors of the local platform.

use std::path::{Path, PathBuf};

/// Why the local platform could not be started, found or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// No usable Python on this machine.
    #[error("{0}")]
    Python(String),
    /// A profile that cannot be used.
    #[error("platform profile {path}: {detail}; see infra/local/profile.json for a valid one", path = .path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A file or directory of the checkout could not be used.
    #[error("failed to {operation} {path}", path = .path.display())]
    File {
        /// What was tried, as in "failed to {operation}".
        operation: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A program that the platform needs could not be started.
    #[error("failed to start {program}: {source}; {remedy}")]
    Spawn {
        /// The program.
        program: String,
        /// The cause.
        source: std::io::Error,
        /// What to do next.
        remedy: &'static str,
    },
    /// A program ended with a failure; its output says why.
    #[error("{what} failed ({status}):\n{output}")]
    Command {
        /// What was being done.
        what: &'static str,
        /// How the program ended.
        status: std::process::ExitStatus,
        /// Everything that it printed.
        output: String,
    },
    /// A program did not end, and was ended.
    #[error("{what} did not end within {seconds} s, and was ended; look at the load of this machine and try again")]
    TimedOut {
        /// What was being done.
        what: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// The build left out something that the deployment needs.
    #[error("{0}")]
    Build(String),
    /// The engine did not come up, or is not what it should be.
    #[error("{message}\nlast lines of the engine's log:\n{log}")]
    Engine {
        /// What went wrong.
        message: String,
        /// The end of its log.
        log: String,
    },
    /// The platform differs from what the template describes.
    #[error("{0}")]
    Deployment(String),
    /// There is no stack of this name.
    #[error("there is no stack {0} in this account and region")]
    NoStack(String),
    /// An AWS API call failed.
    #[error("failed to {operation}: {detail}")]
    Api {
        /// What was tried.
        operation: String,
        /// The whole chain of causes.
        detail: String,
    },
    /// A platform with other settings is up already.
    #[error("{0}")]
    Conflict(String),
}

impl PlatformError {
    /// Whether the user's own input is wrong and nothing was started (exit status 2).
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Profile { .. })
    }

    /// An error about a file, for `map_err`.
    pub(crate) fn file(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File {
            operation,
            path,
            source,
        }
    }

    /// An error of an AWS API call.
    pub(crate) fn api(operation: impl Into<String>, cause: &(dyn std::error::Error + 'static)) -> Self {
        Self::Api {
            operation: operation.into(),
            detail: p1_contract::cause::chain(cause),
        }
    }
}
