//! What M3.A learns from outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MachineAnswer;
use crate::exact::Exact;
use crate::handles::HandleFacts;
use crate::ids::BucketName;
use crate::reference::ObjectRef;
use crate::secrets::SecretHit;

/// What the step learned from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The deployment that the registry is held against.
    pub deployment: Deployment,
    /// The registry.
    pub registry: RegistryFact,
    /// The handles that any step reads, and those that a stack outputs.
    pub handles: HandleFacts,
    /// Handles that a stack outputs and whose value the registry writes as a decimal: a number, though evidence holds it as text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decimals: Vec<String>,
    /// Handles that the registry declares with different values, whoever reads them.
    pub contradictions: Vec<String>,
    /// How many more of them there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub contradictions_left_out: u64,
    /// The stack outputs, in the deployment's order.
    pub stack_outputs: Vec<StackOutputsFact>,
    /// The M2 receipt; none for a rerun, which never comes here.
    pub m2_receipt: Option<M2ReceiptFact>,
    /// The state machine of the registry's name; none where it gives no usable name.
    pub machine: Option<MachineAnswer>,
    /// The bucket of the registry's name; none where it gives no usable name.
    pub bucket: Option<BucketFact>,
    /// Where the documents hold secret material.
    pub secrets: Vec<SecretHit>,
    /// How many more places there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub secrets_left_out: u64,
}

/// The deployment's own names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The evidence bucket.
    pub evidence_bucket: BucketName,
    /// Where the registry lies.
    pub registry_uri: String,
}

/// What became of reading the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegistryFact {
    /// It was read: this version is pinned for all later steps.
    Read {
        /// The pinned object.
        object: ObjectRef,
        /// How many handles it declares.
        handles: u64,
    },
    /// It is not there.
    Missing,
    /// It may not be read.
    Denied,
}

/// What became of asking for the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BucketFact {
    /// It answers, and every write to it makes a version.
    Versioned,
    /// It answers, and overwrites.
    Unversioned,
    /// There is none of that name.
    NotFound,
    /// We may not ask.
    Denied,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What one document of stack outputs claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StackOutputsFact {
    /// Where it lies.
    pub uri: String,
    /// Why it cannot be read, in words; none when it was.
    pub unreadable: Option<String>,
    /// The values that it claims for handles.
    pub claims: Vec<StackClaim>,
}

/// The value that a stack claims for a handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StackClaim {
    /// The output.
    pub output: String,
    /// The handle.
    pub handle: String,
    /// The value; numbers that evidence cannot hold as numbers are texts. Evidence of revision 1 holds every value as text.
    pub value: Value,
    /// Where in the value (JSON pointers) a text is a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<String>,
    /// Where in the value a list is a set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<String>,
}

impl StackClaim {
    /// The value as the stack gave it.
    #[must_use]
    pub fn exact(&self) -> Exact {
        Exact::of_written(&self.value, &self.numbers, &self.sets)
    }
}

/// What the receipt says of its own verdict, sign by sign: one that is not green outweighs all that are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct M2ReceiptFact {
    /// Where it lies.
    pub key: String,
    /// Why it cannot be read, in words; none when it was.
    pub unreadable: Option<String>,
    /// Whether `overall_pass` and `m3_entry_ready` are true where they are there, and one of them is.
    pub declares_green: bool,
    /// Whether `blockers` and `unresolved_blockers` are absent or empty lists.
    pub no_open_blockers: bool,
    /// Whether `blocker_count` and `phase_blocker_count` are absent or 0. Evidence of revision 1 did not ask.
    #[serde(default = "not_asked")]
    pub counts_no_blockers: bool,
    /// Whether `verdict` is absent or begins with `ADVANCE`, `PASS` or `GREEN`. Evidence of revision 1 did not ask.
    #[serde(default = "not_asked")]
    pub verdict_is_green: bool,
    /// Whether `phase_execution_id` is absent or the name of the folder that the receipt lies in.
    pub of_m2j: bool,
    /// Whether `next_gate` is absent or ends in `M3_READY`.
    pub gate_is_m3: bool,
}

/// What was not asked is no objection.
fn not_asked() -> bool {
    true
}
