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
use p1_contract::observations::cost_envelope::{Observed, ProofFact, SourceAnswer};
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_runtime::{Author, Evaluation, Fault};

use crate::rules;
use crate::terms::Terms;

/// All findings, and the artifacts: the envelope before the receipt.
pub(crate) fn evaluate(input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
    let mut findings = rules::upstream(input, &observed.upstream);
    let environment = &input.settings.environment;
    let terms = rules::read_terms(&observed.registry, environment, &mut findings);
    let author = Author::new(input, Step::CostEnvelope, run(&observed.upstream));
    let keys = terms.keys(&author.environment, &author.phase_execution_id, &mut findings)?;
    let envelope_findings = rules::envelope(&terms, environment);
    let envelope_valid = terms.limit.is_some()
        && terms.alerts.iter().all(Option::is_some)
        && terms.currency.as_deref() == Some(rules::USD)
        && envelope_findings.is_empty();
    findings.extend(envelope_findings);
    findings.extend(rules::databricks(&terms));
    let aws_findings = rules::aws(&observed.source, &terms, input.stamp);
    let spend = rules::spend(&observed.source, &aws_findings);
    findings.extend(aws_findings);
    findings.extend(rules::not_kept(&observed.source));
    findings.extend(rules::currency(&terms, spend));
    findings.extend(rules::budget_spent(&terms, spend));
    findings.extend(rules::without_proof(observed, spend));
    findings.extend(rules::field_list(&terms));

    let proofs: Vec<ProofArtifact> = observed.proofs.iter().map(ProofFact::artifact).collect();
    let receipt = author.artifact_at(keys.receipt, receipt(&author.run, &proofs, spend, findings.is_empty()))?;
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
        expected_proof_artifacts: proofs,
        envelope_valid,
    };
    let posture = posture(&terms, spend, input.stamp, findings.is_empty());
    let sources = CostSourceReceipts {
        sources: vec![aws_receipt(observed, &terms, &findings), databricks_receipt(&terms)],
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

/// The ids that the closures know by now; the later one counts.
fn run(audits: &[ClosureAudit]) -> RunIds {
    let known = audits
        .iter()
        .filter_map(|audit| audit.summary.as_ref())
        .map(|summary| &summary.run);
    known.fold(RunIds::default(), |run, later| RunIds {
        platform_run_id: later.platform_run_id.clone().or(run.platform_run_id),
        scenario_run_id: later.scenario_run_id.clone().or(run.scenario_run_id),
        config_digest: later.config_digest.clone().or(run.config_digest),
    })
}

fn receipt(
    run: &RunIds,
    proofs: &[ProofArtifact],
    spend: Option<&BillingArtifact>,
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
        window_start_utc: spend.map(|billing| billing.window_start_utc.clone()),
        window_end_utc: spend.map(|billing| billing.window_end_utc.clone()),
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
    let blocked: Vec<_> = findings
        .iter()
        .filter(|finding| finding.code == Blocker::BillingSourceUnusable)
        .collect();
    let detail = match (blocked.as_slice(), &source.answer) {
        ([], SourceAnswer::Answered { billing }) => {
            let certainty = if billing.estimated { "an estimate" } else { "final" };
            format!(
                "{}: {} of {} to {} is {} {}, {certainty}",
                source.object,
                billing.metric,
                billing.window_start_utc,
                billing.window_end_utc,
                billing.spend_amount,
                billing.spend_currency,
            )
        }
        ([], _) => format!("{}: not asked, for want of a usable registry", source.object),
        (blocked, _) => {
            let words: Vec<_> = blocked
                .iter()
                .map(|finding| format!("{}: {}", finding.subject, finding.detail))
                .collect();
            words.join("; ")
        }
    };
    CostSourceReceipt {
        source: "aws".to_owned(),
        enabled: terms.aws_enabled,
        mode: source.kind.to_string(),
        detail,
        pass: blocked.is_empty() && matches!(source.answer, SourceAnswer::Answered { .. }),
    }
}

fn databricks_receipt(terms: &Terms) -> CostSourceReceipt {
    let named = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let (mode, detail) = match terms.databricks_enabled {
        Some(true) => ("not_pinned", "nothing that P1 reads pins it".to_owned()),
        Some(false) => {
            let (reason, gate) = (named(&terms.databricks_reason), named(&terms.databricks_gate));
            ("deferred", format!("reason: {reason}; enabled again at: {gate}"))
        }
        None => (
            "unknown",
            format!("{} has no usable value", handles::DATABRICKS_COST_CAPTURE_ENABLED),
        ),
    };
    CostSourceReceipt {
        source: "databricks".to_owned(),
        enabled: terms.databricks_enabled,
        mode: mode.to_owned(),
        detail,
        pass: terms.databricks_enabled.is_some() && rules::databricks(terms).is_empty(),
    }
}
