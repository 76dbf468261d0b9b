//! The command line of whoever sets up, drives and closes runs.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::exit;

/// The operator's subcommands.
#[derive(Debug, Subcommand)]
pub enum Operator {
    /// Pin one run and print its verdict
    ///
    /// Without options everything is set up here: a local platform is started, deployed to and seeded with a small
    /// sample platform, one run is pinned on it, and the platform is stopped again.
    #[command(after_help = exit::help("run"))]
    Run(RunArgs),
    /// Go on with a held or faulted run, from the last summary that it published
    ///
    /// On the local platform that is up, or on a stack on AWS. The run keeps its id; a registry that was mended in a handle
    /// that only later steps read is pinned for them.
    #[command(after_help = exit::help("resume"))]
    Resume(ResumeArgs),
    /// Start the local platform and leave it up
    Up(UpArgs),
    /// Stop the local platform that `up` or `run --keep` left up
    Down(DownArgs),
    /// Say whether a local platform is up, and where
    Status(StatusArgs),
    /// Print the environment in which a function runs on the local platform that is up: eval "$(cargo p1 env)"
    Env(EnvArgs),
    /// Print the event of one step, for `cargo lambda invoke`
    ///
    /// A step works on the closures of those before it. M3.A without options: a start of its own from the latest M2
    /// receipt of the local platform that is up.
    Event(EventArgs),
    /// Print a stack's outputs as `terraform output -json` would, or put them where Terraform and M3.A read them
    Outputs(OutputsArgs),
    /// Append the closure notes of a run to the three documents, once per run
    Close(CloseArgs),
    /// Measure cost, speed and scale of a pinned run beside the procedure that it replaces (`bench --help`)
    ///
    /// The benchmark is a program of its own, tests/bench, which is built first. docs/performance.md holds its table.
    #[command(disable_help_flag = true)]
    Bench(BenchArgs),
    /// Install the pinned tools and print the directory of their programs; for CI and for whoever wants to call them
    #[command(hide = true)]
    Tools,
}

/// Options of `cargo p1 run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Handles registry (Markdown) to pin the run against, instead of the sample
    #[arg(long, value_name = "FILE")]
    pub registry: Option<PathBuf>,
    /// Stack outputs as `terraform output -json` writes them, instead of those of the deployed stack; repeatable
    #[arg(long = "stack-outputs", value_name = "FILE")]
    pub stack_outputs: Vec<PathBuf>,
    /// Directory that holds the oracle store's objects at their keys, instead of the sample manifests
    #[arg(long, value_name = "DIR")]
    pub oracle_dir: Option<PathBuf>,
    /// Billing artifact (JSON), instead of the sample
    #[arg(long, value_name = "FILE")]
    pub billing: Option<PathBuf>,
    /// M2 receipt (JSON) that starts the run, instead of a green sample; with --input it is put at the key named there
    #[arg(long, value_name = "FILE")]
    pub m2_receipt: Option<PathBuf>,
    /// Profile (JSON) of the local platform: account, region and names
    #[arg(long, value_name = "FILE", conflicts_with = "stack")]
    pub platform: Option<PathBuf>,
    /// Start with this execution input (JSON) instead of the M2 receipt
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// A stack already deployed on AWS (ordinary AWS credentials and region) instead of the local platform
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// New or empty directory for the mirrored evidence (default: a folder of the execution in target/p1/evidence)
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object as the last line of standard output
    #[arg(long)]
    pub json: bool,
    /// Leave the local platform up afterwards
    #[arg(long, conflicts_with = "stack")]
    pub keep: bool,
}

/// Options of `cargo p1 resume`.
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// Key of the last summary among M3.A … M3.H that the run published
    #[arg(long, value_name = "KEY")]
    pub held: String,
    /// Run that one state alone, and commit nothing
    #[arg(long)]
    pub only: bool,
    /// Reset receipt (JSON): actor, reason, class, scope and, outside the permitted classes, approval
    #[arg(long, value_name = "FILE")]
    pub reset: PathBuf,
    /// Mended handles registry (Markdown) to put in place first
    #[arg(long, value_name = "FILE")]
    pub registry: Option<PathBuf>,
    /// A stack already deployed on AWS (ordinary AWS credentials and region) instead of the local platform that is up
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// New or empty directory for the mirrored evidence [default: target/p1/evidence/<execution>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object as the last line of standard output
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 up`.
#[derive(Debug, Clone, Default, Args)]
pub struct UpArgs {
    /// Profile (JSON) of the local platform: account, region and names
    #[arg(long, value_name = "FILE")]
    pub platform: Option<PathBuf>,
    /// Put the sample platform's inputs there, and an M2 receipt, whose event starts a run
    #[arg(long)]
    pub sample: bool,
    /// Print one JSON object as the last line of standard output
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 env`.
#[derive(Debug, Clone, Default, Args)]
pub struct EnvArgs {
    /// Print one JSON object as the last line of standard output
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 event`.
#[derive(Debug, Clone, Args)]
pub struct EventArgs {
    /// M3.A to M3.J, or ADMISSION for the M3.G function in admission mode
    #[arg(value_name = "STEP")]
    pub step: String,
    /// Evidence directory of an execution, as `run --out` wrote it: the event that the state machine sent to the step
    #[arg(long, value_name = "DIR", conflicts_with = "after")]
    pub from: Option<PathBuf>,
    /// Event of a step and the result that it was answered with: the event that follows
    #[arg(long, num_args = 2, value_names = ["EVENT", "RESULT"])]
    pub after: Option<Vec<PathBuf>>,
}

/// Options of `cargo p1 outputs`.
#[derive(Debug, Clone, Default, Args)]
pub struct OutputsArgs {
    /// A stack already deployed on AWS (ordinary AWS credentials and region) instead of the local platform that is up
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Put them to S3 instead of printing them; an object that is there is replaced, but never one below evidence/
    #[arg(long, value_name = "S3URI")]
    pub upload: Option<String>,
    /// Write them to this file instead of printing them
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Options of `cargo p1 down`.
#[derive(Debug, Clone, Default, Args)]
pub struct DownArgs {}

/// Options of `cargo p1 status`.
#[derive(Debug, Clone, Default, Args)]
pub struct StatusArgs {
    /// Print one JSON object as the last line of standard output
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 close`.
#[derive(Debug, Clone, Args)]
pub struct CloseArgs {
    /// Evidence directory of a run, as `run --out` wrote it
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Directory that holds the three documents
    #[arg(long, value_name = "DIR")]
    pub docs: PathBuf,
}

/// Options of `cargo p1 bench`: handed on as they are, `--help` among them.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Options of the benchmark
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    pub options: Vec<OsString>,
}
