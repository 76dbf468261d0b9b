//! The Lambda of M3.J Phase verdict.

use m3j_phase_verdict::{PhaseVerdictStep, Signer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::start_logging();
    let (harness, config) = p1_runtime::harness().await?;
    let signer = Signer::new(&harness.settings.signing, &config)?;
    p1_runtime::serve_step_on(harness, PhaseVerdictStep { signer }).await
}
