//! What to do about a hold: what to mend, and the input that goes on with the run.

use p1_contract::artifacts::{NextAction, Remedy, RerunInput, ResumeInput, StartInput};
use p1_contract::blocker::{Blocker, Finding, Severity, codes};
use p1_contract::input::{ExecutionInput, HeldSummary, M2Receipt, ResetReceipt, TO_FILL};
use p1_contract::observations::phase_verdict::Facts;
use p1_contract::request::{PASTE_LIMIT, StepInput};
use p1_contract::secrets;
use p1_contract::step::Step;
use p1_contract::verdict::RollupVerdict;
use serde_json::{Value, json};

/// `action` where the run can go on.
pub(crate) const RESUME: &str = "RESUME";
/// `action` where only a new start is offered.
pub(crate) const START_ANEW: &str = "START_ANEW";

/// The first step at which a rerun may begin.
const FIRST_RESUMABLE: Step = Step::ConfigDigest;

/// What to do about a hold for these blockers.
pub(crate) fn action(
    input: &StepInput,
    facts: &Facts,
    adjudication: Option<RollupVerdict>,
    unresolved: &[Finding],
) -> NextAction {
    let codes = codes(unresolved);
    let no_go = adjudication == Some(RollupVerdict::NoGoResetRequired)
        || codes.iter().any(|code| code.severity() == Severity::S1);
    let last = Step::GATED
        .into_iter()
        .rev()
        .find_map(|step| Some((step, &facts.link(step)?.closure)));
    let (action, rerun_input, alone) = match last {
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
                    only: None,
                    reset: reset(at, &codes),
                },
            });
            (RESUME, input, Some(at).filter(|at| runs_alone(*at)))
        }
        _ => (START_ANEW, None, None),
    };
    let remedy = |code: Blocker| Remedy {
        code,
        remedy: code.remedy().to_owned(),
    };
    let alone = rerun_input.as_ref().zip(alone);
    NextAction {
        action: action.to_owned(),
        remedies: codes.into_iter().map(remedy).collect(),
        only_input: alone.map(|(input, _)| {
            let mut input = input.clone();
            input.resume.only = Some(true);
            input
        }),
        only_effect: alone.map(|(_, at)| effect_of_only(at)),
        start_input: start(&input.input).filter(|_| action == START_ANEW),
        rerun_input,
    }
}

/// Whether a rerun may run the step alone.
fn runs_alone(step: Step) -> bool {
    (FIRST_RESUMABLE..=Step::CostEnvelope).contains(&step)
}

/// What the execution of `only_input` leaves behind.
fn effect_of_only(at: Step) -> String {
    format!(
        "only_input runs {at} alone and commits nothing. It publishes a later summary, so rerun_input is refused after it (M3G-B1): \
         then put key, version_id and sha256 of `closure` in its output in the place of those in rerun_input.resume.held"
    )
}

/// The input that starts anew as this execution started; a rerun's own input does not say how the run began. One that holds
/// secret material (`M3B-B8`) is not repeated: it would have the whole summary withheld, and must be mended first.
fn start(input: &ExecutionInput) -> Option<StartInput> {
    let receipt = input.receipt()?;
    let start = StartInput {
        m2_handoff: M2Receipt {
            key: receipt.key.clone(),
            version_id: None,
        },
        oracle_input_manifest: input.pinned_manifest().cloned(),
    };
    secrets::scan_value(&json!(start)).is_empty().then_some(start)
}

/// What to paste, for the cause of the failed execution: `next_action` without its remedies, which the codes beside it name. What
/// is too long for a cause stands in the summary alone.
pub(crate) fn paste(next: &NextAction) -> Value {
    let mut paste = json!(next);
    if let Some(fields) = paste.as_object_mut() {
        fields.retain(|name, value| name != "remedies" && !value.is_null());
    }
    if paste.to_string().len() <= PASTE_LIMIT {
        return paste;
    }
    json!({ "action": next.action, "see": "next_action of m3_execution_summary" })
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

#[cfg(test)]
mod tests {
    use p1_contract::hash::Sha256Hex;
    use p1_contract::ids::Environment;
    use p1_contract::input::PinnedManifest;

    use super::*;

    /// The longest text that an input may hold, of characters that JSON escapes.
    fn longest(begins: &str) -> String {
        let mut text = begins.to_owned();
        text.push_str(&"\"".repeat(1024 - begins.len()));
        text
    }

    fn offer(version_id: String) -> NextAction {
        let resume = ResumeInput {
            held: HeldSummary {
                key: longest(&Environment::default().run_control_root()).parse().unwrap(),
                version_id,
                sha256: Sha256Hex::of(b""),
            },
            only: Some(true),
            reset: reset(Step::OrchestratorReadiness, Blocker::ALL),
        };
        let input = Some(RerunInput { resume });
        NextAction {
            action: RESUME.to_owned(),
            remedies: vec![Remedy {
                code: Blocker::HandleMissing,
                remedy: "x".repeat(40_000),
            }],
            only_input: input.clone(),
            only_effect: Some(effect_of_only(Step::OrchestratorReadiness)),
            rerun_input: input,
            start_input: Some(StartInput {
                m2_handoff: M2Receipt {
                    key: longest(&Environment::default().run_control_root()).parse().unwrap(),
                    version_id: None,
                },
                oracle_input_manifest: None,
            }),
        }
    }

    #[test]
    fn the_largest_that_an_input_can_be_is_pasted_and_more_is_not() {
        let next = offer(longest(""));
        let paste = paste(&next);
        assert_eq!(paste["rerun_input"], json!(next.rerun_input));
        assert!(paste["only_input"].is_object() && paste["start_input"].is_object());
        assert!(paste.get("remedies").is_none());
        let longer = super::paste(&offer("v".repeat(PASTE_LIMIT)));
        assert_eq!(longer["action"], RESUME);
        assert!(longer["see"].is_string() && longer.to_string().len() < 100, "{longer}");
    }

    #[test]
    fn a_start_is_repeated_with_its_manifest_and_without_secrets() {
        let key_id = ["AKIA", "IOSFODNN7", "EXAMPLQ"].concat();
        for (uri, repeated) in [
            ("s3://bucket/manifest.json", true),
            (&format!("s3://bucket/{key_id}"), false),
        ] {
            let manifest = PinnedManifest {
                uri: uri.parse().unwrap(),
                sha256: Sha256Hex::of(b""),
            };
            let input = ExecutionInput::OperatorStart {
                receipt: M2Receipt {
                    key: "evidence/receipt.json".parse().unwrap(),
                    version_id: Some("v".to_owned()),
                },
                oracle_input_manifest: Some(manifest.clone()),
            };
            let start = start(&input);
            assert_eq!(start.is_some(), repeated, "{start:?}");
            if let Some(start) = start {
                assert_eq!(
                    (start.m2_handoff.version_id, start.oracle_input_manifest),
                    (None, Some(manifest))
                );
            }
        }
    }

    /// An input whose reason were longer than the input's bound would be offered and refused.
    #[test]
    fn an_offered_receipt_is_never_too_long_to_be_given() {
        let reset = json!(reset(Step::OrchestratorReadiness, Blocker::ALL));
        for (field, text) in reset.as_object().unwrap() {
            let length = text.as_str().map_or(0, str::len);
            assert!(length <= 1024, "{field}: {length}");
        }
    }
}
