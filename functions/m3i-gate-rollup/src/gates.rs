//! What the evidence says of the gates: which step was let through, and whether it should have been.

use p1_contract::blocker::{Blocker, Finding};
use p1_contract::observations::gate_rollup::EarlierHolds;
use p1_contract::observations::{AuditProblem, ClosureAudit};
use p1_contract::owner::Owner;
use p1_contract::step::Step;

use crate::lanes::{self, audit_of};

/// Whether the summary says another verdict than the chain does.
pub(crate) fn contradicts_chain(audit: &ClosureAudit) -> bool {
    audit
        .summary
        .as_ref()
        .is_some_and(|summary| summary.overall_pass != audit.closure.overall_pass)
}

/// Everything that is not as the closure says, a contradicted verdict excepted: that is the gate's matter.
pub(crate) fn integrity_problems(audit: &ClosureAudit) -> impl Iterator<Item = &AuditProblem> {
    let contradicted = contradicts_chain(audit);
    let summary = audit.closure.key.as_str();
    audit
        .problems
        .iter()
        .filter(move |problem| !(contradicted && problem.subject == summary))
}

/// The blockers that the evidence itself shows: `M3I-B1` an object, `M3I-B2` a gate.
pub(crate) fn findings(audits: &[ClosureAudit], earlier: Option<&EarlierHolds>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_audited = |problem: &&AuditProblem| {
        let mut problems = audits.iter().flat_map(|audit| &audit.problems);
        problems.any(|audited| audited.subject == problem.subject)
    };
    let lost = earlier.into_iter().flat_map(|earlier| &earlier.problems);
    findings.extend(lost.filter(|problem| !is_audited(problem)).map(|problem| {
        let detail = format!("an earlier execution rests on it: {}", problem.detail);
        Blocker::RollupArtifactInvalid.on(&problem.subject, detail)
    }));
    for audit in audits {
        for problem in integrity_problems(audit) {
            let detail = format!("{}: {}", audit.closure.step, problem.detail);
            findings.push(Blocker::RollupArtifactInvalid.on(&problem.subject, detail));
        }
    }
    for (step, name) in lanes::absent_evidence(audits) {
        findings
            .push(Blocker::RollupArtifactInvalid.on(name, format!("{step} passed, and its summary does not list it")));
    }
    for step in Step::GATED {
        if let Some(why) = gate_problem(audits, step) {
            findings.push(Blocker::GateContradicted.on(step.id(), why));
        }
    }
    if let Some(admission) = audits.iter().find(|audit| audit.closure.step == Owner::Admission) {
        let contradicted = |why: String| Blocker::GateContradicted.on(Owner::Admission.id(), why);
        if contradicts_chain(admission) {
            findings.push(contradicted(contradiction(admission)));
        } else if !admission.closure.overall_pass {
            findings.push(contradicted("it refused the rerun, and the rerun went on".to_owned()));
        }
    }
    findings
}

fn contradiction(audit: &ClosureAudit) -> String {
    let word = |pass: bool| if pass { "a pass" } else { "a hold" };
    let chain = audit.closure.overall_pass;
    format!("the chain names {}, its summary says {}", word(chain), word(!chain))
}

/// Why the gate of `step` cannot have let the chain come to be as it is; none where all is in order.
///
/// A chain is in order when all steps are green up to the last that ran, which is M3.H or one that held.
pub(crate) fn gate_problem(audits: &[ClosureAudit], step: Step) -> Option<String> {
    let later = Step::GATED
        .into_iter()
        .find(|later| *later > step && audit_of(audits, *later).is_some());
    match (audit_of(audits, step), later) {
        (Some(audit), _) if contradicts_chain(audit) => Some(contradiction(audit)),
        (Some(audit), Some(later)) if !audit.closure.overall_pass => Some(format!("it held, and {later} ran after it")),
        (None, Some(later)) => Some(format!("it did not run, and {later} ran after it")),
        (None, None) => {
            let passed = |audit: &ClosureAudit| audit.closure.overall_pass && !contradicts_chain(audit);
            let open = step.before().all(|before| audit_of(audits, before).is_some_and(passed));
            open.then(|| "it did not run, though every step before it passed".to_owned())
        }
        (Some(_), _) => None,
    }
}
