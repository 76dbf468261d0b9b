//! Why something could not be measured.

use std::error::Error;

use p1_local::PlatformError;

/// Why the benchmark ended without its figures. A figure that could not be learned is never made up.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The command line does not fit.
    #[error("{0}")]
    Usage(String),
    /// Something that a measurement needs did not work.
    #[error("failed to {operation}: {detail}")]
    Failed {
        /// What was tried.
        operation: String,
        /// Why it did not work, in words.
        detail: String,
    },
}

impl BenchError {
    /// A failure with its whole chain of causes.
    pub fn failed(operation: impl Into<String>, cause: &(dyn Error + 'static)) -> Self {
        Self::wrong(operation, p1_contract::cause::chain(cause))
    }

    /// A failure in words.
    pub fn wrong(operation: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Failed {
            operation: operation.into(),
            detail: detail.into(),
        }
    }

    /// For `map_err` on an I/O error.
    pub fn io(operation: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let operation = operation.into();
        move |error| Self::failed(operation, &error)
    }
}

impl From<PlatformError> for BenchError {
    fn from(error: PlatformError) -> Self {
        Self::failed("set up what is measured", &error)
    }
}
