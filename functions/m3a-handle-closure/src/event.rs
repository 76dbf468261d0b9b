//! The claim of an event: EventBridge delivers at least once, and one delivery pins one run (contract section 5).

use p1_contract::artifacts::{EVENT_CLAIM, EventClaim};
use p1_contract::canonical;
use p1_contract::hash::Sha256Hex;
use p1_contract::input::ExecutionInput;
use p1_contract::observations::Written;
use p1_contract::request::StepResult;
use p1_contract::step::Step;
use p1_runtime::{Fault, StepContext, duplicate_delivery, run_control_key};

/// Claims the event for this execution; a result means that another execution has it.
pub(crate) async fn claim(ctx: &StepContext<'_>) -> Result<Option<StepResult>, Fault> {
    let ExecutionInput::M2Event { receipt, sequencer } = &ctx.input.input else {
        return Ok(None);
    };
    let id = Sha256Hex::of(format!("{}\n{}\n{sequencer}", ctx.bucket(), receipt.key).as_bytes());
    let claim = EventClaim::new(&ctx.input.execution, &receipt.key, sequencer);
    let bytes = canonical::document_of(&claim).map_err(|e| Fault::internal("render the event claim", e.to_string()))?;
    let key = run_control_key(ctx.environment(), &format!("_events/{id}.json"))?;
    match ctx.create(ctx.bucket(), &key, EVENT_CLAIM, &bytes).await {
        Written::Stored(_) => Ok(None),
        Written::Occupied { .. } => Ok(Some(duplicate_delivery(
            Step::HandleClosure,
            ctx.phase_execution_id.clone(),
        ))),
        other => Err(Fault::transient(format!("claim the event at {key}"), other.describe())),
    }
}
