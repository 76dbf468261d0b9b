//! The operator's tool `cargo p1`, as a library: the command line, the local platform, and the run it drives.
//!
//! Exit status: 0 `ADVANCE_TO_M4`, 1 `HOLD_M3`, 2 usage or invalid input, 3 fault; `verify`, `replay`, `diff`
//! and `report` have their own.

pub mod args;
pub mod atomic;
pub mod aws;
pub mod bucket;
pub mod commands;
pub mod directory;
pub mod drive;
pub mod exit;

pub use args::{
    BenchArgs, Cli, CloseArgs, Command, DiffArgs, DownArgs, EnvArgs, EventArgs, OutputsArgs, ReplayArgs, ReportArgs,
    ResumeArgs, RunArgs, StatusArgs, UpArgs, VerifyArgs,
};
pub use exit::{CliError, ExitStatus};
