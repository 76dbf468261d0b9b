//! What to do about a hold: what to mend, and the input that goes on with the run.

use p1_contract::artifacts::{NextAction, Remedy, RerunInput, ResumeInput};
use p1_contract::blocker::{Blocker, Finding, Severity, codes};
use p1_contract::input::{HeldSummary, ResetReceipt, TO_FILL};
use p1_contract::observations::phase_verdict::Facts;
use p1_contract::step::Step;
use p1_contract::verdict::RollupVerdict;

/// `action` where the run can go on.
pub(crate) const RESUME: &str = "RESUME";
/// `action` where only a new start is offered.
pub(crate) const START_ANEW: &str = "START_ANEW";

/// The first step at which a rerun may begin.
const FIRST_RESUMABLE: Step = Step::ConfigDigest;

/// What to do about a hold for these blockers.
pub(crate) fn action(facts: &Facts, adjudication: Option<RollupVerdict>, unresolved: &[Finding]) -> NextAction {
    let codes = codes(unresolved);
    let no_go = adjudication == Some(RollupVerdict::NoGoResetRequired)
        || codes.iter().any(|code| code.severity() == Severity::S1);
    let last = Step::GATED
        .into_iter()
        .rev()
        .find_map(|step| Some((step, &facts.link(step)?.closure)));
    let (action, rerun_input) = match last {
        Some((step, closure)) if !no_go && step >= FIRST_RESUMABLE => {
            let at = if closure.overall_pass {
                step.next().unwrap_or(step)
            } else {
                step
            };
            // Where the bucket has no versions, nothing names the held bytes for good: there is nothing to paste.
            let input = closure.version_id.clone().map(|version_id| RerunInput {
                resume: ResumeInput {
                    held: HeldSummary {
                        key: closure.key.clone(),
                        version_id,
                        sha256: closure.sha256.clone(),
                    },
                    reset: reset(at, &codes),
                },
            });
            (RESUME, input)
        }
        _ => (START_ANEW, None),
    };
    let remedy = |code: Blocker| Remedy {
        code,
        remedy: code.remedy().to_owned(),
    };
    NextAction {
        action: action.to_owned(),
        remedies: codes.into_iter().map(remedy).collect(),
        rerun_input,
    }
}

/// A receipt in which only the person who resumes is missing, and the time: both are theirs to say, and the admission refuses
/// what stands there in their place.
fn reset(at: Step, codes: &[Blocker]) -> ResetReceipt {
    let codes: Vec<&str> = codes.iter().map(|code| code.code()).collect();
    ResetReceipt {
        actor: Some(format!("{TO_FILL}: who resumes the run")),
        reason: Some(format!("remediated: {}", codes.join(", "))),
        class: Some("service_runtime_reset".to_owned()),
        scope: Some(at.state_name()),
        at_utc: Some(format!("{TO_FILL}: when, as 2026-11-22T12:17:01Z")),
        approval: None,
    }
}
