//! M3.D: orchestrator entry and run lock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CommandReceipt, artifact};
use crate::ids::ExecutionArn;
use crate::ledger::LedgerKind;

/// Whether the orchestrator entry is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrchestratorReadinessSnapshot {
    /// The machine that the registry names.
    pub resolved_state_machine_name: Option<String>,
    /// Its ARN, as it describes itself.
    pub resolved_state_machine_arn: Option<String>,
    /// The value of `SR_READY_COMMIT_AUTHORITY`.
    pub sr_ready_commit_authority: Option<String>,
    /// The value of `REQUIRED_PLATFORM_RUN_ID_ENV_KEY`.
    pub required_platform_run_id_env_key: Option<String>,
    /// The machine's role.
    pub configured_role_arn: Option<String>,
    /// The role that the registry names.
    pub expected_role_arn: Option<String>,
    /// Whether they are the same.
    pub role_alignment_pass: bool,
    /// The verdict.
    pub overall_pass: bool,
}
artifact!(
    OrchestratorReadinessSnapshot,
    "m3d_orchestrator_entry_readiness_snapshot"
);

/// Who holds the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunLockPostureSnapshot {
    /// How the lock works.
    pub mechanism: String,
    /// The execution that asks.
    pub execution_arn: ExecutionArn,
    /// How many records the ledger has.
    pub ledger_records: u32,
    /// The head's number.
    pub head_sequence: Option<u32>,
    /// What the head says.
    pub head_kind: Option<LedgerKind>,
    /// Who wrote it.
    pub head_holder: Option<ExecutionArn>,
    /// Whether the head is this execution's own ACQUIRED record.
    pub held_by_this_execution: bool,
    /// What happens when it is not.
    pub fail_closed_behavior: String,
}
artifact!(RunLockPostureSnapshot, "m3d_run_lock_posture_snapshot");

/// What M3.D asked, and the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrchestratorCommandReceipts {
    /// The receipts.
    pub receipts: Vec<CommandReceipt>,
}
artifact!(OrchestratorCommandReceipts, "m3d_command_receipts");
