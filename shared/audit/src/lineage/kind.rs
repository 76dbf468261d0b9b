//! What kind of execution evidence is of.
//!
//! | kind | begins with | ends with | in the ledger | must have |
//! |---|---|---|---|---|
//! | [`Run`](Kind::Run) | M3.A | M3.J's verdict | its COMMITTED record, unless it was held before it had a ledger | every step up to the first that blocked, M3.I, M3.J |
//! | [`Resume`](Kind::Resume) | an admission | M3.J's verdict | its ACQUIRED and COMMITTED records | the admission, the steps from there on, the closures that they rest on |
//! | [`SingleState`](Kind::SingleState) | an admission for one state alone | that state's summary | its ACQUIRED record, nothing committed | the admission, that one step, the closures that it rests on |
//! | [`RerunRefused`](Kind::RerunRefused) | an admission that refuses | the admission's summary | nothing committed | the admission |
//! | [`PhaseEntry`](Kind::PhaseEntry) | a later phase's question | the entry's summary | nothing | the entry, and the evidence of the run that it read |
//! | [`Unfinished`](Kind::Unfinished) | anything | a fault | nothing committed | it has no verdict, and is incomplete |
//!
//! What an execution has is checked alike, whatever its kind is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use p1_contract::artifacts::RerunAdmissionReceipt;
use p1_contract::blocker::{Blocker, codes};
use p1_contract::evidence::Body;
use p1_contract::ledger::LedgerKind;
use p1_contract::owner::Owner;
use serde::Serialize;

use super::{Closing, Lineage, closings, folder_of};
use crate::evidence_set::{EvidenceSet, Outcome};

/// The kind of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// A run from M3.A to its verdict.
    Run,
    /// A run that was resumed, to its verdict.
    Resume,
    /// One state of a run alone. It commits nothing.
    SingleState,
    /// A rerun that was refused. It changes nothing of the run.
    RerunRefused,
    /// A later phase's question whether it may work on a run.
    PhaseEntry,
    /// An execution that ended without any of these.
    Unfinished,
}

impl Kind {
    /// Whether such an execution ends with a verdict of M3.J.
    #[must_use]
    pub const fn has_verdict(self) -> bool {
        matches!(self, Self::Run | Self::Resume)
    }

    /// Whether such an execution ends with a summary other than M3.J's, and is whole with it.
    #[must_use]
    pub const fn ends_before(self) -> bool {
        matches!(self, Self::SingleState | Self::RerunRefused)
    }
}

/// What an execution is, and what it ended with if that is no verdict. It is written as one sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct What {
    /// Its kind.
    pub kind: Kind,
    /// The owner of the summary that it ended with. `None` after a verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<Owner>,
    /// Whether that passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overall_pass: Option<bool>,
    /// The codes of its blockers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,
}

impl What {
    /// The sentence, if the execution is none of those that end with a verdict or with the answer to a later phase: then the verdict, or
    /// the answer, says it all.
    #[must_use]
    pub fn without_verdict(&self) -> Option<String> {
        let says_it_all = self.kind.has_verdict() || self.kind == Kind::PhaseEntry;
        (!says_it_all).then(|| self.to_string())
    }

    /// `named` is the owner of the closure that the engine names, for a summary that is not there.
    pub(super) fn of(kind: Kind, last: Option<&Closing>, named: Option<Owner>) -> Self {
        let summary = last.and_then(Closing::summary);
        What {
            kind,
            step: last.map(Closing::owner).or(named),
            overall_pass: summary.map(|summary| summary.overall_pass),
            blockers: summary.map(|summary| codes(&summary.blockers)).unwrap_or_default(),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step.map_or("a step that nothing names", Owner::id);
        let codes: Vec<&str> = self.blockers.iter().map(|blocker| blocker.code()).collect();
        let codes = codes.join(", ");
        match (self.kind, self.overall_pass) {
            (Kind::Run, _) => f.write_str("Full run"),
            (Kind::Resume, _) => f.write_str("Resumed run"),
            (Kind::SingleState, Some(true)) => write!(f, "One state alone: {step}, PASS"),
            (Kind::SingleState, Some(false)) => write!(f, "One state alone: {step}, HOLD by {codes}"),
            (Kind::SingleState, None) => write!(f, "One state alone: {step}"),
            (Kind::RerunRefused, _) if codes.is_empty() => f.write_str("Refused rerun"),
            (Kind::RerunRefused, _) => write!(f, "Refused rerun: {codes}"),
            (Kind::PhaseEntry, _) => f.write_str("Phase entry"),
            (Kind::Unfinished, _) => f.write_str("Execution without a verdict"),
        }
    }
}

/// The kind of the execution that the evidence is of, and the place in the list of the closing that it ended with, if that is not
/// M3.J's. What the execution left decides; what the engine says of its end only where nothing is left that says otherwise.
pub(super) fn kind(lineage: &Lineage<'_>) -> (Kind, Option<usize>) {
    let set = lineage.set;
    if is_entry(set) {
        return (Kind::PhaseEntry, None);
    }
    let Some(ending) = &set.ending else {
        return without_an_ending(lineage);
    };
    let own = ending.execution.as_str();
    let numbers: BTreeSet<usize> = lineage
        .executions
        .iter()
        .filter(|execution| execution.arn.as_deref() == Some(own))
        .map(|execution| execution.number)
        .collect();
    let closings = || {
        let all = lineage.closings.iter().enumerate();
        all.filter(|(_, closing)| numbers.contains(&closing.execution))
    };
    let has_verdict = lineage.commit_of(own).is_some() || closings().any(|(_, closing)| closing.is_last());
    let admission = closings().find(|(_, closing)| closing.step.is_none());
    let last = closings().max_by_key(|(_, closing)| closing.step);
    let place = |(at, _): (usize, &Closing)| at;
    match ending.outcome {
        _ if has_verdict => (of_a_verdict(admission.is_some()), None),
        Some(Outcome::Verdict) => (of_a_verdict(admission.is_some()), None),
        Some(Outcome::SingleState) => {
            let last = last.filter(|(_, closing)| closing.step.is_some());
            (Kind::SingleState, last.map(place))
        }
        Some(Outcome::RerunRefused) => (Kind::RerunRefused, admission.map(place)),
        Some(Outcome::PhaseAdmitted | Outcome::EntryRefused) | None => (Kind::Unfinished, last.map(place)),
    }
}

fn of_a_verdict(is_rerun: bool) -> Kind {
    if is_rerun { Kind::Resume } else { Kind::Run }
}

/// The kind where nothing names the execution: a run in its bucket, or a mirror without its history, which is never intact.
fn without_an_ending(lineage: &Lineage<'_>) -> (Kind, Option<usize>) {
    let is_refused = |closing: &Closing| {
        let summary = closing.summary();
        closing.step.is_none() && summary.is_some_and(|summary| !summary.overall_pass)
    };
    if let Some(at) = lineage.closings.iter().rposition(is_refused) {
        return (Kind::RerunRefused, Some(at));
    }
    // Those that hold the run and committed nothing, the last one first.
    let uncommitted = lineage.ledger.iter().rev();
    let uncommitted = uncommitted.take_while(|entry| entry.record.kind == LedgerKind::Acquired);
    // Worked out once: there may be as many executions as records.
    let executions = lineage.executions.iter();
    let numbers: BTreeMap<&str, usize> = executions
        .filter_map(|execution| Some((execution.arn.as_deref()?, execution.number)))
        .collect();
    for entry in uncommitted {
        let Some(number) = numbers.get(entry.record.holder.as_str()) else {
            continue;
        };
        let first = lineage.closings.partition_point(|closing| closing.execution < *number);
        let closings = lineage.closings_of(*number);
        let mut admissions = closings.iter().filter(|closing| closing.step.is_none());
        let last = closings.iter().rposition(|closing| closing.step.is_some());
        if admissions.any(|closing| is_for_one_state(lineage.set, closing)) && last.is_some() {
            return (Kind::SingleState, last.map(|at| first + at));
        }
    }
    let last = lineage.commits().next_back();
    let is_rerun = last.is_some_and(|entry| {
        let holder = entry.record.holder.as_str();
        let mut ledger = lineage.ledger.iter();
        ledger
            .next()
            .is_some_and(|first| first.record.holder.as_str() != holder)
    });
    (of_a_verdict(is_rerun), None)
}

/// Whether this admission is for one state alone.
fn is_for_one_state(set: &EvidenceSet, admission: &Closing) -> bool {
    let key = format!("{}{}.json", folder_of(&admission.key), RerunAdmissionReceipt::NAME);
    let receipt = set.document::<RerunAdmissionReceipt>(&key);
    receipt.is_ok_and(|receipt| receipt.body.only)
}

/// Whether the evidence is that of a phase entry, which pins nothing. Without an ending, its summary and the absence of a run's say
/// so.
fn is_entry(set: &EvidenceSet) -> bool {
    match &set.ending {
        Some(ending) => matches!(ending.outcome, Some(Outcome::PhaseAdmitted | Outcome::EntryRefused)),
        None => {
            let name = format!("/{}.json", Owner::Entry.summary_name());
            let has_entry = set.files.keys().any(|key| key.ends_with(&name));
            has_entry && closings(set).iter().all(Closing::is_last)
        }
    }
}
