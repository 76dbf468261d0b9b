//! The executions that worked on the run, and which of them closed which step.

use p1_audit::lineage::{Closing, Execution as Known, Lineage, Verdict, folder_of, is_of};
use p1_contract::artifacts::{CommitPosture, RerunAdmissionReceipt};
use p1_contract::blocker::{Blocker, Severity, codes};
use p1_contract::evidence::Body;
use p1_contract::ids::{ExecutionArn, Stamp};
use p1_contract::reference::ClosureRef;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;

use super::evidence::{Bytes, Evidence};
use crate::text::Text;

/// The outcome of a step in one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It passed.
    Pass,
    /// It holds the run. The severity is a no-go if one of its blockers is a no-go.
    Held(Severity),
    /// An earlier execution closed it. The value is that execution's number, if it is known.
    Carried(Option<usize>),
    /// It did not run.
    NotReached,
    /// Its summary exists but is not valid.
    Unreadable,
    /// Its summary is named but missing.
    Missing,
    /// Its summary has other bytes than the closure names.
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
    /// The ledger holds an advance in the record with this number.
    Advance(u32),
    /// The ledger holds a hold in the record with this number.
    Hold(u32),
    /// The run was held and never had a ledger.
    HoldWithoutLedger,
    /// The ledger does not hold its verdict.
    Void,
    /// The rerun was refused.
    Refused,
    /// Only one state was requested.
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
    /// The number in order of start, from 1.
    pub(crate) number: usize,
    /// Its name. `None` if the directory does not say which execution ran the steps.
    pub(crate) name: Option<Text>,
    pub(crate) arn: Option<Text>,
    pub(crate) started: Option<Stamp>,
    /// Whether the directory belongs to this execution.
    pub(crate) own: bool,
    pub(crate) admission: Option<Admission>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) ending: Ending,
}

/// The outcome of a step, from its own closing summary.
pub(crate) fn outcome(closing: &Closing) -> Outcome {
    match closing.summary() {
        None => Outcome::Unreadable,
        Some(summary) if summary.overall_pass && summary.blockers.is_empty() => Outcome::Pass,
        Some(summary) => {
            let no_go = summary.blockers.iter().any(|b| b.code.severity() == Severity::S1);
            Outcome::Held(if no_go { Severity::S1 } else { Severity::S2 })
        }
    }
}

fn codes_of(closing: &Closing) -> Vec<Blocker> {
    closing
        .summary()
        .map(|summary| codes(&summary.blockers))
        .unwrap_or_default()
}

/// The executions, the steps that they closed, and the phase summary of the evidence.
pub(crate) struct History {
    pub(crate) executions: Vec<Execution>,
    pub(crate) closings: Vec<Closing>,
    /// The verdict of the evidence.
    pub(crate) verdict: Option<Verdict>,
}

/// Finds all executions.
pub(crate) fn history(evidence: &Evidence<'_>, lineage: &Lineage<'_>) -> History {
    let execution = |known: &Known| execution(evidence, lineage, known, lineage.verdict_of(known).as_ref());
    let own = lineage.own().map(ExecutionArn::as_str);
    let is_own = |known: &&Known| own.is_some() && known.arn.as_deref() == own;
    let known = lineage.executions.iter();
    // Where the directory's own execution reached no verdict, the page is about the last one that did.
    let verdict = known.clone().filter(is_own).find_map(|known| lineage.verdict_of(known));
    History {
        executions: known.clone().map(execution).collect(),
        closings: lineage.closings.clone(),
        verdict: verdict.or_else(|| known.rev().find_map(|known| lineage.verdict_of(known))),
    }
}

fn execution(evidence: &Evidence<'_>, lineage: &Lineage<'_>, known: &Known, verdict: Option<&Verdict>) -> Execution {
    let mine = || lineage.closings_of(known.number).iter();
    let admitting = mine().find(|closing| closing.step.is_none());
    let receipt = admitting.and_then(|closing| {
        let key = folder_of(&closing.key).to_owned() + RerunAdmissionReceipt::NAME + ".json";
        let receipt = evidence.document::<RerunAdmissionReceipt>(&key).ok()?;
        Some(receipt.body)
    });
    let admission = admitting.map(|closing| Admission {
        admitted: outcome(closing) == Outcome::Pass && receipt.as_ref().is_none_or(|receipt| receipt.admitted),
        resume_at: receipt.as_ref().and_then(|receipt| receipt.resume_at),
        codes: codes_of(closing),
    });
    let mut named: Vec<&ClosureRef> = Vec::new();
    named.extend(verdict.iter().flat_map(|verdict| &verdict.summary.body.closures));
    named.extend(
        mine()
            .filter_map(Closing::summary)
            .flat_map(|summary| &summary.upstream),
    );
    let nodes = Step::ALL
        .into_iter()
        .map(|step| node(evidence, lineage, known, step, &named))
        .collect();
    let commit = known.arn.as_deref().and_then(|arn| lineage.commit_of(arn));
    let ending = match (commit.map(|entry| &entry.record), &admission) {
        (Some(record), _) if record.verdict == Some(PhaseVerdict::AdvanceToM4) => Ending::Advance(record.sequence),
        (Some(record), _) => Ending::Hold(record.sequence),
        (None, Some(admission)) if !admission.admitted => Ending::Refused,
        (None, _) => match verdict {
            Some(verdict) if verdict.summary.body.commit == CommitPosture::NoLedger => Ending::HoldWithoutLedger,
            Some(_) => Ending::Void,
            None if receipt.is_some_and(|receipt| receipt.only) => Ending::SingleState,
            None => Ending::NoVerdict,
        },
    };
    let name = |arn: &String| arn.rsplit(':').next().unwrap_or_default().to_owned();
    Execution {
        number: known.number,
        name: known.arn.as_ref().map(|arn| name(arn).into()),
        arn: known.arn.as_deref().map(Text::new),
        started: known.started,
        own: known.arn.is_some() && known.arn.as_deref() == lineage.own().map(ExecutionArn::as_str),
        admission,
        nodes,
        ending,
    }
}

fn node(evidence: &Evidence<'_>, lineage: &Lineage<'_>, known: &Known, step: Step, named: &[&ClosureRef]) -> Node {
    let by = |closure: &&&ClosureRef| closure.step == step;
    let mut mine = lineage.closings_of(known.number).iter();
    let own = mine.find(|closing| closing.step == Some(step));
    let outcome = match (own, named.iter().find(by)) {
        (Some(own), named) => {
            let changed = named.filter(|closure| closure.key.as_str() == own.key);
            match changed.map(|closure| evidence.closure(closure).state) {
                Some(Bytes::Other) => Outcome::Changed,
                _ => outcome(own),
            }
        }
        (None, Some(closure)) if is_of(known, Some(step), &closure.phase_execution_id) => Outcome::Missing,
        (None, Some(closure)) => Outcome::Carried(lineage.execution_of(&closure.phase_execution_id)),
        (None, None) => Outcome::NotReached,
    };
    let codes = own.map(codes_of).unwrap_or_default();
    Node { step, outcome, codes }
}
