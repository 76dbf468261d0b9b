//! The evidence of an execution, as its closures tell it: every summary is fetched by version id, held against the hash that
//! names it, and read for the objects it lists.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use p1_contract::blocker::Finding;
use p1_contract::evidence::{ExecutionSummary, split, summary_name};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, PlatformRunId, S3Key};
use p1_contract::ledger::LedgerRecord;
use p1_contract::reference::{ArtifactRef, ClosureRef, ObjectRef};
use p1_contract::step::Step;
use p1_contract::strict::{Limits, parse_strict};
use serde_json::Value;

use crate::outcome::{CliError, chain as error_chain};
use crate::run::text;

/// The evidence bucket, for reading.
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
    /// Its version id, where the bucket is versioned.
    pub version_id: Option<String>,
    /// Its entity tag without quotes.
    pub etag: String,
}

impl Evidence {
    /// Fetches an object: this version, or the latest. `None` when there is none.
    ///
    /// # Errors
    /// A fault that names the object, when S3 does not answer.
    pub async fn get(&self, key: &str, version_id: Option<&str>) -> Result<Option<Fetched>, CliError> {
        let failed = |cause: String| {
            CliError::fault(format!(
                "failed to read s3://{}/{}: {}",
                self.bucket,
                text::clean(key),
                text::brief(&cause, 400)
            ))
        };
        let request = self
            .s3
            .get_object()
            .bucket(self.bucket.as_str())
            .key(key)
            .set_version_id(version_id.map(str::to_owned));
        let object = match request.send().await {
            Ok(object) => object,
            Err(error) if matches!(error.code(), Some("NoSuchKey" | "NoSuchVersion" | "MethodNotAllowed")) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error_chain(&error))),
        };
        let version_id = object.version_id.filter(|id| id != "null");
        let etag = object.e_tag.unwrap_or_default().trim_matches('"').to_owned();
        let bytes = object
            .body
            .collect()
            .await
            .map_err(|error| failed(error_chain(&error)))?
            .to_vec();
        Ok(Some(Fetched {
            bytes,
            version_id,
            etag,
        }))
    }

    /// The keys below `prefix`, in the order of the keys.
    ///
    /// # Errors
    /// A fault, when S3 does not answer.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>, CliError> {
        let mut pages = self
            .s3
            .list_objects_v2()
            .bucket(self.bucket.as_str())
            .prefix(prefix)
            .into_paginator()
            .send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                CliError::failed(&format!("list s3://{}/{}", self.bucket, text::clean(prefix)), &error)
            })?;
            keys.extend(
                page.contents()
                    .iter()
                    .filter_map(|object| object.key())
                    .map(str::to_owned),
            );
        }
        Ok(keys)
    }
}

impl Evidence {
    /// M3.J's closure of every execution that committed to the ledger of `run`. A rerun's own closures do not reach those of
    /// the attempts before it, but the ledger does.
    ///
    /// # Errors
    /// A fault that names the object, when S3 does not answer.
    pub async fn committed(&self, run: &PlatformRunId) -> Result<Vec<ClosureRef>, CliError> {
        let mut closures = Vec::new();
        for key in self.keys(&format!("{}ledger/", run.run_root())).await? {
            let Some(record) = self.get(&key, None).await? else {
                continue;
            };
            // What is no record is `verify`'s to say.
            let record = serde_json::from_slice::<LedgerRecord>(&record.bytes).ok();
            let Some(summary) = record.and_then(|record| record.summary) else {
                continue;
            };
            let name = summary_name(Step::PhaseVerdict);
            let key = summary
                .key
                .as_str()
                .rsplit_once('/')
                .map(|(folder, _)| format!("{folder}/{name}.json"));
            let Some(key) = key.and_then(|key| S3Key::parse(&key).ok()) else {
                continue;
            };
            let Some(last) = self.get(key.as_str(), None).await? else {
                continue;
            };
            let value = parse_strict(&last.bytes, Limits::DOCUMENT).ok();
            let document = value.and_then(|value| split::<ExecutionSummary>(value, &name).ok());
            if let Some((document, phase_execution_id)) =
                document.and_then(|document| Some((document.body, document.header.phase_execution_id?)))
            {
                closures.push(ClosureRef {
                    step: Step::PhaseVerdict.id().to_owned(),
                    phase_execution_id,
                    overall_pass: document.overall_pass,
                    bucket: self.bucket.clone(),
                    key,
                    version_id: last.version_id,
                    sha256: Sha256Hex::of(&last.bytes),
                });
            }
        }
        Ok(closures)
    }
}

/// An object that belongs to the evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its key.
    pub key: S3Key,
    /// Its version; the latest where nobody names one.
    pub version_id: Option<String>,
    /// The hash that a summary gives it; none where no summary lists it.
    pub sha256: Option<Sha256Hex>,
}

/// The summaries of an execution, and what they list.
#[derive(Debug, Default)]
pub struct Chain {
    /// The findings of each phase execution, by its id.
    pub findings: BTreeMap<String, Vec<Finding>>,
    /// Every object of the evidence bucket that a closure or a summary names, each once.
    pub listed: BTreeSet<Listed>,
    /// The folders of the phase executions, each ending in `/`.
    pub folders: BTreeSet<String>,
    /// What is not as a closure says.
    pub problems: Vec<String>,
}

/// What a summary says, as far as the mirror needs it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    findings: Vec<Finding>,
    artifacts: Vec<ArtifactRef>,
    inputs: Vec<ObjectRef>,
    upstream: Vec<ClosureRef>,
}

impl Chain {
    /// Reads the summaries that these closures name, and those that they rest on. A summary that is not there, has another
    /// hash or cannot be read is a problem; the others are read all the same.
    pub async fn read(evidence: &Evidence, closures: Vec<ClosureRef>) -> Self {
        let mut chain = Self::default();
        let mut seen = BTreeSet::new();
        let mut open = closures;
        while let Some(closure) = open.pop() {
            if !seen.insert((closure.key.clone(), closure.version_id.clone())) {
                continue;
            }
            match read_summary(evidence, &closure).await {
                Ok(summary) => {
                    open.extend(summary.upstream.iter().cloned());
                    chain.take(&closure, summary);
                }
                Err(error) => chain.problems.push(error.to_string()),
            }
        }
        chain
    }

    fn take(&mut self, closure: &ClosureRef, summary: Summary) {
        if let Some((folder, _)) = closure.key.as_str().rsplit_once('/') {
            self.folders.insert(format!("{folder}/"));
        }
        self.listed.insert(Listed {
            key: closure.key.clone(),
            version_id: closure.version_id.clone(),
            sha256: Some(closure.sha256.clone()),
        });
        let objects = summary.artifacts.iter().map(ArtifactRef::object).chain(summary.inputs);
        for object in objects.filter(|object| object.bucket == closure.bucket) {
            self.listed.insert(Listed {
                key: object.key,
                version_id: object.version_id,
                sha256: Some(object.sha256),
            });
        }
        self.findings
            .insert(closure.phase_execution_id.to_string(), summary.findings);
    }
}

async fn read_summary(evidence: &Evidence, closure: &ClosureRef) -> Result<Summary, CliError> {
    if closure.bucket != evidence.bucket {
        return Err(CliError::fault(format!(
            "the closure of {} lies in bucket {}, not in the deployment's evidence bucket {}",
            text::clean(&closure.step),
            closure.bucket,
            evidence.bucket
        )));
    }
    let fetched = evidence
        .get(closure.key.as_str(), closure.version_id.as_deref())
        .await?;
    let bytes = verified(&closure.key, Some(&closure.sha256), fetched)?.bytes;
    summary(&bytes).map_err(|reason| {
        CliError::fault(format!(
            "failed to read the summary {}: {}",
            closure.key,
            text::brief(&reason, 300)
        ))
    })
}

/// Holds what was fetched against the hash that it should have.
///
/// # Errors
/// A fault that names the object, when it is not there or is another.
pub fn verified(key: &S3Key, expected: Option<&Sha256Hex>, fetched: Option<Fetched>) -> Result<Fetched, CliError> {
    let Some(fetched) = fetched else {
        return Err(CliError::fault(format!(
            "the evidence lists {key}, but the bucket does not have that version; find who removed it"
        )));
    };
    match expected {
        Some(expected) if *expected != Sha256Hex::of(&fetched.bytes) => Err(CliError::fault(format!(
            "the evidence lists {key} with SHA-256 {expected}, but its bytes have {}; find who changed it",
            Sha256Hex::of(&fetched.bytes)
        ))),
        _ => Ok(fetched),
    }
}

/// Reads a summary of a step or of an admission.
fn summary(bytes: &[u8]) -> Result<Summary, String> {
    fn list<T: serde::de::DeserializeOwned>(document: &mut Value, field: &str) -> Result<Vec<T>, String> {
        let list = document
            .get_mut(field)
            .map_or_else(|| Value::Array(Vec::new()), Value::take);
        serde_json::from_value(list).map_err(|error| format!("`{field}`: {error}"))
    }
    let mut document = parse_strict(bytes, Limits::DOCUMENT).map_err(|error| error.to_string())?;
    Ok(Summary {
        findings: list(&mut document, "blockers")?,
        artifacts: list(&mut document, "artifacts")?,
        inputs: list(&mut document, "inputs")?,
        upstream: list(&mut document, "upstream")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fetched(bytes: &[u8]) -> Fetched {
        Fetched {
            bytes: bytes.to_vec(),
            version_id: None,
            etag: String::new(),
        }
    }

    #[test]
    fn an_object_is_held_against_its_hash() {
        let key = S3Key::parse("evidence/a.json").unwrap();
        let hash = Sha256Hex::of(b"a");
        assert!(verified(&key, Some(&hash), Some(fetched(b"a"))).is_ok());
        assert!(verified(&key, None, Some(fetched(b"b"))).is_ok());
        let other = verified(&key, Some(&hash), Some(fetched(b"b")))
            .unwrap_err()
            .to_string();
        assert!(
            other.contains("evidence/a.json") && other.contains(hash.as_str()),
            "{other}"
        );
        let gone = verified(&key, Some(&hash), None).unwrap_err().to_string();
        assert!(
            gone.contains("evidence/a.json") && gone.contains("does not have"),
            "{gone}"
        );
    }

    #[test]
    fn a_summary_is_read_for_what_it_lists() {
        let object = json!({"bucket": "evidence-bucket", "key": "evidence/x", "version_id": "1", "sha256": "0".repeat(64), "bytes": 2});
        let mut artifact = object.clone();
        artifact["name"] = json!("x");
        artifact["etag"] = json!("e");
        let document = json!({
            "overall_pass": false, "blockers": [{"code": "M3A-B2", "subject": "S", "detail": "D"}],
            "artifacts": [artifact], "inputs": [object], "upstream": []
        });
        let read = summary(document.to_string().as_bytes()).unwrap();
        assert_eq!(read.findings[0].code.code(), "M3A-B2");
        assert_eq!((read.artifacts.len(), read.inputs.len()), (1, 1));
        assert!(summary(b"[]").is_ok(), "a document without lists lists nothing");
        for bad in [&b"nope"[..], b"{\"artifacts\":3}", b"{\"inputs\":[{\"key\":\"../x\"}]}"] {
            assert!(summary(bad).is_err());
        }
    }
}
