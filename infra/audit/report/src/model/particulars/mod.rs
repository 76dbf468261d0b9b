//! Details of a step that are in its artifacts and not in its summary: checks, receipts, and other facts.

mod later;
mod up_to_publication;

use later::{admission, cost, discipline, handoff, rollup, verdict};
use p1_contract::artifacts::{CheckResult, CommandReceipt};
use p1_contract::evidence::{Body, ExecutionSummary};
use p1_contract::step::Step;
use up_to_publication::{config_digest, handle_closure, orchestrator, publication, run_identity};

use super::evidence::Evidence;
use crate::text::Text;

/// A check and its result.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) name: Text,
    pub(crate) pass: bool,
    pub(crate) detail: Text,
}

/// A question to another service, and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) check: Text,
    pub(crate) operation: Text,
    pub(crate) target: Text,
    pub(crate) outcome: Text,
}

/// A required handle.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    pub(crate) name: Text,
    pub(crate) value: Option<Text>,
    pub(crate) placeholder: bool,
    pub(crate) source: Option<&'static str>,
}

/// The details in the artifacts of one attempt.
#[derive(Debug, Clone, Default)]
pub(crate) struct Particulars {
    pub(crate) checks: Vec<Check>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) handles: Vec<Handle>,
    pub(crate) facts: Vec<(&'static str, Text)>,
}

impl Particulars {
    fn check(&mut self, name: impl AsRef<str>, pass: bool, detail: impl AsRef<str>) {
        self.checks.push(Check {
            name: Text::new(name.as_ref()),
            pass,
            detail: Text::new(detail.as_ref()),
        });
    }

    fn results(&mut self, results: &[CheckResult]) {
        for result in results {
            self.check(&result.check, result.pass, &result.detail);
        }
    }

    fn receipts(&mut self, receipts: &[CommandReceipt]) {
        self.receipts.extend(receipts.iter().map(|receipt| Receipt {
            check: Text::new(&receipt.verify_id),
            operation: Text::new(&receipt.operation),
            target: Text::new(&receipt.target),
            outcome: Text::new(&receipt.outcome),
        }));
    }

    fn fact(&mut self, name: &'static str, value: impl AsRef<str>) {
        self.facts.push((name, Text::new(value.as_ref())));
    }

    fn maybe<T: AsRef<str>>(&mut self, name: &'static str, value: Option<T>) {
        match value {
            Some(value) => self.fact(name, value),
            None => self.fact(name, "none"),
        }
    }
}

/// Reads the artifacts that a summary lists. Notes each one that is listed but cannot be read.
struct Reader<'a> {
    evidence: &'a Evidence<'a>,
    summary: &'a ExecutionSummary,
    unreadable: &'a mut Vec<(Text, Text)>,
}

impl Reader<'_> {
    fn read<B: Body>(&mut self) -> Option<B> {
        let artifact = self.summary.artifact(B::NAME)?;
        match self.evidence.document::<B>(artifact.key.as_str()) {
            Ok(document) => Some(document.body),
            Err(why) => {
                self.unreadable.push((artifact.key.as_str().into(), why.into()));
                None
            }
        }
    }
}

/// The details in the artifacts of one attempt at `step`. `None` means the admission of a rerun.
pub(crate) fn particulars(
    evidence: &Evidence<'_>,
    step: Option<Step>,
    summary: &ExecutionSummary,
    unreadable: &mut Vec<(Text, Text)>,
) -> Particulars {
    let mut said = Particulars::default();
    let mut reader = Reader {
        evidence,
        summary,
        unreadable,
    };
    match step {
        None => admission(&mut reader, &mut said),
        Some(Step::HandleClosure) => handle_closure(&mut reader, &mut said),
        Some(Step::RunIdentity) => run_identity(&mut reader, &mut said),
        Some(Step::ConfigDigest) => config_digest(&mut reader, &mut said),
        Some(Step::OrchestratorReadiness) => orchestrator(&mut reader, &mut said),
        Some(Step::RunPublication) => publication(&mut reader, &mut said),
        Some(Step::M4Handoff) => handoff(&mut reader, &mut said),
        Some(Step::RerunDiscipline) => discipline(&mut reader, &mut said),
        Some(Step::CostEnvelope) => cost(&mut reader, &mut said),
        Some(Step::GateRollup) => rollup(&mut reader, &mut said),
        Some(Step::PhaseVerdict) => verdict(&mut reader, &mut said),
    }
    said
}
