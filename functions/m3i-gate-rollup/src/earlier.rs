//! The holds of earlier executions of the run.
//!
//! Each admission names the summary that its rerun started from, and that summary names the admission that it rests on itself.
//! So the chain of hashes leads from this execution's admission back to the run's first execution.

use p1_contract::artifacts::{ClosureBlockers, MOST_RERUNS, RerunAdmissionReceipt};
use p1_contract::evidence::Body;
use p1_contract::ids::S3Key;
use p1_contract::observations::AuditProblem;
use p1_contract::observations::gate_rollup::EarlierHolds;
use p1_contract::owner::Owner;
use p1_contract::reference::ClosureRef;
use p1_runtime::{ClosureRead, Fault, StepContext, Summary, held_closure};

/// Follows the reruns back from the one that this execution is.
pub(crate) async fn observe(ctx: &StepContext<'_>) -> Result<EarlierHolds, Fault> {
    let mut earlier = EarlierHolds::default();
    let mut next = ctx.input.admission().cloned();
    for _ in 0..MOST_RERUNS {
        let Some(admission) = next else { break };
        let (closure, summary) = match held(ctx, &admission).await? {
            Ok(held) => held,
            Err(problem) => {
                earlier.problems.push(problem);
                break;
            }
        };
        let mut upstream = summary.body.upstream.into_iter();
        next = upstream.find(|closure| closure.step == Owner::Admission);
        if !summary.body.blockers.is_empty() {
            let blockers = summary.body.blockers;
            earlier.holds.push(ClosureBlockers { closure, blockers });
        }
    }
    earlier.holds.reverse();
    Ok(earlier)
}

/// The summary that the rerun of this admission started from.
async fn held(
    ctx: &StepContext<'_>,
    admission: &ClosureRef,
) -> Result<Result<(ClosureRef, Summary), AuditProblem>, Fault> {
    let problem = |subject: &S3Key, detail: String| AuditProblem {
        subject: subject.to_string(),
        detail,
    };
    let summary = match ctx.closure(admission).await? {
        ClosureRead::Found(summary) => summary,
        ClosureRead::Unusable(why) => return Ok(Err(problem(&admission.key, why))),
    };
    let receipt = match ctx.artifact_if_intact::<RerunAdmissionReceipt>(&summary).await? {
        Ok(document) => document.body,
        Err(why) => {
            let receipt = summary.body.artifact(RerunAdmissionReceipt::NAME);
            let subject = receipt.map_or(&admission.key, |receipt| &receipt.key);
            return Ok(Err(problem(subject, why)));
        }
    };
    let held = held_closure(ctx, &receipt.held).await?;
    Ok(held.map_err(|why| problem(&receipt.held.key, why)))
}
