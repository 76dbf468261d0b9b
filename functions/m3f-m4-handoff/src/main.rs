//! The Lambda of M3.F.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::serve_step(m3f_m4_handoff::M4Handoff).await
}
