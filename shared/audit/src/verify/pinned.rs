//! What was pinned: all documents of the run carry the same triplet, and M4's receipt names the right evidence.

use p1_contract::artifacts::*;
use p1_contract::evidence::{Body, Document, RunIds};
use p1_contract::ids::Stamp;
use p1_contract::owner::Owner;
use p1_contract::reference::ArtifactRef;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;

use super::judged::{Evidence, Phase};
use crate::findings::Findings;

/// Checks the documents of the run. Returns whether all of them are there.
pub(super) fn documents(evidence: &Evidence<'_>, run: &RunIds, findings: &mut Findings) -> bool {
    let Evidence { set, closures, .. } = evidence;
    let seed = evidence.artifact::<RunIdentitySeed>(Step::RunIdentity);
    let same_time = |key: &str, found: Stamp, findings: &mut Findings| {
        if let Some((_, seed)) = &seed {
            findings.expect(key, "pinned_at_utc", &found, &seed.body.pinned_at_utc);
        }
    };
    let triplet = run.triplet();
    let record = evidence.artifact::<RunRecord>(Step::RunPublication);
    if let Some((key, record)) = &record {
        findings.expect(key, "its triplet", &Some(record.header.triplet()), &triplet);
        same_time(key, record.body.pinned_at_utc, findings);
        let mut sources = record.body.source_closures.iter();
        let known = sources.all(|closure| closures.contains(closure));
        findings.holds(key, "the closures that it rests on", known);
    }
    let header = evidence.artifact::<RunHeader>(Step::RunPublication);
    if let Some((key, header)) = &header {
        findings.expect(key, "its triplet", &Some(header.header.triplet()), &triplet);
        same_time(key, header.body.pinned_at_utc, findings);
        if let Some(written) = header.body.written_at_utc {
            same_time(key, written, findings);
        }
        if let Some(file) = set.files.get(header.body.run_json_key.as_str()) {
            findings.expect(key, "run_json_sha256", &file.sha256, &header.body.run_json_sha256);
        }
    }
    let pack = evidence.artifact::<M4HandoffPack>(Step::M4Handoff);
    if let Some((key, pack)) = &pack {
        findings.expect(key, "its triplet", &Some(pack.header.triplet()), &triplet);
        same_time(key, pack.body.pinned_at_utc, findings);
        let scope = Some(&pack.body.required_platform_run_id_env_value);
        findings.expect(key, "its run scope", &scope, &run.platform_run_id.as_ref());
        for (step, id) in &pack.body.source_execution_ids {
            let closed = evidence.closed.get(step.as_str());
            let expected = closed.map(|closed| &closed.closure.phase_execution_id);
            findings.expect(key, "its source execution ids", &Some(id), &expected);
        }
    }
    record.is_some() && header.is_some() && pack.is_some()
}

/// Checks M4's receipt. `has_documents` says whether the documents of the run are all there.
pub(super) fn receipt(evidence: &Evidence<'_>, phase: Phase<'_>, has_documents: bool, findings: &mut Findings) {
    let Evidence { set, chain, .. } = evidence;
    let (phase_key, phase) = (phase.key, phase.document);
    let advance = phase.body.verdict == PhaseVerdict::AdvanceToM4;
    let last = &phase.header.phase_execution_id;
    let receipt = chain.artifact(last, M4EntryReadinessReceipt::NAME);
    // If M3.J's summary or the commit is missing, the expected receipt is not known.
    let closed = chain.closures.iter().any(|c| c.closure.phase_execution_id == *last);
    if closed && chain.committed.is_some() {
        findings.expect(phase_key, "the receipt for M4", &receipt.is_some(), &advance);
    }
    let Some(receipt) = receipt else { return };
    let key = receipt.key.as_str();
    let Ok(Document { body, .. }) = set.document::<M4EntryReadinessReceipt>(key) else {
        return;
    };
    let listed = |step: Step, name: &str| {
        let closed = evidence.closed.get(&Owner::Step(step))?;
        closed.body.artifact(name).map(ArtifactRef::object)
    };
    let (rollup, handoff) = (
        listed(Step::GateRollup, P1Verdict::NAME),
        listed(Step::M4Handoff, M4HandoffPack::NAME),
    );
    findings.expect(key, "its verdict of M3.I", &Some(body.p1_verdict), &rollup);
    findings.expect(key, "its pack", &Some(body.m4_handoff_pack), &handoff);
    let summary = body.m3_execution_summary.key.as_str();
    findings.expect(key, "its phase summary", &summary, &phase_key);
    if let Some(record) = &chain.committed {
        let expected = record.platform_run_id.ledger_key(record.sequence);
        findings.expect(key, "its commit", &body.commit.key.as_str(), &expected.as_str());
    }
    if advance && !has_documents && !chain.broken {
        findings.incomplete(phase_key, "it advances without run.json, run header or handoff pack");
    }
}
