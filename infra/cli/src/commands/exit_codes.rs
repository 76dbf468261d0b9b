//! `cargo p1 exit-codes`: the exit statuses of every command.

use super::say;
use crate::exit::{CliError, ExitStatus, GROUPS};

/// Runs `cargo p1 exit-codes`.
///
/// # Errors
/// A fault, when standard output cannot be written to.
pub fn exit_codes() -> Result<ExitStatus, CliError> {
    for group in GROUPS {
        say(&group.commands.join(", "))?;
        for (status, meaning) in group.statuses {
            say(&format!("  {}  {meaning}", status.code()))?;
        }
    }
    Ok(ExitStatus::Advance)
}
