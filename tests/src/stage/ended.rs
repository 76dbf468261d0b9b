//! An execution that has ended, and how.

use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

/// An execution that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its ARN.
    pub arn: String,
    /// How it ended.
    pub status: ExecutionStatus,
    /// Its output; `null` where it failed.
    pub output: Value,
    /// Its error; empty where it succeeded.
    pub error: String,
    /// The error's cause.
    pub cause: String,
}

impl Ended {
    /// The outcome: the output of an execution that succeeded, the cause of one that failed with a verdict.
    pub fn outcome(&self) -> Value {
        if self.status == ExecutionStatus::Succeeded {
            return self.output.clone();
        }
        serde_json::from_str(&self.cause).unwrap_or_else(|_| panic!("{}: {}", self.error, self.cause))
    }

    /// The status that `cargo p1 run` ends with after such an execution.
    pub fn exit_status(&self) -> p1::ExitStatus {
        let succeeded = self.status == ExecutionStatus::Succeeded;
        let ending = p1_audit::history::Ending {
            status: if succeeded { "SUCCEEDED" } else { "FAILED" },
            output: succeeded.then(|| self.output.to_string()),
            failure: p1_audit::history::Failure {
                error: self.error.clone(),
                cause: self.cause.clone(),
            },
        };
        let (outcome, _) = p1::drive::verdict::read(&p1_audit::history::History::default(), &ending);
        outcome.exit_status()
    }

    /// The execution, which must have advanced.
    pub fn expect_advance(self) -> Self {
        assert_eq!(self.outcome()["verdict"], "ADVANCE_TO_M4", "{self:?}");
        assert_eq!(
            (&self.status, self.exit_status()),
            (&ExecutionStatus::Succeeded, p1::ExitStatus::Advance)
        );
        self
    }

    /// Asserts a hold with exactly these codes.
    pub fn expect_hold(self, codes: &[&str]) -> Self {
        assert_eq!(
            (self.error.as_str(), &self.status),
            ("M3.Hold", &ExecutionStatus::Failed),
            "{self:?}"
        );
        let outcome = self.outcome();
        assert_eq!(
            (&outcome["verdict"], &outcome["blockers"]),
            (&json!("HOLD_M3"), &json!(codes)),
            "{self:?}"
        );
        self
    }
}
