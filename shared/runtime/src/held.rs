//! Reads the summary that a rerun names as the one it starts from.

use p1_contract::input::HeldSummary;
use p1_contract::reference::ClosureRef;

use crate::context::{Exact, StepContext, Summary};
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
    let bytes = match exact {
        Exact::Found(bytes) => bytes,
        other => return Ok(Err(other.describe())),
    };
    let summary = match Summary::parse(&bytes, step.into()) {
        Ok(summary) => summary,
        Err(why) => return Ok(Err(why)),
    };
    if summary.header.step != step || summary.header.phase_execution_id != id {
        return Ok(Err("is of another phase execution than its key says".to_owned()));
    }
    let closure = ClosureRef {
        step: step.into(),
        phase_execution_id: id,
        overall_pass: summary.body.overall_pass,
        bucket: ctx.bucket().clone(),
        key: held.key.clone(),
        version_id: Some(held.version_id.clone()),
        sha256: held.sha256.clone(),
    };
    Ok(Ok((closure, summary)))
}
