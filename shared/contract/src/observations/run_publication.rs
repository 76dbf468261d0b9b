//! What M3.E learns from outside, and what became of its writes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prerequisite, Written};
use crate::evidence::RunIds;
use crate::handles::HandleFacts;
use crate::ids::Stamp;

/// What the step learned from outside, and the end state of its writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// What the publication rests on.
    pub facts: Facts,
    /// The writes; none when a prerequisite did not hold.
    pub writes: Option<Writes>,
}

/// What the publication rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// M3.A … M3.D, in order.
    pub prerequisites: Vec<Prerequisite>,
    /// The ids that the chain has closed.
    pub run: RunIds,
    /// When the run was minted; none where M3.B's seed cannot be read.
    pub pinned_at_utc: Option<Stamp>,
    /// The orchestrator as M3.D closed it; none where that cannot be read.
    pub orchestrator: Option<Orchestrator>,
    /// The handles of the run's paths.
    pub handles: HandleFacts,
    /// Why the ledger is not ours, in words; none when it is.
    pub ledger_lost: Option<String>,
}

/// The orchestrator as M3.D closed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Orchestrator {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its role.
    pub role_arn: String,
    /// Who may commit readiness.
    pub authority: String,
    /// The variable that scopes a runtime to the run.
    pub env_key: String,
}

/// The end state of both writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Writes {
    /// `run.json`.
    pub run_json: Written,
    /// The run header.
    pub run_header: Written,
}
