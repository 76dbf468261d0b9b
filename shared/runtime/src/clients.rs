//! The clients, built once in the init phase.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};

use crate::harness::Harness;
use crate::orchestrator::Orchestrator;
use crate::settings::{Settings, environment};
use crate::store::{S3Store, Store};

/// The harness on AWS, from the environment.
///
/// # Errors
/// When a setting is missing or malformed.
pub async fn harness() -> Result<(Harness, SdkConfig), lambda_runtime::Error> {
    let settings = Settings::from_map(&environment())?;
    let config = sdk_config().await;
    let s3 = s3_client(&config);
    let orchestrator = Orchestrator::StepFunctions(aws_sdk_sfn::Client::new(&config));
    Ok((
        Harness {
            settings,
            store: Store::S3(S3Store::new(s3)),
            orchestrator,
        },
        config,
    ))
}

/// The clients' configuration: bounded attempts, so that a slow service becomes a fault within the function's time.
async fn sdk_config() -> SdkConfig {
    let tls = tls::Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(5))
        .operation_timeout(Duration::from_secs(16))
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(100));
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries)
        .load()
        .await
}

fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    // Path style: an endpoint that stands in for S3 has no names for its buckets.
    let s3 = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(config.endpoint_url().is_some())
        .build();
    aws_sdk_s3::Client::from_conf(s3)
}
