//! What M3.I learns from outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ClosureAudit;

/// What the step learned: every closure as it stands in S3 now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The audits of M3.A … M3.H, as far as the run came, then of the admission.
    pub audits: Vec<ClosureAudit>,
}
