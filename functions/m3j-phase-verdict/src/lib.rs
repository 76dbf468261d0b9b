//! M3.J Phase verdict, in its two duties (contract sections 5 and 7): [`PhaseVerdictStep`] closes the phase and, at a committed
//! advance, opens M4; [`Entry`] tells a later phase whether it may work on a run.
//!
//! The order of the writes is the point. The phase summary comes first, then the ledger's COMMITTED record with its
//! hash, then, at an advance, the receipt that M4 waits for, then the closure notes. A verdict that is not in the
//! ledger is void, and a receipt never precedes its commit. Concluding a hold is a pass of this step.
//!
//! Last of all, once its own summary is there, what was concluded is signed, where the deployment signs, and a run that advances
//! is listed below its scenario. That adds objects beside the evidence, and changes nothing else.

mod checklist;
mod checks;
mod entry;
mod facts;
mod kms;
mod next;
mod notes;
mod seal;
mod signer;
mod summary;
#[cfg(test)]
mod tests;

use p1_contract::artifacts::{CommitPosture, M4EntryReadinessReceipt, PhaseSummary};
use p1_contract::blocker::{Blocker, Finding, codes};
use p1_contract::evidence::{Body, Document, merge};
use p1_contract::hash::Sha256Hex;
use p1_contract::ledger::LedgerRecord;
use p1_contract::observations::Written;
use p1_contract::observations::phase_verdict::{CommitOutcome, Observed, PackFacts, SummaryWrite};
use p1_contract::request::{Concluded, Conclusion, Mode, StepInput, StepResult};
use p1_contract::secrets;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::run_ledger::{self, Committed};
use p1_runtime::store::DOCUMENT_LIMIT;
use p1_runtime::{Author, Closed, Evaluation, Fault, Harness, Recreated, Request, StepContext, StepLogic, key_in};

pub use crate::entry::Entry;
pub use crate::kms::{KmsKey, kms_client};
pub use crate::signer::{LocalKey, Signer, SignerError};
pub use crate::summary::phase_summary;

/// Runs the duty that an invocation calls for.
///
/// # Errors
/// When no verdict could be reached.
pub async fn run(harness: &Harness, signer: Signer, request: &Request) -> Result<StepResult, Fault> {
    match request.input.mode {
        // Boxed: the two are deep, and the compiler's layout of both inside `main` is not.
        Mode::Entry => Box::pin(harness.run(&Entry { signer }, request)).await,
        Mode::Step | Mode::Admission => Box::pin(harness.run(&PhaseVerdictStep { signer }, request)).await,
    }
}

/// The step.
#[derive(Debug, Clone, Default)]
pub struct PhaseVerdictStep {
    /// What it signs its verdict with.
    pub signer: Signer,
}

impl StepLogic for PhaseVerdictStep {
    const STEP: Step = Step::PhaseVerdict;
    type Observed = Observed;

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let facts = facts::gather(ctx).await?;
        let (document, _) = phase_summary(ctx.input, &facts)?;
        let summary = write(ctx, &document).await?;
        let commit = match (&summary, &facts.run().platform_run_id) {
            (SummaryWrite::Stored(stored), Some(run)) if facts.ledger.posture == CommitPosture::ToBeCommitted => {
                match run_ledger::commit(ctx, run, document.body.verdict, &stored.object()).await? {
                    Committed::Done(record) => CommitOutcome::Done(*record),
                    Committed::Lost(why) => CommitOutcome::Lost(why),
                    Committed::Inconclusive(why) => CommitOutcome::Inconclusive(why),
                }
            }
            _ => CommitOutcome::NotTried,
        };
        Ok(Observed { facts, summary, commit })
    }

    /// The phase summary, and the COMMITTED record that names it.
    fn recreate(&self, input: &StepInput, observed: &Observed) -> Result<Vec<Recreated>, Fault> {
        let (document, _) = phase_summary(input, &observed.facts)?;
        let summary = Recreated {
            name: PhaseSummary::NAME.to_owned(),
            key: key_in(
                &input.settings.environment,
                &input.phase_execution_id(Self::STEP),
                &format!("{}.json", PhaseSummary::NAME),
            )?,
            bytes: document.render()?,
        };
        let mut all = vec![summary];
        if let (SummaryWrite::Stored(stored), CommitOutcome::Done(record), Some(run)) = (
            &observed.summary,
            &observed.commit,
            observed.facts.run().platform_run_id,
        ) && let Some(sequence) = run_ledger::sequence(&run, &record.key)
        {
            let verdict = document.body.verdict;
            let (holder, stamp) = (&input.execution, input.stamp);
            let record = LedgerRecord::committed(&run, sequence, holder, stamp, verdict, stored.object());
            all.push(run_ledger::recorded(&record)?);
        }
        Ok(all)
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        let (document, mut findings) = phase_summary(input, &observed.facts)?;
        findings.extend(write_findings(&document, observed)?);
        let committed = matches!(observed.commit, CommitOutcome::Done(_));
        // What is not in the ledger is void, and an advance that is void is a hold.
        let verdict = if committed {
            document.body.verdict
        } else {
            PhaseVerdict::HoldM3
        };

        let author = Author::new(input, Self::STEP, observed.facts.run());
        let mut waves = Vec::new();
        if verdict == PhaseVerdict::AdvanceToM4 && findings.is_empty() {
            match receipt(observed) {
                Ok(receipt) => waves.push(vec![author.artifact(receipt)?]),
                Err(finding) => findings.push(finding),
            }
        }
        let closing = notes::Closing {
            input,
            verdict,
            summary: &document,
            observed,
            own: &findings,
        };
        waves.push(closing.notes(&author)?);

        let registered = document.body.unresolved_blockers.iter().map(|blocker| blocker.code);
        let mut unresolved: Vec<Blocker> = registered.chain(codes(&findings)).collect();
        unresolved.sort();
        unresolved.dedup();
        let conclusion = Conclusion::Verdict(Concluded {
            verdict,
            committed,
            unresolved,
            next: document.body.next_action.as_ref().map(next::paste),
        });
        Ok(Evaluation {
            findings,
            waves,
            run: observed.facts.run(),
            conclusion,
        })
    }

    /// Every blocker of the phase: those that the summary registers.
    fn standing(&self, input: &StepInput, observed: &Observed) -> Result<Vec<Finding>, Fault> {
        let (document, _) = phase_summary(input, &observed.facts)?;
        Ok(document.body.blockers.unwrap_or_default())
    }

    async fn seal(&self, ctx: &StepContext<'_>, closed: Closed<'_, Observed>) -> Result<(), Fault> {
        seal::seal(ctx, &self.signer, closed).await
    }
}

/// Writes the phase summary, unless it holds secret material.
async fn write(ctx: &StepContext<'_>, document: &Document<PhaseSummary>) -> Result<SummaryWrite, Fault> {
    let hits = secrets::scan_value(&merge(&document.header, &document.body)?);
    if !hits.is_empty() {
        return Ok(SummaryWrite::Withheld(hits));
    }
    let key = ctx.own_key(&format!("{}.json", PhaseSummary::NAME))?;
    let bytes = document.render()?;
    if bytes.len() as u64 > DOCUMENT_LIMIT {
        let why = format!(
            "it has {} bytes, and a document has at most {DOCUMENT_LIMIT}",
            bytes.len()
        );
        return Ok(SummaryWrite::NotStored(Written::Refused(why).describe()));
    }
    Ok(match ctx.create(ctx.bucket(), &key, PhaseSummary::NAME, &bytes).await {
        Written::Stored(artifact) => SummaryWrite::Stored(artifact),
        Written::Occupied { found } => SummaryWrite::Occupied { found },
        other => SummaryWrite::NotStored(other.describe()),
    })
}

/// The blockers of the two writes.
fn write_findings(document: &Document<PhaseSummary>, observed: &Observed) -> Result<Vec<Finding>, Fault> {
    let mut findings = Vec::new();
    let not_published = |detail: String| Blocker::VerdictNotPublished.on(PhaseSummary::NAME, detail);
    match &observed.summary {
        SummaryWrite::Stored(stored) => {
            if stored.sha256 != Sha256Hex::of(&document.render()?) {
                let detail = "what was written is not what follows from the observations";
                findings.push(Blocker::SummaryInconsistent.on(stored.key.as_str(), detail));
            }
            if observed.facts.ledger.posture == CommitPosture::ToBeCommitted
                && observed.commit == CommitOutcome::NotTried
            {
                let detail = "the ledger is ours, and the summary was not committed";
                findings.push(Blocker::SummaryInconsistent.on(stored.key.as_str(), detail));
            }
        }
        // An earlier attempt wrote its summary while the ledger was ours. That the ledger is gone is the cause.
        SummaryWrite::Occupied { .. } if observed.facts.ledger.posture == CommitPosture::LedgerLost => {}
        SummaryWrite::Occupied { found } => {
            findings.push(not_published(format!(
                "its key already holds other bytes (sha256 {found})"
            )));
        }
        SummaryWrite::NotStored(why) => findings.push(not_published(why.clone())),
        SummaryWrite::Withheld(hits) => findings.extend(
            hits.iter()
                .map(|hit| not_published(format!("withheld: secret material at {}, rule {}", hit.place, hit.rule))),
        ),
    }
    match &observed.commit {
        CommitOutcome::Lost(why) => findings.push(Blocker::CommitLedgerLost.on("ledger", why)),
        CommitOutcome::Inconclusive(why) => {
            findings.push(Blocker::VerdictNotPublished.on("ledger", format!("COMMITTED record: {why}")));
        }
        CommitOutcome::Done(_) | CommitOutcome::NotTried => {}
    }
    Ok(findings)
}

/// The receipt of a committed advance.
fn receipt(observed: &Observed) -> Result<M4EntryReadinessReceipt, Finding> {
    let Observed { facts, summary, commit } = observed;
    let missing =
        |what| Blocker::ReceiptReferencesInvalid.on(M4EntryReadinessReceipt::NAME, format!("there is no {what}"));
    let SummaryWrite::Stored(summary) = summary else {
        return Err(missing("phase summary"));
    };
    let CommitOutcome::Done(commit) = commit else {
        return Err(missing("commit"));
    };
    let PackFacts::Intact { object: pack, .. } = &facts.pack else {
        return Err(missing("handoff pack"));
    };
    let Some(p1_verdict) = &facts.rollup.verdict_object else {
        return Err(missing("verdict of M3.I"));
    };
    let receipt = M4EntryReadinessReceipt {
        verdict: PhaseVerdict::AdvanceToM4,
        p1_verdict: p1_verdict.clone(),
        m4_handoff_pack: pack.clone(),
        m3_execution_summary: summary.clone(),
        commit: commit.clone(),
        next_gate: checks::NEXT_GATE.to_owned(),
        overall_pass: true,
        m4_entry_ready: Some(true),
        blocker_count: Some(0),
        blockers: Some(Vec::new()),
    };
    checks::receipt_defect(&receipt, facts, summary, commit).map_or(Ok(receipt), Err)
}
