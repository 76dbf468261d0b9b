//! The rules of M3.H: pure functions of what was observed, one or two a blocker code.

use p1_contract::artifacts::{BILLING_ARTIFACT, BillingArtifact};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::ids::{Stamp, UsdAmount};
use p1_contract::observations::ClosureAudit;
use p1_contract::observations::cost_envelope::{
    Observed, ProofFact, ProofState, RegistryFact, SourceAnswer, SourceFact, SourceKind,
};
use p1_contract::request::StepInput;
use p1_contract::revision;
use p1_contract::step::Step;
use p1_runtime::{Artifact, Content};

use crate::explorer::{METRIC, SOURCE as EXPLORER_SOURCE};
use crate::proof::UPSTREAM;
use crate::terms::{self, Terms};

/// The one currency of P1's budget.
pub(crate) const USD: &str = "USD";

/// The `source` of a pinned billing artifact.
const BILLING_SOURCE: &str = "aws_billing";

/// The fields of the outcome receipt, as the contract lists them and `COST_OUTCOME_RECEIPT_REQUIRED_FIELDS` must.
const OUTCOME_FIELDS: [&str; 8] = [
    "phase_id",
    "phase_execution_id",
    "window_start_utc",
    "window_end_utc",
    "spend_amount",
    "spend_currency",
    "artifacts_emitted",
    "decision_or_risk_retired",
];

/// B1. A registry that nothing pins is M3.A's closure, whose blocker `findings` then has already.
pub(crate) fn read_terms(registry: &RegistryFact, findings: &mut Vec<Finding>) -> Terms {
    match registry {
        RegistryFact::Read { handles } => Terms::read(handles, findings),
        RegistryFact::Unpinned => {
            let has_its_blocker = |finding: &Finding| finding.subject == Step::HandleClosure.id();
            if !findings.iter().any(has_its_blocker) {
                let detail = "nothing pins it, though the closure of M3.A is a pass";
                findings.push(Blocker::CostHandleInvalid.on("handles registry", detail));
            }
            Terms::default()
        }
        RegistryFact::Unusable { problem } => {
            findings.push(Blocker::CostHandleInvalid.on("handles registry", problem.as_str()));
            Terms::default()
        }
    }
}

/// B2: each closure that is missing, changed or not a pass, once.
pub(crate) fn upstream(input: &StepInput, audits: &[ClosureAudit]) -> Vec<Finding> {
    let judge = |step: Step| {
        let Some(closure) = input.closure(step) else {
            return Some("the chain has no closure of it".to_owned());
        };
        let Some(audit) = audits.iter().find(|audit| &audit.closure == closure) else {
            return Some("the closure that was read is not the one that the chain names".to_owned());
        };
        let own = audit
            .problems
            .iter()
            .find(|problem| problem.subject == closure.key.as_str());
        match (&audit.summary, own) {
            (_, Some(problem)) => Some(format!("{}: {}", problem.subject, problem.detail)),
            (None, None) => Some("its summary could not be read".to_owned()),
            (Some(summary), None) if !summary.overall_pass || !closure.overall_pass => {
                let codes: Vec<_> = summary.blockers.iter().map(|finding| finding.code.code()).collect();
                Some(format!("it is not a pass: {}", codes.join(", ")))
            }
            (Some(_), None) => None,
        }
    };
    let found = UPSTREAM.into_iter().filter_map(|step| Some((step, judge(step)?)));
    found
        .map(|(step, why)| Blocker::CostUpstreamNotGreen.on(step.id(), why))
        .collect()
}

/// B5, first half: the limit is a limit, and the alerts rise towards it.
pub(crate) fn envelope(terms: &Terms) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut invalid = |subject: &str, detail: String| findings.push(Blocker::EnvelopeBreached.on(subject, detail));
    let alerts: Vec<_> = terms
        .alerts
        .iter()
        .zip(terms::ALERTS)
        .filter_map(|(amount, key)| Some((amount.as_ref()?, key)))
        .collect();
    for pair in alerts.windows(2) {
        if let [(lower, lower_key), (upper, upper_key)] = pair
            && upper <= lower
        {
            invalid(
                upper_key,
                format!("alerts must rise: {upper} is not above the {lower} of {lower_key}"),
            );
        }
    }
    match &terms.limit {
        // Every alert is past a limit of nothing: one cause.
        Some(limit) if limit.is_zero() => invalid(terms::LIMIT, "the limit must be above zero".to_owned()),
        Some(limit) => {
            for (amount, key) in alerts.iter().filter(|(amount, _)| *amount > limit) {
                invalid(key, format!("the alert at {amount} is past the limit of {limit}"));
            }
        }
        None => {}
    }
    findings
}

/// B4. P1 reads no Databricks bill and no handle of its pins one: the source is deferred, with reason and gate.
pub(crate) fn databricks(terms: &Terms) -> Vec<Finding> {
    let finding = |subject: &str, detail: &str| Blocker::DatabricksSourceInvalid.on(subject, detail);
    match terms.databricks_enabled {
        None => Vec::new(),
        Some(true) => vec![finding(
            terms::DATABRICKS_ENABLED,
            "the source is enabled, and nothing that P1 reads pins it; defer it with a reason and a gate",
        )],
        Some(false) => {
            let needed = [
                (terms::DATABRICKS_REASON, &terms.databricks_reason),
                (terms::DATABRICKS_GATE, &terms.databricks_gate),
            ];
            let absent = needed.into_iter().filter(|(_, value)| value.is_none());
            absent
                .map(|(key, _)| finding(key, "the source is deferred without it"))
                .collect()
        }
    }
}

/// B3: the AWS source is enabled, answers, holds no secrets, and speaks of this month.
pub(crate) fn aws(source: &SourceFact, terms: &Terms, stamp: Stamp) -> Vec<Finding> {
    let unusable = |detail: String| Blocker::BillingSourceUnusable.on(source.object.as_str(), detail);
    if terms.aws_enabled == Some(false) {
        let detail = "capture is off, so the phase's spend is unknown; set it to true";
        return vec![Blocker::BillingSourceUnusable.on(terms::AWS_ENABLED, detail)];
    }
    match &source.answer {
        SourceAnswer::NotAsked => Vec::new(),
        SourceAnswer::Unusable { problem } => vec![unusable(problem.clone())],
        SourceAnswer::Secret { hits } => hits
            .iter()
            .map(|hit| unusable(format!("holds secret material at {:?}: rule {}", hit.place, hit.rule)))
            .collect(),
        SourceAnswer::Answered { billing } => misfits(source.kind, billing, terms.billing_region.as_deref(), stamp)
            .into_iter()
            .map(unusable)
            .collect(),
    }
}

/// Every field of a billing artifact that is not what this execution must count with.
fn misfits(kind: SourceKind, billing: &BillingArtifact, region: Option<&str>, stamp: Stamp) -> Vec<String> {
    let expected_sources: &[&str] = match kind {
        SourceKind::BillingArtifact => &[BILLING_SOURCE, EXPLORER_SOURCE],
        SourceKind::CostExplorer => &[EXPLORER_SOURCE],
    };
    let (first, last) = (stamp.month_start(), stamp.date());
    let end = billing.window_end_utc.as_str();
    let ends_well = is_date(end) && first.as_str() <= end && end <= last.as_str();
    let mut misfits = Vec::new();
    let mut check = |holds: bool, field: &str, value: &str, expected: String| {
        if !holds {
            misfits.push(format!("`{field}` is {value:?}, expected {expected}"));
        }
    };
    let version = billing.schema_version;
    check(
        version == revision::version_of(BILLING_ARTIFACT),
        "schema_version",
        &version.to_string(),
        revision::version_of(BILLING_ARTIFACT).to_string(),
    );
    check(
        billing.artifact == BILLING_ARTIFACT,
        "artifact",
        &billing.artifact,
        BILLING_ARTIFACT.to_owned(),
    );
    check(
        expected_sources.contains(&billing.source.as_str()),
        "source",
        &billing.source,
        expected_sources.join(" or "),
    );
    check(billing.metric == METRIC, "metric", &billing.metric, METRIC.to_owned());
    if let Some(region) = region {
        let expected = format!("{region}, as {} says", terms::BILLING_REGION);
        check(
            billing.billing_region == region,
            "billing_region",
            &billing.billing_region,
            expected,
        );
    }
    check(
        billing.window_start_utc == first,
        "window_start_utc",
        &billing.window_start_utc,
        first.clone(),
    );
    check(
        ends_well,
        "window_end_utc",
        end,
        format!("a day from {first} to {last}"),
    );
    misfits
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && Stamp::parse(&format!("{text}T00:00:00Z")).is_ok()
}

/// The spend, where the source is usable; otherwise it is unknown.
pub(crate) fn spend<'o>(source: &'o SourceFact, aws_findings: &[Finding]) -> Option<&'o BillingArtifact> {
    match &source.answer {
        SourceAnswer::Answered { billing } if aws_findings.is_empty() => Some(billing),
        _ => None,
    }
}

/// B8 before the artifacts: the day's answer could not be kept, so the next execution would pay for another.
pub(crate) fn not_kept(source: &SourceFact) -> Option<Finding> {
    let problem = source.not_kept.as_deref()?;
    Some(Blocker::CostNotPublished.on(source.object.as_str(), problem))
}

/// B7: budget and spend are in US dollars, both.
pub(crate) fn currency(terms: &Terms, spend: Option<&BillingArtifact>) -> Vec<Finding> {
    let budget = terms.currency.as_deref().map(|currency| (terms::CURRENCY, currency));
    let billed = spend.map(|billing| ("spend_currency", billing.spend_currency.as_str()));
    let other = budget
        .into_iter()
        .chain(billed)
        .filter(|(_, currency)| *currency != USD);
    other
        .map(|(subject, currency)| Blocker::CurrencyMismatch.on(subject, format!("is {currency:?}, not {USD}")))
        .collect()
}

/// The spend as an amount that the budget can be held against: in the budget's currency.
pub(crate) fn comparable<'o>(terms: &Terms, spend: Option<&'o BillingArtifact>) -> Option<&'o UsdAmount> {
    let billing = spend?;
    (billing.spend_currency == USD && terms.currency.as_deref() == Some(USD)).then_some(&billing.spend_amount)
}

/// B5, second half: the last alert is where the phase stops.
pub(crate) fn budget_spent(terms: &Terms, spend: Option<&BillingArtifact>) -> Option<Finding> {
    let (amount, [.., Some(last)]) = (comparable(terms, spend)?, &terms.alerts) else {
        return None;
    };
    let detail = || format!("{amount} USD of the month's budget are spent, alert 3 is at {last}");
    (amount >= last).then(|| Blocker::EnvelopeBreached.on("spend_amount", detail()))
}

/// B9: money was spent, in whatever currency, and a proof is not there.
pub(crate) fn without_proof(observed: &Observed, spend: Option<&BillingArtifact>) -> Vec<Finding> {
    let Some(billing) = spend.filter(|billing| !billing.spend_amount.is_negative() && !billing.spend_amount.is_zero())
    else {
        return Vec::new();
    };
    let absent = |proof: &ProofFact| match &proof.state {
        ProofState::Present | ProofState::Unknown => None,
        // A closure that is not a pass has its blocker, and may rightly lack artifacts.
        ProofState::Unlisted if !is_green(&observed.upstream, proof.step) => None,
        ProofState::Unlisted => Some(format!("the closure of {} does not list it", proof.step.id())),
        ProofState::Gone { key, detail } => Some(format!("{key} of {}: {detail}", proof.step.id())),
    };
    let found = observed.proofs.iter().filter_map(|proof| Some((proof, absent(proof)?)));
    found
        .map(|(proof, why)| {
            let spent = format!("{} {} were spent", billing.spend_amount, billing.spend_currency);
            Blocker::SpendWithoutProof.on(proof.name.as_str(), format!("{spent}, and {why}"))
        })
        .collect()
}

fn is_green(audits: &[ClosureAudit], step: Step) -> bool {
    let audit = audits.iter().find(|audit| audit.closure.step == step);
    audit.is_some_and(|audit| {
        audit.closure.overall_pass && audit.summary.as_ref().is_some_and(|summary| summary.overall_pass)
    })
}

/// B6: the registry lists exactly the receipt's fields, in the contract's order.
pub(crate) fn field_list(terms: &Terms) -> Option<Finding> {
    let listed = terms.receipt_fields.as_deref()?;
    let expected = OUTCOME_FIELDS.join(",");
    (listed != expected)
        .then(|| Blocker::OutcomeReceiptInvalid.on(terms::RECEIPT_FIELDS, format!("must be {expected}")))
}

/// B6: the receipt has every field. A field without a value is for the blocker that made the spend unknown.
pub(crate) fn incomplete(receipt: &Artifact, spend: Option<&BillingArtifact>) -> Vec<Finding> {
    let Content::Json(document) = &receipt.content else {
        return Vec::new();
    };
    let is_absent = |field: &&str| match document.get(*field) {
        None => true,
        Some(value) => spend.is_some() && (value.is_null() || value.as_str() == Some("")),
    };
    let absent = OUTCOME_FIELDS.into_iter().filter(is_absent);
    absent
        .map(|field| Blocker::OutcomeReceiptInvalid.on(receipt.key.as_str(), format!("lacks `{field}`")))
        .collect()
}
