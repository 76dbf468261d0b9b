//! Reads the summary that a rerun names as the one it starts from.

use p1_contract::input::HeldSummary;
use p1_contract::reference::ClosureRef;

use crate::context::{StepContext, Summary};
use crate::fault::Fault;
use crate::store::DOCUMENT_LIMIT;

/// Reads the held summary, and names it as a closure. The inner error says why it is not the summary of a step M3.A … M3.H.
///
/// # Errors
/// Fails if the store gives no answer.
pub async fn held_closure(
    ctx: &StepContext<'_>,
    held: &HeldSummary,
) -> Result<Result<(ClosureRef, Summary), String>, Fault> {
    let Some((step, id)) = held.place() else {
        return Ok(Err("is not the summary of a step M3.A … M3.H".to_owned()));
    };
    let version = Some(held.version_id.as_str());
    let exact = ctx
        .read_exact(ctx.bucket(), &held.key, version, &held.sha256, DOCUMENT_LIMIT)
        .await?;
    Ok(exact.bytes().and_then(|bytes| {
        let summary = Summary::parse(&bytes, step.into())?;
        let closure = held.closure(ctx.bucket(), summary.body.overall_pass);
        closure
            .filter(|_| summary.header.step == step && summary.header.phase_execution_id == id)
            .map(|closure| (closure, summary))
            .ok_or_else(|| "is of another phase execution than its key says".to_owned())
    }))
}
