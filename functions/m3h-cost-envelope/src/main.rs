//! The Lambda of M3.H Cost envelope and outcome.

use std::sync::Arc;

use futures_util::FutureExt;
use m3h_cost_envelope::{CostEnvelope, CostExplorer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::start_logging();
    let (harness, config) = p1_runtime::harness().await?;
    let shared = Arc::new((
        harness,
        CostEnvelope {
            explorer: CostExplorer::new(config),
        },
    ));
    p1_runtime::serve(move |payload| {
        let shared = Arc::clone(&shared);
        async move {
            let (harness, step) = &*shared;
            let request = harness.request(&payload)?;
            // Boxed: the futures of the SDK are nested too deep for the compiler to lay out as one.
            p1_runtime::observed_run(&request, harness.run(step, &request).boxed()).await
        }
    })
    .await
}
