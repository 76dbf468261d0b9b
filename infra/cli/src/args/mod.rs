//! The command line: every subcommand and option. The operator's subcommands are in a file of their own.

mod help;
mod lint;
#[cfg(feature = "operator")]
mod operator;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use self::help::{GROUPS, command};
pub use self::lint::*;
#[cfg(feature = "operator")]
pub use self::operator::*;
use crate::exit;

/// The text of `verify --help` below the exit statuses.
const VERIFY_NOTES: &str = "\
Every step is computed again, as `replay` does it. A step that gives other bytes makes the evidence tampered. What \
cannot be computed again is named and is no finding: evidence that an earlier release wrote, or a step of which something is missing.

An execution may need no verdict: one state that ran alone
(`resume --only`), and a rerun that was refused. Its evidence is INTACT (1), and
the output says what it is. Its own admission makes it such an execution, and
what it has is checked as in a run. One that ended in a fault is incomplete.

A run in a bucket is named in one of two ways:
  s3://BUCKET/evidence/runs/<platform_run_id>/
      checks the verdict that was committed last
  s3://BUCKET/evidence/ENVIRONMENT/run_control/<id>/
      checks the verdict of the execution that this folder of M3.J is of
      for a folder of one state that ran alone, or of a refused rerun, that
      execution; for any other step, the verdict that was committed last
The bucket is read with the ordinary AWS credentials, region and AWS_ENDPOINT_URL; `eval \"$(cargo p1 env)\"` sets those of the \
local platform. That needs s3:ListBucket, \
s3:ListBucketVersions, s3:GetObject and s3:GetObjectVersion. Nothing is written. A second version of a key, or a delete \
marker, is tampering. An object that may not be read, or that gives no answer, makes the evidence incomplete and never \
tampered.

A directory is read within bounds: no link is followed, no pipe or device is opened, and at most 4 MiB are read of an \
object, 64 MiB of a list beside the objects, 256 MiB of all objects together, those first that objects.json lists. What \
is not read is named. The program needs about ten times the memory of what it reads. The same holds of the objects in a \
bucket.

Signature:
  UNSIGNED  there is no signature. Whoever can rewrite the whole directory can replace the run by another one
  SIGNED    valid under the key beside it: nothing was changed since, but nothing tells whose key it is
  VERIFIED  valid under a key that --key names
  OTHER_KEY valid under the key beside it, which --key does not name. That is no tampering: OTHER_KEY is the standing too (2)
  CONTRADICTED  valid in itself, beside evidence that was changed or contradicts itself (2)
  INVALID   changed, or not what the evidence gives (2), or not whole (3)
With --key, every verdict in the directory must be signed by one of the keys. A verdict by another key is 2, an \
unsigned one is 3. objects.json (written by the mirror) and execution_history.json (by the engine) are not signed. Of \
the history, `verify` reads the execution and its outcome.";

/// The text of `replay --help` below the exit statuses.
const REPLAY_NOTES: &str = "\
A step is computed again from its input and its stored observations, by the function's own code. Its observations are \
taken as they stand, and so are version ids and entity tags, which only S3 gives. Nothing is asked, and nothing is \
written.";

/// The text of `diff --help` below the exit statuses.
const DIFF_NOTES: &str = "\
A directory is compared whatever `verify` finds in it, and the output says what that was. For each handle that differs, \
it names the ids that change through the handle, and the steps that read it. A held run could have been resumed if no \
step that it closed reads anything that differs.";

/// The text of `report --help` below the exit statuses.
const REPORT_NOTES: &str = "\
Any evidence directory gives a page, and the page says its standing. The exit status is the one of `verify`.

The page is written beside the directory and never into it, where it would be a foreign file among the evidence.";

/// The program's name on the command line.
pub(crate) const PROGRAM: &str = if cfg!(feature = "operator") { "cargo p1" } else { "p1" };

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = PROGRAM,
    bin_name = PROGRAM,
    about = "Pins P1 runs: ten Lambda functions, one state machine, on a local platform or on AWS.",
    after_help = "`exit-codes` prints the exit statuses of every command.",
)]
pub struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
    /// When to colour what is printed
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t, help_heading = GLOBAL)]
    pub color: clap::ColorChoice,
    /// Print results and errors, and no progress
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = GLOBAL)]
    pub quiet: bool,
    /// Print progress as lines, and the cause of every failed try
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub verbose: bool,
}

/// The heading of the options that every command has.
const GLOBAL: &str = "Output";

/// The subcommands of `cargo p1`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what differs between two runs, handle by handle, and whether that forced a new one
    #[command(after_help = format!("{}\n\n{DIFF_NOTES}", exit::help("diff")))]
    Diff(DiffArgs),
    /// Compute every step of an evidence directory again, offline, and compare the bytes
    ///
    /// The admission of a rerun and the steps that an earlier execution of the run closed are replayed too.
    #[command(after_help = format!("{}\n\n{REPLAY_NOTES}", exit::help("replay")))]
    Replay(ReplayArgs),
    /// Check a run's evidence, in a directory or in the bucket: was the run pinned, which evidence shows it, did a byte change
    #[command(after_help = format!("{}\n\n{VERIFY_NOTES}", exit::help("verify")))]
    Verify(VerifyArgs),
    /// Make one self-contained HTML page of an evidence directory, for auditors and engineers
    ///
    /// The page needs no network and no script: verdict, verification, the state machine of every execution, each step with
    /// its checks, blockers and artifacts, lanes, cost, ledger. The same directory gives the same bytes.
    #[command(after_help = format!("{}\n\n{REPORT_NOTES}", exit::help("report")))]
    Report(ReportArgs),
    /// Name every blocker that a registry would hold a run by, before a run is started
    ///
    /// The ten steps judge the registry and the documents beside it by their own code, offline, all at once: document, line, code,
    /// the step that blocks, and what to do.
    #[cfg_attr(feature = "operator", command(after_help = format!("{}\n\n{LINT_NOTES}\n\n{STACK_NOTES}", exit::help("lint"))))]
    #[cfg_attr(not(feature = "operator"), command(after_help = format!("{}\n\n{LINT_NOTES}", exit::help("lint"))))]
    Lint(LintArgs),
    /// Print the exit statuses of every command
    #[command(after_help = exit::help("exit-codes"))]
    ExitCodes(JsonArgs),
    /// Print a completion script for a shell, which completes the installed program `p1`
    Completions(CompletionsArgs),
    /// Write man pages: p1.1, and one for each command
    Man(ManArgs),
    /// The subcommands of the operator's build.
    #[cfg(feature = "operator")]
    #[command(flatten)]
    Operator(Operator),
}

/// The option of a command that has no other.
#[derive(Debug, Clone, Default, Args)]
pub struct JsonArgs {
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Options of `cargo p1 man`.
#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// Directory for the pages; it exists
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

/// Options of `cargo p1 diff`.
#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// Evidence directory of the first run, as `run --out` wrote it
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// Evidence directory of the second run
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// Evidence directory of a run, as `run --out` wrote it
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Evidence directory of a run, as `run --out` wrote it, or s3://BUCKET/PREFIX
    #[arg(value_name = "DIR|S3-URI")]
    pub dir: PathBuf,
    /// Public key (PEM), repeatable; every verdict must be signed by one of the given keys
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// Do not compute the steps again
    #[arg(long)]
    pub no_replay: bool,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// Evidence directory of a run, as `run --out` wrote it
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Public key (PEM), repeatable; every verdict must be signed by one of the given keys
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// Do not compute the steps again
    #[arg(long)]
    pub no_replay: bool,
    /// File for the page; it must lie outside the directory [default: DIR.report.html, beside the directory]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Open the page in the default program of the desktop
    #[arg(long)]
    pub open: bool,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
}
