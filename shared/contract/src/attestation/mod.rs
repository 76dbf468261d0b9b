//! The signed verdict: in-toto Statements about what M3.J concluded, in DSSE envelopes beside its evidence.
//!
//! Two statements have the same subjects. One carries the verdict in a predicate of our own, the other is a SLSA verification
//! summary, for tools that know nothing of P1. Their bytes follow from the evidence, as everything else does; the signature
//! alone may be another one each time. So the envelopes are *sidecars*: no closure names them, and the evidence is the same
//! with and without.
//!
//! A signature has exactly one form here (DER, low s, standard base64 with padding, canonical JSON): no byte of a sidecar
//! can be changed to another sidecar that passes.

mod dsse;
mod key;
mod pae;
mod statement;
#[cfg(test)]
mod tests;

use crate::ids::below_run_control;
use crate::step::Step;
pub use dsse::{ENVELOPE_SCHEMA, Envelope, EnvelopeSignature, PAYLOAD_TYPE};
pub use key::{AttestationError, PublicKey, normal_form};
pub use pae::pae;
pub use statement::{
    Conclusion, Digest, Policy, STATEMENT_TYPE, Statement, Subject, VERDICT_PREDICATE, VERDICT_STATEMENT_SCHEMA,
    VSA_PREDICATE, VSA_STATEMENT_SCHEMA, VerdictPredicate, VerificationResult, VerificationSummary, VerifiedLevel,
    Verifier, run_evidence,
};

/// The file of the signed verdict, in the folder of M3.J's phase execution.
pub const VERDICT_SIDECAR: &str = "m3j_verdict.dsse.json";
/// The file of the signed verification summary, beside it.
pub const VSA_SIDECAR: &str = "m3j_vsa.dsse.json";
/// The file of the public key that both are signed by, beside them. Whoever trusts it must know it from elsewhere.
pub const KEY_SIDECAR: &str = "m3j_signing_key.pem";
/// All sidecars, in the order in which they are written.
pub const SIDECARS: [&str; 3] = [KEY_SIDECAR, VERDICT_SIDECAR, VSA_SIDECAR];

/// Whether a key is a place of a sidecar.
#[must_use]
pub fn is_sidecar(key: &str) -> bool {
    let place = below_run_control(key).and_then(|rest| rest.split_once('/'));
    place.is_some_and(|(folder, file)| folder.starts_with(Step::PhaseVerdict.prefix()) && SIDECARS.contains(&file))
}
