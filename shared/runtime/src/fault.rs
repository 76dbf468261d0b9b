//! Faults: reasons why no verdict could be reached. Each has a stable name that the state machine's `Retry` matches
//! (architecture: "A step").

use lambda_runtime::Diagnostic;
use p1_contract::cause::chain;
use p1_contract::evidence::EvidenceError;
use p1_contract::input::InputError;
use thiserror::Error;

/// Why no verdict could be reached.
#[derive(Debug, Error)]
pub enum Fault {
    /// A service is slow, throttles or fails. This may pass, so the state machine retries it.
    #[error("failed to {operation}: {problem}; retry, or redrive the execution once the service answers again")]
    Transient {
        /// The operation and its object.
        operation: String,
        /// The error.
        problem: String,
    },
    /// The input cannot be used. Retries do not help.
    #[error("{0}")]
    InvalidInput(String),
    /// A defect of P1, or a deployment that does not fit.
    #[error("failed to {operation}: {problem}")]
    Internal {
        /// The operation and its object.
        operation: String,
        /// What is wrong, and what to do.
        problem: String,
    },
}

impl Fault {
    /// The name that the state machine matches.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Fault::Transient { .. } => "Transient",
            Fault::InvalidInput(_) => "InvalidInput",
            Fault::Internal { .. } => "Internal",
        }
    }

    /// A fault that may pass with time.
    pub fn transient(operation: impl Into<String>, problem: impl Into<String>) -> Self {
        Fault::Transient {
            operation: operation.into(),
            problem: problem.into(),
        }
    }

    /// A fault of P1 or of the deployment.
    pub fn internal(operation: impl Into<String>, problem: impl Into<String>) -> Self {
        Fault::Internal {
            operation: operation.into(),
            problem: problem.into(),
        }
    }
}

impl From<InputError> for Fault {
    fn from(error: InputError) -> Self {
        Fault::InvalidInput(error.to_string())
    }
}

impl From<EvidenceError> for Fault {
    fn from(error: EvidenceError) -> Self {
        Fault::internal("handle evidence", chain(&error))
    }
}

impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Self {
        let message = fault.to_string();
        let safe = p1_contract::secrets::redact_text(&message).unwrap_or(message);
        Diagnostic {
            error_type: fault.name().to_owned(),
            error_message: safe,
        }
    }
}
