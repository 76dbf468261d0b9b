//! References to S3 objects: what a piece of evidence was read from, or written as.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hash::Sha256Hex;
use crate::ids::{BucketName, PhaseExecutionId, S3Key};
use crate::owner::Owner;

/// One version of one object, by place and content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectRef {
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: S3Key,
    /// The version id as S3 gave it; `null` where the bucket is not versioned.
    pub version_id: Option<String>,
    /// SHA-256 of the raw bytes.
    pub sha256: Sha256Hex,
    /// Length in bytes.
    pub bytes: u64,
}

/// An object that a step created: its end state in S3, never the path to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArtifactRef {
    /// The artifact's name, such as `m3a_handle_closure_snapshot`.
    pub name: String,
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: S3Key,
    /// The version id as S3 gave it.
    pub version_id: Option<String>,
    /// The entity tag, without its quotes.
    pub etag: String,
    /// SHA-256 of the raw bytes.
    pub sha256: Sha256Hex,
    /// Length in bytes.
    pub bytes: u64,
}

impl ArtifactRef {
    /// The object, without name and tag.
    #[must_use]
    pub fn object(&self) -> ObjectRef {
        ObjectRef {
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            version_id: self.version_id.clone(),
            sha256: self.sha256.clone(),
            bytes: self.bytes,
        }
    }
}

/// A closure: an execution summary in S3, named by bucket, key, version id and hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClosureRef {
    /// The wire name of the step, or `ADMISSION`.
    pub step: Owner,
    /// The phase execution that published it.
    pub phase_execution_id: PhaseExecutionId,
    /// Its verdict.
    pub overall_pass: bool,
    /// The bucket.
    pub bucket: BucketName,
    /// The key.
    pub key: S3Key,
    /// The version id as S3 gave it.
    pub version_id: Option<String>,
    /// SHA-256 of the summary's raw bytes.
    pub sha256: Sha256Hex,
}

impl ClosureRef {
    /// The closure whose summary was stored as this artifact.
    #[must_use]
    pub fn of(summary: ArtifactRef, step: Owner, phase_execution_id: PhaseExecutionId, overall_pass: bool) -> Self {
        ClosureRef {
            step,
            phase_execution_id,
            overall_pass,
            bucket: summary.bucket,
            key: summary.key,
            version_id: summary.version_id,
            sha256: summary.sha256,
        }
    }
}
