//! The environment of the functions. It holds what the init phase needs and what is no decision: the level of the log, the
//! bucket that the first connection is made to, and what the SDK reads. What a step decides by comes with its payload
//! ([`p1_contract::settings`]).

use std::collections::BTreeMap;

use thiserror::Error;

/// A variable that names what cannot be used: the function's environment is to be mended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("environment variable {name} {problem}; mend the function's environment")]
pub(crate) struct EnvironmentError {
    /// The variable.
    pub(crate) name: &'static str,
    /// What is wrong with it.
    pub(crate) problem: String,
}

/// The bucket that the init phase makes a connection to. Another than the deployment's costs one handshake and nothing else.
pub(crate) const WARM_UP_BUCKET: &str = "P1_WARM_UP_BUCKET";

/// The environment of this process.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars().collect()
}
