//! The executions in a directory, and the input that started each.
//!
//! The engine's history gives the input of the execution that the directory belongs to. The run may have begun in earlier
//! executions. For those, the ledger gives ARN and stamp, and the evidence gives the parts of the input that an evaluation needs:
//! whether the execution is a rerun, and with which reset receipt.

use std::collections::BTreeSet;

use p1_audit::evidence_set::HISTORY;
use p1_contract::artifacts::{EVENT_CLAIM, EventClaim, RerunAdmissionReceipt};
use p1_contract::evidence::{Body, Document};
use p1_contract::ids::{ExecutionArn, PhaseExecutionId, Stamp};
use p1_contract::input::M2_RECEIPT_FILE;
use p1_contract::ledger::LedgerKind;
use p1_contract::step::Step;
use serde::Serialize;
use serde_json::{Value, json};

use super::Missing;
use super::recording::Recording;
use crate::payload::Owner;

/// The source of an execution's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InputSource {
    /// The engine's history.
    ExecutionHistory,
    /// The evidence that its first step published.
    Evidence,
}

/// An execution that will be replayed.
pub(super) struct Execution {
    pub(super) arn: ExecutionArn,
    pub(super) stamp: Stamp,
    pub(super) input: Value,
    pub(super) source: InputSource,
    /// Whether the ledger holds a verdict of it. If so, it ran to its end.
    pub(super) committed: bool,
    /// Whether the engine's history describes it.
    pub(super) has_account: bool,
}

impl Execution {
    /// The owner that runs first.
    pub(super) fn first(&self) -> Owner {
        if self.input.get("resume").is_some() {
            Owner::Admission
        } else if self.input.get("platform_run_id").is_some() {
            Owner::Entry
        } else {
            Owner::Step(Step::HandleClosure)
        }
    }
}

/// Every execution in the order of the ledger, and the reasons why others cannot be replayed.
pub(super) fn all(recording: &Recording) -> (Vec<Execution>, Vec<Missing>) {
    let mut known: Vec<(ExecutionArn, Stamp)> = Vec::new();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut missing = Vec::new();
    // The ledger that a phase entry read is the run's, whose executions this evidence does not hold.
    let ledger = if recording.is_entry { &[][..] } else { &recording.ledger };
    for record in ledger {
        if names.insert(record.holder.as_str()) {
            known.push((record.holder.clone(), record.holder_stamp_utc));
        }
    }
    if let Some(account) = &recording.account
        && names.insert(account.execution.as_str())
    {
        match recording.stamp(&account.execution) {
            Some(stamp) => known.push((account.execution.clone(), stamp)),
            None => missing.push(Missing::new(
                account.execution.as_str(),
                "the directory holds no evidence of it",
            )),
        }
    }
    if known.is_empty() && missing.is_empty() {
        let why = "without it and without a ledger no execution is known";
        missing.push(Missing::new(HISTORY, why));
    }
    let commits = recording
        .ledger
        .iter()
        .filter(|record| record.kind == LedgerKind::Committed);
    let committed: BTreeSet<&str> = commits.map(|record| record.holder.as_str()).collect();
    let mut executions = Vec::new();
    for (arn, stamp) in known {
        let account = recording.account.as_ref().filter(|account| account.execution == arn);
        let started_with = account.and_then(|account| account.input.clone());
        let source = if started_with.is_some() {
            InputSource::ExecutionHistory
        } else {
            InputSource::Evidence
        };
        let Some(input) = started_with.or_else(|| input(recording, &arn, stamp)) else {
            let why = "neither a history nor its first step's evidence says what started it";
            missing.push(Missing::new(arn.as_str(), why));
            continue;
        };
        executions.push(Execution {
            committed: committed.contains(arn.as_str()),
            has_account: account.is_some(),
            arn,
            stamp,
            input,
            source,
        });
    }
    (executions, missing)
}

/// The parts of the input that an evaluation needs, from the evidence that the execution published.
fn input(recording: &Recording, arn: &ExecutionArn, stamp: Stamp) -> Option<Value> {
    let environment = &recording.environment;
    let folder = |owner: Owner| environment.phase_folder(&PhaseExecutionId::derive(owner, stamp, arn.as_str()));
    let receipt = format!("{}{}.json", folder(Owner::Admission), RerunAdmissionReceipt::NAME);
    if let Some(Ok(receipt)) = recording.bytes(&receipt).map(Document::<RerunAdmissionReceipt>::parse) {
        let RerunAdmissionReceipt { held, only, reset, .. } = receipt.body;
        return Some(json!({"resume": {"held": held, "only": only, "reset": reset}}));
    }
    if recording.holds(&folder(Owner::Admission)) {
        // The receipt is lost or changed, which the replay of its step reports. The observations still name the held summary.
        let key = format!(
            "{}{}.json",
            folder(Owner::Admission),
            Owner::Admission.observations_name()
        );
        let closure = recording
            .document(&key)?
            .pointer("/observed/facts/held/found/closure")?
            .clone();
        let held = json!({"key": closure["key"], "version_id": closure["version_id"], "sha256": closure["sha256"]});
        return Some(json!({"resume": {"held": held, "reset": {}}}));
    }
    let first = Owner::Step(Step::HandleClosure);
    if !recording.holds(&folder(first)) {
        return None;
    }
    let key = format!("{}{}.json", folder(first), first.observations_name());
    // If the observations cannot be read, M3.A's replay reports that. No other step looks at the receipt.
    let observations = recording.document(&key).unwrap_or_default();
    let claim = observations["created"]
        .as_array()
        .and_then(|created| created.iter().find(|artifact| artifact["name"] == EVENT_CLAIM));
    let claim = claim.and_then(|claim| recording.document(claim["key"].as_str()?));
    if let Some(Ok(claim)) = claim.map(serde_json::from_value::<EventClaim>) {
        return Some(json!({
            "detail-type": "Object Created", "source": "aws.s3",
            "detail": {"bucket": {"name": recording.bucket}, "object": {"key": claim.key, "sequencer": claim.sequencer}}
        }));
    }
    let receipt = observations.pointer("/observed/m2_receipt/key").and_then(Value::as_str);
    let unknown = || {
        format!(
            "{}m2j_{}/{M2_RECEIPT_FILE}",
            environment.run_control_root(),
            stamp.compact()
        )
    };
    Some(json!({"m2_handoff": {"key": receipt.map_or_else(unknown, str::to_owned)}}))
}
