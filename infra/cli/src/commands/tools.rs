//! `cargo p1 tools`: installs the programs that build and check the project.

use std::io::Write;

use p1_local::progress::Lines;
use p1_local::{Checkout, Tools};

use crate::exit::{CliError, ExitStatus};

/// Runs `cargo p1 tools`: installs what is missing, then prints the directory that holds `sam`, `cargo-lambda` and `statelint`.
///
/// # Errors
/// Returns [`CliError::Fault`] if the tools cannot be installed.
pub async fn tools() -> Result<ExitStatus, CliError> {
    let tools = Tools::prepare(&Checkout::default(), &Lines).await?;
    writeln!(std::io::stdout(), "{}", tools.bin().display())
        .map_err(|error| CliError::failed("write to standard output", &error))?;
    Ok(ExitStatus::Advance)
}
