//! Computes again which blockers of earlier executions M3.I's register must list as resolved.

use p1_contract::artifacts::{
    ClosureBlockers, MOST_RERUNS, RerunAdmissionReceipt, ResolvedBlocker, RollupBlockerRegister,
};
use p1_contract::blocker::Blocker;
use p1_contract::evidence::{Body, ExecutionSummary};
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
        let resolved = ResolvedBlocker::of(&holds, &chain);
        findings.expect(&key, "its resolved blockers", listed, &resolved);
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
        let mut upstream = summary.upstream.into_iter();
        next = upstream.find(|closure| closure.step == Owner::Admission);
        let blockers = summary.blockers;
        if !blockers.is_empty() {
            holds.push(ClosureBlockers { closure, blockers });
        }
    }
    holds.reverse();
    Some(holds)
}

/// The summary that the rerun of an admission started from.
fn held(evidence: &Evidence<'_>, admission: &ClosureRef) -> Option<(ClosureRef, ExecutionSummary)> {
    let set = evidence.set;
    let summary = set.summary(admission.key.as_str(), "summary").ok()?;
    let receipt = summary.body.artifact(RerunAdmissionReceipt::NAME)?;
    let held = set
        .document::<RerunAdmissionReceipt>(receipt.key.as_str())
        .ok()?
        .body
        .held;
    let summary = set.summary(held.key.as_str(), "summary").ok()?.body;
    let closure = held.closure(&admission.bucket, summary.overall_pass)?;
    Some((closure, summary))
}
