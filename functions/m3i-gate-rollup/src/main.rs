//! The Lambda of M3.I Gate rollup.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::serve_step(m3i_gate_rollup::GateRollup).await
}
