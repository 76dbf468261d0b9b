//! `cargo p1 bench`: hands over to the benchmark, a program of its own (tests/bench), so that the operator's tool carries
//! nothing of it.

use std::os::unix::process::CommandExt;

use p1_local::{Checkout, cargo};

use crate::args::BenchArgs;
use crate::exit::CliError;

/// Runs `cargo p1 bench`: becomes the benchmark, which is built first, and returns only when that cannot be started.
#[must_use]
pub fn bench(args: &BenchArgs) -> CliError {
    let mut command = cargo(&Checkout::default());
    command.args(["run", "--quiet", "--package", "p1-bench", "--bin", "p1-bench", "--"]);
    command.args(&args.options);
    CliError::failed("start cargo", &command.exec())
}
