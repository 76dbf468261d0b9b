//! What M3.D learns from outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MachineAnswer;
use crate::evidence::RunIds;
use crate::handles::HandleFacts;
use crate::ids::ExecutionArn;
use crate::ledger::LedgerKind;

/// What the step learned from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The ids that the chain has closed.
    pub run: RunIds,
    /// The handles of the orchestrator entry.
    pub handles: HandleFacts,
    /// The machine of the registry's name; none where it gives no usable name.
    pub machine: Option<MachineAnswer>,
    /// The run's ledger.
    pub ledger: LedgerFact,
}

/// What the ledger says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerFact {
    /// Why it is no legal ledger, in words; none when it is one.
    pub problem: Option<String>,
    /// How many records it has.
    pub records: u32,
    /// The head's number.
    pub head_sequence: Option<u32>,
    /// What the head says.
    pub head_kind: Option<LedgerKind>,
    /// Who wrote it.
    pub head_holder: Option<ExecutionArn>,
}
