//! The Lambda of M3.A.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::serve_step(m3a_handle_closure::HandleClosure).await
}
