//! Tests how the tool judges AWS's error answers.

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use p1_contract::ids::BucketName;
use p1_local::{Deployment, PlatformError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::bucket::evidence::Evidence;
use crate::drive::start;
use crate::drive::target::Target;
use crate::drive::target::tests::target;

/// Answers every request with this error.
async fn answering(status: u16, body: String) -> SdkConfig {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1 << 16]).await;
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} No\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let http = p1_runtime::patience::plain_http();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-2"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "id", "key", None, None, "test",
        )))
        .retry_config(RetryConfig::disabled())
        .http_client(http)
        .endpoint_url(endpoint)
        .build()
}

async fn s3(status: u16, code: &str) -> aws_sdk_s3::Client {
    let config = answering(
        status,
        format!("<Error><Code>{code}</Code><Message>m</Message></Error>"),
    )
    .await;
    let config = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

#[tokio::test]
async fn only_what_s3_says_is_not_there_is_not_there() {
    for (status, code, version, remedy) in [
        (404, "NoSuchKey", None, None),
        (404, "NoSuchVersion", Some("v"), None),
        (405, "MethodNotAllowed", Some("v"), None),
        (400, "InvalidArgument", Some("v"), None),
        (400, "InvalidArgument", None, Some("try again")),
        (404, "NoSuchBucket", None, Some("name of the bucket")),
        (403, "AccessDenied", Some("v"), Some("s3:GetObjectVersion")),
        (400, "ExpiredToken", Some("v"), Some("renew the AWS credentials")),
        (403, "RequestTimeTooSkewed", None, Some("clock")),
        (301, "PermanentRedirect", None, Some("AWS_REGION")),
        (400, "KMS.DisabledException", Some("v"), Some("KMS key")),
        (503, "SlowDown", None, Some("try again")),
    ] {
        let bucket = BucketName::parse("evidence-bucket").unwrap();
        let s3 = s3(status, code).await;
        let read = Evidence { s3, bucket }.get("evidence/a.json", version).await;
        match (read, remedy) {
            (Ok(None), None) => {}
            (Err(error), Some(remedy)) => {
                let words = error.to_string();
                assert!(words.contains(remedy), "{code}: {words}");
                assert_eq!(error.is_no_bucket(), code == "NoSuchBucket", "{code}");
            }
            (other, _) => panic!("{code}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_receipt_is_there_already_only_when_s3_says_so() {
    let key = start::receipt_key(&p1_contract::ids::Environment::default(), "20261122T010203Z").unwrap();
    for (status, code, taken) in [
        (412, "PreconditionFailed", true),
        (409, "ConditionalRequestConflict", true),
        (409, "OperationAborted", false),
        (403, "AccessDenied", false),
        (400, "KMS.DisabledException", false),
    ] {
        let s3 = s3(status, code).await;
        let target = Target { s3, ..target(false) };
        let created = start::create(&target, &key, b"{}".to_vec()).await;
        assert_eq!(created.ok(), taken.then_some(false), "{code}");
    }
}

#[tokio::test]
async fn only_what_cloudformation_says_is_no_stack_is_none() {
    for (status, code, message, is_none) in [
        (400, "ValidationError", "Stack with id test does not exist", true),
        (403, "AccessDenied", "the role does not exist", false),
        (403, "ExpiredToken", "m", false),
        (400, "Throttling", "m", false),
    ] {
        let error = format!("<Code>{code}</Code><Message>{message}</Message>");
        let body = format!("<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>");
        let config = answering(status, body).await;
        let error = Deployment::read(&config, "test").await.unwrap_err();
        assert_eq!(matches!(error, PlatformError::NoStack(_)), is_none, "{error}");
    }
}
