//! Defence in depth: what only a defect of our own can break, checked on the documents as they were built.

use p1_contract::artifacts::{CommitPosture, M4EntryReadinessReceipt, PhaseSummary};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::evidence::HOLD;
use p1_contract::ids::PlatformRunId;
use p1_contract::ledger::LEDGER_RECORD;
use p1_contract::observations::phase_verdict::{Facts, PackFacts};
use p1_contract::owner::Owner;
use p1_contract::reference::ArtifactRef;
use p1_contract::step::Step;
use p1_contract::verdict::{PhaseVerdict, RollupVerdict};

use crate::checklist;

/// The gate that the receipt opens.
pub(crate) const NEXT_GATE: &str = "M4_READY";

/// The contradictions within a phase summary.
pub(crate) fn defects(summary: &PhaseSummary, facts: &Facts) -> Vec<Finding> {
    const SUBJECT: &str = "m3_execution_summary";
    let mut findings = Vec::new();
    let advances = summary.verdict == PhaseVerdict::AdvanceToM4;
    if advances && summary.adjudication.is_none() {
        findings.push(Blocker::VerdictVocabulary.on(SUBJECT, "it advances without an adjudication of M3.I"));
    }
    if advances && !summary.unresolved_blockers.is_empty() {
        findings.push(Blocker::UnresolvedAtAdvance.on(SUBJECT, "it advances, and blockers are unresolved"));
    }
    if let Some(why) = inconsistency(summary, facts, advances) {
        findings.push(Blocker::SummaryInconsistent.on(SUBJECT, why));
    }
    let held = summary
        .adjudication
        .is_some_and(|verdict| verdict != RollupVerdict::AdvanceToM3J)
        || !summary.not_reached.is_empty()
        || summary.closures.iter().any(|closure| !closure.overall_pass);
    if advances && held {
        findings.push(Blocker::VerdictAdvanceDespiteBlockers.on(SUBJECT, "it advances, and a gate is closed"));
    }
    findings
}

fn inconsistency(summary: &PhaseSummary, facts: &Facts, advances: bool) -> Option<&'static str> {
    let owners = summary.closures.iter().map(|closure| closure.step);
    let chain = Owner::all().filter(|owner| *owner != Step::PhaseVerdict);
    let in_order = owners.eq(chain.filter(|owner| summary.closures.iter().any(|closure| closure.step == *owner)));
    if summary.overall_pass != advances {
        Some("verdict and overall_pass differ")
    } else if !later_phases_agree(summary, advances) {
        Some("what later phases gate on differs from the verdict")
    } else if summary.next_action.is_some() == advances {
        Some("a hold names what to do next, and an advance does not")
    } else if !advances && summary.unresolved_blockers.is_empty() {
        Some("it holds without a blocker")
    } else if advances && summary.commit != CommitPosture::ToBeCommitted {
        Some("it advances without a ledger to commit to")
    } else if summary.commit != facts.ledger.posture {
        Some("its commit is not the ledger's posture")
    } else if !in_order {
        Some("its closures are not in the order of the steps")
    } else if summary.completion_checklist.len() != checklist::ITEMS
        || !summary
            .completion_checklist
            .iter()
            .all(|item| checklist::is_consistent(item, advances))
    {
        Some("its completion checklist is not the plan's, or not complete at an advance")
    } else {
        None
    }
}

/// Whether gate, readiness and blockers, by which later phases decide, say what the verdict says.
fn later_phases_agree(summary: &PhaseSummary, advances: bool) -> bool {
    let codes = |findings: &[Finding]| findings.iter().map(|finding| finding.code).collect::<Vec<_>>();
    let Some(listed) = summary.blockers.as_deref() else {
        return false;
    };
    let registered = summary.unresolved_blockers.iter().map(|blocker| blocker.code);
    summary.next_gate.as_deref() == Some(if advances { NEXT_GATE } else { HOLD })
        && summary.m4_entry_ready == Some(advances)
        && summary.blocker_count == Some(listed.len() as u64)
        && codes(listed).into_iter().eq(registered)
}

/// `M3J-B6`: the receipt refers to something else than what was read, written and committed.
pub(crate) fn receipt_defect(
    receipt: &M4EntryReadinessReceipt,
    facts: &Facts,
    summary: &ArtifactRef,
    commit: &ArtifactRef,
) -> Option<Finding> {
    let pack = match &facts.pack {
        PackFacts::Intact { object, .. } => Some(object),
        PackFacts::NotListed | PackFacts::Unusable(_) => None,
    };
    let run = facts.run();
    let ledger = run.platform_run_id.as_ref().map(PlatformRunId::ledger_prefix);
    let in_ledger = ledger.is_some_and(|prefix| receipt.commit.key.as_str().starts_with(&prefix));
    let why = if receipt.verdict != PhaseVerdict::AdvanceToM4 || !receipt.overall_pass || receipt.next_gate != NEXT_GATE
    {
        "it does not open M4"
    } else if Some(&receipt.p1_verdict) != facts.rollup.verdict_object.as_ref() {
        "its verdict of M3.I is not the one that was read"
    } else if Some(&receipt.m4_handoff_pack) != pack {
        "its handoff pack is not the one that was read"
    } else if &receipt.m3_execution_summary != summary {
        "its phase summary is not the one that was written"
    } else if &receipt.commit != commit || receipt.commit.name != LEDGER_RECORD || !in_ledger {
        "its commit is not the record in the run's ledger"
    } else {
        return None;
    };
    Some(Blocker::ReceiptReferencesInvalid.on("m4_entry_readiness_receipt", why))
}
