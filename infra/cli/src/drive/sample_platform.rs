//! The sample platform for runs that this tool does not start: its inputs, and an M2 receipt. The key of the receipt is always
//! the same, so that the events in `tests/events` can name it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use p1_audit::text;
use p1_local::sample;

use crate::drive::preflight::Inputs;
use crate::drive::seed;
use crate::drive::start;
use crate::drive::target::Target;
use crate::exit::CliError;

/// The end of the M2 execution in the sample's receipt.
pub const RECEIPT_STAMP: &str = "20260101T000000Z";

/// Puts the objects that do not exist yet. S3's event of the receipt starts an execution, as for any receipt.
///
/// # Errors
/// Returns a fault that names the object if S3 refuses.
pub async fn put(target: &Target) -> Result<(), CliError> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let plan = seed::plan(target, &Inputs::default(), seed::Unnamed::Sample, today)?;
    if !plan.notes.is_empty() {
        return Err(CliError::fault(text::brief(&plan.notes.join("; "), 400)));
    }
    seed::upload(&target.s3, &plan).await?;
    let key = start::receipt_key(&target.environment, RECEIPT_STAMP)?;
    start::put_receipt_at(target, &key, &sample::m2_receipt(RECEIPT_STAMP)).await
}
