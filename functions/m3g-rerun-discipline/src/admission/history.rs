//! The run's ledger, and what it tells of the executions that held the run: which summary was the last one.

use futures_util::future::{try_join, try_join_all};
use p1_contract::artifacts::PhaseSummary;
use p1_contract::blocker::Severity;
use p1_contract::evidence::{Document, summary_name};
use p1_contract::ids::{ExecutionArn, PhaseExecutionId, PlatformRunId, S3Key};
use p1_contract::ledger::{Acquire, Ledger, LedgerKind, LedgerRecord};
use p1_contract::observations::admission::{CommittedFacts, History, LastSummary, Lock, RunHistory};
use p1_contract::observations::{ExecutionAnswer, Learned};
use p1_contract::owner::Owner;
use p1_contract::reference::{ClosureRef, ObjectRef};
use p1_contract::step::Step;
use p1_runtime::store::{DOCUMENT_LIMIT, Read, object_ref};
use p1_runtime::{Exact, Fault, StepContext, key_in, run_ledger};

/// How many holders of a ledger are asked about at once.
const HOLDERS_AT_ONCE: usize = 16;

/// A committed phase summary, as far as it can be read.
struct Commit<'l> {
    record: &'l LedgerRecord,
    summary: &'l ObjectRef,
    document: Learned<Document<PhaseSummary>>,
}

/// The ledger, and what was committed to it.
pub(super) struct Told {
    /// What it tells.
    pub(super) history: History,
    /// Every committed phase summary.
    pub(super) summaries: Vec<ObjectRef>,
    /// Every closure that one of them names.
    pub(super) closures: Vec<ClosureRef>,
}

/// Reads the ledger of `run` and what it points to.
pub(super) async fn read(ctx: &StepContext<'_>, run: &PlatformRunId) -> Result<Told, Fault> {
    let ledger = match run_ledger::read(ctx, run).await? {
        Ok(ledger) => ledger,
        Err(why) => return Ok(Told::nothing(History::Illegal(why))),
    };
    let (lock, commits) = try_join(lock(ctx, &ledger), commits(ctx, &ledger)).await?;
    let last = last_summary(ctx, &ledger, &lock, &commits).await?;
    let committed = commits.last().map(|commit| match commit.document.as_result() {
        Ok(document) => Learned::Found(committed_facts(document)),
        Err(why) => Learned::Problem(why.to_owned()),
    });
    let records = u32::try_from(ledger.records().len()).unwrap_or(u32::MAX);
    let closures = commits.iter().filter_map(|commit| commit.document.found());
    Ok(Told {
        summaries: commits.iter().map(|commit| commit.summary.clone()).collect(),
        closures: closures.flat_map(|document| document.body.closures.clone()).collect(),
        history: History::Read(Box::new(RunHistory {
            records,
            lock,
            last,
            committed,
        })),
    })
}

impl Told {
    /// Where there is no ledger to read.
    pub(super) fn nothing(history: History) -> Self {
        Told {
            history,
            summaries: Vec::new(),
            closures: Vec::new(),
        }
    }
}

async fn lock(ctx: &StepContext<'_>, ledger: &Ledger) -> Result<Lock, Fault> {
    Ok(match ledger.acquire(&ctx.input.execution) {
        Acquire::Ours => Lock::Ours,
        Acquire::Closed => Lock::Closed,
        Acquire::Create(_) => Lock::Free,
        Acquire::AskHolder { holder, started, .. } => {
            if run_ledger::has_ended(ctx, &holder, started).await? {
                Lock::Free
            } else {
                Lock::Held(holder)
            }
        }
    })
}

/// From the newest ended holder to the oldest: the last step of which a summary exists. A holder may have faulted
/// before its first step closed, and left none.
///
/// Of a holder that committed a verdict, the committed phase summary says which summaries it published, with their hashes:
/// what lies at their keys today says nothing.
async fn last_summary(
    ctx: &StepContext<'_>,
    ledger: &Ledger,
    lock: &Lock,
    commits: &[Commit<'_>],
) -> Result<LastSummary, Fault> {
    let us = &ctx.input.execution;
    let working = |holder: &ExecutionArn| holder == us || matches!(lock, Lock::Held(running) if running == holder);
    let acquired = |record: &&LedgerRecord| record.kind == LedgerKind::Acquired && !working(&record.holder);
    let holders: Vec<&LedgerRecord> = ledger.records().iter().rev().filter(acquired).collect();
    for some in holders.chunks(HOLDERS_AT_ONCE) {
        let answers = some.iter().map(|record| last_of(ctx, record, commits));
        for answer in try_join_all(answers).await? {
            if answer != LastSummary::None {
                return Ok(answer);
            }
        }
    }
    Ok(LastSummary::None)
}

async fn last_of(ctx: &StepContext<'_>, record: &LedgerRecord, commits: &[Commit<'_>]) -> Result<LastSummary, Fault> {
    match commits.iter().find(|commit| commit.record.holder == record.holder) {
        Some(commit) => committed_last(ctx, record, commit).await,
        None if !has_worked(ctx, record).await? => Ok(LastSummary::None),
        None if is_known(ctx, &record.holder).await? => published_last(ctx, record).await,
        None => Ok(LastSummary::Unknown(format!(
            "Step Functions does not know {}, which committed nothing: nothing shows that it ever ran",
            record.holder
        ))),
    }
}

/// Whether Step Functions knows a holder. Whoever can write into the ledger could make one up, with summaries of its own; what it
/// published counts only if it ran. Step Functions forgets an execution 90 days after its end: its run is then started anew.
async fn is_known(ctx: &StepContext<'_>, holder: &ExecutionArn) -> Result<bool, Fault> {
    let answer = ctx.orchestrator.execution(holder).await?;
    Ok(matches!(answer, ExecutionAnswer::Found { .. }))
}

/// Whether a holder has ever worked: whoever resumed the run has left an admission before anything else. One question for each of
/// a thousand ghosts, instead of one for every step.
async fn has_worked(ctx: &StepContext<'_>, record: &LedgerRecord) -> Result<bool, Fault> {
    if record.sequence == 1 {
        return Ok(true);
    }
    let id = phase_execution_id(record, Owner::Admission);
    // What is hidden by a delete marker was there.
    let left = ctx
        .store
        .list_versions(ctx.bucket(), &ctx.environment().phase_folder(&id), 1)
        .await?;
    Ok(!left.counts.is_empty())
}

/// The last summary of a holder among those that its committed phase summary names.
async fn committed_last(
    ctx: &StepContext<'_>,
    record: &LedgerRecord,
    commit: &Commit<'_>,
) -> Result<LastSummary, Fault> {
    let document = match commit.document.as_result() {
        Ok(document) => document,
        Err(why) => {
            let why = format!("the phase summary that it committed: {why}");
            return Ok(LastSummary::Unknown(why));
        }
    };
    let own = |step: Step| {
        let id = phase_execution_id(record, step);
        let closures = &document.body.closures;
        closures.iter().find(|closure| closure.phase_execution_id == id)
    };
    let Some(closure) = Step::GATED.into_iter().rev().find_map(own) else {
        return Ok(LastSummary::None);
    };
    let version = closure.version_id.as_deref();
    let exact = ctx
        .read_exact(&closure.bucket, &closure.key, version, &closure.sha256, DOCUMENT_LIMIT)
        .await?;
    Ok(match exact {
        Exact::Found(bytes) => LastSummary::Found(ObjectRef {
            bucket: closure.bucket.clone(),
            key: closure.key.clone(),
            version_id: closure.version_id.clone(),
            sha256: closure.sha256.clone(),
            bytes: bytes.len() as u64,
        }),
        other => LastSummary::Unknown(format!("{} {}", closure.key, other.describe())),
    })
}

/// The last summary of a holder that committed nothing, as it lies in the bucket.
async fn published_last(ctx: &StepContext<'_>, record: &LedgerRecord) -> Result<LastSummary, Fault> {
    let keys: Vec<S3Key> = Step::GATED
        .into_iter()
        .rev()
        .map(|step| summary_key(ctx, record, step))
        .collect::<Result<_, _>>()?;
    let reads = keys.iter().map(|key| ctx.read(ctx.bucket(), key, None, DOCUMENT_LIMIT));
    for (key, read) in keys.iter().zip(try_join_all(reads).await?) {
        match read {
            Read::NotFound => {}
            Read::Found(object) => return Ok(LastSummary::Found(object_ref(ctx.bucket(), key, &object))),
            Read::Denied => return Ok(LastSummary::Unknown(format!("{key} may not be read"))),
            Read::TooLarge(bytes) => return Ok(LastSummary::Unknown(format!("{key} has {bytes} bytes"))),
        }
    }
    Ok(LastSummary::None)
}

fn phase_execution_id(record: &LedgerRecord, owner: impl Into<Owner>) -> PhaseExecutionId {
    PhaseExecutionId::derive(owner, record.holder_stamp_utc, record.holder.as_str())
}

fn summary_key(ctx: &StepContext<'_>, record: &LedgerRecord, step: Step) -> Result<S3Key, Fault> {
    key_in(
        ctx.environment(),
        &phase_execution_id(record, step),
        &format!("{}.json", summary_name(step)),
    )
}

/// Every phase summary that was committed, in the order of the ledger.
async fn commits<'l>(ctx: &StepContext<'_>, ledger: &'l Ledger) -> Result<Vec<Commit<'l>>, Fault> {
    let records: Vec<&LedgerRecord> = ledger.records().iter().collect();
    let mut commits = Vec::new();
    for some in records.chunks(HOLDERS_AT_ONCE) {
        let reads = some.iter().map(|record| commit(ctx, record));
        commits.extend(try_join_all(reads).await?.into_iter().flatten());
    }
    Ok(commits)
}

async fn commit<'l>(ctx: &StepContext<'_>, record: &'l LedgerRecord) -> Result<Option<Commit<'l>>, Fault> {
    let Some(summary) = &record.summary else {
        return Ok(None);
    };
    let version = summary.version_id.as_deref();
    let exact = ctx
        .read_exact(&summary.bucket, &summary.key, version, &summary.sha256, DOCUMENT_LIMIT)
        .await?;
    let document = match exact {
        Exact::Found(bytes) => Document::<PhaseSummary>::parse(&bytes).map_err(|e| e.to_string()),
        other => Err(format!("{} {}", summary.key, other.describe())),
    };
    Ok(Some(Commit {
        record,
        summary,
        document: Learned::from(document),
    }))
}

fn committed_facts(document: &Document<PhaseSummary>) -> CommittedFacts {
    let standing = document.body.unresolved_blockers.iter().map(|blocker| blocker.code);
    let no_go = standing.filter(|code| code.severity() == Severity::S1).collect();
    CommittedFacts {
        adjudication: document.body.adjudication,
        no_go,
    }
}
