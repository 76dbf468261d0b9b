//! What a function returns: codes, ids and closures, and what a hold or a refusal tells; never evidence bodies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Closures;
use super::told::{Findings, Told};
use crate::artifacts::DurableReference;
use crate::blocker::Blocker;
use crate::evidence::RunIds;
use crate::ids::{PhaseExecutionId, PlatformRunId};
use crate::input::PhaseEntry;
use crate::owner::Owner;
use crate::reference::ClosureRef;
use crate::step::Step;
use crate::verdict::PhaseVerdict;

/// How a Task ended, as the state machine reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskOutcome {
    /// The step closed, with a pass or a hold.
    Closed,
    /// The event had started another execution already.
    DuplicateDelivery,
    /// The rerun may go on.
    Admitted,
    /// The later phase may work on the run.
    PhaseAdmitted,
    /// The rerun may not go on, or the later phase may not work on the run.
    Refused,
}

/// How a Task ended, with what only this end has to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Conclusion {
    /// The step closed, with a pass or a hold.
    #[default]
    Closed,
    /// M3.J closed.
    Verdict(Concluded),
    /// The event had started another execution already.
    DuplicateDelivery,
    /// The rerun may go on.
    Admitted(Admitted),
    /// The later phase may work on the run.
    PhaseAdmitted(PhaseAdmitted),
    /// The rerun may not go on, or the later phase may not work on the run.
    Refused,
}

/// The verdict of M3.J.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concluded {
    /// The phase verdict.
    pub verdict: PhaseVerdict,
    /// Whether the ledger holds it.
    pub committed: bool,
    /// The codes of all blockers that are unresolved.
    pub unresolved: Vec<Blocker>,
    /// After a hold, the summary's `next_action` without its remedies. It stands in the cause of the failed execution, so it has
    /// at most 16,384 bytes.
    pub next: Option<Value>,
}

/// A rerun that may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The closures to go on with.
    pub closures: Closures,
    /// The step to go on with.
    pub resume_at: Step,
    /// Whether that step alone is run.
    pub only: bool,
}

/// A later phase that may work on a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseAdmitted {
    /// The variables that scope a runtime to the run, with their values.
    pub environment: BTreeMap<String, PlatformRunId>,
    /// What the phase asked with.
    pub correlation: PhaseEntry,
    /// The evidence that the answer rests on.
    pub references: Vec<DurableReference>,
}

impl Conclusion {
    /// The verdict that the ledger holds: nothing can take it back.
    #[must_use]
    pub fn committed(&self) -> Option<PhaseVerdict> {
        match self {
            Self::Verdict(concluded) => concluded.committed.then_some(concluded.verdict),
            _ => None,
        }
    }
}

/// What a function returns: codes, ids and closures, and what a hold or a refusal tells; never evidence bodies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct StepResult {
    /// Whose it is.
    pub step: Owner,
    /// The function version that answered, as the engine invoked it: for the execution history, never for evidence.
    pub function_arn: Option<String>,
    /// How it ended.
    pub conclusion: Conclusion,
    /// The phase execution.
    pub phase_execution_id: PhaseExecutionId,
    /// The verdict.
    pub overall_pass: bool,
    /// `M3.X_READY`, or `HOLD`.
    pub next_gate: String,
    /// The step's own blocker codes.
    pub blockers: Vec<Blocker>,
    /// After a hold that M3.J concluded, and after a refusal: what stands, for the person whom it is told. It stands in the cause
    /// of the failed execution.
    pub findings: Findings,
    /// After a refusal: the input that was refused, to be given again once what stands is mended. It has at most 16,384 bytes,
    /// and is not repeated where it holds secret material.
    pub asked: Option<Value>,
    /// The step's closure; none for a duplicate delivery.
    pub closure: Option<ClosureRef>,
    /// The ids known by then.
    pub run: RunIds,
}

impl StepResult {
    /// How it ended, as the state machine reads it.
    #[must_use]
    pub fn outcome(&self) -> TaskOutcome {
        match self.conclusion {
            Conclusion::Closed | Conclusion::Verdict(_) => TaskOutcome::Closed,
            Conclusion::DuplicateDelivery => TaskOutcome::DuplicateDelivery,
            Conclusion::Admitted(_) => TaskOutcome::Admitted,
            Conclusion::PhaseAdmitted(_) => TaskOutcome::PhaseAdmitted,
            Conclusion::Refused => TaskOutcome::Refused,
        }
    }

    /// What M3.J concluded, where it did.
    #[must_use]
    pub fn concluded(&self) -> Option<&Concluded> {
        match &self.conclusion {
            Conclusion::Verdict(concluded) => Some(concluded),
            _ => None,
        }
    }

    /// The phase verdict, where M3.J concluded one.
    #[must_use]
    pub fn verdict(&self) -> Option<PhaseVerdict> {
        Some(self.concluded()?.verdict)
    }

    /// Whether the ledger holds it, where M3.J concluded one.
    #[must_use]
    pub fn committed(&self) -> Option<bool> {
        Some(self.concluded()?.committed)
    }

    /// What a rerun goes on with, where it was admitted.
    #[must_use]
    pub fn admitted(&self) -> Option<&Admitted> {
        match &self.conclusion {
            Conclusion::Admitted(admitted) => Some(admitted),
            _ => None,
        }
    }
}

/// A result as it is written: the fields of every end beside each other.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    step: Owner,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_arn: Option<String>,
    outcome: TaskOutcome,
    phase_execution_id: PhaseExecutionId,
    overall_pass: bool,
    next_gate: String,
    blockers: Vec<Blocker>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Told>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    findings_cut: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<Value>,
    closure: Option<ClosureRef>,
    run: RunIds,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<PhaseVerdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unresolved: Option<Vec<Blocker>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closures: Option<Closures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_at: Option<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    only: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<BTreeMap<String, PlatformRunId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<PhaseEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    references: Option<Vec<DurableReference>>,
}

/// Fields that one end has and no other: all of them, or none. `None` if only some are there.
fn together<A, B, C>(a: Option<A>, b: Option<B>, c: Option<C>) -> Option<Option<(A, B, C)>> {
    match (a, b, c) {
        (None, None, None) => Some(None),
        (a, b, c) => Some(Some((a?, b?, c?))),
    }
}

impl TryFrom<Wire> for StepResult {
    type Error = &'static str;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        let is_verdict = wire.verdict.is_some();
        if wire.next.is_some() && !is_verdict {
            return Err("`next` belongs to a verdict");
        }
        let is_refusal = wire.outcome == TaskOutcome::Refused;
        if wire.asked.is_some() && !is_refusal {
            return Err("`asked` belongs to a refusal");
        }
        if (wire.findings_cut.is_some() || !wire.findings.is_empty()) && !is_verdict && !is_refusal {
            return Err("`findings` belong to a verdict or a refusal");
        }
        let mixed = "its fields are not those of its `outcome`";
        let verdict = together(wire.verdict, wire.committed, wire.unresolved).ok_or(mixed)?;
        let admission = together(wire.closures, wire.resume_at, wire.only).ok_or(mixed)?;
        let entry = together(wire.environment, wire.correlation, wire.references).ok_or(mixed)?;
        let conclusion = match (wire.outcome, verdict, admission, entry) {
            (TaskOutcome::Closed, None, None, None) => Conclusion::Closed,
            (TaskOutcome::Closed, Some((verdict, committed, unresolved)), None, None) => {
                Conclusion::Verdict(Concluded {
                    verdict,
                    committed,
                    unresolved,
                    next: wire.next,
                })
            }
            (TaskOutcome::Admitted, None, Some((closures, resume_at, only)), None) => Conclusion::Admitted(Admitted {
                closures,
                resume_at,
                only,
            }),
            (TaskOutcome::PhaseAdmitted, None, None, Some((environment, correlation, references))) => {
                Conclusion::PhaseAdmitted(PhaseAdmitted {
                    environment,
                    correlation,
                    references,
                })
            }
            (TaskOutcome::DuplicateDelivery, None, None, None) => Conclusion::DuplicateDelivery,
            (TaskOutcome::Refused, None, None, None) => Conclusion::Refused,
            _ => return Err(mixed),
        };
        Ok(StepResult {
            step: wire.step,
            function_arn: wire.function_arn,
            conclusion,
            phase_execution_id: wire.phase_execution_id,
            overall_pass: wire.overall_pass,
            next_gate: wire.next_gate,
            blockers: wire.blockers,
            findings: Findings {
                told: wire.findings,
                cut: wire.findings_cut.unwrap_or_default(),
            },
            asked: wire.asked,
            closure: wire.closure,
            run: wire.run,
        })
    }
}

impl From<StepResult> for Wire {
    fn from(result: StepResult) -> Self {
        let mut wire = Wire {
            outcome: result.outcome(),
            step: result.step,
            function_arn: result.function_arn,
            phase_execution_id: result.phase_execution_id,
            overall_pass: result.overall_pass,
            next_gate: result.next_gate,
            blockers: result.blockers,
            findings: result.findings.told,
            findings_cut: Some(result.findings.cut).filter(|cut| *cut > 0),
            asked: result.asked,
            closure: result.closure,
            run: result.run,
            verdict: None,
            committed: None,
            unresolved: None,
            next: None,
            closures: None,
            resume_at: None,
            only: None,
            environment: None,
            correlation: None,
            references: None,
        };
        match result.conclusion {
            Conclusion::Verdict(concluded) => {
                wire.verdict = Some(concluded.verdict);
                wire.committed = Some(concluded.committed);
                wire.unresolved = Some(concluded.unresolved);
                wire.next = concluded.next;
            }
            Conclusion::Admitted(admitted) => {
                wire.closures = Some(admitted.closures);
                wire.resume_at = Some(admitted.resume_at);
                wire.only = Some(admitted.only);
            }
            Conclusion::PhaseAdmitted(admitted) => {
                wire.environment = Some(admitted.environment);
                wire.correlation = Some(admitted.correlation);
                wire.references = Some(admitted.references);
            }
            Conclusion::Closed | Conclusion::DuplicateDelivery | Conclusion::Refused => {}
        }
        wire
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal() -> Value {
        json!({
            "step": "ADMISSION", "outcome": "REFUSED", "phase_execution_id": "m3g_20261122T121701Z_0123456789ab",
            "overall_pass": false, "next_gate": "HOLD", "blockers": ["M3G-B5"], "closure": null, "run": {},
            "findings": [{"code": "M3G-B5", "subject": "reset.actor", "detail": "is missing", "remedy": "give it"}],
            "findings_cut": 2, "asked": {"resume": {}},
        })
    }

    #[test]
    fn what_a_refusal_tells_is_read_as_it_was_written() {
        let result: StepResult = serde_json::from_value(refusal()).unwrap();
        assert_eq!((result.findings.told.len(), result.findings.cut), (1, 2));
        assert_eq!(serde_json::to_value(result).unwrap(), refusal());
    }

    #[test]
    fn nothing_is_told_by_a_step_that_just_closed() {
        for field in ["findings", "findings_cut", "asked"] {
            let mut told = refusal();
            told["outcome"] = json!("CLOSED");
            for other in ["findings", "findings_cut", "asked"] {
                if other != field {
                    told.as_object_mut().unwrap().remove(other);
                }
            }
            let refused = serde_json::from_value::<StepResult>(told).unwrap_err().to_string();
            assert!(refused.contains("belong"), "{refused}");
        }
    }
}
