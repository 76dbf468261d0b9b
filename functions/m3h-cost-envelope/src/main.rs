//! The Lambda of M3.H Cost envelope and outcome.

use m3h_cost_envelope::{CostEnvelope, CostExplorer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::start_logging();
    let (harness, config) = p1_runtime::harness().await?;
    let explorer = CostExplorer::new(config);
    p1_runtime::serve_step_on(harness, CostEnvelope { explorer }).await
}
