//! The three documents of the rollup as a pure function of the audits, and the checks that they agree.

use std::collections::BTreeSet;

use p1_contract::artifacts::{
    CheckResult, ClosureBlockers, GateRollupMatrix, P1Verdict, RegisteredBlocker, ResolvedBlocker,
    RollupBlockerRegister, RollupStep, StepState,
};
use p1_contract::blocker::{Blocker, Finding, codes, settle};
use p1_contract::canonical;
use p1_contract::observations::ClosureAudit;
use p1_contract::observations::gate_rollup::EarlierHolds;
use p1_contract::step::Step;
use p1_contract::verdict::{RollupVerdict, adjudicate};
use p1_runtime::Fault;

use crate::gates::{self, contradicts_chain, integrity_problems};
use crate::lanes::{self, audit_of};

/// What is checked of every step, in the order of the matrix.
pub(crate) const CHECKS: [&str; 4] = [
    "closure_intact",
    "artifacts_intact",
    "verdict_consistent",
    "gate_respected",
];

/// The documents of the rollup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollup {
    /// Steps by checks, and the lanes.
    pub matrix: GateRollupMatrix,
    /// What is unresolved.
    pub register: RollupBlockerRegister,
    /// The verdict.
    pub verdict: P1Verdict,
}

/// The rollup of `audits` after `earlier` holds of the run, and the blockers of M3.I itself.
///
/// It is built a second time from the audits in another order; the bytes must be the same.
///
/// # Errors
/// When the documents cannot be rendered.
pub fn adjudicated(audits: &[ClosureAudit], earlier: Option<&EarlierHolds>) -> Result<(Rollup, Vec<Finding>), Fault> {
    let mut findings = gates::findings(audits, earlier);
    let rollup = build(audits, earlier, &findings);
    let reordered: Vec<ClosureAudit> = audits.iter().rev().cloned().collect();
    let again = build(&reordered, earlier, &gates::findings(&reordered, earlier));
    let defects = defects(&rollup, &rollup.bytes()?, &again.bytes()?);
    if defects.is_empty() {
        return Ok((rollup, findings));
    }
    findings.extend(defects);
    Ok((build(audits, earlier, &findings), findings))
}

impl Rollup {
    /// The canonical bytes of all three documents.
    fn bytes(&self) -> Result<Vec<u8>, Fault> {
        canonical::canonical_of(&(&self.matrix, &self.register, &self.verdict))
            .map_err(|e| Fault::internal("render the rollup", e.to_string()))
    }
}

/// Builds the documents. `own` are the blockers of M3.I itself.
pub(crate) fn build(audits: &[ClosureAudit], earlier: Option<&EarlierHolds>, own: &[Finding]) -> Rollup {
    let steps: Vec<RollupStep> = Step::GATED.into_iter().map(|step| row(audits, step)).collect();
    let mut matrix = GateRollupMatrix {
        steps,
        lanes: lanes::matrix(audits),
        complete: false,
    };
    matrix.complete = is_complete(&matrix);

    let held = audits
        .iter()
        .filter_map(|audit| audit.summary.as_ref())
        .filter(|summary| !summary.overall_pass);
    let unresolved = settle(held.flat_map(|summary| &summary.blockers).chain(own).cloned().collect());
    let register = RollupBlockerRegister {
        unresolved_blockers: unresolved.iter().map(RegisteredBlocker::from).collect(),
        unresolved_count: unresolved.len() as u64,
        resolved_blockers: earlier.map(|earlier| ResolvedBlocker::of(&earlier.holds, &closed(audits))),
    };

    let unresolved_codes = codes(&unresolved);
    let not_reached: Vec<Step> = Step::GATED
        .into_iter()
        .filter(|step| audit_of(audits, *step).is_none())
        .collect();
    let verdict = adjudicate(&unresolved_codes, not_reached.is_empty());
    let verdict = P1Verdict {
        verdict,
        not_reached,
        reproducible: !unresolved_codes.contains(&Blocker::VerdictNotReproducible),
        unresolved_codes,
        overall_pass: verdict == RollupVerdict::AdvanceToM3J,
    };
    Rollup {
        matrix,
        register,
        verdict,
    }
}

/// The closures of the chain whose summaries are intact, with their blockers.
fn closed(audits: &[ClosureAudit]) -> Vec<ClosureBlockers> {
    let intact = audits.iter().filter_map(|audit| Some((audit, audit.summary.as_ref()?)));
    let closed = intact.map(|(audit, summary)| ClosureBlockers {
        closure: audit.closure.clone(),
        blockers: summary.blockers.clone(),
    });
    closed.collect()
}

fn row(audits: &[ClosureAudit], step: Step) -> RollupStep {
    let Some(audit) = audit_of(audits, step) else {
        let checks = CHECKS.map(|check| CheckResult::new(check, false, "not reached"));
        return RollupStep {
            step,
            state: StepState::NotReached,
            closure: None,
            checks: checks.into(),
            blockers: Vec::new(),
        };
    };
    let broken: Vec<String> = integrity_problems(audit)
        .map(|problem| format!("{} {}", problem.subject, problem.detail))
        .collect();
    let summary = audit.summary.as_ref();
    let intact = summary.is_some();
    let listed = summary.map_or(0, |summary| summary.artifacts.len());
    let gate = gates::gate_problem(audits, step);
    let broken_words = broken.join("; ");
    let artifacts_words = format!("{listed} read again, same hashes");
    let gate_words = gate.as_deref().unwrap_or_default();
    // In the order of `CHECKS`: whether it holds, and what is said if it does and if not.
    let answers: [(bool, &str, &str); 4] = [
        (intact, "read again, same hash", &broken_words),
        (intact && broken.is_empty(), &artifacts_words, &broken_words),
        (
            intact && !contradicts_chain(audit),
            "chain and summary agree",
            "chain and summary do not agree",
        ),
        (gate.is_none(), "no step ran after a gate that was closed", gate_words),
    ];
    let check = |(name, (holds, good, bad)): (&str, (bool, &str, &str))| {
        CheckResult::new(name, holds, if holds { good } else { bad })
    };
    let checks = CHECKS.into_iter().zip(answers).map(check).collect();
    RollupStep {
        step,
        state: if audit.is_green() {
            StepState::Green
        } else {
            StepState::Held
        },
        closure: Some(audit.closure.clone()),
        checks,
        blockers: summary.map_or_else(Vec::new, |summary| codes(&summary.blockers)),
    }
}

/// Whether the matrix has a row for each of M3.A … M3.H with every check, and every lane.
pub(crate) fn is_complete(matrix: &GateRollupMatrix) -> bool {
    let rows = matrix.steps.iter().map(|row| row.step).eq(Step::GATED);
    let cells = matrix.steps.iter().all(|row| {
        let reached = row.state != StepState::NotReached;
        row.checks.iter().map(|check| check.check.as_str()).eq(CHECKS) && row.closure.is_some() == reached
    });
    let lanes = matrix
        .lanes
        .iter()
        .map(|lane| lane.lane.as_str())
        .eq(lanes::LANES.map(|(lane, _)| lane));
    rows && cells && lanes
}

/// The blockers that only a defect of our own can raise: the documents do not agree with each other.
pub(crate) fn defects(rollup: &Rollup, built: &[u8], again: &[u8]) -> Vec<Finding> {
    let Rollup {
        matrix,
        register,
        verdict,
    } = rollup;
    let mut findings = Vec::new();
    for blocker in &register.unresolved_blockers {
        if blocker.severity != blocker.code.severity() {
            findings.push(Blocker::SeverityUnknown.on(blocker.code.code(), "its severity is not the taxonomy's"));
        }
    }
    if !matrix.complete || !is_complete(matrix) {
        findings.push(Blocker::MatrixIncomplete.on("m3i_gate_rollup_matrix", "it lacks a row, a check or a lane"));
    }
    let listed: BTreeSet<Blocker> = register
        .unresolved_blockers
        .iter()
        .map(|blocker| blocker.code)
        .collect();
    let counted = register.unresolved_count == register.unresolved_blockers.len() as u64;
    if !counted || !listed.iter().eq(&verdict.unresolved_codes) {
        let detail = "count, list and the verdict's codes are not the same set";
        findings.push(Blocker::UnresolvedSetImplicit.on("m3i_blocker_register", detail));
    }
    if built != again || !verdict.reproducible {
        findings.push(Blocker::VerdictNotReproducible.on("m3i_p1_verdict", "built twice, the bytes differ"));
    }
    let advances = verdict.verdict == RollupVerdict::AdvanceToM3J;
    let all_green = matrix.steps.iter().all(|row| row.state == StepState::Green);
    let clear = register.unresolved_blockers.is_empty() && verdict.not_reached.is_empty() && all_green;
    if verdict.overall_pass != advances || (advances && !clear) {
        let detail = "it advances although a step is not green or a blocker stands";
        findings.push(Blocker::RollupAdvanceDespiteBlockers.on("m3i_p1_verdict", detail));
    }
    findings
}
