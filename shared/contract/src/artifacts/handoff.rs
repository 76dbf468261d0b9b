//! M3.F: the handoff to M4.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::artifact;
use crate::hash::Sha256Hex;
use crate::ids::{BucketName, PhaseExecutionId, PlatformRunId, S3Key, Stamp};

/// An object that M4 can rely on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DurableReference {
    /// What it is.
    pub name: String,
    /// Its bucket.
    pub bucket: BucketName,
    /// Its key.
    pub key: S3Key,
    /// Its version.
    pub version_id: Option<String>,
    /// Its hash.
    pub sha256: Sha256Hex,
}

/// What M4 gets: the triplet stands in the header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct M4HandoffPack {
    /// The variable that scopes a runtime to the run.
    pub required_platform_run_id_env_key: String,
    /// Its value for this run.
    pub required_platform_run_id_env_value: PlatformRunId,
    /// The fields that every event of the run carries.
    pub correlation_required_fields: Vec<String>,
    /// run.json, the run header and M3.D's snapshot.
    pub durable_references: Vec<DurableReference>,
    /// The phase executions of M3.A … M3.E, by step.
    pub source_execution_ids: BTreeMap<String, PhaseExecutionId>,
    /// The stamp of the execution that minted the run.
    pub pinned_at_utc: Stamp,
    /// The verdict.
    pub overall_pass: bool,
}
artifact!(M4HandoffPack, "m4_handoff_pack", run evidence);

/// How the run scope reaches a runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuntimeScopeBindingSnapshot {
    /// The variable's name; none where the registry gives none.
    pub required_platform_run_id_env_key: Option<String>,
    /// Its value.
    pub required_platform_run_id_env_value: Option<PlatformRunId>,
    /// The correlation fields that the registry lists.
    pub correlation_required_fields: Option<Vec<String>>,
    /// Whether the binding can be used.
    pub binding_pass: bool,
    /// The verdict.
    pub overall_pass: bool,
}
artifact!(RuntimeScopeBindingSnapshot, "m3f_runtime_scope_binding_snapshot");

/// The check of one reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceReceipt {
    /// What it is.
    pub name: String,
    /// Its key.
    pub key: S3Key,
    /// Its version.
    pub version_id: Option<String>,
    /// The hash that it must have.
    pub expected_sha256: Sha256Hex,
    /// The hash that it has; none where it could not be read.
    pub readback_sha256: Option<Sha256Hex>,
    /// Whether they are equal.
    pub matches: bool,
}

/// The checks of all references.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoffReferenceReceipts {
    /// The checks.
    pub references: Vec<ReferenceReceipt>,
}
artifact!(HandoffReferenceReceipts, "m3f_handoff_reference_receipts");
