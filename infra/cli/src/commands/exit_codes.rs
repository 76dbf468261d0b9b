//! `exit-codes`: the exit statuses of every command.

use clap::CommandFactory;

use super::say;
use crate::args::Cli;
use crate::exit::{CliError, ExitStatus, GROUPS, OF_ALL};

/// Runs `exit-codes`.
///
/// # Errors
/// Returns a fault if standard output cannot be written to.
pub fn exit_codes() -> Result<ExitStatus, CliError> {
    let program = Cli::command();
    for group in GROUPS {
        // The auditors' build has fewer commands.
        let commands = group.commands.iter().copied();
        let commands: Vec<&str> = commands
            .filter(|name| program.find_subcommand(name).is_some())
            .collect();
        if commands.is_empty() {
            continue;
        }
        say(&commands.join(", "))?;
        for (status, meaning) in group.statuses {
            say(&format!("  {}  {meaning}", status.code()))?;
        }
    }
    say("every command")?;
    for (status, meaning) in OF_ALL {
        say(&format!("  {}  {meaning}", status.code()))?;
    }
    Ok(ExitStatus::Advance)
}
