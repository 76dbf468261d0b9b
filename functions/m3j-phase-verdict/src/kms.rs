//! KMS: the public half of the signing key, and signatures by the private half, which never leaves it.

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use p1_contract::attestation::PublicKey;
use p1_runtime::Fault;
use p1_runtime::aws::{Answer, Call, words};

/// A client of KMS, to be made once in the init phase.
#[must_use]
pub fn kms_client(config: &SdkConfig) -> Client {
    Client::new(config)
}

/// An asymmetric key (ECC_NIST_P256, SIGN_VERIFY) in KMS.
#[derive(Debug, Clone)]
pub struct KmsKey {
    client: Client,
    arn: String,
}

impl KmsKey {
    /// The key of this ARN, asked through `client`.
    #[must_use]
    pub fn new(client: Client, arn: &str) -> Self {
        KmsKey {
            client,
            arn: arn.to_owned(),
        }
    }

    /// The public key, by `GetPublicKey`.
    pub(crate) async fn public_key(&self) -> Result<PublicKey, Fault> {
        let operation = || format!("ask KMS for the public key of {}", self.arn);
        let answer = self.client.get_public_key().key_id(&self.arn).send().await;
        let answer = answer.map_err(|error| fault(operation(), &error))?;
        let der = answer.public_key().map(Blob::as_ref).unwrap_or_default();
        PublicKey::from_der(der).map_err(|error| Fault::internal(operation(), format!("{error}; {REMEDY}")))
    }

    /// The signature of a SHA-256 digest in DER, by `Sign`.
    pub(crate) async fn sign(&self, digest: [u8; 32]) -> Result<Vec<u8>, Fault> {
        let operation = || format!("have KMS sign with {}", self.arn);
        let request = self
            .client
            .sign()
            .key_id(&self.arn)
            .message_type(MessageType::Digest)
            .message(Blob::new(digest))
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256);
        let answer = request.send().await.map_err(|error| fault(operation(), &error))?;
        let signature = answer.signature().map(Blob::as_ref).unwrap_or_default();
        Ok(signature.to_vec())
    }
}

/// What a person does about a key that cannot sign.
const REMEDY: &str = "the verdict stands: mend the key or its policy, then redrive the execution";

/// What KMS refuses is the deployment's to mend; anything else may pass.
fn fault<E: ProvideErrorMetadata>(operation: String, error: &SdkError<E>) -> Fault {
    match Answer::of(Call::UseKey, error) {
        Answer::Transient(_) => Fault::transient(operation, words(error)),
        _ => Fault::internal(operation, format!("{}; {REMEDY}", words(error))),
    }
}
