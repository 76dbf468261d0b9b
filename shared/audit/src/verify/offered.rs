//! Compares what a hold offers with the chain that it goes on from.

use p1_contract::artifacts::RerunInput;
use p1_contract::blocker::Severity;
use p1_contract::input::HeldSummary;
use p1_contract::step::Step;
use p1_contract::verdict::RollupVerdict;

use super::judged::Phase;
use crate::findings::Findings;

/// The action follows from the blockers and from how far the run came; the inputs go on from the last summary of M3.A … M3.H.
pub(super) fn check(phase: Phase<'_>, findings: &mut Findings) {
    let (key, phase) = (phase.key, &phase.document.body);
    let offers = phase.next_action.is_some();
    findings.expect(key, "whether it offers a way on", &offers, &!phase.overall_pass);
    let Some(next) = &phase.next_action else {
        return;
    };
    let of = |step: Step| phase.closures.iter().find(|closure| closure.step == step);
    let last = Step::GATED.into_iter().rev().find_map(|step| Some((step, of(step)?)));
    let no_go = phase.adjudication == Some(RollupVerdict::NoGoResetRequired)
        || phase
            .unresolved_blockers
            .iter()
            .any(|blocker| blocker.code.severity() == Severity::S1);
    let resumes = !no_go && last.is_some_and(|(step, _)| step >= Step::ConfigDigest);
    let action = if resumes { "RESUME" } else { "START_ANEW" };
    findings.expect(key, "its next action", &next.action.as_str(), &action);

    let held = last.filter(|_| resumes).and_then(|(_, closure)| {
        Some(HeldSummary {
            key: closure.key.clone(),
            version_id: closure.version_id.clone()?,
            sha256: closure.sha256.clone(),
        })
    });
    let offered = next.rerun_input.as_ref().map(|input| &input.resume.held);
    findings.expect(key, "the summary that its input goes on from", &offered, &held.as_ref());
    if let Some(alone) = &next.only_input {
        let mut expected = next.rerun_input.clone();
        if let Some(RerunInput { resume }) = &mut expected {
            resume.only = Some(true);
        }
        findings.expect(key, "its input for one state alone", &Some(alone), &expected.as_ref());
    }
    let starts = next.start_input.is_some() && resumes;
    findings.holds(key, "whether it offers a new start", !starts);
}
