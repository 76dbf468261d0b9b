//! The SARIF log has what SARIF 2.1.0 requires, and what a code host needs to show a finding in place.

use std::collections::BTreeSet;

use p1_contract::blocker::Blocker;
use p1_lint::{Report, lint, sarif};
use serde_json::Value;

use crate::scene::Scene;

async fn log(scene: &Scene) -> (Report, Value) {
    let report = lint(&scene.inputs()).await;
    let log = serde_json::from_str(&sarif(&report).unwrap()).unwrap();
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
