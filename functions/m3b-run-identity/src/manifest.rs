//! The oracle input manifest: pinned by the operator, or composed of one manifest per required output
//! (contract section 4).

use futures_util::future::try_join_all;
use p1_contract::handles::HandleFacts;
use p1_contract::hash::Sha256Hex;
use p1_contract::identity::ManifestEntry;
use p1_contract::ids::{BucketName, S3Key};
use p1_contract::input::PinnedManifest;
use p1_contract::pattern;
use p1_runtime::store::{DOCUMENT_LIMIT, Read};
use p1_runtime::{Fault, StepContext};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// How many manifests are read at once.
const AT_ONCE: usize = 64;

pub(crate) async fn read(ctx: &StepContext<'_>, handles: &HandleFacts) -> Result<ManifestFact, Fault> {
    if let Some(pinned) = ctx.input.input.pinned_manifest() {
        let store = handles.text("ORACLE_STORE_BUCKET").ok().map(str::to_owned);
        // Nothing is read from elsewhere than the oracle store.
        let read = if store.as_deref() == Some(pinned.uri.bucket.as_str()) {
            one(ctx, &pinned.uri.bucket, "", pinned.uri.key.clone()).await?
        } else {
            let problem = Some("is not in ORACLE_STORE_BUCKET, and was not read".to_owned());
            ManifestRead {
                output_id: String::new(),
                key: pinned.uri.key.clone(),
                sha256: None,
                problem,
            }
        };
        return Ok(ManifestFact::Pinned {
            pinned: pinned.clone(),
            store,
            read,
        });
    }
    let places = match places(handles) {
        Ok(places) => places,
        Err((handle, problem)) => return Ok(ManifestFact::Unresolvable { handle, problem }),
    };
    let mut reads = Vec::with_capacity(places.keys.len());
    for chunk in places.keys.chunks(AT_ONCE) {
        let wave = chunk
            .iter()
            .map(|(output_id, key)| one(ctx, &places.bucket, output_id, key.clone()));
        reads.extend(try_join_all(wave).await?);
    }
    Ok(ManifestFact::Composite { uri: places.uri, reads })
}

struct Places {
    bucket: BucketName,
    uri: String,
    keys: Vec<(String, S3Key)>,
}

fn places(handles: &HandleFacts) -> Result<Places, (String, String)> {
    let named = |problem: p1_contract::handles::HandleProblem| (problem.key, problem.problem);
    let wrong = |key: &str, problem: String| (key.to_owned(), problem);
    let store = handles.text("ORACLE_STORE_BUCKET").map_err(named)?;
    let bucket = BucketName::parse(store).map_err(|e| wrong("ORACLE_STORE_BUCKET", e.to_string()))?;
    let namespace = handles.text("ORACLE_SOURCE_NAMESPACE").map_err(named)?;
    let engine_run = handles.text("ORACLE_ENGINE_RUN_ID").map_err(named)?;
    let tokens = [
        ("oracle_source_namespace", namespace),
        ("oracle_engine_run_id", engine_run),
    ];
    let key = "S3_STREAM_VIEW_PREFIX_PATTERN";
    let prefix = pattern::fill(handles.text(key).map_err(named)?, &tokens).map_err(|e| wrong(key, e.to_string()))?;
    let key = "S3_STREAM_VIEW_MANIFEST_KEY_PATTERN";
    let manifest = handles.text(key).map_err(named)?;
    let mut keys = Vec::new();
    for output_id in handles.texts("ORACLE_REQUIRED_OUTPUT_IDS").map_err(named)? {
        let tokens = [tokens[0], tokens[1], ("output_id", output_id.as_str())];
        let resolved = pattern::resolve(manifest, &tokens).map_err(|e| wrong(key, format!("{output_id}: {e}")))?;
        keys.push((output_id, resolved));
    }
    Ok(Places {
        uri: format!("s3://{bucket}/{prefix}"),
        bucket,
        keys,
    })
}

async fn one(ctx: &StepContext<'_>, bucket: &BucketName, output_id: &str, key: S3Key) -> Result<ManifestRead, Fault> {
    let (sha256, problem) = match ctx.read(bucket, &key, None, DOCUMENT_LIMIT).await? {
        Read::Found(object) => (Some(Sha256Hex::of(&object.bytes)), None),
        Read::NotFound => (None, Some("is not there".to_owned())),
        Read::Denied => (None, Some("may not be read".to_owned())),
        Read::TooLarge(bytes) => (None, Some(format!("is {bytes} bytes, the limit is {DOCUMENT_LIMIT}"))),
    };
    Ok(ManifestRead {
        output_id: output_id.to_owned(),
        key,
        sha256,
        problem,
    })
}
