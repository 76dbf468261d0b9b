//! What the admission of a rerun learns from outside, and what became of its acquisition.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AuditProblem, ClosureAudit, Learned, TodaysRegistry};
use crate::artifacts::RunIdentitySeed;
use crate::blocker::Blocker;
use crate::handles::HandleFacts;
use crate::ids::ExecutionArn;
use crate::reference::{ClosureRef, ObjectRef};
use crate::step::Step;
use crate::verdict::RollupVerdict;

/// What the admission learned from outside, and whether it acquired the run's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// What the verdict rests on.
    pub facts: AdmissionFacts,
    /// The number of the ledger record that was acquired, or why none was; none where a check forbade to try.
    pub acquired: Option<Learned<u32>>,
}

/// What an admission's verdict rests on, besides its input and the acquisition of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdmissionFacts {
    /// The held summary.
    pub held: Learned<HeldFacts>,
    /// Every closure that the held step rests on, itself included, read again with all its artifacts.
    pub chain: Vec<ClosureAudit>,
    /// What the run's identity is derived from.
    pub seed: Learned<RunIdentitySeed>,
    /// The latest registry.
    pub registry: Learned<TodaysRegistry>,
    /// What each step that closed with a pass read from the registry that was pinned for it.
    pub readings: Vec<StepReading>,
    /// The run's ledger.
    pub history: History,
    /// Objects of the chain that a committed phase summary names with another version or hash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_committed: Vec<AuditProblem>,
    /// Objects of the chain, and committed phase summaries, whose key was overwritten or deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewritten: Vec<AuditProblem>,
}

/// The held summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldFacts {
    /// Its step, one of M3.A … M3.H.
    pub step: Step,
    /// The summary as a closure.
    pub closure: ClosureRef,
    /// The closures that it rests on.
    pub upstream: Vec<ClosureRef>,
}

/// What a step read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepReading {
    /// The step.
    pub step: Step,
    /// The handles that it read, as its registry had them.
    pub handles: Learned<HandleFacts>,
}

/// What the ledger tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// The held chain names no run, so there is no ledger to read.
    NoRun,
    /// What lies there is no legal ledger: in words.
    Illegal(String),
    /// The ledger was read.
    Read(Box<RunHistory>),
}

/// A ledger that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunHistory {
    /// How many records it has.
    pub records: u32,
    /// Whether this execution may take it.
    pub lock: Lock,
    /// The last summary among M3.A … M3.H that an ended execution published.
    pub last: LastSummary,
    /// What the last COMMITTED record rests on; none where nothing was committed.
    pub committed: Option<Learned<CommittedFacts>>,
}

/// Whether an execution may take the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// Nobody works on the run.
    Free,
    /// It is this execution's, from an earlier attempt.
    Ours,
    /// An execution holds it that has not ended.
    Held(ExecutionArn),
    /// An advance is committed.
    Closed,
}

/// The last summary of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LastSummary {
    /// This one.
    Found(ObjectRef),
    /// No ended holder of the ledger published any.
    None,
    /// One that cannot be read, so that it is not known which is the last: in words.
    Unknown(String),
}

/// What a committed phase summary says of going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommittedFacts {
    /// M3.I's adjudication.
    pub adjudication: Option<RollupVerdict>,
    /// The no-go blockers that stand.
    pub no_go: Vec<Blocker>,
}
