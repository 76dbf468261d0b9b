//! What Step Functions answered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::Stamp;

/// What a state machine says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MachineAnswer {
    /// It is there.
    Found {
        /// Its ARN.
        arn: String,
        /// Its name.
        name: String,
        /// `ACTIVE` or `DELETING`.
        status: String,
        /// Its role.
        role_arn: String,
    },
    /// There is none of that name.
    NotFound,
    /// We may not ask.
    Denied,
}

/// What an execution says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionAnswer {
    /// It is there; `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED` or `PENDING_REDRIVE`.
    Found {
        /// The status.
        status: String,
    },
    /// Step Functions does not know it (any more).
    NotFound,
    /// We may not ask.
    Denied,
}

impl ExecutionAnswer {
    /// Whether the execution, which started at `started`, has surely ended, as one that started at `asked` may conclude: only
    /// then may it take over the other's ledger. `None` if this answer does not tell.
    ///
    /// `DescribeExecution` is eventually consistent: an execution that has just started may be unknown. One that started
    /// more than a day earlier and is unknown was forgotten, which Step Functions does 90 days after the end.
    #[must_use]
    pub fn has_ended(&self, started: Stamp, asked: Stamp) -> Option<bool> {
        match self {
            ExecutionAnswer::Found { status } => Some(matches!(
                status.as_str(),
                "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "ABORTED"
            )),
            // It cannot have started after the one that asks: nothing will ever tell that it ended.
            ExecutionAnswer::NotFound if started > asked => Some(false),
            ExecutionAnswer::NotFound => asked.is_more_than_a_day_after(started).then_some(true),
            ExecutionAnswer::Denied => Some(false),
        }
    }
}
