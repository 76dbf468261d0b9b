//! Who signs the verdict: nobody, a KMS key, or a key in a file.

use std::path::Path;

use aws_sdk_kms::Client;
use p1_contract::attestation::PublicKey;
use p1_contract::settings::Signing;
use p1_runtime::Fault;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey as _;
use thiserror::Error;

use crate::kms::KmsKey;

/// What the verdict is signed with: ECDSA over P-256 with SHA-256 on every side.
#[derive(Debug, Clone, Default)]
pub enum Signer {
    /// Nothing: it is not signed.
    #[default]
    Off,
    /// An asymmetric key in KMS, which never leaves it.
    Kms(KmsKey),
    /// A key in a file: on the local platform.
    Local(LocalKey),
}

/// A private key that was read from a file. It cannot be printed.
#[derive(Debug, Clone)]
pub struct LocalKey(SigningKey);

/// Why there is nothing to sign with: the deployment is to be mended.
#[derive(Debug, Error)]
pub enum SignerError {
    /// The file cannot be read.
    #[error(
        "failed to read the signing key {path}; the setting `signing_key` must name a file that the function can read"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file holds something else. What it holds is not said.
    #[error("{0} holds no private key of the curve P-256 (PKCS #8 in PEM); make one with `openssl genpkey`")]
    NoKey(String),
}

impl From<SignerError> for Fault {
    fn from(error: SignerError) -> Self {
        Fault::internal("find the signing key", error.to_string())
    }
}

impl LocalKey {
    /// Reads a private key: PKCS #8 in PEM.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no such key.
    pub fn read(path: &Path) -> Result<Self, SignerError> {
        let named = || path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| SignerError::Unreadable { path: named(), source })?;
        LocalKey::from_pem(&text).ok_or_else(|| SignerError::NoKey(named()))
    }

    /// Reads a private key: PKCS #8 in PEM. Returns `None` if the text is no such key.
    #[must_use]
    pub fn from_pem(text: &str) -> Option<Self> {
        SigningKey::from_pkcs8_pem(text.trim()).ok().map(LocalKey)
    }
}

impl Signer {
    /// The signer that the settings ask for.
    ///
    /// # Errors
    /// When there is no usable key where they say.
    pub fn new(signing: &Signing, kms: &Client) -> Result<Self, SignerError> {
        Ok(match signing {
            Signing::Off => Signer::Off,
            Signing::Kms(arn) => Signer::Kms(KmsKey::new(kms.clone(), arn)),
            Signing::LocalKey(path) => Signer::Local(LocalKey::read(Path::new(path))?),
        })
    }

    /// The public key; none where nothing is signed.
    ///
    /// # Errors
    /// When KMS does not give it.
    pub(crate) async fn public_key(&self) -> Result<Option<PublicKey>, Fault> {
        let key = match self {
            Signer::Off => return Ok(None),
            Signer::Kms(key) => return key.public_key().await.map(Some),
            Signer::Local(key) => PublicKey::new(*key.0.verifying_key()),
        };
        key.map(Some)
            .map_err(|error| Fault::internal("read the signing key", error.to_string()))
    }

    /// The signature of a SHA-256 digest, in DER; none where nothing is signed.
    ///
    /// # Errors
    /// When KMS does not sign.
    pub(crate) async fn sign(&self, digest: [u8; 32]) -> Result<Option<Vec<u8>>, Fault> {
        match self {
            Signer::Off => Ok(None),
            Signer::Kms(key) => key.sign(digest).await.map(Some),
            Signer::Local(key) => {
                let signature: Result<Signature, _> = key.0.sign_prehash(&digest);
                let signature = signature.map_err(|error| Fault::internal("sign the verdict", error.to_string()))?;
                Ok(Some(signature.to_der().as_bytes().to_vec()))
            }
        }
    }
}
