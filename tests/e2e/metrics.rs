//! What the functions tell CloudWatch reaches their logs, as lines of the Embedded Metric Format.

use std::collections::BTreeMap;

use p1_contract::step::Step;
use p1_runtime::metrics::{Dimension, Metric, NAMESPACE};
use p1_tests::stage::{Ended, Stage, on_stage};
use serde_json::{Value, json};

/// Prints every line of the functions' logs that is a document with metrics, and fails at one that is nearly such.
const LINES: &str = "import boto3,json,sys\n\
    logs=boto3.client('logs')\n\
    for page in logs.get_paginator('describe_log_groups').paginate():\n\
    \x20   for group in page['logGroups']:\n\
    \x20       for events in logs.get_paginator('filter_log_events').paginate(logGroupName=group['logGroupName']):\n\
    \x20           for event in events['events']:\n\
    \x20               for line in event['message'].splitlines():\n\
    \x20                   if '\"_aws\"' in line: print(json.dumps(json.loads(line)))\n";

/// The documents of an execution, in the order of the logs.
fn documents(stage: &Stage, ended: &Ended) -> Vec<Value> {
    let output = stage.python().args(["-c", LINES]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|document| document["execution_arn"] == ended.arn.as_str())
        .collect()
}

/// What CloudWatch adds up: metric and values of the dimensions → sum.
fn sums(stage: &Stage, documents: &[Value]) -> BTreeMap<String, u64> {
    let deployment = &stage.platform.deployment().outputs["Deployment"];
    let mut sums = BTreeMap::new();
    for document in documents {
        for directive in document["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            assert_eq!(directive["Namespace"], NAMESPACE);
            for set in directive["Dimensions"].as_array().unwrap() {
                let mut by = Vec::new();
                for key in set.as_array().unwrap() {
                    let value = document[key.as_str().unwrap()].as_str().unwrap();
                    if key == Dimension::Deployment.name() {
                        assert_eq!(value, deployment);
                    } else {
                        by.push(value);
                    }
                }
                for metric in directive["Metrics"].as_array().unwrap() {
                    let name = metric["Name"].as_str().unwrap();
                    let value = document[name].as_u64().unwrap();
                    *sums.entry(format!("{name} {}", by.join(" "))).or_default() += value;
                }
            }
        }
    }
    sums
}

fn count(sums: &BTreeMap<String, u64>, metric: Metric, by: &str) -> u64 {
    sums.get(&format!("{} {by}", metric.name()))
        .copied()
        .unwrap_or_default()
}

#[test]
fn every_step_and_the_verdict_are_counted_in_the_functions_logs() {
    on_stage(async |stage| {
        let ended = stage.run().await.expect_advance();
        let found = documents(stage, &ended);
        let sums = sums(stage, &found);
        for step in Step::ALL {
            assert_eq!(count(&sums, Metric::Passes, step.id()), 1, "{step}: {sums:?}");
            let measured = format!("{} {}", Metric::StepDuration.name(), step.id());
            assert!(sums.contains_key(&measured), "{step}: {sums:?}");
        }
        assert_eq!(count(&sums, Metric::Advances, ""), 1, "{sums:?}");
        assert_eq!(found.len(), Step::ALL.len());
        let run = &ended.outcome()["platform_run_id"];
        assert!(found[1..].iter().any(|document| document["platform_run_id"] == *run));
    });
}

#[test]
fn holds_duplicates_and_faults_are_counted_in_the_functions_logs() {
    on_stage(async |stage| {
        let held = stage
            .registry()
            .replace("`CONFIG_DIGEST_ALGO = \"sha256\"`", "`CONFIG_DIGEST_ALGO = \"TO_PIN\"`");
        stage.put_registry(&held).await;
        let ended = stage.run().await.expect_hold(&["M3A-B2"]);
        let sums_of = |ended: &Ended| sums(stage, &documents(stage, ended));
        let hold = sums_of(&ended);
        assert_eq!(count(&hold, Metric::Holds, "M3.A"), 1, "{hold:?}");
        assert_eq!(count(&hold, Metric::Blockers, "M3A-B2"), 1, "{hold:?}");
        assert_eq!(count(&hold, Metric::Blockers, ""), 1, "{hold:?}");
        assert_eq!(count(&hold, Metric::Passes, "M3.I"), 1, "{hold:?}");
        assert_eq!(count(&hold, Metric::Advances, ""), 0, "{hold:?}");

        let event: Value = serde_json::from_str(&stage.input(&ended.arn).await).unwrap();
        let duplicate = sums_of(&stage.start(&event).await);
        assert_eq!(count(&duplicate, Metric::Duplicates, ""), 1, "{duplicate:?}");
        assert_eq!(duplicate.len(), 1, "{duplicate:?}");

        // A registry that is none: M3.A is run, and can reach no verdict.
        let uri = stage.platform.registry_uri().parse().unwrap();
        stage.put(&uri, b"no handle in here".to_vec()).await;
        let faulted = stage.run().await;
        assert_eq!(faulted.error, "InvalidInput", "{faulted:?}");
        let fault = sums_of(&faulted);
        assert_eq!(count(&fault, Metric::Faults, "M3.A"), 1, "{fault:?}");
        assert_eq!(fault.len(), 1, "{fault:?}");
        assert_eq!(documents(stage, &faulted)[0]["fault"], json!("InvalidInput"));
    });
}
