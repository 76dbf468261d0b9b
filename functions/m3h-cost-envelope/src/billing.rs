//! A billing artifact as it is read.

use p1_contract::ids::{BucketName, S3Key};
use p1_contract::observations::cost_envelope::SourceAnswer;
use p1_contract::secrets;
use p1_contract::strict::{self, Limits};
use p1_runtime::store::{DOCUMENT_LIMIT, Read};
use p1_runtime::{Fault, StepContext};

/// The one currency of P1's budget.
pub(crate) const USD: &str = "USD";

/// Reads a billing artifact; `None` where there is no such object.
pub(crate) async fn read(
    ctx: &StepContext<'_>,
    bucket: &BucketName,
    key: &S3Key,
) -> Result<Option<SourceAnswer>, Fault> {
    let unusable = |problem: String| SourceAnswer::Unusable { problem };
    Ok(match ctx.read(bucket, key, None, DOCUMENT_LIMIT).await? {
        Read::NotFound => None,
        Read::Denied => Some(unusable("may not be read".to_owned())),
        Read::TooLarge(bytes) => Some(unusable(format!(
            "has {bytes} bytes, more than the {DOCUMENT_LIMIT} allowed"
        ))),
        Read::Found(object) => Some(parse(&object.bytes)),
    })
}

/// Scans the whole document before anything of it is kept.
fn parse(bytes: &[u8]) -> SourceAnswer {
    let unusable = |problem: String| SourceAnswer::Unusable { problem };
    let value = match strict::parse_foreign(bytes, Limits::DOCUMENT) {
        Ok(value) => value,
        Err(error) => return unusable(format!("is not usable JSON: {error}")),
    };
    let hits = secrets::scan_value(&value);
    if !hits.is_empty() {
        return SourceAnswer::Secret { hits };
    }
    match serde_json::from_value(value) {
        Ok(billing) => SourceAnswer::Answered { billing },
        Err(error) => unusable(format!("is not a billing artifact: {error}")),
    }
}
