//! What AWS answered about a deployed stack.

use std::collections::BTreeMap;

use p1_contract::ids::{BucketName, Environment, StateMachineArn};

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked<T> {
    /// What was answered.
    Answered(T),
    /// It was not learned, for this reason.
    NotLearned(String),
}

/// A deployed stack: what its outputs and parameters say, and what AWS says of its resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The stack's name.
    pub stack: String,
    /// The environment.
    pub environment: Environment,
    /// The evidence bucket.
    pub evidence_bucket: BucketName,
    /// The state machine, which says partition, region and account too.
    pub state_machine: StateMachineArn,
    /// The ARN of the role that the stack's outputs say the machine runs as.
    pub role: String,
    /// The stack's outputs, by key.
    pub outputs: BTreeMap<String, String>,
    /// The stack's parameters, by name.
    pub parameters: Asked<BTreeMap<String, String>>,
    /// What S3 says of the evidence bucket.
    pub bucket: Bucket,
    /// The state machine.
    pub machine: Asked<Option<Machine>>,
    /// The version that the alias is to start, and the alias itself. `None` where the stack has no alias.
    pub alias: Option<Alias>,
    /// The stack's resources. Of those that are compared, each has its comparison.
    pub resources: Asked<Vec<Resource>>,
}

/// The settings of a bucket. An inner `None` means that there is no such setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Whether S3 knows it. Everything else is asked for nothing if it does not.
    pub is_there: bool,
    /// The status of its versioning.
    pub versioning: Asked<Option<String>>,
    /// Whether its events go to EventBridge.
    pub sends_events: Asked<bool>,
    /// Its policy, a JSON document.
    pub policy: Asked<Option<String>>,
    /// Its Object Lock.
    pub lock: Asked<Option<Lock>>,
    /// Its default encryption.
    pub encryption: Asked<Option<Encryption>>,
    /// Its settings against public access, by name.
    pub public_access: Asked<Option<BTreeMap<&'static str, bool>>>,
}

/// The default retention of Object Lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// `GOVERNANCE` or `COMPLIANCE`. `None` if there is no default retention.
    pub mode: Option<String>,
    /// Its days; a year has 365.
    pub days: u64,
}

/// The default encryption of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub algorithm: String,
    /// The key. `None` if it is one of S3.
    pub key: Option<String>,
}

/// A state machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// `ACTIVE` or `DELETING`.
    pub status: String,
    /// The role that it runs as.
    pub role: String,
}

/// The alias that starts the state machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Its ARN.
    pub arn: String,
    /// Where it leads: versions with their weights. `None` if there is no such alias.
    pub routes: Asked<Option<Vec<(String, i32)>>>,
}

/// A resource of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its name in the template.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Its name on AWS.
    pub physical: String,
    /// How CloudFormation compares it with the template. `None` if it was not asked to.
    pub comparison: Option<Asked<Comparison>>,
}

/// What CloudFormation says of a resource, beside what it deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// They are the same, in all that CloudFormation compares.
    Same,
    /// It is not there.
    Gone,
    /// These properties differ.
    Differs(Vec<Difference>),
}

/// A property that is not what was deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where it is in the resource's properties.
    pub path: String,
    /// What was deployed.
    pub expected: String,
    /// What there is.
    pub found: String,
}

/// The types of resources that CloudFormation is asked to compare: who may do what, the key, and what starts a run.
pub const COMPARED: [&str; 5] = [
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::StepFunctions::StateMachine",
];
