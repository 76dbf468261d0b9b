//! The artifacts of M3.A … M3.G that prove what the phase's spend was for, and whether they are there.

use futures_util::future::try_join_all;
use p1_contract::observations::ClosureAudit;
use p1_contract::observations::cost_envelope::{ProofFact, ProofState};
use p1_contract::step::Step;
use p1_runtime::{ClosureRead, Fault, StepContext};

/// The steps whose closures M3.H rests on.
pub(crate) fn upstream() -> impl Iterator<Item = Step> {
    Step::CostEnvelope.before()
}

/// The artifacts that prove the spend, by the step that publishes them.
pub const EXPECTED_PROOFS: [(Step, &str); 11] = [
    (Step::HandleClosure, "m3a_handle_closure_snapshot"),
    (Step::RunIdentity, "m3b_run_id_generation_snapshot"),
    (Step::RunIdentity, "m3b_run_identity_seed"),
    (Step::ConfigDigest, "m3c_run_config_digest_snapshot"),
    (Step::OrchestratorReadiness, "m3d_orchestrator_entry_readiness_snapshot"),
    (Step::RunPublication, "run"),
    (Step::RunPublication, "run_header"),
    (Step::RunPublication, "m3e_run_json_write_receipt"),
    (Step::RunPublication, "m3e_run_header_write_receipt"),
    (Step::M4Handoff, "m4_handoff_pack"),
    (Step::RerunDiscipline, "m3g_rerun_reset_policy_snapshot"),
];

/// Looks up every expected proof in the audited closures.
pub(crate) async fn observe(ctx: &StepContext<'_>, audits: &[ClosureAudit]) -> Result<Vec<ProofFact>, Fault> {
    let facts = EXPECTED_PROOFS.iter().map(|&(step, name)| async move {
        let audit = audits.iter().find(|audit| audit.closure.step == step);
        Ok::<_, Fault>(ProofFact {
            step,
            phase_execution_id: audit.map(|audit| audit.closure.phase_execution_id.clone()),
            name: name.to_owned(),
            state: match audit {
                Some(audit) => state(ctx, audit, name).await?,
                None => ProofState::Unknown,
            },
        })
    });
    try_join_all(facts).await
}

async fn state(ctx: &StepContext<'_>, audit: &ClosureAudit, name: &str) -> Result<ProofState, Fault> {
    if audit.summary.is_none() {
        return Ok(ProofState::Unknown);
    }
    if !audit.lists(name) {
        return Ok(ProofState::Unlisted);
    }
    if audit.problems.is_empty() {
        return Ok(ProofState::Present);
    }
    // The audit names problems by key. The keys of run evidence come from the registry, so only the summary tells
    // which key is this artifact's.
    let ClosureRead::Found(summary) = ctx.closure(&audit.closure).await? else {
        return Ok(ProofState::Unknown);
    };
    let Some(artifact) = summary.body.artifact(name) else {
        return Ok(ProofState::Unlisted);
    };
    let problem = audit
        .problems
        .iter()
        .find(|problem| problem.subject == artifact.key.as_str());
    Ok(problem.map_or(ProofState::Present, |problem| ProofState::Gone {
        key: problem.subject.clone(),
        detail: problem.detail.clone(),
    }))
}
