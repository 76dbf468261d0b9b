//! The command line of `cargo p1 lint`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The text of `lint --help` below the exit statuses.
pub(super) const LINT_NOTES: &str = "\
The first step that blocks is the one that a run would be held by. The steps after it are judged as if it were mended: \
a run would be held by them next. What a step names is not repeated by later ones.

What no document says is assumed to be right: the state machine is ACTIVE and runs as the role that the registry names, \
the evidence bucket is versioned and empty, every object that the registry points to can be read, M2 is green, and \
there is no spend yet. The account is the one of ROLE_STEP_FUNCTIONS_ORCHESTRATOR. --evidence-bucket, --state-machine \
and --role say what is deployed instead.";

/// How the findings are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, which code hosts show in place.
    Sarif,
}

/// Options of `cargo p1 lint`.
#[derive(Debug, Clone, Default, Args)]
pub struct LintArgs {
    /// Handles registry (Markdown)
    #[arg(value_name = "REGISTRY")]
    pub registry: PathBuf,
    /// Stack outputs as `terraform output -json` writes them; repeatable
    #[arg(long = "stack-outputs", value_name = "FILE")]
    pub stack_outputs: Vec<PathBuf>,
    /// M2 receipt (JSON), instead of a green one
    #[arg(long, value_name = "FILE")]
    pub m2_receipt: Option<PathBuf>,
    /// Billing artifact (JSON) of this month, instead of one without spend
    #[arg(long, value_name = "FILE")]
    pub billing: Option<PathBuf>,
    /// The environment that the registry is for
    #[arg(long, value_name = "NAME", default_value = "dev_full")]
    pub environment: String,
    /// The deployment's evidence bucket
    #[arg(long, value_name = "NAME")]
    pub evidence_bucket: Option<String>,
    /// The ARN of the deployment's state machine
    #[arg(long, value_name = "ARN")]
    pub state_machine: Option<String>,
    /// The ARN of the role that the state machine runs as
    #[arg(long, value_name = "ARN")]
    pub role: Option<String>,
    /// How to print the findings
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: LintFormat,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

impl LintArgs {
    /// The format that is asked for.
    #[must_use]
    pub fn format(&self) -> LintFormat {
        if self.json { LintFormat::Json } else { self.format }
    }
}
