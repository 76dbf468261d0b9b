//! What lint says comes next: the steps after the first that blocks, once that one's cause is mended.

use p1_lint::{Report, lint};
use serde_json::json;

use crate::scene::{End, Scene};

/// One change of the registry for rules of every step that reads it, in the order of the steps.
const CHANGES: &[(&str, &str)] = &[
    ("`FIELD_SCENARIO_RUN_ID = ", "`FIELD_SCENARIO_RUN_ID_X = "),
    (
        "ROLE_TERRAFORM_APPLY_DEV_FULL = \"arn:aws:iam::1",
        "ROLE_TERRAFORM_APPLY_DEV_FULL = \"arn:aws:iam::2",
    ),
    ("* `TAG_ENV_KEY", "* `TAG_ENV_KEY = \"other\"`\n* `TAG_ENV_KEY"),
    ("S3_EVIDENCE_BUCKET = \"", "S3_EVIDENCE_BUCKET = \"no-"),
    ("## Budget", "AKIAIOSFODNN7EXAMPLE\n\n## Budget"),
    ("\"deterministic_hash_v1\"", "\"random\""),
    ("`ORACLE_ENGINE_RUN_ID = \"", "`ORACLE_ENGINE_RUN_ID = \"TO_PIN "),
    (
        "* `S3_STREAM_VIEW_PREFIX_PATTERN",
        "* [ ] `S3_STREAM_VIEW_PREFIX_PATTERN",
    ),
    ("\"json_sorted_keys_v1\"", "\"jcs\""),
    (
        "CONFIG_DIGEST_FIELD = \"config_digest\"",
        "CONFIG_DIGEST_FIELD = \"digest\"",
    ),
    ("\"step_functions_only\"", "\"anyone\""),
    (
        "`ROLE_STEP_FUNCTIONS_ORCHESTRATOR = \"",
        "`ROLE_STEP_FUNCTIONS_ORCHESTRATOR = \"x",
    ),
    ("\"written_at_utc\"", "\"config_digest\""),
    (
        "\"evidence/runs/{platform_run_id}/run.json\"",
        "\"evidence/{platform_run_id}/run.json\"",
    ),
    ("runtime_lane,trace_id\"", "trace_id\""),
    ("ALERT_2_USD = 175", "ALERT_2_USD = 75"),
    ("`BUDGET_CURRENCY = \"USD\"`", "`BUDGET_CURRENCY`"),
    ("AWS_COST_CAPTURE_ENABLED = true", "AWS_COST_CAPTURE_ENABLED = false"),
    (
        "`DATABRICKS_COST_CAPTURE_DEFER_REASON = \"",
        "`DATABRICKS_COST_CAPTURE_DEFER_REASONS = \"",
    ),
    ("spend_amount,spend_currency", "spend_currency,spend_amount"),
];

fn ends(report: &Report) -> Vec<End> {
    assert_eq!(report.no_verdict, None);
    report
        .holds
        .iter()
        .map(|hold| End::Held(hold.step, hold.codes.clone()))
        .collect()
}

#[tokio::test]
async fn of_two_causes_the_first_holds_and_the_second_is_named_next() {
    let mut alone = Vec::new();
    for (from, to) in CHANGES {
        let scene = Scene::edited(from, to);
        let end = scene.run().await;
        assert_eq!(ends(&lint(&scene.inputs()).await), std::slice::from_ref(&end), "{from}");
        alone.push(end);
    }
    let step = |end: &End| match end {
        End::Held(step, _) => *step,
        other => panic!("{other:?}"),
    };
    let (mut pairs, mut steps) = (0, std::collections::BTreeSet::new());
    for (first, one) in alone.iter().zip(CHANGES) {
        steps.insert(step(first));
        for (second, two) in alone.iter().zip(CHANGES) {
            if step(first) >= step(second) {
                continue;
            }
            let both = Scene::edited(one.0, one.1).with(two.0, two.1);
            // A run is held by the first; without that cause it is held by the second.
            let said = ends(&lint(&both.inputs()).await);
            assert_eq!(said, [first.clone(), second.clone()], "{} and {}", one.0, two.0);
            pairs += 1;
        }
    }
    println!(
        "lint: {} causes of {} steps, {pairs} pairs: each is named where a run is held by it",
        CHANGES.len(),
        steps.len()
    );
    assert!(steps.len() == 7 && pairs > 100, "{steps:?} {pairs}");
}

/// Three causes of three steps, in a registry at whose end nothing can be declared: a block is open there.
#[tokio::test]
async fn what_comes_next_is_found_and_keeps_its_line_wherever_the_registry_ends() {
    let broken = Scene::edited("`FIELD_SCENARIO_RUN_ID = ", "`FIELD_SCENARIO_RUN_ID_X = ")
        .with("\"written_at_utc\"", "\"config_digest\"")
        .with("ALERT_2_USD = 175", "ALERT_2_USD = \"TO_PIN\"");
    let text = String::from_utf8(broken.registry.clone()).unwrap();
    let line = |key: &str| 1 + text.lines().position(|line| line.contains(key)).unwrap();
    for (start, end) in [
        ("", ""),
        ("", "\n```\nopen"),
        ("\u{feff}", "\n~~~~ open"),
        ("", "\n<!-- open"),
        ("", "\n<script>\nopen"),
    ] {
        let scene = Scene::of(format!("{start}{text}{end}"));
        let report = lint(&scene.inputs()).await;
        let findings = report.holds.iter().flat_map(|hold| &hold.findings);
        let found: Vec<_> = findings
            .map(|found| {
                json!([
                    found.code.code(),
                    found.subject,
                    found.line,
                    found.detail.contains("line")
                ])
            })
            .collect();
        let expected = [
            json!(["M3A-B1", "FIELD_SCENARIO_RUN_ID", null, false]),
            json!(["M3E-B2", "FIELD_WRITTEN_AT_UTC", line("FIELD_WRITTEN_AT_UTC"), false]),
            json!(["M3H-B1", "DEV_FULL_BUDGET_ALERT_2_USD", line("ALERT_2_USD"), true]),
        ];
        assert_eq!(found, expected, "{end:?}: {report:#?}");
        let last = &report.holds[2].findings[0].detail;
        assert!(
            last.contains(&format!("line {} ", line("ALERT_2_USD"))),
            "{end:?}: {last}"
        );
    }
}

#[tokio::test]
async fn one_cause_is_named_once_and_where_it_stands() {
    // Four steps read it.
    let scene = Scene::edited(
        "* `CONFIG_DIGEST_ALGO = \"sha256\"`",
        "* [x] `CONFIG_DIGEST_ALGO = \"sha256\"`",
    );
    let report = lint(&scene.inputs()).await;
    assert_eq!((report.holds.len(), report.count()), (1, 1), "{report:#?}");
    let found = &report.holds[0].findings[0];
    let line = 1 + String::from_utf8_lossy(&scene.registry)
        .lines()
        .position(|line| line.contains("[x]"))
        .unwrap();
    assert_eq!(
        (found.document.as_deref(), found.line),
        (Some("handles.registry.md"), Some(line))
    );

    let twice = Scene::edited(
        "* `BUDGET_CURRENCY = \"USD\"`",
        "* `BUDGET_CURRENCY = \"USD\"`\n* `BUDGET_CURRENCY = \"EUR\"`",
    );
    let report = lint(&twice.inputs()).await;
    assert_eq!(report.count(), 1, "{report:#?}");
    let found = &report.holds[0].findings[0];
    let line = found.line.unwrap();
    assert_eq!(
        (found.code.code(), found.other_lines.as_slice()),
        ("M3A-B6", &[line + 1][..])
    );
}

#[tokio::test]
async fn documents_are_named_as_they_were_given_and_no_secret_is_shown() {
    let secret = "AKIAIOSFODNN7EXAMPLE";
    let mut scene = Scene::edited("## Budget", &format!("{secret}\n\n## Budget"))
        .with("\"step_functions_only\"", &format!("\"{secret}\""));
    scene.stack_outputs = format!("{{\"budget_currency\": {{\"value\": \"{secret}\"}}}}").into_bytes();
    scene.m2_receipt = format!("{{\"overall_pass\": false, \"note\": \"{secret}\"}}").into_bytes();
    scene.billing = b"{".to_vec();
    let report = lint(&scene.inputs()).await;
    let said = format!("{report:?}{}", p1_lint::sarif(Some(&report), None).unwrap());
    assert!(!said.contains(secret) && !said.contains("p1-lint-documents"), "{said}");
    let named: Vec<_> = report
        .holds
        .iter()
        .flat_map(|hold| &hold.findings)
        .map(|found| (found.code.code(), found.document.as_deref().unwrap_or_default()))
        .collect();
    for expected in [
        ("M3A-B3", "m2_receipt.json"),
        ("M3A-B6", "handles.registry.md"),
        ("M3A-B8", "handles.registry.md"),
        ("M3A-B8", "m2_receipt.json"),
        ("M3A-B8", "outputs.json"),
        ("M3H-B3", "billing.json"),
    ] {
        assert!(named.contains(&expected), "{expected:?} in {named:?}");
    }
}
