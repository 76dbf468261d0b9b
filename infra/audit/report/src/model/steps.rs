//! The ten steps and the admission: what each attempt checked, raised, wrote and read.

use std::collections::{BTreeMap, BTreeSet};

use p1_audit::lineage::{Closing, folder_of};
use p1_contract::blocker::{Blocker, Finding, Severity};
use p1_contract::owner::Owner;
use p1_contract::reference::ClosureRef;
use p1_contract::step::Step;

use super::Remark;
use super::evidence::{Evidence, Object};
use super::executions::{History, Outcome, outcome};
use super::particulars::{Particulars, particulars};
use crate::text::Text;

/// A blocker, with the taxonomy's data about its code.
#[derive(Debug, Clone)]
pub(crate) struct Raised {
    pub(crate) code: Blocker,
    pub(crate) subject: Text,
    pub(crate) detail: Text,
}

impl From<&Finding> for Raised {
    fn from(finding: &Finding) -> Self {
        Raised::new(finding.code, &finding.subject, &finding.detail)
    }
}

impl Raised {
    pub(super) fn new(code: Blocker, subject: &str, detail: &str) -> Self {
        Raised {
            code,
            subject: Text::new(subject),
            detail: Text::new(detail),
        }
    }

    pub(crate) fn is_no_go(&self) -> bool {
        self.code.severity() == Severity::S1
    }
}

/// One attempt at a step: a summary that an execution published.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// The number of the execution.
    pub(crate) execution: usize,
    pub(crate) phase_execution_id: String,
    pub(crate) outcome: Outcome,
    /// The summary. `None` if nothing names it.
    pub(crate) summary: Option<Object>,
    pub(crate) next_gate: Option<Text>,
    pub(crate) blockers: Vec<Raised>,
    pub(crate) particulars: Particulars,
    pub(crate) artifacts: Vec<Object>,
    pub(crate) inputs: Vec<Object>,
    /// The closures that it rests on, each with the number of the execution that closed it.
    pub(crate) upstream: Vec<(Text, Option<usize>)>,
    /// The findings of `verify` about these objects.
    pub(crate) remarks: Vec<Remark>,
    /// Why the summary or an artifact cannot be shown.
    pub(crate) unreadable: Vec<(Text, Text)>,
}

/// A step with its attempts.
#[derive(Debug, Clone)]
pub(crate) struct StepView {
    /// The step. `None` for the admission of a rerun.
    pub(crate) step: Option<Step>,
    /// Its outcome in the execution that the directory belongs to.
    pub(crate) outcome: Outcome,
    /// The attempt that the verdict rests on.
    pub(crate) deciding: Option<Attempt>,
    /// The other attempts, in the order of their executions.
    pub(crate) others: Vec<Attempt>,
}

/// Every step. The admission comes first, if there was one.
pub(crate) fn steps(evidence: &Evidence<'_>, history: &History, remarks: &[Remark]) -> Vec<StepView> {
    let admission = history
        .closings
        .iter()
        .any(|closed| closed.step.is_none())
        .then_some(None);
    let all = admission.into_iter().chain(Step::ALL.map(Some));
    let index = Index::of(history, remarks);
    all.map(|step| view(evidence, history, &index, step)).collect()
}

/// What every attempt looks up. A directory may hold any number of attempts and of findings.
struct Index<'a> {
    /// The findings by object, with their places in the order in which they were made.
    remarks: BTreeMap<&'a str, Vec<(usize, &'a Remark)>>,
    /// The executions of the closing summaries; of summaries with the same id, the first one's.
    executions: BTreeMap<&'a str, usize>,
}

impl<'a> Index<'a> {
    fn of(history: &'a History, remarks: &'a [Remark]) -> Self {
        let mut index = Index {
            remarks: BTreeMap::new(),
            executions: BTreeMap::new(),
        };
        for (at, remark) in remarks.iter().enumerate() {
            index.remarks.entry(remark.raw.as_str()).or_default().push((at, remark));
        }
        for closed in &history.closings {
            index.executions.entry(closed.id.as_str()).or_insert(closed.execution);
        }
        index
    }

    /// The findings about what lies in `folder`, and about these objects.
    fn about(&self, folder: &str, keys: &[&str]) -> Vec<Remark> {
        let in_folder = self
            .remarks
            .range(folder..)
            .take_while(|(raw, _)| raw.starts_with(folder));
        let elsewhere = keys.iter().filter(|key| !key.starts_with(folder));
        let elsewhere: BTreeSet<&str> = elsewhere.copied().collect();
        let elsewhere = elsewhere.into_iter().filter_map(|key| self.remarks.get(key));
        let mut found: Vec<_> = in_folder.map(|(_, found)| found).chain(elsewhere).flatten().collect();
        found.sort_by_key(|(at, _)| *at);
        found.into_iter().map(|(_, remark)| (*remark).clone()).collect()
    }
}

fn view(evidence: &Evidence<'_>, history: &History, index: &Index<'_>, step: Option<Step>) -> StepView {
    let owner = step.map_or(Owner::Admission, Owner::Step);
    let verdict = history.verdict.as_ref().map(|verdict| &verdict.summary);
    let closures = verdict.map(|phase| phase.body.closures.as_slice()).unwrap_or_default();
    let named = closures.iter().find(|closure| closure.step == owner);
    let last = verdict.map(|phase| &phase.header.phase_execution_id);
    let decides = |closed: &&Closing| match named {
        Some(named) => closed.id == named.phase_execution_id,
        None => step == Some(Step::PhaseVerdict) && Some(&closed.id) == last,
    };
    let of_step: Vec<&Closing> = history.closings.iter().filter(|closed| closed.step == step).collect();
    // Without a verdict, the latest attempt counts.
    let deciding = match verdict {
        Some(_) => of_step.iter().copied().find(decides),
        None => of_step.last().copied(),
    };
    let outcome = match (deciding, step, named) {
        (Some(deciding), Some(step), _) => decided(history, deciding, step),
        (Some(deciding), None, _) => outcome(deciding),
        (None, _, Some(_)) => Outcome::Missing,
        (None, _, None) => Outcome::NotReached,
    };
    let others = of_step
        .iter()
        .filter(|closed| deciding.is_none_or(|deciding| deciding.key != closed.key));
    StepView {
        step,
        outcome,
        deciding: deciding.map(|closed| attempt(evidence, index, closed, named)),
        others: others.map(|closed| attempt(evidence, index, closed, None)).collect(),
    }
}

/// The outcome in the execution that closed the step. A changed summary is visible there.
fn decided(history: &History, deciding: &Closing, step: Step) -> Outcome {
    let execution = history
        .executions
        .iter()
        .find(|execution| execution.number == deciding.execution);
    let node = execution.and_then(|execution| execution.nodes.iter().find(|node| node.step == step));
    node.map_or_else(|| outcome(deciding), |node| node.outcome)
}

fn attempt(evidence: &Evidence<'_>, index: &Index<'_>, closed: &Closing, named: Option<&ClosureRef>) -> Attempt {
    let own = named.map(|closure| evidence.closure(closure));
    let mut unreadable = Vec::new();
    if let Err(why) = &closed.document {
        unreadable.push((Text::new(&closed.key), Text::new(why)));
    }
    let summary = closed.summary();
    let artifacts = summary.map(|summary| summary.artifacts.as_slice()).unwrap_or_default();
    let keys: Vec<&str> = artifacts.iter().map(|artifact| artifact.key.as_str()).collect();
    let inputs = summary.iter().flat_map(|summary| &summary.inputs);
    let blockers = summary.iter().flat_map(|summary| &summary.blockers);
    let upstream = summary.iter().flat_map(|summary| &summary.upstream);
    let by = |closure: &ClosureRef| {
        let theirs = index.executions.get(closure.phase_execution_id.as_str());
        (Text::new(closure.step.id()), theirs.copied())
    };
    let said = summary.map(|summary| particulars(evidence, closed.step, summary, &mut unreadable));
    Attempt {
        execution: closed.execution,
        phase_execution_id: closed.id.to_string(),
        outcome: outcome(closed),
        summary: own.or_else(|| evidence.file(&closed.key)),
        next_gate: summary.map(|summary| Text::new(&summary.next_gate)),
        blockers: blockers.map(Raised::from).collect(),
        particulars: said.unwrap_or_default(),
        artifacts: artifacts.iter().map(|artifact| evidence.artifact(artifact)).collect(),
        inputs: inputs.map(|input| evidence.object(input)).collect(),
        upstream: upstream.map(by).collect(),
        remarks: index.about(folder_of(&closed.key), &keys),
        unreadable,
    }
}
