//! The run's ledger in S3: reading it, acquiring it, committing to it (contract section 4).
//!
//! The decisions are `p1_contract::ledger`'s; the create-only write of the next record is the fence.

use futures_util::future::try_join_all;
use p1_contract::canonical;
use p1_contract::ids::{ExecutionArn, PlatformRunId, S3Key, Stamp};
use p1_contract::ledger::{Acquire, Commit, LEDGER_RECORD, Ledger, LedgerRecord};
use p1_contract::observations::Written;
use p1_contract::reference::{ArtifactRef, ObjectRef};
use p1_contract::verdict::PhaseVerdict;

use crate::context::StepContext;
use crate::fault::Fault;
use crate::store::Recreated;
use crate::store::{DOCUMENT_LIMIT, Read};

/// The most records that a ledger is read to: a run that was resumed more often than this is not worth resuming.
const MAX_RECORDS: usize = 5_000;
/// How many of them, the last ones, are listed among the inputs of a step.
const NOTED_RECORDS: usize = 64;
/// How many of them are read at once.
const READS_AT_ONCE: usize = 32;

/// What became of an attempt to acquire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// The head is our ACQUIRED record, with this number.
    Ours(u32),
    /// Somebody else may work on the run, or nobody any more: in words.
    Refused(String),
}

/// What became of an attempt to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// The ledger holds our verdict, in this record.
    Done(Box<ArtifactRef>),
    /// The ledger is not ours (any more): in words.
    Lost(String),
    /// Whether the record was written could not be learned: in words.
    Inconclusive(String),
}

fn record_key(run: &PlatformRunId, sequence: u32) -> Result<S3Key, Fault> {
    S3Key::parse(&run.ledger_key(sequence)).map_err(|e| Fault::internal("name a ledger record", e.to_string()))
}

/// The number of the record at `key` of the run's ledger; none where it is no record's key.
#[must_use]
pub fn sequence(run: &PlatformRunId, key: &S3Key) -> Option<u32> {
    let number = key.as_str().strip_prefix(&run.ledger_prefix())?.strip_suffix(".json")?;
    let sequence = number.parse().ok()?;
    (run.ledger_key(sequence) == key.as_str()).then_some(sequence)
}

/// A record as it lies in the ledger.
///
/// # Errors
/// Never for a record of parsed parts; the writer's error otherwise.
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

/// Reads the ledger; `Err` in words when what lies there is no legal ledger: records only, each written once and never
/// deleted, their holders executions of this state machine.
///
/// # Errors
/// When the store gives no answer.
pub async fn read(ctx: &StepContext<'_>, run: &PlatformRunId) -> Result<Result<Ledger, String>, Fault> {
    let prefix = run.ledger_prefix();
    // A key may be hidden by a delete marker: only its versions tell.
    let listed = ctx.store.list_versions(ctx.bucket(), &prefix, MAX_RECORDS + 1).await?;
    if !listed.complete || listed.counts.len() > MAX_RECORDS {
        return Ok(Err(format!("the ledger of {run} has more than {MAX_RECORDS} records")));
    }
    let mut keys = Vec::with_capacity(listed.counts.len());
    // What consoles create for a folder is no record and claims to be none.
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

/// Reads a record. Inputs are listed in a document, which has a limit; the verdict rests on the head.
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

/// A foreign key, short and without what would spoil a line of text.
fn shown(key: &str) -> String {
    key.escape_debug().take(200).collect()
}

/// Why the ledger is not this execution's (any more), in words; none when its head is our ACQUIRED record.
///
/// # Errors
/// When the store gives no answer.
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

/// Reserves a run id: creates the ledger's first record, ours.
///
/// `Ok(true)` when the record is ours (now, or since an earlier attempt), `Ok(false)` when it is another's, or was written and
/// deleted: it is never written again behind a delete marker.
///
/// # Errors
/// When whether it was written cannot be learned.
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

/// Whether the execution that holds a ledger, and started at `started`, has ended.
///
/// # Errors
/// When Step Functions gives no answer, or does not know an execution that it cannot have forgotten yet.
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

/// Acquires the ledger for this execution, as the successor of whoever held it.
///
/// # Errors
/// When the store or Step Functions gives no answer.
pub async fn acquire(ctx: &StepContext<'_>, run: &PlatformRunId) -> Result<Acquired, Fault> {
    let ledger = match read(ctx, run).await? {
        Ok(ledger) => ledger,
        Err(why) => return Ok(Acquired::Refused(why)),
    };
    let us = &ctx.input.execution;
    let sequence = match ledger.acquire(us) {
        // Created by an earlier attempt: creating it again changes nothing, and records it among what was created.
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

/// Commits `verdict` with the phase summary it rests on.
///
/// # Errors
/// When the store gives no answer to the reads before the write.
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

    /// Acquires the ledger that another execution has held since `started`, of which Step Functions gives this answer; the
    /// execution that asks started at 2026-11-22T12:17:01Z.
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
        let id = asks.phase_execution_id(Step::OrchestratorReadiness);
        let ctx = StepContext::new(&request.input, &harness.store, &harness.orchestrator, id);
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
        // It cannot have started after the one that asks: no wait would ever tell.
        for started in ["2026-11-23T12:17:01Z", "9999-12-31T23:59:59Z"] {
            let acquired = acquire_from(started, ExecutionAnswer::NotFound).await.unwrap();
            assert!(matches!(acquired, Acquired::Refused(_)), "{started}: {acquired:?}");
        }
        // At the bound, within it, and at the same time.
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
