//! The closures that are judged together, with the evidence that they rest on.

use std::collections::BTreeMap;

use p1_contract::artifacts::PhaseSummary;
use p1_contract::evidence::{Body, Document, DocumentOf};
use p1_contract::owner::Owner;
use p1_contract::reference::ClosureRef;
use p1_contract::step::Step;

use super::chain::{Chain, Closed};
use crate::evidence_set::EvidenceSet;

/// The verdict that is checked.
#[derive(Clone, Copy)]
pub(super) struct Phase<'a> {
    pub(super) key: &'a str,
    pub(super) document: &'a Document<PhaseSummary>,
}

/// The evidence that the checks use.
pub(super) struct Evidence<'a> {
    pub(super) set: &'a EvidenceSet,
    pub(super) chain: &'a Chain,
    /// The closures of the verdict; of an execution that ends without one, what it ended with and what that rests on.
    pub(super) closures: Vec<ClosureRef>,
    /// Those of them that were reached, by step.
    pub(super) closed: BTreeMap<Owner, &'a Closed>,
}

impl<'a> Evidence<'a> {
    pub(super) fn of(set: &'a EvidenceSet, chain: &'a Chain, closures: Vec<ClosureRef>) -> Self {
        let reached = chain
            .closures
            .iter()
            .filter(|closed| closures.contains(&closed.closure));
        Evidence {
            set,
            chain,
            closed: reached.map(|closed| (closed.closure.step, closed)).collect(),
            closures,
        }
    }

    /// Whether each of the closures was reached.
    pub(super) fn is_whole(&self) -> bool {
        self.closed.len() == self.closures.len()
    }

    /// An artifact of one of the steps, with its key.
    pub(super) fn artifact<B: Body>(&self, step: Step) -> Option<(String, DocumentOf<B>)> {
        let closed = self.closed.get(&Owner::Step(step))?;
        let artifact = self.chain.artifact(&closed.closure.phase_execution_id, B::NAME)?;
        let file = self.set.files.get(artifact.key.as_str())?;
        Some((artifact.key.to_string(), DocumentOf::<B>::parse(&file.bytes).ok()?))
    }
}
