//! The clients and the first connection to S3. Both are made once, in the init phase.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use p1_contract::ids::S3Uri;

use crate::environment::{WARM_UP_URI, environment};
use crate::harness::Harness;
use crate::orchestrator::{Orchestrator, StepFunctions};
use crate::store::{S3Store, Store};
use crate::trust::{Trust, is_s3_plain};

/// The longest time for a connection, including its handshake.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// The longest time that the init phase waits for its connection. Lambda gives the whole phase ten seconds.
const WARM_UP_TIME: Duration = Duration::from_secs(2);

/// The harness on AWS, configured by the environment.
///
/// # Errors
/// Fails if the certificates that the environment names cannot be used.
pub async fn harness() -> Result<(Harness, SdkConfig), lambda_runtime::Error> {
    let environment = environment();
    let trust = Trust::of(&environment).store()?;
    let config = sdk_config(http_client(trust)?, is_complete(&environment)).await;
    let s3 = s3_client(&config);
    // A local platform uses plain HTTP, where there is no handshake to do in advance.
    let uri = environment.get(WARM_UP_URI).and_then(|uri| S3Uri::parse(uri).ok());
    if let Some(uri) = uri.filter(|_| !is_s3_plain(&environment)) {
        warm_up(&s3, &uri).await;
    }
    let orchestrator = Orchestrator::StepFunctions(StepFunctions::new(config.clone()));
    Ok((
        Harness {
            store: Store::S3(S3Store::new(s3)),
            orchestrator,
        },
        config,
    ))
}

/// The HTTP client that all SDK clients share, with its connection pool. One shared connector serves them all. Otherwise each SDK
/// client would make one connector when it is built and another one when it is used, and would read the roots each time.
fn http_client(trust: TrustStore) -> Result<SharedHttpClient, lambda_runtime::Error> {
    let context = TlsContext::builder().with_trust_store(trust).build()?;
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIME).build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .build();
    let connector = SharedHttpConnector::new(connector);
    Ok(http_client_fn(move |_, _| connector.clone()))
}

/// Whether the environment contains everything that the clients need to know about the account, as Lambda's environment does.
fn is_complete(vars: &BTreeMap<String, String>) -> bool {
    ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        .iter()
        .all(|name| vars.get(*name).is_some_and(|value| !value.trim().is_empty()))
}

/// The clients' configuration. It limits the attempts, so that a slow service becomes a fault within the function's time.
///
/// The SDK's default chains for credentials and region also begin with the environment. But first they build clients of STS and
/// of the instance's metadata, for the sources that they would try after it.
async fn sdk_config(http: SharedHttpClient, is_in_environment: bool) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIME)
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(16))
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(100));
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries);
    let loader = if is_in_environment {
        loader
            .credentials_provider(EnvironmentVariableCredentialsProvider::new())
            .region(EnvironmentVariableRegionProvider::new())
    } else {
        loader
    };
    loader.load().await
}

fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    // Path style, because an endpoint that stands in for S3 has no host names for its buckets.
    let s3 = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(config.endpoint_url().is_some())
        .build();
    aws_sdk_s3::Client::from_conf(s3)
}

/// Makes the first connection to the evidence bucket with a HEAD request for a missing object. The first read of a step then
/// finds resolved credentials and an open connection. A function has more CPU in its init phase than in its invocations, and the
/// handshake is its most expensive work.
///
/// The answer is ignored. A missing answer is no failure, because a step's own read then makes the connection.
async fn warm_up(s3: &aws_sdk_s3::Client, nothing: &S3Uri) {
    let head = s3
        .head_object()
        .bucket(nothing.bucket.as_str())
        .key(nothing.key.as_str())
        .send();
    let made = match tokio::time::timeout(WARM_UP_TIME, head).await {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => error.raw_response().is_some(),
        Err(_) => false,
    };
    if !made {
        tracing::warn!("no connection to S3 was made in the init phase; the first read makes its own");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_config::Region;
    use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    use super::*;
    use crate::fault::Fault;
    use crate::store::Read;

    /// A TLS server that stands in for S3. Its certificate comes from its own authority, and it has no objects.
    struct Server {
        authority: String,
        endpoint: String,
        seen: Arc<Mutex<Seen>>,
    }

    /// S3's answer to a HEAD of a missing object.
    const NOTHING: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

    /// S3's answer to a GET of a missing object.
    const NO_SUCH_KEY: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/xml\r\nContent-Length: 39\r\n\r\n\
        <Error><Code>NoSuchKey</Code></Error>  ";

    /// The number of opened connections, and the request lines in order.
    #[derive(Debug, Clone, Default, PartialEq)]
    struct Seen {
        connections: usize,
        requests: Vec<String>,
    }

    impl Server {
        async fn start() -> Self {
            let mut authority = CertificateParams::default();
            authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
            let key = KeyPair::generate().unwrap();
            let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            let leaf = leaf.signed_by(&key, &authority).unwrap();
            let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            let config = ServerConfig::builder()
                .with_no_client_auth()
                .with_single_cert(vec![leaf.der().clone()], private)
                .unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server = Server {
                authority: authority.pem(),
                endpoint: format!("https://localhost:{}", listener.local_addr().unwrap().port()),
                seen: Arc::default(),
            };
            let (acceptor, seen) = (TlsAcceptor::from(Arc::new(config)), Arc::clone(&server.seen));
            tokio::spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
                    tokio::spawn(async move {
                        seen.lock().unwrap().connections += 1;
                        // A client that does not trust the certificate closes the connection.
                        let Ok(mut stream) = acceptor.accept(stream).await else {
                            return;
                        };
                        let mut head = Vec::new();
                        while let Ok(byte) = stream.read_u8().await {
                            head.push(byte);
                            if head.ends_with(b"\r\n\r\n") {
                                let text = String::from_utf8(std::mem::take(&mut head)).unwrap();
                                seen.lock()
                                    .unwrap()
                                    .requests
                                    .push(text.lines().next().unwrap().to_owned());
                                let has_body = !text.starts_with("HEAD");
                                let answer = if has_body { NO_SUCH_KEY } else { NOTHING };
                                stream.write_all(answer).await.unwrap();
                            }
                        }
                    });
                }
            });
            server
        }

        /// A client as the harness builds it, except for credentials and region, which the harness takes from the environment.
        async fn client(&self, trust: &Trust) -> aws_sdk_s3::Client {
            let config = sdk_config(http_client(trust.store().unwrap()).unwrap(), false).await;
            let credentials = Credentials::new("id", "key", None, None, "test");
            let config = config
                .into_builder()
                .region(Region::new("eu-west-2"))
                .endpoint_url(&self.endpoint)
                .credentials_provider(SharedCredentialsProvider::new(credentials))
                .build();
            s3_client(&config)
        }

        fn seen(&self) -> Seen {
            self.seen.lock().unwrap().clone()
        }
    }

    fn nothing() -> S3Uri {
        S3Uri::parse("s3://evidence-bucket/evidence/prod/run_control/m3a_init/nothing.json").unwrap()
    }

    async fn read(s3: aws_sdk_s3::Client) -> Result<Read, Fault> {
        let bucket = "evidence-bucket".parse().unwrap();
        let key = "evidence/x.json".parse().unwrap();
        Store::S3(S3Store::new(s3)).read(&bucket, &key, None, 1 << 20).await
    }

    #[test]
    fn the_environment_is_asked_alone_where_it_says_all() {
        let complete = |vars: &[(&str, &str)]| {
            let vars = vars
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            is_complete(&vars.collect())
        };
        let region = ("AWS_REGION", "eu-west-2");
        let (id, key) = (("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "key"));
        assert!(complete(&[region, id, key]));
        assert!(!complete(&[region, id]) && !complete(&[region, key]) && !complete(&[id, key]));
        assert!(!complete(&[region, id, ("AWS_SECRET_ACCESS_KEY", " ")]));
    }

    #[tokio::test]
    async fn the_first_read_goes_over_the_connection_of_the_init_phase() {
        let server = Server::start().await;
        let directory = tempfile::tempdir().unwrap();
        let bundle = directory.path().join("ca.pem");
        std::fs::write(&bundle, &server.authority).unwrap();
        let s3 = server.client(&Trust::Bundle(bundle)).await;
        warm_up(&s3, &nothing()).await;
        let head = "HEAD /evidence-bucket/evidence/prod/run_control/m3a_init/nothing.json HTTP/1.1";
        let warmed = Seen {
            connections: 1,
            requests: vec![head.to_owned()],
        };
        assert_eq!(server.seen(), warmed);
        assert_eq!(read(s3).await.unwrap(), Read::NotFound);
        let seen = server.seen();
        assert_eq!((seen.connections, seen.requests.len()), (1, 2), "{seen:?}");
    }

    #[tokio::test]
    async fn an_endpoint_of_another_authority_is_not_trusted_and_fails_no_init() {
        let server = Server::start().await;
        let s3 = server.client(&Trust::Amazon).await;
        warm_up(&s3, &nothing()).await;
        assert_eq!(server.seen().requests, Vec::<String>::new());
        assert_eq!(read(s3).await.unwrap_err().name(), "Transient");
        assert_eq!(server.seen().requests, Vec::<String>::new());
    }

    #[tokio::test]
    async fn an_endpoint_that_never_answers_does_not_hold_the_init_phase() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server {
            authority: String::new(),
            endpoint: format!("https://localhost:{}", listener.local_addr().unwrap().port()),
            seen: Arc::default(),
        };
        let s3 = server.client(&Trust::Amazon).await;
        tokio::time::pause();
        let begun = tokio::time::Instant::now();
        warm_up(&s3, &nothing()).await;
        // The test's clock advances whenever nothing is left to do. The time shows that our bound ended the wait and not the
        // client's.
        assert_eq!(begun.elapsed().as_secs(), WARM_UP_TIME.as_secs());
    }
}
