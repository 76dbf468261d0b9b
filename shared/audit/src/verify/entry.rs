//! Checks the evidence of a phase entry: is the answer that it records the one that follows from what was observed, and did a byte
//! change since?
//!
//! Such a directory holds what the function created and what it read of the run. Whether the run itself is as it was is another
//! question, which `verify` of the run's own evidence answers.

use p1_contract::artifacts::PhaseEntryReceipt;
use p1_contract::attestation::PublicKey;
use p1_contract::blocker::{Blocker, settle};
use p1_contract::evidence::{Body, Document};
use p1_contract::ids::PhaseExecutionId;
use p1_contract::observations::Observations;
use p1_contract::observations::phase_entry::{Observed, SignatureFacts};
use p1_contract::owner::Owner;
use p1_contract::settings::Signing;

use super::chain::{Chain, Closed, named_by_an_entry};
use super::meaning::revisions;
use super::shape::{Documents, read};
use crate::entry::answer;
use crate::evidence_set::{EvidenceSet, Outcome};
use crate::findings::Findings;

/// Checks the evidence. Returns whether the phase was admitted; `None` if that is not known.
pub(super) fn check(
    set: &EvidenceSet,
    documents: &Documents,
    chain: &mut Chain,
    keys: &[PublicKey],
    findings: &mut Findings,
) -> Option<bool> {
    named_by_an_entry(chain, set, documents, findings);
    revisions(documents, chain, findings);
    let closed = chain.closures.first()?;
    let pass = closed.body.overall_pass;
    let key = closed.closure.key.as_str();
    if !closed.body.is_consistent() {
        findings.tampered(key, "contradicts itself: verdict, gate and blockers differ");
    }
    if let Some(ending) = &set.ending {
        let admitted = ending.outcome == Some(Outcome::PhaseAdmitted);
        findings.expect("execution_history.json", "its answer", &admitted, &pass);
        let id = &closed.closure.phase_execution_id;
        let derived = id
            .stamp()
            .map(|stamp| PhaseExecutionId::derive(Owner::Entry, stamp, ending.execution.as_str()));
        findings.expect(key, "its phase execution", &Some(id), &derived.as_ref());
    }
    meaning(set, documents, closed, keys, findings);
    Some(pass)
}

/// Computes the answer again.
fn meaning(set: &EvidenceSet, documents: &Documents, closed: &Closed, keys: &[PublicKey], findings: &mut Findings) {
    let folder = set.environment().phase_folder(&closed.closure.phase_execution_id);
    let place = |name: &str| format!("{folder}{name}.json");
    let (receipt_key, observations_key) = (place(PhaseEntryReceipt::NAME), place(&Owner::Entry.observations_name()));
    let observations: Option<Document<Observations<Observed>>> = read(documents, &observations_key);
    let publish = Blocker::publish_failed(Owner::Entry.step());
    let receipt: Option<Document<PhaseEntryReceipt>> = set.document(&receipt_key).ok();
    let (Some(observations), Some(receipt)) = (observations, receipt) else {
        if !closed.body.blockers.iter().any(|blocker| blocker.code == publish) {
            findings.incomplete(
                closed.closure.key.as_str(),
                "its observations and its receipt could not both be read",
            );
        }
        return;
    };
    let observed = &observations.body.observed;
    let Ok(judged) = answer(&receipt.body.asked, observed) else {
        findings.tampered(observations_key, "holds a document that is not JSON of P1");
        return;
    };
    // Nothing is asked of a signature where the deployment signs nothing, and only there.
    let signs = observations
        .body
        .settings
        .as_ref()
        .is_none_or(|settings| settings.signing != Signing::Off);
    let is_unasked = observed.signature == SignatureFacts::NotAsked;
    findings.holds(
        &observations_key,
        "whether the deployment signs",
        !(signs && is_unasked),
    );
    let others = closed.body.blockers.iter().filter(|blocker| blocker.code != publish);
    let others: Vec<_> = others.cloned().collect();
    let key = closed.closure.key.as_str();
    findings.expect(key, "its blockers", &others, &settle(judged.findings()));
    let (key, body, admitted) = (&receipt_key, &receipt.body, judged.problems.is_empty());
    findings.expect(key, "its answer", &body.admitted, &admitted);
    findings.expect(key, "its references", &body.references, &judged.references);
    findings.expect(key, "its environment", &body.environment, &judged.environment);
    findings.expect(key, "its run", &receipt.header.run(), &judged.run);
    // What was read is what is there.
    for document in &observed.documents {
        let key = document.object.key.as_str();
        let file = set.files.get(key);
        if file.is_some_and(|file| file.sha256 != document.object.sha256) {
            findings.tampered(key, format!("has other bytes than {observations_key} names"));
        }
    }
    if !keys.is_empty() && admitted {
        let is_given = match &observed.signature {
            SignatureFacts::Verified { key_sha256, .. } => keys.iter().any(|key| key.id() == *key_sha256),
            _ => false,
        };
        if !is_given {
            let detail = "the phase was admitted without a signature by one of the keys that were given";
            findings.incomplete(observations_key, detail);
        }
    }
}
