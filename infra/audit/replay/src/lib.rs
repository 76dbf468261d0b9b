//! Recomputes every step of a mirrored execution offline, and compares the bytes with the directory's.
//!
//! Each step gets its original input and its stored observations, and runs through the functions' own harness: it adopts the
//! observations, evaluates, publishes, and writes its summary. Only facts that S3 alone knows come from the directory: version
//! ids and entity tags of created objects, and the outcome for an object that could not be stored. A replay writes nothing.

mod difference;
mod executions;
pub mod payload;
mod recording;
mod steps;
mod verified;
mod walk;

use std::collections::BTreeSet;

use p1_contract::ids::below_run_control;
use p1_contract::owner::Owner;
use serde::Serialize;

pub use difference::Difference;
pub use executions::InputSource;
pub use verified::{Recomputed, Replay, Verified, verify};

use p1_audit::EvidenceSet;
use p1_audit::lineage::{Lineage, What};
use p1_contract::attestation::is_sidecar;
use recording::Recording;

/// The result of a replay. The exit status of `cargo p1 replay` says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// Every step gives the recorded bytes.
    Equal,
    /// A step gives different bytes.
    Differs,
    /// Something is missing, so not everything could be recomputed. All recomputed objects have the recorded bytes.
    Missing,
}

impl Standing {
    fn of(differs: bool, misses: bool) -> Self {
        match (differs, misses) {
            (true, _) => Self::Differs,
            (false, true) => Self::Missing,
            (false, false) => Self::Equal,
        }
    }
}

/// Something that a replay needs and does not have, or an object that no replayed step writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Missing {
    /// The key, the file or the execution.
    pub subject: String,
    /// Why it could not be replayed.
    pub reason: String,
}

impl Missing {
    fn new(subject: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            reason: reason.into(),
        }
    }
}

/// The replay of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// The step, or the admission.
    pub step: Owner,
    /// The phase execution.
    pub phase_execution_id: String,
    /// The result.
    pub standing: Standing,
    /// The number of recomputed objects with the recorded bytes.
    pub equal: usize,
    /// The first difference of each object with different bytes. The summary comes last.
    pub differences: Vec<Difference>,
    /// Objects that could not be recomputed.
    pub missing: Vec<Missing>,
}

/// The replay of one execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExecutionReport {
    /// The execution.
    pub execution_arn: String,
    /// The source of its input.
    pub input: InputSource,
    /// Its steps, in the order in which they ran.
    pub steps: Vec<StepReport>,
}

/// How much was recomputed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Replayed executions.
    pub executions: usize,
    /// Replayed steps and admissions.
    pub steps: usize,
    /// Objects with the recorded bytes.
    pub equal: usize,
    /// Objects with different bytes, and answers that differ from the recorded ones.
    pub different: usize,
    /// Objects that could not be recomputed.
    pub missing: usize,
    /// Objects that no replayed step writes: M2's receipt, and the run's evidence that a phase entry read.
    pub from_outside: usize,
    /// Parts of signatures. They are not recomputed; `cargo p1 verify` checks them against the evidence.
    pub sidecars: usize,
}

/// The result of a replay, with its details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The result.
    pub standing: Standing,
    /// What the execution is that the evidence is of.
    pub execution: What,
    /// How much was recomputed.
    pub counts: Counts,
    /// The executions, in the order of the ledger.
    pub executions: Vec<ExecutionReport>,
    /// Things that could not be recomputed and belong to no replayed step.
    pub missing: Vec<Missing>,
}

/// Replays every execution that the evidence holds.
pub async fn replay(set: &EvidenceSet) -> Report {
    replay_without(set, &BTreeSet::new()).await
}

/// The same, without the objects of these keys, which are not P1's.
async fn replay_without(set: &EvidenceSet, foreign: &BTreeSet<String>) -> Report {
    let what = Lineage::of(set).what();
    let recording = match Recording::read(set, foreign) {
        Ok(recording) => recording,
        Err(missing) => return report(what, Vec::new(), missing, [0, 0]),
    };
    let (executions, unknown) = executions::all(&recording);
    let mut missing: Vec<Missing> = recording.missing.iter().cloned().chain(unknown).collect();
    let mut walked = walk::Walked::default();
    let mut reports = Vec::new();
    for execution in &executions {
        match walk::execution(&recording, execution, &mut walked).await {
            Ok(report) => reports.push(report),
            Err(why) => missing.push(Missing::new(execution.arn.to_string(), why)),
        }
    }
    for closure in &walked.rested_on {
        if !walked.made.contains(closure) {
            let why = "a replayed step rests on it, and it was not replayed";
            missing.push(Missing::new(closure.to_string(), why));
        }
    }
    let (mut from_outside, mut sidecars) = (0, 0);
    for key in recording.keys.iter().filter(|key| !walked.made.contains(*key)) {
        let folder = below_run_control(key.as_str());
        if recording.is_entry || folder.is_some_and(|folder| !folder.starts_with("m3")) {
            from_outside += 1;
        } else if is_sidecar(key.as_str()) {
            sidecars += 1;
        } else if !walked.rested_on.contains(key) && !walked.is_reported(key.as_str()) {
            missing.push(Missing::new(key.to_string(), "no replayed step makes it"));
        }
    }
    report(what, reports, missing, [from_outside, sidecars])
}

fn report(
    execution: What,
    executions: Vec<ExecutionReport>,
    mut missing: Vec<Missing>,
    not_made: [usize; 2],
) -> Report {
    missing.dedup();
    let steps = || executions.iter().flat_map(|execution| &execution.steps);
    if steps().next().is_none() && missing.is_empty() {
        missing.push(Missing::new("evidence/", "holds no step to replay"));
    }
    let counts = Counts {
        executions: executions.len(),
        steps: steps().count(),
        equal: steps().map(|step| step.equal).sum(),
        different: steps().map(|step| step.differences.len()).sum(),
        missing: missing.len() + steps().map(|step| step.missing.len()).sum::<usize>(),
        from_outside: not_made[0],
        sidecars: not_made[1],
    };
    Report {
        standing: Standing::of(counts.different > 0, counts.missing > 0),
        execution,
        counts,
        executions,
        missing,
    }
}
