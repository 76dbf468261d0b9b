//! How a command ends: one table with the exit status of every command, and the error that a user reads.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;

use p1_audit::{diff, text, verify};
use p1_contract::cause::chain;
#[cfg(feature = "operator")]
use p1_local::PlatformError;

use self::ExitStatus::{Advance, Compared, Fault, Hold, NoEvidence, Replayed, Stopped, Usage, Verified};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// The run advances, a later phase is admitted, or the command succeeded.
    Advance,
    /// The run is held, or a later phase is refused.
    Hold,
    /// The command line or a file that it names is not usable.
    Usage,
    /// No verdict could be reached.
    Fault,
    /// The result of `verify` or `report`.
    Verified(verify::Standing),
    /// The result of `diff`.
    Compared(diff::Standing),
    /// The result of `replay`.
    Replayed(p1_replay::Standing),
    /// `verify`, `replay`, `diff` or `report` found no evidence.
    NoEvidence,
    /// A signal ended the command.
    Stopped(Stop),
}

/// A signal that asks the process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The terminal was closed.
    Hangup,
    /// Ctrl-C.
    Interrupt,
    /// What `kill` sends.
    Terminate,
}

impl Stop {
    /// The signal's name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "Ctrl-C",
            Self::Terminate => "SIGTERM",
        }
    }
}

impl ExitStatus {
    /// The exit code of the process.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Advance
            | Self::Verified(verify::Standing::Pinned | verify::Standing::Admitted)
            | Self::Compared(diff::Standing::Same)
            | Self::Replayed(p1_replay::Standing::Equal) => 0,
            Self::Hold
            | Self::Verified(verify::Standing::Held | verify::Standing::Refused | verify::Standing::Intact)
            | Self::Compared(diff::Standing::Differs) => 1,
            Self::Usage
            | Self::Verified(verify::Standing::Tampered | verify::Standing::OtherKey)
            | Self::Replayed(p1_replay::Standing::Differs) => 2,
            Self::Fault
            | Self::Verified(verify::Standing::Incomplete)
            | Self::Compared(diff::Standing::Unknown)
            | Self::Replayed(p1_replay::Standing::Missing) => 3,
            Self::NoEvidence => 4,
            // As a shell reports a program that the signal itself ended: 128 and the signal's number.
            Self::Stopped(Stop::Hangup) => 129,
            Self::Stopped(Stop::Interrupt) => 130,
            Self::Stopped(Stop::Terminate) => 143,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

/// The exit statuses of a group of commands.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// The commands.
    pub commands: &'static [&'static str],
    /// Each status with its meaning.
    pub statuses: &'static [(ExitStatus, &'static str)],
}

/// Every exit status of every command. `exit-codes` prints it.
pub const GROUPS: [Group; 10] = [
    Group {
        commands: &["run", "resume"],
        statuses: &[
            (
                Advance,
                "ADVANCE_TO_M4; also: a state that ran alone passed, or the M2 handoff belongs to an earlier execution",
            ),
            (
                Hold,
                "HOLD_M3; also: a state that ran alone holds, or a rerun was refused",
            ),
            (Usage, "usage or invalid input"),
            (Fault, "fault; also: the evidence could not be mirrored whole"),
        ],
    },
    Group {
        commands: &["gate"],
        statuses: &[
            (
                Advance,
                "PHASE_ADMITTED: the run is pinned, and a later phase may work on it",
            ),
            (Hold, "ENTRY_REFUSED: no later phase may work on the run"),
            (Usage, "usage or invalid input"),
            (Fault, "fault; also: the evidence could not be mirrored whole"),
        ],
    },
    Group {
        commands: &["fetch"],
        statuses: &[
            (Advance, "mirrored whole, whatever the verdict is"),
            (Usage, "usage, or there is no such execution or run"),
            (Fault, "fault; also: the evidence could not be mirrored whole"),
        ],
    },
    Group {
        commands: &["runs"],
        statuses: &[
            (Advance, "listed; also: there is nothing to list"),
            (Usage, "usage or invalid input"),
            (
                Fault,
                "fault; also: a run could not be read whole, it is not known whether one still runs, or an entry of the scenario index is not confirmed",
            ),
        ],
    },
    Group {
        commands: &["lint"],
        statuses: &[
            (
                Advance,
                "no step would block; with --stack: and everything was learned, and nothing is wrong",
            ),
            (
                Hold,
                "a step would block: a run would be held; also: something is wrong with the stack",
            ),
            (
                Usage,
                "usage, or a file cannot be read; also: the registry is none, so that a run would fault",
            ),
            (
                Fault,
                "a step would reach no verdict for another reason: a run would fault; also: nothing is known to be wrong with the stack, and something was not learned",
            ),
        ],
    },
    Group {
        commands: &["verify"],
        statuses: &[
            (
                Verified(verify::Standing::Pinned),
                "pinned and intact: a committed advance; also: a phase entry that was admitted, intact",
            ),
            (
                Verified(verify::Standing::Held),
                "held, intact; also: a phase entry that was refused, one state that ran alone, or a refused rerun, intact: they \
                 pin no run",
            ),
            (
                Verified(verify::Standing::Tampered),
                "tampered or inconsistent; also: signed by none of the keys that were given",
            ),
            (
                Verified(verify::Standing::Incomplete),
                "incomplete: something that is named is not there, or no verdict was committed",
            ),
            (
                NoEvidence,
                "usage: the directory is no evidence directory or cannot be looked into, or there is no such run in the bucket",
            ),
        ],
    },
    Group {
        commands: &["replay"],
        statuses: &[
            (
                Replayed(p1_replay::Standing::Equal),
                "every step, computed again, gives the bytes that are there",
            ),
            (
                Replayed(p1_replay::Standing::Differs),
                "a step gives other bytes: the step, the artifact and the first difference are named",
            ),
            (
                Replayed(p1_replay::Standing::Missing),
                "something that is needed is missing, no replayed step makes an object that is there, or another release wrote it",
            ),
            (
                NoEvidence,
                "usage: the directory is no evidence directory, or cannot be looked into",
            ),
        ],
    },
    Group {
        commands: &["diff"],
        statuses: &[
            (
                Compared(diff::Standing::Same),
                "the identity inputs (digest input and scenario equivalence key) are the same",
            ),
            (Compared(diff::Standing::Differs), "they differ"),
            (
                Compared(diff::Standing::Unknown),
                "not known: a run was held before its identity was derived, or the evidence of it is lost",
            ),
            (
                NoEvidence,
                "usage: a directory is no evidence directory, or cannot be looked into",
            ),
        ],
    },
    Group {
        commands: &["report"],
        statuses: &[
            (Verified(verify::Standing::Pinned), "pinned and intact"),
            (
                Verified(verify::Standing::Held),
                "held, intact; also: one state that ran alone, or a refused rerun, intact: they pin no run",
            ),
            (
                Verified(verify::Standing::Tampered),
                "tampered or inconsistent; also: signed by none of the keys that were given",
            ),
            (Verified(verify::Standing::Incomplete), "incomplete"),
            (
                NoEvidence,
                "usage: the directory is no evidence directory, or the page cannot be written; there is no page then",
            ),
        ],
    },
    Group {
        commands: &[
            "init",
            "up",
            "down",
            "status",
            "env",
            "event",
            "outputs",
            "close",
            "tools",
            "exit-codes",
            "bench",
            "completions",
            "man",
        ],
        statuses: &[(Advance, "done"), (Usage, "usage or invalid input"), (Fault, "fault")],
    },
];

/// The exit statuses that every command has besides its own.
pub const OF_ALL: [(ExitStatus, &str); 3] = [
    (Stopped(Stop::Hangup), "stopped by SIGHUP"),
    (Stopped(Stop::Interrupt), "stopped by Ctrl-C"),
    (Stopped(Stop::Terminate), "stopped by SIGTERM"),
];

/// The exit statuses of one command for its help. Empty for a command without a group.
#[must_use]
pub fn help(command: &str) -> String {
    let mut text = String::new();
    for group in GROUPS.iter().filter(|group| group.commands.contains(&command)) {
        text.push_str("Exit status:");
        for (status, meaning) in group.statuses.iter().chain(&OF_ALL) {
            // Writing to a string does not fail.
            let _ = write!(text, "\n  {}  {meaning}", status.code());
        }
    }
    text
}

/// Why a command failed. The message says what failed, where, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line, or a file that it names, is not usable. Nothing was started.
    #[error("{0}")]
    Usage(String),
    /// Something that the command depends on failed.
    #[error("{0}")]
    Fault(String),
}

/// The longest cause that is told: its text may be a service's.
const LONGEST_CAUSE: usize = 2_000;

impl CliError {
    /// A usage error.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// A fault without an underlying error.
    pub fn fault(message: impl Into<String>) -> Self {
        Self::Fault(message.into())
    }

    /// A fault while doing `operation` ("failed to {operation}: …"), with all its causes.
    pub fn failed(operation: &str, cause: &(dyn Error + 'static)) -> Self {
        Self::Fault(format!(
            "failed to {operation}: {}",
            text::brief(&chain(cause), LONGEST_CAUSE)
        ))
    }

    /// The exit status for this error.
    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Usage(_) => ExitStatus::Usage,
            Self::Fault(_) => ExitStatus::Fault,
        }
    }
}

#[cfg(feature = "operator")]
impl From<PlatformError> for CliError {
    fn from(error: PlatformError) -> Self {
        if error.is_usage() {
            Self::Usage(chain(&error))
        } else {
            Self::Fault(chain(&error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_stands_in_one_group_and_each_number_there_once() {
        let mut commands: Vec<&str> = GROUPS.iter().flat_map(|group| group.commands).copied().collect();
        let all = commands.len();
        commands.sort_unstable();
        commands.dedup();
        assert_eq!(commands.len(), all);
        for group in GROUPS {
            let statuses = group.statuses.iter().chain(&OF_ALL);
            let codes: Vec<u8> = statuses.map(|(status, _)| status.code()).collect();
            let mut sorted = codes.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(codes, sorted, "{:?}", group.commands);
        }
    }
}
