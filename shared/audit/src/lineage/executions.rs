//! The executions that worked on a run. A phase execution id is computed from the execution and its start, so every closing
//! summary shows which execution wrote it.

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
/// summary.
pub(super) fn executions(ledger: &[Entry], own: Option<&ExecutionArn>, closings: &mut [Closing]) -> Vec<Execution> {
    let mut known: Vec<Execution> = Vec::new();
    for Entry { record, .. } in ledger {
        let holder = Execution::new(Some(record.holder_stamp_utc), Some(record.holder.to_string()));
        if !known.contains(&holder) {
            known.push(holder);
        }
    }
    if let Some(own) = own.map(ToString::to_string) {
        for closing in closings.iter() {
            let Some(started) = closing.id.stamp() else {
                continue;
            };
            let execution = Execution::new(Some(started), Some(own.clone()));
            if !known.contains(&execution) && is_of(&execution, closing.step, &closing.id) {
                known.push(execution);
            }
        }
        if known.iter().all(|execution| execution.arn.as_ref() != Some(&own)) {
            known.push(Execution::new(None, Some(own)));
        }
    }
    let owner = |closing: &Closing| {
        let known = known
            .iter()
            .find(|execution| is_of(execution, closing.step, &closing.id));
        known
            .cloned()
            .unwrap_or_else(|| Execution::new(closing.id.stamp(), None))
    };
    let owners: Vec<Execution> = closings.iter().map(owner).collect();
    let mut all: Vec<Execution> = known.iter().chain(&owners).cloned().collect();
    all.sort_by_key(|execution| (execution.started.is_none(), execution.started, execution.arn.clone()));
    all.dedup();
    for (closing, owner) in closings.iter_mut().zip(&owners) {
        closing.execution = all
            .iter()
            .position(|execution| execution == owner)
            .map_or(0, |at| at + 1);
    }
    for (at, execution) in all.iter_mut().enumerate() {
        execution.number = at + 1;
    }
    all
}
