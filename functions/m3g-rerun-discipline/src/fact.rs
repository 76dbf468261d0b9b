//! What both duties learn in the same way: facts that may not be there, and today's registry.

use p1_contract::blocker::Finding;
use p1_contract::handles::HandleFacts;
use p1_contract::hash::Sha256Hex;
use p1_contract::identity::DigestInput;
use p1_contract::reference::ObjectRef;
use p1_contract::registry;
use p1_contract::screen::{Deployment, screen};
use p1_runtime::store::{REGISTRY_LIMIT, Read, object_ref};
use p1_runtime::{Fault, StepContext};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

impl TodaysRegistry {
    /// Reads the latest registry, which so becomes an input of this phase execution.
    pub(crate) async fn read(ctx: &StepContext<'_>, keys: &[&str]) -> Result<Learned<Self>, Fault> {
        let uri = &ctx.settings().registry;
        let object = match ctx.read(&uri.bucket, &uri.key, None, REGISTRY_LIMIT).await? {
            Read::Found(object) => object,
            Read::NotFound => return Ok(Learned::Problem(format!("there is no registry at {uri}"))),
            Read::Denied => return Ok(Learned::Problem(format!("the registry at {uri} may not be read"))),
            Read::TooLarge(bytes) => {
                return Ok(Learned::Problem(format!(
                    "the registry at {uri} has {bytes} bytes, more than {REGISTRY_LIMIT}"
                )));
            }
        };
        let reference = object_ref(&uri.bucket, &uri.key, &object);
        let parsed = registry::parse(&object.bytes).map_err(|e| e.to_string());
        let deployment = Deployment {
            evidence_bucket: ctx.bucket(),
            state_machine: &ctx.input.state_machine,
        };
        let text = std::str::from_utf8(&object.bytes).unwrap_or_default();
        Ok(Learned::from(parsed).map(|registry| TodaysRegistry {
            object: reference,
            handles: HandleFacts::read(&registry, keys),
            objections: screen(&registry, text, deployment),
        }))
    }

    /// `config_digest` as today's handles give it, or the handle that prevents it and how.
    pub(crate) fn config_digest(&self) -> Result<(DigestInput, Sha256Hex), (String, String)> {
        let input = DigestInput::from_handles(&self.handles).map_err(|problem| (problem.key, problem.problem))?;
        match input.digest() {
            Ok(digest) => Ok((input, digest)),
            Err(error) => Err(("ORACLE_SORT_KEY_BY_OUTPUT_ID".to_owned(), error.to_string())),
        }
    }
}
