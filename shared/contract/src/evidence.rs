//! The shape that all evidence shares: a header, a typed body, canonical JSON with a final newline
//! (contract section 6).

use std::fmt;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::blocker::{Blocker, Finding};
use crate::canonical;
use crate::hash::Sha256Hex;
use crate::ids::{PhaseExecutionId, PlatformRunId, S3Key, ScenarioRunId};
use crate::owner::Owner;
use crate::reference::{ArtifactRef, ClosureRef, ObjectRef};
use crate::revision::{self, SCHEMA_VERSION};
use crate::step::Step;
use crate::strict::{self, Limits};
use crate::written::WriteFailure;

/// The phase, as evidence names it.
pub const PHASE_ID: &str = "P1";

/// What is known of the run so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunIds {
    /// Who the run is; minted by M3.B.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_run_id: Option<PlatformRunId>,
    /// Which scenario it runs; derived by M3.B.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario_run_id: Option<ScenarioRunId>,
    /// What it runs with; proven by M3.C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_digest: Option<Sha256Hex>,
}

/// The triplet that P1 pins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Triplet {
    /// Who the run is.
    pub platform_run_id: PlatformRunId,
    /// Which scenario it runs.
    pub scenario_run_id: ScenarioRunId,
    /// What it runs with.
    pub config_digest: Sha256Hex,
}

impl RunIds {
    /// All three ids, once all are known.
    #[must_use]
    pub fn triplet(&self) -> Option<Triplet> {
        Some(Triplet {
            platform_run_id: self.platform_run_id.clone()?,
            scenario_run_id: self.scenario_run_id.clone()?,
            config_digest: self.config_digest.clone()?,
        })
    }

    /// What is known of the run after all these: each id from the last that carries it.
    #[must_use]
    pub fn known<'r>(one_by_one: impl IntoIterator<Item = &'r RunIds>) -> Self {
        let mut run = RunIds::default();
        for known in one_by_one {
            run.platform_run_id = known.platform_run_id.clone().or(run.platform_run_id);
            run.scenario_run_id = known.scenario_run_id.clone().or(run.scenario_run_id);
            run.config_digest = known.config_digest.clone().or(run.config_digest);
        }
        run
    }
}

impl From<Triplet> for RunIds {
    fn from(triplet: Triplet) -> Self {
        RunIds {
            platform_run_id: Some(triplet.platform_run_id),
            scenario_run_id: Some(triplet.scenario_run_id),
            config_digest: Some(triplet.config_digest),
        }
    }
}

/// What stands at the head of what an attempt writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of the artifact's shape.
    pub schema_version: u64,
    /// The artifact's name.
    pub artifact: String,
    /// The phase.
    pub phase_id: String,
    /// The step that wrote it.
    pub step: Step,
    /// The phase execution that wrote it.
    pub phase_execution_id: PhaseExecutionId,
    /// The run's id, if known by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_run_id: Option<PlatformRunId>,
    /// The scenario's id, if known by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario_run_id: Option<ScenarioRunId>,
    /// The config digest, if known by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_digest: Option<Sha256Hex>,
}

/// What stands at the head of run evidence: `run.json`, the run header, the handoff pack. It names no phase execution, because
/// their bytes must not depend on which attempt wrote them, and there is none without the whole triplet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunEvidenceHeader {
    /// The version of the artifact's shape.
    pub schema_version: u64,
    /// The artifact's name.
    pub artifact: String,
    /// The phase.
    pub phase_id: String,
    /// The step that wrote it.
    pub step: Step,
    /// The run's id.
    pub platform_run_id: PlatformRunId,
    /// The scenario's id.
    pub scenario_run_id: ScenarioRunId,
    /// The config digest.
    pub config_digest: Sha256Hex,
}

/// The fields of both headers, to split a document into header and body.
pub const HEADER_FIELDS: [&str; 8] = [
    "schema_version",
    "artifact",
    "phase_id",
    "step",
    "phase_execution_id",
    "platform_run_id",
    "scenario_run_id",
    "config_digest",
];

/// A header: an attempt's, or run evidence's.
pub trait Head: fmt::Debug + Clone + PartialEq + Eq + Serialize + DeserializeOwned + JsonSchema {
    /// The header of artifact `name` of `step`; `None` for run evidence of a run that has not all its ids.
    fn of(name: &str, step: Step, phase_execution_id: PhaseExecutionId, run: &RunIds) -> Option<Self>;

    /// What the header says.
    fn says(&self) -> Said<'_>;
}

/// What a header says, of whichever kind it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said<'h> {
    /// The artifact's name.
    pub artifact: &'h str,
    /// The phase.
    pub phase_id: &'h str,
    /// The step that wrote it.
    pub step: Step,
    /// The phase execution that wrote it; none of run evidence.
    pub phase_execution_id: Option<&'h PhaseExecutionId>,
    /// The ids that it carries.
    pub run: RunIds,
}

impl Header {
    /// The header of artifact `name` of `step`.
    #[must_use]
    pub fn new(name: &str, step: Step, phase_execution_id: PhaseExecutionId, run: &RunIds) -> Self {
        Header {
            schema_version: SCHEMA_VERSION,
            artifact: name.to_owned(),
            phase_id: PHASE_ID.to_owned(),
            step,
            phase_execution_id,
            platform_run_id: run.platform_run_id.clone(),
            scenario_run_id: run.scenario_run_id.clone(),
            config_digest: run.config_digest.clone(),
        }
    }

    /// The ids that the header carries.
    #[must_use]
    pub fn run(&self) -> RunIds {
        RunIds {
            platform_run_id: self.platform_run_id.clone(),
            scenario_run_id: self.scenario_run_id.clone(),
            config_digest: self.config_digest.clone(),
        }
    }
}

impl Head for Header {
    fn of(name: &str, step: Step, phase_execution_id: PhaseExecutionId, run: &RunIds) -> Option<Self> {
        Some(Header::new(name, step, phase_execution_id, run))
    }

    fn says(&self) -> Said<'_> {
        Said {
            artifact: &self.artifact,
            phase_id: &self.phase_id,
            step: self.step,
            phase_execution_id: Some(&self.phase_execution_id),
            run: self.run(),
        }
    }
}

impl RunEvidenceHeader {
    /// The header of artifact `name` of `step`.
    #[must_use]
    pub fn new(name: &str, step: Step, run: Triplet) -> Self {
        RunEvidenceHeader {
            schema_version: SCHEMA_VERSION,
            artifact: name.to_owned(),
            phase_id: PHASE_ID.to_owned(),
            step,
            platform_run_id: run.platform_run_id,
            scenario_run_id: run.scenario_run_id,
            config_digest: run.config_digest,
        }
    }

    /// The triplet of the run.
    #[must_use]
    pub fn triplet(&self) -> Triplet {
        Triplet {
            platform_run_id: self.platform_run_id.clone(),
            scenario_run_id: self.scenario_run_id.clone(),
            config_digest: self.config_digest.clone(),
        }
    }
}

impl Head for RunEvidenceHeader {
    fn of(name: &str, step: Step, _: PhaseExecutionId, run: &RunIds) -> Option<Self> {
        Some(RunEvidenceHeader::new(name, step, run.triplet()?))
    }

    fn says(&self) -> Said<'_> {
        Said {
            artifact: &self.artifact,
            phase_id: &self.phase_id,
            step: self.step,
            phase_execution_id: None,
            run: self.triplet().into(),
        }
    }
}

/// Why a document is not the evidence it should be, or could not be rendered.
#[derive(Debug, Error)]
pub enum EvidenceError {
    /// Not canonical JSON material: a float, an integer out of range.
    #[error("failed to render evidence `{artifact}`")]
    Render {
        /// The artifact.
        artifact: String,
        /// What could not be rendered.
        #[source]
        source: canonical::CanonicalError,
    },
    /// Not JSON within the contract's limits.
    #[error("failed to read evidence `{artifact}` as strict JSON")]
    Parse {
        /// The artifact.
        artifact: String,
        /// Where it broke.
        #[source]
        source: strict::JsonError,
    },
    /// JSON of another shape.
    #[error("failed to read evidence `{artifact}`: {reason}")]
    Shape {
        /// The artifact.
        artifact: String,
        /// What does not fit.
        reason: String,
    },
}

/// The typed content of an artifact beneath its header.
pub trait Body: Serialize + DeserializeOwned + JsonSchema {
    /// The artifact's name, which is its file's stem.
    const NAME: &'static str;
    /// Its header: an attempt's, or run evidence's.
    type Head: Head;
}

/// Header and body of one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document<B, H = Header> {
    /// Who wrote it, about which run.
    pub header: H,
    /// What it says.
    pub body: B,
}

/// A document of kind `B`, with the header of its kind.
pub type DocumentOf<B> = Document<B, <B as Body>::Head>;

impl<B: Body> DocumentOf<B> {
    /// Canonical bytes of the document, with the final newline.
    ///
    /// # Errors
    /// When the body holds what canonical JSON refuses, or is not an object.
    pub fn render(&self) -> Result<Vec<u8>, EvidenceError> {
        let fault = |source| EvidenceError::Render {
            artifact: B::NAME.to_owned(),
            source,
        };
        let value = merge(&self.header, &self.body)?;
        canonical::to_document(&value).map_err(fault)
    }

    /// Reads a document of this kind, strictly: the name, the schema version, no unknown field.
    ///
    /// # Errors
    /// When the bytes are not a document of this kind.
    pub fn parse(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let fault = |source| EvidenceError::Parse {
            artifact: B::NAME.to_owned(),
            source,
        };
        let value = strict::parse_strict(bytes, Limits::DOCUMENT).map_err(fault)?;
        let document: Self = parts(value, B::NAME)?;
        let name = document.header.says().artifact;
        if name != B::NAME {
            return Err(EvidenceError::Shape {
                artifact: B::NAME.to_owned(),
                reason: format!("it calls itself `{}`", name.escape_debug()),
            });
        }
        Ok(document)
    }
}

/// Header and body as one JSON object.
///
/// # Errors
/// When the body is not an object or repeats a field of the header.
pub fn merge<H: Head, B: Serialize>(header: &H, body: &B) -> Result<Value, EvidenceError> {
    let shape = |reason: String| EvidenceError::Shape {
        artifact: header.says().artifact.to_owned(),
        reason,
    };
    let head = serde_json::to_value(header).map_err(|e| shape(e.to_string()))?;
    let body = serde_json::to_value(body).map_err(|e| shape(e.to_string()))?;
    let (Value::Object(mut all), Value::Object(body)) = (head, body) else {
        return Err(shape("its body is not an object".to_owned()));
    };
    for (key, value) in body {
        if HEADER_FIELDS.contains(&key.as_str()) {
            return Err(shape(format!("its body repeats the header's `{key}`")));
        }
        all.insert(key, value);
    }
    Ok(Value::Object(all))
}

/// The inverse of [`merge`], of what an attempt wrote.
///
/// # Errors
/// When the value is not an object with a header and such a body, or has not the fields of its revision.
pub fn split<B: DeserializeOwned>(value: Value, artifact: &str) -> Result<Document<B>, EvidenceError> {
    parts(value, artifact)
}

fn parts<B: DeserializeOwned, H: Head>(value: Value, artifact: &str) -> Result<Document<B, H>, EvidenceError> {
    let shape = |reason: String| EvidenceError::Shape {
        artifact: artifact.to_owned(),
        reason,
    };
    let Value::Object(all) = value else {
        return Err(shape("it is not a JSON object".to_owned()));
    };
    revision::check(&all).map_err(shape)?;
    let (head, body): (Map<_, _>, Map<_, _>) = all
        .into_iter()
        .partition(|(key, _)| HEADER_FIELDS.contains(&key.as_str()));
    let header = serde_json::from_value(Value::Object(head)).map_err(|e| shape(format!("header: {e}")))?;
    let body = serde_json::from_value(Value::Object(body)).map_err(|e| shape(e.to_string()))?;
    Ok(Document { header, body })
}

/// The closing summary of a step: its verdict and everything that it created, read and rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecutionSummary {
    /// The verdict: no blockers.
    pub overall_pass: bool,
    /// How many blockers stand in `blockers`.
    pub blocker_count: u64,
    /// The blockers.
    pub blockers: Vec<Finding>,
    /// `M3.X_READY`, or `HOLD`.
    pub next_gate: String,
    /// Every object that the step created, observations included, in the order of their keys.
    pub artifacts: Vec<ArtifactRef>,
    /// Every object that the step read, in the order of bucket, key and version.
    pub inputs: Vec<ObjectRef>,
    /// The closures that it rests on, in the order of the steps.
    pub upstream: Vec<ClosureRef>,
    /// What became of the artifacts that could not be stored, in the order of their keys. Evidence of earlier releases says it in
    /// a blocker's words alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_stored: Vec<NotStored>,
    /// What was scanned for secrets before it was published. Evidence of revision 1 does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_scan: Option<SecretScan>,
}

/// The scan for secrets of what a step publishes: its observations, and the artifacts that follow from them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretScan {
    /// The version of the rules ([`crate::secrets::RULES_VERSION`]).
    pub rules_version: u64,
    /// How many documents were scanned: the observations, and every artifact, stored or not.
    pub documents: u64,
    /// How many strings stood in them, keys and values; a Markdown document is one. Of the observations only `observed`, where
    /// alone something from outside stands.
    pub strings: u64,
    /// At how many places a secret was found: by the step in what it read, and in what would have been published. None of them
    /// was published.
    pub hits: u64,
}

/// An artifact that a step made and that could not be stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotStored {
    /// Its name.
    pub name: String,
    /// Where it belongs.
    pub key: S3Key,
    /// What became of the write.
    pub end: WriteFailure,
}

/// The gate value of a step that holds.
pub const HOLD: &str = "HOLD";

impl ExecutionSummary {
    /// A summary whose verdict follows from its blockers.
    #[must_use]
    pub fn new(
        ready_gate: String,
        blockers: Vec<Finding>,
        mut artifacts: Vec<ArtifactRef>,
        inputs: Vec<ObjectRef>,
        upstream: Vec<ClosureRef>,
    ) -> Self {
        let blockers = crate::blocker::settle(blockers);
        artifacts.sort_by(|a, b| (&a.bucket, &a.key).cmp(&(&b.bucket, &b.key)));
        let overall_pass = blockers.is_empty();
        ExecutionSummary {
            overall_pass,
            blocker_count: blockers.len() as u64,
            next_gate: if overall_pass { ready_gate } else { HOLD.to_owned() },
            blockers,
            artifacts,
            inputs,
            upstream,
            not_stored: Vec::new(),
            secret_scan: None,
        }
    }

    /// The summary, with what was scanned for secrets.
    #[must_use]
    pub fn scanned(mut self, scan: SecretScan) -> Self {
        self.secret_scan = Some(scan);
        self
    }

    /// The summary, with what became of the artifacts that could not be stored. Each has its blocker already.
    #[must_use]
    pub fn without(mut self, mut not_stored: Vec<NotStored>) -> Self {
        not_stored.sort_by(|a, b| a.key.cmp(&b.key));
        self.not_stored = not_stored;
        self
    }

    /// Whether the verdict, the count, the gate and what could not be stored say the same.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.overall_pass == self.blockers.is_empty()
            && self.blocker_count == self.blockers.len() as u64
            && self.overall_pass == (self.next_gate != HOLD)
            && (self.not_stored.is_empty() || !self.overall_pass)
    }

    /// The distinct codes of its blockers.
    #[must_use]
    pub fn codes(&self) -> Vec<Blocker> {
        crate::blocker::codes(&self.blockers)
    }

    /// The artifact called `name`, if the step created one.
    #[must_use]
    pub fn artifact(&self, name: &str) -> Option<&ArtifactRef> {
        self.artifacts.iter().find(|artifact| artifact.name == name)
    }
}

/// The name of a step's closing summary, such as `m3a_execution_summary`.
#[must_use]
pub fn summary_name(step: Step) -> String {
    Owner::Step(step).summary_name()
}

/// The name of a step's observations, such as `m3a_observations`.
#[must_use]
pub fn observations_name(step: Step) -> String {
    Owner::Step(step).observations_name()
}
