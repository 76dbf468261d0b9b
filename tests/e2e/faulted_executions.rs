//! Faults of whole executions: a function killed, an event that is none, and a run that goes on after a fault.

use p1_contract::evidence::{observations_name, phase_folder, summary_name};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{PhaseExecutionId, Stamp};
use p1_contract::step::Step;
use p1_tests::stage::{Ended, Stage, on_stage};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::processes;

/// How often a kill is tried until it comes in the middle of a publication.
const TRIES: usize = 40;

/// The folder of a step's phase execution.
pub(crate) fn folder(arn: &str, stamp: Stamp, step: Step) -> String {
    phase_folder(&PhaseExecutionId::derive(step, stamp, arn))
}

/// When an execution started, as evidence knows it.
pub(crate) async fn stamp(stage: &Stage, arn: &str) -> Stamp {
    Stamp::from_rfc3339_floor(&stage.start_time(arn).await).unwrap()
}

/// The input that resumes a run from the summary of `step` in this folder.
pub(crate) async fn resume_input(stage: &Stage, folder: &str, step: Step) -> Value {
    let key = format!("{folder}{}.json", summary_name(step));
    let versions = stage.versions(&key).await;
    json!({"resume": {
        "held": {
            "key": key,
            "version_id": versions[&key][0],
            "sha256": Sha256Hex::of(&stage.get(&key).await).to_string(),
        },
        "reset": {
            "actor": "operator", "reason": "the execution faulted", "class": "service_runtime_reset",
            "scope": "this run", "at_utc": "2026-11-22T12:17:01Z",
        },
    }})
}

/// Everything that the execution and its run published has one version.
async fn expect_written_once(stage: &Stage, ended: &Ended) {
    let run = ended.outcome()["platform_run_id"].as_str().unwrap().to_owned();
    stage.expect_single_versions(&format!("evidence/runs/{run}/")).await;
    for folder in stage.folders(ended).await.values() {
        stage.expect_single_versions(folder).await;
    }
}

/// The ledger's records of a run: kind and verdict.
async fn ledger(stage: &Stage, run: &str) -> Vec<(Value, Value)> {
    let mut records = Vec::new();
    for key in stage.keys(&format!("evidence/runs/{run}/ledger/")).await {
        let record = stage.json(&key).await;
        records.push((record["kind"].clone(), record["verdict"].clone()));
    }
    records
}

/// Starts a run and kills the function of `step` between its observations and its summary; how the run ended, if the
/// kill came in time.
async fn kill_in_publication(stage: &Stage, step: Step, name: &str, start: &Value) -> Option<Ended> {
    let arn = stage.begin(name, start).await;
    let stamp = stamp(stage, &arn).await;
    if let Some(before) = step.before().last() {
        let summary = format!("{}{}.json", folder(&arn, stamp, before), summary_name(before));
        while !stage.exists(&summary).await {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    let folder = folder(&arn, stamp, step);
    let observations = format!("{folder}{}.json", observations_name(step));
    let summary = format!("{folder}{}.json", summary_name(step));
    // Without a pause: the publication is over soon.
    while !stage.exists(&observations).await {}
    // Held still, so that what is there does not change while we look.
    let running = processes::of_function(stage, step);
    processes::signal(&running, Signal::STOP);
    let in_time = !stage.exists(&summary).await;
    processes::signal(&running, if in_time { Signal::KILL } else { Signal::CONT });
    let ended = stage.ended(&arn).await.expect_advance();
    let retried = stage.answers(&arn).await.1 > Step::ALL.len();
    (in_time && retried).then_some(ended)
}

#[test]
fn a_function_killed_while_it_publishes_is_run_again_to_the_same_end() {
    on_stage(async |stage| {
        let start = stage.operator_start().await;
        let (mut killed, mut runs) = (0, 0);
        for step in Step::ALL {
            for attempt in 0.. {
                assert!(
                    attempt < TRIES,
                    "{step} was never caught in the middle of its publication"
                );
                runs += 1;
                let name = format!("killed-{}-{attempt}", step.prefix());
                let Some(ended) = kill_in_publication(stage, step, &name, &start).await else {
                    continue;
                };
                let folders = stage.folders(&ended).await;
                let stamp = stamp(stage, &ended.arn).await;
                for step in Step::ALL {
                    assert_eq!(folders[step.id()], folder(&ended.arn, stamp, step));
                }
                expect_written_once(stage, &ended).await;
                killed += 1;
                break;
            }
        }
        println!("functions killed in publication / runs completed: {killed} / {killed} (of {runs} runs)");
    });
}

#[test]
fn a_malformed_event_is_a_fault_and_publishes_nothing() {
    on_stage(async |stage| {
        let ended = stage.run().await;
        let event: Value = serde_json::from_str(&stage.input(&ended.arn).await).unwrap();
        let before = stage.keys("evidence/").await;
        for (pointer, value, field) in [
            ("/detail/object/key", json!("evidence/dev_full/x.json"), "key"),
            ("/detail/object/sequencer", json!(""), "sequencer"),
            ("/detail/object/sequencer", json!(7), "sequencer"),
            ("/detail/bucket/name", json!("another-bucket"), "bucket"),
            ("/detail-type", json!("Object Deleted"), "detail-type"),
            ("/source", json!("aws.ec2"), "source"),
            ("/detail", json!(null), "detail"),
        ] {
            let mut malformed = event.clone();
            *malformed.pointer_mut(pointer).unwrap() = value;
            let ended = stage.start(&malformed).await;
            assert_eq!(ended.error, "InvalidInput", "{pointer}: {ended:?}");
            assert!(ended.cause.contains(field), "{pointer}: {ended:?}");
        }
        assert_eq!(stage.keys("evidence/").await, before);
    });
}

/// An object that no attempt of ours wrote stands where `step` keeps its observations: the step faults, and the run goes
/// on in another execution.
#[test]
fn a_faulted_run_goes_on_from_its_last_summary() {
    on_stage(async |stage| {
        let start = stage.operator_start().await;
        let mut resumed_runs = 0;
        for step in Step::ALL.into_iter().skip(2) {
            let name = format!("faulted-{}", step.prefix());
            let arn = stage.execution_arn(&name);
            plant(stage, &arn, step).await;
            let faulted = stage.begin(&name, &start).await;
            let ended = stage.ended(&faulted).await;
            assert_eq!(ended.error, "Internal", "{step}: {ended:?}");
            assert_eq!(stage.answers(&arn).await.0.len(), step.before().count(), "{step}");

            let stamp = stamp(stage, &arn).await;
            let run = stage.answers(&arn).await.0[1]["run"]["platform_run_id"].clone();
            let run = run.as_str().unwrap();
            let acquired = (json!("ACQUIRED"), Value::Null);
            assert_eq!(
                ledger(stage, run).await,
                std::slice::from_ref(&acquired),
                "{step}: a fault is no verdict"
            );
            let verdict = folder(&arn, stamp, Step::PhaseVerdict);
            assert!(!stage.exists(&format!("{verdict}m3_execution_summary.json")).await);

            // The last of M3.A … M3.H that closed.
            let last = step.before().filter(|step| Step::GATED.contains(step)).last().unwrap();
            let input = resume_input(stage, &folder(&arn, stamp, last), last).await;
            let resumed = stage.start(&input).await.expect_advance();
            assert_eq!(resumed.outcome()["platform_run_id"], run, "{step}");
            let committed = (json!("COMMITTED"), json!("ADVANCE_TO_M4"));
            assert_eq!(
                ledger(stage, run).await,
                [acquired.clone(), acquired, committed],
                "{step}"
            );
            expect_written_once(stage, &resumed).await;
            resumed_runs += 1;
        }
        println!("runs faulted / resumed to an advance: {resumed_runs} / {resumed_runs}");
    });
}

/// Occupies the key of a step's observations, whenever in the next seconds the execution starts.
async fn plant(stage: &Stage, arn: &str, step: Step) {
    let now = jiff::Timestamp::now().as_second();
    for second in now..now + 20 {
        let stamp = jiff::Timestamp::new(second, 0).unwrap().to_string();
        let folder = folder(arn, Stamp::from_rfc3339_floor(&stamp).unwrap(), step);
        let key = format!("{folder}{}.json", observations_name(step));
        let uri = format!("s3://{}/{key}", stage.platform.evidence_bucket());
        stage.put(&uri.parse().unwrap(), b"{\"not\": ours".to_vec()).await;
    }
}
