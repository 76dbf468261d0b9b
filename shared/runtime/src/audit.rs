//! Reading a closure again: its summary and every artifact that it lists, each re-hashed.

use futures_util::future::try_join_all;
use p1_contract::blocker::Finding;
use p1_contract::evidence::RunIds;
use p1_contract::reference::{ArtifactRef, ClosureRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::context::{ClosureRead, Exact, StepContext, Summary};
use crate::fault::Fault;

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
    /// The facts of `summary`.
    #[must_use]
    pub fn of(summary: &Summary) -> Self {
        let artifacts = summary.body.artifacts.iter();
        SummaryFacts {
            overall_pass: summary.body.overall_pass,
            next_gate: summary.body.next_gate.clone(),
            blockers: summary.body.blockers.clone(),
            artifacts: artifacts.map(|artifact| artifact.name.clone()).collect(),
            run: summary.header.run(),
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

impl ClosureAudit {
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

/// Reads a closure and every artifact that it lists again, all artifacts at once.
///
/// # Errors
/// When the store gives no answer.
pub async fn audit(ctx: &StepContext<'_>, closure: &ClosureRef) -> Result<ClosureAudit, Fault> {
    audit_where(ctx, closure, |_| true).await
}

/// [`audit`] of the artifacts that `read` picks: the others that the closure lists are not looked at.
///
/// # Errors
/// When the store gives no answer.
pub async fn audit_where(
    ctx: &StepContext<'_>,
    closure: &ClosureRef,
    read: impl Fn(&ArtifactRef) -> bool,
) -> Result<ClosureAudit, Fault> {
    let problem = |subject: &str, detail: String| AuditProblem {
        subject: subject.to_owned(),
        detail,
    };
    let summary = match ctx.closure(closure).await? {
        ClosureRead::Found(summary) => *summary,
        ClosureRead::Unusable(why) => {
            let problems = vec![problem(closure.key.as_str(), why)];
            return Ok(ClosureAudit {
                closure: closure.clone(),
                summary: None,
                problems,
            });
        }
    };
    let mut problems = Vec::new();
    if summary.body.overall_pass != closure.overall_pass {
        problems.push(problem(
            closure.key.as_str(),
            "its verdict is not the one that the chain names".to_owned(),
        ));
    }
    let picked: Vec<&ArtifactRef> = summary
        .body
        .artifacts
        .iter()
        .filter(|artifact| read(artifact))
        .collect();
    let reads = picked.iter().map(|artifact| ctx.read_listed(artifact));
    for (artifact, exact) in picked.iter().zip(try_join_all(reads).await?) {
        if !matches!(exact, Exact::Found(_)) {
            problems.push(problem(artifact.key.as_str(), exact.describe()));
        }
    }
    Ok(ClosureAudit {
        closure: closure.clone(),
        summary: Some(SummaryFacts::of(&summary)),
        problems,
    })
}

/// Audits several closures at once, in their order.
///
/// # Errors
/// When the store gives no answer.
pub async fn audit_all<'c>(
    ctx: &StepContext<'_>,
    closures: impl IntoIterator<Item = &'c ClosureRef>,
) -> Result<Vec<ClosureAudit>, Fault> {
    try_join_all(closures.into_iter().map(|closure| audit(ctx, closure))).await
}
