//! The help of the whole program: the commands in groups, and the version with its commit.

use std::fmt::Write as _;

use clap::{Command, CommandFactory, FromArgMatches};

use super::{Cli, PROGRAM};
use crate::voice;
use crate::wrap::{fitted, hanging};

/// The commands by what they are for, in the order in which a reader needs them.
pub const GROUPS: [(&str, &[&str]); 4] = [
    ("Run", &["init", "lint", "run", "resume", "gate", "close"]),
    (
        "Inspect",
        &["runs", "fetch", "verify", "report", "replay", "diff", "exit-codes"],
    ),
    (
        "Local platform and deployment",
        &["up", "down", "status", "env", "event", "outputs", "tools", "bench"],
    ),
    ("Shell", &["completions", "man"]),
];

/// The version, with the commit that it was built from where the build script knows it.
const VERSION: &str = match option_env!("P1_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

/// Examples of every command, without the program's name.
const EXAMPLES: &[&str] = &[
    "init demo",
    "init acme --environment prod --region eu-west-1",
    "lint handles.registry.md",
    "lint handles.registry.md --stack-outputs outputs.json",
    "lint handles.registry.md --format sarif > lint.sarif",
    #[cfg(feature = "operator")]
    "lint handles.registry.md --stack fraud-platform-dev-full-p1",
    "run",
    "run --keep --registry demo/handles.registry.md",
    "run --stack fraud-platform-dev-full-p1 --input start.json",
    "resume --actor ada --reset reset.json --held m3f_20261129T052339Z_2416a34f7eaa",
    "gate platform_20261129T052339Z --phase M4",
    "close target/p1/evidence/RUN --docs docs",
    "runs",
    "runs --verdict hold --since 2026-11-29 --stack fraud-platform-dev-full-p1",
    "runs --scenario scenario_0f1e2d3c4b5a69788796a5b4c3d2e1f0 --json",
    "fetch platform_20261129T052339Z --out run",
    "fetch EXECUTION --stack fraud-platform-dev-full-p1 --out run",
    "verify run --key signing_key.pub.pem",
    "verify s3://BUCKET/evidence/runs/RUN/ --json",
    "report run --open",
    "report run --out run.html",
    "replay run",
    "diff yesterday today",
    "exit-codes",
    "up --sample",
    "down",
    "status --json",
    "env",
    "event M3.A",
    "event M3.F --from run",
    "event M3.B --after a-event.json a.json",
    "outputs",
    "outputs --upload s3://BUCKET/p1/stack_outputs.json",
    "tools",
    "bench --quick",
    "completions bash",
    "man target",
];

/// The examples of a command.
fn examples_of(command: &str) -> impl Iterator<Item = &'static str> {
    let is_of = move |line: &&str| line.split(' ').next() == Some(command);
    EXAMPLES.iter().copied().filter(is_of)
}

/// The examples of a command, for its help.
fn examples(command: &str) -> Option<String> {
    let lines: String = examples_of(command)
        .map(|line| format!("\n  {PROGRAM} {line}"))
        .collect();
    (!lines.is_empty()).then(|| format!("Examples:{lines}"))
}

/// The column at which the commands' descriptions begin.
const INDENT: usize = 15;

/// The whole command line, with the commands in groups.
#[must_use]
pub fn command() -> Command {
    let command = Cli::command()
        .version(VERSION)
        .max_term_width(80)
        .mut_subcommands(|command| {
            let after = command.get_after_help().map(ToString::to_string);
            let parts = [examples(command.get_name()), after.filter(|text| !text.is_empty())];
            let text = parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n");
            command.after_help(text.lines().flat_map(fitted).collect::<Vec<_>>().join("\n"))
        });
    let mut groups = String::new();
    for (name, commands) in GROUPS {
        // The auditors' build has fewer commands.
        let found: Vec<&Command> = commands
            .iter()
            .filter_map(|name| command.find_subcommand(name))
            .collect();
        if found.is_empty() {
            continue;
        }
        let _ = write!(groups, "\n{name}:\n");
        for command in found {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let label = format!("  {:<12} ", command.get_name());
            for line in hanging(&label, &about, INDENT) {
                let _ = writeln!(groups, "{line}");
            }
        }
    }
    command.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n{groups}\nOptions:\n{{options}}{{after-help}}"
    ))
}

impl Cli {
    /// Reads the command line of this process, and sets how everything is printed.
    ///
    /// # Errors
    /// Returns what clap prints: the usage error, or the help or version that was asked for.
    pub fn read() -> Result<Self, clap::Error> {
        let cli = Self::from_arg_matches(&command().try_get_matches()?)?;
        voice::set(cli.color, cli.quiet, cli.verbose);
        Ok(cli)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let command = Cli::command();
        for found in command.get_subcommands().filter(|found| !found.is_hide_set()) {
            let name = found.get_name();
            let groups = GROUPS.iter().filter(|(_, commands)| commands.contains(&name)).count();
            assert_eq!(groups, 1, "{name}");
        }
    }

    #[test]
    fn every_command_has_examples_and_each_can_be_typed() {
        let command = command();
        for found in command.get_subcommands().filter(|found| !found.is_hide_set()) {
            let name = found.get_name();
            assert!(examples_of(name).next().is_some(), "{name}");
            for line in examples_of(name) {
                let line = line.split(" > ").next().unwrap();
                let typed = std::iter::once("p1").chain(line.split(' '));
                assert!(command.clone().try_get_matches_from(typed).is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn the_help_fits_80_columns() {
        let mut command = command();
        command.build();
        let help = |command: &mut Command| command.render_long_help().to_string();
        let names: Vec<String> = command
            .get_subcommands()
            .map(|found| found.get_name().to_owned())
            .collect();
        let mut pages = vec![("p1".to_owned(), help(&mut command))];
        for name in names {
            if let Some(found) = command.find_subcommand_mut(&name) {
                pages.push((name, help(found)));
            }
        }
        for (name, page) in pages {
            for line in page.lines() {
                assert!(line.chars().count() <= 80, "{name}: {line}");
            }
        }
    }
}
