//! The oracle input manifest: pinned by the operator, or composed of one manifest per required output
//! (contract section 4).

use futures_util::future::try_join_all;
use p1_contract::handles::{self, FixedHandle, HandleFacts};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, S3Key};
use p1_contract::observations::run_identity::{ManifestFact, ManifestRead};
use p1_contract::pattern;
use p1_runtime::store::{DOCUMENT_LIMIT, Read};
use p1_runtime::{Fault, StepContext};

/// How many manifests are read at once.
const AT_ONCE: usize = 64;

pub(crate) async fn read(ctx: &StepContext<'_>, handles: &HandleFacts) -> Result<ManifestFact, Fault> {
    if let Some(pinned) = ctx.input.input.pinned_manifest() {
        let store = handles.text(handles::ORACLE_STORE_BUCKET).ok().map(str::to_owned);
        // Nothing is read from elsewhere than the oracle store.
        let read = if store.as_deref() == Some(pinned.uri.bucket.as_str()) {
            one(ctx, &pinned.uri.bucket, "", pinned.uri.key.clone()).await?
        } else {
            ManifestRead {
                output_id: String::new(),
                key: pinned.uri.key.clone(),
                sha256: None,
                problem: Some("is not in ORACLE_STORE_BUCKET, and was not read".to_owned()),
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
    let named = |problem: handles::HandleProblem| (problem.key, problem.problem);
    let wrong = |key: FixedHandle, problem: String| (key.into(), problem);
    let store = handles.text(handles::ORACLE_STORE_BUCKET).map_err(named)?;
    let bucket = BucketName::parse(store).map_err(|e| wrong(handles::ORACLE_STORE_BUCKET, e.to_string()))?;
    let namespace = handles.text(handles::ORACLE_SOURCE_NAMESPACE).map_err(named)?;
    let engine_run = handles.text(handles::ORACLE_ENGINE_RUN_ID).map_err(named)?;
    let tokens = [
        ("oracle_source_namespace", namespace),
        ("oracle_engine_run_id", engine_run),
    ];
    let key = handles::S3_STREAM_VIEW_PREFIX_PATTERN;
    let prefix = pattern::fill(handles.text(key).map_err(named)?, &tokens).map_err(|e| wrong(key, e.to_string()))?;
    let key = handles::S3_STREAM_VIEW_MANIFEST_KEY_PATTERN;
    let manifest = handles.text(key).map_err(named)?;
    let mut keys = Vec::new();
    for output_id in handles.texts(handles::ORACLE_REQUIRED_OUTPUT_IDS).map_err(named)? {
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
