//! The run's ledger, and what it tells of the executions that held the run: which summary was the last one.

use futures_util::future::{try_join, try_join_all};
use p1_contract::artifacts::PhaseSummary;
use p1_contract::blocker::{Blocker, Severity};
use p1_contract::evidence::{Document, summary_name};
use p1_contract::ids::{ExecutionArn, PhaseExecutionId, PlatformRunId, S3Key};
use p1_contract::ledger::{Acquire, Ledger, LedgerKind, LedgerRecord};
use p1_contract::reference::ObjectRef;
use p1_contract::step::Step;
use p1_contract::verdict::RollupVerdict;
use p1_runtime::store::{DOCUMENT_LIMIT, Read, object_ref};
use p1_runtime::{Exact, Fault, StepContext, key_in, run_ledger};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fact::Learned;

/// What the ledger tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// The held chain names no run, so there is no ledger to read.
    NoRun,
    /// What lies there is no legal ledger: in words.
    Illegal(String),
    /// The ledger was read.
    Read(Box<RunHistory>),
}

/// A ledger that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunHistory {
    /// How many records it has.
    pub records: u32,
    /// Whether this execution may take it.
    pub lock: Lock,
    /// The last summary among M3.A … M3.H that an ended execution published.
    pub last: LastSummary,
    /// What the last COMMITTED record rests on; none where nothing was committed.
    pub committed: Option<Learned<CommittedFacts>>,
}

/// Whether an execution may take the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// Nobody works on the run.
    Free,
    /// It is this execution's, from an earlier attempt.
    Ours,
    /// An execution holds it that has not ended.
    Held(ExecutionArn),
    /// An advance is committed.
    Closed,
}

/// The last summary of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LastSummary {
    /// This one.
    Found(ObjectRef),
    /// No ended holder of the ledger published any.
    None,
    /// One that cannot be read, so that it is not known which is the last: in words.
    Unknown(String),
}

/// What a committed phase summary says of going on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommittedFacts {
    /// M3.I's adjudication.
    pub adjudication: Option<RollupVerdict>,
    /// The no-go blockers that stand.
    pub no_go: Vec<Blocker>,
}

/// Reads the ledger of `run` and what it points to.
pub(super) async fn read(ctx: &StepContext<'_>, run: &PlatformRunId) -> Result<History, Fault> {
    let ledger = match run_ledger::read(ctx, run).await? {
        Ok(ledger) => ledger,
        Err(why) => return Ok(History::Illegal(why)),
    };
    let lock = lock(ctx, &ledger).await?;
    let (last, committed) = try_join(last_summary(ctx, &ledger, &lock), committed(ctx, &ledger)).await?;
    let records = u32::try_from(ledger.records().len()).unwrap_or(u32::MAX);
    Ok(History::Read(Box::new(RunHistory {
        records,
        lock,
        last,
        committed,
    })))
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
async fn last_summary(ctx: &StepContext<'_>, ledger: &Ledger, lock: &Lock) -> Result<LastSummary, Fault> {
    let us = &ctx.input.execution;
    let working = |holder: &ExecutionArn| holder == us || matches!(lock, Lock::Held(running) if running == holder);
    let acquired = |record: &&LedgerRecord| record.kind == LedgerKind::Acquired && !working(&record.holder);
    for record in ledger.records().iter().rev().filter(acquired) {
        let keys: Vec<S3Key> = Step::GATED
            .into_iter()
            .rev()
            .map(|step| summary_key(record, step))
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
    }
    Ok(LastSummary::None)
}

fn summary_key(record: &LedgerRecord, step: Step) -> Result<S3Key, Fault> {
    let id = PhaseExecutionId::derive(
        step.prefix(),
        record.holder_stamp_utc,
        record.holder.as_str(),
        step.id(),
    );
    key_in(&id, &format!("{}.json", summary_name(step)))
}

async fn committed(ctx: &StepContext<'_>, ledger: &Ledger) -> Result<Option<Learned<CommittedFacts>>, Fault> {
    let Some(summary) = ledger.records().iter().rev().find_map(|record| record.summary.as_ref()) else {
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
    Ok(Some(Learned::from(document).map(|document| {
        let standing = document.body.unresolved_blockers.iter().map(|blocker| blocker.code);
        let no_go = standing.filter(|code| code.severity() == Severity::S1).collect();
        CommittedFacts {
            adjudication: document.body.adjudication,
            no_go,
        }
    })))
}
