//! in-toto Statement v1: what M3.J concluded, about which bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key::AttestationError;
use crate::artifacts::{IndexedObject, M4HandoffPack, PhaseSummary, Pinned, RunHeader, RunRecord, ScenarioIndexEntry};
use crate::blocker::{Blocker, Finding, codes};
use crate::canonical;
use crate::evidence::{Body, Document, ExecutionSummary, RunIds};
use crate::hash::Sha256Hex;
use crate::ids::{ExecutionArn, PhaseExecutionId, S3Key, Stamp};
use crate::reference::{ArtifactRef, ClosureRef, ObjectRef};
use crate::step::Step;
use crate::verdict::{PhaseVerdict, RollupVerdict};

/// The type of a Statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The type of our own predicate: an identifier, like those of the JSON Schemas, and no place to fetch anything from.
pub const VERDICT_PREDICATE: &str = "urn:p1:predicate:verdict:1";
/// The type of a SLSA verification summary.
pub const VSA_PREDICATE: &str = "https://slsa.dev/verification_summary/v1";
/// The name of the JSON Schema of the signed verdict's payload.
pub const VERDICT_STATEMENT_SCHEMA: &str = "m3j_verdict_statement";
/// The name of the JSON Schema of the verification summary's payload.
pub const VSA_STATEMENT_SCHEMA: &str = "m3j_vsa_statement";

/// Who verified, in a verification summary: M3.J, by the signer's key.
const VERIFIER: &str = "urn:p1:verifier:m3j";
/// What was verified against: the contract of P1.
const POLICY: &str = "urn:p1:policy:run-pinning:1";

/// A statement with a predicate of type `P`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Statement<P> {
    /// `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What it is about, in the order of the keys.
    pub subject: Vec<Subject>,
    /// What the predicate means.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is said of the subjects.
    pub predicate: P,
}

/// One object of the evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its key in the evidence bucket.
    pub name: String,
    /// Its bytes' digest.
    pub digest: Digest,
}

/// The digest of a subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// SHA-256.
    pub sha256: Sha256Hex,
}

/// The verdict, as it is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerdictPredicate {
    /// The verdict that counts: an advance that was not committed is a hold.
    pub verdict: PhaseVerdict,
    /// Whether the ledger holds it. Where it does not, nothing follows from the verdict.
    pub committed: bool,
    /// M3.I's adjudication.
    pub adjudication: Option<RollupVerdict>,
    /// The run's ids, as far as they were known.
    pub run: RunIds,
    /// The P1 execution.
    pub execution: ExecutionArn,
    /// Its stamp.
    pub execution_stamp_utc: Stamp,
    /// M3.J's phase execution.
    pub phase_execution_id: PhaseExecutionId,
    /// The codes of all blockers that are unresolved, M3.J's own among them.
    pub unresolved_codes: Vec<Blocker>,
    /// The steps that did not run.
    pub not_reached: Vec<Step>,
}

/// A SLSA verification summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerificationSummary {
    /// Who verified.
    pub verifier: Verifier,
    /// The stamp of the execution: the one time that evidence knows.
    pub time_verified: Stamp,
    /// What was verified: the root of the run's evidence, or of the phase execution where the run has no id.
    pub resource_uri: String,
    /// What it was verified against.
    pub policy: Policy,
    /// Whether the run is pinned.
    pub verification_result: VerificationResult,
    /// What was reached.
    pub verified_levels: Vec<VerifiedLevel>,
}

/// Who verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verifier {
    /// The verifier's URI; who it is follows from the key.
    pub id: String,
}

/// What was verified against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The policy's URI.
    pub uri: String,
}

/// The result of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VerificationResult {
    /// A committed advance.
    Passed,
    /// Anything else.
    Failed,
}

/// The levels of a verification: none of SLSA's tracks is judged here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum VerifiedLevel {
    /// The run is pinned.
    P1RunPinned,
    /// It is not.
    Failed,
}

/// `run.json`, the run header and the handoff pack, as far as these summaries (of M3.E and M3.F) list them, in the order of
/// their keys.
pub fn run_evidence<'s>(summaries: impl IntoIterator<Item = &'s ExecutionSummary>) -> Vec<ObjectRef> {
    let names = [RunRecord::NAME, RunHeader::NAME, M4HandoffPack::NAME];
    let listed = summaries.into_iter().flat_map(|summary| &summary.artifacts);
    let named = listed.filter(|artifact| names.contains(&artifact.name.as_str()));
    let mut objects: Vec<ObjectRef> = named.map(ArtifactRef::object).collect();
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    objects
}

/// What M3.J concluded: everything that the two statements follow from.
#[derive(Debug, Clone, Copy)]
pub struct Conclusion<'a> {
    /// The P1 execution.
    pub execution: &'a ExecutionArn,
    /// The phase summary.
    pub phase: &'a Document<PhaseSummary>,
    /// Where the phase summary lies; none where it was not stored.
    pub phase_object: Option<(&'a S3Key, &'a Sha256Hex)>,
    /// The ledger's COMMITTED record of it; none where none was written.
    pub commit: Option<(&'a S3Key, &'a Sha256Hex)>,
    /// `run.json`, the run header and the handoff pack, as far as M3.E and M3.F list them.
    pub run_evidence: &'a [ObjectRef],
    /// M3.J's own closure, which nothing else in the bucket names.
    pub closure: &'a ClosureRef,
    /// M3.J's own blockers.
    pub blockers: &'a [Finding],
}

impl Conclusion<'_> {
    /// The verdict that counts.
    #[must_use]
    pub fn verdict(&self) -> PhaseVerdict {
        match self.commit {
            Some(_) => self.phase.body.verdict,
            None => PhaseVerdict::HoldM3,
        }
    }

    /// The entry of the scenario index that follows. `None` unless an advance was committed.
    #[must_use]
    pub fn index_entry(&self) -> Option<ScenarioIndexEntry> {
        let named = |(key, sha256): (&S3Key, &Sha256Hex)| IndexedObject::new(key, sha256);
        let (summary, commit) = (self.phase_object?, self.commit?);
        if self.phase.body.verdict != PhaseVerdict::AdvanceToM4 {
            return None;
        }
        let run_evidence = self.run_evidence.iter().map(|object| (&object.key, &object.sha256));
        let pinned = Pinned {
            execution: self.execution.clone(),
            execution_stamp_utc: self.phase.body.execution_stamp_utc,
            m3_execution_summary: named(summary),
            commit: named(commit),
            run_evidence: run_evidence.map(named).collect(),
        };
        ScenarioIndexEntry::new(self.phase.header.run().triplet()?, pinned)
    }

    /// The objects that both statements are about, in the order of their keys, each once.
    #[must_use]
    pub fn subjects(&self) -> Vec<Subject> {
        let subject = |key: &S3Key, sha256: &Sha256Hex| Subject {
            name: key.to_string(),
            digest: Digest { sha256: sha256.clone() },
        };
        let run = self.run_evidence.iter().map(|object| (&object.key, &object.sha256));
        let closures = self.phase.body.closures.iter().chain([self.closure]);
        let closures = closures.map(|closure| (&closure.key, &closure.sha256));
        let mut subjects: Vec<Subject> = run
            .chain(closures)
            .chain(self.phase_object)
            .chain(self.commit)
            .map(|(key, sha256)| subject(key, sha256))
            .collect();
        subjects.sort();
        subjects.dedup();
        subjects
    }

    /// The payload of the signed verdict.
    ///
    /// # Errors
    /// When it cannot be rendered: a defect.
    pub fn verdict_payload(&self) -> Result<Vec<u8>, AttestationError> {
        let registered = self.phase.body.unresolved_blockers.iter().map(|blocker| blocker.code);
        let mut unresolved_codes: Vec<Blocker> = registered.chain(codes(self.blockers)).collect();
        unresolved_codes.sort();
        unresolved_codes.dedup();
        self.payload(
            VERDICT_PREDICATE,
            VerdictPredicate {
                verdict: self.verdict(),
                committed: self.commit.is_some(),
                adjudication: self.phase.body.adjudication,
                run: self.phase.header.run(),
                execution: self.execution.clone(),
                execution_stamp_utc: self.phase.body.execution_stamp_utc,
                phase_execution_id: self.closure.phase_execution_id.clone(),
                unresolved_codes,
                not_reached: self.phase.body.not_reached.clone(),
            },
        )
    }

    /// The payload of the signed verification summary.
    ///
    /// # Errors
    /// When it cannot be rendered: a defect.
    pub fn vsa_payload(&self) -> Result<Vec<u8>, AttestationError> {
        let advances = self.verdict() == PhaseVerdict::AdvanceToM4;
        let root = match &self.phase.header.platform_run_id {
            Some(run) => run.run_root(),
            // Its own folder, in whichever environment it lies.
            None => self.closure.key.as_str().trim_end_matches(|c| c != '/').to_owned(),
        };
        self.payload(
            VSA_PREDICATE,
            VerificationSummary {
                verifier: Verifier {
                    id: VERIFIER.to_owned(),
                },
                time_verified: self.phase.body.execution_stamp_utc,
                resource_uri: format!("s3://{}/{root}", self.closure.bucket),
                policy: Policy { uri: POLICY.to_owned() },
                verification_result: match advances {
                    true => VerificationResult::Passed,
                    false => VerificationResult::Failed,
                },
                verified_levels: vec![match advances {
                    true => VerifiedLevel::P1RunPinned,
                    false => VerifiedLevel::Failed,
                }],
            },
        )
    }

    fn payload<P: Serialize>(&self, predicate_type: &str, predicate: P) -> Result<Vec<u8>, AttestationError> {
        let statement = Statement {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: self.subjects(),
            predicate_type: predicate_type.to_owned(),
            predicate,
        };
        canonical::canonical_of(&statement).map_err(|error| AttestationError::Envelope(error.to_string()))
    }
}
