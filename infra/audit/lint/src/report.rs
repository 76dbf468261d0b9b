//! What lint says.

use p1_contract::blocker::{Blocker, Severity, codes};
use p1_contract::secrets;
use p1_contract::step::Step;
use p1_runtime::Fault;
use serde::Serialize;

use crate::documents::Inputs;
use crate::place::{Located, Source};
use crate::platform::Platform;

/// What a run would come to, as far as the documents decide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// No step would block.
    Clean,
    /// A step would block.
    Held,
    /// A step would reach no verdict.
    NoVerdict,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What a run would come to.
    pub standing: Standing,
    /// The registry.
    pub registry: String,
    /// The environment that it was judged for.
    pub environment: String,
    /// The steps that block. A run is held by the codes of the first; by those of each further one once everything before is mended.
    pub holds: Vec<Hold>,
    /// The step that reaches no verdict. What stands in `holds` comes before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_verdict: Option<NoVerdict>,
}

/// A step that blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// The step.
    pub step: Step,
    /// Its codes, each once.
    pub codes: Vec<Blocker>,
    /// Its findings.
    pub findings: Vec<Found>,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The rule that does not hold.
    pub code: Blocker,
    /// No-go or remediate.
    pub severity: Severity,
    /// What it is about.
    pub subject: String,
    /// What was seen.
    pub detail: String,
    /// What to do about it.
    pub remedy: &'static str,
    /// The document to mend. `None` if none of them is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The line in it, counted from 1. `None` if nothing stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Further lines, where the registry says different things.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_lines: Vec<usize>,
}

/// Why a step reaches no verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoVerdict {
    /// The step.
    pub step: Step,
    /// The name of the fault: `InvalidInput` if a document is not what it should be.
    pub fault: &'static str,
    /// What is wrong, and what to do.
    pub error: String,
}

impl Report {
    pub(crate) fn new(inputs: &Inputs) -> Self {
        Report {
            standing: Standing::Clean,
            registry: inputs.registry.name.clone(),
            environment: inputs.environment.to_string(),
            holds: Vec::new(),
            no_verdict: None,
        }
    }

    pub(crate) fn held<'l>(
        &mut self,
        inputs: &Inputs,
        platform: &Platform,
        step: Step,
        found: impl Iterator<Item = &'l Located>,
    ) {
        let found: Vec<&Located> = found.collect();
        if found.is_empty() {
            return;
        }
        let findings: Vec<_> = found.iter().map(|located| located.finding.clone()).collect();
        self.holds.push(Hold {
            step,
            codes: codes(&findings),
            findings: found
                .iter()
                .map(|located| Found::of(located, inputs, platform))
                .collect(),
        });
        self.standing = Standing::Held;
    }

    pub(crate) fn faulted(&mut self, platform: Option<&Platform>, step: Step, fault: &Fault) {
        let error = fault.to_string();
        let error = platform.map_or_else(|| error.clone(), |platform| platform.named(&error));
        self.no_verdict = Some(NoVerdict {
            step,
            fault: fault.name(),
            error: without_secrets(error),
        });
        if self.holds.is_empty() {
            self.standing = Standing::NoVerdict;
        }
    }

    /// How many findings there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.holds.iter().map(|hold| hold.findings.len()).sum()
    }
}

impl Found {
    fn of(located: &Located, inputs: &Inputs, platform: &Platform) -> Self {
        let Located {
            finding, source, lines, ..
        } = located;
        let document = match source {
            Some(Source::Registry) => Some(&inputs.registry),
            Some(Source::StackOutputs(index)) => inputs.stack_outputs.get(*index),
            Some(Source::M2Receipt) => inputs.m2_receipt.as_ref(),
            Some(Source::Billing) => inputs.billing.as_ref(),
            None => None,
        };
        Found {
            code: finding.code,
            severity: finding.code.severity(),
            subject: without_secrets(platform.named(&finding.subject)),
            detail: without_secrets(platform.named(&finding.detail)),
            remedy: finding.code.remedy(),
            document: document.map(|document| document.name.clone()),
            line: lines.first().copied(),
            other_lines: lines.iter().skip(1).copied().collect(),
        }
    }
}

/// The steps show no secret. This is a second line of defence.
fn without_secrets(text: String) -> String {
    secrets::redact_text(&text).unwrap_or(text)
}
