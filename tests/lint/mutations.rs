//! What goes wrong with a registry and the documents beside it, drawn from a fixed seed.

use fastrand::Rng;
use p1_contract::handles;
use p1_contract::ids::Environment;
use p1_contract::registry;
use serde_json::{Value, json};

use crate::scene::Scene;

/// A change of a scene.
pub(crate) type Mutation = fn(&mut Scene, &mut Rng);

/// The kinds of changes, by name.
pub(crate) const KINDS: &[(&str, Mutation)] = &[
    ("a handle is missing", |s, r| respell(s, r, |_| None)),
    ("a handle is to pin", |s, r| {
        let value = pick(
            r,
            &[
                "\"TO_PIN\"",
                "TO_PIN",
                "\"TO_PIN (after M2.B)\"",
                "\"TBD\"",
                "null",
                "\"\"",
                "\"<account>\"",
                "[\"TBD\"]",
                "{\"a\":null}",
            ],
        );
        respell(s, r, |key| Some(format!("* `{key} = {value}`")));
    }),
    ("a handle has no value", |s, r| {
        respell(s, r, |key| Some(format!("* `{key}`")));
    }),
    ("a handle is of another type", |s, r| {
        let value = pick(
            r,
            &[
                "17",
                "true",
                "[1,2]",
                "[]",
                "{\"a\":1}",
                "word",
                "1.5",
                "\"unclosed",
                "{\"a\":1.5}",
                "-3",
                "\"x\"",
            ],
        );
        respell(s, r, |key| Some(format!("* `{key} = {value}`")));
    }),
    ("a declaration is none", |s, r| {
        let (before, after) = *r
            .choice(&[
                ("* [ ] ", ""),
                ("* **", "**"),
                ("1. ", ""),
                ("+ ", ""),
                ("*\u{a0}", ""),
                ("| ", " |"),
                ("```\n* ", "\n```"),
                ("<!-- ", " -->"),
                ("", ""),
                ("> * ", ""),
            ])
            .unwrap();
        let (line, key) = any_handle(s, r);
        let span = line.trim_start_matches(['*', '-', ' ']).to_owned();
        replace_line(s, &key, &format!("{before}{span}{after}"));
    }),
    ("a handle stands twice", |s, r| {
        let (line, key) = any_handle(s, r);
        replace_line(s, &key, &format!("{line}\n\n{line}"));
    }),
    ("a handle contradicts itself", |s, r| {
        let (line, key) = any_handle(s, r);
        let other = pick(r, &["\"another\"", "7", "\"TO_PIN\"", "\"*bad"]);
        let other = format!("* `{key} = {other}`");
        let both = if r.bool() {
            format!("{line}\n{other}")
        } else {
            format!("{other}\n{line}")
        };
        replace_line(s, &key, &both);
    }),
    ("a handle has another's value", |s, r| {
        let (one, _) = any_handle(s, r);
        let value = one
            .split_once(" = ")
            .map_or("1`", |(_, value)| value)
            .split_once('`')
            .map_or("1", |(value, _)| value)
            .to_owned();
        respell(s, r, |key| Some(format!("* `{key} = {value}`")));
    }),
    ("a word that P1 does not know", |s, r| {
        let (key, value) = *r
            .choice(&[
                ("SR_READY_COMMIT_AUTHORITY", "anyone"),
                ("CONFIG_DIGEST_ALGO", "md5"),
                ("CONFIG_DIGEST_FIELD", "digest"),
                ("FIELD_CONFIG_DIGEST", "digest"),
                ("FIELD_SCENARIO_RUN_ID", "scenario"),
                ("FIELD_WRITTEN_AT_UTC", "written"),
                ("SCENARIO_RUN_ID_DERIVATION_MODE", "random"),
                ("SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE", "jcs"),
                ("SCENARIO_EQUIVALENCE_KEY_INPUT", "md5(x)"),
                ("BUDGET_CURRENCY", "EUR"),
                ("COST_CAPTURE_SCOPE", "everything"),
                ("REQUIRED_PLATFORM_RUN_ID_ENV_KEY", "1 not a name"),
            ])
            .unwrap();
        replace_line(s, key, &format!("* `{key} = \"{value}\"`"));
    }),
    ("a name of another deployment", |s, r| {
        let (key, value) = *r
            .choice(&[
                ("ROLE_TERRAFORM_APPLY_DEV_FULL", "arn:aws:iam::210987654321:role/apply"),
                (
                    "ROLE_TERRAFORM_APPLY_DEV_FULL",
                    "arn:aws-cn:iam::123456789012:role/apply",
                ),
                ("ROLE_TERRAFORM_APPLY_DEV_FULL", "apply"),
                ("ROLE_TERRAFORM_APPLY_DEV_FULL", "arn:aws:s3:::bucket"),
                (
                    "ROLE_STEP_FUNCTIONS_ORCHESTRATOR",
                    "arn:aws:iam::123456789012:role/other",
                ),
                ("ROLE_STEP_FUNCTIONS_ORCHESTRATOR", "orchestrator"),
                ("S3_EVIDENCE_BUCKET", "another-bucket"),
                ("S3_EVIDENCE_BUCKET", "Not_A_Bucket"),
                ("SFN_PLATFORM_RUN_ORCHESTRATOR_V0", "another-machine"),
                ("SFN_PLATFORM_RUN_ORCHESTRATOR_V0", "not a machine"),
                ("ORACLE_STORE_BUCKET", "another-store"),
                ("ORACLE_STORE_BUCKET", "NO"),
                ("AWS_BILLING_REGION", "eu-west-1"),
                ("AWS_BILLING_REGION", "US East"),
                ("ORACLE_SOURCE_NAMESPACE", "../up"),
                ("ORACLE_ENGINE_RUN_ID", "a/b"),
            ])
            .unwrap();
        replace_line(s, key, &format!("* `{key} = \"{value}\"`"));
    }),
    ("a secret", |s, r| {
        let planted = pick(
            r,
            &[
                "The key is AKIAIOSFODNN7EXAMPLE.",
                "* `DB_PASSWORD = \"hunter2hunter2\"`",
                "* `STRAY = \"AKIAIOSFODNN7EXAMPLE\"`",
                "* `CORRELATION_REQUIRED_FIELDS = \"AKIAIOSFODNN7EXAMPLE\"`",
                "* `SR_READY_COMMIT_AUTHORITY = \"AKIAIOSFODNN7EXAMPLE\"`",
                "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----",
            ],
        );
        if let Some(key) = planted
            .strip_prefix("* `")
            .and_then(|rest| rest.split_once(' '))
            .map(|(key, _)| key)
            && text(s).contains(&format!("`{key} ="))
        {
            replace_line(s, key, planted);
        } else {
            insert(s, r, planted);
        }
    }),
    ("the budget", |s, r| {
        let lines: Vec<String> = [
            "MONTHLY_BUDGET_LIMIT_USD",
            "BUDGET_ALERT_1_USD",
            "BUDGET_ALERT_2_USD",
            "BUDGET_ALERT_3_USD",
        ]
        .iter()
        .map(|end| format!("DEV_FULL_{end}"))
        .collect();
        let amounts = [
            "0",
            "1",
            "12",
            "12.34",
            "100",
            "175",
            "225",
            "250",
            "1000",
            "-5",
            "\"99.5\"",
            "\"1e3\"",
            "12.345678",
        ];
        for key in lines {
            if r.bool() {
                replace_line(s, &key, &format!("* `{key} = {}`", pick(r, &amounts)));
            }
        }
    }),
    ("a list of fields", |s, r| {
        let key = pick(
            r,
            &[
                "COST_OUTCOME_RECEIPT_REQUIRED_FIELDS",
                "CORRELATION_REQUIRED_FIELDS",
                "SCENARIO_EQUIVALENCE_KEY_CANONICAL_FIELDS",
            ],
        );
        let Some(line) = line_of(s, key) else { return };
        let Some((_, value)) = line.split_once('"') else { return };
        let mut fields: Vec<&str> = value.split('"').next().unwrap_or_default().split(',').collect();
        let at = r.usize(..fields.len());
        match r.u8(..5) {
            0 => drop(fields.remove(at)),
            1 => fields.push("another"),
            2 => fields.push(fields[0]),
            3 => fields.reverse(),
            _ => fields[at] = " spaced ",
        }
        replace_line(s, key, &format!("* `{key} = \"{}\"`", fields.join(",")));
    }),
    ("the oracle's outputs", |s, r| {
        let (key, value) = *r
            .choice(&[
                ("ORACLE_REQUIRED_OUTPUT_IDS", "[\"card_events\",\"card_events\"]"),
                ("ORACLE_REQUIRED_OUTPUT_IDS", "[]"),
                ("ORACLE_REQUIRED_OUTPUT_IDS", "[\"a/b\",\"\"]"),
                ("ORACLE_REQUIRED_OUTPUT_IDS", "[\"other\"]"),
                ("ORACLE_REQUIRED_OUTPUT_IDS", "[1,\"x\"]"),
                ("ORACLE_SORT_KEY_BY_OUTPUT_ID", "{\"card_events\":1}"),
                ("ORACLE_SORT_KEY_BY_OUTPUT_ID", "{}"),
                ("ORACLE_SORT_KEY_BY_OUTPUT_ID", "[\"ts\"]"),
            ])
            .unwrap();
        replace_line(s, key, &format!("* `{key} = {value}`"));
    }),
    ("a pattern", |s, r| {
        let key = pick(
            r,
            &[
                "EVIDENCE_RUN_JSON_KEY",
                "RUN_PIN_PATH_PATTERN",
                "S3_EVIDENCE_RUN_ROOT_PATTERN",
                "PHASE_BUDGET_ENVELOPE_PATH_PATTERN",
                "PHASE_COST_OUTCOME_RECEIPT_PATH_PATTERN",
                "DAILY_COST_POSTURE_PATH_PATTERN",
                "S3_STREAM_VIEW_PREFIX_PATTERN",
                "S3_STREAM_VIEW_MANIFEST_KEY_PATTERN",
            ],
        );
        let value = pick(
            r,
            &[
                "evidence/runs/{platform_run_id}/run.json",
                "evidence/runs/{platform_run_id}/ledger/000002.json",
                "evidence/runs/{platform_run_id}/{platform_run_id}.json",
                "evidence/runs/run.json",
                "evidence/runs/{platform_run_id}/../x.json",
                "/evidence/runs/{platform_run_id}/x.json",
                "evidence/dev_full/run_control/{phase_execution_id}/phase_budget_envelope.json",
                "evidence/prod/run_control/{phase_execution_id}/x.json",
                "evidence/dev_full/run_control/{phase_execution_id}/m3h_observations.json",
                "evidence/dev_full/run_control/{unknown}/x.json",
                "evidence/dev_full/{",
                "oracle-store/{oracle_source_namespace}/x",
            ],
        );
        replace_line(s, key, &format!("* `{key} = \"{value}\"`"));
    }),
    ("a flag", |s, r| {
        let key = pick(
            r,
            &[
                "AWS_COST_CAPTURE_ENABLED",
                "DATABRICKS_COST_CAPTURE_ENABLED",
                "PHASE_ENVELOPE_REQUIRED",
                "PHASE_COST_OUTCOME_REQUIRED",
                "PHASE_COST_HARD_STOP_ON_MISSING_OUTCOME",
            ],
        );
        let value = pick(r, &["true", "false", "\"true\"", "yes"]);
        replace_line(s, key, &format!("* `{key} = {value}`"));
    }),
    ("the Databricks source", |s, r| {
        replace_line(
            s,
            "DATABRICKS_COST_CAPTURE_ENABLED",
            "* `DATABRICKS_COST_CAPTURE_ENABLED = true`",
        );
        let lines = [
            pick(
                r,
                &[
                    "* `M3H_DATABRICKS_COST_SOURCE_MODE = \"billing_artifact\"`",
                    "* `M3H_DATABRICKS_COST_SOURCE_MODE = \"api\"`",
                    "",
                ],
            ),
            pick(
                r,
                &[
                    "* `M3H_DATABRICKS_COST_SOURCE_URI = \"s3://another/bill.json\"`",
                    "* `M3H_DATABRICKS_COST_SOURCE_URI = \"bill.json\"`",
                    "",
                ],
            ),
            pick(
                r,
                &[
                    "* `M3H_DATABRICKS_COST_SOURCE_CURRENCY = \"USD\"`",
                    "* `M3H_DATABRICKS_COST_SOURCE_CURRENCY = \"EUR\"`",
                    "",
                ],
            ),
        ];
        insert(s, r, &lines.join("\n"));
    }),
    ("another environment", |s, r| {
        let (from, to) = *r
            .choice(&[
                ("DEV_FULL", "PROD"),
                ("evidence/dev_full/", "evidence/prod/"),
                ("_DEV_FULL =", "_PROD ="),
            ])
            .unwrap();
        let changed = text(s).replace(from, to);
        s.registry = changed.into_bytes();
    }),
    ("the form of the file", |s, r| {
        let text = text(s);
        s.registry = match r.u8(..7) {
            0 => text.replace('\n', "\r\n"),
            1 => format!("\u{feff}{text}"),
            2 => text.trim_end().to_owned(),
            3 => text.replace("* `", "*\t`"),
            4 => format!("{text}\n```\nan open block"),
            5 => format!("{text}\n<!-- an open comment"),
            _ => text.replace('\n', "\n\n"),
        }
        .into_bytes();
    }),
    ("no registry", |s, r| {
        s.registry = match r.u8(..4) {
            0 => b"no handles here".to_vec(),
            1 => b"\xff\xfe*\0".to_vec(),
            2 => format!("{}* `A = 1`\n", "> ".repeat(200)).into_bytes(),
            _ => Vec::new(),
        };
    }),
    ("a long value", |s, r| {
        let (_, key) = any_handle(s, r);
        replace_line(s, &key, &format!("* `{key} = \"{}\"`", "x".repeat(9_000)));
    }),
    ("the end is lost", |s, r| {
        let text = text(s);
        let mut at = r.usize(text.len() / 4..text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        s.registry = text[..at].to_owned().into_bytes();
    }),
    ("letters are lost", |s, r| {
        for _ in 0..r.usize(1..6) {
            let at = r.usize(..s.registry.len().max(1));
            if at < s.registry.len() && s.registry[at].is_ascii() {
                s.registry[at] = *r.choice(b"`=\"{}*x \n[]").unwrap();
            }
        }
    }),
    ("many contradictions", |s, r| {
        let many: String = (0..r.usize(90..140))
            .map(|n| format!("* `X{n:03} = 1`\n* `X{n:03} = 2`\n"))
            .collect();
        insert(s, r, &many);
    }),
    ("the stack's outputs", |s, r| {
        let value = r
            .choice([
                json!({"s3_evidence_bucket": {"value": "another-bucket"}}),
                json!({"budget_currency": {"value": "EUR"}, "tag_env_key": {"value": "env"}}),
                json!({"unrelated": {"value": 1}}),
                json!({}),
                json!({"s3_evidence_bucket": {"value": null}}),
                json!({"tag_env_key": {"value": "env"}, "open": {"value": "AKIAIOSFODNN7EXAMPLE"}}),
                json!({"p1_handle_materialization": {"value": {"DEV_FULL_BUDGET_ALERT_1_USD": 100, "CONFIG_DIGEST_ALGO": "md5"}}}),
                json!({"config_digest_algo": {"sensitive": true, "value": "md5"}, "tag_env_key": {"value": "env"}}),
                json!({"broken": 1}),
                json!([]),
            ])
            .unwrap();
        s.stack_outputs = value.to_string().into_bytes();
        if r.u8(..8) == 0 {
            s.stack_outputs = b"{ not json".to_vec();
        }
    }),
    ("the M2 receipt", |s, r| {
        let mut receipt: Value = serde_json::from_slice(&Scene::default().m2_receipt).unwrap();
        let (field, value) = r
            .choice([
                ("overall_pass", json!(false)),
                ("overall_pass", json!("true")),
                ("m3_entry_ready", json!(null)),
                ("blockers", json!(["M2-B1"])),
                ("blocker_count", json!(1)),
                ("verdict", json!("HOLD")),
                ("next_gate", json!("HOLD")),
                ("phase_execution_id", json!("m2j_yesterday")),
                ("note", json!("AKIAIOSFODNN7EXAMPLE")),
                ("verdict", json!("ADVANCE_TO_M3")),
            ])
            .unwrap();
        receipt[field] = value;
        s.m2_receipt = if r.u8(..6) == 0 {
            b"[]".to_vec()
        } else {
            receipt.to_string().into_bytes()
        };
    }),
    ("the bill", |s, r| {
        let mut bill: Value = serde_json::from_slice(&Scene::default().billing).unwrap();
        let (field, value) = r
            .choice([
                ("spend_amount", json!("224.99")),
                ("spend_amount", json!("225")),
                ("spend_amount", json!("-1")),
                ("spend_currency", json!("EUR")),
                ("window_start_utc", json!("2026-01-01")),
                ("window_end_utc", json!("2026-02-24")),
                ("window_end_utc", json!("2026-02-10")),
                ("billing_region", json!("eu-west-1")),
                ("metric", json!("BlendedCost")),
                ("source", json!("somebody")),
                ("spend_amount", json!(12.5)),
                ("note", json!("x")),
            ])
            .unwrap();
        bill[field] = value;
        s.billing = if r.u8(..8) == 0 {
            b"nothing".to_vec()
        } else {
            bill.to_string().into_bytes()
        };
    }),
];

fn pick<'t>(rng: &mut Rng, texts: &[&'t str]) -> &'t str {
    rng.choice(texts).unwrap()
}

fn text(scene: &Scene) -> String {
    String::from_utf8_lossy(&scene.registry).into_owned()
}

/// A handle that a step reads and that is declared, with its line.
fn any_handle(scene: &Scene, rng: &mut Rng) -> (String, String) {
    let places = registry::places(&scene.registry).unwrap_or_default();
    let read = handles::names_read_by_any(&Environment::default());
    let declared: Vec<&str> = places
        .iter()
        .map(|place| place.key.as_str())
        .filter(|key| read.iter().any(|name| name == key))
        .collect();
    let key = rng.choice(&declared).map_or("NO_SUCH_HANDLE", |key| *key);
    (line_of(scene, key).unwrap_or_default(), key.to_owned())
}

/// The line that declares a handle.
fn line_of(scene: &Scene, key: &str) -> Option<String> {
    let places = registry::places(&scene.registry).ok()?;
    let place = places.iter().find(|place| place.key.as_str() == key)?;
    text(scene).split('\n').nth(place.line - 1).map(str::to_owned)
}

/// Puts other text in place of the line that declares a handle, if it is declared.
fn replace_line(scene: &mut Scene, key: &str, with: &str) {
    let Some(line) = line_of(scene, key).filter(|line| !line.is_empty()) else {
        return;
    };
    scene.registry = text(scene).replacen(&line, with, 1).into_bytes();
}

/// Declares any handle that a step reads in another way, or not at all.
fn respell(scene: &mut Scene, rng: &mut Rng, line: impl Fn(&str) -> Option<String>) {
    let (_, key) = any_handle(scene, rng);
    replace_line(scene, &key, &line(&key).unwrap_or_default());
}

/// Puts a block of text before any heading.
fn insert(scene: &mut Scene, rng: &mut Rng, block: &str) {
    let text = text(scene);
    let headings: Vec<usize> = text.match_indices("\n## ").map(|(at, _)| at).collect();
    let at = rng.choice(&headings).copied().unwrap_or(text.len());
    scene.registry = format!("{}\n{block}\n{}", &text[..at], &text[at..]).into_bytes();
}
