//! Computes again which blockers of earlier executions M3.I's register must list as resolved.

use p1_contract::artifacts::{
    ClosureBlockers, MOST_RERUNS, RerunAdmissionReceipt, ResolvedBlocker, RollupBlockerRegister,
};
use p1_contract::blocker::Blocker;
use p1_contract::evidence::{Body, Document, ExecutionSummary};
use p1_contract::input::HeldSummary;
use p1_contract::owner::Owner;
use p1_contract::reference::ClosureRef;
use p1_contract::step::Step;

use super::chain::Closed;
use super::judged::Evidence;
use crate::findings::Findings;

/// Compares the register with the reruns that the admissions name. Without one of their documents, which is a finding of its
/// own, nothing is compared; nor where M3.I itself says that evidence is broken, because it could not read all then.
pub(super) fn check(evidence: &Evidence<'_>, findings: &mut Findings) {
    let own = evidence.closed.get(&Owner::Step(Step::GateRollup));
    let is_broken = |rollup: &&Closed| {
        let mut codes = rollup.body.blockers.iter().map(|blocker| blocker.code);
        codes.any(|code| code == Blocker::RollupArtifactInvalid)
    };
    if own.is_some_and(is_broken) {
        return;
    }
    let Some((key, register)) = evidence.artifact::<RollupBlockerRegister>(Step::GateRollup) else {
        return;
    };
    // Evidence of revision 1 says nothing of them.
    if let (Some(listed), Some(holds)) = (&register.body.resolved_blockers, holds(evidence)) {
        let gated = evidence.closed.values().filter(|closed| is_gated(&closed.closure));
        let chain: Vec<ClosureBlockers> = gated
            .map(|closed| ClosureBlockers {
                closure: closed.closure.clone(),
                blockers: closed.body.blockers.clone(),
            })
            .collect();
        findings.expect(
            &key,
            "its resolved blockers",
            listed,
            &ResolvedBlocker::of(&holds, &chain),
        );
    }
}

fn is_gated(closure: &ClosureRef) -> bool {
    Step::GATED.into_iter().any(|step| closure.step == step)
}

/// The holds of earlier executions, oldest first. Returns `None` if a document that names them is not there.
fn holds(evidence: &Evidence<'_>) -> Option<Vec<ClosureBlockers>> {
    let mut holds = Vec::new();
    let admission = evidence.closed.get(&Owner::Admission);
    let mut next = admission.map(|closed| closed.closure.clone());
    for _ in 0..MOST_RERUNS {
        let Some(admission) = next else { break };
        let (closure, summary) = held(evidence, &admission)?;
        next = summary
            .upstream
            .into_iter()
            .find(|closure| closure.step == Owner::Admission);
        if !summary.blockers.is_empty() {
            let blockers = summary.blockers;
            holds.push(ClosureBlockers { closure, blockers });
        }
    }
    holds.reverse();
    Some(holds)
}

/// The summary that the rerun of an admission started from.
fn held(evidence: &Evidence<'_>, admission: &ClosureRef) -> Option<(ClosureRef, ExecutionSummary)> {
    let set = evidence.set;
    let summary = set
        .summary(admission.key.as_str(), &admission.step.summary_name())
        .ok()?;
    let receipt = summary.body.artifact(RerunAdmissionReceipt::NAME)?;
    let receipt: Document<RerunAdmissionReceipt> = set.document(receipt.key.as_str()).ok()?;
    let HeldSummary {
        key,
        version_id,
        sha256,
    } = receipt.body.held.clone();
    let (step, phase_execution_id) = receipt.body.held.place()?;
    let held = set.summary(key.as_str(), &Owner::Step(step).summary_name()).ok()?.body;
    let closure = ClosureRef {
        step: step.into(),
        phase_execution_id,
        overall_pass: held.overall_pass,
        bucket: admission.bucket.clone(),
        key,
        version_id: Some(version_id),
        sha256,
    };
    Some((closure, held))
}
