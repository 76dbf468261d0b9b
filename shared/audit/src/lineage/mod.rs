//! Which executions, closing summaries, verdicts and ledger records the evidence of a run holds.
//!
//! [`Lineage`] is the only answer to this question: `verify`, `diff`, `replay`, the report and the mirror all use it. It lists
//! what the evidence states, without checking it; [`verify`](crate::verify) checks it.

mod closing;
mod executions;
mod kind;
mod ledger;

use std::collections::BTreeMap;

use p1_contract::artifacts::PhaseSummary;
use p1_contract::evidence::{Body, Document, ExecutionSummary};
use p1_contract::ids::{BucketName, Environment, ExecutionArn, PhaseExecutionId, S3Key};
use p1_contract::ledger::{LedgerKind, LedgerRecord};
use p1_contract::reference::ClosureRef;
use p1_contract::step::Step;

pub(crate) use self::closing::closure_in;
pub use self::closing::{Closing, closing_of_commit, closings, closure_of};
pub use self::executions::{Execution, is_of};
pub use self::kind::{Kind, What};
pub use self::ledger::{Entry, entries};

use crate::evidence_set::{EvidenceSet, Outcome};

/// A verdict of the phase.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The key of the phase summary.
    pub key: String,
    /// The phase summary.
    pub summary: Document<PhaseSummary>,
    /// The record that commits it. `None` if the ledger holds no such record, or if there is no ledger.
    pub commit: Option<LedgerRecord>,
}

/// What the evidence of a run holds.
///
/// ```
/// use p1_audit::{EvidenceSet, lineage::Lineage};
///
/// let set = EvidenceSet::from_mirror([("objects.json".to_owned(), b"[]\n".to_vec())], []);
/// let lineage = Lineage::of(&set);
/// assert!(lineage.verdict().is_none() && lineage.executions.is_empty());
/// ```
#[derive(Debug)]
pub struct Lineage<'s> {
    set: &'s EvidenceSet,
    /// The environment that the evidence is of. What lies in another's run control is not read.
    pub environment: Environment,
    /// The records of the ledger, by run and sequence.
    pub ledger: Vec<Entry>,
    /// The records of ids that M3.B reserved and gave up.
    pub given_up: Vec<Entry>,
    /// The closing summaries, by execution and step.
    pub closings: Vec<Closing>,
    /// The executions that worked on the run, in the order in which they started.
    pub executions: Vec<Execution>,
    /// Where the last COMMITTED record of each execution stands in the ledger.
    last_commits: BTreeMap<String, usize>,
    /// The execution of each phase execution that closed; of several summaries, the first one's.
    executions_of: BTreeMap<PhaseExecutionId, usize>,
    /// The kind of the execution that the evidence is of.
    pub kind: Kind,
    /// Where the closing stands that the execution ended with, if that is not M3.J's.
    last: Option<usize>,
}

impl<'s> Lineage<'s> {
    /// Reads the evidence.
    #[must_use]
    pub fn of(set: &'s EvidenceSet) -> Self {
        let environment = set.environment();
        let free = ledger::given_up(set);
        let (given_up, ledger) = entries(set)
            .into_iter()
            .partition::<Vec<_>, _>(|entry| free.contains(&entry.record.platform_run_id));
        let own = set.ending.as_ref().map(|ending| &ending.execution);
        let mut closings = closings(set);
        let executions = executions::executions(&ledger, own, &mut closings);
        closings.sort_by_key(|closing| (closing.execution, closing.step, closing.key.clone()));
        let commits = ledger.iter().enumerate().filter(|(_, entry)| is_commit(entry));
        let last_commits = commits
            .map(|(at, entry)| (entry.record.holder.to_string(), at))
            .collect();
        let mut executions_of = BTreeMap::new();
        for closing in &closings {
            executions_of.entry(closing.id.clone()).or_insert(closing.execution);
        }
        let mut lineage = Lineage {
            set,
            environment,
            ledger,
            given_up,
            closings,
            executions,
            last_commits,
            executions_of,
            kind: Kind::Run,
            last: None,
        };
        (lineage.kind, lineage.last) = kind::kind(&lineage);
        lineage
    }

    /// What the execution is that the evidence is of.
    #[must_use]
    pub fn what(&self) -> What {
        let ending = self.set.ending.as_ref().filter(|_| self.kind.ends_before());
        let named = ending
            .and_then(|ending| ending.closure.as_ref())
            .map(|closure| closure.step);
        What::of(self.kind, self.last(), named)
    }

    /// The closing that the execution ended with, if it ended without a verdict of M3.J.
    #[must_use]
    pub fn last(&self) -> Option<&Closing> {
        self.last.and_then(|at| self.closings.get(at))
    }

    /// The closure that the execution ended with, if it ended without a verdict of M3.J. It is computed from the summary, or is the
    /// one that the engine names if that summary is not there.
    #[must_use]
    pub fn ended_with(&self) -> Option<ClosureRef> {
        let of_summary = |closing: &Closing| {
            let key = S3Key::parse(&closing.key).ok()?;
            Some(ClosureRef {
                step: closing.owner(),
                phase_execution_id: closing.id.clone(),
                overall_pass: closing.summary()?.overall_pass,
                bucket: self.bucket()?,
                version_id: self.set.version(&closing.key),
                sha256: self.set.files.get(&closing.key)?.sha256.clone(),
                key,
            })
        };
        if self.kind.has_verdict() {
            return None;
        }
        let named = || self.set.ending.as_ref()?.closure.clone();
        self.last().and_then(of_summary).or_else(named)
    }

    /// The evidence that was read.
    #[must_use]
    pub fn set(&self) -> &'s EvidenceSet {
        self.set
    }

    /// The execution that the source names as its own.
    #[must_use]
    pub fn own(&self) -> Option<&'s ExecutionArn> {
        self.set.ending.as_ref().map(|ending| &ending.execution)
    }

    /// The COMMITTED records, in order.
    pub fn commits(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.ledger.iter().filter(|entry| is_commit(entry))
    }

    /// The last COMMITTED record of `execution`.
    #[must_use]
    pub fn commit_of(&self, execution: &str) -> Option<&Entry> {
        self.last_commits.get(execution).and_then(|at| self.ledger.get(*at))
    }

    /// The number of the execution that the closing summary of this phase execution is of.
    #[must_use]
    pub fn execution_of(&self, id: &PhaseExecutionId) -> Option<usize> {
        self.executions_of.get(id).copied()
    }

    /// The closing summaries of the execution with this number.
    #[must_use]
    pub fn closings_of(&self, number: usize) -> &[Closing] {
        // They are in the order of their executions.
        let begin = self.closings.partition_point(|closing| closing.execution < number);
        let end = self.closings.partition_point(|closing| closing.execution <= number);
        self.closings.get(begin..end).unwrap_or_default()
    }

    /// The verdict that the evidence is of. Where the source says which execution it is of, that is the one which this execution
    /// committed; otherwise, and for an execution that ends without a verdict, the one that was committed last. Without a commit it
    /// is the one that the execution ended with.
    /// Returns `None` if the phase summary cannot be read.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match self.commit() {
            Some(entry) => self.committed(entry),
            None if self.kind.has_verdict() => self.beside(folder_of(self.uncommitted_closing()?), None),
            None => None,
        }
    }

    /// The record that commits the verdict of this evidence.
    #[must_use]
    pub fn commit(&self) -> Option<&Entry> {
        match self.own() {
            Some(own) if self.kind.has_verdict() => self.commit_of(own.as_str()),
            _ => self.commits().next_back(),
        }
    }

    /// The verdict of one execution: the verdict that it committed, or else the one in M3.J's closing summary.
    #[must_use]
    pub fn verdict_of(&self, execution: &Execution) -> Option<Verdict> {
        let commit = execution.arn.as_deref().and_then(|arn| self.commit_of(arn));
        match commit {
            Some(entry) => self.committed(entry),
            None => self.beside(folder_of(&self.last_closing(execution.number)?.key), None),
        }
    }

    /// M3.J's closing summary of the execution with this number.
    fn last_closing(&self, number: usize) -> Option<&Closing> {
        self.closings_of(number).iter().find(|closing| closing.is_last())
    }

    fn committed(&self, entry: &Entry) -> Option<Verdict> {
        let key = entry.record.summary.as_ref()?.key.to_string();
        self.read(key, Some(entry.record.clone()))
    }

    /// M3.J's closing summary of an execution that committed nothing: the one that the engine names, or else the first one.
    #[must_use]
    pub fn uncommitted_closing(&self) -> Option<&str> {
        let ended = self
            .set
            .ending
            .as_ref()
            .and_then(|ending| ending.closure_of(Outcome::Verdict));
        let ended = ended
            .map(|closure| closure.key.as_str())
            .filter(|key| self.set.files.contains_key(*key));
        let last = || self.closings.iter().find(|closing| closing.is_last());
        ended.or_else(|| last().map(|closing| closing.key.as_str()))
    }

    /// Whether an execution that held the run closed M3.J, and the ledger holds no verdict of it. Its record is lost, and with it what
    /// leads to that verdict.
    #[must_use]
    pub fn has_lost_a_commit(&self) -> bool {
        self.executions.iter().any(|execution| {
            let arn = execution.arn.as_deref();
            let is_uncommitted = arn.is_some_and(|arn| self.commit_of(arn).is_none());
            is_uncommitted && self.last_closing(execution.number).is_some()
        })
    }

    fn beside(&self, folder: &str, commit: Option<LedgerRecord>) -> Option<Verdict> {
        self.read(format!("{folder}{}.json", PhaseSummary::NAME), commit)
    }

    /// A phase summary lies in the folder of a phase execution of M3.J: what lies elsewhere, in M2's folder say, is none of P1's.
    fn read(&self, key: String, commit: Option<LedgerRecord>) -> Option<Verdict> {
        let (folder, file) = self.environment.below(&key)?.split_once('/')?;
        let is_own = folder.starts_with(Step::PhaseVerdict.prefix()) && file == format!("{}.json", PhaseSummary::NAME);
        if !is_own || PhaseExecutionId::parse(folder).is_err() {
            return None;
        }
        let summary = self.set.document::<PhaseSummary>(&key).ok()?;
        Some(Verdict { key, summary, commit })
    }

    /// The evidence bucket, as the ledger, the engine, or the artifacts of a closing summary name it.
    #[must_use]
    pub fn bucket(&self) -> Option<BucketName> {
        let committed = self.commits().find_map(|entry| entry.record.summary.as_ref());
        let ended = || self.set.ending.as_ref()?.closure.as_ref();
        let own = || {
            let summaries = self.closings.iter().filter_map(Closing::summary);
            let artifacts = summaries.flat_map(|summary: &ExecutionSummary| &summary.artifacts);
            artifacts.map(|artifact| artifact.bucket.clone()).next()
        };
        committed
            .map(|summary| summary.bucket.clone())
            .or_else(|| ended().map(|closure| closure.bucket.clone()))
            .or_else(own)
    }
}

fn is_commit(entry: &Entry) -> bool {
    entry.record.kind == LedgerKind::Committed
}

/// The folder of a key, with a `/` at its end.
#[must_use]
pub fn folder_of(key: &str) -> &str {
    key.rfind('/').map_or("", |at| &key[..=at])
}
