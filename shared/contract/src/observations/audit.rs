//! What became of the closures that a step rests on, as they stood when it observed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blocker::Finding;
use crate::evidence::{ExecutionSummary, Header, RunIds};
use crate::reference::ClosureRef;
use crate::step::Step;

/// A closure that a step rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prerequisite {
    /// The step.
    pub step: Step,
    /// Its closure; none where the chain has none.
    pub closure: Option<ClosureRef>,
    /// Why it cannot be rested on, in words; none when it can.
    pub problem: Option<String>,
}

/// A closure as it stands in S3 now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClosureAudit {
    /// What the chain says of it.
    pub closure: ClosureRef,
    /// What its summary says; none where it is not the summary that the chain names.
    pub summary: Option<SummaryFacts>,
    /// Everything that is not as the chain says; empty when the closure is intact.
    pub problems: Vec<AuditProblem>,
}

impl ClosureAudit {
    /// What is known of the run after this chain: each id from the latest summary that carries it.
    #[must_use]
    pub fn run_of(chain: &[Self]) -> RunIds {
        RunIds::known(
            chain
                .iter()
                .filter_map(|link| link.summary.as_ref())
                .map(|summary| &summary.run),
        )
    }

    /// Whether the closure is as the chain says, and a pass.
    #[must_use]
    pub fn is_green(&self) -> bool {
        self.problems.is_empty()
            && self.closure.overall_pass
            && self.summary.as_ref().is_some_and(|summary| summary.overall_pass)
    }

    /// Whether the summary is intact and lists the artifact.
    #[must_use]
    pub fn lists(&self, artifact: &str) -> bool {
        self.summary
            .as_ref()
            .is_some_and(|summary| summary.artifacts.iter().any(|name| name == artifact))
    }
}

/// The facts of a summary that a verdict may rest on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SummaryFacts {
    /// Its verdict.
    pub overall_pass: bool,
    /// Its gate.
    pub next_gate: String,
    /// Its blockers.
    pub blockers: Vec<Finding>,
    /// The names of the artifacts that it lists, in the order of their keys.
    pub artifacts: Vec<String>,
    /// The ids that it carries.
    pub run: RunIds,
}

impl SummaryFacts {
    /// The facts of the summary with this header.
    #[must_use]
    pub fn of(header: &Header, summary: &ExecutionSummary) -> Self {
        let artifacts = summary.artifacts.iter();
        SummaryFacts {
            overall_pass: summary.overall_pass,
            next_gate: summary.next_gate.clone(),
            blockers: summary.blockers.clone(),
            artifacts: artifacts.map(|artifact| artifact.name.clone()).collect(),
            run: header.run(),
        }
    }
}

/// Something that is not as the chain says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditProblem {
    /// The object's key.
    pub subject: String,
    /// What is wrong with it.
    pub detail: String,
}
