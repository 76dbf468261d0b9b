//! Read access to the evidence bucket: objects by version, versions by prefix, and the ledger of a run.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::primitives::ByteStreamError;
use aws_sdk_s3::types::EncodingType;
use futures_util::stream::{self, StreamExt};
use p1_audit::evidence_set::{LARGEST_OBJECT, ListedObject, MOST_BYTES};
use p1_audit::lineage::{closing_of_commit, closure_of};
use p1_audit::text;
use p1_contract::cause::chain;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, PlatformRunId, S3Key};
use p1_contract::ledger::LedgerRecord;
use p1_contract::reference::ClosureRef;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::aws::{Answer, Call, Cause};
use p1_runtime::store::decoded;

use crate::exit::CliError;

/// How long S3 may take for the content of an object, which is small.
const CONTENT_LIMIT: Duration = Duration::from_secs(60);
/// The number of objects that are fetched at once.
const CONCURRENT_READS: usize = 16;

/// Read access to the evidence bucket.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The client.
    pub s3: Client,
    /// The bucket.
    pub bucket: BucketName,
}

/// One version of an object, as S3 gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its version id. `None` if the bucket is not versioned.
    pub version_id: Option<String>,
    /// Its entity tag without quotes.
    pub etag: String,
}

impl Fetched {
    /// The object at `key`, as `objects.json` lists it.
    pub(crate) fn listed(&self, key: &S3Key) -> ListedObject {
        ListedObject {
            key: key.to_string(),
            version_id: self.version_id.clone(),
            etag: self.etag.clone(),
            sha256: Sha256Hex::of(&self.bytes),
            bytes: self.bytes.len() as u64,
        }
    }
}

/// S3 did not answer a read, or refused it. The object's state is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to {operation} {place}: {cause}; {}", self.remedy())]
pub struct ReadError {
    /// The operation that failed: `read`, `list`, `list the versions of`.
    operation: &'static str,
    /// The object or the prefix, as an S3 URI.
    place: String,
    /// The meaning of the error answer.
    answer: Answer,
    /// The error in words.
    cause: String,
    /// Whether the object is there and larger than any of P1's.
    is_too_large: bool,
    /// Whether the time for an answer was over.
    is_timeout: bool,
}

/// How much [`ReadError::silence`] is enough to ask nothing more.
pub(super) const ENOUGH_SILENCE: usize = 2;

impl ReadError {
    /// S3 answered, and the content of the object is not known.
    fn of_content(bucket: &BucketName, key: &str, cause: &str) -> Self {
        Self {
            operation: "read",
            place: format!("s3://{bucket}/{}", text::clean(key)),
            answer: Answer::Transient(Cause::NoCode),
            cause: text::brief(cause, 400),
            is_too_large: false,
            is_timeout: false,
        }
    }

    /// The object is there, and it is not read.
    fn too_large(bucket: &BucketName, key: &str, bytes: u64) -> Self {
        let cause = format!("it has {bytes} bytes or more, and none of P1's objects has more than {LARGEST_OBJECT}");
        Self {
            is_too_large: true,
            ..Self::of_content(bucket, key, &cause)
        }
    }

    /// Whether the object is there and larger than any of P1's.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.is_too_large
    }

    /// Whether there was no answer at all. Whoever asks on after that waits as long again for each request.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        self.answer == Answer::Transient(Cause::NoCode) && !self.is_too_large
    }

    /// What the error says of requests to come: all if the time for an answer was over, which a request has three times in a minute;
    /// half if there was no answer for another reason, which may be that of one object.
    pub(super) fn silence(&self) -> usize {
        match (self.is_silence(), self.is_timeout) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => ENOUGH_SILENCE,
        }
    }

    /// The object or the prefix was not asked for, because requests before it had no answer.
    pub(super) fn not_asked(operation: &'static str, bucket: &BucketName, key: &str) -> Self {
        let why = "it was not asked for, because requests before it had no answer";
        Self {
            operation,
            ..Self::of_content(bucket, key, why)
        }
    }

    fn new<E>(operation: &'static str, bucket: &BucketName, key: &str, call: Call, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        Self {
            operation,
            place: format!("s3://{bucket}/{}", text::clean(key)),
            answer: Answer::of(call, error),
            cause: text::brief(&chain(error), 400),
            is_too_large: false,
            is_timeout: match error {
                SdkError::TimeoutError(_) => true,
                SdkError::DispatchFailure(failure) => failure.is_timeout(),
                _ => false,
            },
        }
    }

    /// Whether the bucket does not exist.
    #[must_use]
    pub fn is_no_bucket(&self) -> bool {
        self.answer == Answer::NoBucket
    }

    /// What the user can do about it.
    fn remedy(&self) -> &'static str {
        match self.answer {
            _ if self.is_too_large => "find out who wrote it",
            Answer::NoBucket => "check the name of the bucket, the region and the account",
            Answer::Denied => {
                "these credentials need s3:ListBucket, s3:ListBucketVersions, s3:GetObject and s3:GetObjectVersion on the bucket, \
                 and kms:Decrypt where it is encrypted with a key of its own"
            }
            Answer::Transient(Cause::Credentials) => "renew the AWS credentials, and check this machine's clock",
            Answer::Transient(Cause::Region) => "set AWS_REGION to the region of the bucket",
            Answer::Transient(Cause::Key) => "mend the KMS key that the bucket is encrypted with",
            Answer::Transient(Cause::NoCode) => {
                "check the network, AWS_ENDPOINT_URL, the region and the credentials, then try again"
            }
            Answer::Transient(Cause::Service)
            | Answer::NotThere
            | Answer::Exists
            | Answer::Conflict
            | Answer::Refused => "try again",
        }
    }
}

impl From<ReadError> for CliError {
    fn from(error: ReadError) -> Self {
        Self::fault(error.to_string())
    }
}

/// One version of a key, or a delete marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The key.
    pub key: String,
    /// Its version id. `None` if the bucket is not versioned.
    pub version_id: Option<String>,
    /// Whether it is a delete marker.
    pub is_delete_marker: bool,
}

impl Evidence {
    /// Fetches an object, in this version or the latest one. Returns `None` if there is no such object.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses, and if the object is larger than any of P1's. The error names the object.
    pub async fn get(&self, key: &str, version_id: Option<&str>) -> Result<Option<Fetched>, ReadError> {
        let request = self
            .s3
            .get_object()
            .bucket(self.bucket.as_str())
            .key(key)
            .set_version_id(version_id.map(str::to_owned));
        let call = version_id.map_or(Call::ReadObject, |_| Call::ReadVersion);
        let object = match request.send().await {
            Ok(object) => object,
            Err(error) if Answer::of(call, &error) == Answer::NotThere => return Ok(None),
            Err(error) => return Err(ReadError::new("read", &self.bucket, key, call, &error)),
        };
        let version_id = object.version_id.filter(|id| id != "null");
        let etag = object.e_tag.unwrap_or_default().trim_matches('"').to_owned();
        let length = object.content_length.and_then(|length| u64::try_from(length).ok());
        if let Some(length) = length.filter(|length| *length > LARGEST_OBJECT) {
            return Err(ReadError::too_large(&self.bucket, key, length));
        }
        let bytes = match tokio::time::timeout(CONTENT_LIMIT, content(object.body)).await {
            Ok(Ok(Some(bytes))) => bytes,
            Ok(Ok(None)) => return Err(ReadError::too_large(&self.bucket, key, LARGEST_OBJECT + 1)),
            Ok(Err(error)) => return Err(ReadError::of_content(&self.bucket, key, &chain(&error))),
            Err(_) => {
                let why = format!("its content did not come whole within {} s", CONTENT_LIMIT.as_secs());
                return Err(ReadError::of_content(&self.bucket, key, &why));
            }
        };
        Ok(Some(Fetched {
            bytes,
            version_id,
            etag,
        }))
    }

    /// As [`Evidence::get`], for a caller to whom an object that is too large is none of P1's. What fetches all objects reports it.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn get_own(&self, key: &str, version_id: Option<&str>) -> Result<Option<Fetched>, ReadError> {
        match self.get(key, version_id).await {
            Err(error) if error.is_too_large() => Ok(None),
            read => read,
        }
    }

    /// Lists every version and every delete marker of the keys that begin with `prefix`. The latest version of a key comes first.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn versions(&self, prefix: &str) -> Result<Vec<Version>, ReadError> {
        let mut all = Vec::new();
        let (mut key_marker, mut version_marker) = (None::<String>, None::<String>);
        loop {
            let request = self
                .s3
                .list_object_versions()
                .bucket(self.bucket.as_str())
                .prefix(prefix)
                .encoding_type(EncodingType::Url);
            let answer = request
                .set_key_marker(key_marker)
                .set_version_id_marker(version_marker)
                .send()
                .await
                .map_err(|error| {
                    ReadError::new("list the versions of", &self.bucket, prefix, Call::AskBucket, &error)
                })?;
            let key = |key: Option<&str>| decoded(key.unwrap_or_default(), answer.encoding_type());
            let named = |of: Option<&str>, id: Option<&str>, is_delete_marker| Version {
                key: key(of),
                version_id: id.filter(|id| *id != "null").map(str::to_owned),
                is_delete_marker,
            };
            let written = answer.versions().iter();
            all.extend(written.map(|version| named(version.key(), version.version_id(), false)));
            let deleted = answer.delete_markers().iter();
            all.extend(deleted.map(|marker| named(marker.key(), marker.version_id(), true)));
            key_marker = answer.next_key_marker().map(|marker| key(Some(marker)));
            version_marker = answer.next_version_id_marker().map(str::to_owned);
            if answer.is_truncated() != Some(true) || key_marker.is_none() {
                return Ok(all);
            }
        }
    }

    /// Lists the keys below `prefix`, in order.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>, ReadError> {
        self.keys_after(prefix, None).await
    }

    /// Lists the keys below `prefix` that come after `after`, in order. S3 gives 1,000 in one answer.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn keys_after(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, ReadError> {
        let mut keys = Vec::new();
        for page in self.pages(prefix, after, None).await? {
            let listed = page.contents().iter().filter_map(|object| object.key());
            keys.extend(listed.map(|key| decoded(key, page.encoding_type())));
        }
        Ok(keys)
    }

    /// Lists the folders right below `prefix` whose keys come after `after`, in order, each with a `/` at its end. The objects in them
    /// are not listed.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn folders_after(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, ReadError> {
        let mut folders = Vec::new();
        for page in self.pages(prefix, after, Some("/")).await? {
            let listed = page.common_prefixes().iter().filter_map(|folder| folder.prefix());
            folders.extend(listed.map(|folder| decoded(folder, page.encoding_type())));
        }
        Ok(folders)
    }

    async fn pages(
        &self,
        prefix: &str,
        after: Option<&str>,
        delimiter: Option<&str>,
    ) -> Result<Vec<ListObjectsV2Output>, ReadError> {
        let mut pages = self
            .s3
            .list_objects_v2()
            .bucket(self.bucket.as_str())
            .prefix(prefix)
            .set_start_after(after.map(str::to_owned))
            .set_delimiter(delimiter.map(str::to_owned))
            .encoding_type(EncodingType::Url)
            .into_paginator()
            .send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            all.push(page.map_err(|error| ReadError::new("list", &self.bucket, prefix, Call::AskBucket, &error))?);
        }
        Ok(all)
    }

    /// Whether no key begins with `prefix`.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn is_empty(&self, prefix: &str) -> Result<bool, ReadError> {
        let request = self.s3.list_objects_v2().bucket(self.bucket.as_str()).prefix(prefix);
        let answer = request
            .max_keys(1)
            .encoding_type(EncodingType::Url)
            .send()
            .await
            .map_err(|error| ReadError::new("list", &self.bucket, prefix, Call::AskBucket, &error))?;
        Ok(answer.contents().is_empty())
    }
}

/// The bytes of an answer. Returns `None` if they are more than any of P1's objects has.
async fn content(mut body: ByteStream) -> Result<Option<Vec<u8>>, ByteStreamError> {
    let mut bytes = Vec::new();
    while let Some(part) = body.try_next().await? {
        bytes.extend_from_slice(&part);
        if bytes.len() as u64 > LARGEST_OBJECT {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

impl Evidence {
    /// M3.J's closure of every execution that committed to the ledger of `run`. A rerun's own closures do not lead to the earlier
    /// attempts, but the ledger does.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses. The error names the object.
    pub async fn committed(&self, run: &PlatformRunId) -> Result<Vec<ClosureRef>, ReadError> {
        self.concluded(&self.records(run).await?).await
    }

    /// M3.J's closures of the verdicts that these records commit.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub(crate) async fn concluded(&self, records: &[LedgerRecord]) -> Result<Vec<ClosureRef>, ReadError> {
        let mut closures = Vec::new();
        for record in records {
            if let Some(key) = closing_of_commit(record) {
                closures.extend(self.last(&key).await?);
            }
        }
        Ok(closures)
    }

    /// Whether an advance of `run` is committed, which nothing follows.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn has_advanced(&self, run: &PlatformRunId) -> Result<bool, ReadError> {
        let records = self.records(run).await?;
        Ok(records
            .iter()
            .any(|record| record.verdict == Some(PhaseVerdict::AdvanceToM4)))
    }

    /// The records of the ledger of `run`. One behind a delete marker still counts: `verify` judges the verdict that it committed.
    /// `verify` also reports an object that is no record.
    pub(crate) async fn records(&self, run: &PlatformRunId) -> Result<Vec<LedgerRecord>, ReadError> {
        let mut records = Vec::new();
        let mut versions: Vec<Version> = self.versions(&run.ledger_prefix()).await?;
        versions.retain(|version| !version.is_delete_marker && !version.key.ends_with('/'));
        for Version { key, version_id, .. } in versions {
            let object = self.get_own(&key, version_id.as_deref()).await?;
            records.extend(object.and_then(|object| LedgerRecord::parse(&object.bytes).ok()));
        }
        Ok(records)
    }

    /// M3.J's closure, computed from its summary at `key`, because nothing in the bucket names it. Returns `None` if there is no
    /// such summary.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn last(&self, key: &S3Key) -> Result<Option<ClosureRef>, ReadError> {
        let (last, owner) = (self.get_own(key.as_str(), None).await?, Step::PhaseVerdict.into());
        Ok(last.and_then(|last| closure_of(owner, &self.bucket, key, last.version_id, &last.bytes)))
    }
}

/// An object that belongs to the evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its key.
    pub key: S3Key,
    /// Its version. `None` means the latest one, because no summary names a version.
    pub version_id: Option<String>,
    /// The hash in the summary that lists it. `None` if no summary lists it.
    pub sha256: Option<Sha256Hex>,
}

/// The result of reading an object: its bytes, `None` if it does not exist, or an error if that is unknown.
pub(crate) type Reading = Result<Option<Fetched>, ReadError>;

/// Fetches objects, several at once, until they have [`MOST_BYTES`] together. The order of the result is not defined.
pub(crate) async fn fetch(evidence: &Evidence, listed: BTreeSet<Listed>) -> Vec<(Listed, Reading)> {
    let (bytes, silence) = (AtomicU64::new(0), AtomicUsize::new(0));
    let read = async |listed: Listed| {
        let key = listed.key.as_str();
        let read = if bytes.load(Ordering::Relaxed) > MOST_BYTES {
            let why = format!("the objects before it have more than {} MiB", MOST_BYTES >> 20);
            Err(ReadError::of_content(&evidence.bucket, key, &why))
        } else if silence.load(Ordering::Relaxed) >= ENOUGH_SILENCE {
            Err(ReadError::not_asked("read", &evidence.bucket, key))
        } else {
            evidence.get(key, listed.version_id.as_deref()).await
        };
        match &read {
            Ok(Some(fetched)) => {
                bytes.fetch_add(fetched.bytes.len() as u64, Ordering::Relaxed);
            }
            Err(error) => {
                silence.fetch_add(error.silence(), Ordering::Relaxed);
            }
            Ok(None) => {}
        }
        (listed, read)
    };
    stream::iter(listed)
        .map(read)
        .buffer_unordered(CONCURRENT_READS)
        .collect()
        .await
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::error::ConnectorError;
    use aws_sdk_s3::operation::get_object::GetObjectError;

    use super::*;

    #[test]
    fn a_timeout_says_enough_and_another_failure_speaks_of_one_object() {
        let bucket = BucketName::parse("evidence-bucket").unwrap();
        let silence =
            |error: SdkError<GetObjectError>| ReadError::new("read", &bucket, "k", Call::ReadObject, &error).silence();
        let of_connector = |error| silence(SdkError::dispatch_failure(error));
        assert_eq!(silence(SdkError::timeout_error("late")), ENOUGH_SILENCE);
        assert_eq!(of_connector(ConnectorError::timeout("late".into())), ENOUGH_SILENCE);
        assert_eq!(of_connector(ConnectorError::io("reset".into())), 1);
        assert_eq!(ReadError::of_content(&bucket, "k", "cut short").silence(), 1);
        assert_eq!(ReadError::too_large(&bucket, "k", 1 << 40).silence(), 0);
        let not_asked = ReadError::not_asked("list the versions of", &bucket, "k/").to_string();
        assert!(not_asked.starts_with("failed to list the versions of s3://evidence-bucket/k/: it was not asked for"));
    }
}
