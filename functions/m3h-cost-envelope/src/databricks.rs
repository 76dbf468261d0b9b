//! The Databricks cost source: a bill in the shape of the billing artifact, which three handles pin once capture is enabled.

use p1_contract::handles::{HandleFacts, HandleProblem};
use p1_contract::ids::S3Uri;

use crate::billing::USD;

const MODE: &str = "M3H_DATABRICKS_COST_SOURCE_MODE";
pub(crate) const URI: &str = "M3H_DATABRICKS_COST_SOURCE_URI";
const CURRENCY: &str = "M3H_DATABRICKS_COST_SOURCE_CURRENCY";
const ARTIFACTS_BUCKET: &str = "S3_ARTIFACTS_BUCKET";

/// The one mode that P1 knows.
const BILLING_ARTIFACT: &str = "billing_artifact";

/// The object that the handles pin.
///
/// # Errors
/// When they do not: each problem once.
pub(crate) fn pin(handles: &HandleFacts) -> Result<S3Uri, Vec<HandleProblem>> {
    let must_be = |key: &str, expected: &str| match handles.text(key)? {
        text if text == expected => Ok(()),
        text => Err(handles.wrong(
            key,
            &format!("is {text:?}, and capture is enabled: it must be {expected:?}"),
        )),
    };
    let others = [must_be(MODE, BILLING_ARTIFACT), must_be(CURRENCY, USD)];
    let mut problems: Vec<_> = others.into_iter().filter_map(Result::err).collect();
    match uri(handles) {
        Ok(uri) if problems.is_empty() => Ok(uri),
        Ok(_) => Err(problems),
        Err(problem) => {
            problems.push(problem);
            Err(problems)
        }
    }
}

/// The URI is an untrusted pointer: the object must lie in the artifacts bucket.
fn uri(handles: &HandleFacts) -> Result<S3Uri, HandleProblem> {
    let uri: S3Uri = handles
        .text(URI)?
        .parse()
        .map_err(|error| handles.wrong(URI, &format!("is not an S3 URI ({error})")))?;
    let bucket = handles.text(ARTIFACTS_BUCKET)?;
    if uri.bucket.as_str() != bucket {
        let problem = format!(
            "names bucket {}, and the bill must lie in {ARTIFACTS_BUCKET} ({bucket})",
            uri.bucket
        );
        return Err(handles.wrong(URI, &problem));
    }
    Ok(uri)
}
