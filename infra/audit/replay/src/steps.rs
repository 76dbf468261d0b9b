//! Evaluates the ten steps, the admission and the entry with the functions' own code.

use aws_config::{BehaviorVersion, SdkConfig};
use m3a_handle_closure::HandleClosure;
use m3b_run_identity::RunIdentity;
use m3c_config_digest::ConfigDigest;
use m3d_orchestrator_readiness::OrchestratorReadiness;
use m3e_run_publication::RunPublication;
use m3f_m4_handoff::M4Handoff;
use m3g_rerun_discipline::{Admission, RerunDiscipline};
use m3h_cost_envelope::{CostEnvelope, CostExplorer};
use m3i_gate_rollup::GateRollup;
use m3j_phase_verdict::{Entry, PhaseVerdictStep};
use p1_contract::evidence::split;
use p1_contract::observations::Observations;
use p1_contract::reference::ArtifactRef;
use p1_contract::request::StepResult;
use p1_contract::step::Step;
use p1_contract::strict::{Limits, parse_strict};
use p1_runtime::{Fault, Harness, Recreated, Request, StepLogic};

use crate::payload::Owner;

/// A step that was evaluated again.
pub(super) struct Recomputed {
    /// The function's answer.
    pub(super) answer: Result<StepResult, Fault>,
    /// The objects that it created while it observed.
    pub(super) observed: Result<Created, String>,
}

/// The objects that a step created while it observed.
#[derive(Default)]
pub(super) struct Created {
    /// The list in the observations.
    pub(super) listed: Vec<ArtifactRef>,
    /// The objects as recreated from the observations.
    pub(super) recreated: Vec<Recreated>,
}

/// Runs the function of `owner` on `request`, over a recording that holds `observations`.
pub(super) async fn recompute(owner: Owner, harness: &Harness, request: &Request, observations: &[u8]) -> Recomputed {
    // Each future is boxed, because all ten together are too large for a stack.
    match owner {
        Owner::Admission => Box::pin(with(&Admission, harness, request, observations)).await,
        Owner::Entry => Box::pin(with(&Entry::default(), harness, request, observations)).await,
        Owner::Step(step) => match step {
            Step::HandleClosure => Box::pin(with(&HandleClosure, harness, request, observations)).await,
            Step::RunIdentity => Box::pin(with(&RunIdentity, harness, request, observations)).await,
            Step::ConfigDigest => Box::pin(with(&ConfigDigest, harness, request, observations)).await,
            Step::OrchestratorReadiness => Box::pin(with(&OrchestratorReadiness, harness, request, observations)).await,
            Step::RunPublication => Box::pin(with(&RunPublication, harness, request, observations)).await,
            Step::M4Handoff => Box::pin(with(&M4Handoff, harness, request, observations)).await,
            Step::RerunDiscipline => Box::pin(with(&RerunDiscipline, harness, request, observations)).await,
            Step::CostEnvelope => {
                // The client is never used, because its answer is among the observations.
                let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
                let explorer = CostExplorer::new(config);
                Box::pin(with(&CostEnvelope { explorer }, harness, request, observations)).await
            }
            Step::GateRollup => Box::pin(with(&GateRollup, harness, request, observations)).await,
            Step::PhaseVerdict => Box::pin(with(&PhaseVerdictStep::default(), harness, request, observations)).await,
        },
    }
}

async fn with<S: StepLogic>(step: &S, harness: &Harness, request: &Request, observations: &[u8]) -> Recomputed {
    let answer = harness.run(step, request).await;
    let observed = created(step, request, observations);
    Recomputed { answer, observed }
}

fn created<S: StepLogic>(step: &S, request: &Request, observations: &[u8]) -> Result<Created, String> {
    let value = parse_strict(observations, Limits::DOCUMENT).map_err(|error| error.to_string())?;
    let document = split::<Observations>(value, &S::OWNER.observations_name()).map_err(|error| error.to_string())?;
    let observed: S::Observed = serde_json::from_value(document.body.observed).map_err(|error| error.to_string())?;
    let recreated = step.recreate(&request.input, &observed);
    Ok(Created {
        listed: document.body.created,
        recreated: recreated.map_err(|fault| fault.to_string())?,
    })
}
