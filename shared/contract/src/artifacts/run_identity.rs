//! M3.B: run identity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::artifact;
use crate::identity::SeedInputs;
use crate::ids::{PlatformRunId, Stamp};

/// Who the run is, and how that was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunIdGenerationSnapshot {
    /// The id that the execution's stamp gives.
    pub candidate_platform_run_id: PlatformRunId,
    /// The id that was reserved; none past suffix `_20`.
    pub final_platform_run_id: Option<PlatformRunId>,
    /// Whether a candidate was taken.
    pub collision_detected: bool,
    /// How many candidates were taken.
    pub collision_attempts: u32,
    /// The pinned format, as a regular expression. Evidence of revision 1 does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_run_id_regex: Option<String>,
    /// Whether the id has the pinned format.
    pub format_check_pass: bool,
    /// How the scenario id is derived.
    pub scenario_derivation_mode: Option<String>,
    /// Whether deriving it again gave the same.
    pub scenario_derivation_recompute_pass: bool,
    /// The verdict.
    pub overall_pass: bool,
}
artifact!(RunIdGenerationSnapshot, "m3b_run_id_generation_snapshot");

/// What a probe of one candidate id found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProbeOutcome {
    /// Its ledger's first record is ours, and nothing else lies under its root.
    Reserved,
    /// Its ledger's first record is another execution's.
    LedgerTaken,
    /// Its root holds objects that are not its ledger.
    RootOccupied,
}

/// The probe of one candidate id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CollisionProbe {
    /// The candidate.
    pub candidate_platform_run_id: PlatformRunId,
    /// What was found.
    pub outcome: ProbeOutcome,
    /// How many objects beside the ledger lie under its root, at most 1,000 counted.
    pub foreign_objects: u32,
}

/// The probes, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CollisionProbeReceipts {
    /// The probes.
    pub probes: Vec<CollisionProbe>,
}
artifact!(CollisionProbeReceipts, "m3b_collision_probe_receipts");

/// What the identity is derived from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunIdentitySeed {
    /// The stamp of the execution that minted the run.
    pub pinned_at_utc: Stamp,
    /// The inputs of the derivation; none where the contract of the derivation did not hold.
    pub seed_inputs: Option<SeedInputs>,
}
artifact!(RunIdentitySeed, "m3b_run_identity_seed");
