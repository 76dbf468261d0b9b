//! The command line of operators, who set up, drive and close runs.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use p1_contract::verdict::PhaseVerdict;

use super::JsonArgs;
use crate::exit;

/// The operator's subcommands.
#[derive(Debug, Subcommand)]
pub enum Operator {
    /// Pin one run and print its verdict
    ///
    /// Without options, everything is set up on this machine: the command starts a local platform, deploys to it, seeds it with a
    /// small sample platform, pins one run, and stops the platform again.
    #[command(after_help = exit::help("run"))]
    Run(RunArgs),
    /// Resume a held or faulted run from the last summary that it published
    ///
    /// The run is on the local platform that is up, or on a stack on AWS. It keeps its id. If the registry was mended in a handle
    /// that only later steps read, the mended registry is pinned for those steps.
    #[command(after_help = exit::help("resume"))]
    Resume(ResumeArgs),
    /// Ask whether a later phase may work on a run, and print the environment that scopes its runtimes to the run
    ///
    /// The orchestrator answers, as it answers a later phase's own state machine. Without --scenario, the scenario is the one in
    /// the run's run.json.
    #[command(after_help = exit::help("gate"))]
    Gate(GateArgs),
    /// Mirror the evidence and the history of any execution or run, also of one that an event started
    ///
    /// An execution that is still running is followed to its end. The folder is what `run --out` writes: `verify`, `replay`, `report`,
    /// `diff`, `event` and `close` take it. Of a run, it is the execution that committed last; its objects are mirrored even if Step Functions
    /// has forgotten the execution.
    #[command(after_help = exit::help("fetch"))]
    Fetch(FetchArgs),
    /// List runs: what is pinned, what is held and by which codes, what still runs
    ///
    /// Without --scenario, the ledger of each run says where it stands, the latest run first; of a run whose execution has committed nothing,
    /// Step Functions says whether that execution still runs. With --scenario, the scenario index gives the pinned runs of the
    /// scenario by one list request, and each is held against its ledger. An entry that no ledger confirms is UNCONFIRMED. `verify
    /// s3://…` checks a run as a whole.
    #[command(after_help = exit::help("runs"))]
    Runs(RunsArgs),
    /// Write a registry and the documents beside it to start from: they pass every step
    ///
    /// They are the sample platform's, with the names of a platform of this account, region and environment: handles.registry.md,
    /// stack-outputs.json, billing.json (of this month), m2_receipt.json, and platform.json, the profile of a local platform that they fit.
    Init(InitArgs),
    /// Start the local platform and leave it running
    Up(UpArgs),
    /// Stop the local platform that `up` or `run --keep` left running
    Down(JsonArgs),
    /// Say whether a local platform is up, and where
    Status(JsonArgs),
    /// Print the environment for a function that runs outside the local platform: eval "$(cargo p1 env)"
    Env(JsonArgs),
    /// Print the event of one step, for `cargo lambda invoke`
    ///
    /// A step works on the closures of the steps before it. Without options, only M3.A has an event: a new start from the latest
    /// M2 receipt of the local platform that is up.
    Event(EventArgs),
    /// Print a stack's outputs in the form of `terraform output -json`, or write them where Terraform and M3.A read them
    Outputs(OutputsArgs),
    /// Append the closure notes of a run to the three documents, once per run
    Close(CloseArgs),
    /// Measure cost, speed and scale of a pinned run, and compare it with the procedure that it replaces (`bench --help`)
    ///
    /// The benchmark is a separate program, tests/bench, which is built first. Its results are in docs/performance.md.
    #[command(disable_help_flag = true)]
    Bench(BenchArgs),
    /// Install the pinned sam, cargo-lambda and zig, and print their directory: export PATH="$(cargo p1 tools):$PATH"
    Tools {
        /// Other environments of pinned packages, each named by its infra/local/requirements-NAME.txt
        names: Vec<String>,
    },
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
    /// M2 receipt (JSON) that starts the run, instead of a green sample; with --input, it is put at the key that the input names
    #[arg(long, value_name = "FILE")]
    pub m2_receipt: Option<PathBuf>,
    /// Profile (JSON) of the local platform: account, region and names
    #[arg(long, value_name = "FILE", conflicts_with = "stack")]
    pub platform: Option<PathBuf>,
    /// Start with this execution input (JSON) instead of the M2 receipt; inputs that are not named stay as they are
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Pin another run from an M2 receipt that is pinned already
    #[arg(long)]
    pub again: bool,
    /// A stack already deployed on AWS (ordinary AWS credentials and region) instead of the local platform
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// New or empty directory for the mirrored evidence (default: a folder of the execution in target/p1/evidence)
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
    /// Leave the local platform running afterwards
    #[arg(long, conflicts_with = "stack")]
    pub keep: bool,
}

/// Options of `cargo p1 resume`.
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// Last summary among M3.A … M3.H that the run published: its key, or its phase execution id; `run` prints it
    #[arg(long, value_name = "ID|KEY")]
    pub held: String,
    /// Run only that one state, and commit nothing
    #[arg(long)]
    pub only: bool,
    /// Reset receipt (JSON) with reason, class and scope, and with actor unless --actor names it; classes that are not permitted
    /// also need an approval. The time is put in unless the receipt says it
    #[arg(long, value_name = "FILE")]
    pub reset: PathBuf,
    /// Who resumes the run. Nothing stands in for it: neither the login name nor the environment
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Mended handles registry (Markdown) that is put in place first
    #[arg(long, value_name = "FILE")]
    pub registry: Option<PathBuf>,
    /// A stack already deployed on AWS (ordinary AWS credentials and region) instead of the local platform that is up
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// New or empty directory for the mirrored evidence [default: target/p1/evidence/<execution>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 gate`.
#[derive(Debug, Clone, Default, Args)]
pub struct GateArgs {
    /// The run's platform_run_id
    #[arg(value_name = "RUN")]
    pub run: String,
    /// The scenario_run_id that the run must be of [default: the one that its run.json names]
    #[arg(long, value_name = "ID")]
    pub scenario: Option<String>,
    /// The phase that asks: the correlation field phase_id
    #[arg(long, value_name = "TEXT")]
    pub phase: Option<String>,
    /// The correlation field event_id
    #[arg(long, value_name = "TEXT")]
    pub event: Option<String>,
    /// The correlation field runtime_lane
    #[arg(long, value_name = "TEXT")]
    pub lane: Option<String>,
    /// The correlation field trace_id
    #[arg(long, value_name = "TEXT")]
    pub trace: Option<String>,
    /// A stack already deployed on AWS (ordinary AWS credentials and region) instead of the local platform that is up
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// New or empty directory for the mirrored evidence [default: target/p1/evidence/<execution>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 fetch`.
#[derive(Debug, Clone, Args)]
pub struct FetchArgs {
    /// A platform_run_id, an execution's ARN or name, a phase execution id, or an s3:// URI of a run or of a phase execution
    #[arg(value_name = "RUN|EXECUTION|S3-URI")]
    pub what: String,
    /// New or empty directory for the mirror
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// A stack already deployed on AWS (ordinary AWS credentials and region) instead of the local platform that is up
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 runs`.
#[derive(Debug, Clone, Args)]
pub struct RunsArgs {
    /// Only the pinned runs of this scenario
    #[arg(long, value_name = "ID")]
    pub scenario: Option<String>,
    /// Only runs with this config_digest; of a run that has not ended it is not known
    #[arg(long, value_name = "HEX")]
    pub digest: Option<String>,
    /// Only runs with this verdict
    #[arg(long, value_name = "VERDICT")]
    pub verdict: Option<CommittedVerdict>,
    /// Only runs that were minted at this day or time or later, in UTC: 2026-11-29 or 2026-11-29T05:23:39Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// At most so many runs; of the others it is said how many there are
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub limit: usize,
    /// A stack already deployed on AWS (ordinary AWS credentials and region) instead of the local platform that is up
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// A verdict that `cargo p1 runs` is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CommittedVerdict {
    /// ADVANCE_TO_M4
    #[value(alias = "ADVANCE_TO_M4")]
    Advance,
    /// HOLD_M3
    #[value(alias = "HOLD_M3")]
    Hold,
}

impl From<CommittedVerdict> for PhaseVerdict {
    fn from(verdict: CommittedVerdict) -> Self {
        match verdict {
            CommittedVerdict::Advance => Self::AdvanceToM4,
            CommittedVerdict::Hold => Self::HoldM3,
        }
    }
}

/// Options of `cargo p1 init`.
#[derive(Debug, Clone, Default, Args)]
pub struct InitArgs {
    /// Directory for the files; nothing in it is overwritten
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Account id, twelve digits [default: the local platform's]
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Region [default: the local platform's]
    #[arg(long, value_name = "NAME")]
    pub region: Option<String>,
    /// Environment, which the names of some handles, buckets and roles hold [default: dev_full]
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 up`.
#[derive(Debug, Clone, Default, Args)]
pub struct UpArgs {
    /// Profile (JSON) of the local platform: account, region and names
    #[arg(long, value_name = "FILE")]
    pub platform: Option<PathBuf>,
    /// Put the sample platform's inputs and an M2 receipt on it; the event of the receipt starts a run
    #[arg(long)]
    pub sample: bool,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 event`.
#[derive(Debug, Clone, Args)]
pub struct EventArgs {
    /// M3.A to M3.J, ADMISSION for the M3.G function in admission mode, or ENTRY for the M3.J function in entry mode
    #[arg(value_name = "STEP")]
    pub step: String,
    /// Evidence directory of an execution, as `run --out` wrote it; prints the event that the state machine sent to the step.
    /// A function can answer it only while the platform of that execution is up, because the event names its objects
    #[arg(long, value_name = "DIR", conflicts_with = "after")]
    pub from: Option<PathBuf>,
    /// Event of a step and the result that answered it; prints the event that follows
    #[arg(long, num_args = 2, value_names = ["EVENT", "RESULT"])]
    pub after: Option<Vec<PathBuf>>,
}

/// Options of `cargo p1 outputs`.
#[derive(Debug, Clone, Default, Args)]
pub struct OutputsArgs {
    /// A stack already deployed on AWS (ordinary AWS credentials and region) instead of the local platform that is up
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Write them to this S3 URI instead of printing them; an existing object is replaced, but never one below evidence/
    #[arg(long, value_name = "S3URI")]
    pub upload: Option<String>,
    /// Write them to this file instead of printing them
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print one JSON object on standard output, and nothing else: the outputs, and where they were written
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 close`.
#[derive(Debug, Clone, Default, Args)]
pub struct CloseArgs {
    /// Evidence directory of a run, as `run --out` wrote it
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Directory that holds platform.build_plan.md, platform.impl_actual.md and logbook.md
    #[arg(long, value_name = "DIR", required_unless_present_all = ["master_plan", "implementation_map", "logbook"])]
    pub docs: Option<PathBuf>,
    /// The master plan, instead of platform.build_plan.md below --docs
    #[arg(long, value_name = "FILE")]
    pub master_plan: Option<PathBuf>,
    /// The implementation map, instead of platform.impl_actual.md below --docs
    #[arg(long, value_name = "FILE")]
    pub implementation_map: Option<PathBuf>,
    /// The logbook, instead of logbook.md below --docs; a directory has one file a day, YYYY-MM-DD.md
    #[arg(long, value_name = "FILE")]
    pub logbook: Option<PathBuf>,
    /// Public key (PEM) that must have signed the verdict; repeatable
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// Where to write what was appended where (default: beside DIR, with the ending .closure.json)
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// Print one JSON object on standard output, and nothing else
    #[arg(long)]
    pub json: bool,
}

/// Options of `cargo p1 bench`. All of them, `--help` included, are passed to the benchmark.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Options of the benchmark
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    pub options: Vec<OsString>,
}
