//! M3.C: config payload and digest.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::artifact;
use crate::hash::Sha256Hex;

/// What the run runs with. Its ids stand in the header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunConfigPayload {
    /// Where the oracle input manifest lies.
    pub oracle_input_manifest_uri: String,
    /// Its hash.
    pub oracle_input_manifest_sha256: Sha256Hex,
    /// The required outputs, in registry order.
    pub oracle_required_output_ids: Vec<String>,
    /// Their sort keys.
    pub oracle_sort_key_by_output_id: BTreeMap<String, Value>,
}
artifact!(RunConfigPayload, "m3c_run_config_payload");

/// The digest and its proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigDigestSnapshot {
    /// The value of `SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE`.
    pub canonicalization_mode: Option<String>,
    /// The value of `CONFIG_DIGEST_ALGO`.
    pub digest_algo: Option<String>,
    /// The value of `CONFIG_DIGEST_FIELD`.
    pub digest_field: Option<String>,
    /// The digest computed the second way.
    pub recompute_digest: Option<Sha256Hex>,
    /// Whether both ways, and M3.B's seed, agree.
    pub digest_match: bool,
    /// The verdict.
    pub overall_pass: bool,
}
artifact!(ConfigDigestSnapshot, "m3c_run_config_digest_snapshot");

/// One computation of the digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DigestReceipt {
    /// Which way.
    pub path: String,
    /// What came out.
    pub digest: Option<Sha256Hex>,
}

/// All computations of the digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DigestRecomputeReceipts {
    /// The digest profile.
    pub digest_profile: String,
    /// The computations.
    pub receipts: Vec<DigestReceipt>,
}
artifact!(DigestRecomputeReceipts, "m3c_digest_recompute_receipts");
