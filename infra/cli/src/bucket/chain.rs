//! The chain of an execution's summaries, found through its closures. Every summary is fetched by version id, checked against the
//! hash that names it, and read for the objects that it lists.

use std::collections::{BTreeMap, BTreeSet};

use p1_audit::text;
use p1_contract::blocker::Finding;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::S3Key;
use p1_contract::reference::{ArtifactRef, ClosureRef, ObjectRef};
use p1_contract::strict::{Limits, parse_strict};
use serde_json::Value;

use crate::bucket::evidence::{ENOUGH_SILENCE, Evidence, Fetched, Listed, ReadError};
use crate::exit::CliError;

/// The summaries of an execution, and the objects that they list.
#[derive(Debug, Default)]
pub struct Chain {
    /// The findings of each phase execution, by its id.
    pub findings: BTreeMap<String, Vec<Finding>>,
    /// Every object of the evidence bucket that a closure or a summary names, without duplicates.
    pub listed: BTreeSet<Listed>,
    /// The folders of the phase executions, each ending in `/`.
    pub folders: BTreeSet<String>,
    /// Objects that could not be read or differ from what a closure says.
    pub problems: Vec<String>,
    /// The objects among them that could not be read.
    pub unread: Vec<(S3Key, ReadError)>,
}

/// The parts of a summary that the mirror needs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Summary {
    findings: Vec<Finding>,
    artifacts: Vec<ArtifactRef>,
    inputs: Vec<ObjectRef>,
    upstream: Vec<ClosureRef>,
}

impl Chain {
    /// Reads the summaries that these closures name, and the summaries that those rest on. A summary that is missing, has another
    /// hash or cannot be read is a problem; the others are still read.
    pub async fn read(evidence: &Evidence, closures: Vec<ClosureRef>) -> Self {
        let mut chain = Self::default();
        let mut seen = BTreeSet::new();
        let mut open = closures;
        let mut silence = 0;
        while let Some(closure) = open.pop() {
            if !seen.insert((closure.key.clone(), closure.version_id.clone())) {
                continue;
            }
            let summary = if silence < ENOUGH_SILENCE {
                read_summary(evidence, &closure).await
            } else {
                let not_asked = ReadError::not_asked("read", &evidence.bucket, closure.key.as_str());
                Err(NoSummary::Unread(not_asked))
            };
            match summary {
                Ok(summary) => {
                    open.extend(summary.upstream.iter().cloned());
                    chain.take(&closure, summary);
                }
                Err(unread) => {
                    chain.problems.push(unread.to_string());
                    if let NoSummary::Unread(error) = unread {
                        silence += error.silence();
                        chain.unread.push((closure.key, error));
                    }
                }
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

/// Why a closure's summary is not known.
#[derive(Debug, thiserror::Error)]
enum NoSummary {
    /// S3 did not answer.
    #[error(transparent)]
    Unread(#[from] ReadError),
    /// The object is not the summary that the closure names.
    #[error(transparent)]
    Other(#[from] CliError),
}

async fn read_summary(evidence: &Evidence, closure: &ClosureRef) -> Result<Summary, NoSummary> {
    if closure.bucket != evidence.bucket {
        return Err(NoSummary::Other(CliError::fault(format!(
            "the closure of {} lies in bucket {}, not in the deployment's evidence bucket {}",
            closure.step, closure.bucket, evidence.bucket
        ))));
    }
    let fetched = evidence
        .get(closure.key.as_str(), closure.version_id.as_deref())
        .await?;
    let bytes = verified(&closure.key, Some(&closure.sha256), fetched)?.bytes;
    summary(&bytes).map_err(|reason| {
        NoSummary::Other(CliError::fault(format!(
            "failed to read the summary {}: {}",
            closure.key,
            text::brief(&reason, 300)
        )))
    })
}

/// Checks a fetched object against its expected hash.
///
/// # Errors
/// Returns a fault that names the object if it is missing or has another hash.
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
    use crate::scratch::says;
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
        says(&other, &["evidence/a.json", hash.as_str()]);
        let gone = verified(&key, Some(&hash), None).unwrap_err().to_string();
        says(&gone, &["evidence/a.json", "does not have"]);
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
