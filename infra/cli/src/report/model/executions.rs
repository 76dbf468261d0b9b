//! The executions that worked on the run, and which of them closed which step.

use std::collections::BTreeMap;

use p1_contract::artifacts::{CommitPosture, PhaseSummary, RerunAdmissionReceipt};
use p1_contract::blocker::{Blocker, Severity, codes};
use p1_contract::catalogue::{self, Kind};
use p1_contract::duty::Duty;
use p1_contract::evidence::{Body, Document, ExecutionSummary, RUN_CONTROL_ROOT, phase_folder};
use p1_contract::ids::{PhaseExecutionId, Stamp};
use p1_contract::reference::{ADMISSION, ClosureRef};
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;

use super::evidence::{Bytes, Evidence};
use crate::report::text::Text;
use crate::verify::Folder;

/// How a step came out in one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It passed.
    Pass,
    /// It holds; a no-go when one of its blockers is.
    Held(Severity),
    /// An earlier execution closed it; its number, where that is known.
    Carried(Option<usize>),
    /// It did not run.
    NotReached,
    /// Its summary is there and is not what it must be.
    Unreadable,
    /// Its summary is named and not there.
    Missing,
    /// Its summary has other bytes than the closure that names it.
    Changed,
}

/// A step in one execution.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) step: Step,
    pub(crate) outcome: Outcome,
    /// The codes of its blockers.
    pub(crate) codes: Vec<Blocker>,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// An advance stands in the ledger, under this number.
    Advance(u32),
    /// A hold stands in the ledger, under this number.
    Hold(u32),
    /// A hold of a run that never had a ledger.
    HoldWithoutLedger,
    /// A verdict that the ledger does not have.
    Void,
    /// The rerun was refused.
    Refused,
    /// One state was asked for.
    SingleState,
    /// No verdict was reached.
    NoVerdict,
}

/// The admission of a rerun.
#[derive(Debug, Clone)]
pub(crate) struct Admission {
    pub(crate) admitted: bool,
    pub(crate) resume_at: Option<Step>,
    pub(crate) codes: Vec<Blocker>,
}

/// One execution of the state machine.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    /// From 1, in the order in which they started.
    pub(crate) number: usize,
    /// Its name; none where nothing in the directory says whose the steps are.
    pub(crate) name: Option<Text>,
    pub(crate) arn: Option<Text>,
    pub(crate) started: Option<Stamp>,
    /// Whether the directory is this execution's.
    pub(crate) own: bool,
    pub(crate) admission: Option<Admission>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) ending: Ending,
}

/// A summary that a step of an execution published.
pub(crate) struct Closed {
    /// None for the admission of a rerun.
    pub(crate) step: Option<Step>,
    pub(crate) id: PhaseExecutionId,
    pub(crate) key: String,
    pub(crate) summary: Result<ExecutionSummary, String>,
    /// The number of its execution.
    pub(crate) execution: usize,
}

impl Closed {
    /// How the step came out, as its own summary says.
    pub(crate) fn outcome(&self) -> Outcome {
        match &self.summary {
            Err(_) => Outcome::Unreadable,
            Ok(summary) if summary.overall_pass && summary.blockers.is_empty() => Outcome::Pass,
            Ok(summary) => {
                let no_go = summary.blockers.iter().any(|b| b.code.severity() == Severity::S1);
                Outcome::Held(if no_go { Severity::S1 } else { Severity::S2 })
            }
        }
    }

    pub(crate) fn codes(&self) -> Vec<Blocker> {
        self.summary
            .as_ref()
            .map(|summary| codes(&summary.blockers))
            .unwrap_or_default()
    }
}

/// The executions, what they closed, and the phase summary that the directory is about.
pub(crate) struct History {
    pub(crate) executions: Vec<Execution>,
    pub(crate) closed: Vec<Closed>,
    /// With its key.
    pub(crate) phase: Option<(String, Document<PhaseSummary>)>,
}

/// Who an execution is: two summaries are of one execution when both agree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    started: Option<Stamp>,
    arn: Option<String>,
}

/// Finds them all.
pub(crate) fn history(evidence: &Evidence<'_>, folder: &Folder) -> History {
    let own = folder.ending.as_ref().map(|ending| ending.execution.to_string());
    let mut known: Vec<Who> = Vec::new();
    for (_, record) in evidence.ledger() {
        let who = Who {
            started: Some(record.holder_stamp_utc),
            arn: Some(record.holder.to_string()),
        };
        if !known.contains(&who) {
            known.push(who);
        }
    }
    let found = summaries(evidence);
    if let Some(own) = &own {
        let stamps = found.iter().filter_map(|(step, id, _)| Some((*step, id, stamp(id)?)));
        for (step, id, started) in stamps {
            let who = Who {
                started: Some(started),
                arn: Some(own.clone()),
            };
            if !known.contains(&who) && is_of(&who, step, id) {
                known.push(who);
            }
        }
        if known.iter().all(|who| who.arn.as_ref() != Some(own)) {
            known.push(Who {
                started: None,
                arn: Some(own.clone()),
            });
        }
    }
    let owner = |step, id: &PhaseExecutionId| {
        let unknown = || Who {
            started: stamp(id),
            arn: None,
        };
        known
            .iter()
            .find(|who| is_of(who, step, id))
            .cloned()
            .unwrap_or_else(unknown)
    };
    let owners: Vec<Who> = found.iter().map(|(step, id, _)| owner(*step, id)).collect();
    let mut all: Vec<Who> = known.iter().chain(&owners).cloned().collect();
    // An execution that is known by nothing but the directory's word stands last.
    all.sort_by_key(|who| (who.started.is_none(), who.started, who.arn.clone()));
    all.dedup();
    let number = |who: &Who| all.iter().position(|other| other == who).map_or(0, |place| place + 1);

    let mut closed: Vec<Closed> = found
        .into_iter()
        .zip(&owners)
        .map(|((step, id, key), who)| {
            let name = step.map_or(Duty::Admission, Duty::Step).summary_name();
            let summary = evidence.summary(&key, &name);
            let execution = number(who);
            Closed {
                step,
                id,
                key,
                summary,
                execution,
            }
        })
        .collect();
    closed.sort_by_key(|closed| (closed.execution, closed.step, closed.key.clone()));

    let phases: BTreeMap<usize, (String, Document<PhaseSummary>)> = closed
        .iter()
        .filter(|closed| closed.step == Some(Step::PhaseVerdict))
        .filter_map(|closed| Some((closed.execution, phase_summary(evidence, &closed.id)?)))
        .chain(
            all.iter()
                .filter_map(|who| committed_phase(evidence, who).map(|phase| (number(who), phase))),
        )
        .collect();
    let executions: Vec<Execution> = all
        .iter()
        .map(|who| {
            let n = number(who);
            execution(
                evidence,
                who,
                n,
                who.arn.is_some() && who.arn == own,
                &closed,
                phases.get(&n),
            )
        })
        .collect();
    let decisive = executions
        .iter()
        .find(|execution| execution.own && phases.contains_key(&execution.number))
        .map(|execution| execution.number)
        .or_else(|| phases.keys().last().copied());
    let phase = decisive.and_then(|number| phases.get(&number).cloned());
    History {
        executions,
        closed,
        phase,
    }
}

/// Every summary that a folder of a phase execution holds: its step, the id in its key, and the key.
fn summaries(evidence: &Evidence<'_>) -> Vec<(Option<Step>, PhaseExecutionId, String)> {
    let place = |key: &str| {
        let (folder, file) = key.strip_prefix(RUN_CONTROL_ROOT)?.split_once('/')?;
        let id = PhaseExecutionId::parse(folder).ok()?;
        let entry = catalogue::find(file.strip_suffix(".json")?)?;
        let step = match (entry.kind, entry.writers.as_slice()) {
            (Kind::Summary, [Duty::Step(step)]) => Some(*step),
            (Kind::Summary, [Duty::Admission]) => None,
            _ => return None,
        };
        Some((step, id, key.to_owned()))
    };
    evidence.keys().filter_map(place).collect()
}

fn stamp(id: &PhaseExecutionId) -> Option<Stamp> {
    Stamp::parse_compact(id.as_str().split('_').nth(1)?).ok()
}

fn is_of(who: &Who, step: Option<Step>, id: &PhaseExecutionId) -> bool {
    let (Some(started), Some(arn)) = (who.started, &who.arn) else {
        return false;
    };
    let (prefix, name) = step.map_or((Step::RerunDiscipline.prefix(), ADMISSION), |step| {
        (step.prefix(), step.id())
    });
    PhaseExecutionId::derive(prefix, started, arn, name) == *id
}

fn phase_summary(evidence: &Evidence<'_>, id: &PhaseExecutionId) -> Option<(String, Document<PhaseSummary>)> {
    let key = format!("{}{}.json", phase_folder(id), PhaseSummary::NAME);
    let document = evidence.document(&key).ok()?;
    Some((key, document))
}

/// The phase summary that an execution's COMMITTED record names, though M3.J's own summary may be lost.
fn committed_phase(evidence: &Evidence<'_>, who: &Who) -> Option<(String, Document<PhaseSummary>)> {
    let of_who = |holder: &str| who.arn.as_deref() == Some(holder);
    let record = evidence
        .commits()
        .into_iter()
        .rev()
        .find(|(_, record)| of_who(record.holder.as_str()))?;
    let key = record.1.summary?.key.to_string();
    let document = evidence.document(&key).ok()?;
    Some((key, document))
}

fn execution(
    evidence: &Evidence<'_>,
    who: &Who,
    number: usize,
    own: bool,
    closed: &[Closed],
    phase: Option<&(String, Document<PhaseSummary>)>,
) -> Execution {
    let mine = || closed.iter().filter(|closed| closed.execution == number);
    let admission = mine().find(|closed| closed.step.is_none()).map(|closed| {
        let receipt = phase_folder(&closed.id) + RerunAdmissionReceipt::NAME + ".json";
        let receipt = evidence
            .document::<RerunAdmissionReceipt>(&receipt)
            .ok()
            .map(|receipt| receipt.body);
        Admission {
            admitted: closed.outcome() == Outcome::Pass && receipt.as_ref().is_none_or(|receipt| receipt.admitted),
            resume_at: receipt.as_ref().and_then(|receipt| receipt.resume_at),
            codes: closed.codes(),
        }
    });
    let mut named: Vec<&ClosureRef> = Vec::new();
    named.extend(phase.iter().flat_map(|(_, phase)| &phase.body.closures));
    named.extend(
        mine()
            .filter_map(|closed| closed.summary.as_ref().ok())
            .flat_map(|summary| &summary.upstream),
    );
    let nodes = Step::ALL
        .into_iter()
        .map(|step| node(evidence, who, step, closed, number, &named))
        .collect();
    let receipt = mine().find(|closed| closed.step.is_none()).and_then(|closed| {
        let key = phase_folder(&closed.id) + RerunAdmissionReceipt::NAME + ".json";
        evidence.document::<RerunAdmissionReceipt>(&key).ok()
    });
    let commit = evidence
        .commits()
        .into_iter()
        .rev()
        .find(|(_, record)| who.arn.as_deref() == Some(record.holder.as_str()));
    let ending = match (commit, &admission) {
        (Some((_, record)), _) if record.verdict == Some(PhaseVerdict::AdvanceToM4) => Ending::Advance(record.sequence),
        (Some((_, record)), _) => Ending::Hold(record.sequence),
        (None, Some(admission)) if !admission.admitted => Ending::Refused,
        (None, _) => match phase {
            Some((_, phase)) if phase.body.commit == CommitPosture::NoLedger => Ending::HoldWithoutLedger,
            Some(_) => Ending::Void,
            None if receipt.is_some_and(|receipt| receipt.body.only) => Ending::SingleState,
            None => Ending::NoVerdict,
        },
    };
    let name = |arn: &String| arn.rsplit(':').next().unwrap_or_default().to_owned();
    Execution {
        number,
        name: who.arn.as_ref().map(|arn| name(arn).into()),
        arn: who.arn.as_deref().map(Text::new),
        started: who.started,
        own,
        admission,
        nodes,
        ending,
    }
}

fn node(
    evidence: &Evidence<'_>,
    who: &Who,
    step: Step,
    closed: &[Closed],
    number: usize,
    named: &[&ClosureRef],
) -> Node {
    let by = |closure: &&&ClosureRef| closure.step == step.id();
    let own = closed
        .iter()
        .find(|closed| closed.execution == number && closed.step == Some(step));
    let outcome = match (own, named.iter().find(by)) {
        (Some(own), named) => {
            let changed = named.filter(|closure| closure.key.as_str() == own.key);
            match changed.map(|closure| evidence.closure(closure).state) {
                Some(Bytes::Other) => Outcome::Changed,
                _ => own.outcome(),
            }
        }
        (None, Some(closure)) if is_of(who, Some(step), &closure.phase_execution_id) => Outcome::Missing,
        (None, Some(closure)) => {
            let theirs = closed.iter().find(|closed| closed.id == closure.phase_execution_id);
            Outcome::Carried(theirs.map(|theirs| theirs.execution))
        }
        (None, None) => Outcome::NotReached,
    };
    let codes = own.map(Closed::codes).unwrap_or_default();
    Node { step, outcome, codes }
}
