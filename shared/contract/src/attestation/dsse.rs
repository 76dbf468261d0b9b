//! DSSE 1.0: what is signed, and the envelope around it.

use base64ct::{Base64, Encoding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key::{AttestationError, PublicKey};
use crate::canonical;
use crate::strict::{Limits, parse_strict};

/// The payload type of an in-toto Statement.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The name of the envelope's JSON Schema.
pub const ENVELOPE_SCHEMA: &str = "dsse_envelope";

/// An envelope with one signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The statement's canonical bytes, in base64 with padding.
    pub payload: String,
    /// `application/vnd.in-toto+json`.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// The one signature.
    pub signatures: Vec<EnvelopeSignature>,
}

/// A signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeSignature {
    /// SHA-256, in hexadecimal, of the public key's SubjectPublicKeyInfo in DER.
    pub keyid: String,
    /// ECDSA over P-256 with SHA-256, in DER with low s, in base64 with padding.
    pub sig: String,
}

impl Envelope {
    /// The envelope of `payload` with this signature (DER, normal form) by `key`.
    #[must_use]
    pub fn new(payload: &[u8], key: &PublicKey, signature: &[u8]) -> Self {
        Envelope {
            payload: Base64::encode_string(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![EnvelopeSignature {
                keyid: key.id().to_string(),
                sig: Base64::encode_string(signature),
            }],
        }
    }

    /// The canonical bytes, with the final newline.
    ///
    /// # Errors
    /// Never: there is nothing in it that canonical JSON refuses.
    pub fn render(&self) -> Result<Vec<u8>, AttestationError> {
        canonical::document_of(self).map_err(|error| AttestationError::Envelope(error.to_string()))
    }

    /// Reads an envelope of the one form that [`Envelope::render`] writes.
    ///
    /// # Errors
    /// When it has another form, type or number of signatures.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestationError> {
        let refused = |why: String| AttestationError::Envelope(why);
        let value = parse_strict(bytes, Limits::DOCUMENT).map_err(|error| refused(error.to_string()))?;
        let envelope: Envelope = serde_json::from_value(value).map_err(|error| refused(error.to_string()))?;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(refused(format!("its payload type is not {PAYLOAD_TYPE}")));
        }
        if envelope.signatures.len() != 1 {
            return Err(refused(format!("it has {} signatures", envelope.signatures.len())));
        }
        if envelope.render()? != bytes {
            return Err(refused("it is not canonical JSON".to_owned()));
        }
        envelope.payload()?;
        envelope.signature()?;
        Ok(envelope)
    }

    /// The payload's bytes.
    ///
    /// # Errors
    /// When they are not in base64.
    pub fn payload(&self) -> Result<Vec<u8>, AttestationError> {
        let refused = |_| AttestationError::Envelope("its payload is not base64 with padding".to_owned());
        Base64::decode_vec(&self.payload).map_err(refused)
    }

    /// The key id and the signature.
    fn signature(&self) -> Result<(&str, Vec<u8>), AttestationError> {
        let [signature] = self.signatures.as_slice() else {
            return Err(AttestationError::Envelope("it has not one signature".to_owned()));
        };
        let refused = |_| AttestationError::Envelope("its signature is not base64 with padding".to_owned());
        let der = Base64::decode_vec(&signature.sig).map_err(refused)?;
        Ok((&signature.keyid, der))
    }

    /// The id of the key that it says it is signed by.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.signatures.first().map_or("", |signature| &signature.keyid)
    }

    /// Verifies the signature under `key`, and gives the payload that it is of.
    ///
    /// # Errors
    /// When it names another key, is not in normal form, or does not verify.
    pub fn verify(&self, key: &PublicKey) -> Result<Vec<u8>, AttestationError> {
        let (found, der) = self.signature()?;
        let expected = key.id();
        if found != expected.as_str() {
            let found = found.chars().take(64).collect();
            return Err(AttestationError::OtherKey { found, expected });
        }
        let payload = self.payload()?;
        key.verify(&self.payload_type, &payload, &der)?;
        Ok(payload)
    }
}
