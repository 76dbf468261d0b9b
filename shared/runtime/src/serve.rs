//! From `main` to a step: tracing, clients in the init phase, the Lambda runtime's loop, and the one log line of a
//! failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use p1_contract::request::StepResult;
use p1_contract::secrets;
use serde_json::value::RawValue;
use tracing_subscriber::EnvFilter;

use crate::fault::Fault;
use crate::harness::{Harness, Request};
use crate::orchestrator::Orchestrator;
use crate::settings::Settings;
use crate::step::StepLogic;
use crate::store::{S3Store, Store};

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

/// The harness on AWS, from the environment.
///
/// # Errors
/// When a setting is missing or malformed.
pub async fn harness() -> Result<(Harness, SdkConfig), lambda_runtime::Error> {
    let settings = Settings::from_env()?;
    let config = sdk_config().await;
    // Path style: an endpoint that stands in for S3 has no names for its buckets.
    let s3 = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(config.endpoint_url().is_some())
        .build();
    let store = Store::S3(S3Store::new(aws_sdk_s3::Client::from_conf(s3)));
    let orchestrator = Orchestrator::StepFunctions(aws_sdk_sfn::Client::new(&config));
    Ok((
        Harness {
            settings,
            store,
            orchestrator,
        },
        config,
    ))
}

/// Starts JSON logging.
pub fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A second subscriber would be a test's; the first one stays.
    let _ = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_current_span(false)
        .without_time()
        .try_init();
}

/// Serves one step.
///
/// # Errors
/// When the settings do not fit, or the runtime's loop ends.
pub async fn serve_step<S: StepLogic + 'static>(step: S) -> Result<(), lambda_runtime::Error> {
    start_logging();
    let (harness, _) = harness().await?;
    let shared = Arc::new((harness, step));
    serve(move |payload| {
        let shared = Arc::clone(&shared);
        async move {
            let (harness, step) = &*shared;
            let request = harness.request(&payload)?;
            // Boxed, because the compiler's layout of the whole chain of futures is too deep otherwise.
            Box::pin(observed_run(&request, Box::pin(harness.run(step, &request)))).await
        }
    })
    .await
}

/// Serves `handler`, which gets the raw payload.
///
/// # Errors
/// When the runtime's loop ends.
pub async fn serve<H, F>(handler: H) -> Result<(), lambda_runtime::Error>
where
    H: Fn(Vec<u8>) -> F + Clone + Send,
    F: Future<Output = Result<StepResult, Fault>> + Send,
{
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let handler = handler.clone();
        let request_id = event.context.request_id.clone();
        let function_arn = event.context.invoked_function_arn.clone();
        let payload = event.payload.get().as_bytes().to_vec();
        async move {
            let result = handler(payload).await;
            let named = result.map(|result| StepResult {
                function_arn: Some(function_arn),
                ..result
            });
            named.map_err(|fault| {
                let message = fault.to_string();
                let safe = secrets::redact_text(&message).unwrap_or(message);
                tracing::error!(fault = fault.name(), request_id, "{safe}");
                Diagnostic::from(fault)
            })
        }
    }))
    .await
}

/// Runs `work` and logs its outcome once, with the fields that correlate.
///
/// # Errors
/// Those of `work`, which the boundary logs.
#[expect(
    clippy::disallowed_methods,
    reason = "the harness measures for the log; durations never reach evidence"
)]
pub async fn observed_run(
    request: &Request,
    work: impl Future<Output = Result<StepResult, Fault>> + Send,
) -> Result<StepResult, Fault> {
    let begun = Instant::now();
    let result = work.await?;
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let codes: Vec<_> = result.blockers.iter().map(|blocker| blocker.code()).collect();
    tracing::info!(
        step = result.step,
        execution_arn = %request.input.execution,
        phase_execution_id = %result.phase_execution_id,
        platform_run_id = result.run.platform_run_id.as_ref().map(tracing::field::display),
        overall_pass = result.overall_pass,
        blockers = codes.join(","),
        retry_count = request.attempt.retry_count,
        redrive_count = request.attempt.redrive_count,
        duration_ms = millis,
        "{} closed: {}",
        result.step,
        result.next_gate,
    );
    Ok(result)
}
