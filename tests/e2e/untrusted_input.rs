//! The input of an execution is not trusted: a pointer that leads elsewhere is refused, nothing is read from there, and an unknown
//! form is a fault that names the field.

use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use p1_contract::hash::Sha256Hex;
use p1_contract::request::{Mode, TaskCall};
use p1_contract::step::Step;
use p1_runtime::store::{MemoryStore, Store};
use p1_runtime::{Fault, FixedAnswers, Harness, Orchestrator};
use p1_tests::stage::{Ended, Stage, on_stage};
use serde_json::{Value, json};

/// Refused before anything was read or written: the fault names the field.
async fn expect_refused(stage: &Stage, input: &Value, field: &str) {
    let before = stage.keys("").await.len();
    let ended = stage.start(input).await;
    expect_fault(&ended, field);
    assert_eq!(
        stage.answers(&ended.arn).await.1,
        1,
        "InvalidInput is not retried: {ended:?}"
    );
    assert_eq!(stage.keys("").await.len(), before, "{input} has created objects");
}

fn expect_fault(ended: &Ended, field: &str) {
    assert_eq!(ended.error, "InvalidInput", "{ended:?}");
    assert!(ended.cause.contains(field), "{field}: {ended:?}");
}

/// The buckets that the summaries of an execution have read from, with the keys.
async fn inputs(stage: &Stage, ended: &Ended) -> Vec<(String, String)> {
    let mut inputs = Vec::new();
    for answer in stage.answers(&ended.arn).await.0 {
        let summary = stage.json(answer["closure"]["key"].as_str().unwrap()).await;
        for input in summary["inputs"].as_array().unwrap() {
            let text = |field: &str| input[field].as_str().unwrap().to_owned();
            inputs.push((text("bucket"), text("key")));
        }
    }
    inputs
}

#[test]
fn an_input_that_points_elsewhere_is_refused_by_its_shape() {
    on_stage(async |stage| {
        let good = stage.run().await.expect_advance();
        let event: Value = serde_json::from_str(&stage.input(&good.arn).await).unwrap();
        let receipt = event["detail"]["object"]["key"].as_str().unwrap().to_owned();

        let mut foreign = event.clone();
        foreign["detail"]["bucket"]["name"] = json!(stage.platform.artifacts_bucket());
        expect_refused(stage, &foreign, "detail.bucket.name").await;
        for key in [
            receipt.replace("run_control", "elsewhere"),
            receipt.replace("evidence/", "evidence/../evidence/"),
            format!("{receipt}/.."),
            receipt.replace("m2j_m3_entry_readiness_receipt", "m2j_execution_summary"),
            format!("s3://other/{receipt}"),
        ] {
            expect_refused(stage, &json!({"m2_handoff": {"key": key}}), "m2_handoff.key").await;
        }
        let summary = format!("evidence/dev_full/run_control/m3f_20260223T061612Z_{}/", "0".repeat(12));
        for key in [
            format!("{summary}m3g_execution_summary.json"),
            format!("{summary}../m3f_execution_summary.json"),
            format!("evidence/runs/{summary}m3f_execution_summary.json"),
        ] {
            let input = json!({"resume": {
                "held": {"key": key, "version_id": "v", "sha256": "0".repeat(64)},
                "reset": {"actor": "a", "reason": "r", "class": "checkpoint_reset", "scope": "s"},
            }});
            expect_refused(stage, &input, "resume.held.key").await;
        }
    });
}

/// A manifest that is really there, with the hash that is given, in a bucket or under a scheme that is not the oracle's.
#[test]
fn a_foreign_manifest_is_not_read() {
    on_stage(async |stage| {
        let good = stage.run().await.expect_advance();
        let event: Value = serde_json::from_str(&stage.input(&good.arn).await).unwrap();
        let receipt = event["detail"]["object"]["key"].clone();
        for bucket in [stage.platform.artifacts_bucket(), stage.platform.evidence_bucket()] {
            let uri = format!("s3://{bucket}/foreign/manifest.json");
            stage.put(&uri.parse().unwrap(), b"{}".to_vec()).await;
            let input = json!({
                "m2_handoff": {"key": receipt},
                "oracle_input_manifest": {"uri": uri, "sha256": Sha256Hex::of(b"{}")},
            });
            let ended = stage.start(&input).await.expect_hold(&["M3B-B3"]);
            let read = inputs(stage, &ended).await;
            assert!(read.iter().all(|(_, key)| key != "foreign/manifest.json"), "{read:?}");
        }
        let input = json!({
            "m2_handoff": {"key": receipt},
            "oracle_input_manifest": {"uri": "https://example.com/m.json", "sha256": "0".repeat(64)},
        });
        expect_refused(stage, &input, "oracle_input_manifest.uri").await;
    });
}

/// A summary of the right shape under a key of the right shape, with its true hash. Only the ledger does not know it.
#[test]
fn a_forged_held_summary_is_refused() {
    on_stage(async |stage| {
        let held = stage.held_run().await;
        let folder = stage.folders(&held).await["M3.F"].clone();
        let mut summary = stage.json(&format!("{folder}m3f_execution_summary.json")).await;
        let id = format!("m3f_20260223T061612Z_{}", "0f".repeat(6));
        summary["phase_execution_id"] = json!(id);
        let key = format!("evidence/dev_full/run_control/{id}/m3f_execution_summary.json");
        let bytes = p1_contract::canonical::to_document(&summary).unwrap();
        let request = stage.s3.put_object().bucket(stage.platform.evidence_bucket()).key(&key);
        let body = ByteStream::from(bytes.clone());
        let stored = request.if_none_match("*").body(body).send().await.unwrap();

        let run = held.outcome()["platform_run_id"].as_str().unwrap().to_owned();
        let ledger = stage.keys(&format!("evidence/runs/{run}/ledger/")).await;
        let mut input = stage.rerun_input(&held).await;
        input["resume"]["held"] =
            json!({"key": key, "version_id": stored.version_id(), "sha256": Sha256Hex::of(&bytes)});
        let refused = stage.start(&input).await;
        assert_eq!(refused.error, "M3.RerunRefused", "{refused:?}");
        assert_eq!(refused.outcome()["blockers"], json!(["M3G-B1"]));
        assert_eq!(stage.keys(&format!("evidence/runs/{run}/ledger/")).await, ledger);
        // What it read is ours: the registry, the chain that the forgery names, and the run's own ledger.
        let ours = [stage.platform.evidence_bucket(), stage.platform.artifacts_bucket()];
        let read = inputs(stage, &refused).await;
        assert!(
            read.iter().all(|(bucket, _)| ours.contains(&bucket.as_str())),
            "{read:?}"
        );
    });
}

/// Invokes a function with this text as the input of an execution, and gives the error's type and message.
fn invoke(stage: &Stage, function: &str, payload: &Value, input: &str) -> Value {
    let script = "import boto3,json,sys\n\
        c=boto3.client('lambda')\n\
        p,i=sys.stdin.read().split('\\n')\n\
        r=c.invoke(FunctionName=sys.argv[1],Payload=p.replace('\"INPUT\"',i).encode())\n\
        assert 'FunctionError' in r, r\n\
        print(r['Payload'].read().decode())\n";
    let mut python = stage.python();
    python
        .args(["-c", script, function])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = python.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("{payload}\n{input}").as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the functions do with a payload before anything else.
fn request(stage: &Stage, payload: &str) -> Result<(), Fault> {
    let artifacts = stage.platform.artifacts_bucket();
    let harness = Harness {
        store: Store::Memory(MemoryStore::with_buckets(&[artifacts])),
        orchestrator: Orchestrator::Fixed(Arc::new(FixedAnswers::default())),
    };
    harness.request(payload.as_bytes()).map(|_| ())
}

#[test]
fn an_input_that_is_too_large_or_too_deep_is_refused() {
    on_stage(async |stage| {
        let good = stage.run().await.expect_advance();
        let before = stage.keys("").await.len();
        let padded = |bytes: usize| {
            let texts: Vec<String> = (0..bytes / 1000).map(|_| "x".repeat(997)).collect();
            json!({"m2_handoff": {"key": Stage::new_receipt_key()}, "padding": texts}).to_string()
        };
        // Step Functions takes 256 KiB, and so does the function; it refuses the field.
        expect_fault(&stage.try_start(&padded(250 * 1024)).await.unwrap(), "padding");
        match stage.try_start(&padded(300 * 1024)).await {
            Ok(ended) => expect_fault(&ended, "padding"),
            Err(why) => println!("the engine refuses 300 KiB: {why}"),
        }
        let deep = |depth: usize| format!("{{\"m2_handoff\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        // Deeper than P1 reads, and not too deep for the engine.
        expect_fault(&stage.try_start(&deep(100)).await.unwrap(), "deep");
        let (answers, _) = stage.answers(&good.arn).await;
        let call = TaskCall {
            mode: Mode::Step,
            settings: &stage.platform.deployment().settings().unwrap(),
            execution: &good.arn,
            start_time: &stage.start_time(&good.arn).await,
            state_machine: stage.platform.state_machine_arn(),
            state: &Step::HandleClosure.state_name(),
            closures: &json!({}),
            input: &json!("INPUT"),
        };
        let payload = call.payload();
        let function = answers[0]["function_arn"].as_str().unwrap();
        for input in [deep(100), padded(300 * 1024)] {
            let answer = invoke(stage, function, &payload, &input);
            assert_eq!(answer["errorType"], "InvalidInput", "{answer}");
            println!("invoked with {} bytes: {}", input.len(), answer["errorMessage"]);
        }
        // The engine itself cannot decode this one, so no function ever sees it: what a function would do with it.
        let fault = request(stage, &payload.to_string().replace("\"INPUT\"", &deep(10_000))).unwrap_err();
        println!("depth 10,000: {fault}");
        assert_eq!(fault.name(), "InvalidInput", "{fault}");
        assert_eq!(stage.keys("").await.len(), before, "something was created");
    });
}

#[test]
fn an_unknown_form_of_input_is_a_fault_that_names_the_field() {
    on_stage(async |stage| {
        for (input, field) in [
            (json!({}), "`.`"),
            (json!({"m2_handoff": {"key": "x/../y"}}), "m2_handoff.key"),
            (
                json!({"m2_handoff": {"key": Stage::new_receipt_key(), "bucket": "b"}}),
                "m2_handoff.bucket",
            ),
        ] {
            let ended = stage.start(&input).await;
            assert_eq!(ended.error, "InvalidInput", "{ended:?}");
            assert!(ended.cause.contains(field), "{ended:?}");
            assert_eq!(stage.answers(&ended.arn).await.1, 1, "InvalidInput is not retried");
        }
    });
}
