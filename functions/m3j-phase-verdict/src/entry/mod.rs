//! The entry of a later phase: may it work on this run? (contract section 5, form 4)
//!
//! `observe` reads the run's ledger and the evidence that its head leads to, and nothing else. `evaluate` asks the audit library
//! what follows. Nothing is written but this phase execution's own evidence: no run's root and no ledger is touched.

mod observe;

use p1_audit::entry::answer;
use p1_contract::artifacts::{CheckResult, PhaseEntryReceipt};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::input::PhaseEntry;
use p1_contract::observations::phase_entry::{Observed, SignatureFacts};
use p1_contract::owner::Owner;
use p1_contract::request::{Conclusion, PhaseAdmitted, StepInput, StepResult};
use p1_contract::step::Step;
use p1_runtime::{Author, Evaluation, Fault, StepContext, StepLogic};
use serde_json::{Value, json};

use crate::signer::Signer;

/// The entry.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// What the deployment signs its verdicts with: its public half is what a signature must verify under.
    pub signer: Signer,
}

impl StepLogic for Entry {
    const STEP: Step = Step::PhaseVerdict;
    const OWNER: Owner = Owner::Entry;
    type Observed = Observed;

    async fn preempt(&self, ctx: &StepContext<'_>) -> Result<Option<StepResult>, Fault> {
        asked(ctx.input).map(|_| None)
    }

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        observe::observe(ctx, &self.signer, &asked(ctx.input)?.platform_run_id).await
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        let asked = asked(input)?;
        let judged =
            answer(asked, observed).map_err(|error| Fault::internal("read the observations", error.to_string()))?;
        let findings = judged.findings();
        let admitted = findings.is_empty();
        let run = judged.run;
        let receipt = PhaseEntryReceipt {
            asked: asked.clone(),
            checks: checks(&findings, observed),
            references: judged.references.clone(),
            environment: judged.environment.clone(),
            admitted,
        };
        let wave = vec![Author::new(input, Step::PhaseVerdict, run.clone()).artifact(receipt)?];
        let conclusion = if admitted {
            Conclusion::PhaseAdmitted(PhaseAdmitted {
                environment: judged.environment,
                correlation: asked.clone(),
                references: judged.references,
            })
        } else {
            Conclusion::Refused
        };
        Ok(Evaluation {
            findings,
            waves: vec![wave],
            run,
            conclusion,
        })
    }

    fn asked(&self, input: &StepInput) -> Option<Value> {
        input.input.phase_entry().map(|asked| json!(asked))
    }
}

/// The question that the execution is; only a phase entry is answered here.
fn asked(input: &StepInput) -> Result<&PhaseEntry, Fault> {
    input.input.phase_entry().ok_or_else(|| {
        Fault::InvalidInput(
            "execution input: `platform_run_id` is missing; a phase is admitted by {\"platform_run_id\": …, \
             \"scenario_run_id\": …}"
                .to_owned(),
        )
    })
}

/// The checks, a code each.
fn checks(findings: &[Finding], observed: &Observed) -> Vec<CheckResult> {
    let of = |code: Blocker| -> Vec<Finding> {
        findings
            .iter()
            .filter(|finding| finding.code == code)
            .cloned()
            .collect()
    };
    let has_advance = of(Blocker::NoCommittedAdvance).is_empty();
    let all = [
        ("M3J-P1-COMMITTED-ADVANCE", Blocker::NoCommittedAdvance),
        ("M3J-P2-EVIDENCE-INTACT", Blocker::EntryEvidenceInvalid),
        ("M3J-P3-IDS-AGREE", Blocker::EntryIdsDisagree),
        ("M3J-P4-SIGNED-BY-DEPLOYMENT", Blocker::EntrySignatureInvalid),
    ];
    let check = |(name, code): (&str, Blocker)| match code {
        Blocker::NoCommittedAdvance => CheckResult::of(name, &of(code)),
        _ if !has_advance => CheckResult::new(name, false, "not looked at, because there is no committed advance"),
        Blocker::EntrySignatureInvalid if observed.signature == SignatureFacts::NotAsked => {
            CheckResult::new(name, true, "not asked: the deployment does not sign")
        }
        code => CheckResult::of(name, &of(code)),
    };
    all.into_iter().map(check).collect()
}
