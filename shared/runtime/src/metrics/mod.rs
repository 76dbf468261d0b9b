//! Metrics of the functions, as CloudWatch extracts them from their logs: documents of the Embedded Metric Format
//! (the CloudWatch user guide's "Specification: Embedded metric format").
//!
//! All names are defined here; `infra/template.yaml` has the alarms and the dashboard that use them. A dimension has only few
//! values: a deployment, a step, a blocker's code. Ids are ordinary members of a document. Logs Insights finds them, and
//! CloudWatch makes no metric of them.

mod document;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;

use std::io::Write;

use p1_contract::ids::{DeploymentName, ExecutionArn};
use p1_contract::owner::Owner;
use p1_contract::request::{Conclusion, StepResult};
use p1_contract::secrets;
use p1_contract::verdict::PhaseVerdict;

pub use document::Document;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "P1/RunPinning";

/// A metric: something that is counted or measured once for each invocation that it applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// The duration of a step that reached a verdict, in milliseconds. By deployment and step.
    StepDuration,
    /// Steps that passed; for the admission, reruns that were admitted, for the entry, phases. By deployment and step.
    Passes,
    /// Steps that held; for the admission, reruns that were refused, for the entry, phases. By deployment and step.
    Holds,
    /// Codes that a step raised. Each code counts once, however many findings it has. By deployment, and by deployment and code.
    Blockers,
    /// Deliveries of an event that had already started another execution. By deployment.
    Duplicates,
    /// Invocations without a verdict, including faults, panics and payloads that cannot be read. By deployment and step.
    Faults,
    /// Advances that M3.J committed to the ledger. By deployment.
    Advances,
    /// Holds of the phase that M3.J committed to the ledger. By deployment.
    PhaseHolds,
}

impl Metric {
    /// All metrics.
    pub const ALL: [Metric; 8] = [
        Metric::StepDuration,
        Metric::Passes,
        Metric::Holds,
        Metric::Blockers,
        Metric::Duplicates,
        Metric::Faults,
        Metric::Advances,
        Metric::PhaseHolds,
    ];

    /// Its name in CloudWatch.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Metric::StepDuration => "StepDuration",
            Metric::Passes => "Passes",
            Metric::Holds => "Holds",
            Metric::Blockers => "Blockers",
            Metric::Duplicates => "Duplicates",
            Metric::Faults => "Faults",
            Metric::Advances => "Advances",
            Metric::PhaseHolds => "PhaseHolds",
        }
    }

    /// Its unit in CloudWatch.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Metric::StepDuration => "Milliseconds",
            _ => "Count",
        }
    }

    /// The sets of dimensions under which it is published.
    #[must_use]
    pub const fn dimensions(self) -> &'static [&'static [Dimension]] {
        match self {
            Metric::StepDuration | Metric::Passes | Metric::Holds | Metric::Faults => {
                &[&[Dimension::Deployment, Dimension::Step]]
            }
            Metric::Blockers => &[&[Dimension::Deployment], &[Dimension::Deployment, Dimension::Code]],
            Metric::Duplicates | Metric::Advances | Metric::PhaseHolds => &[&[Dimension::Deployment]],
        }
    }
}

/// A dimension of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The deployment's name, [`DeploymentName`].
    Deployment,
    /// The wire name of a step, `ADMISSION` or `ENTRY`.
    Step,
    /// The code of a blocker.
    Code,
}

impl Dimension {
    /// All dimensions.
    pub const ALL: [Dimension; 3] = [Dimension::Deployment, Dimension::Step, Dimension::Code];

    /// Its name in CloudWatch.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Dimension::Deployment => "Deployment",
            Dimension::Step => "Step",
            Dimension::Code => "Code",
        }
    }
}

/// The data about an invocation that its metrics need.
#[derive(Debug, Clone, Copy)]
pub struct Invocation<'a> {
    /// The deployment.
    pub deployment: &'a DeploymentName,
    /// Lambda's id of the request.
    pub request_id: &'a str,
    /// The P1 execution. `None` if the payload could not be read.
    pub execution: Option<&'a ExecutionArn>,
    /// The time of its end, in milliseconds since 1970-01-01 UTC.
    pub ended_ms: u64,
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy)]
pub enum Ending<'a> {
    /// With a result.
    Answered {
        /// The result.
        result: &'a StepResult,
        /// The duration in milliseconds.
        duration_ms: u64,
    },
    /// With a fault.
    Faulted {
        /// The step or admission that was invoked.
        owner: Owner,
        /// The fault's name.
        fault: &'a str,
    },
}

/// The documents of one invocation: one for its outcome, and one for each code that it raised, because a dimension has only one
/// value in a document.
#[must_use]
pub fn documents(invocation: &Invocation<'_>, ending: &Ending<'_>) -> Vec<Document> {
    match *ending {
        Ending::Faulted { owner, fault } => {
            let document = document_of(invocation)
                .dimension(Dimension::Step, owner.id())
                .member("fault", &safe(fault))
                .metric(Metric::Faults, 1);
            vec![document]
        }
        Ending::Answered { result, duration_ms } => answered(invocation, result, duration_ms),
    }
}

fn answered(invocation: &Invocation<'_>, result: &StepResult, duration_ms: u64) -> Vec<Document> {
    let begin = || about(document_of(invocation), result);
    if result.conclusion == Conclusion::DuplicateDelivery {
        return vec![begin().metric(Metric::Duplicates, 1)];
    }
    let verdict = if result.overall_pass {
        Metric::Passes
    } else {
        Metric::Holds
    };
    let mut step = begin()
        .dimension(Dimension::Step, result.step.id())
        .metric(Metric::StepDuration, duration_ms)
        .metric(verdict, 1);
    match result.conclusion.committed() {
        Some(PhaseVerdict::AdvanceToM4) => step = step.metric(Metric::Advances, 1),
        Some(PhaseVerdict::HoldM3) => step = step.metric(Metric::PhaseHolds, 1),
        None => {}
    }
    let codes = result.blockers.iter().map(|blocker| {
        begin()
            .dimension(Dimension::Code, blocker.code())
            .metric(Metric::Blockers, 1)
    });
    std::iter::once(step).chain(codes).collect()
}

fn document_of(invocation: &Invocation<'_>) -> Document {
    let document = Document::at(invocation.ended_ms)
        .dimension(Dimension::Deployment, invocation.deployment.as_str())
        .member("request_id", &safe(invocation.request_id));
    match invocation.execution {
        Some(execution) => document.member("execution_arn", &safe(execution.as_str())),
        None => document,
    }
}

/// Adds the ids of a result, so that its documents can be found in the log.
fn about(document: Document, result: &StepResult) -> Document {
    let document = document
        .member("step", result.step.id())
        .member("phase_execution_id", &safe(result.phase_execution_id.as_str()));
    match &result.run.platform_run_id {
        Some(run) => document.member("platform_run_id", &safe(run.as_str())),
        None => document,
    }
}

/// Removes everything that looks like a secret, as the log's filter does.
fn safe(text: &str) -> String {
    secrets::redact_text(text).unwrap_or_else(|| text.to_owned())
}

/// Writes the documents to `log`, one line each, in a single write, so that no other line comes between them.
///
/// # Errors
/// Fails if the log cannot be written.
pub fn write(documents: &[Document], mut log: impl Write) -> std::io::Result<()> {
    let mut lines = Vec::new();
    for document in documents {
        serde_json::to_writer(&mut lines, document)?;
        lines.push(b'\n');
    }
    log.write_all(&lines)?;
    log.flush()
}
