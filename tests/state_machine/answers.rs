//! What the functions answer in the scenarios: every step passes, unless a scenario says otherwise.

use p1_contract::step::Step;
use serde_json::{Value, json};

use crate::interpreter::Script;

pub(crate) const PLATFORM: &str = "platform_20261122T101530Z";
pub(crate) const SCENARIO: &str = "scenario_0123456789abcdef0123456789abcdef";

pub(crate) fn closure(step: &str, overall_pass: bool) -> Value {
    json!({
        "step": step,
        "phase_execution_id": format!("{step}-execution"),
        "overall_pass": overall_pass,
        "bucket": "evidence",
        "key": format!("{step}.json"),
        "version_id": "v1",
        "sha256": "ab",
    })
}

/// What a step answers that passed.
pub(crate) fn passed(step: Step) -> Value {
    let run = match step {
        Step::HandleClosure => json!({}),
        Step::RunIdentity => json!({ "platform_run_id": PLATFORM, "scenario_run_id": SCENARIO }),
        _ => json!({ "platform_run_id": PLATFORM, "scenario_run_id": SCENARIO, "config_digest": "cd" }),
    };
    let mut result = json!({
        "step": step.id(),
        "outcome": "CLOSED",
        "phase_execution_id": format!("{step}-execution"),
        "overall_pass": true,
        "next_gate": step.ready_gate(),
        "blockers": [],
        "closure": closure(step.id(), true),
        "run": run,
    });
    if step == Step::PhaseVerdict {
        result["verdict"] = json!("ADVANCE_TO_M4");
        result["committed"] = json!(true);
        result["unresolved"] = json!([]);
    }
    result
}

/// An execution in which every step passes.
pub(crate) fn all_pass() -> Script {
    let input = json!({ "m2_handoff": { "key": "m2j.json" } });
    Script {
        input,
        answers: Step::ALL
            .into_iter()
            .map(|step| (step.state_name(), passed(step)))
            .collect(),
    }
}

impl Script {
    /// The step answers with these fields instead.
    pub(crate) fn answer(mut self, state: &str, fields: &Value) -> Script {
        let result = self.answers.get_mut(state).unwrap().as_object_mut().unwrap();
        for (name, value) in fields.as_object().unwrap().clone() {
            result.insert(name, value);
        }
        self
    }

    pub(crate) fn blocked(self, step: Step, codes: &[&str]) -> Script {
        let fields = json!({ "overall_pass": false, "next_gate": "HOLD", "blockers": codes,
            "closure": closure(step.id(), false) });
        self.answer(&step.state_name(), &fields)
    }

    /// M3.J answers with a committed hold.
    pub(crate) fn held(self, unresolved: &[&str]) -> Script {
        self.answer(
            &Step::PhaseVerdict.state_name(),
            &json!({ "verdict": "HOLD_M3", "unresolved": unresolved }),
        )
    }

    /// A rerun that the admission answers so.
    pub(crate) fn rerun(mut self, answer: Value) -> Script {
        self.input = json!({ "resume": { "held": { "key": "held.json" } } });
        self.answers.insert("Admit rerun".to_owned(), answer);
        self
    }

    /// A later phase that asks with these fields, and is answered so.
    pub(crate) fn entry(mut self, asked: &Value, answer: Value) -> Script {
        self.input = asked.clone();
        self.answers.insert("Admit phase".to_owned(), answer);
        self
    }
}

/// The answer for a later phase that may work on the run, which it asked for with these fields.
pub(crate) fn phase_admitted(asked: &Value) -> Value {
    json!({
        "step": "ENTRY", "outcome": "PHASE_ADMITTED", "phase_execution_id": "a", "overall_pass": true, "blockers": [],
        "closure": closure("ENTRY", true), "environment": { "RUN_ID": PLATFORM }, "correlation": asked,
        "references": [{ "name": "run", "key": "run.json" }],
        "run": { "platform_run_id": PLATFORM, "scenario_run_id": SCENARIO, "config_digest": "cd" },
    })
}

/// The admission's answer for a rerun that goes on at `step`.
pub(crate) fn admitted(step: Step, only: bool) -> Value {
    let mut closures: serde_json::Map<String, Value> = step
        .before()
        .map(|before| (before.id().to_owned(), closure(before.id(), true)))
        .collect();
    closures.insert("ADMISSION".to_owned(), closure("M3.G", true));
    json!({
        "step": "M3.G", "outcome": "ADMITTED", "phase_execution_id": "a", "overall_pass": true, "blockers": [],
        "closure": closure("M3.G", true), "closures": closures, "resume_at": step.id(), "only": only,
        "run": { "platform_run_id": PLATFORM, "scenario_run_id": SCENARIO, "config_digest": "cd" },
    })
}
