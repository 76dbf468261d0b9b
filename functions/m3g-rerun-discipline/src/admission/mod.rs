//! The admission of a rerun: may this held or faulted run go on, from which step, on which closures?
//!
//! `observe` gathers the facts, holds them against [`checks`], and only where none is broken acquires the run's
//! ledger. `evaluate` holds the same facts against the same checks, and adds what became of the acquisition.

mod checks;
mod facts;
mod history;

use p1_contract::artifacts::{CheckResult, RerunAdmissionReceipt, RerunInput, ResumeInput};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::input::Rerun;
use p1_contract::ledger::LedgerRecord;
use p1_contract::observations::Learned;
use p1_contract::observations::admission::Observed;
use p1_contract::owner::Owner;
use p1_contract::request::{Admitted, Conclusion, StepInput, StepResult};
use p1_contract::step::Step;
use p1_runtime::run_ledger::{self, Acquired};
use p1_runtime::{Author, Evaluation, Fault, Recreated, StepContext, StepLogic};
use serde_json::{Value, json};

/// The admission.
#[derive(Debug, Clone, Copy)]
pub struct Admission;

impl StepLogic for Admission {
    const STEP: Step = Step::RerunDiscipline;
    const OWNER: Owner = Owner::Admission;
    type Observed = Observed;

    async fn preempt(&self, ctx: &StepContext<'_>) -> Result<Option<StepResult>, Fault> {
        rerun(ctx.input).map(|_| None)
    }

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let rerun = rerun(ctx.input)?;
        let facts = facts::gather(ctx, rerun).await?;
        let allowed = checks::all(rerun, &facts)
            .iter()
            .all(|(_, findings)| findings.is_empty());
        let acquired = match checks::run_ids(&facts).platform_run_id {
            Some(run) if allowed => Some(match run_ledger::acquire(ctx, &run).await? {
                Acquired::Ours(sequence) => Learned::Found(sequence),
                Acquired::Refused(why) => Learned::Problem(why),
            }),
            _ => None,
        };
        Ok(Observed { facts, acquired })
    }

    /// The ledger record that was acquired.
    fn recreate(&self, input: &StepInput, observed: &Observed) -> Result<Vec<Recreated>, Fault> {
        let sequence = observed.acquired.as_ref().and_then(Learned::found).copied();
        match (checks::run_ids(&observed.facts).platform_run_id, sequence) {
            (Some(run), Some(sequence)) => {
                let record = LedgerRecord::acquired(&run, sequence, &input.execution, input.stamp);
                Ok(vec![run_ledger::recorded(&record)?])
            }
            _ => Ok(Vec::new()),
        }
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        let rerun = rerun(input)?;
        let facts = &observed.facts;
        let groups = checks::all(rerun, facts);
        let mut results: Vec<CheckResult> = groups
            .iter()
            .map(|(name, findings)| CheckResult::of(name, findings))
            .collect();
        let mut findings: Vec<Finding> = groups.into_iter().flat_map(|(_, findings)| findings).collect();
        let (ledger, refusal) = acquisition(observed, findings.is_empty());
        results.push(ledger);
        findings.extend(refusal);

        let admitted = findings.is_empty();
        let resume_at = checks::resume_at(facts).ok();
        let run = checks::run_ids(facts);
        let receipt = RerunAdmissionReceipt {
            held: rerun.held.clone(),
            resume_at,
            only: rerun.only,
            reset: rerun.reset.clone(),
            checks: results,
            registry: facts.registry.found().map(|registry| registry.object.clone()),
            ledger_sequence: observed.acquired.as_ref().and_then(Learned::found).copied(),
            admitted,
        };
        let wave = vec![Author::new(input, Step::RerunDiscipline, run.clone()).artifact(receipt)?];
        let conclusion = match resume_at {
            Some(resume_at) if admitted => Conclusion::Admitted(Admitted {
                closures: checks::closed_steps(facts),
                resume_at,
                only: rerun.only,
            }),
            _ => Conclusion::Refused,
        };
        Ok(Evaluation {
            findings,
            waves: vec![wave],
            run,
            conclusion,
        })
    }

    fn asked(&self, input: &StepInput) -> Option<Value> {
        let rerun = input.input.rerun()?;
        let resume = ResumeInput {
            held: rerun.held.clone(),
            only: rerun.only.then_some(true),
            reset: rerun.reset.clone(),
        };
        Some(json!(RerunInput { resume }))
    }
}

/// The rerun that the execution is; admission is for reruns alone.
fn rerun(input: &StepInput) -> Result<&Rerun, Fault> {
    input.input.rerun().ok_or_else(|| {
        Fault::InvalidInput(
            "execution input: `resume` is missing; only a rerun is admitted, give {\"resume\": {…}}".to_owned(),
        )
    })
}

/// The ledger's check, which comes last.
fn acquisition(observed: &Observed, allowed: bool) -> (CheckResult, Option<Finding>) {
    const NAME: &str = "M3G-A9-LEDGER-ACQUIRED";
    let why = match &observed.acquired {
        Some(Learned::Found(sequence)) => {
            return (CheckResult::new(NAME, true, format!("holds: record {sequence}")), None);
        }
        None if !allowed => {
            let detail = "not tried, because another check does not hold";
            return (CheckResult::new(NAME, false, detail), None);
        }
        Some(Learned::Problem(why)) => why,
        None => "was not acquired",
    };
    let finding = Blocker::RunLockNotOurs.on("ledger", why);
    (CheckResult::of(NAME, std::slice::from_ref(&finding)), Some(finding))
}
