//! The operator's tool `cargo p1`, as a library: the command line, the local platform, and the run it drives.
//!
//! Exit status: 0 `ADVANCE_TO_M4`, 1 `HOLD_M3`, 2 usage or invalid input, 3 fault; `verify`, `replay`, `diff`
//! and `report` have their own.

pub mod args;
pub mod commands;
pub mod diff;
pub mod outcome;
pub mod platform;
pub mod progress;
pub mod replay;
pub mod report;
pub mod run;
pub mod sample;
pub mod verify;

pub use args::{
    BenchArgs, Cli, CloseArgs, Command, DiffArgs, DownArgs, EnvArgs, EventArgs, OutputsArgs, ReplayArgs, ReportArgs,
    ResumeArgs, RunArgs, StatusArgs, UpArgs, VerifyArgs,
};
pub use outcome::{CliError, ExitStatus};
