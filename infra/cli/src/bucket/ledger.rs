//! Reads the ledger of a run from its bucket as the steps read it: whole, or not at all.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use p1_audit::text;
use p1_contract::artifacts::PhaseSummary;
use p1_contract::evidence::Document;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::PlatformRunId;
use p1_contract::ledger::{Ledger, LedgerRecord};
use p1_contract::reference::ObjectRef;

use crate::bucket::evidence::{Evidence, ReadError};

/// The largest number of records that are read. The steps read no longer ledger either.
const MOST_RECORDS: usize = 5_000;
/// The number of records that are read at once.
const CONCURRENT_READS: usize = 8;

/// A ledger, or in words why its objects are none.
pub type Read = Result<Ledger, String>;

impl Evidence {
    /// Reads the ledger of `run`. A ledger is nothing but records: each was written once and never deleted. It is empty if there is no
    /// record at all.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn ledger(&self, run: &PlatformRunId) -> Result<Read, ReadError> {
        // A delete marker may hide a key, so the versions are listed. Consoles create keys for folders; they are no records.
        let mut versions = self.versions(&run.ledger_prefix()).await?;
        versions.retain(|version| !version.key.ends_with('/'));
        if versions.len() > MOST_RECORDS {
            return Ok(Err(format!("its ledger has more than {MOST_RECORDS} objects")));
        }
        for (number, version) in (1_u32..).zip(&versions) {
            if version.is_delete_marker {
                return Ok(Err(format!("{} was deleted", text::brief(&version.key, 200))));
            }
            if version.key != run.ledger_key(number) {
                let key = text::brief(&version.key, 200);
                return Ok(Err(format!("{key} stands where record {number} of the ledger belongs")));
            }
        }
        let reads = stream::iter(versions.iter().map(async |version| {
            let found = self.get_own(&version.key, version.version_id.as_deref()).await?;
            let record = found.map(|found| LedgerRecord::parse(&found.bytes));
            Ok::<_, ReadError>(match record {
                Some(Ok(record)) => Ok(record),
                Some(Err(why)) => Err(format!("{} is no record: {why}", version.key)),
                None => Err(format!("{} is listed and cannot be read", version.key)),
            })
        }));
        let records: Vec<Result<LedgerRecord, String>> = reads.buffered(CONCURRENT_READS).try_collect().await?;
        let records: Result<Vec<LedgerRecord>, String> = records.into_iter().collect();
        Ok(records.and_then(|records| Ledger::read(run, records).map_err(|error| error.to_string())))
    }

    /// Reads the phase summary that a record commits: the very bytes, or in words why they are not there.
    ///
    /// # Errors
    /// Fails if S3 does not answer, or refuses.
    pub async fn phase_summary(&self, named: &ObjectRef) -> Result<Result<Document<PhaseSummary>, String>, ReadError> {
        if named.bucket != self.bucket {
            return Ok(Err(format!(
                "its phase summary lies in another bucket, {}",
                named.bucket
            )));
        }
        let found = self.get_own(named.key.as_str(), named.version_id.as_deref()).await?;
        Ok(match found {
            None => Err(format!("{} is not there", named.key)),
            Some(found) if Sha256Hex::of(&found.bytes) != named.sha256 => {
                Err(format!("{} has other bytes than the ledger names", named.key))
            }
            Some(found) => Document::parse(&found.bytes).map_err(|error| format!("{}: {error}", named.key)),
        })
    }
}
