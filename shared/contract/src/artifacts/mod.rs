//! The artifacts of P1, a file a step: their fields are the wire contract (contract section 7).

mod closing;
mod config_digest;
mod cost;
mod discipline;
mod entry;
mod event_claim;
mod handle_closure;
mod handoff;
mod orchestrator;
mod publication;
mod rollup;
mod run_identity;
mod scenario_index;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use closing::*;
pub use config_digest::*;
pub use cost::*;
pub use discipline::*;
pub use entry::*;
pub use event_claim::*;
pub use handle_closure::*;
pub use handoff::*;
pub use orchestrator::*;
pub use publication::*;
pub use rollup::*;
pub use run_identity::*;
pub use scenario_index::*;

use crate::blocker::Finding;

/// One check and how it came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckResult {
    /// The check's name.
    pub check: String,
    /// Whether it held.
    pub pass: bool,
    /// What was seen.
    pub detail: String,
}

impl CheckResult {
    /// A check with its outcome.
    #[must_use]
    pub fn new(check: &str, pass: bool, detail: impl Into<String>) -> Self {
        CheckResult {
            check: check.to_owned(),
            pass,
            detail: detail.into(),
        }
    }

    /// A check that holds where nothing was found.
    #[must_use]
    pub fn of(check: &str, findings: &[Finding]) -> Self {
        let detail = |finding: &Finding| format!("{} {}: {}", finding.code, finding.subject, finding.detail);
        let details: Vec<String> = findings.iter().map(detail).collect();
        let detail = if details.is_empty() {
            "holds".to_owned()
        } else {
            details.join("; ")
        };
        CheckResult::new(check, findings.is_empty(), detail)
    }
}

/// The receipt of one question that a step asked outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandReceipt {
    /// The check that the question served.
    pub verify_id: String,
    /// The operation, such as `states:DescribeStateMachine`.
    pub operation: String,
    /// What was asked about.
    pub target: String,
    /// The answer, in a word or two.
    pub outcome: String,
}

impl CommandReceipt {
    /// A receipt.
    #[must_use]
    pub fn new(verify_id: &str, operation: &str, target: impl Into<String>, outcome: impl Into<String>) -> Self {
        CommandReceipt {
            verify_id: verify_id.to_owned(),
            operation: operation.to_owned(),
            target: target.into(),
            outcome: outcome.into(),
        }
    }
}

/// Declares the artifact name of a body.
macro_rules! artifact {
    ($body:ty, $name:literal) => {
        impl crate::evidence::Body for $body {
            const NAME: &'static str = $name;
            type Head = crate::evidence::Header;
        }
    };
    ($body:ty, $name:literal, run evidence) => {
        impl crate::evidence::Body for $body {
            const NAME: &'static str = $name;
            type Head = crate::evidence::RunEvidenceHeader;
        }
    };
}
pub(crate) use artifact;
