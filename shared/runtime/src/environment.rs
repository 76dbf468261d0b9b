//! The environment of the functions. It holds what the init phase needs, and nothing that influences a verdict: the log level,
//! the object for the first connection, and the SDK's variables. The settings that a step decides by come with its payload
//! ([`p1_contract::settings`]).

use std::collections::BTreeMap;

use thiserror::Error;

/// A variable has an unusable value. The function's environment must be mended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("environment variable {name} {problem}; mend the function's environment")]
pub(crate) struct EnvironmentError {
    /// The variable.
    pub(crate) name: &'static str,
    /// What is wrong with it.
    pub(crate) problem: String,
}

/// The object that the init phase asks for to make its first connection, as an S3 URI. It need not exist, and every role may read
/// it, because every step reads M3.A's artifacts. If it is not in the deployment's bucket, that costs one handshake and nothing
/// else.
pub(crate) const WARM_UP_URI: &str = "P1_WARM_UP_URI";

/// The environment of this process.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars().collect()
}
