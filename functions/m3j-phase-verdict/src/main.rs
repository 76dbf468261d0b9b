//! The Lambda of M3.J Phase verdict.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::serve_step(m3j_phase_verdict::PhaseVerdictStep).await
}
