//! `completions` and `man`: the command line as a completion script and as man pages.

use std::io::Write;

use crate::args::{CompletionsArgs, ManArgs, command};
use crate::exit::{CliError, ExitStatus};

/// Runs `completions`: writes the script to standard output. It completes the program `p1`.
///
/// # Errors
/// Returns a fault if standard output cannot be written to.
pub fn completions(args: &CompletionsArgs) -> Result<ExitStatus, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "p1", &mut script);
    std::io::stdout()
        .write_all(&script)
        .map_err(|error| CliError::failed("write to standard output", &error))?;
    Ok(ExitStatus::Advance)
}

/// Runs `man`: writes `p1.1`, and one page for each command, into a directory that exists.
///
/// # Errors
/// Returns a usage error if there is no such directory, and a fault if a page cannot be written.
pub fn man(args: &ManArgs) -> Result<ExitStatus, CliError> {
    let shown = args.dir.display();
    if !args.dir.is_dir() {
        return Err(CliError::usage(format!(
            "{shown}: there is no such directory; make it first"
        )));
    }
    let program = command().name("p1").bin_name("p1");
    clap_mangen::generate_to(program, &args.dir)
        .map_err(|error| CliError::failed(&format!("write man pages to {shown}"), &error))?;
    Ok(ExitStatus::Advance)
}
