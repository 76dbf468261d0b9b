//! Executions that have ended, for the tests of what is said of them.

use p1_audit::history::{Ending, Failure, History};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::step::Step;
use serde_json::{Value, json};

use crate::drive::engine_events::task;
use crate::drive::follow::Execution;

/// The execution of these steps, each with its answer.
pub(crate) fn execution(steps: &[(Step, Value)], ending: Ending) -> Execution {
    let steps = (0_u32..).zip(steps);
    let events: Vec<Value> = steps
        .flat_map(|(n, (step, answer))| task(*step, answer, f64::from(n)))
        .collect();
    Execution {
        name: "name".to_owned(),
        arn: "arn:aws:states:eu-west-2:123456789012:execution:machine:name".to_owned(),
        history: History::read(&events),
        events,
        ending,
    }
}

/// The end of an execution that failed.
pub(crate) fn failed(error: &str, cause: &Value) -> Ending {
    Ending {
        status: "FAILED",
        output: None,
        failure: Failure {
            error: error.to_owned(),
            cause: cause.to_string(),
        },
    }
}

/// The end of an execution that a step has held by this code.
pub(crate) fn held(code: &str) -> Ending {
    failed(
        "M3.Hold",
        &json!({"outcome": "VERDICT", "verdict": "HOLD_M3", "blockers": [code]}),
    )
}

pub(crate) fn finding(code: Blocker, subject: &str, detail: &str) -> Finding {
    Finding {
        code,
        subject: subject.to_owned(),
        detail: detail.to_owned(),
    }
}
