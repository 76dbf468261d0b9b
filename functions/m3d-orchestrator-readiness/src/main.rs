//! The Lambda of M3.D.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::serve_step(m3d_orchestrator_readiness::OrchestratorReadiness).await
}
