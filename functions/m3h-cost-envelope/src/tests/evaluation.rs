//! One valid example, and one mutation of it for each way to block.

use p1_contract::artifacts::BillingArtifact;
use p1_contract::blocker::{Blocker, codes, settle};
use p1_contract::handles::{HandleFact, HandleStatus};
use p1_contract::ids::{Stamp, UsdAmount};
use p1_contract::observations::AuditProblem;
use p1_contract::observations::cost_envelope::{Observed, ProofState, RegistryFact, SourceAnswer, SourceKind};
use p1_contract::request::StepInput;
use p1_contract::secrets::{SecretHit, SecretRule};
use p1_runtime::{Content, Evaluation, StepLogic};
use serde_json::{Value, json};

use super::fixture::{Platform, step, with_databricks};

async fn evaluated(mutate: impl FnOnce(&mut StepInput, &mut Observed)) -> Evaluation {
    evaluated_on(&Platform::new(), mutate).await
}

async fn evaluated_on(platform: &Platform, mutate: impl FnOnce(&mut StepInput, &mut Observed)) -> Evaluation {
    let (mut request, mut observed) = platform.observed().await;
    mutate(&mut request.input, &mut observed);
    step(&[]).0.evaluate(&request.input, &observed).unwrap()
}

/// The codes of the example after one mutation, each with its subject.
async fn blocked(mutate: impl FnOnce(&mut StepInput, &mut Observed)) -> Vec<String> {
    named(evaluated(mutate).await)
}

fn named(evaluation: Evaluation) -> Vec<String> {
    let findings = settle(evaluation.findings).into_iter();
    findings
        .map(|finding| format!("{} {}", finding.code, finding.subject))
        .collect()
}

fn set(observed: &mut Observed, handle: &str, value: Value) {
    let RegistryFact::Read { handles } = &mut observed.registry else {
        panic!("the example has a registry")
    };
    handles.0.insert(
        handle.to_owned(),
        HandleFact {
            status: HandleStatus::Resolved,
            value: Some(value),
            note: None,
        },
    );
}

fn spend(observed: &mut Observed, amount: &str) {
    bill(observed, |billing| {
        billing.spend_amount = UsdAmount::parse(amount).unwrap();
    });
}

fn bill(observed: &mut Observed, change: impl FnOnce(&mut BillingArtifact)) {
    change(billing(&mut observed.source.answer));
}

fn billing(answer: &mut SourceAnswer) -> &mut BillingArtifact {
    match answer {
        SourceAnswer::Answered { billing } => billing,
        _ => panic!("the example is answered"),
    }
}

#[tokio::test]
async fn the_example_has_no_findings() {
    let evaluation = evaluated(|_, _| {}).await;
    assert_eq!(codes(&evaluation.findings), []);
    let waves: Vec<Vec<&str>> = evaluation
        .waves
        .iter()
        .map(|wave| wave.iter().map(|artifact| artifact.name.as_str()).collect())
        .collect();
    let second = vec![
        "m3h_phase_cost_outcome_receipt",
        "m3h_daily_cost_posture",
        "m3h_cost_source_receipts",
    ];
    assert_eq!(waves, [vec!["m3h_phase_budget_envelope"], second]);
}

#[tokio::test]
async fn b1_a_cost_handle_is_missing_or_malformed() {
    for (handle, value) in [
        ("DEV_FULL_MONTHLY_BUDGET_LIMIT_USD", json!("three hundred")),
        ("DEV_FULL_BUDGET_ALERT_1_USD", json!(-1)),
        ("DEV_FULL_BUDGET_ALERT_2_USD", json!("1e3")),
        ("BUDGET_CURRENCY", json!(7)),
        ("COST_CAPTURE_SCOPE", json!(["aws"])),
        ("AWS_COST_CAPTURE_ENABLED", json!("true")),
        ("DATABRICKS_COST_CAPTURE_ENABLED", json!("no")),
        ("PHASE_COST_OUTCOME_REQUIRED", json!("yes")),
        ("PHASE_ENVELOPE_REQUIRED", json!(1)),
        ("PHASE_COST_HARD_STOP_ON_MISSING_OUTCOME", json!("on")),
        ("COST_OUTCOME_RECEIPT_REQUIRED_FIELDS", json!(["phase_id"])),
        ("AWS_BILLING_REGION", json!("example.com/")),
        (
            "PHASE_BUDGET_ENVELOPE_PATH_PATTERN",
            json!("evidence/{phase_execution_id}/x.json"),
        ),
        (
            "PHASE_COST_OUTCOME_RECEIPT_PATH_PATTERN",
            json!("evidence/dev_full/run_control/{phase}/x.json"),
        ),
        (
            "DAILY_COST_POSTURE_PATH_PATTERN",
            json!("evidence/dev_full/run_control/{phase_execution_id}/../x.json"),
        ),
    ] {
        let found = blocked(|_, observed| set(observed, handle, value.clone())).await;
        assert_eq!(found, [format!("M3H-B1 {handle}")], "{value}");
        let missing = |_: &mut StepInput, observed: &mut Observed| {
            let RegistryFact::Read { handles } = &mut observed.registry else {
                panic!("the example has a registry")
            };
            handles.0.remove(handle);
        };
        assert_eq!(blocked(missing).await, [format!("M3H-B1 {handle}")], "missing");
    }
    let unusable = RegistryFact::Unusable {
        problem: "the pinned registry is missing".to_owned(),
    };
    assert_eq!(
        blocked(|_, observed| observed.registry = unusable).await,
        ["M3H-B1 handles registry"]
    );
}

/// The keys of the three artifacts differ from each other's and from those of the step's own files.
#[tokio::test]
async fn b1_a_key_that_another_artifact_has() {
    let at = |file: &str| {
        json!(format!(
            "evidence/dev_full/run_control/{{phase_execution_id}}/{file}.json"
        ))
    };
    let receipt = "PHASE_COST_OUTCOME_RECEIPT_PATH_PATTERN";
    for file in [
        "phase_budget_envelope",
        "m3h_observations",
        "m3h_execution_summary",
        "m3h_cost_source_receipts",
    ] {
        assert_eq!(
            blocked(|_, observed| set(observed, receipt, at(file))).await,
            [format!("M3H-B1 {receipt}")],
            "{file}"
        );
    }
    // The posture's own name is taken by the receipt, and the posture's pattern is of no use.
    let evaluation = evaluated(|_, observed| {
        set(observed, receipt, at("m3h_daily_cost_posture"));
        set(observed, "DAILY_COST_POSTURE_PATH_PATTERN", json!("{x}"));
    })
    .await;
    assert_eq!(codes(&evaluation.findings), [Blocker::CostHandleInvalid]);
    let mut keys: Vec<_> = evaluation
        .waves
        .iter()
        .flatten()
        .map(|artifact| artifact.key.as_str())
        .collect();
    assert!(
        keys.iter().any(|key| key.ends_with("/m3h_daily_cost_posture_2.json")),
        "{keys:?}"
    );
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

#[tokio::test]
async fn b2_an_upstream_closure_is_missing_changed_or_not_green() {
    let missing = |input: &mut StepInput, observed: &mut Observed| {
        input.closures.remove("M3.C");
        observed.upstream.remove(2);
        observed.proofs[3].state = ProofState::Unknown;
    };
    assert_eq!(blocked(missing).await, ["M3H-B2 M3.C"]);
    let changed = |_: &mut StepInput, observed: &mut Observed| {
        let audit = &mut observed.upstream[5];
        audit.summary = None;
        audit.problems = vec![AuditProblem {
            subject: audit.closure.key.to_string(),
            detail: "has other bytes".to_owned(),
        }];
        observed.proofs[9].state = ProofState::Unknown;
    };
    assert_eq!(blocked(changed).await, ["M3H-B2 M3.F"]);
    let held = |_: &mut StepInput, observed: &mut Observed| {
        observed.upstream[6].summary.as_mut().unwrap().overall_pass = false;
        observed.proofs[10].state = ProofState::Unlisted;
    };
    assert_eq!(blocked(held).await, ["M3H-B2 M3.G"]);
}

/// The cost handles are unknown then: whatever is said of M3.A, that is never a pass.
#[tokio::test]
async fn an_unpinned_registry_blocks_also_where_the_closure_of_m3a_is_a_pass() {
    let unpinned = |_: &mut StepInput, observed: &mut Observed| observed.registry = RegistryFact::Unpinned;
    assert_eq!(blocked(unpinned).await, ["M3H-B1 handles registry"]);
    let without_m3a = |input: &mut StepInput, observed: &mut Observed| {
        observed.registry = RegistryFact::Unpinned;
        input.closures.remove("M3.A");
        observed.upstream.remove(0);
        observed.proofs[0].state = ProofState::Unknown;
    };
    assert_eq!(blocked(without_m3a).await, ["M3H-B2 M3.A"]);
}

#[tokio::test]
async fn b3_the_billing_source_is_not_usable() {
    let source = "M3H-B3 s3://p1-test-evidence/billing/month.json";
    let problem = "may not be read".to_owned();
    let unusable = SourceAnswer::Unusable { problem };
    assert_eq!(blocked(|_, observed| observed.source.answer = unusable).await, [source]);
    let change = |change: Change| blocked(move |_: &mut StepInput, observed: &mut Observed| bill(observed, change));
    let changes: [Change; 6] = [
        |billing| billing.schema_version = 2,
        |billing| billing.artifact = "other".to_owned(),
        |billing| billing.source = "a spreadsheet".to_owned(),
        |billing| billing.metric = "AmortizedCost".to_owned(),
        |billing| billing.billing_region = "eu-west-2".to_owned(),
        |billing| billing.window_start_utc = "2026-10-01".to_owned(),
    ];
    for wrong in changes {
        assert_eq!(change(wrong).await, [source]);
    }
    for end in ["2026-10-31", "2026-11-23", "2026-11-00", "2026-11-2", "today"] {
        let found = blocked(|_, observed| bill(observed, |billing| billing.window_end_utc = end.to_owned())).await;
        assert_eq!(found, [source], "{end}");
    }
    // A window that ends at the start of the month says nothing of the days since, except on that day itself.
    let ends_at_start: Change = |billing| billing.window_end_utc = "2026-11-01".to_owned();
    assert_eq!(change(ends_at_start).await, [source]);
    let on_the_first = blocked(|input, observed| {
        input.stamp = Stamp::parse("2026-11-01T09:00:00Z").unwrap();
        bill(observed, ends_at_start);
    });
    assert_eq!(on_the_first.await, [""; 0]);
    // A pinned artifact may be an answer of Cost Explorer; the day's answer must be one.
    assert_eq!(
        change(|billing| billing.source = "aws_cost_explorer".to_owned()).await,
        [""; 0]
    );
    assert_eq!(
        blocked(|_, observed| observed.source.kind = SourceKind::CostExplorer).await,
        [source]
    );
    let off = blocked(|_, observed| {
        set(observed, "AWS_COST_CAPTURE_ENABLED", json!(false));
        observed.source.answer = SourceAnswer::NotAsked;
    });
    assert_eq!(off.await, ["M3H-B3 AWS_COST_CAPTURE_ENABLED"]);
}

#[tokio::test]
async fn b3_secret_material_in_the_billing_source() {
    let evaluation = evaluated(|_, observed| observed.source.answer = secret()).await;
    assert_eq!(codes(&evaluation.findings), [Blocker::BillingSourceUnusable]);
    let detail = &evaluation.findings[0].detail;
    assert!(detail.contains("/note") && detail.contains("jwt"), "{detail}");
}

/// What is missing where the source is enabled and nothing else is said of it.
const UNPINNED: [&str; 3] = [
    "M3H-B4 M3H_DATABRICKS_COST_SOURCE_CURRENCY",
    "M3H-B4 M3H_DATABRICKS_COST_SOURCE_MODE",
    "M3H-B4 M3H_DATABRICKS_COST_SOURCE_URI",
];

type Change = fn(&mut BillingArtifact);

/// The codes of the example with a Databricks bill, after one mutation.
async fn blocked_with_databricks(mutate: impl FnOnce(&mut Observed)) -> Vec<String> {
    let platform = Platform::with_registry(&with_databricks());
    named(evaluated_on(&platform, |_, observed| mutate(observed)).await)
}

fn databricks(observed: &mut Observed) -> &mut SourceAnswer {
    &mut observed.databricks.as_mut().unwrap().answer
}

/// An answer that was kept from the evidence.
fn secret() -> SourceAnswer {
    let place = "/note".to_owned();
    let rule = SecretRule::Jwt;
    SourceAnswer::Secret {
        hits: vec![SecretHit { place, rule }],
    }
}

#[tokio::test]
async fn b4_a_databricks_bill_that_is_not_pinned_or_does_not_fit() {
    assert_eq!(blocked_with_databricks(|_| {}).await, [""; 0]);
    let uri = "M3H_DATABRICKS_COST_SOURCE_URI";
    for (handle, value) in [
        ("M3H_DATABRICKS_COST_SOURCE_MODE", "deferred_not_enabled"),
        (uri, "deferred_until_m11"),
        (uri, "s3://p1-test-evidence/billing/databricks.json"),
        ("M3H_DATABRICKS_COST_SOURCE_CURRENCY", "EUR"),
    ] {
        let found = blocked_with_databricks(|observed| set(observed, handle, json!(value))).await;
        assert_eq!(found, [format!("M3H-B4 {handle}")], "{value}");
    }
    let bucket = blocked_with_databricks(|observed| set(observed, "S3_ARTIFACTS_BUCKET", json!(1)));
    assert_eq!(bucket.await, ["M3H-B4 S3_ARTIFACTS_BUCKET"]);

    let object = ["M3H-B4 s3://artifacts-bucket/billing/databricks.json"];
    let problem = "is missing".to_owned();
    for answer in [SourceAnswer::Unusable { problem }, SourceAnswer::NotAsked, secret()] {
        let found = blocked_with_databricks(|observed| *databricks(observed) = answer.clone()).await;
        assert_eq!(found, object, "{answer:?}");
    }
    let not_observed = blocked_with_databricks(|observed| observed.databricks = None);
    assert_eq!(not_observed.await, ["M3H-B4 DATABRICKS_COST_CAPTURE_ENABLED"]);
    let changes: [(&str, Change); 9] = [
        ("less than nothing", |bill| {
            bill.spend_amount = UsdAmount::parse("-700").unwrap();
        }),
        ("shape", |bill| bill.schema_version = 7),
        ("name", |bill| bill.artifact = "other".to_owned()),
        ("AWS's bill, twice", |bill| bill.source = "aws_billing".to_owned()),
        ("currency", |bill| bill.spend_currency = "EUR".to_owned()),
        ("other month", |bill| bill.window_start_utc = "2026-10-01".to_owned()),
        ("other days", |bill| bill.window_end_utc = "2026-11-21".to_owned()),
        ("tomorrow", |bill| bill.window_end_utc = "2026-11-23".to_owned()),
        ("no sum", |bill| {
            bill.spend_amount = UsdAmount::parse("999999999999999.9").unwrap();
        }),
    ];
    for (what, change) in changes {
        let found = blocked_with_databricks(|observed| change(billing(databricks(observed))));
        assert_eq!(found.await, object, "{what}");
    }
    // One cause: AWS's bill is of another month, and nothing else is wrong with Databricks's.
    let aws =
        blocked_with_databricks(|observed| bill(observed, |bill| bill.window_start_utc = "2026-10-01".to_owned()));
    assert_eq!(aws.await, ["M3H-B3 s3://p1-test-evidence/billing/month.json"]);
}

/// 12.34 of AWS and 257.66 of Databricks are alert 3.
#[tokio::test]
async fn the_budget_is_held_against_the_sum() {
    for (amount, expected) in [("257.6599999999", None), ("257.66", Some("M3H-B5 spend_amount"))] {
        let found = blocked_with_databricks(|observed| {
            billing(databricks(observed)).spend_amount = UsdAmount::parse(amount).unwrap();
        });
        assert_eq!(found.await, expected.into_iter().collect::<Vec<_>>(), "{amount}");
    }
}

#[tokio::test]
async fn b4_the_databricks_source_is_enabled_or_deferred_without_reason_or_gate() {
    let enabled = blocked(|_, observed| set(observed, "DATABRICKS_COST_CAPTURE_ENABLED", json!(true)));
    assert_eq!(enabled.await, UNPINNED);
    for handle in [
        "DATABRICKS_COST_CAPTURE_DEFER_REASON",
        "DATABRICKS_COST_CAPTURE_REENABLE_GATE",
    ] {
        let found = blocked(|_, observed| set(observed, handle, json!(1))).await;
        assert_eq!(found, [format!("M3H-B4 {handle}")]);
    }
}

#[tokio::test]
async fn b5_the_envelope_is_invalid_or_spent() {
    let limit = |value: Value| {
        blocked(move |_: &mut StepInput, observed: &mut Observed| {
            set(observed, "DEV_FULL_MONTHLY_BUDGET_LIMIT_USD", value);
        })
    };
    assert_eq!(limit(json!("0.00")).await, ["M3H-B5 DEV_FULL_MONTHLY_BUDGET_LIMIT_USD"]);
    assert_eq!(limit(json!(269)).await, ["M3H-B5 DEV_FULL_BUDGET_ALERT_3_USD"]);
    assert_eq!(limit(json!(270)).await, [""; 0]);
    let equal = blocked(|_, observed| set(observed, "DEV_FULL_BUDGET_ALERT_2_USD", json!("120.0")));
    assert_eq!(equal.await, ["M3H-B5 DEV_FULL_BUDGET_ALERT_2_USD"]);
    for (amount, expected) in [("269.9999999999", None), ("270.0", Some("M3H-B5 spend_amount"))] {
        let found = blocked(|_, observed| spend(observed, amount)).await;
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{amount}");
    }
}

#[tokio::test]
async fn b6_the_list_of_receipt_fields_is_another() {
    for list in [
        "phase_id",
        "phase_execution_id,phase_id,window_start_utc,window_end_utc,spend_amount,spend_currency,artifacts_emitted,decision_or_risk_retired",
    ] {
        let found = blocked(|_, observed| set(observed, "COST_OUTCOME_RECEIPT_REQUIRED_FIELDS", json!(list))).await;
        assert_eq!(found, ["M3H-B6 COST_OUTCOME_RECEIPT_REQUIRED_FIELDS"]);
    }
}

#[tokio::test]
async fn b6_a_receipt_without_a_field() {
    let (_, mut observed) = Platform::new().observed().await;
    let billing = billing(&mut observed.source.answer);
    let receipt = evaluated(|_, _| {}).await.waves.remove(1).remove(0);
    assert_eq!(crate::rules::incomplete(&receipt, Some(billing)), []);
    for spoil in ["removed", "null"] {
        let mut receipt = receipt.clone();
        let Content::Json(Value::Object(document)) = &mut receipt.content else {
            panic!("it is JSON")
        };
        match spoil {
            "removed" => drop(document.remove("spend_amount")),
            _ => drop(document.insert("spend_amount".to_owned(), Value::Null)),
        }
        let found = crate::rules::incomplete(&receipt, Some(billing));
        assert_eq!(codes(&found), [Blocker::OutcomeReceiptInvalid], "{spoil}");
    }
}

#[tokio::test]
async fn b7_currencies_other_than_the_dollar() {
    let budget = blocked(|_, observed| set(observed, "BUDGET_CURRENCY", json!("EUR")));
    assert_eq!(budget.await, ["M3H-B7 BUDGET_CURRENCY"]);
    let billed = blocked(|_, observed| bill(observed, |billing| billing.spend_currency = "EUR".to_owned()));
    assert_eq!(billed.await, ["M3H-B7 spend_currency"]);
}

#[tokio::test]
async fn b8_the_days_answer_could_not_be_kept() {
    let found = blocked(|_, observed| observed.source.not_kept = Some("the store refuses the write".to_owned()));
    assert_eq!(found.await, ["M3H-B8 s3://p1-test-evidence/billing/month.json"]);
}

#[tokio::test]
async fn b9_spend_without_proof() {
    let gone = |observed: &mut Observed| {
        let (key, detail) = ("evidence/runs/x/run.json".to_owned(), "missing".to_owned());
        observed.proofs[5].state = ProofState::Gone { key, detail };
    };
    assert_eq!(blocked(|_, observed| gone(observed)).await, ["M3H-B9 run"]);
    let unlisted = blocked(|_, observed| observed.proofs[9].state = ProofState::Unlisted);
    assert_eq!(unlisted.await, ["M3H-B9 m4_handoff_pack"]);
    // Nothing was spent, or less than nothing was: credits. Then it is the closure that is broken.
    let problem = |observed: &mut Observed| {
        gone(observed);
        observed.upstream[4].problems = vec![AuditProblem {
            subject: "evidence/runs/x/run.json".to_owned(),
            detail: "missing".to_owned(),
        }];
    };
    assert_eq!(blocked(|_, observed| problem(observed)).await, ["M3H-B9 run"]);
    for amount in ["0.00", "-3.5"] {
        let found = blocked(|_, observed| {
            problem(observed);
            spend(observed, amount);
        });
        assert_eq!(found.await, ["M3H-B2 M3.E"], "{amount}");
    }
}

/// An artifact that is no proof is part of its closure all the same.
#[tokio::test]
async fn b2_an_upstream_artifact_is_missing_or_changed() {
    let broken = blocked(|_, observed| {
        observed.upstream[1].problems = vec![AuditProblem {
            subject: "m3b_collision_probe_receipts.json".to_owned(),
            detail: "missing".to_owned(),
        }];
    });
    assert_eq!(broken.await, ["M3H-B2 M3.B"]);
    let chain_says_hold = blocked(|input, observed| {
        observed.upstream[1].closure.overall_pass = false;
        input.closures.get_mut("M3.B").unwrap().overall_pass = false;
    });
    assert_eq!(chain_says_hold.await, ["M3H-B2 M3.B"]);
}

/// The phase began with the run's first execution; the spend is that of the month up to the end of the bill's last day, or up
/// to this execution.
#[tokio::test]
async fn envelope_and_receipt_say_both_windows() {
    let windows = |end: &'static str| async move {
        let evaluation = evaluated(|input, observed| {
            input.stamp = Stamp::parse("2026-11-24T08:00:00Z").unwrap();
            bill(observed, |billing| billing.window_end_utc = end.to_owned());
        });
        let waves = evaluation.await.waves;
        [&waves[0][0], &waves[1][0]].map(|artifact| match &artifact.content {
            Content::Json(document) => [
                "phase_window_start_utc",
                "phase_window_end_utc",
                "window_start_utc",
                "window_end_utc",
            ]
            .map(|field| document[field].as_str().unwrap().to_owned()),
            Content::Markdown(_) => panic!("it is JSON"),
        })
    };
    for (end, instant) in [
        ("2026-11-22", "2026-11-23T00:00:00Z"),
        ("2026-11-24", "2026-11-24T08:00:00Z"),
    ] {
        let [envelope, receipt] = windows(end).await;
        let expected = [
            "2026-11-22T12:17:01Z",
            "2026-11-24T08:00:00Z",
            "2026-11-01T00:00:00Z",
            instant,
        ];
        assert_eq!(envelope, expected, "{end}");
        assert_eq!(receipt, expected, "{end}");
    }
}

/// With several causes at once, each is reported.
#[tokio::test]
async fn every_cause_is_reported() {
    let found = blocked(|_, observed| {
        set(observed, "BUDGET_CURRENCY", json!("EUR"));
        set(observed, "DATABRICKS_COST_CAPTURE_ENABLED", json!(true));
        set(observed, "COST_CAPTURE_SCOPE", json!(1));
        observed.proofs[0].state = ProofState::Unlisted;
    });
    let expected = [
        "M3H-B1 COST_CAPTURE_SCOPE",
        UNPINNED[0],
        UNPINNED[1],
        UNPINNED[2],
        "M3H-B7 BUDGET_CURRENCY",
        "M3H-B9 m3a_handle_closure_snapshot",
    ];
    assert_eq!(found.await, expected);
}
