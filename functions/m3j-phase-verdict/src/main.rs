//! The Lambda of M3.J Phase verdict.

use std::sync::Arc;

use m3j_phase_verdict::{Signer, kms_client};
use p1_contract::step::Step;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::start_logging();
    let (harness, config) = p1_runtime::harness().await?;
    let (harness, kms) = (Arc::new(harness), kms_client(&config));
    p1_runtime::serve(Arc::clone(&harness), Step::PhaseVerdict, move |request| {
        let (harness, kms) = (Arc::clone(&harness), kms.clone());
        async move {
            // What it signs with is the deployment's to say, and the payload says it.
            let signer = Signer::new(&request.input.settings.signing, &kms)?;
            m3j_phase_verdict::run(&harness, signer, &request).await
        }
    })
    .await
}
