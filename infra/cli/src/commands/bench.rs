//! `cargo p1 bench`: hands over to the benchmark. That is a separate program (tests/bench), so that the operator's tool contains
//! none of its code.

use std::os::unix::process::CommandExt;

use p1_local::{Checkout, cargo};

use crate::args::BenchArgs;
use crate::exit::CliError;

/// Builds the benchmark and replaces this process with it. Returns only if the benchmark cannot be started.
#[must_use]
pub fn bench(args: &BenchArgs) -> CliError {
    let mut command = cargo(&Checkout::default());
    command.args(["run", "--quiet", "--package", "p1-bench", "--bin", "p1-bench", "--"]);
    command.args(&args.options);
    CliError::failed("start cargo", &command.exec())
}
