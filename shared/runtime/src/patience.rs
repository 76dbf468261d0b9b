//! How long the tool's clients wait for an answer, and what they say when none comes. The functions have their own limits
//! (`clients`), because a step has less time than a person.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;

/// The limits of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the beginning of an answer, after the connection. Half a second more is the limit of an attempt.
    pub answer: Duration,
    /// How often a request is tried.
    pub attempts: u32,
    /// For all attempts of one request.
    pub operation: Duration,
}

impl Patience {
    /// The limits of the tool. An endpoint that is silent ends a request after a minute at most.
    pub const TOOL: Self = Self {
        connect: Duration::from_secs(5),
        answer: Duration::from_secs(20),
        attempts: 3,
        operation: Duration::from_secs(65),
    };

    /// The limits for a request that carries this many bytes. A slow line has at least half a megabyte a second.
    #[must_use]
    pub fn for_bytes(self, bytes: u64) -> Self {
        let more = Duration::from_secs(bytes / (512 << 10));
        Self {
            answer: self.answer + more,
            operation: self.operation + more * self.attempts,
            ..self
        }
    }

    /// The time-outs of a client.
    #[must_use]
    pub fn timeouts(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            // The connector's own limit comes first, because its error says what was asked of whom.
            .read_timeout(self.answer)
            .operation_attempt_timeout(self.answer + self.connect + Duration::from_millis(500))
            .operation_timeout(self.operation)
            .build()
    }

    /// The retries of a client.
    #[must_use]
    pub fn retries(self) -> RetryConfig {
        RetryConfig::standard().with_max_attempts(self.attempts)
    }
}

/// An HTTP client for the local platform, which has no TLS.
#[must_use]
pub fn plain_http() -> SharedHttpClient {
    telling(Builder::new().build_http())
}

/// An HTTP client for AWS.
#[must_use]
pub fn https() -> SharedHttpClient {
    telling(
        Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https(),
    )
}

/// A client whose errors say which endpoint was asked for what.
fn telling(inner: SharedHttpClient) -> SharedHttpClient {
    http_client_fn(move |settings, components| {
        SharedHttpConnector::new(Telling(inner.http_connector(settings, components)))
    })
}

#[derive(Debug)]
struct Telling(SharedHttpConnector);

impl HttpConnector for Telling {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let asked = asked(&request);
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move { answer.await.map_err(|error| told(&asked, error)) })
    }
}

/// The endpoint, and what it is asked for. The query is left out: it may hold a signature.
fn asked(request: &HttpRequest) -> String {
    let uri = request.uri().split('?').next().unwrap_or_default();
    let path = uri
        .find("://")
        .and_then(|at| uri[at + 3..].find('/').map(|slash| at + 3 + slash));
    let (endpoint, path) = path.map_or((uri, "/"), |at| uri.split_at(at));
    // The APIs of JSON have one path; a header names the operation.
    let operation = request.headers().get("x-amz-target");
    let operation = operation.map_or_else(|| format!("{} {path}", request.method()), ToOwned::to_owned);
    format!("{endpoint} did not answer {operation}")
}

/// The same error with what was asked. Its kind decides whether the request is tried again.
fn told(asked: &str, error: ConnectorError) -> ConnectorError {
    let (is_timeout, is_io, is_user, kind) = (error.is_timeout(), error.is_io(), error.is_user(), error.as_other());
    let source = Unanswered {
        asked: asked.to_owned(),
        source: error.into_source(),
    };
    let source = Box::new(source);
    match () {
        () if is_timeout => ConnectorError::timeout(source),
        () if is_io => ConnectorError::io(source),
        () if is_user => ConnectorError::user(source),
        () => ConnectorError::other(source, kind),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{asked}")]
struct Unanswered {
    asked: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
    use p1_contract::cause::chain;
    use tokio::net::TcpListener;

    use super::*;

    /// Short limits, so that a silent endpoint costs the test no time.
    const SHORT: Patience = Patience {
        connect: Duration::from_millis(200),
        answer: Duration::from_millis(100),
        attempts: 2,
        operation: Duration::from_secs(30),
    };

    fn config(endpoint: &str) -> SdkConfig {
        let credentials = Credentials::new("id", "key", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-2"))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(plain_http())
            .timeout_config(SHORT.timeouts())
            .retry_config(SHORT.retries())
            .build()
    }

    async fn read(config: &SdkConfig) -> String {
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        chain(
            &s3.get_object()
                .bucket("evidence-bucket")
                .key("evidence/x.json")
                .send()
                .await
                .unwrap_err(),
        )
    }

    #[tokio::test]
    async fn a_silent_endpoint_is_named_with_what_was_asked() {
        // The kernel accepts the connections, and nobody ever reads from them: so does a process that was stopped.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let error = read(&config(&endpoint)).await;
        let named = format!("{endpoint} did not answer GET /evidence-bucket/evidence/x.json");
        assert!(error.contains(&named), "{error}");

        let sfn = aws_sdk_sfn::Client::new(&config(&endpoint));
        let arn = "arn:aws:states:eu-west-2:111122223333:execution:m:e";
        let error = chain(&sfn.describe_execution().execution_arn(arn).send().await.unwrap_err());
        let named = format!("{endpoint} did not answer AWSStepFunctions.DescribeExecution");
        assert!(error.contains(&named), "{error}");
    }

    #[tokio::test]
    async fn an_endpoint_that_answers_some_of_it_and_stalls_is_named() {
        use tokio::io::AsyncWriteExt;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-").await.unwrap();
                open.push(stream);
            }
        });
        let error = read(&config(&endpoint)).await;
        assert!(error.contains(&endpoint), "{error}");
    }

    #[tokio::test]
    async fn an_endpoint_that_is_gone_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = read(&config(&endpoint)).await;
        assert!(error.contains(&endpoint) && error.contains("refused"), "{error}");
    }

    #[test]
    fn a_large_request_has_more_time() {
        assert_eq!(Patience::TOOL.for_bytes(1 << 10), Patience::TOOL);
        let large = Patience::TOOL.for_bytes(5 << 30);
        assert!(large.answer > Duration::from_secs(7_200) && large.operation > large.answer);
    }
}
