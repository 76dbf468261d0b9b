//! `cargo p1 tools`: the programs that the project is built and checked with.

use std::io::Write;

use crate::outcome::{CliError, ExitStatus};
use crate::platform::{Checkout, Tools};
use crate::progress::Lines;

/// Runs `cargo p1 tools`: installs what is missing, then prints the directory that holds `sam`, `cargo-lambda` and `statelint`.
///
/// # Errors
/// [`CliError::Fault`] when the tools cannot be installed.
pub async fn tools() -> Result<ExitStatus, CliError> {
    let tools = Tools::prepare(&Checkout::default(), &Lines).await?;
    writeln!(std::io::stdout(), "{}", tools.bin().display())
        .map_err(|error| CliError::failed("write to standard output", &error))?;
    Ok(ExitStatus::Advance)
}
