//! The verdict that is checked, with the evidence that it rests on.

use std::collections::BTreeMap;

use p1_contract::artifacts::PhaseSummary;
use p1_contract::evidence::{Body, Document, DocumentOf};
use p1_contract::owner::Owner;
use p1_contract::step::Step;

use super::chain::{Chain, Closed};
use crate::evidence_set::EvidenceSet;

/// The evidence that the checks use.
pub(super) struct Evidence<'a> {
    pub(super) set: &'a EvidenceSet,
    pub(super) chain: &'a Chain,
    pub(super) phase_key: &'a str,
    pub(super) phase: &'a Document<PhaseSummary>,
    /// The closures of the verdict, by step.
    pub(super) closed: BTreeMap<Owner, &'a Closed>,
}

impl Evidence<'_> {
    /// An artifact of a step of the verdict, with its key.
    pub(super) fn artifact<B: Body>(&self, step: Step) -> Option<(String, DocumentOf<B>)> {
        let closed = self.closed.get(&Owner::Step(step))?;
        let artifact = self.chain.artifact(&closed.closure.phase_execution_id, B::NAME)?;
        let file = self.set.files.get(artifact.key.as_str())?;
        Some((artifact.key.to_string(), DocumentOf::<B>::parse(&file.bytes).ok()?))
    }
}
