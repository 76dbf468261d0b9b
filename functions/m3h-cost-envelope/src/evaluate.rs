//! What follows from the observations: all blockers, then the four artifacts.

use p1_contract::artifacts::{
    BillingArtifact, CostSourceReceipt, CostSourceReceipts, DailyCostPosture, PhaseBudgetEnvelope,
    PhaseCostOutcomeReceipt, ProofArtifact,
};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::evidence::{Body, RunIds};
use p1_contract::handles;
use p1_contract::ids::Stamp;
use p1_contract::observations::ClosureAudit;
use p1_contract::observations::cost_envelope::{Observed, ProofFact, SourceAnswer, SourceFact, SourceKind};
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_runtime::{Author, Evaluation, Fault};

use crate::billing::USD;
use crate::rules;
use crate::terms::Terms;

/// All findings, and the artifacts: the envelope before the receipt.
pub(crate) fn evaluate(input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
    let upstream = rules::upstream(input, &observed.upstream);
    let mut findings = upstream.clone();
    let environment = &input.settings.environment;
    let terms = rules::read_terms(&observed.registry, environment, &mut findings);
    let author = Author::new(input, Step::CostEnvelope, ClosureAudit::run_of(&observed.upstream));
    let keys = terms.keys(&author.environment, &author.phase_execution_id, &mut findings)?;
    let envelope_findings = rules::envelope(&terms, environment);
    let envelope_valid = terms.limit.is_some()
        && terms.alerts.iter().all(Option::is_some)
        && terms.currency.as_deref() == Some(USD)
        && envelope_findings.is_empty();
    findings.extend(envelope_findings);
    let aws_findings = rules::aws(&observed.source, &terms, input.stamp);
    let aws = rules::bill(&observed.source, &aws_findings);
    let databricks = observed.databricks.as_ref();
    let databricks_findings = rules::databricks(&terms, databricks, aws, input.stamp);
    let databricks = databricks.and_then(|source| rules::bill(source, &databricks_findings));
    let spend = rules::spend(&terms, aws, databricks);
    let spend = spend.as_ref();
    // What AWS bills was spent, whatever is known of the rest.
    let at_least = spend.or(aws);
    findings.extend(aws_findings);
    findings.extend(databricks_findings.iter().cloned());
    findings.extend(rules::not_kept(&observed.source));
    findings.extend(rules::currency(&terms, at_least));
    findings.extend(rules::budget_spent(&terms, at_least));
    findings.extend(rules::without_proof(observed, at_least));
    findings.extend(rules::artifacts(observed, &upstream, at_least));
    findings.extend(rules::field_list(&terms));
    let windows = Windows::of(input, spend);

    let proofs: Vec<ProofArtifact> = observed.proofs.iter().map(ProofFact::artifact).collect();
    let receipt = author.artifact_at(
        keys.receipt,
        receipt(&author.run, &proofs, spend, &windows, findings.is_empty()),
    )?;
    findings.extend(rules::incomplete(&receipt, spend));
    if findings.is_empty() && spend.is_none() {
        return Err(Fault::internal(
            "judge the spend",
            "it is unknown, and nothing says why: a defect of P1",
        ));
    }
    let envelope = PhaseBudgetEnvelope {
        monthly_budget_limit_usd: terms.limit.clone(),
        budget_alerts_usd: terms.alerts.to_vec(),
        budget_currency: terms.currency.clone(),
        cost_capture_scope: terms.scope.clone(),
        phase_window_start_utc: Some(windows.phase_start),
        phase_window_end_utc: Some(windows.phase_end),
        window_start_utc: windows.start,
        window_end_utc: windows.end,
        expected_proof_artifacts: proofs,
        envelope_valid,
    };
    let posture = posture(&terms, spend, input.stamp, findings.is_empty());
    let sources = CostSourceReceipts {
        sources: vec![
            aws_receipt(observed, &terms, &findings),
            databricks_receipt(&terms, observed.databricks.as_ref(), &databricks_findings),
        ],
    };
    let waves = vec![
        vec![author.artifact_at(keys.envelope, envelope)?],
        vec![
            receipt,
            author.artifact_at(keys.posture, posture)?,
            author.artifact(sources)?,
        ],
    ];
    Ok(Evaluation {
        findings,
        waves,
        run: author.run,
        ..Evaluation::default()
    })
}

/// The phase's own window, and that of the spend.
struct Windows {
    phase_start: Stamp,
    phase_end: Stamp,
    start: Option<Stamp>,
    end: Option<Stamp>,
}

impl Windows {
    /// A run's first execution minted it, and closed the first steps of the chain for good: none of its stamps is earlier.
    fn of(input: &StepInput, spend: Option<&BillingArtifact>) -> Self {
        let now = input.stamp;
        let stamps = input
            .closures
            .values()
            .filter_map(|closure| closure.phase_execution_id.stamp());
        let (first, last) = spend.map_or_else(
            || (now.month_start(), now.date()),
            |billing| (billing.window_start_utc.clone(), billing.window_end_utc.clone()),
        );
        let instant = |day: &str| Stamp::from_date(day).ok();
        let after = |day: Stamp| day.next_date().and_then(|next| instant(&next));
        Windows {
            phase_start: stamps.min().map_or(now, |first| first.min(now)),
            phase_end: now,
            start: instant(&first),
            end: instant(&last).map(|day| after(day).map_or(now, |end| end.min(now))),
        }
    }
}

fn receipt(
    run: &RunIds,
    proofs: &[ProofArtifact],
    spend: Option<&BillingArtifact>,
    windows: &Windows,
    passes: bool,
) -> PhaseCostOutcomeReceipt {
    let own = [
        PhaseBudgetEnvelope::NAME,
        PhaseCostOutcomeReceipt::NAME,
        DailyCostPosture::NAME,
        CostSourceReceipts::NAME,
    ];
    let present = proofs
        .iter()
        .filter(|proof| proof.present)
        .map(|proof| proof.name.as_str());
    let decision = if passes {
        let run = run.platform_run_id.as_ref().map_or("the run", AsRef::as_ref);
        format!("P1 run pinning: identity, digest and evidence of {run} are fixed before spend of M4")
    } else {
        "none: M3.H holds".to_owned()
    };
    PhaseCostOutcomeReceipt {
        window_start_utc: spend.and(windows.start).map(|start| start.rfc3339()),
        window_end_utc: spend.and(windows.end).map(|end| end.rfc3339()),
        phase_window_start_utc: Some(windows.phase_start),
        phase_window_end_utc: Some(windows.phase_end),
        spend_amount: spend.map(|billing| billing.spend_amount.clone()),
        spend_currency: spend.map(|billing| billing.spend_currency.clone()),
        artifacts_emitted: present.chain(own).map(str::to_owned).collect(),
        decision_or_risk_retired: decision,
    }
}

fn posture(terms: &Terms, spend: Option<&BillingArtifact>, stamp: Stamp, passes: bool) -> DailyCostPosture {
    let alerts: Option<Vec<_>> = terms.alerts.iter().map(Option::as_ref).collect();
    let reached = rules::comparable(terms, spend)
        .zip(alerts)
        .map(|(amount, alerts)| alerts.iter().filter(|alert| amount >= **alert).count());
    DailyCostPosture {
        date_utc: stamp.date(),
        spend_amount: spend.map(|billing| billing.spend_amount.clone()),
        spend_currency: spend.map(|billing| billing.spend_currency.clone()),
        estimated: spend.map(|billing| billing.estimated),
        alerts_reached: reached.and_then(|count| u32::try_from(count).ok()),
        overall_pass: passes,
    }
}

fn aws_receipt(observed: &Observed, terms: &Terms, findings: &[Finding]) -> CostSourceReceipt {
    let source = &observed.source;
    let blocked = reasons(
        findings
            .iter()
            .filter(|finding| finding.code == Blocker::BillingSourceUnusable),
    );
    let (detail, pass) = match (blocked, &source.answer) {
        (Some(why), _) => (why, false),
        (None, SourceAnswer::Answered { billing }) => (bill(&source.object, billing), true),
        (None, _) => (
            format!("{}: not asked, for want of a usable registry", source.object),
            false,
        ),
    };
    CostSourceReceipt {
        source: "aws".to_owned(),
        enabled: terms.aws_enabled,
        mode: source.kind.to_string(),
        detail,
        pass,
    }
}

/// What a bill says, in words.
fn bill(object: &str, billing: &BillingArtifact) -> String {
    let certainty = if billing.estimated { "an estimate" } else { "final" };
    format!(
        "{object}: {} of {} to {} is {} {}, {certainty}",
        billing.metric, billing.window_start_utc, billing.window_end_utc, billing.spend_amount, billing.spend_currency,
    )
}

/// The blockers in words; none where there is none.
fn reasons<'f>(blocked: impl Iterator<Item = &'f Finding>) -> Option<String> {
    let words: Vec<_> = blocked
        .map(|finding| format!("{}: {}", finding.subject, finding.detail))
        .collect();
    (!words.is_empty()).then(|| words.join("; "))
}

fn databricks_receipt(terms: &Terms, source: Option<&SourceFact>, findings: &[Finding]) -> CostSourceReceipt {
    let named = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let blocked = || reasons(findings.iter()).unwrap_or_default();
    let answered = source.and_then(|source| Some((source, rules::bill(source, findings)?)));
    let (mode, detail) = match (terms.databricks_enabled, answered) {
        (Some(true), Some((source, billing))) => (source.kind.to_string(), bill(&source.object, billing)),
        (Some(true), None) if terms.databricks_unpinned.is_empty() => {
            (SourceKind::BillingArtifact.to_string(), blocked())
        }
        (Some(true), None) => ("not_pinned".to_owned(), blocked()),
        (Some(false), _) => {
            let (reason, gate) = (named(&terms.databricks_reason), named(&terms.databricks_gate));
            let detail = format!("reason: {reason}; enabled again at: {gate}");
            ("deferred".to_owned(), detail)
        }
        (None, _) => (
            "unknown".to_owned(),
            format!("{} has no usable value", handles::DATABRICKS_COST_CAPTURE_ENABLED),
        ),
    };
    CostSourceReceipt {
        source: "databricks".to_owned(),
        enabled: terms.databricks_enabled,
        mode,
        detail,
        pass: terms.databricks_enabled.is_some() && findings.is_empty(),
    }
}
