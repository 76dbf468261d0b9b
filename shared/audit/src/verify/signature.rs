//! Checks the signatures: the envelopes beside M3.J's evidence must agree with the evidence. They must be signed by the key
//! beside them or, if keys are given, by one of the given keys.

use p1_contract::artifacts::PhaseSummary;
use p1_contract::attestation::{
    Conclusion, Envelope, KEY_SIDECAR, PublicKey, SIDECARS, Statement, VERDICT_SIDECAR, VSA_SIDECAR, VerdictPredicate,
    run_evidence,
};
use p1_contract::blocker::Blocker;
use p1_contract::evidence::{Body, Document, observations_name};
use p1_contract::ids::{ExecutionArn, PhaseExecutionId};
use p1_contract::ledger::LEDGER_RECORD;
use p1_contract::reference::{ClosureRef, ObjectRef};
use p1_contract::step::Step;
use serde::Serialize;

use super::chain::{Chain, Closed, sibling_named};
use super::shape::{Documents, read};
use crate::evidence_set::EvidenceSet;
use crate::findings::Findings;

/// How far the signature of the verdict can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SignatureState {
    /// There is no signature.
    Unsigned,
    /// It is valid under the key that lies beside it. The directory cannot tell whose key that is.
    Signed,
    /// It is valid under one of the given keys.
    Verified,
    /// It is valid under the key that lies beside it, which is none of the given keys.
    OtherKey,
    /// It is valid in itself, and the evidence beside it was changed, or contradicts itself.
    Contradicted,
    /// It is incomplete, not valid, or disagrees with the evidence.
    Invalid,
}

/// The signature of the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// How far it can be trusted.
    pub state: SignatureState,
    /// SHA-256 of the public key in DER. `None` if there is no readable key.
    pub keyid: Option<String>,
}

impl Signature {
    /// No signature.
    pub(super) const NONE: Self = Signature {
        state: SignatureState::Unsigned,
        keyid: None,
    };

    /// An execution without a verdict signs nothing: what is signed are the verdicts before it. A signature of those that is not by
    /// one of the keys, or not valid, is said as it is.
    pub(super) fn of_no_verdict(&mut self, key: &str, keys: &[PublicKey], findings: &mut Findings) {
        if !keys.is_empty() {
            findings.incomplete(
                key,
                "is not signed, because only verdicts are, and a key was given to verify it with",
            );
        }
        if matches!(self.state, SignatureState::Signed | SignatureState::Verified) {
            *self = Self::NONE;
        }
    }

    /// Says no more of the signature than that it is valid: what lies beside it is not what it was.
    pub(super) fn beside_tampering(&mut self) {
        if matches!(
            self.state,
            SignatureState::Signed | SignatureState::Verified | SignatureState::OtherKey
        ) {
            self.state = SignatureState::Contradicted;
        }
    }
}

/// Checks the signature of every verdict in the directory. Returns the signature of the verdict that the directory belongs to; of
/// several verdicts, one that is signed by another key than the given ones comes first.
pub(super) fn check(
    set: &EvidenceSet,
    documents: &Documents,
    chain: &Chain,
    keys: &[PublicKey],
    findings: &mut Findings,
) -> Signature {
    let mut ours = Signature::NONE;
    let phase = chain.phase.as_ref().map(|(key, _)| key.as_str());
    for summary in &chain.final_closings {
        let signed = Signed {
            set,
            documents,
            chain,
            summary,
        };
        let signature = signed.check(keys, findings);
        let of_phase = phase.is_none_or(|phase| sibling_named(phase, "") == sibling_named(summary, ""));
        let by_another = |signature: &Signature| signature.state == SignatureState::OtherKey;
        if (of_phase && !by_another(&ours)) || by_another(&signature) {
            ours = signature;
        }
    }
    ours
}

/// The sidecars of one phase execution of M3.J.
struct Signed<'a> {
    set: &'a EvidenceSet,
    documents: &'a Documents,
    chain: &'a Chain,
    /// The key of M3.J's own summary.
    summary: &'a str,
}

impl Signed<'_> {
    fn check(&self, keys: &[PublicKey], findings: &mut Findings) -> Signature {
        let before = findings.all().len();
        let places = SIDECARS.map(|name| self.beside(name));
        let is_there = |place: &&String| self.set.files.contains_key(*place);
        // A file that could not be read has a finding already, and may be a signature.
        let unread = |place: &&String| self.set.unread.contains(*place);
        let (there, missing): (Vec<&String>, Vec<&String>) = places.iter().partition(is_there);
        if there.is_empty() && !missing.iter().any(unread) {
            if !keys.is_empty() {
                findings.incomplete(self.summary, "is not signed, and a key was given to verify it with");
            }
            return Signature::NONE;
        }
        let unread = missing.iter().any(unread);
        for place in missing.into_iter().filter(|place| !self.set.unread.contains(*place)) {
            findings.incomplete(place, "is not there, and other parts of the signature are");
        }
        let key = self.key(findings);
        if let Some(key) = &key {
            self.envelopes(key, findings);
        }
        let is_given = key.as_ref().is_some_and(|key| keys.contains(key));
        let state = match (unread || findings.all().len() > before, keys.is_empty(), is_given) {
            (true, _, _) => SignatureState::Invalid,
            (false, true, _) => SignatureState::Signed,
            (false, false, true) => SignatureState::Verified,
            (false, false, false) => SignatureState::OtherKey,
        };
        let keyid = key.map(|key| key.id().to_string());
        if let (false, false, Some(id)) = (keys.is_empty(), is_given, &keyid) {
            let place = self.beside(KEY_SIDECAR);
            let why = format!("is the key {id}, which is none of those that were given");
            findings.other_key(place, why);
        }
        Signature { state, keyid }
    }

    fn beside(&self, name: &str) -> String {
        sibling_named(self.summary, name)
    }

    fn key(&self, findings: &mut Findings) -> Option<PublicKey> {
        let place = self.beside(KEY_SIDECAR);
        let bytes = &self.set.files.get(&place)?.bytes;
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        match PublicKey::from_pem(text) {
            Ok(key) if key.to_pem().as_deref() == Ok(text) => Some(key),
            Ok(_) => {
                findings.tampered(place, "is not written as M3.J writes it");
                None
            }
            Err(error) => {
                findings.tampered(place, error.to_string());
                None
            }
        }
    }

    fn envelopes(&self, key: &PublicKey, findings: &mut Findings) {
        let mut expected = None;
        for name in [VERDICT_SIDECAR, VSA_SIDECAR] {
            let place = self.beside(name);
            let Some(file) = self.set.files.get(&place) else {
                continue;
            };
            let payload = match Envelope::parse(&file.bytes).and_then(|envelope| envelope.verify(key)) {
                Ok(payload) => payload,
                Err(error) => {
                    findings.tampered(place, error.to_string());
                    continue;
                }
            };
            if name == VERDICT_SIDECAR {
                expected = self.expected(&place, &payload, findings);
            }
            let Some((verdict, vsa)) = &expected else {
                findings.incomplete(place, "what its statement should say does not follow from the evidence");
                continue;
            };
            let expected = if name == VERDICT_SIDECAR { verdict } else { vsa };
            if payload != *expected {
                findings.tampered(place, "its statement is not what the evidence gives");
            }
        }
    }

    /// The payloads that follow from the evidence. The signed verdict names the execution; the phase execution id shows whether
    /// that name is true.
    fn expected(&self, place: &str, payload: &[u8], findings: &mut Findings) -> Option<(Vec<u8>, Vec<u8>)> {
        let Some(execution) = execution(payload) else {
            findings.tampered(place, "its payload is not a statement of a verdict");
            return None;
        };
        let mut closures = self.chain.closures.iter();
        let closed = closures.find(|closed| closed.closure.key.as_str() == self.summary)?;
        let document = |name: &str| self.beside(&format!("{name}.json"));
        let phase: Document<PhaseSummary> = read(self.documents, &document(PhaseSummary::NAME))?;
        let observations = document(&observations_name(Step::PhaseVerdict));
        let listed = self
            .documents
            .get(&observations)?
            .pointer("/observed/facts/run_evidence");
        let Ok(listed) = serde_json::from_value::<Vec<ObjectRef>>(listed.cloned().unwrap_or_default()) else {
            let detail = "does not list the run's evidence, which the signature is about";
            findings.tampered(observations, detail);
            return None;
        };
        self.compare(&listed, closed, &phase.body, findings);
        let id = &closed.closure.phase_execution_id;
        let (stamp, step) = (phase.body.execution_stamp_utc, Step::PhaseVerdict);
        let derived = PhaseExecutionId::derive(step, stamp, execution.as_str());
        findings.expect(place, "its execution", &derived, id);
        let object = |name: &str| {
            let artifact = closed.body.artifact(name)?;
            Some((&artifact.key, &artifact.sha256))
        };
        let conclusion = Conclusion {
            execution: &execution,
            phase: &phase,
            phase_object: object(PhaseSummary::NAME),
            commit: object(LEDGER_RECORD),
            run_evidence: &listed,
            closure: &closed.closure,
            blockers: &closed.body.blockers,
        };
        Some((conclusion.verdict_payload().ok()?, conclusion.vsa_payload().ok()?))
    }

    /// Checks that the run's evidence as M3.J lists it equals what the closures list, unless M3.J could not read them.
    fn compare(&self, listed: &[ObjectRef], closed: &Closed, phase: &PhaseSummary, findings: &mut Findings) {
        let incomplete = |blocker: &p1_contract::blocker::Finding| blocker.code == Blocker::ChainIncomplete;
        let steps = [Step::RunPublication, Step::M4Handoff];
        let named = phase.closures.iter();
        let named = named.filter(|closure| steps.iter().any(|step| closure.step == *step));
        let walked = |closure: &ClosureRef| self.chain.closures.iter().find(|closed| closed.closure == *closure);
        let bodies: Option<Vec<_>> = named.map(|closure| Some(&walked(closure)?.body)).collect();
        if let Some(bodies) = bodies.filter(|_| !closed.body.blockers.iter().any(incomplete)) {
            let expected = run_evidence(bodies);
            findings.expect(self.summary, "the run's evidence", &listed, &expected.as_slice());
        }
    }
}

fn execution(payload: &[u8]) -> Option<ExecutionArn> {
    let statement: Statement<VerdictPredicate> = serde_json::from_slice(payload).ok()?;
    Some(statement.predicate.execution)
}
