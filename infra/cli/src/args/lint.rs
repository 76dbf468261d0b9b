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

/// What `lint --help` says of --stack.
#[cfg(feature = "operator")]
pub(super) const STACK_NOTES: &str = "\
With --stack, bucket, machine, role and environment are the stack's, and so are the stack outputs that the registry is \
compared with, unless --stack-outputs names others. AWS is asked besides what no step can see: whether the evidence \
bucket is versioned, sends its events, has the template's policy, a retention, the stack's key and no public access; \
where the alias leads; and, by CloudFormation's drift detection, whether roles, policies, rules, keys and the machine \
are what was deployed. Nothing is changed.

Asking needs s3:GetBucketVersioning, s3:GetBucketNotification, s3:GetBucketPolicy, \
s3:GetBucketObjectLockConfiguration, s3:GetEncryptionConfiguration and s3:GetBucketPublicAccessBlock on the bucket; \
states:DescribeStateMachine and states:DescribeStateMachineAlias; cloudformation:DescribeStacks, \
cloudformation:ListStackResources and cloudformation:DetectStackResourceDrift, which reads each resource with the \
caller's own permissions (the managed policy ReadOnlyAccess has them). What may not be asked, or is not answered, is \
NOT LEARNED and never taken for right.";

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
    #[cfg_attr(
        feature = "operator",
        arg(value_name = "REGISTRY", required_unless_present = "stack")
    )]
    #[cfg_attr(not(feature = "operator"), arg(value_name = "REGISTRY", required = true))]
    pub registry: Option<PathBuf>,
    /// Ask AWS about this deployed stack too (ordinary AWS credentials and region); without REGISTRY, about it alone
    #[cfg(feature = "operator")]
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// Stack outputs as `terraform output -json` writes them; repeatable
    #[arg(long = "stack-outputs", value_name = "FILE")]
    pub stack_outputs: Vec<PathBuf>,
    /// M2 receipt (JSON), instead of a green one
    #[arg(long, value_name = "FILE")]
    pub m2_receipt: Option<PathBuf>,
    /// Billing artifact (JSON) of this month, instead of one without spend
    #[arg(long, value_name = "FILE")]
    pub billing: Option<PathBuf>,
    /// The environment that the registry is for [default: dev_full, or the stack's]
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
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
