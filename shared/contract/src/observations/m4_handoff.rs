//! What M3.F learns from outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Prerequisite;
use crate::evidence::RunIds;
use crate::handles::HandleFacts;
use crate::hash::Sha256Hex;
use crate::ids::Stamp;
use crate::reference::ArtifactRef;

/// What the step learned from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The closures that the handoff rests on, M3.A … M3.E, in order.
    pub sources: Vec<Prerequisite>,
    /// The ids that the chain has closed.
    pub run: RunIds,
    /// When the run was minted; none where M3.B's seed cannot be read.
    pub pinned_at_utc: Option<Stamp>,
    /// The objects that M4 will rely on.
    pub references: Vec<ReferenceFact>,
    /// The handles of the handoff.
    pub handles: HandleFacts,
    /// Why the ledger is not ours, in words; none when it is.
    pub ledger_lost: Option<String>,
}

/// An object that M4 will rely on, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceFact {
    /// What it is.
    pub name: String,
    /// What the closure says of it; none where it lists no such artifact.
    pub listed: Option<ArtifactRef>,
    /// The hash that it has now; none where it cannot be read.
    pub found: Option<Sha256Hex>,
    /// What became of reading it, in words.
    pub outcome: String,
}
