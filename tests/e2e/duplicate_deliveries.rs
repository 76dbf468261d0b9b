//! EventBridge delivers at least once: however often and however close together, one delivery pins one run.

use futures_util::future::join_all;
use p1_tests::stage::{Ended, Stage, on_stage, rounds};
use serde_json::{Value, json};

/// How many executions one event starts.
const DELIVERIES: usize = 20;

/// Of the executions of one event one has a verdict; all others ended without a trace. How many those are.
async fn expect_one_run(stage: &Stage, ended: &[Ended]) -> usize {
    let mut duplicates = 0;
    for ended in ended {
        let outcome = ended.outcome();
        if outcome["outcome"] != "DUPLICATE_DELIVERY" {
            assert_eq!(outcome["verdict"], "ADVANCE_TO_M4", "{ended:?}");
            continue;
        }
        duplicates += 1;
        let (answers, _) = stage.answers(&ended.arn).await;
        let [only] = &answers[..] else {
            panic!("a duplicate runs one function, not {}", answers.len())
        };
        let id = only["phase_execution_id"].as_str().unwrap();
        let folder = format!("evidence/dev_full/run_control/{id}/");
        assert!(stage.keys(&folder).await.is_empty(), "a duplicate publishes nothing");
    }
    assert_eq!(duplicates, ended.len() - 1);
    duplicates
}

/// The folders of all runs.
async fn runs(stage: &Stage) -> usize {
    let keys = stage.keys("evidence/runs/").await;
    keys.iter().filter(|key| key.ends_with("/ledger/000001.json")).count()
}

#[test]
fn one_event_pins_one_run_however_often_it_is_delivered() {
    on_stage(async |stage| {
        for _ in 0..rounds() {
            // All at once: the same delivery, which no execution has seen before.
            let first = stage.run().await.expect_advance();
            let mut event: Value = serde_json::from_str(&stage.input(&first.arn).await).unwrap();
            let sequencer = event["detail"]["object"]["sequencer"].as_str().unwrap().to_owned() + "FF";
            event["detail"]["object"]["sequencer"] = json!(sequencer);
            let before = runs(stage).await;
            let ended = join_all((0..DELIVERIES).map(|_| stage.start(&event))).await;
            let duplicates = expect_one_run(stage, &ended).await;
            let pinned = runs(stage).await - before;
            assert_eq!(pinned, 1);
            println!("the same event {DELIVERIES} times at once: {pinned} run, {duplicates} duplicates");

            // And by the rule itself, joined by all others as soon as the event can be known.
            let before = runs(stage).await;
            let first = stage.deliver().await;
            let event: Value = serde_json::from_str(&stage.input(&first).await).unwrap();
            let others = (1..DELIVERIES).map(|_| stage.start(&event));
            let (first, mut ended) = tokio::join!(stage.ended(&first), join_all(others));
            ended.push(first);
            let duplicates = expect_one_run(stage, &ended).await;
            let pinned = runs(stage).await - before;
            assert_eq!(pinned, 1);
            println!(
                "by the rule and {} times more: {pinned} run, {duplicates} duplicates",
                DELIVERIES - 1
            );
        }
    });
}

#[test]
fn a_duplicate_delivery_ends_without_a_run() {
    on_stage(async |stage| {
        let first = stage.run().await.expect_advance();
        let runs = stage.keys("evidence/runs/").await.len();
        let event: Value = serde_json::from_str(&stage.input(&first.arn).await).unwrap();
        let second = stage.start(&event).await;
        assert_eq!(second.outcome()["outcome"], "DUPLICATE_DELIVERY", "{second:?}");
        assert_eq!(stage.keys("evidence/runs/").await.len(), runs);
    });
}
