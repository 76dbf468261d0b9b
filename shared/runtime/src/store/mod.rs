//! The evidence store: reads, and create-only writes with the contract's answer table (section 2).
//!
//! **No method overwrites or deletes**, so every object is written once. There are two implementations, S3 and memory, and one
//! conformance suite runs on both. A third one, the recording of an execution that has ended, writes nothing.

mod keys;
#[cfg(any(test, feature = "memory"))]
mod memory;
mod recorded;
mod s3;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, S3Key};
use p1_contract::observations::Written;
use p1_contract::reference::{ArtifactRef, ObjectRef};

pub use self::keys::decoded;
#[cfg(any(test, feature = "memory"))]
pub use self::memory::MemoryStore;
use self::recorded::unanswerable;
pub use self::recorded::{RecordedStore, Recreated};
pub use self::s3::S3Store;
use crate::fault::Fault;

/// The largest JSON document in bytes that is read.
pub const DOCUMENT_LIMIT: u64 = 1 << 20;
/// The largest registry in bytes that is read.
pub const REGISTRY_LIMIT: u64 = 4 << 20;

/// An object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its version.
    pub version_id: Option<String>,
    /// Its entity tag, without quotes.
    pub etag: String,
}

/// The answer to a read. All other outcomes are faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// The object exists.
    Found(Object),
    /// The object or its version does not exist.
    NotFound,
    /// We may not read it.
    Denied,
    /// The object is larger than the limit of the read. The value is its length.
    TooLarge(u64),
}

impl Read {
    fn within(limit: u64, object: Object) -> Self {
        match object.bytes.len() as u64 {
            length if length > limit => Read::TooLarge(length),
            _ => Read::Found(object),
        }
    }
}

/// The answer to one create-only PUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutAnswer {
    /// The object was created.
    Created {
        /// The new version.
        version_id: Option<String>,
    },
    /// `PreconditionFailed`: the key exists.
    Exists,
    /// `ConditionalRequestConflict`: another write to the key is in progress.
    Conflict,
    /// We may not write there, or the bucket does not exist.
    Refused(String),
    /// Any other answer, or none. The object may or may not have been written.
    Unknown(String),
}

/// A key with the number of its versions and delete markers. Foreign keys are listed too, so the key can be any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionCount {
    /// The key.
    pub key: String,
    /// The number of its versions.
    pub versions: u32,
    /// The number of its delete markers.
    pub delete_markers: u32,
}

impl VersionCount {
    /// The problem with a key that must be written once and never deleted. Returns `None` if there is no problem.
    #[must_use]
    pub fn rewritten(&self) -> Option<String> {
        let (versions, markers) = (self.versions, self.delete_markers);
        (versions > 1 || markers > 0).then(|| format!("has {versions} versions and {markers} delete markers"))
    }
}

/// The result of listing versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// The keys in order. There are at most as many as were requested.
    pub counts: Vec<VersionCount>,
    /// Whether the list is complete. If it is not, the count of the last key is a lower bound.
    pub complete: bool,
}

impl Versions {
    fn of(counts: BTreeMap<String, (u32, u32)>, limit: usize, complete: bool) -> Self {
        let complete = complete && counts.len() <= limit;
        let count = |(key, (versions, delete_markers))| VersionCount {
            key,
            versions,
            delete_markers,
        };
        Versions {
            counts: counts.into_iter().take(limit).map(count).collect(),
            complete,
        }
    }
}

/// The properties of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketPosture {
    /// It answers.
    Reachable {
        /// Whether versioning is enabled.
        versioned: bool,
    },
    /// There is no bucket with this name.
    NotFound,
    /// We may not ask about it.
    Denied,
}

/// The store, on S3 or in memory.
#[derive(Debug, Clone)]
pub enum Store {
    /// S3.
    S3(S3Store),
    /// The recording of an execution, for recomputing it.
    Recorded(RecordedStore),
    /// Memory, for tests of the steps.
    #[cfg(any(test, feature = "memory"))]
    Memory(MemoryStore),
}

/// The number of attempts before the outcome of a write counts as inconclusive.
const WRITE_ATTEMPTS: u32 = 4;

impl Store {
    /// Whether it is the recording of an execution.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        matches!(self, Store::Recorded(_))
    }

    /// Reads an object, in the named version or the latest one.
    ///
    /// # Errors
    /// Fails if the store gives no answer.
    pub async fn read(
        &self,
        bucket: &BucketName,
        key: &S3Key,
        version: Option<&str>,
        limit: u64,
    ) -> Result<Read, Fault> {
        match self {
            Store::S3(store) => store.read(bucket, key, version, limit).await,
            Store::Recorded(store) => Ok(store.read(bucket, key, version, limit)),
            #[cfg(any(test, feature = "memory"))]
            Store::Memory(store) => store.read(bucket, key, version, limit),
        }
    }

    async fn put_if_absent(&self, bucket: &BucketName, key: &S3Key, bytes: &[u8], hash: &Sha256Hex) -> PutAnswer {
        match self {
            Store::S3(store) => store.put_if_absent(bucket, key, bytes, hash).await,
            Store::Recorded(_) => PutAnswer::Refused("a recording is not written to".to_owned()),
            #[cfg(any(test, feature = "memory"))]
            Store::Memory(store) => store.put_if_absent(bucket, key, bytes),
        }
    }

    /// Lists at most `limit` keys under `prefix`, in order. The list includes keys that are no [`S3Key`], because other writers
    /// use the bucket too.
    ///
    /// # Errors
    /// Fails if the store gives no answer.
    pub async fn list(&self, bucket: &BucketName, prefix: &str, limit: usize) -> Result<Vec<String>, Fault> {
        match self {
            Store::S3(store) => store.list(bucket, prefix, limit).await,
            Store::Recorded(_) => Err(unanswerable(format!("list s3://{bucket}/{prefix}"))),
            #[cfg(any(test, feature = "memory"))]
            Store::Memory(store) => Ok(store.list(bucket, prefix, limit)),
        }
    }

    /// Lists at most `limit` keys under `prefix` with their versions and delete markers, in order.
    ///
    /// # Errors
    /// Fails if the store gives no answer.
    pub async fn list_versions(&self, bucket: &BucketName, prefix: &str, limit: usize) -> Result<Versions, Fault> {
        match self {
            Store::S3(store) => store.list_versions(bucket, prefix, limit).await,
            Store::Recorded(_) => Err(unanswerable(format!("list the versions of s3://{bucket}/{prefix}"))),
            #[cfg(any(test, feature = "memory"))]
            Store::Memory(store) => Ok(store.list_versions(bucket, prefix, limit)),
        }
    }

    /// The versions and delete markers of one key. Both counts are 0 if the key was never written.
    ///
    /// # Errors
    /// Fails if the store gives no answer.
    pub async fn versions_of(&self, bucket: &BucketName, key: &S3Key) -> Result<VersionCount, Fault> {
        // The prefix itself is the first of all keys under it.
        let listed = self.list_versions(bucket, key.as_str(), 1).await?;
        let own = listed.counts.into_iter().find(|count| count.key == key.as_str());
        Ok(own.unwrap_or_else(|| VersionCount {
            key: key.to_string(),
            versions: 0,
            delete_markers: 0,
        }))
    }

    /// Asks whether the bucket answers and is versioned.
    ///
    /// # Errors
    /// Fails if the store gives no answer.
    pub async fn posture(&self, bucket: &BucketName) -> Result<BucketPosture, Fault> {
        match self {
            Store::S3(store) => store.posture(bucket).await,
            Store::Recorded(_) => Err(unanswerable(format!("query bucket {bucket}"))),
            #[cfg(any(test, feature = "memory"))]
            Store::Memory(store) => Ok(store.posture(bucket)),
        }
    }

    /// Creates an object and reads it back by version: the answer table of the contract's section 2.
    pub async fn create(&self, bucket: &BucketName, key: &S3Key, name: &str, bytes: &[u8]) -> Written {
        if let Store::Recorded(store) = self {
            return store.create(bucket, key, name, bytes);
        }
        let hash = Sha256Hex::of(bytes);
        let mut last = String::from("no answer");
        for attempt in 0..WRITE_ATTEMPTS {
            if attempt > 0 {
                pause(attempt).await;
            }
            match self.put_if_absent(bucket, key, bytes, &hash).await {
                PutAnswer::Created { version_id } => {
                    return match self.read(bucket, key, version_id.as_deref(), bytes.len() as u64).await {
                        Ok(read) => judge(bucket, key, name, &hash, read, Seen::ReadBack),
                        Err(fault) => Written::Inconclusive(fault.to_string()),
                    };
                }
                PutAnswer::Refused(why) => return Written::Refused(why),
                answer @ (PutAnswer::Exists | PutAnswer::Conflict | PutAnswer::Unknown(_)) => {
                    // The key was written, perhaps by an earlier attempt of ours whose answer was lost. Only the bytes show whose
                    // object it is.
                    last = describe(&answer);
                    match self.read(bucket, key, None, FOREIGN_LIMIT).await {
                        Ok(Read::NotFound) => {}
                        Ok(read) => return judge(bucket, key, name, &hash, read, Seen::AlreadyThere),
                        Err(fault) => return Written::Inconclusive(fault.to_string()),
                    }
                }
            }
        }
        Written::Inconclusive(format!(
            "{last}, and the object is not there after {WRITE_ATTEMPTS} attempts"
        ))
    }
}

/// How many bytes are read of an object that occupies a key, to compare it. No evidence of ours is larger.
const FOREIGN_LIMIT: u64 = 8 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    ReadBack,
    AlreadyThere,
}

fn describe(answer: &PutAnswer) -> String {
    match answer {
        PutAnswer::Exists => "412 precondition failed".to_owned(),
        PutAnswer::Conflict => "409 conditional conflict".to_owned(),
        PutAnswer::Unknown(why) | PutAnswer::Refused(why) => why.clone(),
        PutAnswer::Created { .. } => "created".to_owned(),
    }
}

fn judge(bucket: &BucketName, key: &S3Key, name: &str, hash: &Sha256Hex, read: Read, seen: Seen) -> Written {
    match read {
        Read::Found(object) => {
            let found = Sha256Hex::of(&object.bytes);
            if &found == hash {
                Written::Stored(ArtifactRef {
                    name: name.to_owned(),
                    bucket: bucket.clone(),
                    key: key.clone(),
                    version_id: object.version_id,
                    etag: object.etag,
                    sha256: found,
                    bytes: object.bytes.len() as u64,
                })
            } else if seen == Seen::ReadBack {
                Written::Altered { found }
            } else {
                Written::Occupied { found }
            }
        }
        Read::NotFound => Written::Vanished,
        Read::Denied => Written::Inconclusive("the object may not be read".to_owned()),
        Read::TooLarge(bytes) if seen == Seen::ReadBack => {
            Written::Inconclusive(format!("read back with {bytes} bytes"))
        }
        Read::TooLarge(bytes) => Written::Inconclusive(format!("the key holds an object of {bytes} bytes")),
    }
}

/// Waits with exponential backoff and full jitter: at most 100 ms, 200 ms, 400 ms.
async fn pause(attempt: u32) {
    let most = 50_u64 << attempt.min(6);
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=most))).await;
}

/// The reference to an object that was read.
#[must_use]
pub fn object_ref(bucket: &BucketName, key: &S3Key, object: &Object) -> ObjectRef {
    ObjectRef {
        bucket: bucket.clone(),
        key: key.clone(),
        version_id: object.version_id.clone(),
        sha256: Sha256Hex::of(&object.bytes),
        bytes: object.bytes.len() as u64,
    }
}
