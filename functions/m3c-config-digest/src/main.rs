//! The Lambda of M3.C.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::serve_step(m3c_config_digest::ConfigDigest).await
}
