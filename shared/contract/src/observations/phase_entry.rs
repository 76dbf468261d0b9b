//! What a phase entry learns from outside: the head of the run's ledger, and the documents that a later phase rests on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AuditProblem, Learned};
use crate::hash::Sha256Hex;
use crate::reference::ObjectRef;

/// Everything that was learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// How many records the run's ledger has; or why what lies there is no ledger.
    pub ledger: Learned<u32>,
    /// The documents that were read, in the order of their keys: the head of the ledger, and what it leads to.
    pub documents: Vec<ReadDocument>,
    /// The objects that could not be used, by key, and why.
    pub unusable: Vec<AuditProblem>,
    /// The keys that were overwritten or deleted.
    pub rewritten: Vec<AuditProblem>,
    /// The signature of the verdict.
    pub signature: SignatureFacts,
}

/// A document of the evidence, whole: canonical JSON, so that its content gives its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadDocument {
    /// The version that was read.
    pub object: ObjectRef,
    /// Its content.
    pub content: Value,
}

/// The signature of the verdict, as the deployment's own key shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignatureFacts {
    /// The deployment signs nothing.
    NotAsked,
    /// No verdict was found whose signature could be looked for.
    NoVerdict,
    /// The envelope verifies under the deployment's key.
    Verified {
        /// SHA-256 of the public key in DER.
        key_sha256: Sha256Hex,
        /// The statement that was signed.
        statement: Value,
    },
    /// The envelope is missing, or not one of the deployment's key.
    Invalid(AuditProblem),
}
