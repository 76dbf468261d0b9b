//! KMS as the client sees it: answers in the shapes that the API has, signed by a real key.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::config::http::{HttpRequest, HttpResponse};
use aws_sdk_kms::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_types::base64;
use aws_smithy_types::body::SdkBody;
use p256::ecdsa::signature::hazmat::RandomizedPrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::common::getrandom::SysRng;
use p256::pkcs8::EncodePublicKey as _;
use serde_json::{Value, json};

use crate::{KmsKey, Signer, kms_client};

pub(super) const ARN: &str = "arn:aws:kms:eu-west-2:123456789012:key/0f5c2c9e-0000-4000-8000-000000000000";

/// A stand-in that holds a key.
#[derive(Clone)]
pub(super) struct Kms(Arc<Mutex<Inner>>);

struct Inner {
    public: Vec<u8>,
    signing: SigningKey,
    high: bool,
    refusal: Option<(String, u16, String)>,
    requests: Vec<(String, Value)>,
}

impl fmt::Debug for Kms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kms").finish_non_exhaustive()
    }
}

impl Kms {
    pub(super) fn new(key: SigningKey) -> Self {
        let public = key.verifying_key().to_public_key_der().unwrap().into_vec();
        Kms(Arc::new(Mutex::new(Inner {
            public,
            signing: key,
            high: false,
            refusal: None,
            requests: Vec::new(),
        })))
    }

    /// A signer whose client asks this.
    pub(super) fn signer(&self) -> Signer {
        let connector = SharedHttpConnector::new(self.clone());
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-2"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        Signer::Kms(KmsKey::new(kms_client(&config), ARN))
    }

    /// From now on, of the two values of s the higher one.
    pub(super) fn give_high_s(&self) {
        self.0.lock().unwrap().high = true;
    }

    /// From now on, signatures by another key than the one whose public half is given out.
    pub(super) fn sign_with(&self, key: SigningKey) {
        self.0.lock().unwrap().signing = key;
    }

    /// From now on, this answer to the operation.
    pub(super) fn refuse(&self, operation: &str, status: u16, code: &str) {
        self.0.lock().unwrap().refusal = Some((operation.to_owned(), status, code.to_owned()));
    }

    /// From now on, no refusal.
    pub(super) fn mend(&self) {
        self.0.lock().unwrap().refusal = None;
    }

    /// The requests since the last time.
    pub(super) fn requests(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.0.lock().unwrap().requests)
    }

    /// The operations since the last time.
    pub(super) fn asked(&self) -> Vec<String> {
        self.requests().into_iter().map(|(operation, _)| operation).collect()
    }
}

impl Inner {
    fn answer(&mut self, operation: &str, request: &Value) -> (u16, Value) {
        if let Some((refused, status, code)) = &self.refusal
            && refused == operation
        {
            return (*status, json!({"__type": code, "message": "no"}));
        }
        match operation {
            "GetPublicKey" => (
                200,
                json!({
                    "KeyId": ARN, "KeySpec": "ECC_NIST_P256", "CustomerMasterKeySpec": "ECC_NIST_P256",
                    "KeyUsage": "SIGN_VERIFY", "SigningAlgorithms": ["ECDSA_SHA_256"],
                    "PublicKey": base64::encode(&self.public),
                }),
            ),
            "Sign" => {
                let digest = base64::decode(request["Message"].as_str().unwrap()).unwrap();
                let signature: Signature = self.signing.sign_prehash_with_rng(&mut SysRng, &digest).unwrap();
                let low = signature.normalize_s();
                let (r, s) = low.split_scalars();
                let signature = if self.high {
                    Signature::from_scalars(r, -s).unwrap()
                } else {
                    low
                };
                let der = signature.to_der();
                (
                    200,
                    json!({"KeyId": ARN, "Signature": base64::encode(der.as_bytes()), "SigningAlgorithm": "ECDSA_SHA_256"}),
                )
            }
            other => panic!("asked for {other}"),
        }
    }
}

impl HttpConnector for Kms {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap();
        let operation = target.strip_prefix("TrentService.").unwrap().to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let mut inner = self.0.lock().unwrap();
        let (status, answer) = inner.answer(&operation, &body);
        inner.requests.push((operation, body));
        let answer = SdkBody::from(answer.to_string());
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), answer)))
    }
}
