//! The rules of M3.H: pure functions of what was observed, one or two a blocker code.

use p1_contract::artifacts::{BILLING_ARTIFACT, BillingArtifact};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::handles;
use p1_contract::ids::{Environment, Stamp, UsdAmount};
use p1_contract::observations::ClosureAudit;
use p1_contract::observations::cost_envelope::{
    Observed, ProofFact, ProofState, RegistryFact, SourceAnswer, SourceFact, SourceKind,
};
use p1_contract::request::StepInput;
use p1_contract::revision;
use p1_contract::secrets::SecretHit;
use p1_contract::step::Step;
use p1_runtime::{Artifact, Content};

use crate::billing::USD;
use crate::explorer::{METRIC, SOURCE as EXPLORER_SOURCE};
use crate::proof;
use crate::terms::Terms;

/// The `source` of a bill of AWS: of a pinned billing artifact, or of an answer of Cost Explorer.
const AWS_SOURCES: [&str; 2] = ["aws_billing", EXPLORER_SOURCE];

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
pub(crate) fn read_terms(registry: &RegistryFact, environment: &Environment, findings: &mut Vec<Finding>) -> Terms {
    match registry {
        RegistryFact::Read { handles } => Terms::read(handles, environment, findings),
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

/// B2: each closure whose summary is missing, changed or not a pass, once.
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
    let found = proof::upstream().filter_map(|step| Some((step, judge(step)?)));
    found
        .map(|(step, why)| Blocker::CostUpstreamNotGreen.on(step.id(), why))
        .collect()
}

/// B2: each closure of which an artifact is missing, unreadable or changed, once. What has its blocker already is left out:
/// the closures in `upstream`, and where money was spent the proofs, which are B9.
pub(crate) fn artifacts(observed: &Observed, upstream: &[Finding], spend: Option<&BillingArtifact>) -> Vec<Finding> {
    let has_its_blocker = |audit: &&ClosureAudit| {
        let id = audit.closure.step.id();
        upstream.iter().any(|finding| finding.subject == id)
    };
    let is_proof = |subject: &str| {
        let gone = |proof: &ProofFact| matches!(&proof.state, ProofState::Gone { key, .. } if key == subject);
        is_positive(spend) && observed.proofs.iter().any(gone)
    };
    let broken = |audit: &ClosureAudit| {
        let open = audit.problems.iter().filter(|problem| !is_proof(&problem.subject));
        let words: Vec<_> = open
            .map(|problem| format!("{}: {}", problem.subject, problem.detail))
            .collect();
        (!words.is_empty()).then(|| Blocker::CostUpstreamNotGreen.on(audit.closure.step.id(), words.join("; ")))
    };
    let others = observed.upstream.iter().filter(|audit| !has_its_blocker(audit));
    others.filter_map(broken).collect()
}

/// B5, first half: the limit is a limit, and the alerts rise towards it.
pub(crate) fn envelope(terms: &Terms, environment: &Environment) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut invalid = |subject: String, detail: String| findings.push(Blocker::EnvelopeBreached.on(subject, detail));
    let alerts: Vec<_> = terms
        .alerts
        .iter()
        .zip(handles::BUDGET_ALERTS_USD)
        .filter_map(|(amount, alert)| Some((amount.as_ref()?, alert.name(environment))))
        .collect();
    for pair in alerts.windows(2) {
        if let [(lower, lower_key), (upper, upper_key)] = pair
            && upper <= lower
        {
            invalid(
                upper_key.clone(),
                format!("alerts must rise: {upper} is not above the {lower} of {lower_key}"),
            );
        }
    }
    match &terms.limit {
        // Every alert is past a limit of nothing: one cause.
        Some(limit) if limit.is_zero() => invalid(
            handles::MONTHLY_BUDGET_LIMIT_USD.name(environment),
            "the limit must be above zero".to_owned(),
        ),
        Some(limit) => {
            for (amount, key) in alerts.iter().filter(|(amount, _)| *amount > limit) {
                invalid(
                    key.clone(),
                    format!("the alert at {amount} is past the limit of {limit}"),
                );
            }
        }
        None => {}
    }
    findings
}

/// B4: the Databricks source is pinned and fits AWS's bill, or it is deferred with reason and gate. `aws` is AWS's bill, where
/// it is usable.
pub(crate) fn databricks(
    terms: &Terms,
    source: Option<&SourceFact>,
    aws: Option<&BillingArtifact>,
    stamp: Stamp,
) -> Vec<Finding> {
    let finding = |subject: &str, detail: &str| Blocker::DatabricksSourceInvalid.on(subject, detail);
    match terms.databricks_enabled {
        None => Vec::new(),
        Some(true) if !terms.databricks_unpinned.is_empty() => {
            let problems = terms.databricks_unpinned.iter();
            problems
                .map(|problem| finding(&problem.key, &problem.problem))
                .collect()
        }
        Some(true) => {
            let details = match source.map(|source| &source.answer) {
                None | Some(SourceAnswer::NotAsked) => vec!["the source is enabled, and it was not asked".to_owned()],
                Some(SourceAnswer::Unusable { problem }) => vec![problem.clone()],
                Some(SourceAnswer::Secret { hits }) => secrets(hits),
                Some(SourceAnswer::Answered { billing }) => databricks_misfits(billing, aws, stamp),
            };
            let subject = source.map_or(handles::DATABRICKS_COST_CAPTURE_ENABLED.as_str(), |source| {
                source.object.as_str()
            });
            details.iter().map(|detail| finding(subject, detail)).collect()
        }
        Some(false) => {
            let needed = [
                (handles::DATABRICKS_COST_CAPTURE_DEFER_REASON, &terms.databricks_reason),
                (handles::DATABRICKS_COST_CAPTURE_REENABLE_GATE, &terms.databricks_gate),
            ];
            let absent = needed.into_iter().filter(|(_, value)| value.is_none());
            absent
                .map(|(key, _)| finding(key.as_str(), "the source is deferred without it"))
                .collect()
        }
    }
}

/// B3: the AWS source is enabled, answers, holds no secrets, and speaks of this month.
pub(crate) fn aws(source: &SourceFact, terms: &Terms, stamp: Stamp) -> Vec<Finding> {
    let unusable = |detail: String| Blocker::BillingSourceUnusable.on(source.object.as_str(), detail);
    if terms.aws_enabled == Some(false) {
        let detail = "capture is off, so the phase's spend is unknown; set it to true";
        return vec![Blocker::BillingSourceUnusable.on(handles::AWS_COST_CAPTURE_ENABLED, detail)];
    }
    match &source.answer {
        SourceAnswer::NotAsked => Vec::new(),
        SourceAnswer::Unusable { problem } => vec![unusable(problem.clone())],
        SourceAnswer::Secret { hits } => secrets(hits).into_iter().map(unusable).collect(),
        SourceAnswer::Answered { billing } => misfits(source.kind, billing, terms.billing_region.as_deref(), stamp)
            .into_iter()
            .map(unusable)
            .collect(),
    }
}

fn secrets(hits: &[SecretHit]) -> Vec<String> {
    hits.iter()
        .map(|hit| format!("holds secret material at {:?}: rule {}", hit.place, hit.rule))
        .collect()
}

/// What is wrong with a field of a billing artifact that is not as expected.
fn misfit(holds: bool, field: &str, value: &str, expected: &str) -> Option<String> {
    (!holds).then(|| format!("`{field}` is {value:?}, expected {expected}"))
}

/// Every field of AWS's billing artifact that is not what this execution must count with.
fn misfits(kind: SourceKind, billing: &BillingArtifact, region: Option<&str>, stamp: Stamp) -> Vec<String> {
    let sources: &[&str] = match kind {
        SourceKind::BillingArtifact => &AWS_SOURCES,
        SourceKind::CostExplorer => &[EXPLORER_SOURCE],
    };
    let source = billing.source.as_str();
    let billed = billing.billing_region.as_str();
    let of_region = region.and_then(|region| {
        let expected = format!("{region}, as {} says", handles::AWS_BILLING_REGION);
        misfit(billed == region, "billing_region", billed, &expected)
    });
    let mut misfits = shape(billing);
    misfits.extend(misfit(
        sources.contains(&source),
        "source",
        source,
        &sources.join(" or "),
    ));
    misfits.extend(misfit(billing.metric == METRIC, "metric", &billing.metric, METRIC));
    misfits.extend(of_region);
    misfits.extend(month_to_date(billing, stamp));
    misfits
}

/// Every field of the Databricks bill that keeps its amount from being added to AWS's.
fn databricks_misfits(billing: &BillingArtifact, aws: Option<&BillingArtifact>, stamp: Stamp) -> Vec<String> {
    let (source, currency) = (billing.source.as_str(), billing.spend_currency.as_str());
    let another = "another than AWS's, whose bill would count twice";
    let mut misfits = shape(billing);
    misfits.extend(misfit(!AWS_SOURCES.contains(&source), "source", source, another));
    misfits.extend(misfit(currency == USD, "spend_currency", currency, USD));
    if billing.spend_amount.is_negative() {
        misfits.push("has an amount below zero, which would hide what AWS bills".to_owned());
    }
    let month = month_to_date(billing, stamp);
    if let (Some(aws), true) = (aws, month.is_empty()) {
        let (end, aws_end) = (&billing.window_end_utc, &aws.window_end_utc);
        let expected = format!("{aws_end}, as AWS's bill has it");
        misfits.extend(misfit(end == aws_end, "window_end_utc", end, &expected));
        if billing.spend_amount.plus(&aws.spend_amount).is_none() {
            misfits.push("has an amount whose sum with AWS's is larger than any bill".to_owned());
        }
    }
    misfits.extend(month);
    misfits
}

/// What is wrong with a billing artifact, whoever bills.
fn shape(billing: &BillingArtifact) -> Vec<String> {
    let version = billing.schema_version.to_string();
    let expected = revision::version_of(BILLING_ARTIFACT).to_string();
    let artifact = billing.artifact.as_str();
    let fields = [
        misfit(version == expected, "schema_version", &version, &expected),
        misfit(artifact == BILLING_ARTIFACT, "artifact", artifact, BILLING_ARTIFACT),
    ];
    fields.into_iter().flatten().collect()
}

/// What keeps a bill from being one of the month up to the execution's day. A window that ends on the first of the month is
/// that day's alone.
fn month_to_date(billing: &BillingArtifact, stamp: Stamp) -> Vec<String> {
    let (first, last) = (stamp.month_start(), stamp.date());
    let (start, end) = (billing.window_start_utc.as_str(), billing.window_end_utc.as_str());
    let is_past_the_first = end > first.as_str() || last == first;
    let ends_well = Stamp::from_date(end).is_ok() && is_past_the_first && first.as_str() <= end && end <= last.as_str();
    let days = if last == first {
        first.clone()
    } else {
        format!("a day after {first}, up to {last}")
    };
    let fields = [
        misfit(start == first, "window_start_utc", start, &first),
        misfit(ends_well, "window_end_utc", end, &days),
    ];
    fields.into_iter().flatten().collect()
}

/// The bill of a source, where it is usable; otherwise it is unknown.
pub(crate) fn bill<'o>(source: &'o SourceFact, findings: &[Finding]) -> Option<&'o BillingArtifact> {
    match &source.answer {
        SourceAnswer::Answered { billing } if findings.is_empty() => Some(billing),
        _ => None,
    }
}

/// The spend of all enabled sources; none where one of them is not known.
pub(crate) fn spend(
    terms: &Terms,
    aws: Option<&BillingArtifact>,
    databricks: Option<&BillingArtifact>,
) -> Option<BillingArtifact> {
    let aws = aws?;
    if terms.databricks_enabled != Some(true) {
        return Some(aws.clone());
    }
    let databricks = databricks.filter(|databricks| databricks.spend_currency == aws.spend_currency)?;
    Some(BillingArtifact {
        spend_amount: aws.spend_amount.plus(&databricks.spend_amount)?,
        estimated: aws.estimated || databricks.estimated,
        ..aws.clone()
    })
}

/// B8 before the artifacts: the day's answer could not be kept, so the next execution would pay for another.
pub(crate) fn not_kept(source: &SourceFact) -> Option<Finding> {
    let problem = source.not_kept.as_deref()?;
    Some(Blocker::CostNotPublished.on(source.object.as_str(), problem))
}

/// B7: budget and spend are in US dollars, both.
pub(crate) fn currency(terms: &Terms, spend: Option<&BillingArtifact>) -> Vec<Finding> {
    let both = [
        (handles::BUDGET_CURRENCY.as_str(), terms.currency.as_deref()),
        ("spend_currency", spend.map(|billing| billing.spend_currency.as_str())),
    ];
    let other = |(subject, currency): (&str, Option<&str>)| {
        let currency = currency.filter(|currency| *currency != USD)?;
        Some(Blocker::CurrencyMismatch.on(subject, format!("is {currency:?}, not {USD}")))
    };
    both.into_iter().filter_map(other).collect()
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
    let Some(billing) = spend.filter(|_| is_positive(spend)) else {
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

fn is_positive(spend: Option<&BillingArtifact>) -> bool {
    spend.is_some_and(|billing| !billing.spend_amount.is_negative() && !billing.spend_amount.is_zero())
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
    (listed != expected).then(|| {
        Blocker::OutcomeReceiptInvalid.on(
            handles::COST_OUTCOME_RECEIPT_REQUIRED_FIELDS,
            format!("must be {expected}"),
        )
    })
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
