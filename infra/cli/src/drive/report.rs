//! The result of a run as the JSON object of `--json`. `page` is the same for people. Both use only data that was read before.

use std::collections::BTreeMap;

use p1_audit::text;
use p1_contract::evidence::RunIds;
use serde::Serialize;
use serde_json::Value;

use crate::drive::follow::Execution;
use crate::drive::verdict::Outcome;
use crate::exit::CliError;

/// The object of `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunResult {
    /// `VERDICT`, `DUPLICATE_DELIVERY`, `SINGLE_STATE`, `RERUN_REFUSED`, `PHASE_ADMITTED`, `ENTRY_REFUSED` or `FAULT`.
    pub outcome: String,
    /// `ADVANCE_TO_M4`, `HOLD_M3` or null.
    pub verdict: Option<String>,
    /// The execution's ARN. Null if no execution was started.
    pub execution_arn: Option<String>,
    /// The execution's status. Null if no execution has ended.
    pub execution_status: Option<String>,
    /// The run's id, once it is known.
    pub platform_run_id: Option<String>,
    /// The scenario's id, once it is known.
    pub scenario_run_id: Option<String>,
    /// The configuration's digest, once it is known.
    pub config_digest: Option<String>,
    /// The codes of all unresolved blockers.
    pub blockers: Vec<String>,
    /// The steps that answered, in order.
    pub steps: Vec<StepRow>,
    /// The folder of the mirrored evidence. Null if it was not mirrored.
    pub evidence_dir: Option<String>,
    /// The variables that scope a runtime to the run. Only for a phase that was admitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<BTreeMap<String, String>>,
}

/// One step of `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepRow {
    /// Its wire name.
    pub step: String,
    /// The phase execution.
    pub phase_execution_id: String,
    /// Its verdict.
    pub overall_pass: bool,
    /// The gate that it opens, or `HOLD`.
    pub next_gate: String,
    /// The codes of its own blockers.
    pub blockers: Vec<String>,
}

impl RunResult {
    /// The result of a fault that happened before an execution was found.
    #[must_use]
    pub fn nothing_started() -> Self {
        Self {
            outcome: "FAULT".to_owned(),
            verdict: None,
            execution_arn: None,
            execution_status: None,
            platform_run_id: None,
            scenario_run_id: None,
            config_digest: None,
            blockers: Vec::new(),
            steps: Vec::new(),
            evidence_dir: None,
            environment: None,
        }
    }

    /// The result of an execution that has ended. `document` is the JSON of its output or cause.
    #[must_use]
    pub fn new(execution: &Execution, outcome: &Outcome, document: &Value, evidence_dir: Option<String>) -> Self {
        let ids: RunIds = execution.history.ids();
        let steps: Vec<StepRow> = execution
            .history
            .results()
            .map(|(_, result)| StepRow {
                step: result.step.to_string(),
                phase_execution_id: result.phase_execution_id.to_string(),
                overall_pass: result.overall_pass,
                next_gate: text::clean(&result.next_gate),
                blockers: result
                    .blockers
                    .iter()
                    .map(|blocker| blocker.code().to_owned())
                    .collect(),
            })
            .collect();
        Self {
            outcome: outcome.word().to_owned(),
            verdict: outcome.verdict().map(str::to_owned),
            execution_arn: Some(execution.arn.clone()),
            execution_status: Some(execution.ending.status.to_owned()),
            platform_run_id: ids.platform_run_id.map(String::from),
            scenario_run_id: ids.scenario_run_id.map(String::from),
            config_digest: ids.config_digest.map(String::from),
            blockers: blockers(document, &steps),
            steps,
            evidence_dir,
            environment: environment(outcome, document),
        }
    }

    /// One line of JSON.
    ///
    /// # Errors
    /// Returns a fault if it cannot be rendered, which would be a defect.
    pub fn json(&self) -> Result<String, CliError> {
        serde_json::to_string(self).map_err(|error| CliError::failed("render the result", &error))
    }
}

/// The variables of an admitted phase.
fn environment(outcome: &Outcome, document: &Value) -> Option<BTreeMap<String, String>> {
    let variables = document
        .get("environment")
        .filter(|_| *outcome == Outcome::PhaseAdmitted)?;
    let variables: BTreeMap<String, String> = serde_json::from_value(variables.clone()).ok()?;
    let clean = |(name, value): (String, String)| (text::clean(&name), text::clean(&value));
    Some(variables.into_iter().map(clean).collect())
}

/// The codes that the end of the execution names, or else the codes of its steps.
fn blockers(document: &Value, steps: &[StepRow]) -> Vec<String> {
    let named = document.get("blockers").and_then(Value::as_array);
    let codes: Vec<String> = match named {
        Some(codes) => codes
            .iter()
            .filter_map(Value::as_str)
            .map(|code| text::brief(code, 20))
            .collect(),
        None => steps.iter().flat_map(|step| step.blockers.iter().cloned()).collect(),
    };
    let mut distinct: Vec<String> = Vec::new();
    for code in codes {
        if !distinct.contains(&code) {
            distinct.push(code);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::engine_events::{answer, task};
    use crate::drive::verdict;
    use p1_audit::history::{Ending, Failure, History};
    use p1_contract::step::Step;
    use serde_json::json;

    fn execution(steps: &[(Step, &[&str])], ending: Ending) -> Execution {
        let mut events = Vec::new();
        for (n, (step, blockers)) in (0_u32..).zip(steps) {
            events.extend(task(*step, &answer(step.id(), blockers), f64::from(n)));
        }
        let history = History::read(&events);
        let arn = "arn:aws:states:eu-west-2:123456789012:execution:machine:name".to_owned();
        Execution {
            name: "name".to_owned(),
            arn,
            events,
            history,
            ending,
        }
    }

    fn held() -> Ending {
        let cause = json!({"outcome": "VERDICT", "verdict": "HOLD_M3", "blockers": ["M3A-B2"]}).to_string();
        Ending {
            status: "FAILED",
            output: None,
            failure: Failure {
                error: "M3.Hold".to_owned(),
                cause,
            },
        }
    }

    #[test]
    fn json_has_exactly_the_documented_fields() {
        let execution = execution(&[(Step::HandleClosure, &["M3A-B2"]), (Step::GateRollup, &[])], held());
        let (outcome, document) = verdict::read(&execution.history, &execution.ending);
        let result = RunResult::new(&execution, &outcome, &document, Some("/evidence".to_owned()));
        let json: Value = serde_json::from_str(&result.json().unwrap()).unwrap();
        assert_eq!(
            json,
            json!({
                "outcome": "VERDICT", "verdict": "HOLD_M3", "execution_arn": execution.arn, "execution_status": "FAILED",
                "platform_run_id": "platform_20261122T120000Z", "scenario_run_id": null, "config_digest": null,
                "blockers": ["M3A-B2"],
                "steps": [
                    {"step": "M3.A", "phase_execution_id": "m3a_20261122T120000Z_0123456789ab", "overall_pass": false, "next_gate": "HOLD", "blockers": ["M3A-B2"]},
                    {"step": "M3.I", "phase_execution_id": "m3i_20261122T120000Z_0123456789ab", "overall_pass": true, "next_gate": "M3.I_READY", "blockers": []}
                ],
                "evidence_dir": "/evidence"
            })
        );
        assert!(!result.json().unwrap().contains('\n'));
    }
}
