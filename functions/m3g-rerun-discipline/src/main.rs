//! The Lambda of M3.G, and of the admission of reruns.

use std::sync::Arc;

use p1_contract::step::Step;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    p1_runtime::start_logging();
    let (harness, _) = p1_runtime::harness().await?;
    let harness = Arc::new(harness);
    p1_runtime::serve(Arc::clone(&harness), Step::RerunDiscipline, move |request| {
        let harness = Arc::clone(&harness);
        async move { m3g_rerun_discipline::run(&harness, &request).await }
    })
    .await
}
