//! The Lambda of M3.J Phase verdict.

use std::sync::Arc;

use futures_util::FutureExt;
use m3j_phase_verdict::{PhaseVerdictStep, Signer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::start_logging();
    let (harness, config) = p1_runtime::harness().await?;
    let signer = Signer::new(&harness.settings.signing, &config)?;
    let shared = Arc::new((harness, PhaseVerdictStep { signer }));
    p1_runtime::serve(move |payload| {
        let shared = Arc::clone(&shared);
        async move {
            let (harness, step) = &*shared;
            let request = harness.request(&payload)?;
            // Boxed: the futures of the SDK are nested too deep for the compiler to lay out as one.
            p1_runtime::observed_run(&request, harness.run(step, &request).boxed()).await
        }
    })
    .await
}
