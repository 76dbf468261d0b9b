//! The result of a run as the JSON object of `--json`. `page` is the same for people. Both use only data that was read before.

use std::collections::BTreeMap;

use p1_audit::text;
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::evidence::RunIds;
use serde::Serialize;
use serde_json::Value;

use crate::drive::follow::Execution;
use crate::drive::verdict::Outcome;
use crate::exit::CliError;

/// The object of `--json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RunResult {
    /// `VERDICT`, `DUPLICATE_DELIVERY`, `SINGLE_STATE`, `RERUN_REFUSED`, `PHASE_ADMITTED`, `ENTRY_REFUSED`, `FAULT`, or `USAGE`
    /// if the command line was not usable.
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
    /// All unresolved blockers.
    pub blockers: Vec<BlockerRow>,
    /// The steps that answered, in order.
    pub steps: Vec<StepRow>,
    /// The folder of the mirrored evidence. Null if it was not mirrored.
    pub evidence_dir: Option<String>,
    /// The variables that scope a runtime to the run. Only for a phase that was admitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<BTreeMap<String, String>>,
    /// What is wrong with the evidence, or with its mirror.
    pub problems: Vec<String>,
    /// Why no execution was started, or followed to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The exit status of the command.
    pub exit_status: u8,
}

/// One blocker of `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BlockerRow {
    /// Its code.
    pub code: String,
    /// What it is about. Null if the step's summary could not be read.
    pub subject: Option<String>,
    /// What is wrong; without the step's summary, the rule that is not met.
    pub detail: String,
    /// What to do.
    pub remedy: String,
}

impl BlockerRow {
    fn of(code: &str, finding: Option<&Finding>) -> Self {
        let blocker = Blocker::ALL.iter().find(|blocker| blocker.code() == code);
        let rule = || blocker.map(|blocker| text::clean(blocker.rule())).unwrap_or_default();
        Self {
            code: code.to_owned(),
            subject: finding.map(|finding| text::brief(&finding.subject, 400)),
            detail: finding.map_or_else(rule, |finding| text::brief(&finding.detail, 2000)),
            remedy: blocker.map(|blocker| text::clean(blocker.remedy())).unwrap_or_default(),
        }
    }

    /// The blockers with these codes. Each finding of a step is a row; a code without a finding is one.
    fn all(codes: &[String], findings: &[&Finding]) -> Vec<Self> {
        let rows = codes.iter().flat_map(|code| {
            let of_code = findings.iter().filter(|finding| finding.code.code() == code);
            let rows: Vec<Self> = of_code.map(|finding| Self::of(code, Some(finding))).collect();
            if rows.is_empty() {
                vec![Self::of(code, None)]
            } else {
                rows
            }
        });
        rows.collect()
    }
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
    /// Its own blockers.
    pub blockers: Vec<BlockerRow>,
}

impl RunResult {
    /// The result where no execution was started, or none was followed to its end.
    #[must_use]
    pub fn of_failure(error: &CliError) -> Self {
        let outcome = match error {
            CliError::Usage(_) => "USAGE",
            CliError::Fault(_) => "FAULT",
        };
        Self {
            outcome: outcome.to_owned(),
            error: Some(text::clean(&error.to_string())),
            exit_status: error.exit_status().code(),
            ..Self::default()
        }
    }

    /// The result of an execution that has ended. `document` is the JSON of its output or cause, `findings` are those of each phase
    /// execution, and `problems` what is wrong with the evidence.
    #[must_use]
    pub fn new(
        execution: &Execution,
        outcome: &Outcome,
        document: &Value,
        findings: &BTreeMap<String, Vec<Finding>>,
        evidence_dir: Option<String>,
        problems: &[String],
    ) -> Self {
        let ids: RunIds = execution.history.ids();
        let (mut steps, mut own_codes) = (Vec::new(), Vec::new());
        for result in execution.history.answers() {
            let codes: Vec<String> = result
                .blockers
                .iter()
                .map(|blocker| blocker.code().to_owned())
                .collect();
            let own = findings.get(result.phase_execution_id.as_str());
            let own: Vec<&Finding> = own.into_iter().flatten().collect();
            steps.push(StepRow {
                step: result.step.to_string(),
                phase_execution_id: result.phase_execution_id.to_string(),
                overall_pass: result.overall_pass,
                next_gate: text::clean(&result.next_gate),
                blockers: BlockerRow::all(&codes, &own),
            });
            own_codes.extend(codes);
        }
        // An execution's evidence also holds that of earlier ones, whose findings may be resolved.
        let ran: Vec<&str> = steps
            .iter()
            .map(|step: &StepRow| step.phase_execution_id.as_str())
            .collect();
        let of_execution = findings.iter().filter(|(id, _)| ran.contains(&id.as_str()));
        let of_execution: Vec<&Finding> = of_execution.flat_map(|(_, findings)| findings).collect();
        Self {
            outcome: outcome.word().to_owned(),
            verdict: outcome.verdict().map(str::to_owned),
            execution_arn: Some(execution.arn.clone()),
            execution_status: Some(execution.ending.status.to_owned()),
            platform_run_id: ids.platform_run_id.map(String::from),
            scenario_run_id: ids.scenario_run_id.map(String::from),
            config_digest: ids.config_digest.map(String::from),
            blockers: BlockerRow::all(&codes(document, own_codes), &of_execution),
            steps,
            evidence_dir,
            environment: environment(outcome, document),
            problems: problems.iter().map(|problem| text::brief(problem, 600)).collect(),
            error: None,
            exit_status: outcome.exit_status().code(),
        }
    }

    /// The object.
    ///
    /// # Errors
    /// Returns a fault if it cannot be rendered, which would be a defect.
    pub fn json(&self) -> Result<Value, CliError> {
        serde_json::to_value(self).map_err(|error| CliError::failed("render the result", &error))
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
fn codes(document: &Value, of_steps: Vec<String>) -> Vec<String> {
    let named = document.get("blockers").and_then(Value::as_array);
    let codes: Vec<String> = match named {
        Some(codes) => codes
            .iter()
            .filter_map(Value::as_str)
            .map(|code| text::brief(code, 20))
            .collect(),
        None => of_steps,
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
    use crate::drive::engine_events::answer;
    use crate::drive::tests::{execution, finding, held};
    use crate::drive::verdict;
    use p1_contract::step::Step;
    use serde_json::json;

    #[test]
    fn json_has_exactly_the_documented_fields() {
        let steps = [
            (Step::HandleClosure, answer("M3.A", &["M3A-B2"])),
            (Step::GateRollup, answer("M3.I", &[])),
        ];
        let execution = execution(&steps, held("M3A-B2"));
        let (outcome, document) = verdict::read(&execution.history, &execution.ending);
        let unresolved = finding(Blocker::HandleUnresolved, "ROLE_X", "is TO_PIN");
        let findings = BTreeMap::from([("m3a_20261122T120000Z_0123456789ab".to_owned(), vec![unresolved])]);
        let dir = Some("/evidence".to_owned());
        let result = RunResult::new(&execution, &outcome, &document, &findings, dir, &[]);
        let blocker = json!({
            "code": "M3A-B2", "subject": "ROLE_X", "detail": "is TO_PIN", "remedy": Blocker::HandleUnresolved.remedy(),
        });
        let expected = json!({
            "outcome": "VERDICT", "verdict": "HOLD_M3", "execution_arn": execution.arn, "execution_status": "FAILED",
            "platform_run_id": "platform_20261122T120000Z", "scenario_run_id": null, "config_digest": null,
            "blockers": [blocker],
            "steps": [
                {"step": "M3.A", "phase_execution_id": "m3a_20261122T120000Z_0123456789ab", "overall_pass": false, "next_gate": "HOLD", "blockers": [blocker]},
                {"step": "M3.I", "phase_execution_id": "m3i_20261122T120000Z_0123456789ab", "overall_pass": true, "next_gate": "M3.I_READY", "blockers": []}
            ],
            "evidence_dir": "/evidence", "problems": [], "exit_status": 1
        });
        assert_eq!(result.json().unwrap(), expected);
        let problems = ["p".to_owned()];
        let unread = RunResult::new(&execution, &outcome, &document, &BTreeMap::new(), None, &problems);
        let json = unread.json().unwrap();
        let rule = Blocker::HandleUnresolved.rule();
        assert_eq!(
            (&json["blockers"][0]["subject"], &json["blockers"][0]["detail"]),
            (&Value::Null, &json!(rule))
        );
        assert_eq!(json["problems"], json!(["p"]));
    }

    #[test]
    fn a_failure_before_an_execution_is_an_object_too() {
        let json = RunResult::of_failure(&CliError::usage("no such\nfile")).json().unwrap();
        assert_eq!(
            (&json["outcome"], &json["error"], &json["exit_status"]),
            (&json!("USAGE"), &json!("no such file"), &json!(2))
        );
    }
}
