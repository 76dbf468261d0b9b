//! The readable documents of a directory, and the objects that they name.

use p1_audit::EvidenceSet;
use p1_audit::evidence_set::File;
use p1_audit::lineage::Lineage;
use p1_contract::evidence::{Body, DocumentOf};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, S3Key};
use p1_contract::reference::{ArtifactRef, ClosureRef, ObjectRef};

use crate::text::Text;

/// How an object's bytes in the directory compare with the reference to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bytes {
    /// They have the hash in the reference.
    Same,
    /// They have another hash.
    Other,
    /// They are not in the directory.
    Missing,
    /// They are in another bucket, and therefore not part of a mirror.
    Elsewhere,
    /// No reference gives their hash.
    Unnamed,
}

/// An object that evidence names.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// The artifact's name. `None` if it has no name.
    pub(crate) name: Option<Text>,
    /// Its bucket.
    pub(crate) bucket: Option<Text>,
    /// Its key.
    pub(crate) key: Text,
    /// Its version.
    pub(crate) version: Option<Text>,
    /// The hash in the reference.
    pub(crate) sha256: String,
    /// The length in the reference.
    pub(crate) bytes: Option<u64>,
    /// How the bytes in the directory compare with the reference.
    pub(crate) state: Bytes,
}

/// The evidence, for building the objects that it names.
pub(crate) struct Evidence<'a> {
    set: &'a EvidenceSet,
    bucket: Option<BucketName>,
}

impl<'a> Evidence<'a> {
    pub(crate) fn of(lineage: &Lineage<'a>) -> Self {
        Evidence {
            set: lineage.set(),
            bucket: lineage.bucket(),
        }
    }

    /// The keys below `evidence/`, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.set.files.keys().map(String::as_str)
    }

    /// The artifact at `key`.
    pub(crate) fn document<B: Body>(&self, key: &str) -> Result<DocumentOf<B>, String> {
        self.set.document(key)
    }

    /// The object of a reference.
    fn named(
        &self,
        bucket: &BucketName,
        key: &S3Key,
        version: Option<&str>,
        sha256: &Sha256Hex,
        bytes: Option<u64>,
    ) -> Object {
        let is_elsewhere = self.bucket.as_ref().is_some_and(|own| own != bucket);
        let is_same =
            |file: &File| file.sha256 == *sha256 && bytes.is_none_or(|bytes| bytes == file.bytes.len() as u64);
        let state = match self.set.files.get(key.as_str()) {
            _ if is_elsewhere => Bytes::Elsewhere,
            None => Bytes::Missing,
            Some(file) if is_same(file) => Bytes::Same,
            Some(_) => Bytes::Other,
        };
        Object {
            name: None,
            bucket: Some(bucket.as_str().into()),
            key: key.as_str().into(),
            version: version.map(Text::new),
            sha256: sha256.to_string(),
            bytes,
            state,
        }
    }

    pub(crate) fn artifact(&self, artifact: &ArtifactRef) -> Object {
        Object {
            name: Some(Text::new(&artifact.name)),
            ..self.object(&artifact.object())
        }
    }

    pub(crate) fn object(&self, object: &ObjectRef) -> Object {
        let version = object.version_id.as_deref();
        self.named(&object.bucket, &object.key, version, &object.sha256, Some(object.bytes))
    }

    pub(crate) fn closure(&self, closure: &ClosureRef) -> Object {
        let version = closure.version_id.as_deref();
        self.named(&closure.bucket, &closure.key, version, &closure.sha256, None)
    }

    /// A file of the directory, without a reference to compare it with.
    pub(crate) fn file(&self, key: &str) -> Option<Object> {
        let file = self.set.files.get(key)?;
        let listed = self.set.listed.get(key);
        Some(Object {
            name: None,
            bucket: None,
            key: key.into(),
            version: listed.and_then(|listed| listed.version_id.as_deref()).map(Text::new),
            sha256: file.sha256.to_string(),
            bytes: Some(file.bytes.len() as u64),
            state: Bytes::Unnamed,
        })
    }
}
