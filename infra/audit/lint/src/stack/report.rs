//! What lint says of a deployed stack.

use p1_contract::blocker::{Blocker, Severity};
use serde::Serialize;

use super::facts::Asked;

/// Whether a stack is what its template says, as far as lint asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StackStanding {
    /// Everything was learned, and nothing is wrong.
    AsDeployed,
    /// Something is wrong.
    Wrong,
    /// Nothing is known to be wrong, and something was not learned.
    NotLearned,
}

/// The report on a deployed stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackReport {
    /// Its name.
    pub stack: String,
    /// The standing.
    pub standing: StackStanding,
    /// What is wrong.
    pub findings: Vec<StackFinding>,
    /// What was not learned. It is never taken for right.
    pub not_learned: Vec<NotLearned>,
    /// What is not the stack's own, and what lint therefore does not judge.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_judged: Vec<String>,
}

/// Something that is wrong with a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackFinding {
    /// The rule that does not hold.
    pub rule: Rule,
    /// The blocker that a step holds a run by for this, where one sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Blocker>,
    /// No-go or remediate, of the blocker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The resource.
    pub resource: String,
    /// What was seen.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
}

/// A question without an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotLearned {
    /// What was to be learned.
    pub question: String,
    /// The resource.
    pub resource: String,
    /// Why it was not.
    pub why: String,
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident $name:literal;)+) => {
        /// The rules of a deployed stack. They are no blockers: most of what they see, no step can see.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        pub enum Rule {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Rule] = &[$(Rule::$rule),+];

            /// Its name in every output.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Rule::$rule => $name,)+ }
            }

            /// The rule, as one line.
            #[must_use]
            pub fn says(self) -> &'static str {
                match self { $(Rule::$rule => concat!($($doc),+).trim(),)+ }
            }
        }
    };
}

rules! {
    /// The evidence bucket is there.
    Bucket "bucket";
    /// The evidence bucket keeps every version of an object.
    Versioning "bucket-versioning";
    /// The evidence bucket sends its events to EventBridge: without them, no receipt starts a run.
    Events "bucket-events";
    /// The evidence bucket has every statement of the template's policy.
    Policy "bucket-policy";
    /// The evidence bucket has Object Lock, and a default retention that is no weaker than the template's.
    ObjectLock "bucket-object-lock";
    /// The evidence bucket encrypts with the key that the steps may use.
    Encryption "bucket-encryption";
    /// The evidence bucket blocks all public access.
    PublicAccess "bucket-public-access";
    /// The state machine is there and ACTIVE.
    Machine "state-machine";
    /// The state machine runs as the role that the stack says.
    MachineRole "state-machine-role";
    /// The alias leads to the version that the stack deployed, and to no other.
    Alias "alias";
    /// A role, policy, rule, key or state machine of the stack is there.
    ResourceGone "resource-gone";
    /// A role, policy, rule, key or state machine of the stack is what was deployed.
    ResourceDiffers "resource-differs";
}

impl StackReport {
    pub(super) fn new(stack: &str) -> Self {
        StackReport {
            stack: stack.to_owned(),
            standing: StackStanding::AsDeployed,
            findings: Vec::new(),
            not_learned: Vec::new(),
            not_judged: Vec::new(),
        }
    }

    pub(super) fn wrong(&mut self, rule: Rule, resource: &str, detail: impl Into<String>, remedy: impl Into<String>) {
        self.blocking(rule, None, resource, detail, remedy);
    }

    /// Something that a step sees too, and holds a run by.
    pub(super) fn blocking(
        &mut self,
        rule: Rule,
        code: Option<Blocker>,
        resource: &str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.standing = StackStanding::Wrong;
        self.findings.push(StackFinding {
            rule,
            code,
            severity: code.map(Blocker::severity),
            resource: resource.to_owned(),
            detail: detail.into(),
            remedy: remedy.into(),
        });
    }

    /// The answer to a question. Without one, the question is noted.
    pub(super) fn learned<'a, T>(&mut self, asked: &'a Asked<T>, question: &str, resource: &str) -> Option<&'a T> {
        match asked {
            Asked::Answered(answer) => Some(answer),
            Asked::NotLearned(why) => {
                self.not_learned(question, resource, why);
                None
            }
        }
    }

    pub(super) fn not_learned(&mut self, question: &str, resource: &str, why: &str) {
        if self.standing == StackStanding::AsDeployed {
            self.standing = StackStanding::NotLearned;
        }
        self.not_learned.push(NotLearned {
            question: question.to_owned(),
            resource: resource.to_owned(),
            why: why.to_owned(),
        });
    }
}
