//! Computes again the phase's own window, which the budget envelope and the outcome receipt say.

use p1_contract::artifacts::{PhaseBudgetEnvelope, PhaseCostOutcomeReceipt};
use p1_contract::evidence::RunIds;
use p1_contract::ids::{PlatformRunId, Stamp};
use p1_contract::owner::Owner;
use p1_contract::step::Step;

use super::judged::Evidence;
use crate::findings::Findings;

/// The window begins with the execution that minted the run, and ends with the one that M3.H is of.
pub(super) fn check(evidence: &Evidence<'_>, run: &RunIds, findings: &mut Findings) {
    let Some(closed) = evidence.closed.get(&Owner::Step(Step::CostEnvelope)) else {
        return;
    };
    let now = closed.closure.phase_execution_id.stamp();
    let begins = |start: Stamp| {
        let run = run.platform_run_id.as_ref();
        run.is_none() || (0..=20).any(|attempt| PlatformRunId::mint(start, attempt).as_ref() == run)
    };
    let mut expect = |key: &str, start: Option<Stamp>, end: Option<Stamp>| {
        // Evidence of revision 1 says neither.
        if (start, end) != (None, None) {
            findings.holds(key, "the start of the phase's window", start.is_some_and(begins));
            findings.expect(key, "the end of the phase's window", &end, &now);
        }
    };
    if let Some((key, envelope)) = evidence.artifact::<PhaseBudgetEnvelope>(Step::CostEnvelope) {
        let body = envelope.body;
        expect(&key, body.phase_window_start_utc, body.phase_window_end_utc);
    }
    if let Some((key, receipt)) = evidence.artifact::<PhaseCostOutcomeReceipt>(Step::CostEnvelope) {
        let body = receipt.body;
        expect(&key, body.phase_window_start_utc, body.phase_window_end_utc);
    }
}
