//! What is linted.

use p1_contract::ids::{BucketName, Environment, Stamp, StateMachineArn};

/// A document and the name that findings call it by, such as its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The name.
    pub name: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What is known of the deployment that the documents are for. What is not known is taken from the registry, as far as it can be the
/// name of such a thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deployed {
    /// The evidence bucket.
    pub evidence_bucket: Option<BucketName>,
    /// The state machine, which says account, region and partition too.
    pub state_machine: Option<StateMachineArn>,
    /// The ARN of the state machine's role.
    pub role: Option<String>,
}

/// The documents, and what they are judged against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// The handles registry.
    pub registry: Document,
    /// The stack outputs. Without any, the deployment has none configured.
    pub stack_outputs: Vec<Document>,
    /// The M2 receipt. Without one, a green one is assumed.
    pub m2_receipt: Option<Document>,
    /// The billing artifact. Without one, one of this month is assumed that says no spend.
    pub billing: Option<Document>,
    /// The environment.
    pub environment: Environment,
    /// The deployment.
    pub deployed: Deployed,
    /// When the run would start. A billing artifact is of one month, and the spend is judged to the day.
    pub at: Stamp,
}

/// The documents as the steps read them.
#[derive(Debug, Clone)]
pub(crate) struct Judged {
    pub(crate) registry: Vec<u8>,
    pub(crate) stack_outputs: Vec<Vec<u8>>,
    pub(crate) m2_receipt: Option<Vec<u8>>,
    pub(crate) billing: Option<Vec<u8>>,
}

impl Judged {
    pub(crate) fn of(inputs: &Inputs) -> Self {
        let bytes = |document: &Document| document.bytes.clone();
        Judged {
            registry: bytes(&inputs.registry),
            stack_outputs: inputs.stack_outputs.iter().map(bytes).collect(),
            m2_receipt: inputs.m2_receipt.as_ref().map(bytes),
            billing: inputs.billing.as_ref().map(bytes),
        }
    }
}
