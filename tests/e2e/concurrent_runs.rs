//! Many executions at once: each pins a run of its own, from evidence of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use p1_contract::evidence::summary_name;
use p1_contract::step::Step;
use p1_tests::stage::{Ended, Stage, on_stage_of_its_own, rounds};
use serde_json::Value;

/// Executions that start over some seconds, and the pause between two of them.
const SPREAD: usize = 64;
const PAUSE: Duration = Duration::from_millis(200);
/// Executions that start within one second, and how many run ids a second has.
const BURST: usize = 30;
const IDS_A_SECOND: usize = 21;

/// Each summary of the execution lists inputs of this execution and its run alone, besides what all share.
async fn expect_own_evidence(stage: &Stage, ended: &Ended) -> usize {
    let folders = stage.folders(ended).await;
    let run = ended.outcome()["platform_run_id"]
        .as_str()
        .map(|run| format!("evidence/runs/{run}/"));
    let mut own: Vec<&str> = folders.values().map(String::as_str).collect();
    own.extend(run.as_deref());
    let mut inputs = 0;
    for (step, folder) in &folders {
        let step = Step::from_id(step).unwrap();
        let summary = stage.json(&format!("{folder}{}.json", summary_name(step))).await;
        for input in summary["inputs"].as_array().unwrap() {
            let key = input["key"].as_str().unwrap();
            let receipt = key.starts_with("evidence/dev_full/run_control/m2j_");
            let evidence = key.starts_with("evidence/") && !receipt;
            assert!(
                !evidence || own.iter().any(|own| key.starts_with(own)),
                "{step} read {key}"
            );
            inputs += 1;
        }
    }
    inputs
}

/// No object of these executions and their runs was written twice. Other tests plant second versions of objects of
/// their own in the same bucket.
async fn expect_written_once(stage: &Stage, ended: &[Ended]) -> usize {
    let mut own = BTreeSet::new();
    for ended in ended {
        own.extend(stage.folders(ended).await.into_values());
        own.extend(run_id(ended).map(|run| format!("evidence/runs/{run}/")));
    }
    let mut objects = 0;
    for (key, versions) in &stage.versions("evidence/").await {
        if own.iter().any(|prefix| key.starts_with(prefix)) {
            assert_eq!(versions.len(), 1, "{key}");
            objects += 1;
        }
    }
    assert!(objects > ended.len());
    objects
}

/// Whether the execution advanced. Where it did not, S3 did not answer in time, and nothing else: on a machine that is
/// busier than the time-outs of the functions foresee, that is the true verdict.
async fn advanced(stage: &Stage, ended: &Ended) -> bool {
    if ended.error.is_empty() {
        assert_eq!(ended.outcome()["verdict"], "ADVANCE_TO_M4", "{ended:?}");
        return true;
    }
    assert_eq!(ended.error, "M3.Hold", "{ended:?}");
    for (step, folder) in stage.folders(ended).await {
        let summary = format!("{folder}{}.json", summary_name(Step::from_id(&step).unwrap()));
        for blocker in stage.json(&summary).await["blockers"].as_array().unwrap() {
            let detail = blocker["detail"].as_str().unwrap();
            assert!(detail.starts_with("INCONCLUSIVE"), "{step}: {blocker}");
        }
    }
    false
}

fn run_id(ended: &Ended) -> Option<String> {
    ended.outcome()["platform_run_id"].as_str().map(str::to_owned)
}

#[test]
fn sixty_four_starts_over_some_seconds_pin_sixty_four_runs() {
    on_stage_of_its_own(async |stage| {
        let stage = &*stage;
        for round in 1..=rounds() {
            let input = stage.operator_start().await;
            let start = async |number: usize| {
                tokio::time::sleep(PAUSE * u32::try_from(number).unwrap()).await;
                stage.start(&input).await
            };
            let ended = join_all((0..SPREAD).map(start)).await;
            let mut advances = 0;
            for ended in &ended {
                advances += usize::from(advanced(stage, ended).await);
            }
            let runs: BTreeSet<String> = ended.iter().filter_map(run_id).collect();
            assert_eq!(runs.len(), SPREAD);
            let mut inputs = 0;
            for ended in &ended {
                inputs += expect_own_evidence(stage, ended).await;
            }
            let objects = expect_written_once(stage, &ended).await;
            println!(
                "round {round}: {SPREAD} starts, {SPREAD} verdicts ({advances} advance), {} run ids; concurrent runs / shared ids: {SPREAD} / {}; \
                 {inputs} inputs of their own, {objects} objects with one version",
                runs.len(),
                SPREAD - runs.len()
            );
        }
    });
}

#[test]
fn thirty_starts_in_one_second_pin_the_runs_that_a_second_has_ids_for() {
    on_stage_of_its_own(async |stage| {
        let stage = &*stage;
        for round in 1..=rounds() {
            let input = stage.operator_start().await;
            // Just after a second has begun, so that all starts fall into it.
            let now = jiff::Timestamp::now();
            let left = 1_000 - now.as_millisecond().rem_euclid(1_000) + 10;
            tokio::time::sleep(Duration::from_millis(left.unsigned_abs())).await;
            let ended = join_all((0..BURST).map(|_| stage.start(&input))).await;

            // A busy machine may spread them over two seconds: each second has ids of its own.
            let mut seconds = BTreeMap::<String, (usize, usize)>::new();
            for ended in &ended {
                let id = ended.outcome()["closure"]["phase_execution_id"].clone();
                let second = id.as_str().unwrap().split('_').nth(1).unwrap().to_owned();
                let (advanced, held) = seconds.entry(second).or_default();
                let outcome: Value = ended.outcome();
                if outcome["verdict"] == "ADVANCE_TO_M4" {
                    *advanced += 1;
                } else {
                    assert_eq!(ended.error, "M3.Hold", "{ended:?}");
                    assert_eq!(outcome["blockers"], serde_json::json!(["M3B-B2"]), "{ended:?}");
                    *held += 1;
                }
                expect_own_evidence(stage, ended).await;
            }
            for (second, (advanced, held)) in &seconds {
                assert_eq!(*advanced, IDS_A_SECOND.min(advanced + held), "{second}");
            }
            let runs: BTreeSet<String> = ended.iter().filter_map(run_id).collect();
            let advanced: usize = seconds.values().map(|(advanced, _)| advanced).sum();
            assert_eq!(runs.len(), advanced);
            expect_written_once(stage, &ended).await;
            println!(
                "round {round}: {BURST} starts in {} second(s): {advanced} advance, {} hold with M3B-B2; shared ids: 0",
                seconds.len(),
                BURST - advanced
            );
        }
    });
}
