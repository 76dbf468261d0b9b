//! The entry of a later phase: may it work on this run? (contract section 5, form 4)
//!
//! `observe` reads the run's ledger and the evidence that its head leads to, and nothing else. `evaluate` asks the audit library
//! what follows. Nothing is written but this phase execution's own evidence: no run's root and no ledger is touched.

mod observe;

use p1_audit::entry::{Cause, Judgement, judge};
use p1_audit::evidence_set::{EvidenceSet, File, ListedObject};
use p1_contract::artifacts::{CheckResult, PhaseEntryReceipt};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::canonical;
use p1_contract::evidence::RunIds;
use p1_contract::hash::Sha256Hex;
use p1_contract::input::PhaseEntry;
use p1_contract::observations::phase_entry::{Observed, ReadDocument, SignatureFacts};
use p1_contract::owner::Owner;
use p1_contract::request::{Conclusion, PhaseAdmitted, StepInput, StepResult};
use p1_contract::step::Step;
use p1_runtime::{Author, Evaluation, Fault, StepContext, StepLogic};

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
        let mut set = EvidenceSet::default();
        for document in &observed.documents {
            put(&mut set, document)?;
        }
        let unusable = observed.unusable.iter().map(|problem| problem.subject.clone());
        set.unread.extend(unusable);
        let judged = judge(
            &set,
            &asked.platform_run_id,
            &asked.scenario_run_id,
            match &observed.signature {
                SignatureFacts::Verified { statement, .. } => Some(statement),
                _ => None,
            },
        );
        let found = Found::of(asked, observed, &judged);
        let findings = found.all();
        let admitted = findings.is_empty();
        let environment = if admitted { judged.environment } else { Default::default() };
        let run = if observed.ledger.found().is_some() {
            judged.run
        } else {
            RunIds::default()
        };
        let receipt = PhaseEntryReceipt {
            asked: asked.clone(),
            checks: found.checks(observed),
            references: judged.references.clone(),
            environment: environment.clone(),
            admitted,
        };
        let wave = vec![Author::new(input, Step::PhaseVerdict, run.clone()).artifact(receipt)?];
        let conclusion = if admitted {
            Conclusion::PhaseAdmitted(PhaseAdmitted {
                environment,
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

/// Adds a document that was read. Its content is canonical JSON, so it gives the bytes.
pub(crate) fn put(set: &mut EvidenceSet, document: &ReadDocument) -> Result<(), Fault> {
    let object = &document.object;
    let bytes = canonical::to_document(&document.content)
        .map_err(|error| Fault::internal(format!("render {}", object.key), error.to_string()))?;
    let listed = ListedObject {
        key: object.key.to_string(),
        version_id: object.version_id.clone(),
        etag: String::new(),
        sha256: object.sha256.clone(),
        bytes: object.bytes,
    };
    let sha256 = Sha256Hex::of(&bytes);
    set.listed.insert(object.key.to_string(), listed);
    set.files.insert(object.key.to_string(), File { bytes, sha256 });
    Ok(())
}

/// What was found, by check.
struct Found {
    advance: Vec<Finding>,
    evidence: Vec<Finding>,
    ids: Vec<Finding>,
    signature: Vec<Finding>,
}

impl Found {
    fn of(asked: &PhaseEntry, observed: &Observed, judged: &Judgement) -> Self {
        let judged = |cause: Cause, code: Blocker| -> Vec<Finding> {
            let problems = judged.problems.iter().filter(|problem| problem.cause == cause);
            problems.map(|problem| code.on(&problem.subject, &problem.detail)).collect()
        };
        let advance = match &observed.ledger {
            p1_contract::observations::Learned::Problem(why) => {
                vec![Blocker::NoCommittedAdvance.on(asked.platform_run_id.ledger_prefix(), why)]
            }
            p1_contract::observations::Learned::Found(_) => judged(Cause::Advance, Blocker::NoCommittedAdvance),
        };
        // A deleted object cannot be read either: that it was deleted is the cause.
        let is_rewritten = |subject: &str| observed.rewritten.iter().any(|problem| problem.subject == subject);
        let unusable = observed.unusable.iter().filter(|problem| !is_rewritten(&problem.subject));
        let learned = unusable.chain(&observed.rewritten);
        let evidence = learned.map(|problem| Blocker::EntryEvidenceInvalid.on(&problem.subject, &problem.detail));
        let mut evidence: Vec<Finding> = evidence.collect();
        let mut signature = judged(Cause::Signature, Blocker::EntrySignatureInvalid);
        if let SignatureFacts::Invalid(problem) = &observed.signature
            && !is_rewritten(&problem.subject)
        {
            signature.push(Blocker::EntrySignatureInvalid.on(&problem.subject, &problem.detail));
        }
        if advance.is_empty() {
            evidence.extend(judged(Cause::Evidence, Blocker::EntryEvidenceInvalid));
        }
        Found {
            ids: judged(Cause::Ids, Blocker::EntryIdsDisagree),
            advance,
            evidence,
            signature,
        }
    }

    fn all(&self) -> Vec<Finding> {
        let all = [&self.advance, &self.evidence, &self.ids, &self.signature];
        all.into_iter().flatten().cloned().collect()
    }

    fn checks(&self, observed: &Observed) -> Vec<CheckResult> {
        const ADVANCE: &str = "M3J-P1-COMMITTED-ADVANCE";
        let rest = [
            ("M3J-P2-EVIDENCE-INTACT", &self.evidence),
            ("M3J-P3-IDS-AGREE", &self.ids),
            ("M3J-P4-SIGNED-BY-DEPLOYMENT", &self.signature),
        ];
        let mut checks = vec![CheckResult::of(ADVANCE, &self.advance)];
        checks.extend(rest.into_iter().enumerate().map(|(at, (name, findings))| {
            if !self.advance.is_empty() {
                CheckResult::new(name, false, "not looked at, because there is no committed advance")
            } else if at == 2 && observed.signature == SignatureFacts::NotAsked {
                CheckResult::new(name, true, "not asked: the deployment does not sign")
            } else {
                CheckResult::of(name, findings)
            }
        }));
        checks
    }
}
