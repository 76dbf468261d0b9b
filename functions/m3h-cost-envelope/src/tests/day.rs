//! The day's answer of Cost Explorer: who asks, how often, and what is kept.

use std::time::Duration;

use p1_contract::artifacts::CostClaim;
use p1_contract::blocker::Blocker;
use p1_contract::canonical;
use p1_contract::request::StepResult;
use p1_runtime::Fault;
use p1_runtime::store::PutAnswer;
use p1_runtime::testing::BUCKET;
use serde_json::{Value, json};

use super::explorer::month;
use super::fixture::{DAY_KEY, EXECUTION, Platform, REGISTRY, billing, stamp, step};
use super::harness::{blocked, run};
use crate::CostEnvelope;
use crate::day::CLAIMS;

#[tokio::test]
async fn cost_explorer_is_asked_once_a_day_and_its_answer_kept() {
    let platform = Platform::new().use_cost_explorer();
    let (asking, replay) = step(&[(200, month("99.5"))]);
    let result = invoke(&platform, &asking).await.unwrap();
    assert!(result.overall_pass, "{:?}", result.blockers);
    let asked = replay.asked();
    assert_eq!(asked.len(), 1);
    let question: Value = serde_json::from_slice(asked[0].body().bytes().unwrap()).unwrap();
    // The state machine's.
    assert_eq!(question["Filter"]["Dimensions"]["Values"], json!(["123456789012"]));
    let kept = stored(&platform, DAY_KEY);
    assert_eq!(kept["spend_amount"], "99.5");
    assert_eq!(kept["source"], "aws_cost_explorer");
    assert!(platform.lists(DAY_KEY));

    // Another execution of the day: a step that cannot ask at all.
    let next = Platform::new().use_cost_explorer();
    next.store
        .seed(BUCKET, DAY_KEY, platform.store.dump(BUCKET)[DAY_KEY].clone());
    assert!(run(&next).await.overall_pass);
    assert_eq!(next.published("phase_cost_outcome_receipt")["spend_amount"], "99.5");
}

#[tokio::test]
async fn cost_explorer_refuses_or_its_answer_cannot_be_kept() {
    let platform = Platform::new().use_cost_explorer();
    let denied = json!({"__type": "AccessDeniedException", "Message": "not authorized"});
    let result = invoke(&platform, &step(&[(400, denied)]).0).await.unwrap();
    assert_eq!(result.blockers, [Blocker::BillingSourceUnusable]);
    assert!(!platform.store.dump(BUCKET).contains_key(DAY_KEY));

    let platform = Platform::new().use_cost_explorer();
    platform.store.seed(BUCKET, DAY_KEY, "not ours");
    assert_eq!(blocked(&platform).await, ["M3H-B3"]);

    let platform = Platform::new().use_cost_explorer();
    claim(&platform, "one", 1);
    // Its claim is there already; the answer is refused.
    let refused = PutAnswer::Refused("access denied".to_owned());
    platform.store.script(vec![PutAnswer::Exists, refused]);
    let result = invoke(&platform, &step(&[(200, month("1"))]).0).await.unwrap();
    assert_eq!(result.blockers, [Blocker::CostNotPublished]);

    let platform = Platform::new().use_cost_explorer();
    let outage = invoke(&platform, &step(&[(503, json!({}))]).0).await;
    assert_eq!(outage.unwrap_err().name(), "Transient");
}

/// Two executions ask at once: the answer that was kept first counts for both.
#[tokio::test]
async fn a_race_for_the_days_answer_has_one_winner() {
    let platform = Platform::new().use_cost_explorer();
    let (asking, replay) = step(&[(200, month("99.5"))]);
    let store = platform.store.clone();
    replay.meanwhile(move || drop(store.seed(BUCKET, DAY_KEY, theirs())));
    let result = invoke(&platform, &asking).await.unwrap();
    assert!(result.overall_pass, "{:?}", result.blockers);
    assert_eq!(platform.published("phase_cost_outcome_receipt")["spend_amount"], "98");
}

/// Without a usable billing region there is nothing to ask; the handle is the one cause.
#[tokio::test]
async fn cost_explorer_is_not_asked_without_a_region() {
    let registry = REGISTRY.replace("\"us-east-1\"", "\"TO_PIN\"");
    let platform = Platform::with_registry(&registry).use_cost_explorer();
    assert_eq!(blocked(&platform).await, ["M3H-B1"]);
}

/// The JSON at this key.
fn stored(platform: &Platform, key: &str) -> Value {
    serde_json::from_slice(&platform.store.dump(BUCKET)[key]).unwrap()
}

/// What an execution that asks elsewhere keeps: 98 dollars.
fn theirs() -> String {
    let mut theirs = billing();
    theirs["source"] = json!("aws_cost_explorer");
    theirs["spend_amount"] = json!("98");
    theirs.to_string()
}

fn claim_key(number: u32) -> String {
    format!("evidence/dev_full/run_control/_cost/20261122_claim_{number:02}.json")
}

/// Claims the question for the execution of this name.
fn claim(platform: &Platform, name: &str, number: u32) {
    let owner = EXECUTION.replace(":one", &format!(":{name}")).parse().unwrap();
    let bytes = canonical::document_of(&CostClaim::new(&owner, stamp().date(), number)).unwrap();
    platform.store.seed(BUCKET, &claim_key(number), bytes);
}

async fn invoke(platform: &Platform, step: &CostEnvelope) -> Result<StepResult, Fault> {
    platform.harness().run(step, &platform.request()).await
}

#[tokio::test]
async fn who_asks_has_claimed_to() {
    let platform = Platform::new().use_cost_explorer();
    let (asking, _) = step(&[(200, month("99.5"))]);
    assert!(invoke(&platform, &asking).await.unwrap().overall_pass);
    let claim = stored(&platform, &claim_key(1));
    let expected = json!({
        "schema_version": 2, "artifact": "p1_cost_claim", "phase_id": "P1", "owner": EXECUTION,
        "date_utc": "2026-11-22", "number": 1,
    });
    assert_eq!(claim, expected);
    assert!(platform.lists(&claim_key(1)));
}

#[tokio::test]
async fn whether_the_amount_is_an_estimate_stands_in_the_evidence() {
    for estimated in [true, false] {
        let platform = Platform::new().use_cost_explorer();
        let mut answer = month("99.5");
        answer["ResultsByTime"][0]["Estimated"] = json!(estimated);
        let (asking, _) = step(&[(200, answer)]);
        assert!(invoke(&platform, &asking).await.unwrap().overall_pass);
        let kept = stored(&platform, DAY_KEY);
        assert_eq!(kept["estimated"], estimated);
        let observations = platform.published("m3h_observations");
        let observed = &observations["observed"]["source"]["answer"]["answered"]["billing"];
        assert_eq!(observed["estimated"], estimated, "{observations}");
        assert_eq!(platform.published("daily_cost_posture")["estimated"], estimated);
        let receipts = platform.published("m3h_cost_source_receipts");
        let words = if estimated { ", an estimate" } else { ", final" };
        assert!(
            receipts["sources"][0]["detail"].as_str().unwrap().ends_with(words),
            "{receipts}"
        );
    }
}

/// While another execution asks, this one waits, and takes its answer.
#[tokio::test(start_paused = true)]
async fn of_two_executions_of_a_day_one_asks() {
    let platform = Platform::new().use_cost_explorer();
    claim(&platform, "other", 1);
    let (cannot_ask, replay) = step(&[]);
    let store = platform.store.clone();
    let other = async {
        tokio::time::sleep(Duration::from_millis(4500)).await;
        store.seed(BUCKET, DAY_KEY, theirs());
    };
    let (result, ()) = tokio::join!(invoke(&platform, &cannot_ask), other);
    assert!(result.unwrap().overall_pass);
    assert_eq!(replay.asked().len(), 0);
    assert!(!platform.store.dump(BUCKET).contains_key(&claim_key(2)));
    assert_eq!(platform.published("phase_cost_outcome_receipt")["spend_amount"], "98");
}

/// An execution that claimed the question and ended before it kept an answer blocks nobody.
#[tokio::test(start_paused = true)]
async fn after_one_that_kept_nothing_another_asks() {
    let platform = Platform::new().use_cost_explorer();
    claim(&platform, "gone", 1);
    claim(&platform, "gone-too", 2);
    let (asking, replay) = step(&[(200, month("99.5"))]);
    assert!(invoke(&platform, &asking).await.unwrap().overall_pass);
    assert_eq!(replay.asked().len(), 1);
    assert!(platform.store.dump(BUCKET).contains_key(&claim_key(3)));
    assert!(!platform.store.dump(BUCKET).contains_key(&claim_key(4)));
}

/// On the first day of a month, or of an account, there may be no data yet: the run is held and nothing is kept, so that a
/// later execution of the day asks again.
#[tokio::test(start_paused = true)]
async fn a_day_without_data_holds_and_is_asked_again_later() {
    let platform = Platform::new().use_cost_explorer();
    claim(&platform, "earlier", 1);
    let missing = json!({"__type": "DataUnavailableException", "Message": "Data is not available."});
    let (asking, _) = step(&[(400, missing)]);
    let result = invoke(&platform, &asking).await.unwrap();
    assert_eq!(result.blockers, [Blocker::BillingSourceUnusable]);
    assert!(!platform.store.dump(BUCKET).contains_key(DAY_KEY));

    let later = Platform::new().use_cost_explorer();
    claim(&later, "earlier", 1);
    claim(&later, "held", 2);
    let (asking, replay) = step(&[(200, month("0"))]);
    assert!(invoke(&later, &asking).await.unwrap().overall_pass);
    assert_eq!(replay.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn after_the_last_claim_nobody_asks_any_more() {
    let platform = Platform::new().use_cost_explorer();
    for number in 1..=CLAIMS {
        claim(&platform, &format!("gone-{number}"), number);
    }
    let (asking, replay) = step(&[(200, month("1"))]);
    let result = invoke(&platform, &asking).await.unwrap();
    assert_eq!(result.blockers, [Blocker::BillingSourceUnusable]);
    assert_eq!(replay.asked().len(), 0);
    let summary = platform.published("m3h_execution_summary");
    let detail = summary["blockers"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("kept no answer"), "{detail}");
}

/// A retry of the Task asks again under the claim that it has, and each attempt makes one request.
#[tokio::test(start_paused = true)]
async fn a_retry_asks_under_its_own_claim() {
    let platform = Platform::new().use_cost_explorer();
    let outage = (503, json!({}));
    let (asking, replay) = step(&[outage.clone(), outage, (200, month("99.5"))]);
    for _ in 0..2 {
        assert_eq!(invoke(&platform, &asking).await.unwrap_err().name(), "Transient");
        assert_eq!(replay.asked().len(), 1, "the client itself tries once");
    }
    let result = invoke(&platform, &asking).await.unwrap();
    assert!(result.overall_pass);
    assert_eq!(replay.asked().len(), 1);
    let objects = platform.store.dump(BUCKET);
    assert_eq!(objects.keys().filter(|key| key.contains("_claim_")).count(), 1);
    assert!(platform.lists(&claim_key(1)));
}
