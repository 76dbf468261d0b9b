//! Reads a closure again: its summary and every artifact that it lists. Each object is hashed again.

use futures_util::future::try_join_all;
use p1_contract::observations::{AuditProblem, ClosureAudit, SummaryFacts};
use p1_contract::reference::ClosureRef;

use crate::context::{ClosureRead, Exact, StepContext};
use crate::fault::Fault;

/// Reads a closure and all artifacts that it lists again. The artifacts are read concurrently.
///
/// # Errors
/// Fails if the store gives no answer.
pub async fn audit(ctx: &StepContext<'_>, closure: &ClosureRef) -> Result<ClosureAudit, Fault> {
    let problem = |subject: &str, detail: String| AuditProblem {
        subject: subject.to_owned(),
        detail,
    };
    let summary = match ctx.closure(closure).await? {
        ClosureRead::Found(summary) => *summary,
        ClosureRead::Unusable(why) => {
            let problems = vec![problem(closure.key.as_str(), why)];
            return Ok(ClosureAudit {
                closure: closure.clone(),
                summary: None,
                problems,
            });
        }
    };
    let mut problems = Vec::new();
    if summary.body.overall_pass != closure.overall_pass {
        problems.push(problem(
            closure.key.as_str(),
            "its verdict is not the one that the chain names".to_owned(),
        ));
    }
    let artifacts = &summary.body.artifacts;
    let reads = artifacts.iter().map(|artifact| ctx.read_listed(artifact));
    for (artifact, exact) in artifacts.iter().zip(try_join_all(reads).await?) {
        if !matches!(exact, Exact::Found(_)) {
            problems.push(problem(artifact.key.as_str(), exact.describe()));
        }
    }
    Ok(ClosureAudit {
        closure: closure.clone(),
        summary: Some(SummaryFacts::of(&summary.header, &summary.body)),
        problems,
    })
}

/// Audits several closures concurrently. The results have the order of the closures.
///
/// # Errors
/// Fails if the store gives no answer.
pub async fn audit_all<'c>(
    ctx: &StepContext<'_>,
    closures: impl IntoIterator<Item = &'c ClosureRef>,
) -> Result<Vec<ClosureAudit>, Fault> {
    try_join_all(closures.into_iter().map(|closure| audit(ctx, closure))).await
}
