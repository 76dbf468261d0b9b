//! The store on S3.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, EncodingType};
use aws_smithy_types::base64;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, S3Key};

use super::keys::decoded;
use super::{BucketPosture, Object, PutAnswer, Read, Versions};
use crate::aws::{Answer, Call, Cause, words};
use crate::fault::Fault;

/// S3 through the SDK, whose own retries handle transient failures.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
}

/// The largest number of keys and versions on one page of a listing.
const PAGE: usize = 1_000;

/// The number of pages of versions to request, so that `limit` keys with few versions are all included.
fn most_pages(limit: usize) -> usize {
    limit / PAGE + 3
}

impl S3Store {
    /// A store that uses `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        S3Store { client }
    }

    pub(super) async fn read(
        &self,
        bucket: &BucketName,
        key: &S3Key,
        version: Option<&str>,
        limit: u64,
    ) -> Result<Read, Fault> {
        let operation = || format!("read s3://{bucket}/{key}");
        let request = self.client.get_object().bucket(bucket.as_str()).key(key.as_str());
        let request = request
            .set_version_id(version.map(str::to_owned))
            .checksum_mode(ChecksumMode::Enabled);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let call = version.map_or(Call::ReadObject, |_| Call::ReadVersion);
                return match Answer::of(call, &error) {
                    Answer::NotThere | Answer::NoBucket => Ok(Read::NotFound),
                    Answer::Denied => Ok(Read::Denied),
                    _ => Err(Fault::transient(operation(), words(&error))),
                };
            }
        };
        let length = answer
            .content_length()
            .and_then(|length| u64::try_from(length).ok())
            .unwrap_or(u64::MAX);
        if length > limit {
            return Ok(Read::TooLarge(length));
        }
        let version_id = answer.version_id().filter(|id| *id != "null").map(str::to_owned);
        let etag = answer.e_tag().unwrap_or_default().trim_matches('"').to_owned();
        let body = answer
            .body
            .collect()
            .await
            .map_err(|e| Fault::transient(operation(), e.to_string()))?;
        Ok(Read::Found(Object {
            bytes: body.to_vec(),
            version_id,
            etag,
        }))
    }

    pub(super) async fn put_if_absent(
        &self,
        bucket: &BucketName,
        key: &S3Key,
        bytes: &[u8],
        hash: &Sha256Hex,
    ) -> PutAnswer {
        let content_type = if key.as_str().ends_with(".md") {
            "text/markdown; charset=utf-8"
        } else {
            "application/json"
        };
        let request = self
            .client
            .put_object()
            .bucket(bucket.as_str())
            .key(key.as_str())
            .if_none_match("*");
        let request = request
            .content_type(content_type)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(base64::encode(hash.to_bytes()))
            .body(ByteStream::from(bytes.to_vec()));
        match request.send().await {
            Ok(answer) => PutAnswer::Created {
                version_id: answer.version_id().filter(|id| *id != "null").map(str::to_owned),
            },
            Err(error) => match Answer::of(Call::CreateObject, &error) {
                Answer::Exists => PutAnswer::Exists,
                Answer::Conflict => PutAnswer::Conflict,
                Answer::Denied | Answer::NoBucket => PutAnswer::Refused(words(&error)),
                _ => PutAnswer::Unknown(words(&error)),
            },
        }
    }

    pub(super) async fn list(&self, bucket: &BucketName, prefix: &str, limit: usize) -> Result<Vec<String>, Fault> {
        let operation = || format!("list s3://{bucket}/{prefix}");
        let mut keys = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let request = self.client.list_objects_v2().bucket(bucket.as_str()).prefix(prefix);
            let answer = request
                .encoding_type(EncodingType::Url)
                .set_continuation_token(token)
                .send()
                .await
                .map_err(|e| Fault::transient(operation(), words(&e)))?;
            let listed = answer.contents().iter().filter_map(|object| object.key());
            keys.extend(listed.map(|key| decoded(key, answer.encoding_type())));
            token = answer.next_continuation_token().map(str::to_owned);
            if token.is_none() || keys.len() >= limit {
                keys.truncate(limit);
                return Ok(keys);
            }
        }
    }

    pub(super) async fn list_versions(
        &self,
        bucket: &BucketName,
        prefix: &str,
        limit: usize,
    ) -> Result<Versions, Fault> {
        let operation = || format!("list the versions of s3://{bucket}/{prefix}");
        let mut counts = std::collections::BTreeMap::<String, (u32, u32)>::new();
        let (mut key_marker, mut version_marker) = (None::<String>, None::<String>);
        // A key may have any number of versions, so the number of pages is limited too.
        for _ in 0..most_pages(limit) {
            let request = self.client.list_object_versions().bucket(bucket.as_str());
            let answer = request
                .prefix(prefix)
                .encoding_type(EncodingType::Url)
                .set_key_marker(key_marker)
                .set_version_id_marker(version_marker)
                .send()
                .await
                .map_err(|e| Fault::transient(operation(), words(&e)))?;
            let key = |key: Option<&str>| decoded(key.unwrap_or_default(), answer.encoding_type());
            for version in answer.versions() {
                counts.entry(key(version.key())).or_default().0 += 1;
            }
            for marker in answer.delete_markers() {
                counts.entry(key(marker.key())).or_default().1 += 1;
            }
            key_marker = answer.next_key_marker().map(|marker| key(Some(marker)));
            version_marker = answer.next_version_id_marker().map(str::to_owned);
            if answer.is_truncated() != Some(true) || key_marker.is_none() {
                return Ok(Versions::of(counts, limit, true));
            }
            if counts.len() > limit {
                break;
            }
        }
        Ok(Versions::of(counts, limit, false))
    }

    pub(super) async fn posture(&self, bucket: &BucketName) -> Result<BucketPosture, Fault> {
        match self.client.get_bucket_versioning().bucket(bucket.as_str()).send().await {
            Ok(answer) => {
                let versioned = answer.status() == Some(&BucketVersioningStatus::Enabled);
                Ok(BucketPosture::Reachable { versioned })
            }
            Err(error) => match Answer::of(Call::AskBucket, &error) {
                Answer::NoBucket => Ok(BucketPosture::NotFound),
                // A bucket in another region is not the deployment's bucket and cannot be reached from here. A retry does not
                // change that.
                Answer::Denied | Answer::Transient(Cause::Region) => Ok(BucketPosture::Denied),
                _ => Err(Fault::transient(format!("query bucket {bucket}"), words(&error))),
            },
        }
    }
}
