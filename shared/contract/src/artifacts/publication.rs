//! M3.E: the durable run evidence, and the receipts of its writing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::artifact;
use crate::hash::Sha256Hex;
use crate::ids::{S3Key, Stamp};
use crate::reference::ClosureRef;

/// The orchestrator that the run is pinned on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrchestratorReference {
    /// Its name.
    pub state_machine_name: String,
    /// Its ARN.
    pub state_machine_arn: String,
    /// Its role.
    pub role_arn: String,
    /// Who may commit readiness.
    pub sr_ready_commit_authority: String,
}

/// `run.json`. On its own it never means pinned: the ledger's commit does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// The stamp of the execution that minted the run.
    pub pinned_at_utc: Stamp,
    /// The orchestrator.
    pub orchestrator: OrchestratorReference,
    /// Where the run's ledger lies.
    pub ledger_prefix: String,
    /// The closures that the run was pinned on, M3.A … M3.D.
    pub source_closures: Vec<ClosureRef>,
}
artifact!(RunRecord, "run", run evidence);

/// The run header: what every later phase reads first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunHeader {
    /// The stamp of the execution that minted the run.
    pub pinned_at_utc: Stamp,
    /// The same time, where the registry has the handle `FIELD_WRITTEN_AT_UTC`, whose value is this field's name: evidence knows
    /// one time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at_utc: Option<Stamp>,
    /// The variable that scopes a runtime to the run.
    pub required_platform_run_id_env_key: String,
    /// The value of `CONFIG_DIGEST_ALGO`.
    pub config_digest_algo: String,
    /// Where `run.json` lies.
    pub run_json_key: S3Key,
    /// The hash of `run.json`.
    pub run_json_sha256: Sha256Hex,
}
artifact!(RunHeader, "run_header", run evidence);

/// The receipt of `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunJsonWriteReceipt {
    /// Its key; none where it could not be resolved.
    pub resolved_run_json_key: Option<S3Key>,
    /// The hash of what was to be written.
    pub local_sha256: Option<Sha256Hex>,
    /// The entity tag.
    pub s3_etag: Option<String>,
    /// The version id.
    pub s3_version_id: Option<String>,
    /// The hash of what was read back by version id.
    pub readback_sha256: Option<Sha256Hex>,
    /// Whether the key holds these bytes and no others.
    pub write_once_guard_pass: bool,
    /// The verdict.
    pub overall_pass: bool,
}
artifact!(RunJsonWriteReceipt, "m3e_run_json_write_receipt");

/// The receipt of the run header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunHeaderWriteReceipt {
    /// Its key; none where it could not be resolved.
    pub resolved_run_header_key: Option<S3Key>,
    /// The hash of what was to be written.
    pub local_sha256: Option<Sha256Hex>,
    /// The entity tag.
    pub s3_etag: Option<String>,
    /// The version id.
    pub s3_version_id: Option<String>,
    /// The hash of what was read back by version id.
    pub readback_sha256: Option<Sha256Hex>,
    /// Whether the key holds these bytes and no others.
    pub write_once_guard_pass: bool,
    /// The verdict.
    pub overall_pass: bool,
}
artifact!(RunHeaderWriteReceipt, "m3e_run_header_write_receipt");

/// The read-back of one run object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadbackReceipt {
    /// The object.
    pub key: S3Key,
    /// Its version.
    pub version_id: Option<String>,
    /// The hash of what was to be written.
    pub expected_sha256: Sha256Hex,
    /// The hash of what was read.
    pub readback_sha256: Sha256Hex,
    /// Whether they are equal.
    pub matches: bool,
}

/// The read-backs of the run evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntegrityReadbackReceipts {
    /// How write-once is kept.
    pub write_once_guard: String,
    /// The read-backs, in the order of their keys.
    pub readbacks: Vec<ReadbackReceipt>,
}
artifact!(IntegrityReadbackReceipts, "m3e_integrity_readback_receipts");
