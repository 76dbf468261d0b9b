//! The phase summary: a pure function of input and facts, so that a retry writes the same bytes.

use std::collections::BTreeSet;

use p1_contract::artifacts::{CommitPosture, PhaseSummary, RegisteredBlocker};
use p1_contract::blocker::{Blocker, Finding, settle};
use p1_contract::evidence::{Document, HOLD};
use p1_contract::ids::PlatformRunId;
use p1_contract::observations::ClosureAudit;
use p1_contract::observations::phase_verdict::{Facts, PackFacts};
use p1_contract::owner::Owner;
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_contract::verdict::{PhaseVerdict, RollupVerdict};
use p1_runtime::{Author, Fault};

use crate::{checklist, checks, next};

/// The codes of earlier steps that say the ledger is another's: the cause is registered, and not raised twice.
const LEDGER_CODES: [Blocker; 3] = [
    Blocker::RunLockNotOurs,
    Blocker::PublicationLedgerLost,
    Blocker::HandoffLedgerLost,
];

/// The summary of the phase, and M3.J's own blockers that stand in it.
///
/// # Errors
/// When an artifact's key cannot be named: a defect.
pub fn phase_summary(input: &StepInput, facts: &Facts) -> Result<(Document<PhaseSummary>, Vec<Finding>), Fault> {
    let mut own = findings(facts);
    let mut summary = build(input, facts, &own)?;
    let defects = checks::defects(&summary, facts);
    if !defects.is_empty() {
        own.extend(defects);
        summary = build(input, facts, &own)?;
    }
    Ok((
        Author::new(input, Step::PhaseVerdict, facts.run()).document(summary)?,
        own,
    ))
}

/// M3.I's adjudication, where its verdict is there and says the same twice.
pub(crate) fn adjudication(facts: &Facts) -> Option<RollupVerdict> {
    let verdict = facts.rollup.verdict.as_ref()?;
    let consistent = verdict.overall_pass == (verdict.verdict == RollupVerdict::AdvanceToM3J);
    consistent.then_some(verdict.verdict)
}

/// The blockers that the facts show.
fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings = chain_findings(facts);
    findings.extend(rewritten_findings(facts));
    let advances = adjudication(facts) == Some(RollupVerdict::AdvanceToM3J);
    if let Some(rollup) = facts.link(Step::GateRollup).filter(|link| link.is_green()) {
        for problem in &facts.rollup.unreadable {
            findings.push(Blocker::VerdictVocabulary.on(&problem.subject, &problem.detail));
        }
        if adjudication(facts).is_none() && facts.rollup.unreadable.is_empty() {
            let detail = "M3.I passed without a verdict, or with one that contradicts itself";
            findings.push(Blocker::VerdictVocabulary.on(rollup.closure.key.as_str(), detail));
        }
    }
    if advances && let Some((subject, detail)) = pack_problem(facts) {
        findings.push(Blocker::HandoffPackDrifted.on(subject, detail));
    }
    let known = unresolved(facts, &findings)
        .iter()
        .any(|finding| LEDGER_CODES.contains(&finding.code));
    let lost = match facts.ledger.posture {
        CommitPosture::ToBeCommitted => false,
        CommitPosture::LedgerLost => !known,
        CommitPosture::NoLedger => advances,
    };
    if lost {
        findings.push(Blocker::CommitLedgerLost.on("ledger", &facts.ledger.detail));
    }
    findings
}

fn incomplete(subject: impl Into<String>, detail: impl Into<String>) -> Finding {
    Blocker::ChainIncomplete.on(subject, detail)
}

/// `M3J-B2`: a key of the chain that was overwritten or deleted, unless the admission or M3.G has registered it. The ledger's own
/// records are the ledger's finding.
fn rewritten_findings(facts: &Facts) -> Vec<Finding> {
    let registered = |subject: &str| {
        let mut known = facts.rollup.unresolved.iter();
        known.any(|finding| finding.code == Blocker::DestructiveMutation && finding.subject == subject)
    };
    let ledger = facts.run().platform_run_id.as_ref().map(PlatformRunId::ledger_prefix);
    let in_ledger = |subject: &str| ledger.as_ref().is_some_and(|prefix| subject.starts_with(prefix));
    let found = facts.rewritten.iter();
    found
        .filter(|problem| !registered(&problem.subject) && !in_ledger(&problem.subject))
        .map(|problem| incomplete(&problem.subject, &problem.detail))
        .collect()
}

/// `M3J-B2`: what is wrong with the chain, unless M3.I has registered that very cause.
fn chain_findings(facts: &Facts) -> Vec<Finding> {
    let registered: BTreeSet<&str> = facts
        .rollup
        .unresolved
        .iter()
        .filter(|finding| matches!(finding.code, Blocker::RollupArtifactInvalid | Blocker::GateContradicted))
        .map(|finding| finding.subject.as_str())
        .collect();
    let mut findings = Vec::new();
    for link in &facts.chain {
        let owner = link.closure.step.id();
        let open = link
            .problems
            .iter()
            .filter(|problem| !registered.contains(problem.subject.as_str()));
        findings.extend(open.map(|problem| incomplete(&problem.subject, format!("{owner}: {}", problem.detail))));
        let contradicts = link
            .summary
            .as_ref()
            .is_some_and(|summary| summary.overall_pass != link.closure.overall_pass);
        if contradicts && !registered.contains(owner) {
            findings.push(incomplete(
                owner,
                "its summary says another verdict than the chain does",
            ));
        }
    }
    let Some(rollup) = facts.link(Step::GateRollup) else {
        findings.push(incomplete(Step::GateRollup.id(), "the chain has no closure of it"));
        return findings;
    };
    if rollup.summary.is_none() {
        return findings;
    }
    for closure in &facts.rollup.upstream {
        if facts.link(closure.step).is_none() {
            findings.push(incomplete(
                closure.step.id(),
                "M3.I rolled up its closure, and the chain has none",
            ));
        }
    }
    for link in facts.chain.iter().filter(|link| link.closure.step != Step::GateRollup) {
        if !facts.rollup.upstream.contains(&link.closure) {
            let detail = "the chain has another closure of it than the one that M3.I rolled up";
            findings.push(incomplete(link.closure.step.id(), detail));
        }
    }
    let missing = Step::GATED.into_iter().filter(|step| facts.link(*step).is_none());
    let advances = adjudication(facts) == Some(RollupVerdict::AdvanceToM3J);
    for step in missing.filter(|_| advances) {
        if !facts.rollup.upstream.iter().any(|closure| closure.step == step) {
            findings.push(incomplete(
                step.id(),
                "M3.I advances, and the chain has no closure of it",
            ));
        }
    }
    findings
}

/// Why the pack cannot go to M4. A closure of M3.F that cannot be read is the chain's matter.
fn pack_problem(facts: &Facts) -> Option<(String, String)> {
    facts.link(Step::M4Handoff)?.summary.as_ref()?;
    let run = facts.run();
    match &facts.pack {
        PackFacts::NotListed => Some((
            "m4_handoff_pack".to_owned(),
            "the closure of M3.F lists none".to_owned(),
        )),
        PackFacts::Unusable(problem) => Some((problem.subject.clone(), problem.detail.clone())),
        PackFacts::Intact {
            object,
            run: carried,
            scoped_to,
        } => {
            let ours = run.triplet().is_some() && carried == &run && Some(scoped_to) == run.platform_run_id.as_ref();
            (!ours).then(|| (object.key.to_string(), "it is of another run than the chain".to_owned()))
        }
    }
}

/// Every blocker that stands: M3.I's register, those of every summary that is no pass, and M3.J's own.
fn unresolved(facts: &Facts, own: &[Finding]) -> Vec<Finding> {
    let held = facts
        .chain
        .iter()
        .filter_map(|link| link.summary.as_ref())
        .flat_map(|summary| &summary.blockers);
    settle(facts.rollup.unresolved.iter().chain(held).chain(own).cloned().collect())
}

fn build(input: &StepInput, facts: &Facts, own: &[Finding]) -> Result<PhaseSummary, Fault> {
    let unresolved = unresolved(facts, own);
    let adjudication = adjudication(facts);
    let green = |step: Step| facts.link(step).is_some_and(ClosureAudit::is_green);
    let advances = adjudication == Some(RollupVerdict::AdvanceToM3J)
        && unresolved.is_empty()
        && facts.ledger.posture == CommitPosture::ToBeCommitted
        && Step::PhaseVerdict.before().all(green)
        && facts.link(Owner::Admission).is_none_or(ClosureAudit::is_green);
    let verdict = if advances {
        PhaseVerdict::AdvanceToM4
    } else {
        PhaseVerdict::HoldM3
    };
    Ok(PhaseSummary {
        verdict,
        adjudication,
        commit: facts.ledger.posture,
        execution_stamp_utc: input.stamp,
        closures: facts.chain.iter().map(|link| link.closure.clone()).collect(),
        not_reached: Step::PhaseVerdict
            .before()
            .filter(|step| facts.link(*step).is_none())
            .collect(),
        completion_checklist: checklist::items(input, facts, verdict, unresolved.is_empty())?,
        next_action: (!advances).then(|| next::action(input, facts, adjudication, &unresolved)),
        unresolved_blockers: unresolved.iter().map(RegisteredBlocker::from).collect(),
        overall_pass: advances,
        next_gate: Some(if advances { checks::NEXT_GATE } else { HOLD }.to_owned()),
        m4_entry_ready: Some(advances),
        blocker_count: Some(unresolved.len() as u64),
        blockers: Some(unresolved),
    })
}
