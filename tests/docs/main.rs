//! The generated pages are what the code gives today; `UPDATE=1` rewrites them. Every `sam` command of the docs names its region.

mod cli;
mod links;
mod walk;

use std::fmt::Write as _;
use std::path::PathBuf;

use p1_contract::blocker::{Blocker, Severity};
use p1_contract::step::Step;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compares a generated file with what is checked in, or rewrites it.
fn matches_or_update(file: &str, content: &str) -> Result<(), std::io::Error> {
    let path = root().join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, content)?;
    }
    assert!(
        std::fs::read_to_string(&path)? == content,
        "{file} is stale: UPDATE=1 cargo test -p p1-tests"
    );
    Ok(())
}

fn blockers_page() -> String {
    let mut page = String::from(
        "# Blockers\n\n\
         This page is generated from `shared/contract/src/blocker.rs`, and a test compares the two. A *blocker* is a rule that a run\n\
         broke. It is part of a verdict; it is not an error. The [glossary](glossary.md) explains the other words.\n\n\
         - **Severity** S1 is a no-go: only a new run can be started. S2 can be mended; the remedy says whether the run can then go on.\n\
         - **Phase code** is the code in the platform's own phase plan that the blocker counts under.\n\
         - **°** marks a code that only a defect of P1 itself can raise. Such a check is a second line of defence.\n\
         - **Resume** means: start a rerun, which goes on with the same run. [operators.md](operators.md#a-hold) says how.\n\
         - **Start a new execution** means: start again from the M2 receipt, which makes another run.\n\
         - **Reads its artifacts back** means: at its end a step reads everything that it wrote from S3 again.\n",
    );
    for step in Step::ALL {
        let _ = write!(
            page,
            "\n## {}\n\n| code | severity | phase code | rule | remedy |\n|---|---|---|---|---|\n",
            step.state_name()
        );
        for blocker in Blocker::ALL.iter().filter(|blocker| blocker.step() == step) {
            let severity = match blocker.severity() {
                Severity::S1 => "S1",
                Severity::S2 => "S2",
            };
            let mark = if blocker.is_internal() { "°" } else { "" };
            let cell = |text: &str| text.replace('|', "\\|");
            let _ = writeln!(
                page,
                "| `{blocker}`{mark} | {severity} | `{}` | {} | {} |",
                blocker.phase_code(),
                cell(blocker.rule()),
                cell(blocker.remedy())
            );
        }
    }
    page
}

#[test]
fn the_table_of_blockers_is_the_taxonomy() -> Result<(), std::io::Error> {
    matches_or_update("docs/blockers.md", &blockers_page())
}

/// SAM takes the region of whoever deploys where nobody names one. The page has to name it, since the configuration does not.
#[test]
fn every_sam_command_of_the_docs_names_its_region() -> Result<(), std::io::Error> {
    let root = root();
    let configuration = std::fs::read_to_string(root.join("infra/samconfig.toml"))?;
    assert!(
        configuration
            .lines()
            .all(|line| !line.trim_start().starts_with("region")),
        "infra/samconfig.toml chooses a region"
    );
    let mut commands = 0;
    for page in ["docs/deploy.md"] {
        for line in std::fs::read_to_string(root.join(page))?.lines() {
            if line.starts_with("sam deploy") || line.starts_with("sam delete") {
                assert!(line.contains(" --region "), "{page}: {line}");
                commands += 1;
            }
        }
    }
    assert_ne!(commands, 0);
    Ok(())
}
