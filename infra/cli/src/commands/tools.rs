//! `cargo p1 tools`: installs the programs that build and check the project, each at its pinned version.

use std::io::Write;
use std::path::Path;

use p1_audit::text;
use p1_local::progress::Lines;
use p1_local::{Checkout, Tools};

use crate::exit::{CliError, ExitStatus};

/// Runs `cargo p1 tools`: installs what is missing, then prints the directories of programs. Without names it is the one with
/// `sam`, `cargo-lambda` and `statelint`.
///
/// # Errors
/// Returns [`CliError::Usage`] for an environment that the project does not have, and [`CliError::Fault`] if the tools cannot be
/// installed.
pub async fn tools(names: &[String]) -> Result<ExitStatus, CliError> {
    let checkout = Checkout::default();
    if names.is_empty() {
        print(&Tools::prepare(&checkout, &Lines).await?.bin())?;
    }
    for name in names {
        let requirements = checkout.local().join(format!("requirements-{name}.txt"));
        if !name.bytes().all(|byte| byte.is_ascii_lowercase()) || !requirements.is_file() {
            let name = text::clean(name);
            return Err(CliError::usage(format!(
                "there are no tools called {name}; infra/local has a requirements-NAME.txt for each"
            )));
        }
        let python = Tools::environment(&checkout, name, &requirements, &Lines).await?;
        print(python.parent().unwrap_or(&python))?;
    }
    Ok(ExitStatus::Advance)
}

fn print(directory: &Path) -> Result<(), CliError> {
    writeln!(std::io::stdout(), "{}", directory.display())
        .map_err(|error| CliError::failed("write to standard output", &error))
}
