//! What the step M3.G learns from outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Learned, TodaysRegistry};
use crate::artifacts::{KeyVersions, RerunAdmissionReceipt};
use crate::evidence::{RunIds, Triplet};

/// What the step learned from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The triplet that M3.B minted and M3.C proved.
    pub run: Triplet,
    /// The run's own documents, each with the ids that it carries.
    pub documents: Vec<RunDocument>,
    /// The latest registry.
    pub registry: Learned<TodaysRegistry>,
    /// P1's own keys under the run root, with their versions: `run.json`, the run header and the ledger.
    pub keys: Vec<KeyVersions>,
    /// The receipt of the admission; none where the chain has no admission.
    pub admission: Option<Learned<RerunAdmissionReceipt>>,
}

/// A document that carries the triplet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunDocument {
    /// Its name: `run`, `run_header` or `m4_handoff_pack`.
    pub name: String,
    /// The ids in its header, or why it could not be read.
    pub run: Learned<RunIds>,
}
