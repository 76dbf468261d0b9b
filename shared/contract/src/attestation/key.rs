//! ECDSA over NIST P-256 with SHA-256: the public key, and the one form of a signature.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding, spki};
use thiserror::Error;

use super::pae::pae;
use crate::hash::Sha256Hex;

/// Why a key, an envelope or a signature is not one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AttestationError {
    /// The public key cannot be read.
    #[error("it is no public key of the curve P-256 in PEM (SubjectPublicKeyInfo): {0}")]
    Key(String),
    /// The envelope is not of the one form that is written.
    #[error("it is no DSSE envelope with one signature: {0}")]
    Envelope(String),
    /// The signature is not of the one form that is written: DER with the lower of the two values of s.
    #[error("its signature is not in normal form (ASN.1 DER, low s)")]
    SignatureForm,
    /// It names another key.
    #[error("it is signed by the key {found}, not by {expected}")]
    OtherKey {
        /// The key id in the envelope.
        found: String,
        /// The id of the key that it was held against.
        expected: Sha256Hex,
    },
    /// The signature is of other bytes, or by another key.
    #[error("its signature does not verify under the key {0}")]
    Invalid(Sha256Hex),
}

/// A public key that verdicts are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
    der: Vec<u8>,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    /// When it is none of the curve P-256.
    pub fn from_pem(text: &str) -> Result<Self, AttestationError> {
        PublicKey::new(VerifyingKey::from_public_key_pem(text.trim()).map_err(unusable)?)
    }

    /// Reads a SubjectPublicKeyInfo in DER, as KMS gives it.
    ///
    /// # Errors
    /// When it is none of the curve P-256.
    pub fn from_der(der: &[u8]) -> Result<Self, AttestationError> {
        PublicKey::new(VerifyingKey::from_public_key_der(der).map_err(unusable)?)
    }

    /// The public half of a signing key.
    ///
    /// # Errors
    /// Never for a key of the curve.
    pub fn new(key: VerifyingKey) -> Result<Self, AttestationError> {
        let der = key.to_public_key_der().map_err(unusable)?.into_vec();
        Ok(PublicKey { key, der })
    }

    /// The key as it is written beside the envelopes.
    ///
    /// # Errors
    /// Never for a key of the curve.
    pub fn to_pem(&self) -> Result<String, AttestationError> {
        self.key.to_public_key_pem(LineEnding::LF).map_err(unusable)
    }

    /// The key's id: the SHA-256 of its SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn id(&self) -> Sha256Hex {
        Sha256Hex::of(&self.der)
    }

    /// Holds the signature `der` against `payload` of this type.
    ///
    /// # Errors
    /// When it is not in normal form, or not of these bytes by this key.
    pub fn verify(&self, payload_type: &str, payload: &[u8], der: &[u8]) -> Result<(), AttestationError> {
        let signature = Signature::from_der(der).map_err(|_| AttestationError::SignatureForm)?;
        let normal = signature.normalize_s();
        if normal != signature || normal.to_der().as_bytes() != der {
            return Err(AttestationError::SignatureForm);
        }
        let digest = Sha256Hex::of(&pae(payload_type, payload)).to_bytes();
        self.key
            .verify_prehash(&digest, &signature)
            .map_err(|_| AttestationError::Invalid(self.id()))
    }
}

fn unusable(error: spki::Error) -> AttestationError {
    AttestationError::Key(error.to_string())
}

/// The normal form of an ECDSA signature in DER: of the two values of s that both verify, the lower one.
///
/// # Errors
/// When the bytes are no such signature.
pub fn normal_form(der: &[u8]) -> Result<Vec<u8>, AttestationError> {
    let signature = Signature::from_der(der).map_err(|_| AttestationError::SignatureForm)?;
    Ok(signature.normalize_s().to_der().as_bytes().to_vec())
}
