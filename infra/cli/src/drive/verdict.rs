//! What an ended execution means: a verdict, one of the other outcomes, or a fault.

use p1_audit::history::{Ending, Failure, History, TaskRun};
use p1_contract::step::Step;
use serde_json::Value;

use crate::exit::ExitStatus;

/// The outcome of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The run advances.
    Advance,
    /// The run is held.
    Hold,
    /// Another execution handles this M2 handoff. Nothing was pinned.
    DuplicateDelivery,
    /// A rerun of one state alone, and whether that state passed.
    SingleState(bool),
    /// A rerun was not admitted.
    RerunRefused,
    /// A later phase may work on the run.
    PhaseAdmitted,
    /// A later phase may not work on the run.
    EntryRefused,
    /// No verdict was reached.
    Fault(Fault),
    /// The execution ended with this verdict, but its evidence differs from what it lists, so the verdict cannot be relied on.
    EvidenceBroken(&'static str),
}

/// Where a fault happened, and what the engine says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The state that was entered last.
    pub state: Option<String>,
    /// Error and cause.
    pub failure: Failure,
}

impl Outcome {
    /// The word in `--json`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Advance | Self::Hold => "VERDICT",
            Self::DuplicateDelivery => "DUPLICATE_DELIVERY",
            Self::SingleState(_) => "SINGLE_STATE",
            Self::RerunRefused => "RERUN_REFUSED",
            Self::PhaseAdmitted => "PHASE_ADMITTED",
            Self::EntryRefused => "ENTRY_REFUSED",
            Self::Fault(_) | Self::EvidenceBroken(_) => "FAULT",
        }
    }

    /// The verdict. Returns `None` if there is none.
    #[must_use]
    pub fn verdict(&self) -> Option<&'static str> {
        match self {
            Self::Advance => Some("ADVANCE_TO_M4"),
            Self::Hold => Some("HOLD_M3"),
            _ => None,
        }
    }

    /// The outcome, given whether the evidence is complete and unchanged.
    #[must_use]
    pub fn proven(self, evidence_is_whole: bool) -> Self {
        match self {
            outcome @ (Self::Fault(_) | Self::EvidenceBroken(_)) => outcome,
            outcome if evidence_is_whole => outcome,
            outcome => Self::EvidenceBroken(outcome.verdict().unwrap_or(outcome.word())),
        }
    }

    /// The exit status. A refused rerun counts as a hold, and so does a refused phase. A state that ran alone passes or holds. A duplicate delivery is a
    /// success, because there is nothing to do.
    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Advance | Self::DuplicateDelivery | Self::SingleState(true) | Self::PhaseAdmitted => {
                ExitStatus::Advance
            }
            Self::Hold | Self::RerunRefused | Self::EntryRefused | Self::SingleState(false) => ExitStatus::Hold,
            Self::Fault(_) | Self::EvidenceBroken(_) => ExitStatus::Fault,
        }
    }
}

/// The outcome of an execution that has ended, with the JSON of its output or its cause.
///
/// Only two endings count as a verdict: a success with the verdict to advance, and the error `M3.Hold` with the verdict to hold.
/// Everything else is a fault.
#[must_use]
pub fn read(history: &History, ending: &Ending) -> (Outcome, Value) {
    let (text, error) = match &ending.output {
        Some(output) => (output.as_str(), ""),
        None => (ending.failure.cause.as_str(), ending.failure.error.as_str()),
    };
    let document: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let field = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    let outcome = match (ending.status, error, field("outcome")) {
        ("SUCCEEDED", _, "VERDICT") if field("verdict") == "ADVANCE_TO_M4" => Outcome::Advance,
        ("SUCCEEDED", _, "DUPLICATE_DELIVERY") => Outcome::DuplicateDelivery,
        ("SUCCEEDED", _, "PHASE_ADMITTED") => Outcome::PhaseAdmitted,
        ("SUCCEEDED", _, "SINGLE_STATE") => {
            Outcome::SingleState(document.get("overall_pass") == Some(&Value::Bool(true)))
        }
        ("FAILED", "M3.Hold", "VERDICT") if field("verdict") == "HOLD_M3" => Outcome::Hold,
        ("FAILED", "M3.RerunRefused", "RERUN_REFUSED") => Outcome::RerunRefused,
        ("FAILED", "M3.EntryRefused", "ENTRY_REFUSED") => Outcome::EntryRefused,
        ("SUCCEEDED", _, _) => Outcome::Fault(Fault {
            state: history.last_state.clone(),
            failure: Failure {
                error: "no verdict in the output".to_owned(),
                cause: text.to_owned(),
            },
        }),
        _ => Outcome::Fault(Fault {
            state: history.last_state.clone(),
            failure: ending.failure.clone(),
        }),
    };
    (outcome, document)
}

/// The word for a step that judged a blocked run.
pub(crate) const DONE: &str = "DONE";

/// The word for a function's answer. M3.I and M3.J judge the steps before them: in a run that a step blocks, they have done their
/// own work, and that is no pass of the run.
pub(crate) fn word(task: &TaskRun, all: &[TaskRun]) -> &'static str {
    let blocks = |task: &TaskRun| task.result.as_ref().is_some_and(|result| !result.overall_pass);
    let judges = matches!(task.step, Some(Step::GateRollup | Step::PhaseVerdict));
    if judges && task.result.is_some() && !blocks(task) && all.iter().any(blocks) {
        DONE
    } else {
        task.verdict()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn outcome(status: &'static str, error: &str, document: &Value) -> Outcome {
        let succeeded = status == "SUCCEEDED";
        let ending = Ending {
            status,
            output: succeeded.then(|| document.to_string()),
            failure: Failure {
                error: error.to_owned(),
                cause: if succeeded { String::new() } else { document.to_string() },
            },
        };
        read(&History::default(), &ending).0
    }

    #[test]
    fn only_the_contracts_endings_are_outcomes() {
        let advance = json!({"outcome": "VERDICT", "verdict": "ADVANCE_TO_M4"});
        let hold = json!({"outcome": "VERDICT", "verdict": "HOLD_M3"});
        let of = |outcome: &str| json!({ "outcome": outcome });
        let single = |pass: bool| json!({"outcome": "SINGLE_STATE", "overall_pass": pass});
        for (status, error, document, expected) in [
            ("SUCCEEDED", "", advance.clone(), Outcome::Advance),
            ("FAILED", "M3.Hold", hold.clone(), Outcome::Hold),
            ("FAILED", "M3.RerunRefused", of("RERUN_REFUSED"), Outcome::RerunRefused),
            ("SUCCEEDED", "", of("DUPLICATE_DELIVERY"), Outcome::DuplicateDelivery),
            ("SUCCEEDED", "", of("PHASE_ADMITTED"), Outcome::PhaseAdmitted),
            ("FAILED", "M3.EntryRefused", of("ENTRY_REFUSED"), Outcome::EntryRefused),
            ("SUCCEEDED", "", single(true), Outcome::SingleState(true)),
            ("SUCCEEDED", "", single(false), Outcome::SingleState(false)),
        ] {
            assert_eq!(outcome(status, error, &document), expected, "{document}");
        }
        // A verdict in the wrong place does not count.
        for (status, error, document) in [
            ("SUCCEEDED", "", &hold),
            ("SUCCEEDED", "", &json!({})),
            ("SUCCEEDED", "", &json!("ADVANCE_TO_M4")),
            ("FAILED", "M3.Hold", &advance),
            ("FAILED", "Internal", &hold),
            ("TIMED_OUT", "M3.Hold", &hold),
            ("FAILED", "M3.EntryRefused", &of("PHASE_ADMITTED")),
            ("FAILED", "M3.Hold", &of("ENTRY_REFUSED")),
            ("ABORTED", "", &advance),
        ] {
            let read = outcome(status, error, document);
            assert!(matches!(read, Outcome::Fault(_)), "{status} {error} {document}");
        }
    }

    #[test]
    fn a_verdict_without_its_evidence_is_a_fault() {
        let broken = Outcome::Advance.proven(false);
        assert_eq!(broken, Outcome::EvidenceBroken("ADVANCE_TO_M4"));
        assert_eq!(
            (broken.word(), broken.verdict(), broken.exit_status().code()),
            ("FAULT", None, 3)
        );
        assert_eq!(Outcome::Hold.proven(true), Outcome::Hold);
    }

    #[test]
    fn exit_statuses_are_the_documented_ones() {
        let fault = Outcome::Fault(Fault {
            state: None,
            failure: Failure::default(),
        });
        for (outcome, code) in [
            (Outcome::Advance, 0),
            (Outcome::Hold, 1),
            (Outcome::SingleState(true), 0),
            (Outcome::SingleState(false), 1),
            (Outcome::RerunRefused, 1),
            (Outcome::DuplicateDelivery, 0),
            (Outcome::PhaseAdmitted, 0),
            (Outcome::EntryRefused, 1),
            (fault, 3),
        ] {
            assert_eq!(outcome.exit_status().code(), code, "{outcome:?}");
        }
    }
}
