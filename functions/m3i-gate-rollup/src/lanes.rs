//! The nine capability lanes of the plan's section 4.1, and the evidence that covers each.

use p1_contract::artifacts::{
    CapabilityLane, HandleBlockerRegister, HandleClosureSnapshot, HandleCommandReceipts, HandoffReferenceReceipts,
    IntegrityReadbackReceipts, OrchestratorCommandReceipts, OrchestratorReadinessSnapshot, PhaseBudgetEnvelope,
    PhaseCostOutcomeReceipt, ProhibitedMutationGuardReceipts, RerunResetPolicySnapshot, RunConfigPayload,
    RunHeaderWriteReceipt, RunIdGenerationSnapshot, RunJsonWriteReceipt, RuntimeScopeBindingSnapshot,
};
use p1_contract::evidence::Body;
use p1_contract::observations::ClosureAudit;
use p1_contract::step::Step;

/// The evidence of a lane: which artifact of which step.
type Evidence = &'static [(Step, &'static str)];

/// The lanes, in the plan's order.
pub(crate) const LANES: [(&str, Evidence); 9] = [
    (
        "authority/handles",
        &[(Step::HandleClosure, HandleClosureSnapshot::NAME)],
    ),
    (
        "identity/IAM",
        &[
            (Step::RunIdentity, RunIdGenerationSnapshot::NAME),
            (Step::OrchestratorReadiness, OrchestratorReadinessSnapshot::NAME),
        ],
    ),
    (
        "network/control-plane reachability",
        &[
            (Step::HandleClosure, HandleCommandReceipts::NAME),
            (Step::OrchestratorReadiness, OrchestratorCommandReceipts::NAME),
        ],
    ),
    (
        "data stores/evidence roots",
        &[
            (Step::RunPublication, RunJsonWriteReceipt::NAME),
            (Step::RunPublication, RunHeaderWriteReceipt::NAME),
        ],
    ),
    (
        "messaging/orchestrator references",
        &[
            (Step::OrchestratorReadiness, OrchestratorReadinessSnapshot::NAME),
            (Step::M4Handoff, RuntimeScopeBindingSnapshot::NAME),
        ],
    ),
    (
        "secrets posture",
        &[
            (Step::HandleClosure, HandleBlockerRegister::NAME),
            (Step::ConfigDigest, RunConfigPayload::NAME),
        ],
    ),
    (
        "observability/evidence publication",
        &[
            (Step::RunPublication, IntegrityReadbackReceipts::NAME),
            (Step::M4Handoff, HandoffReferenceReceipts::NAME),
        ],
    ),
    (
        "rollback/rerun policy",
        &[
            (Step::RerunDiscipline, RerunResetPolicySnapshot::NAME),
            (Step::RerunDiscipline, ProhibitedMutationGuardReceipts::NAME),
        ],
    ),
    (
        "phase budget and cost-to-outcome receipt",
        &[
            (Step::CostEnvelope, PhaseBudgetEnvelope::NAME),
            (Step::CostEnvelope, PhaseCostOutcomeReceipt::NAME),
        ],
    ),
];

/// All lanes, each covered when intact, green closures list all of its evidence.
pub(crate) fn matrix(audits: &[ClosureAudit]) -> Vec<CapabilityLane> {
    LANES.map(|(lane, evidence)| row(audits, lane, evidence)).into()
}

/// Whether the green closure of `step` lists the artifact; `None` where the chain has no green one.
fn is_listed(audits: &[ClosureAudit], step: Step, name: &str) -> Option<bool> {
    let audit = audit_of(audits, step).filter(|audit| audit.is_green())?;
    Some(audit.lists(name))
}

fn row(audits: &[ClosureAudit], lane: &str, evidence: Evidence) -> CapabilityLane {
    let mut steps: Vec<Step> = evidence.iter().map(|(step, _)| *step).collect();
    steps.dedup();
    let covered = evidence
        .iter()
        .all(|(step, name)| is_listed(audits, *step, name) == Some(true));
    CapabilityLane {
        lane: lane.to_owned(),
        steps,
        evidence: evidence.iter().map(|(_, name)| (*name).to_owned()).collect(),
        covered,
    }
}

/// The evidence that a green step does not list: a pass without its proof. Each once.
pub(crate) fn absent_evidence(audits: &[ClosureAudit]) -> Vec<(Step, &'static str)> {
    let mut absent: Vec<(Step, &'static str)> = LANES
        .iter()
        .flat_map(|(_, evidence)| evidence.iter().copied())
        .filter(|(step, name)| is_listed(audits, *step, name) == Some(false))
        .collect();
    absent.sort_unstable();
    absent.dedup();
    absent
}

/// The audit of `step`, if the chain has a closure of it.
pub(crate) fn audit_of(audits: &[ClosureAudit], step: Step) -> Option<&ClosureAudit> {
    audits.iter().find(|audit| audit.closure.step == step)
}
