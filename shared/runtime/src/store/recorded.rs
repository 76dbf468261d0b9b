//! The store as an execution left it. It is read-only, for recomputing the execution from its evidence.
//!
//! Creating an object writes nothing. It returns the recorded outcome for that object and notes the call, so that the bytes can
//! be compared with the recording. Every other question is a fault, because its answer is in the observations, and a step that
//! adopts those asks nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, S3Key};
use p1_contract::observations::Written;
use p1_contract::reference::ArtifactRef;

use super::{Object, Read};
use crate::fault::Fault;
use crate::lock::locked;

/// An object that a step created while it observed, recreated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recreated {
    /// Its name.
    pub name: String,
    /// Its key in the evidence bucket.
    pub key: S3Key,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The evidence bucket as an execution left it.
#[derive(Debug, Clone)]
pub struct RecordedStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    bucket: BucketName,
    objects: BTreeMap<S3Key, Object>,
    ends: Mutex<BTreeMap<S3Key, Written>>,
    creations: Mutex<Vec<Recreated>>,
}

impl RecordedStore {
    /// The recording of `bucket`, with one version of each key.
    #[must_use]
    pub fn new(bucket: BucketName, objects: BTreeMap<S3Key, Object>) -> Self {
        RecordedStore {
            inner: Arc::new(Inner {
                bucket,
                objects,
                ends: Mutex::default(),
                creations: Mutex::default(),
            }),
        }
    }

    /// The object at `key`.
    #[must_use]
    pub fn object(&self, key: &S3Key) -> Option<&Object> {
        self.inner.objects.get(key)
    }

    /// Notes the outcomes of writes from the execution's summary. No bucket shows that an object could not be stored. An outcome
    /// that it was stored is needed for objects that the recording lacks.
    pub fn note_ends(&self, ends: BTreeMap<S3Key, Written>) {
        *locked(&self.inner.ends) = ends;
    }

    /// Returns everything that was to be created since the last call, in the order of the calls.
    #[must_use]
    pub fn take_creations(&self) -> Vec<Recreated> {
        std::mem::take(&mut locked(&self.inner.creations))
    }

    pub(super) fn read(&self, bucket: &BucketName, key: &S3Key, version: Option<&str>, limit: u64) -> Read {
        let found = self.object(key).filter(|_| *bucket == self.inner.bucket);
        match found.filter(|object| version.is_none() || version == object.version_id.as_deref()) {
            None => Read::NotFound,
            Some(object) => Read::within(limit, object.clone()),
        }
    }

    pub(super) fn create(&self, bucket: &BucketName, key: &S3Key, name: &str, bytes: &[u8]) -> Written {
        locked(&self.inner.creations).push(Recreated {
            name: name.to_owned(),
            key: key.clone(),
            bytes: bytes.to_vec(),
        });
        let ends = locked(&self.inner.ends);
        let sha256 = Sha256Hex::of(bytes);
        let stored = |version_id: Option<String>, etag: String| {
            Written::Stored(ArtifactRef {
                name: name.to_owned(),
                bucket: bucket.clone(),
                key: key.clone(),
                version_id,
                etag,
                sha256: sha256.clone(),
                bytes: bytes.len() as u64,
            })
        };
        match (ends.get(key), self.read(bucket, key, None, u64::MAX)) {
            (None | Some(Written::Stored(_)), Read::Found(object)) => match Sha256Hex::of(&object.bytes) {
                found if found == sha256 => stored(object.version_id, object.etag),
                found => Written::Occupied { found },
            },
            (Some(Written::Stored(said)), _) => stored(said.version_id.clone(), said.etag.clone()),
            (Some(failure), _) => failure.clone(),
            (None, _) => Written::Refused("the recording does not have it".to_owned()),
        }
    }
}

/// The fault for a question that a recording cannot answer.
pub(super) fn unanswerable(operation: String) -> Fault {
    Fault::internal(
        operation,
        "a recording answers no such question; its answers are the observations",
    )
}
