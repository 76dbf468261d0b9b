//! `exit-codes`: the exit statuses of every command.

use clap::CommandFactory;
use serde_json::{Value, json};

use super::{say, say_object};
use crate::args::{Cli, JsonArgs};
use crate::exit::{CliError, ExitStatus, GROUPS, OF_ALL};
use crate::wrap::fitted;

/// Runs `exit-codes`.
///
/// # Errors
/// Returns a fault if standard output cannot be written to.
pub fn exit_codes(args: &JsonArgs) -> Result<ExitStatus, CliError> {
    let program = Cli::command();
    // The auditors' build has fewer commands.
    let known = |name: &&str| program.find_subcommand(name).is_some();
    let groups = GROUPS.map(|group| {
        (
            group.commands.iter().copied().filter(known).collect::<Vec<_>>(),
            group.statuses,
        )
    });
    let groups = groups.into_iter().filter(|(commands, _)| !commands.is_empty());
    if args.json {
        let groups: Vec<Value> = groups
            .map(|(commands, statuses)| json!({"commands": commands, "statuses": rows(statuses)}))
            .collect();
        say_object(&json!({
            "groups": groups,
            "every_command": rows(&OF_ALL),
            "exit_status": ExitStatus::Advance.code(),
        }))?;
        return Ok(ExitStatus::Advance);
    }
    let every = (vec!["every command"], OF_ALL.as_slice());
    for (commands, statuses) in groups.chain([every]) {
        say(&commands.join(", "))?;
        for (status, meaning) in statuses {
            for line in fitted(&format!("  {}  {meaning}", status.code())) {
                say(&line)?;
            }
        }
    }
    Ok(ExitStatus::Advance)
}

fn rows(statuses: &[(ExitStatus, &str)]) -> Vec<Value> {
    let row = |(status, meaning): &(ExitStatus, &str)| json!({"exit_status": status.code(), "meaning": meaning});
    statuses.iter().map(row).collect()
}
