//! The tool as a library: the command line, and one module for each command.
//!
//! `lint` judges a registry before a run. `verify`, `replay`, `diff` and `report` are for auditors and need only a run's evidence.
//! The other commands set up, drive and close runs; they belong to the feature `operator`. [`exit`] has the exit status of every
//! command.

pub mod args;
pub mod atomic;
pub mod aws;
pub mod bucket;
pub mod commands;
pub mod directory;
#[cfg(feature = "operator")]
pub mod drive;
pub mod exit;
mod named;
pub mod paint;
#[cfg(test)]
pub(crate) mod scratch;
#[cfg(feature = "operator")]
mod shell;
pub mod voice;
pub mod wrap;

pub use args::*;
pub use exit::{CliError, ExitStatus};
