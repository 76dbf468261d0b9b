//! The SARIF log has what SARIF 2.1.0 requires, and what a code host needs to show a finding in place.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use p1_contract::blocker::Blocker;
use p1_lint::stack::{NotLearned, Rule, StackFinding, StackReport, StackStanding};
use p1_lint::{Report, lint, sarif};
use p1_local::progress::Lines;
use p1_local::{Checkout, Tools};
use serde_json::{Value, json};

use crate::scene::Scene;

async fn log(scene: &Scene) -> (Report, Value) {
    let report = lint(&scene.inputs()).await;
    let log = serde_json::from_str(&sarif(Some(&report), None).unwrap()).unwrap();
    (report, log)
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Every field is one of SARIF's, and every required one is there.
fn expect_sarif(log: &Value) -> (&Vec<Value>, &Vec<Value>) {
    assert_eq!(log["version"], "2.1.0");
    assert!(log["$schema"].as_str().unwrap().ends_with("sarif-2.1.0.json"));
    let run = &log["runs"][0];
    assert!(keys(run).is_subset(&BTreeSet::from(["tool", "invocations", "columnKind", "results"])));
    let driver = &run["tool"]["driver"];
    assert!(driver["name"].is_string() && driver["semanticVersion"].is_string());
    let rules = driver["rules"].as_array().unwrap();
    for rule in rules {
        let code = Blocker::ALL.iter().find(|code| rule["id"] == code.code()).unwrap();
        assert_eq!(rule["shortDescription"]["text"], code.rule());
        assert_eq!(rule["help"]["text"], code.remedy());
        assert_eq!(rule["defaultConfiguration"]["level"], "error");
    }
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rules.len(), "a rule stands twice");
    let results = run["results"].as_array().unwrap();
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(result["level"], "error");
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let locations = result["locations"].as_array().unwrap();
        let related = result["relatedLocations"].as_array().into_iter().flatten();
        assert_eq!(locations.len(), 1);
        for location in locations.iter().chain(related) {
            let place = &location["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().unwrap();
            assert!(!uri.starts_with('/') && !uri.contains([' ', '\\', '#', '?']), "{uri}");
            assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
        }
    }
    (rules, results)
}

#[tokio::test]
async fn findings_stand_where_they_are_to_be_mended() {
    let mut scene = Scene::edited("`BUDGET_CURRENCY = \"USD\"`", "`BUDGET_CURRENCY = \"EUR\"`")
        .with("`FIELD_PLATFORM_RUN_ID = ", "`FIELD_PLATFORM_RUN_ID_X = ")
        .with("* `ENV_NAME", "* `ENV_NAME = \"other\"`\n* `ENV_NAME");
    scene.m2_receipt = b"[]".to_vec();
    let (report, log) = log(&scene).await;
    let (rules, results) = expect_sarif(&log);
    let codes = |of: &Vec<Value>, field: &str| -> Vec<String> {
        of.iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(codes(rules, "id"), ["M3A-B1", "M3A-B3", "M3A-B6", "M3H-B7"]);
    assert_eq!(codes(results, "ruleId"), ["M3A-B1", "M3A-B3", "M3A-B6", "M3H-B7"]);
    let text = String::from_utf8(scene.registry.clone()).unwrap();
    let line = |part: &str| 1 + text.lines().position(|line| line.contains(part)).unwrap();
    let place = |result: &Value| {
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap().to_owned();
        (
            uri,
            usize::try_from(place["region"]["startLine"].as_u64().unwrap()).unwrap(),
        )
    };
    let registry = "handles.registry.md".to_owned();
    assert_eq!(place(&results[0]), (registry.clone(), 1));
    assert_eq!(place(&results[1]), ("m2_receipt.json".to_owned(), 1));
    assert_eq!(place(&results[2]), (registry.clone(), line("ENV_NAME")));
    let other = &results[2]["relatedLocations"][0]["physicalLocation"]["region"]["startLine"];
    assert_eq!(*other, line("ENV_NAME") + 1);
    assert_eq!(place(&results[3]), (registry, line("BUDGET_CURRENCY")));
    let first: Vec<&Value> = results
        .iter()
        .map(|result| &result["properties"]["holdsFirst"])
        .collect();
    assert_eq!(first, [true, true, true, false]);
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], true);
    assert_eq!(report.count(), results.len());
}

#[tokio::test]
async fn a_clean_registry_has_no_results_and_one_that_is_none_says_why() {
    let (_, clean) = log(&Scene::default()).await;
    assert_eq!(expect_sarif(&clean).1.len(), 0);
    let (_, none) = log(&Scene::of("nothing")).await;
    assert_eq!(expect_sarif(&none).1.len(), 0);
    let invocation = &none["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let message = invocation["toolExecutionNotifications"][0]["message"]["text"]
        .as_str()
        .unwrap();
    assert!(
        message.starts_with("registry handles.registry.md: the handles registry declares no handle"),
        "{message}"
    );
}

/// A stack with a finding that a step sees too, one that none sees, and a question without an answer.
fn stack() -> StackReport {
    let finding = |rule, code: Option<Blocker>, resource: &str| StackFinding {
        rule,
        code,
        severity: code.map(Blocker::severity),
        resource: resource.to_owned(),
        detail: "it is wrong".to_owned(),
        remedy: "`aws s3api x --bucket b`".to_owned(),
    };
    StackReport {
        stack: "p1".to_owned(),
        standing: StackStanding::Wrong,
        findings: vec![
            finding(Rule::Events, None, "evidence-bucket"),
            finding(Rule::Versioning, Some(Blocker::EvidenceBucketUnfit), "evidence-bucket"),
        ],
        not_learned: vec![NotLearned {
            question: "whether public access is blocked".to_owned(),
            resource: "evidence-bucket".to_owned(),
            why: "403 AccessDenied".to_owned(),
        }],
        not_judged: vec!["somebody's role".to_owned()],
    }
}

#[tokio::test]
async fn findings_of_a_stack_name_their_resource_beside_those_of_the_documents() {
    let scene = Scene::edited("`BUDGET_CURRENCY = \"USD\"`", "`BUDGET_CURRENCY = \"EUR\"`");
    let report = lint(&scene.inputs()).await;
    let stack = stack();
    let log: Value = serde_json::from_str(&sarif(Some(&report), Some(&stack)).unwrap()).unwrap();
    let run = &log["runs"][0];
    let (rules, results) = (&run["tool"]["driver"]["rules"], run["results"].as_array().unwrap());
    assert_eq!(results.len(), 3);
    for result in results {
        let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[at]["id"], result["ruleId"]);
    }
    let named: Vec<(&Value, &Value)> = results
        .iter()
        .map(|result| {
            (
                &result["ruleId"],
                &result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"],
            )
        })
        .collect();
    assert_eq!(named[0], (&json!("M3H-B7"), &Value::Null));
    assert_eq!(named[1], (&json!("bucket-events"), &json!("evidence-bucket")));
    assert_eq!(named[2], (&json!("bucket-versioning"), &json!("evidence-bucket")));
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let open = invocation["toolExecutionNotifications"][0]["message"]["text"]
        .as_str()
        .unwrap();
    assert!(open.contains("not learned") && open.contains("AccessDenied"), "{open}");
}

/// What is wrong with each log, by the standard's own schema.
async fn problems(logs: &[Value]) -> Vec<Vec<String>> {
    let tools = Tools::prepare(&Checkout::default(), &Lines).await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("lint/validate_sarif.py");
    let mut validator = Command::new(tools.bin().join("python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = validator.stdin.take().unwrap();
    input.write_all(&serde_json::to_vec(logs).unwrap()).unwrap();
    drop(input);
    let output = validator.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn every_log_is_valid_by_the_schema_of_the_standard() {
    let several = Scene::edited("* `ENV_NAME", "* `ENV_NAME = \"other\"`\n* `ENV_NAME")
        .with("`BUDGET_CURRENCY = \"USD\"`", "`BUDGET_CURRENCY = \"EUR\"`");
    let mut logs = Vec::new();
    for scene in [&several, &Scene::default(), &Scene::of("nothing")] {
        logs.push(log(scene).await.1);
    }
    let stack = stack();
    let report = lint(&several.inputs()).await;
    for report in [Some(&report), None] {
        logs.push(serde_json::from_str(&sarif(report, Some(&stack)).unwrap()).unwrap());
    }
    assert!(logs[0]["runs"][0]["results"][0]["relatedLocations"].is_array());
    assert_eq!(problems(&logs).await, vec![Vec::<String>::new(); logs.len()]);

    // The schema is one that refuses.
    let broken = [
        (
            "/runs/0/results/0/locations/0/physicalLocation/region/startLine",
            json!(0),
        ),
        ("/runs/0/results/0/level", json!("fatal")),
        ("/runs/0/results/0/message", json!({})),
        ("/runs/0/columnKind", json!("bytes")),
        ("/runs/0/tool/driver/name", json!(null)),
    ]
    .map(|(place, value)| {
        let mut log = logs[0].clone();
        *log.pointer_mut(place).unwrap() = value;
        log
    });
    for (at, problems) in problems(&broken).await.into_iter().enumerate() {
        assert!(!problems.is_empty(), "{at}");
    }
}
