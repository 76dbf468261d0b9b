//! What P1's steps store before they conclude anything: the envelope, and the shape of each step's observations, a file a step.
//!
//! They are evidence as the artifacts are: whoever reads it back, a retry, an audit or a replay, reads these types.

pub mod admission;
mod answers;
mod audit;
pub mod config_digest;
pub mod cost_envelope;
pub mod gate_rollup;
pub mod handle_closure;
mod learned;
pub mod m4_handoff;
pub mod orchestrator_readiness;
pub mod phase_entry;
pub mod phase_verdict;
pub mod rerun_discipline;
pub mod run_identity;
pub mod run_publication;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::written::{WriteFailure, Written};
pub use answers::{ExecutionAnswer, MachineAnswer};
pub use audit::{AuditProblem, ClosureAudit, Prerequisite, SummaryFacts};
pub use learned::{Learned, TodaysRegistry};

use crate::reference::{ArtifactRef, ObjectRef};
use crate::secrets::SecretHit;
use crate::settings::Settings;

/// What is stored before anything is concluded: everything that the step learned from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observations<O = Value> {
    /// The objects that were read.
    pub reads: Vec<ObjectRef>,
    /// The run-scoped objects that were created.
    pub created: Vec<ArtifactRef>,
    /// Where secret material stood; it is redacted in `observed`.
    pub redactions: Vec<SecretHit>,
    /// The deployment's settings that the step went by. Evidence of revision 1 has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// What the step observed, in its own shape.
    pub observed: O,
}
