//! The cost sources: of AWS a pinned billing artifact, or the day's answer of Cost Explorer; of Databricks a pinned bill.

use p1_contract::handles::{self, HandleFacts};
use p1_contract::ids::S3Uri;
use p1_contract::observations::cost_envelope::{SourceAnswer, SourceFact, SourceKind};
use p1_contract::request::StepInput;
use p1_contract::settings::CostSource;
use p1_runtime::{Fault, Recreated, StepContext};

use crate::billing::read;
use crate::day::{self, Day};
use crate::explorer::CostExplorer;
use crate::{databricks, terms};

/// Asks the deployment's cost source.
pub(crate) async fn observe(
    ctx: &StepContext<'_>,
    explorer: &CostExplorer,
    handles: Option<&HandleFacts>,
) -> Result<SourceFact, Fault> {
    let is_off = handles.is_some_and(|facts| facts.flag(handles::AWS_COST_CAPTURE_ENABLED) == Ok(false));
    match &ctx.settings().cost_source {
        CostSource::BillingArtifact(uri) if is_off => Ok(artifact(uri.to_string(), SourceAnswer::NotAsked)),
        CostSource::BillingArtifact(uri) => Ok(artifact(uri.to_string(), pinned(ctx, uri).await?)),
        CostSource::CostExplorer => {
            let day = Day::of(ctx)?;
            let region = handles.and_then(|handles| terms::billing_region(handles).ok());
            let (answer, not_kept) = match region {
                Some(region) if !is_off => day.answer(explorer, region).await?,
                _ => (SourceAnswer::NotAsked, None),
            };
            Ok(SourceFact {
                kind: SourceKind::CostExplorer,
                object: format!("s3://{}/{}", ctx.bucket(), day.key()),
                answer,
                not_kept,
            })
        }
    }
}

/// Reads the Databricks bill, where the source is enabled and pinned.
pub(crate) async fn databricks(ctx: &StepContext<'_>, handles: Option<&HandleFacts>) -> Result<SourceFact, Fault> {
    let enabled = handles.filter(|facts| facts.flag(handles::DATABRICKS_COST_CAPTURE_ENABLED) == Ok(true));
    Ok(match enabled.map(databricks::pin) {
        Some(Ok(uri)) => artifact(uri.to_string(), pinned(ctx, &uri).await?),
        Some(Err(_)) | None => artifact(databricks::URI.into(), SourceAnswer::NotAsked),
    })
}

/// The fact of a billing artifact that is, or would be, at `object`.
fn artifact(object: String, answer: SourceAnswer) -> SourceFact {
    SourceFact {
        kind: SourceKind::BillingArtifact,
        object,
        answer,
        not_kept: None,
    }
}

/// What an execution may have created while it asked the source: its claims, and the day's answer.
pub(crate) fn recreate(input: &StepInput, source: &SourceFact) -> Result<Vec<Recreated>, Fault> {
    if source.kind != SourceKind::CostExplorer {
        return Ok(Vec::new());
    }
    let mut made = day::claims(input)?;
    if let SourceAnswer::Answered { billing } = &source.answer {
        made.push(day::kept_answer(input, billing)?);
    }
    Ok(made)
}

/// A pinned billing artifact.
async fn pinned(ctx: &StepContext<'_>, uri: &S3Uri) -> Result<SourceAnswer, Fault> {
    let answer = read(ctx, &uri.bucket, &uri.key).await?;
    Ok(answer.unwrap_or_else(|| SourceAnswer::Unusable {
        problem: "is missing".to_owned(),
    }))
}
