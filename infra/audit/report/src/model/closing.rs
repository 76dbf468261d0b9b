//! The last sections of the page: lanes, cost, ledger, checklist, and what to do about a hold.

use p1_audit::lineage::{Closing, Entry, Kind, Lineage};
use p1_contract::artifacts::*;
use p1_contract::evidence::{Body, ExecutionSummary};
use p1_contract::ids::UsdAmount;
use p1_contract::input::HeldSummary;
use p1_contract::ledger::LedgerKind;
use p1_contract::step::Step;

use super::evidence::{Evidence, Object};
use super::executions::History;
use super::steps::Raised;
use crate::text::Text;

/// A capability lane and the artifacts that cover it.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) name: Text,
    pub(crate) steps: Vec<Step>,
    pub(crate) covered: bool,
    /// Each artifact's name, with its object if a closure of the verdict lists it.
    pub(crate) evidence: Vec<(Text, Option<Object>)>,
}

/// The cost envelope and the actual cost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cost {
    pub(crate) limit: Option<Text>,
    pub(crate) alerts: Vec<Option<Text>>,
    pub(crate) currency: Option<Text>,
    pub(crate) scope: Option<Text>,
    pub(crate) spend: Option<Text>,
    pub(crate) spend_currency: Option<Text>,
    pub(crate) window: Option<(Text, Text)>,
    pub(crate) estimated: Option<bool>,
    pub(crate) alerts_reached: Option<u32>,
    pub(crate) retired: Option<Text>,
    pub(crate) proofs: Vec<(Step, Text, bool)>,
    pub(crate) sources: Vec<Source>,
    /// Spend and alerts in thousandths of the limit. `None` if the limit is not known.
    pub(crate) scale: Option<Scale>,
}

/// Amounts in thousandths of the limit.
#[derive(Debug, Clone)]
pub(crate) struct Scale {
    pub(crate) spend: u32,
    pub(crate) alerts: Vec<u32>,
}

/// A source of cost.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) name: Text,
    pub(crate) enabled: Option<bool>,
    pub(crate) mode: Text,
    pub(crate) detail: Text,
    pub(crate) pass: bool,
}

/// A record of the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) sequence: u32,
    pub(crate) kind: &'static str,
    pub(crate) verdict: Option<&'static str>,
    pub(crate) holder: Text,
    pub(crate) holder_stamp: String,
    pub(crate) summary: Option<Object>,
    pub(crate) record: Option<Object>,
}

/// An item of the completion checklist.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) item: Text,
    pub(crate) complete: bool,
    pub(crate) status: Option<ItemStatus>,
    pub(crate) evidence: Vec<Text>,
    pub(crate) remaining: Option<Text>,
}

/// What to do about a hold.
#[derive(Debug, Clone)]
pub(crate) struct Next {
    pub(crate) action: Text,
    pub(crate) remedies: Vec<(p1_contract::blocker::Blocker, Text)>,
    /// The held summary's key.
    pub(crate) held: Option<Text>,
    /// The reset receipt, as the content of a file.
    pub(crate) reset: Option<String>,
    /// The inputs of *New execution*, each with what it is for.
    pub(crate) inputs: Vec<(&'static str, String)>,
    /// What the input for one state alone does to the rerun input.
    pub(crate) only_effect: Option<Text>,
}

/// An artifact in the step's closure that the verdict rests on.
fn artifact<B: Body>(evidence: &Evidence<'_>, history: &History, step: Step) -> Option<B> {
    let summary = summary(history, step)?;
    let artifact = summary.artifact(B::NAME)?;
    Some(evidence.document::<B>(artifact.key.as_str()).ok()?.body)
}

fn summary(history: &History, step: Step) -> Option<&ExecutionSummary> {
    let phase = &history.verdict.as_ref()?.summary;
    let named = phase.body.closures.iter().find(|closure| closure.step == step)?;
    let closed = history
        .closings
        .iter()
        .find(|closed| closed.id == named.phase_execution_id)?;
    closed.summary()
}

pub(crate) fn lanes(evidence: &Evidence<'_>, history: &History) -> Vec<Lane> {
    let matrix = artifact::<GateRollupMatrix>(evidence, history, Step::GateRollup);
    let lanes = matrix.map(|matrix| matrix.lanes).unwrap_or_default();
    let lane = |lane: CapabilityLane| {
        let find = |name: &String| {
            let listed = lane
                .steps
                .iter()
                .find_map(|step| summary(history, *step)?.artifact(name));
            (Text::new(name), listed.map(|artifact| evidence.artifact(artifact)))
        };
        Lane {
            name: Text::new(&lane.lane),
            evidence: lane.evidence.iter().map(find).collect(),
            covered: lane.covered,
            steps: lane.steps.clone(),
        }
    };
    lanes.into_iter().map(lane).collect()
}

pub(crate) fn cost(evidence: &Evidence<'_>, history: &History) -> Option<Cost> {
    let step = Step::CostEnvelope;
    let envelope = artifact::<PhaseBudgetEnvelope>(evidence, history, step);
    let receipt = artifact::<PhaseCostOutcomeReceipt>(evidence, history, step);
    let posture = artifact::<DailyCostPosture>(evidence, history, step);
    let sources = artifact::<CostSourceReceipts>(evidence, history, step);
    if envelope.is_none() && receipt.is_none() && posture.is_none() && sources.is_none() {
        return None;
    }
    let amount = |amount: &UsdAmount| Text::new(amount.as_str());
    let mut cost = Cost::default();
    let mut limit = None;
    let mut alerts = Vec::new();
    if let Some(envelope) = envelope {
        cost.limit = envelope.monthly_budget_limit_usd.as_ref().map(amount);
        cost.alerts = envelope
            .budget_alerts_usd
            .iter()
            .map(|alert| alert.as_ref().map(amount))
            .collect();
        cost.currency = envelope.budget_currency.as_deref().map(Text::new);
        cost.scope = envelope.cost_capture_scope.as_deref().map(Text::new);
        let proof = |proof: &ProofArtifact| (proof.step, Text::new(&proof.name), proof.present);
        cost.proofs = envelope.expected_proof_artifacts.iter().map(proof).collect();
        limit = envelope.monthly_budget_limit_usd;
        alerts = envelope.budget_alerts_usd.into_iter().flatten().collect();
    }
    if let Some(receipt) = receipt {
        let parts = limit.as_ref().and_then(|limit| {
            let alerts = alerts
                .iter()
                .map(|alert| thousandths(alert, limit))
                .collect::<Option<_>>()?;
            let spend = thousandths(receipt.spend_amount.as_ref()?, limit)?;
            Some(Scale { spend, alerts })
        });
        cost.scale = parts;
        cost.spend = receipt.spend_amount.as_ref().map(amount);
        cost.spend_currency = receipt.spend_currency.as_deref().map(Text::new);
        let window = receipt
            .window_start_utc
            .as_deref()
            .zip(receipt.window_end_utc.as_deref());
        cost.window = window.map(|(start, end)| (Text::new(start), Text::new(end)));
        cost.retired = Some(Text::new(&receipt.decision_or_risk_retired));
    }
    if let Some(posture) = posture {
        cost.estimated = posture.estimated;
        cost.alerts_reached = posture.alerts_reached;
    }
    cost.sources = sources
        .iter()
        .flat_map(|receipts| &receipts.sources)
        .map(source)
        .collect();
    Some(cost)
}

fn source(receipt: &CostSourceReceipt) -> Source {
    Source {
        name: Text::new(&receipt.source),
        enabled: receipt.enabled,
        mode: Text::new(&receipt.mode),
        detail: Text::new(&receipt.detail),
        pass: receipt.pass,
    }
}

/// `amount` in thousandths of `limit`, at most 1,000. It is used for the length of a bar and never shown as a number.
fn thousandths(amount: &UsdAmount, limit: &UsdAmount) -> Option<u32> {
    let number = |amount: &UsdAmount| amount.as_str().parse::<f64>().ok();
    let (amount, limit) = (number(amount)?, number(limit)?);
    if limit <= 0.0 || amount < 0.0 {
        return None;
    }
    // The value is limited to 0 … 1,000 before the conversion to an integer.
    Some((amount / limit * 1_000.0).round().clamp(0.0, 1_000.0) as u32)
}

pub(crate) fn ledger(evidence: &Evidence<'_>, lineage: &Lineage<'_>) -> Vec<Record> {
    let records = lineage.ledger.iter();
    records
        .map(|Entry { key, record }| Record {
            sequence: record.sequence,
            kind: match record.kind {
                LedgerKind::Acquired => "ACQUIRED",
                LedgerKind::Committed => "COMMITTED",
            },
            verdict: record.verdict.map(|verdict| verdict.as_str()),
            holder: record.holder.as_str().into(),
            holder_stamp: record.holder_stamp_utc.rfc3339(),
            summary: record.summary.as_ref().map(|summary| evidence.object(summary)),
            record: evidence.file(key),
        })
        .collect()
}

pub(crate) fn checklist(history: &History) -> Vec<Item> {
    let phase = history.verdict.iter().map(|verdict| &verdict.summary.body);
    let items = phase.flat_map(|phase| &phase.completion_checklist);
    items
        .map(|item| Item {
            item: Text::new(&item.item),
            complete: item.complete,
            status: item.status,
            evidence: item.evidence.iter().map(|key| Text::new(key)).collect(),
            remaining: item.remaining.as_deref().map(Text::new),
        })
        .collect()
}

/// The blockers of the verdict; of an execution that ended without one, what it ended with has them.
pub(crate) fn unresolved(history: &History, lineage: &Lineage<'_>) -> Vec<Raised> {
    if lineage.kind.ends_before() {
        let summary = lineage.last().and_then(Closing::summary);
        let blockers = summary.into_iter().flat_map(|summary| &summary.blockers);
        return blockers.map(Raised::from).collect();
    }
    let phase = history.verdict.iter().map(|verdict| &verdict.summary.body);
    let blockers = phase.flat_map(|phase| &phase.unresolved_blockers);
    blockers
        .map(|blocker| Raised::new(blocker.code, &blocker.subject, &blocker.detail))
        .collect()
}

/// What the verdict offers. After one state alone, the run goes on from that state's summary; a rerun that was refused may be asked for
/// again once what it names is mended, with the same input or a mended one.
pub(crate) fn next(history: &History, lineage: &Lineage<'_>) -> Option<Next> {
    let phase = &history.verdict.as_ref()?.summary;
    let mut next = phase.body.next_action.clone()?;
    match lineage.kind {
        Kind::RerunRefused => return None,
        Kind::SingleState => {
            let last = lineage.ended_with()?;
            let held = HeldSummary {
                key: last.key,
                version_id: last.version_id?,
                sha256: last.sha256,
            };
            next.rerun_input.as_mut()?.resume.held = held;
            (next.only_input, next.only_effect) = (None, None);
            next.remedies.clear();
        }
        Kind::Run | Kind::Resume | Kind::PhaseEntry | Kind::Unfinished => {}
    }
    let resume = next.rerun_input.as_ref().map(|input| &input.resume);
    let inputs = [
        ("Rerun input", next.rerun_input.as_ref().and_then(json)),
        ("Input for one state alone", next.only_input.as_ref().and_then(json)),
        ("Start input", next.start_input.as_ref().and_then(json)),
    ];
    Some(Next {
        action: Text::new(&next.action),
        remedies: next
            .remedies
            .iter()
            .map(|remedy| (remedy.code, Text::new(&remedy.remedy)))
            .collect(),
        held: resume.map(|resume| resume.held.key.as_str().into()),
        reset: resume.and_then(|resume| json(&resume.reset)),
        inputs: inputs
            .into_iter()
            .filter_map(|(name, input)| Some((name, input?)))
            .collect(),
        only_effect: next.only_effect.as_deref().map(Text::new),
    })
}

/// JSON for reading and pasting. Everything outside ASCII is escaped, so that the visible text is exactly the text that is
/// pasted.
fn json<T: serde::Serialize>(value: &T) -> Option<String> {
    let pretty = serde_json::to_string_pretty(value).ok()?;
    let mut ascii = String::with_capacity(pretty.len());
    for c in pretty.chars() {
        if c.is_ascii() && (c == '\n' || !c.is_ascii_control()) {
            ascii.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    Some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_is_what_is_seen() {
        let hostile = "a\u{202e}b</script>\u{7f}\u{1f600}\n\"";
        let text = json(&serde_json::json!({ "reason": hostile })).unwrap();
        assert!(
            text.is_ascii() && text.contains("a\\u202eb</script>\\u007f\\ud83d\\ude00\\n\\\""),
            "{text}"
        );
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["reason"], hostile);
    }

    #[test]
    fn amounts_have_a_place_on_the_scale() {
        let usd = |text: &str| UsdAmount::parse(text).unwrap();
        assert_eq!(thousandths(&usd("30"), &usd("300")), Some(100));
        assert_eq!(thousandths(&usd("900"), &usd("300")), Some(1000));
        assert_eq!(thousandths(&usd("1"), &usd("0")), None);
        assert_eq!(thousandths(&usd("-1"), &usd("5")), None);
    }
}
