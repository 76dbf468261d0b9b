//! A store in memory that answers as S3 does: for tests of the steps' logic, and for lint.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, S3Key};

use super::{BucketPosture, Object, PutAnswer, Read, Versions};
use crate::fault::Fault;
use crate::lock::locked;

/// One entry in the history of a key.
#[derive(Debug, Clone)]
enum Entry {
    Version(Object),
    DeleteMarker,
}

impl Entry {
    fn version(&self) -> Option<&Object> {
        match self {
            Entry::Version(object) => Some(object),
            Entry::DeleteMarker => None,
        }
    }
}

fn object(bytes: Vec<u8>, version: &str) -> Object {
    Object {
        etag: Sha256Hex::of(&bytes).first(32).to_owned(),
        bytes,
        version_id: Some(version.to_owned()),
    }
}

/// Versioned buckets in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Clone, Default)]
struct Inner {
    buckets: BTreeMap<String, bool>,
    objects: BTreeMap<(String, String), Vec<Entry>>,
    denied: Vec<(String, String)>,
    scripted: Vec<PutAnswer>,
    assumed: Option<Vec<u8>>,
    next: u64,
}

impl MemoryStore {
    /// A store with these versioned buckets.
    #[must_use]
    pub fn with_buckets(names: &[&str]) -> Self {
        let store = MemoryStore::default();
        store.lock(|inner| {
            inner
                .buckets
                .extend(names.iter().map(|name| ((*name).to_owned(), true)));
        });
        store
    }

    /// A store of its own with the same content. A clone shares the content instead.
    #[must_use]
    pub fn copy(&self) -> Self {
        let inner = self.lock(|inner| inner.clone());
        MemoryStore {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    fn lock<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut locked(&self.inner))
    }

    /// Puts an input of the platform, as a new version.
    pub fn seed(&self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) -> String {
        let version = self.lock(|inner| {
            inner.next += 1;
            format!("v{:06}", inner.next)
        });
        self.seed_version(bucket, key, bytes, version)
    }

    /// Puts an object as the version with this id, as it is in a bucket of another day.
    pub fn seed_version(&self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>, version: String) -> String {
        self.push(bucket, key, Entry::Version(object(bytes.into(), &version)));
        version
    }

    fn push(&self, bucket: &str, key: &str, entry: Entry) {
        let place = (bucket.to_owned(), key.to_owned());
        self.lock(|inner| inner.objects.entry(place).or_default().push(entry));
    }

    /// Puts an object as if its key had never been used, so that a test can rebuild its example.
    pub fn seed_anew(&self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) -> String {
        let place = (bucket.to_owned(), key.to_owned());
        self.lock(|inner| inner.objects.remove(&place));
        self.seed(bucket, key, bytes)
    }

    /// Puts an object as a create-only write does. A second write of the same bytes returns the existing version.
    pub fn seed_once(&self, bucket: &str, key: &str, bytes: impl Into<Vec<u8>>) -> String {
        let bytes = bytes.into();
        let place = (bucket.to_owned(), key.to_owned());
        let there = self.lock(|inner| inner.objects.get(&place)?.last()?.version().cloned());
        let same = there.filter(|object| object.bytes == bytes);
        let version = same.and_then(|object| object.version_id);
        version.unwrap_or_else(|| self.seed(bucket, key, bytes))
    }

    /// Hides an object behind a delete marker, as somebody outside P1 might do.
    pub fn delete(&self, bucket: &str, key: &str) {
        self.push(bucket, key, Entry::DeleteMarker);
    }

    /// Sets whether a bucket exists and is versioned.
    pub fn set_bucket(&self, name: &str, versioned: Option<bool>) {
        self.lock(|inner| match versioned {
            Some(versioned) => inner.buckets.insert(name.to_owned(), versioned),
            None => inner.buckets.remove(name),
        });
    }

    /// Makes reads of a key answer *denied*.
    pub fn deny(&self, bucket: &str, key: &str) {
        self.lock(|inner| inner.denied.push((bucket.to_owned(), key.to_owned())));
    }

    /// Sets the answers of the next PUTs, in order. They write nothing.
    pub fn script(&self, answers: Vec<PutAnswer>) {
        self.lock(|inner| inner.scripted = answers);
    }

    /// Makes reads of objects that are not there answer these bytes, except below `evidence/` of a bucket that exists: there the
    /// steps must see what they wrote themselves, and nothing else.
    pub fn assume(&self, bytes: impl Into<Vec<u8>>) {
        self.lock(|inner| inner.assumed = Some(bytes.into()));
    }

    /// All keys of a bucket with their latest bytes.
    #[must_use]
    pub fn dump(&self, bucket: &str) -> BTreeMap<String, Vec<u8>> {
        self.lock(|inner| {
            let of_bucket = inner.objects.iter().filter(|((name, _), _)| name == bucket);
            of_bucket
                .filter_map(|((_, key), versions)| Some((key.clone(), versions.last()?.version()?.bytes.clone())))
                .collect()
        })
    }

    pub(super) fn read(
        &self,
        bucket: &BucketName,
        key: &S3Key,
        version: Option<&str>,
        limit: u64,
    ) -> Result<Read, Fault> {
        let place = (bucket.as_str().to_owned(), key.as_str().to_owned());
        Ok(self.lock(|inner| {
            if inner.denied.contains(&place) {
                return Read::Denied;
            }
            let versions = inner.objects.get(&place).map_or(&[][..], Vec::as_slice);
            let found = match version {
                None => versions.last().and_then(Entry::version),
                Some(id) => versions
                    .iter()
                    .filter_map(Entry::version)
                    .find(|object| object.version_id.as_deref() == Some(id)),
            };
            let is_evidence = place.1.starts_with("evidence/") && inner.buckets.contains_key(&place.0);
            let assumed = inner.assumed.clone().filter(|_| !is_evidence);
            let assumed = assumed.map(|bytes| object(bytes, "assumed"));
            match found.cloned().or(assumed) {
                None => Read::NotFound,
                Some(object) => Read::within(limit, object),
            }
        }))
    }

    pub(super) fn put_if_absent(&self, bucket: &BucketName, key: &S3Key, bytes: &[u8]) -> PutAnswer {
        let scripted = self.lock(|inner| (!inner.scripted.is_empty()).then(|| inner.scripted.remove(0)));
        if let Some(answer) = scripted {
            return answer;
        }
        if self.lock(|inner| !inner.buckets.contains_key(bucket.as_str())) {
            return PutAnswer::Refused("no such bucket".to_owned());
        }
        let place = (bucket.as_str().to_owned(), key.as_str().to_owned());
        let is_there = |inner: &mut Inner| inner.objects.get(&place)?.last()?.version().map(|_| ());
        if self.lock(is_there).is_some() {
            return PutAnswer::Exists;
        }
        PutAnswer::Created {
            version_id: Some(self.seed(bucket.as_str(), key.as_str(), bytes)),
        }
    }

    pub(super) fn list(&self, bucket: &BucketName, prefix: &str, limit: usize) -> Vec<String> {
        let keys = self.dump(bucket.as_str()).into_keys();
        keys.filter(|key| key.starts_with(prefix)).take(limit).collect()
    }

    pub(super) fn list_versions(&self, bucket: &BucketName, prefix: &str, limit: usize) -> Versions {
        self.lock(|inner| {
            let of_prefix = inner
                .objects
                .iter()
                .filter(|((name, key), _)| name == bucket.as_str() && key.starts_with(prefix));
            let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            let counts = of_prefix.map(|((_, key), entries)| {
                let versions = entries.iter().filter_map(Entry::version).count();
                (key.clone(), (count(versions), count(entries.len() - versions)))
            });
            Versions::of(counts.collect(), limit, true)
        })
    }

    pub(super) fn posture(&self, bucket: &BucketName) -> BucketPosture {
        match self.lock(|inner| inner.buckets.get(bucket.as_str()).copied()) {
            Some(versioned) => BucketPosture::Reachable { versioned },
            None => BucketPosture::NotFound,
        }
    }
}
