//! What both duties of M3.G learn in the same way: facts that may not be there, and today's registry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blocker::Finding;
use crate::handles::HandleFacts;
use crate::reference::ObjectRef;

/// A fact, or in words why it could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Learned_{T}")]
pub enum Learned<T> {
    /// The fact.
    Found(T),
    /// Why there is none.
    Problem(String),
}

impl<T> Learned<T> {
    /// The fact, if there is one.
    pub fn found(&self) -> Option<&T> {
        match self {
            Learned::Found(fact) => Some(fact),
            Learned::Problem(_) => None,
        }
    }

    /// Both sides as a result.
    ///
    /// # Errors
    /// The words, where there is no fact.
    pub fn as_result(&self) -> Result<&T, &str> {
        match self {
            Learned::Found(fact) => Ok(fact),
            Learned::Problem(why) => Err(why),
        }
    }

    /// The fact, changed.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Learned<U> {
        match self {
            Learned::Found(fact) => Learned::Found(change(fact)),
            Learned::Problem(why) => Learned::Problem(why),
        }
    }
}

impl<T> From<Result<T, String>> for Learned<T> {
    fn from(result: Result<T, String>) -> Self {
        match result {
            Ok(fact) => Learned::Found(fact),
            Err(why) => Learned::Problem(why),
        }
    }
}

/// The latest registry, as it was read for this execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TodaysRegistry {
    /// The version that was read.
    pub object: ObjectRef,
    /// The handles that were looked at.
    pub handles: HandleFacts,
    /// What a start would refuse of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objections: Vec<Finding>,
}
