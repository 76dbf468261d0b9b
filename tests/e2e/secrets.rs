//! Secrets in what P1 reads never reach what P1 writes: evidence, results, logs, inputs of executions.

use std::io::Write;
use std::process::Stdio;

use p1_local::sample;
use p1_tests::stage::{Ended, Stage, on_stage};
use serde_json::{Value, json};

/// The kinds, with the rule that finds them.
const RULES: [&str; 4] = ["aws-access-key-id", "jwt", "pem-private-key", "url-credentials"];

/// Four secrets that stand nowhere else, and the parts of them that must not be seen again.
struct Planted {
    texts: [String; 4],
    marks: [String; 4],
}

/// The secrets of a place; its number distinguishes them from those of others.
fn secrets(place: u8) -> Planted {
    let letter = char::from(b'A' + place);
    let marks = [
        format!("AKIAQ{letter}7XW3ZN5TR2K4{letter}P"),
        format!("eyJzdWIiOiJ{letter}{letter}Zx81kQv0"),
        format!("MIIEvQIBADANBg{letter}{letter}kqhkiG9w0"),
        format!("hunter{letter}{letter}s3cr3tw0rd"),
    ];
    assert_eq!(marks[0].len(), 20);
    let texts = [
        marks[0].clone(),
        format!("eyJhbGciOiJIUzI1NiJ9.{}.c2lnbmF0dXJl{letter}", marks[1]),
        format!("-----BEGIN PRIVATE KEY-----{}-----END PRIVATE KEY-----", marks[2]),
        format!("https://user:{}@example.com/x", marks[3]),
    ];
    Planted { texts, marks }
}

/// Asserts that the step's blockers name every rule, and the place.
async fn expect_named(stage: &Stage, ended: &Ended, step: &str, place: &str) {
    let (answers, _) = stage.answers(&ended.arn).await;
    let held = answers.iter().find(|answer| answer["step"] == step).unwrap();
    let summary = stage.json(held["closure"]["key"].as_str().unwrap()).await;
    let blockers = summary["blockers"].as_array().unwrap();
    for rule in RULES {
        let named = |blocker: &&Value| {
            let text = format!("{} {}", blocker["subject"], blocker["detail"]);
            text.contains(place) && text.contains(&format!("rule {rule}"))
        };
        assert!(
            blockers.iter().any(|blocker| named(&blocker)),
            "{rule} at {place}: {blockers:?}"
        );
    }
}

/// Looks for the marks in logs, histories, inputs and outputs. Prints those that it finds, and how many lines it has seen.
const LOOK: &str = "import boto3,glob,json,sys\n\
    asked=json.load(sys.stdin); seen=[]\n\
    logs=boto3.client('logs'); sfn=boto3.client('stepfunctions')\n\
    for page in logs.get_paginator('describe_log_groups').paginate():\n\
    \x20   for group in page['logGroups']:\n\
    \x20       for events in logs.get_paginator('filter_log_events').paginate(logGroupName=group['logGroupName']):\n\
    \x20           seen+=[event['message'] for event in events['events']]\n\
    functions=len(seen)\n\
    for arn in asked['executions']:\n\
    \x20   seen.append(json.dumps(sfn.describe_execution(executionArn=arn),default=str))\n\
    \x20   for page in sfn.get_paginator('get_execution_history').paginate(executionArn=arn,includeExecutionData=True):\n\
    \x20       seen+=[json.dumps(event,default=str) for event in page['events']]\n\
    for name in glob.glob('.p1/engine/*/engine.log'):\n\
    \x20   seen+=open(name,errors='replace').read().splitlines()\n\
    leaked=sorted({mark for mark in asked['marks'] for line in seen if mark in line})\n\
    closed=sum(asked['control'] in line for line in seen[:functions])\n\
    print(json.dumps({'leaked':leaked,'lines':len(seen),'functions':functions,'closed':closed}))\n";

fn look(stage: &Stage, executions: &[&Ended], marks: &[String]) -> Value {
    let arns: Vec<&str> = executions.iter().map(|ended| ended.arn.as_str()).collect();
    let asked = json!({"executions": arns, "marks": marks, "control": "M3.A closed"});
    let mut python = stage.python();
    python
        .args(["-c", LOOK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = python.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(asked.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A registry with secrets as values of handles that M3.A reads, or in their notes.
fn registry(stage: &Stage, place: u8, note: bool) -> String {
    let keys = [
        "FIELD_PLATFORM_RUN_ID",
        "FIELD_SCENARIO_RUN_ID",
        "CONFIG_DIGEST_FIELD",
        "SCENARIO_EQUIVALENCE_KEY_INPUT",
    ];
    let mut text = String::new();
    for line in stage.registry().lines() {
        let found = keys.iter().position(|key| line.contains(&format!("`{key} = ")));
        match found {
            Some(n) if note => text.push_str(&format!("{line} see {}", secrets(place).texts[n])),
            Some(n) => text.push_str(&format!("* `{} = \"{}\"`", keys[n], secrets(place).texts[n])),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[test]
fn no_secret_that_p1_reads_is_in_anything_that_p1_writes() {
    on_stage(async |stage| {
        let before: std::collections::BTreeSet<String> = stage.keys("").await.into_iter().collect();
        let outputs = |place: u8, sensitive: bool| {
            let texts = secrets(place).texts;
            json!({
                // Something to compare, where all else is sensitive.
                "s3_evidence_bucket": {"sensitive": false, "value": stage.platform.evidence_bucket()},
                "p1_handle_materialization": {
                    "sensitive": sensitive,
                    "value": {"ENV_NAME": texts[0], "FIELD_PLATFORM_RUN_ID": texts[1]},
                },
                "stray": {"sensitive": sensitive, "value": texts[2]},
                "nested": {"sensitive": sensitive, "value": {"list": [texts[3]]}},
            })
        };
        let good = stage.registry();

        stage.put_registry(&registry(stage, 0, false)).await;
        // Two of the handles are names of fields too, and these are other names.
        let value = stage.run().await.expect_hold(&["M3A-B6", "M3A-B8"]);
        expect_named(stage, &value, "M3.A", "registry:line ").await;

        stage.put_registry(&registry(stage, 1, true)).await;
        let note = stage.run().await.expect_hold(&["M3A-B8"]);
        expect_named(stage, &note, "M3.A", "registry:line ").await;

        // The output contradicts the registry too, and is quoted in the blocker that says so.
        stage.put_registry(&good).await;
        stage.put_stack_outputs(Some(&outputs(2, false))).await;
        let open = stage.run().await.expect_hold(&["M3A-B6", "M3A-B8"]);
        expect_named(stage, &open, "M3.A", "stack_outputs s3://").await;

        stage.put_stack_outputs(Some(&outputs(3, true))).await;
        let sensitive = stage.run().await.expect_advance();

        stage.put_stack_outputs(None).await;
        let execution = stage
            .deliver_receipt(|receipt| receipt["notes"] = json!(secrets(4).texts))
            .await;
        let receipt = stage.ended(&execution).await.expect_hold(&["M3A-B8"]);
        expect_named(stage, &receipt, "M3.A", "m2_receipt/notes/").await;

        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let mut billing: Value = serde_json::from_slice(&sample::billing(today)).unwrap();
        billing["notes"] = json!(secrets(5).texts);
        let uri = stage.platform.billing_artifact_uri().parse().unwrap();
        stage.put(&uri, billing.to_string().into_bytes()).await;
        let billing = stage.run().await.expect_hold(&["M3H-B3"]);
        expect_named(stage, &billing, "M3.H", "/notes/").await;

        let marks: Vec<String> = (0..6).flat_map(|place| secrets(place).marks).collect();
        let executions = [&value, &note, &open, &sensitive, &receipt, &billing];
        for ended in executions {
            let input: Value = serde_json::from_str(&stage.input(&ended.arn).await).unwrap();
            assert_eq!(
                input["detail-type"], "Object Created",
                "only S3's event starts an execution here"
            );
        }
        let found = look(stage, &executions, &marks);
        assert!(
            found["closed"].as_u64().unwrap() >= 6,
            "the logs were not seen: {found}"
        );
        let mut leaked: Vec<String> = serde_json::from_value(found["leaked"].clone()).unwrap();
        let mut objects = 0;
        for key in stage.keys("").await {
            // The receipts are M2's: one of them holds what was planted.
            if before.contains(&key) || key.contains("/m2j_") {
                continue;
            }
            objects += 1;
            let text = String::from_utf8_lossy(&stage.get(&key).await).into_owned();
            leaked.extend(
                marks
                    .iter()
                    .filter(|mark| text.contains(*mark))
                    .map(|mark| format!("{mark} in {key}")),
            );
        }
        println!(
            "secrets planted / leaked: {} / {} (in {objects} objects, {} lines of logs and histories)",
            marks.len(),
            leaked.len(),
            found["lines"],
        );
        assert!(objects > 50 && leaked.is_empty(), "{leaked:?}");
    });
}
