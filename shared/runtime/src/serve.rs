//! From `main` to a step: logging, clients in the init phase, and the loop of the Lambda runtime.

use std::sync::Arc;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use p1_contract::request::StepResult;
use p1_contract::step::Step;
use serde_json::value::RawValue;
use tracing_subscriber::EnvFilter;

use crate::boundary::{Answer, answer};
use crate::clients::harness;
use crate::fault::Fault;
use crate::harness::{Harness, Request};
use crate::metrics::{self, Document};
use crate::step::StepLogic;

/// Starts JSON logging.
pub fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A second subscriber comes only from a test. The first one stays.
    let _ = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_current_span(false)
        .without_time()
        .try_init();
}

/// Serves a step that needs only the harness.
///
/// # Errors
/// Fails if the environment cannot be used, or if the runtime's loop ends.
pub async fn serve_step<S: StepLogic + 'static>(step: S) -> Result<(), lambda_runtime::Error> {
    start_logging();
    let (harness, _) = harness().await?;
    serve_step_on(harness, step).await
}

/// Serves a step on an existing harness. Steps with clients of their own use this.
///
/// # Errors
/// Fails if the runtime's loop ends.
pub async fn serve_step_on<S: StepLogic + 'static>(harness: Harness, step: S) -> Result<(), lambda_runtime::Error> {
    let (harness, step) = (Arc::new(harness), Arc::new(step));
    serve(Arc::clone(&harness), S::STEP, move |request| {
        let (harness, step) = (Arc::clone(&harness), Arc::clone(&step));
        // The future is boxed, because otherwise the whole chain of futures nests too deep for the compiler.
        async move { Box::pin(harness.run(&*step, &request)).await }
    })
    .await
}

/// Serves the function of `step` with `handler`, which gets each invocation after it is parsed.
///
/// # Errors
/// Fails if the runtime's loop ends.
pub async fn serve<H, F>(harness: Arc<Harness>, step: Step, handler: H) -> Result<(), lambda_runtime::Error>
where
    H: Fn(Request) -> F + Clone + Send,
    F: Future<Output = Result<StepResult, Fault>> + Send,
{
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let (harness, handler) = (Arc::clone(&harness), handler.clone());
        async move {
            let payload = event.payload.get().as_bytes();
            let Answer { result, metrics } = answer(&harness, step, &event.context.request_id, payload, handler).await;
            publish(&metrics);
            let function_arn = Some(event.context.invoked_function_arn);
            result
                .map(|result| StepResult { function_arn, ..result })
                .map_err(Diagnostic::from)
        }
    }))
    .await
}

/// Writes metrics to the log, where CloudWatch looks for them.
fn publish(metrics: &[Document]) {
    if metrics.is_empty() {
        return;
    }
    if let Err(error) = metrics::write(metrics, std::io::stdout().lock()) {
        // A verdict does not depend on its metrics.
        tracing::warn!("the metrics of this invocation were not written: {error}");
    }
}
