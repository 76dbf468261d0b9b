//! Documents of stack outputs in S3 (contract section 5).

use p1_contract::exact::Exact;
use p1_contract::ids::S3Uri;
use p1_contract::observations::handle_closure::StackOutputsFact;
use p1_contract::secrets::{SecretHit, named};
use p1_contract::stack_outputs::claims;
use p1_contract::strict::Limits;

use crate::context::StepContext;
use crate::fault::Fault;
use crate::store::{DOCUMENT_LIMIT, Read};

/// Reads one document of stack outputs. What cannot be read says why in the fact; a hit names the document in its place.
///
/// # Errors
/// When S3 does not answer.
pub async fn read(ctx: &StepContext<'_>, uri: &S3Uri) -> Result<(StackOutputsFact, Vec<SecretHit>), Fault> {
    let parsed = match ctx.read(&uri.bucket, &uri.key, None, DOCUMENT_LIMIT).await? {
        Read::Found(object) => {
            Exact::parse(&object.bytes, Limits::DOCUMENT).map_err(|e| format!("is not usable JSON: {e}"))
        }
        Read::NotFound => Err("is not there".to_owned()),
        Read::Denied => Err("may not be read".to_owned()),
        Read::TooLarge(bytes) => Err(format!("is {bytes} bytes, the limit is {DOCUMENT_LIMIT}")),
    };
    let (claims, hits, unreadable) = match parsed.and_then(|value| claims(&value)) {
        Ok((claims, hits)) => (claims, hits, None),
        Err(why) => (Vec::new(), Vec::new(), Some(why)),
    };
    Ok((
        StackOutputsFact {
            uri: uri.to_string(),
            unreadable,
            claims,
        },
        named(&format!("stack_outputs {uri} "), hits),
    ))
}
