//! Reruns that reach no verdict, in their bucket: one state alone, and a refused rerun. The ledger does not lead to them, so each
//! is found by the folder of its admission or of its step.

use p1_audit::evidence_set::{Ending, Outcome};
use p1_audit::findings::Findings;
use p1_audit::lineage::{closure_of, folder_of};
use p1_contract::artifacts::RerunAdmissionReceipt;
use p1_contract::evidence::{Body, Document, ExecutionSummary, split};
use p1_contract::ids::{Environment, PhaseExecutionId, PlatformRunId, S3Key};
use p1_contract::ledger::LedgerRecord;
use p1_contract::owner::Owner;
use p1_contract::reference::ClosureRef;
use p1_contract::strict::{Limits, parse_strict};
use serde_json::Value;

use crate::bucket::evidence::{Evidence, ReadError};

/// Where the evidence of such a rerun begins.
pub(super) struct Rerun {
    /// What it ended with.
    pub(super) closure: ClosureRef,
    /// Its execution. `None` for a refused rerun, which nothing in the bucket names.
    pub(super) ending: Option<Ending>,
}

/// The rerun that the closing summary at `key` is of. Returns `None` if it is of an execution with a verdict, or if a document that
/// would tell cannot be read, which is a finding.
///
/// # Errors
/// Fails if S3 does not answer, or refuses.
pub(super) async fn of_summary(
    evidence: &Evidence,
    environment: &Environment,
    run: Option<&PlatformRunId>,
    key: &str,
    findings: &mut Findings,
) -> Result<Option<Rerun>, ReadError> {
    let Some((closure, summary)) = closing(evidence, key).await? else {
        findings.tampered(key, "is no closing summary of its step");
        return Ok(None);
    };
    if closure.step == Owner::Admission && !closure.overall_pass {
        return Ok(Some(Rerun { closure, ending: None }));
    }
    let mut upstream = summary.upstream.iter();
    let admission = match closure.step {
        Owner::Admission => Some(closure.clone()),
        _ => upstream.find(|closure| closure.step == Owner::Admission).cloned(),
    };
    let (Some(run), Some(admission)) = (run, admission) else {
        return Ok(None);
    };
    let receipt = format!(
        "{}{}.json",
        folder_of(admission.key.as_str()),
        RerunAdmissionReceipt::NAME
    );
    let Some(read) = evidence.get_own(&receipt, None).await? else {
        findings.incomplete(&receipt, "is not there, and only it says what was admitted");
        return Ok(None);
    };
    let Ok(document) = Document::<RerunAdmissionReceipt>::parse(&read.bytes) else {
        findings.tampered(&receipt, "is no receipt of an admission");
        return Ok(None);
    };
    let (Some(step), true) = (document.body.resume_at, document.body.only) else {
        return Ok(None);
    };
    let id_of = |record: &LedgerRecord, owner: Owner| {
        PhaseExecutionId::derive(owner, record.holder_stamp_utc, record.holder.as_str())
    };
    let records = evidence.records(run).await?;
    let own = |record: &&LedgerRecord| id_of(record, Owner::Admission) == admission.phase_execution_id;
    let Some(record) = records.iter().find(own) else {
        return Ok(None);
    };
    let owner = Owner::Step(step);
    let folder = environment.phase_folder(&id_of(record, owner));
    let last = closing(evidence, &format!("{folder}{}.json", owner.summary_name())).await?;
    Ok(last.map(|(closure, _)| Rerun {
        ending: Some(Ending {
            execution: record.holder.clone(),
            outcome: Some(Outcome::SingleState),
            closure: Some(closure.clone()),
            said: Value::Null,
        }),
        closure,
    }))
}

/// The closing summary at `key`, with its closure.
async fn closing(evidence: &Evidence, key: &str) -> Result<Option<(ClosureRef, ExecutionSummary)>, ReadError> {
    let name = key.rsplit('/').next().and_then(|file| file.strip_suffix(".json"));
    let owner = Owner::all().find(|owner| Some(owner.summary_name().as_str()) == name);
    let (Some(owner), Ok(parsed)) = (owner, S3Key::parse(key)) else {
        return Ok(None);
    };
    let Some(read) = evidence.get_own(key, None).await? else {
        return Ok(None);
    };
    let closure = closure_of(owner, &evidence.bucket, &parsed, read.version_id, &read.bytes);
    let value = parse_strict(&read.bytes, Limits::DOCUMENT).ok();
    let summary = value.and_then(|value| split::<ExecutionSummary>(value, &owner.summary_name()).ok());
    Ok(closure.zip(summary.map(|summary| summary.body)))
}
