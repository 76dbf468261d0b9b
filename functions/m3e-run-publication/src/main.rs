//! The Lambda of M3.E.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::serve_step(m3e_run_publication::RunPublication).await
}
