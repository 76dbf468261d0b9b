//! What M3.I learns from outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AuditProblem, ClosureAudit};
use crate::artifacts::ClosureBlockers;

/// What the step learned: every closure as it stands in S3 now, and what the run was held by before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The audits of M3.A … M3.H, as far as the run came, then of the admission.
    pub audits: Vec<ClosureAudit>,
    /// The holds of earlier executions. Evidence of revision 1 has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<EarlierHolds>,
}

/// The holds of earlier executions of a run, as its admissions name them, one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlierHolds {
    /// The closures that held, oldest first.
    pub holds: Vec<ClosureBlockers>,
    /// What could not be read, so that still earlier holds are not known; empty when all are.
    pub problems: Vec<AuditProblem>,
}
