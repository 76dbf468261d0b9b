//! The entry of the scenario index that follows from evidence. M3.J creates it beside the evidence, so that nothing in the evidence
//! names it; whoever has both can hold one against the other.

use p1_contract::artifacts::{IndexedObject, PhaseSummary, Pinned, ScenarioIndexEntry};
use p1_contract::attestation::run_evidence;
use p1_contract::evidence::ExecutionSummary;
use p1_contract::ids::S3Key;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;

use crate::evidence_set::EvidenceSet;
use crate::lineage::Lineage;

/// The entry that M3.J creates for the run. `None` if no advance is committed, or if the evidence of it is not whole.
#[must_use]
pub fn expected(set: &EvidenceSet) -> Option<ScenarioIndexEntry> {
    let lineage = Lineage::of(set);
    let is_advance = |verdict: Option<PhaseVerdict>| verdict == Some(PhaseVerdict::AdvanceToM4);
    let commit = lineage.commits().find(|entry| is_advance(entry.record.verdict))?;
    let summary = commit.record.summary.as_ref()?;
    let phase = set.document::<PhaseSummary>(summary.key.as_str()).ok()?;
    let publishers = [Step::RunPublication, Step::M4Handoff];
    let named = phase.body.closures.iter();
    let named = named.filter(|closure| publishers.iter().any(|step| closure.step == *step));
    let published = named.map(|closure| {
        let document = set.summary(closure.key.as_str(), &closure.step.summary_name());
        Some(document.ok()?.body)
    });
    let published: Vec<ExecutionSummary> = published.collect::<Option<_>>()?;
    let pinned = Pinned {
        execution: commit.record.holder.clone(),
        execution_stamp_utc: phase.body.execution_stamp_utc,
        m3_execution_summary: IndexedObject::new(&summary.key, &summary.sha256),
        commit: IndexedObject::new(&S3Key::parse(&commit.key).ok()?, &set.files.get(&commit.key)?.sha256),
        run_evidence: run_evidence(&published)
            .iter()
            .map(|object| IndexedObject::new(&object.key, &object.sha256))
            .collect(),
    };
    ScenarioIndexEntry::new(phase.header.run().triplet()?, pinned)
}
