//! M3.G: the rerun and reset discipline, and the admission of a rerun.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CheckResult, artifact};
use crate::ids::S3Key;
use crate::input::{HeldSummary, ResetReceipt};
use crate::reference::ObjectRef;
use crate::step::Step;

/// The rules of a rerun, and whether this run keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunResetPolicySnapshot {
    /// What happens when identity or configuration drifts.
    pub identity_drift_policy: String,
    /// The classes that need no approval.
    pub permitted_reset_classes: Vec<String>,
    /// What is never done.
    pub prohibited_actions: Vec<String>,
    /// What a reset outside the classes needs.
    pub fallback_approval_rule: String,
    /// Whether this execution is a rerun.
    pub rerun: bool,
    /// The reset receipt of this rerun.
    pub reset: Option<ResetReceipt>,
    /// The checks of policy and drift.
    pub checks: Vec<CheckResult>,
    /// The verdict.
    pub overall_pass: bool,
}
artifact!(RerunResetPolicySnapshot, "m3g_rerun_reset_policy_snapshot");

/// What one reset class allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetClass {
    /// The class.
    pub class: String,
    /// What it resets.
    pub resets: String,
    /// What it leaves alone.
    pub keeps: String,
    /// Whether it needs an approval.
    pub approval_required: bool,
}

/// All reset classes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetClassMatrix {
    /// The classes.
    pub classes: Vec<ResetClass>,
}
artifact!(ResetClassMatrix, "m3g_reset_class_matrix");

/// The versions of one key under the run root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyVersions {
    /// The key.
    pub key: S3Key,
    /// How many versions it has.
    pub versions: u32,
    /// How many delete markers it has.
    pub delete_markers: u32,
}

/// The guard against destructive mutation of the run's evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProhibitedMutationGuardReceipts {
    /// The run's root.
    pub run_root: String,
    /// P1's own keys under it, with their versions: `run.json`, the run header and the ledger's records. Of more than 1,000 those
    /// that were touched come first, and the rest is left out.
    pub keys: Vec<KeyVersions>,
    /// Whether every key has exactly one version and no delete marker.
    pub guard_pass: bool,
}
artifact!(
    ProhibitedMutationGuardReceipts,
    "m3g_prohibited_mutation_guard_receipts"
);

/// The admission of a rerun, or its refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RerunAdmissionReceipt {
    /// The summary that the rerun starts from.
    pub held: HeldSummary,
    /// The step to go on with; none where that could not be settled.
    pub resume_at: Option<Step>,
    /// Whether that step alone is run.
    pub only: bool,
    /// Who resets what, and why.
    pub reset: ResetReceipt,
    /// The checks of the admission.
    pub checks: Vec<CheckResult>,
    /// The registry that is pinned for the steps to come.
    pub registry: Option<ObjectRef>,
    /// The number of the ledger record that this execution acquired.
    pub ledger_sequence: Option<u32>,
    /// Whether the rerun goes on.
    pub admitted: bool,
}
artifact!(RerunAdmissionReceipt, "m3g_admission_receipt");
