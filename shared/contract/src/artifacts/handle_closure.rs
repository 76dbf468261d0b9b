//! M3.A: authority and handle closure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::{CommandReceipt, artifact};
use crate::blocker::{Blocker, Finding, Severity};
use crate::handles::{HandleStatus, SourceClass, VerificationMethod};

/// Which handles are closed, and how that was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandleClosureSnapshot {
    /// The 17 required handles.
    pub required_handles: Vec<String>,
    /// Those that have a value, with it.
    pub resolved_handles: BTreeMap<String, Value>,
    /// Those that have none.
    pub unresolved_handles: Vec<String>,
    /// Those among them that still hold a placeholder such as `TO_PIN`.
    pub placeholder_handles: Vec<String>,
    /// Where each handle's value comes from.
    pub source_class_by_handle: BTreeMap<String, SourceClass>,
    /// By what each value was verified. Evidence of revision 1 does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_method_by_handle: Option<BTreeMap<String, VerificationMethod>>,
    /// The checks M3A-V1 … V6.
    pub verification_results: Vec<VerificationResult>,
    /// Every handle that any step reads, resolved or not: information here, a blocker at the step that reads it.
    pub decision_completeness: BTreeMap<String, HandleStatus>,
    /// The verdict.
    pub overall_pass: bool,
}
artifact!(HandleClosureSnapshot, "m3a_handle_closure_snapshot");

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckStatus {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// Its answer could not be learned, which blocks.
    Inconclusive,
    /// The deployment names nothing to check against: neither pass nor fail.
    NotConfigured,
}

/// One check of M3.A and how it came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerificationResult {
    /// The check's name.
    pub check: String,
    /// Whether it held; absent where it is neither pass nor fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<bool>,
    /// How it came out. Evidence of revision 1 does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<CheckStatus>,
    /// What was seen.
    pub detail: String,
}

impl VerificationResult {
    /// A check with its outcome.
    #[must_use]
    pub fn new(check: &str, status: CheckStatus, detail: impl Into<String>) -> Self {
        VerificationResult {
            check: check.to_owned(),
            pass: (status != CheckStatus::NotConfigured).then_some(status == CheckStatus::Pass),
            status: Some(status),
            detail: detail.into(),
        }
    }
}

/// A blocker with what the taxonomy says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisteredBlocker {
    /// The wire code.
    pub code: Blocker,
    /// No-go or remediate.
    pub severity: Severity,
    /// The code of the phase plan.
    pub phase_code: String,
    /// What it is about.
    pub subject: String,
    /// What was seen.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
}

impl From<&Finding> for RegisteredBlocker {
    fn from(finding: &Finding) -> Self {
        RegisteredBlocker {
            code: finding.code,
            severity: finding.code.severity(),
            phase_code: finding.code.phase_code().to_owned(),
            subject: finding.subject.clone(),
            detail: finding.detail.clone(),
            remedy: finding.code.remedy().to_owned(),
        }
    }
}

/// The blockers of M3.A.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandleBlockerRegister {
    /// The blockers, in the order of their codes.
    pub blockers: Vec<RegisteredBlocker>,
    /// The verdict.
    pub overall_pass: bool,
}
artifact!(HandleBlockerRegister, "m3a_blocker_register");

/// What M3.A asked, and the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandleCommandReceipts {
    /// The receipts, in the order of the checks.
    pub receipts: Vec<CommandReceipt>,
}
artifact!(HandleCommandReceipts, "m3a_command_receipts");
