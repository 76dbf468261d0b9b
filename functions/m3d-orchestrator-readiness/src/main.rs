//! The Lambda of M3.D.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::start_logging();
    let (harness, _) = p1_runtime::harness().await?;
    harness.orchestrator.prepare();
    p1_runtime::serve_step_on(harness, m3d_orchestrator_readiness::OrchestratorReadiness).await
}
