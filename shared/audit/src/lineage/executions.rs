//! The executions that worked on a run. A phase execution id is computed from the execution and its start, so every closing
//! summary shows which execution wrote it.

use std::collections::{BTreeMap, BTreeSet};

use p1_contract::ids::{ExecutionArn, PhaseExecutionId, Stamp};
use p1_contract::owner::Owner;
use p1_contract::step::Step;

use super::{Closing, Entry};

/// An execution that worked on the run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Execution {
    /// The number in order of start, from 1. An execution that only the engine names comes last.
    pub number: usize,
    /// Its start. `None` if no evidence states it.
    pub started: Option<Stamp>,
    /// Its ARN. `None` if nothing says which execution ran the steps.
    pub arn: Option<String>,
}

impl Execution {
    fn new(started: Option<Stamp>, arn: Option<String>) -> Self {
        Execution {
            number: 0,
            started,
            arn,
        }
    }
}

/// Whether this phase execution belongs to `execution`. `step` is `None` for an admission.
#[must_use]
pub fn is_of(execution: &Execution, step: Option<Step>, id: &PhaseExecutionId) -> bool {
    let (Some(started), Some(arn)) = (execution.started, &execution.arn) else {
        return false;
    };
    PhaseExecutionId::derive(step.map_or(Owner::Admission, Owner::Step), started, arn) == *id
}

/// The executions that the ledger, the source and the closing summaries name. Also sets the execution number of each closing
/// summary. A directory may hold any number of records and summaries, so none is compared with each of the others.
pub(super) fn executions(ledger: &[Entry], own: Option<&ExecutionArn>, closings: &mut [Closing]) -> Vec<Execution> {
    let mut known = Known::default();
    for Entry { record, .. } in ledger {
        known.add(Execution::new(
            Some(record.holder_stamp_utc),
            Some(record.holder.to_string()),
        ));
    }
    if let Some(own) = own.map(ToString::to_string) {
        for closing in closings.iter() {
            let Some(started) = closing.id.stamp() else {
                continue;
            };
            let execution = Execution::new(Some(started), Some(own.clone()));
            if is_of(&execution, closing.step, &closing.id) {
                known.add(execution);
            }
        }
        if known.all.iter().all(|execution| execution.arn.as_ref() != Some(&own)) {
            known.add(Execution::new(None, Some(own)));
        }
    }
    let owner = |closing: &Closing| {
        let known = known
            .of
            .get(&(closing.step, closing.id.clone()))
            .map(|at| known.all[*at].clone());
        known.unwrap_or_else(|| Execution::new(closing.id.stamp(), None))
    };
    let owners: Vec<Execution> = closings.iter().map(owner).collect();
    let mut all: Vec<Execution> = known.all.iter().chain(&owners).cloned().collect();
    all.sort_by_key(|execution| (execution.started.is_none(), execution.started, execution.arn.clone()));
    all.dedup();
    let numbers: BTreeMap<Execution, usize> = all.iter().cloned().zip(1..).collect();
    for (closing, owner) in closings.iter_mut().zip(&owners) {
        closing.execution = numbers.get(owner).copied().unwrap_or_default();
    }
    for (execution, number) in all.iter_mut().zip(1..) {
        execution.number = number;
    }
    all
}

/// The executions that are known so far.
#[derive(Default)]
struct Known {
    /// In the order in which they were named.
    all: Vec<Execution>,
    named: BTreeSet<Execution>,
    /// The place in the list of the execution that each possible phase execution belongs to; of several the first one. The step is
    /// `None` for an admission.
    of: BTreeMap<(Option<Step>, PhaseExecutionId), usize>,
}

impl Known {
    fn add(&mut self, execution: Execution) {
        if !self.named.insert(execution.clone()) {
            return;
        }
        if let (Some(started), Some(arn)) = (execution.started, &execution.arn) {
            for owner in Owner::all().filter(|owner| *owner != Owner::Entry) {
                let id = PhaseExecutionId::derive(owner, started, arn);
                self.of.entry((owner.as_step(), id)).or_insert(self.all.len());
            }
        }
        self.all.push(execution);
    }
}
