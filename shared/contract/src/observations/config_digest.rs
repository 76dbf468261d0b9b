//! What M3.C learns from outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evidence::RunIds;
use crate::handles::HandleFacts;
use crate::identity::SeedInputs;

/// What the step learned from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The ids that M3.B closed.
    pub run: RunIds,
    /// The seed that M3.B closed.
    pub seed: Option<SeedInputs>,
    /// The handles of the digest.
    pub handles: HandleFacts,
}
