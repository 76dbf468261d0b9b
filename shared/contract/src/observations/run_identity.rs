//! What M3.B learns from outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::artifacts::CollisionProbe;
use crate::handles::HandleFacts;
use crate::hash::Sha256Hex;
use crate::identity::ManifestEntry;
use crate::ids::S3Key;
use crate::input::PinnedManifest;

/// What the step learned from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// Why the pinned registry cannot be read, in words; none when it was.
    pub registry_problem: Option<String>,
    /// The handles of digest and derivation.
    pub handles: HandleFacts,
    /// The oracle input manifests.
    pub manifest: ManifestFact,
    /// The candidates that were probed, in order.
    pub probes: Vec<CollisionProbe>,
    /// The id that was reserved. A text: its format is a check of the evaluation.
    pub reserved: Option<String>,
}

/// What is known of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ManifestFact {
    /// One manifest per required output, in registry order.
    Composite {
        /// Where the outputs' manifests lie: the resolved prefix.
        uri: String,
        /// The manifests.
        reads: Vec<ManifestRead>,
    },
    /// The object that the operator pinned.
    Pinned {
        /// What the input says.
        pinned: PinnedManifest,
        /// The bucket that it must lie in; none where the handle has no value.
        store: Option<String>,
        /// The hash of its bytes, or why they cannot be read.
        read: ManifestRead,
    },
    /// The handles do not say where it lies: in words.
    Unresolvable {
        /// The handle.
        handle: String,
        /// Why.
        problem: String,
    },
}

/// What became of reading one manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManifestRead {
    /// The output; empty for a pinned manifest.
    pub output_id: String,
    /// The key.
    pub key: S3Key,
    /// The hash of its bytes; none when they cannot be read.
    pub sha256: Option<Sha256Hex>,
    /// Why they cannot be read, in words.
    pub problem: Option<String>,
}

impl ManifestRead {
    /// The entry of the composite manifest, when the bytes were read.
    #[must_use]
    pub fn entry(&self) -> Option<ManifestEntry> {
        let sha256 = self.sha256.clone()?;
        Some(ManifestEntry {
            key: self.key.clone(),
            output_id: self.output_id.clone(),
            sha256,
        })
    }
}
