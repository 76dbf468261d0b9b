//! The run's ledger in S3: reads it, acquires it, and commits to it (contract section 4).
//!
//! `p1_contract::ledger` makes the decisions. The create-only write of the next record is the fence.

use futures_util::future::try_join_all;
use p1_contract::canonical;
use p1_contract::ids::{ExecutionArn, PlatformRunId, S3Key, Stamp};
use p1_contract::ledger::{Acquire, Commit, LEDGER_RECORD, Ledger, LedgerRecord};
use p1_contract::observations::Written;
use p1_contract::reference::{ArtifactRef, ObjectRef};
use p1_contract::verdict::PhaseVerdict;

use crate::context::StepContext;
use crate::fault::Fault;
use crate::store::{DOCUMENT_LIMIT, Read, Recreated};

/// The largest number of records that are read. No run should be resumed more often than this allows.
const MAX_RECORDS: usize = 5_000;
/// How many of the last records are listed among the inputs of a step.
const NOTED_RECORDS: usize = 64;
/// How many records are read at once.
const READS_AT_ONCE: usize = 32;

/// The outcome of an attempt to acquire the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// The head is our ACQUIRED record, with this number.
    Ours(u32),
    /// Another execution may still work on the run, or no execution may work on it any more. The text says which.
    Refused(String),
}

/// The outcome of an attempt to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// The ledger holds our verdict, in this record.
    Done(Box<ArtifactRef>),
    /// The ledger is not ours, or is not ours any more. The text says why.
    Lost(String),
    /// It is unknown whether the record was written. The text says why.
    Inconclusive(String),
}

fn record_key(run: &PlatformRunId, sequence: u32) -> Result<S3Key, Fault> {
    S3Key::parse(&run.ledger_key(sequence)).map_err(|e| Fault::internal("name a ledger record", e.to_string()))
}

/// The number of the record at `key` of the run's ledger. Returns `None` if `key` is not the key of a record.
#[must_use]
pub fn sequence(run: &PlatformRunId, key: &S3Key) -> Option<u32> {
    let number = key.as_str().strip_prefix(&run.ledger_prefix())?.strip_suffix(".json")?;
    let sequence = number.parse().ok()?;
    (run.ledger_key(sequence) == key.as_str()).then_some(sequence)
}

/// A record with its key and bytes in the ledger.
///
/// # Errors
/// Fails if the record cannot be written as JSON. This never happens for a record of parsed parts.
pub fn recorded(record: &LedgerRecord) -> Result<Recreated, Fault> {
    Ok(Recreated {
        name: LEDGER_RECORD.to_owned(),
        key: record_key(&record.platform_run_id, record.sequence)?,
        bytes: canonical::document_of(record).map_err(|e| Fault::internal("render a ledger record", e.to_string()))?,
    })
}

async fn create(ctx: &StepContext<'_>, record: &LedgerRecord) -> Result<Written, Fault> {
    let Recreated { name, key, bytes } = recorded(record)?;
    Ok(ctx.create(ctx.bucket(), &key, &name, &bytes).await)
}

/// Reads the ledger. The inner error says why its objects are no valid ledger. A valid ledger contains only records. Each was
/// written once and never deleted, and its holder is an execution of this state machine.
///
/// # Errors
/// Fails if the store gives no answer.
pub async fn read(ctx: &StepContext<'_>, run: &PlatformRunId) -> Result<Result<Ledger, String>, Fault> {
    let prefix = run.ledger_prefix();
    // A delete marker may hide a key, so the versions must be listed.
    let listed = ctx.store.list_versions(ctx.bucket(), &prefix, MAX_RECORDS + 1).await?;
    if !listed.complete || listed.counts.len() > MAX_RECORDS {
        return Ok(Err(format!("the ledger of {run} has more than {MAX_RECORDS} records")));
    }
    let mut keys = Vec::with_capacity(listed.counts.len());
    // Consoles create such keys for folders. They are no records.
    for count in listed.counts.iter().filter(|count| !count.key.ends_with('/')) {
        if let Some(why) = count.rewritten() {
            return Ok(Err(format!("{} {why}: a record is written once", shown(&count.key))));
        }
        let expected = record_key(run, next(keys.len()))?;
        if count.key != expected.as_str() {
            return Ok(Err(format!(
                "{} stands where record {} of the ledger belongs",
                shown(&count.key),
                next(keys.len())
            )));
        }
        keys.push(expected);
    }
    let mut reads = Vec::with_capacity(keys.len());
    let noted = keys.len().saturating_sub(NOTED_RECORDS);
    for (keys, is_noted) in [(&keys[..noted], false), (&keys[noted..], true)] {
        for some in keys.chunks(READS_AT_ONCE) {
            reads.extend(try_join_all(some.iter().map(|key| read_record(ctx, key, is_noted))).await?);
        }
    }
    let mut records = Vec::with_capacity(keys.len());
    for (key, read) in keys.iter().zip(reads) {
        let Read::Found(object) = read else {
            return Ok(Err(format!("{key} is listed but cannot be read")));
        };
        match LedgerRecord::parse(&object.bytes) {
            Ok(record) => records.push(record),
            Err(why) => return Ok(Err(format!("{key} is not a ledger record: {why}"))),
        }
    }
    Ok(match Ledger::read(run, records) {
        Ok(ledger) if !ledger.is_of_the_machine_of(&ctx.input.execution) => Err(format!(
            "the ledger of {run} has a holder that is no execution of {}",
            ctx.input.state_machine
        )),
        Ok(ledger) => Ok(ledger),
        Err(error) => Err(error.to_string()),
    })
}

/// Reads a record. Only the last records are noted as inputs, because the document that lists them has a size limit and the
/// verdict rests on the head.
async fn read_record(ctx: &StepContext<'_>, key: &S3Key, is_noted: bool) -> Result<Read, Fault> {
    if is_noted {
        ctx.read(ctx.bucket(), key, None, DOCUMENT_LIMIT).await
    } else {
        ctx.store.read(ctx.bucket(), key, None, DOCUMENT_LIMIT).await
    }
}

/// The number of the record that follows `before` records.
fn next(before: usize) -> u32 {
    u32::try_from(before).map_or(u32::MAX, |before| before.saturating_add(1))
}

/// A foreign key, shortened and safe to print on one line.
fn shown(key: &str) -> String {
    key.escape_debug().take(200).collect()
}

/// Why the ledger does not belong to this execution (any more). Returns `None` if the head is our ACQUIRED record.
///
/// # Errors
/// Fails if the store gives no answer.
pub async fn lost(ctx: &StepContext<'_>, run: &PlatformRunId) -> Result<Option<String>, Fault> {
    Ok(match read(ctx, run).await? {
        Err(why) => Some(why),
        Ok(ledger) if ledger.is_held_by(&ctx.input.execution) => None,
        Ok(ledger) => Some(match ledger.head() {
            Some(head) => format!("the head of {run}'s ledger is {}'s", head.holder),
            None => format!("{run} has no ledger"),
        }),
    })
}

/// Reserves a run id by creating the ledger's first record.
///
/// Returns `Ok(true)` if the record is ours, now or since an earlier attempt. Returns `Ok(false)` if the record is another
/// execution's, or if it was written and deleted. A record behind a delete marker is never written again.
///
/// # Errors
/// Fails if it is unknown whether the record was written.
pub async fn reserve(ctx: &StepContext<'_>, run: &PlatformRunId) -> Result<bool, Fault> {
    let record = LedgerRecord::acquired(run, 1, &ctx.input.execution, ctx.input.stamp);
    let key = record_key(run, 1)?;
    if ctx.store.versions_of(ctx.bucket(), &key).await?.rewritten().is_some() {
        return Ok(false);
    }
    match create(ctx, &record).await? {
        Written::Stored(_) => Ok(true),
        Written::Occupied { .. } => Ok(false),
        other => Err(Fault::transient(
            format!("reserve {run} in its ledger"),
            other.describe(),
        )),
    }
}

/// Whether the execution `holder`, which holds a ledger and started at `started`, has ended.
///
/// # Errors
/// Fails if Step Functions gives no answer, or if it does not know an execution that it cannot have forgotten yet.
pub async fn has_ended(ctx: &StepContext<'_>, holder: &ExecutionArn, started: Stamp) -> Result<bool, Fault> {
    let answer = ctx.orchestrator.execution(holder).await?;
    answer.has_ended(started, ctx.input.stamp).ok_or_else(|| {
        let problem = format!(
            "Step Functions does not know it, which started at {started}; only an execution that starts more than a day later \
             takes it for ended"
        );
        Fault::transient(format!("learn whether {holder} has ended"), problem)
    })
}

/// Acquires the ledger for this execution, as the successor of its latest holder.
///
/// # Errors
/// Fails if the store or Step Functions gives no answer.
pub async fn acquire(ctx: &StepContext<'_>, run: &PlatformRunId) -> Result<Acquired, Fault> {
    let ledger = match read(ctx, run).await? {
        Ok(ledger) => ledger,
        Err(why) => return Ok(Acquired::Refused(why)),
    };
    let us = &ctx.input.execution;
    let sequence = match ledger.acquire(us) {
        // An earlier attempt created the record. Creating it again changes nothing, and lists it among the created objects.
        Acquire::Ours => ledger.head().map_or(1, |head| head.sequence),
        Acquire::Closed => {
            return Ok(Acquired::Refused(format!(
                "an advance of {run} is committed: nothing follows it"
            )));
        }
        Acquire::Create(sequence) => sequence,
        Acquire::AskHolder {
            holder,
            started,
            sequence,
        } => {
            if !has_ended(ctx, &holder, started).await? {
                return Ok(Acquired::Refused(format!(
                    "the ledger of {run} is held by {holder}, which has not ended"
                )));
            }
            sequence
        }
    };
    let record = LedgerRecord::acquired(run, sequence, us, ctx.input.stamp);
    match create(ctx, &record).await? {
        Written::Stored(_) => Ok(Acquired::Ours(sequence)),
        Written::Occupied { .. } => Ok(Acquired::Refused(format!(
            "another execution acquired record {sequence} of {run}'s ledger first"
        ))),
        other => Err(Fault::transient(
            format!("acquire the ledger of {run}"),
            other.describe(),
        )),
    }
}

/// Commits `verdict` with the phase summary that it rests on.
///
/// # Errors
/// Fails if the store gives no answer to the reads before the write.
pub async fn commit(
    ctx: &StepContext<'_>,
    run: &PlatformRunId,
    verdict: PhaseVerdict,
    summary: &ObjectRef,
) -> Result<Committed, Fault> {
    let ledger = match read(ctx, run).await? {
        Ok(ledger) => ledger,
        Err(why) => return Ok(Committed::Lost(why)),
    };
    let us = &ctx.input.execution;
    let sequence = match ledger.commit(us, verdict, summary) {
        Commit::Done(sequence) | Commit::Create(sequence) => sequence,
        Commit::Lost { head: None } => return Ok(Committed::Lost(format!("{run} has no ledger"))),
        Commit::Lost { head: Some(holder) } => {
            return Ok(Committed::Lost(format!("the head of {run}'s ledger is {holder}'s")));
        }
    };
    let record = LedgerRecord::committed(run, sequence, us, ctx.input.stamp, verdict, summary.clone());
    Ok(match create(ctx, &record).await? {
        Written::Stored(artifact) => Committed::Done(Box::new(artifact)),
        Written::Occupied { .. } => Committed::Lost(format!(
            "another execution wrote record {sequence} of {run}'s ledger first"
        )),
        other => Committed::Inconclusive(other.describe()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orchestrator::FixedAnswers;
    use crate::testing::TestExecution;
    use p1_contract::observations::ExecutionAnswer;
    use p1_contract::step::Step;

    /// Acquires the ledger that another execution has held since `started`. Step Functions answers `answer` about that execution.
    /// The acquiring execution started at 2026-11-22T12:17:01Z.
    async fn acquire_from(started: &str, answer: ExecutionAnswer) -> Result<Acquired, Fault> {
        let mut holder = TestExecution::named("holder");
        let mut asks = TestExecution::named("asks");
        let run = asks.run().platform_run_id.unwrap();
        holder.stamp = Stamp::parse(started).unwrap();
        let record = LedgerRecord::acquired(&run, 1, &holder.arn, holder.stamp);
        let bytes = canonical::document_of(&record).unwrap();
        asks.store.seed(crate::testing::BUCKET, &run.ledger_key(1), bytes);
        asks.answers = FixedAnswers {
            executions: [(holder.arn.to_string(), answer)].into(),
            ..FixedAnswers::default()
        }
        .into();
        let (harness, request) = (asks.harness(), asks.request(Step::OrchestratorReadiness));
        let ctx = harness.context(&request.input, Step::OrchestratorReadiness);
        acquire(&ctx, &run).await
    }

    fn found(status: &str) -> ExecutionAnswer {
        let status = status.to_owned();
        ExecutionAnswer::Found { status }
    }

    #[tokio::test]
    async fn an_unknown_holder_has_ended_only_when_it_started_more_than_a_day_earlier() {
        for started in ["2026-11-21T12:17:00Z", "2026-08-01T00:00:00Z"] {
            let acquired = acquire_from(started, ExecutionAnswer::NotFound).await.unwrap();
            assert_eq!(acquired, Acquired::Ours(2), "{started}");
        }
        // The holder cannot have started after the execution that asks, so waiting would never help.
        for started in ["2026-11-23T12:17:01Z", "9999-12-31T23:59:59Z"] {
            let acquired = acquire_from(started, ExecutionAnswer::NotFound).await.unwrap();
            assert!(matches!(acquired, Acquired::Refused(_)), "{started}: {acquired:?}");
        }
        // Cases: exactly at the bound, within it, and the same start.
        for started in ["2026-11-21T12:17:01Z", "2026-11-21T12:17:02Z", "2026-11-22T12:17:01Z"] {
            let fault = acquire_from(started, ExecutionAnswer::NotFound).await.unwrap_err();
            assert_eq!(fault.name(), "Transient", "{started}: {fault}");
            assert!(fault.to_string().contains(started), "{fault}");
        }
    }

    #[tokio::test]
    async fn a_known_holder_is_believed_whenever_it_started() {
        for started in ["2026-08-01T00:00:00Z", "2026-11-22T12:17:00Z"] {
            for status in ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"] {
                let acquired = acquire_from(started, found(status)).await.unwrap();
                assert_eq!(acquired, Acquired::Ours(2), "{started} {status}");
            }
            for answer in [found("RUNNING"), found("PENDING_REDRIVE"), ExecutionAnswer::Denied] {
                let refused = acquire_from(started, answer.clone()).await.unwrap();
                assert!(
                    matches!(refused, Acquired::Refused(_)),
                    "{started} {answer:?}: {refused:?}"
                );
            }
        }
    }
}
