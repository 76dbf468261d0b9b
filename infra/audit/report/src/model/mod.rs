//! A directory as plain data. It holds everything that the page shows and nothing about its appearance.

mod closing;
mod entry;
mod evidence;
mod executions;
mod particulars;
mod steps;

pub(crate) use closing::{Cost, Item, Lane, Next, Record, Scale};
pub(crate) use entry::Entry;
pub(crate) use evidence::{Bytes, Object};
pub(crate) use executions::{Ending, Execution, Node, Outcome};
pub(crate) use particulars::{Handle, Particulars};
pub(crate) use steps::{Attempt, Raised, StepView};

use evidence::Evidence;
use p1_audit::EvidenceSet;
use p1_audit::findings::{Finding, Grade};
use p1_audit::lineage::Lineage;
use p1_audit::verify::{Counts, Report, SignatureState, Standing};
use p1_contract::attestation::is_sidecar;

use crate::text::Text;

/// One problem that `verify` found.
#[derive(Debug, Clone)]
pub(crate) struct Remark {
    pub(crate) grade: Grade,
    pub(crate) subject: Text,
    pub(crate) detail: Text,
    /// The subject as `verify` gave it. It is only compared and never shown.
    raw: String,
}

/// The result of `verify` for the signature, and the files of the signature.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) state: SignatureState,
    pub(crate) keyid: Option<Text>,
    pub(crate) files: Vec<Object>,
}

/// The verdict of the phase, as the directory states it.
#[derive(Debug, Clone)]
pub(crate) struct Stated {
    pub(crate) verdict: &'static str,
    pub(crate) adjudication: Option<&'static str>,
    pub(crate) stamp: String,
}

/// Everything that the page shows.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) standing: Standing,
    /// What the execution is, if it ended without a verdict and is none of a phase entry.
    pub(crate) ended_before: Option<String>,
    /// The verdict that counts. `None` if no verdict counts.
    pub(crate) verdict: Option<Text>,
    pub(crate) stated: Option<Stated>,
    pub(crate) platform_run_id: Option<Text>,
    pub(crate) scenario_run_id: Option<Text>,
    pub(crate) config_digest: Option<Text>,
    pub(crate) counts: Counts,
    pub(crate) remarks: Vec<Remark>,
    pub(crate) signature: Signed,
    pub(crate) executions: Vec<Execution>,
    pub(crate) steps: Vec<StepView>,
    pub(crate) unresolved: Vec<Raised>,
    pub(crate) next: Option<Next>,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) cost: Option<Cost>,
    pub(crate) ledger: Vec<Record>,
    pub(crate) checklist: Vec<Item>,
    /// The answer to a later phase, if the directory is of one and not of a run.
    pub(crate) entry: Option<Entry>,
}

impl Model {
    /// Builds the model from the evidence and the result of `verify`.
    pub(crate) fn of(set: &EvidenceSet, report: &Report) -> Self {
        let lineage = Lineage::of(set);
        let evidence = Evidence::of(&lineage);
        let history = executions::history(&evidence, &lineage);
        let remarks: Vec<Remark> = report.findings.iter().map(remark).collect();
        let stated = history
            .verdict
            .as_ref()
            .map(|verdict| &verdict.summary.body)
            .map(|phase| Stated {
                verdict: phase.verdict.as_str(),
                adjudication: phase.adjudication.map(|adjudication| adjudication.as_str()),
                stamp: phase.execution_stamp_utc.rfc3339(),
            });
        let run = &report.run;
        Model {
            standing: report.standing,
            ended_before: report.execution.without_verdict(),
            verdict: report.verdict.as_deref().map(Text::new),
            stated,
            platform_run_id: run.platform_run_id.as_ref().map(|id| id.as_str().into()),
            scenario_run_id: run.scenario_run_id.as_ref().map(|id| id.as_str().into()),
            config_digest: run.config_digest.as_ref().map(|digest| digest.as_str().into()),
            counts: report.counts,
            signature: Signed {
                state: report.signature.state,
                keyid: report.signature.keyid.as_deref().map(Text::new),
                files: evidence
                    .keys()
                    .filter(|key| is_sidecar(key))
                    .filter_map(|key| evidence.file(key))
                    .collect(),
            },
            steps: steps::steps(&evidence, &history, &remarks),
            remarks,
            unresolved: closing::unresolved(&history, &lineage),
            next: closing::next(&history, &lineage),
            lanes: closing::lanes(&evidence, &history),
            cost: closing::cost(&evidence, &history),
            ledger: closing::ledger(&evidence, &lineage),
            checklist: closing::checklist(&history),
            executions: history.executions,
            entry: entry::entry(&lineage),
        }
    }
}

fn remark(finding: &Finding) -> Remark {
    Remark {
        grade: finding.grade,
        subject: Text::new(&finding.subject),
        detail: Text::new(&finding.detail),
        raw: finding.subject.clone(),
    }
}
