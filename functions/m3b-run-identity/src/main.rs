//! The Lambda of M3.B.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::serve_step(m3b_run_identity::RunIdentity).await
}
