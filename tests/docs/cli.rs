//! docs/cli.md is what the command line says of itself, and names every variable of the environment that the sources read.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use p1::exit::GROUPS as STATUSES;

use crate::{matches_or_update, root};

/// Every variable with `P1_` before its name.
const VARIABLES: [(&str, &str, &str); 12] = [
    (
        "P1_CHROMIUM",
        "tests, `.ci/run`",
        "a browser that is not at one of the usual places",
    ),
    (
        "P1_FUZZ_SECONDS",
        "`tests/fuzz/run`",
        "searches for new inputs for so many seconds",
    ),
    (
        "P1_LOCAL_LEASH",
        "set by the tool",
        "ends the engine with the process that started it",
    ),
    (
        "P1_LOCAL_LOCK",
        "set by the tool",
        "the file that a platform which is up holds locked",
    ),
    ("P1_PICTURE", "tests", "takes the picture of the report again"),
    (
        "P1_REPEAT",
        "tests",
        "how often the tests of many executions at once are repeated",
    ),
    ("P1_REQUIRE_BROWSER", "tests", "a missing browser is a failure"),
    (
        "P1_REQUIRE_JSONATA_REFERENCE",
        "tests",
        "a missing reference implementation of JSONata is a failure",
    ),
    (
        "P1_SCHEMAS",
        "`tests/verify/verify.py`",
        "the folder of the schemas, for a copy of that file that lies elsewhere",
    ),
    (
        "P1_THOROUGH",
        "tests",
        "every fault befalls every read, instead of one of them in rotation",
    ),
    (
        "P1_VERSION",
        "set by the build",
        "the version with its commit, which `--version` prints",
    ),
    (
        "P1_WARM_UP_URI",
        "a function on Lambda, from the template",
        "the object to make the first connection for",
    ),
];

/// Words of this form that are no variables: two of evidence, and one of a test.
const NO_VARIABLES: [&str; 3] = ["P1_RUN_PINNED", "P1_M", "P1_REGISTRY_URI"];

/// Variables of others that the tool heeds.
const OTHERS: [(&str, &str); 5] = [
    (
        "AWS_*",
        "region, credentials and endpoint, as every AWS tool reads them; `cargo p1 env` prints those of the local platform",
    ),
    (
        "CARGO_TARGET_DIR",
        "where the tool builds, and where the evidence of runs goes",
    ),
    ("NO_COLOR, CLICOLOR, CLICOLOR_FORCE", "colour, unless `--color` says it"),
    ("TMPDIR", "the engine's temporary files"),
    ("UPDATE", "tests: rewrites the generated files"),
];

/// What follows is generated; what stands before it is written by hand.
const MARK: &str = "<!-- What follows is generated: UPDATE=1 cargo test -p p1-tests --test docs -->\n";

fn generated() -> String {
    let mut page = String::from("\n## Exit statuses\n\n| command | status | meaning |\n|---|---|---|\n");
    for group in STATUSES {
        for (at, (status, meaning)) in group.statuses.iter().enumerate() {
            let commands: Vec<String> = group.commands.iter().map(|command| format!("`{command}`")).collect();
            let commands = if at == 0 { commands.join(", ") } else { String::new() };
            let _ = writeln!(page, "| {commands} | `{}` | {meaning} |", status.code());
        }
    }
    page.push_str("\n## Variables\n\n| variable | read by | what it does |\n|---|---|---|\n");
    for (name, place, meaning) in VARIABLES {
        let _ = writeln!(page, "| `{name}` | {place} | {meaning} |");
    }
    page.push_str("\nOf others:\n\n| variable | what it does |\n|---|---|\n");
    for (name, meaning) in OTHERS {
        let _ = writeln!(page, "| `{name}` | {meaning} |");
    }
    let mut program = p1::command();
    program.build();
    let _ = write!(page, "\n## All commands\n\n```\n{}```\n", program.render_help());
    for (group, commands) in p1::GROUPS {
        let _ = write!(page, "\n## {group}\n");
        for name in commands {
            // The benchmark prints a help of its own.
            if let Some(command) = program.find_subcommand_mut(name) {
                let help = command.render_help().to_string();
                let help: Vec<&str> = help.lines().map(str::trim_end).collect();
                let _ = write!(page, "\n### {name}\n\n```\n{}\n```\n", help.join("\n"));
            }
        }
    }
    page
}

#[test]
fn the_manual_is_what_the_command_line_says() -> Result<(), std::io::Error> {
    let page = fs::read_to_string(root().join("docs/cli.md"))?;
    let (by_hand, _) = page.split_once(MARK).expect("docs/cli.md has the mark");
    matches_or_update("docs/cli.md", &format!("{by_hand}{MARK}{}", generated()))
}

/// The names in a text that look like variables.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    text.match_indices("P1_").filter_map(move |(at, _)| {
        let inside = text[..at]
            .chars()
            .next_back()
            .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let rest = &text[at..];
        let end = rest[3..].find(|c| !is_part(c)).map_or(rest.len(), |end| end + 3);
        (!inside && end > 3).then(|| &rest[..end])
    })
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) -> Result<(), std::io::Error> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !["target", "node_modules", "golden", "__pycache__"].contains(&name) {
                collect(&path, found)?;
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            // This file has them all.
            if !path.ends_with("docs/cli.rs") {
                found.extend(names(&text).map(str::to_owned));
            }
        }
    }
    Ok(())
}

#[test]
fn every_variable_of_the_sources_is_in_the_manual_and_no_other() -> Result<(), std::io::Error> {
    let mut found = BTreeSet::new();
    for folder in [".ci", "functions", "infra", "shared", "statemachine", "tests"] {
        collect(&root().join(folder), &mut found)?;
    }
    let listed = VARIABLES.iter().map(|(name, _, _)| *name);
    let expected: BTreeSet<String> = listed.chain(NO_VARIABLES).map(str::to_owned).collect();
    assert_eq!(found, expected);
    Ok(())
}
