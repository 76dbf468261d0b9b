//! A run from M2's receipt to its verdict, through the state machine and its ten functions: what it leaves, and that a retry
//! changes nothing of it.

use std::collections::BTreeSet;

use p1::drive::start::refuse_second;
use p1::drive::target::Target;
use p1_contract::ids::S3Key;
use p1_contract::request::{Mode, TaskCall};
use p1_contract::step::Step;
use p1_tests::stage::{Stage, expect_listed_hashes, files, on_stage};
use serde_json::{Value, json};

/// Python's json module writes the same bytes for every JSON document of the run.
fn expect_python_bytes(stage: &Stage, dir: &std::path::Path) {
    let script = "import json,pathlib,sys\n\
        n=0\n\
        for p in pathlib.Path(sys.argv[1]).rglob('*.json'):\n\
        \x20   b=p.read_bytes(); n+=1\n\
        \x20   w=json.dumps(json.loads(b),sort_keys=True,separators=(',',':'),ensure_ascii=True)+'\\n'\n\
        \x20   assert w.encode()==b, p\n\
        assert n>20, n\n";
    let output = stage.python().args(["-c", script]).arg(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_receipt_pins_a_run_through_ten_functions() {
    on_stage(async |stage| {
        let ended = stage.run().await.expect_advance();
        let (results, scheduled) = stage.answers(&ended.arn).await;
        let functions: BTreeSet<_> = results
            .iter()
            .map(|result| result["function_arn"].as_str().unwrap())
            .collect();
        assert_eq!(
            (scheduled, results.len(), functions.len()),
            (10, 10, 10),
            "{functions:?}"
        );

        let summary = stage.phase_summary(&ended).await;
        assert_eq!(summary["verdict"], "ADVANCE_TO_M4");
        let steps: Vec<&str> = summary["closures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["step"].as_str().unwrap())
            .collect();
        assert_eq!(steps, Step::ALL[..9].iter().map(|step| step.id()).collect::<Vec<_>>());

        let dir = stage.mirror(&ended, "advance").await;
        expect_python_bytes(stage, &dir);
        assert!(expect_listed_hashes(&dir) > 40);
        let run = ended.outcome()["platform_run_id"].as_str().unwrap().to_owned();
        stage.expect_single_versions(&format!("evidence/runs/{run}/")).await;
        for folder in stage.folders(&ended).await.values() {
            stage.expect_single_versions(folder).await;
        }
        let receipts = files(&dir)
            .into_iter()
            .filter(|path| path.ends_with("m4_entry_readiness_receipt.json"));
        assert_eq!(receipts.count(), 1);
    });
}

#[test]
fn the_same_inputs_give_two_runs_of_one_scenario() {
    on_stage(async |stage| {
        let first = stage.run().await.expect_advance().outcome();
        let second = stage.run().await.expect_advance().outcome();
        assert_eq!(first["config_digest"], second["config_digest"]);
        assert_eq!(first["scenario_run_id"], second["scenario_run_id"]);
        assert_ne!(first["platform_run_id"], second["platform_run_id"]);
    });
}

/// A registry of the size and form that a real platform keeps.
#[test]
fn a_registry_with_all_handles_of_a_platform_advances() {
    on_stage(async |stage| {
        let registry = include_str!("../registry/full_platform.registry.md");
        stage.put_registry(registry).await;
        stage.run().await.expect_advance();
        let held = registry.replace(
            "`ROLE_TERRAFORM_APPLY_DEV_FULL = \"arn",
            "`ROLE_TERRAFORM_APPLY_DEV_FULL = \"TO_PIN\"` `x\"arn",
        );
        stage.put_registry(&held).await;
        stage.run().await.expect_hold(&["M3A-B2"]);
    });
}

/// A hold leaves complete evidence: the step's own, the rollup's and the verdict's, and no marker for M4.
#[test]
fn a_hold_publishes_all_evidence_of_why() {
    on_stage(async |stage| {
        stage.put_broken_registry().await;
        let ended = stage.run().await.expect_hold(&["M3F-B3"]);
        let dir = stage.mirror(&ended, "hold").await;
        expect_python_bytes(stage, &dir);
        expect_listed_hashes(&dir);
        assert!(
            !files(&dir)
                .iter()
                .any(|path| path.ends_with("m4_entry_readiness_receipt.json"))
        );
        let folders = stage.folders(&ended).await;
        let matrix = stage
            .json(&format!("{}m3i_gate_rollup_matrix.json", folders["M3.I"]))
            .await;
        let states: Vec<&str> = matrix["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["state"].as_str().unwrap())
            .collect();
        assert_eq!(
            states,
            [
                "GREEN",
                "GREEN",
                "GREEN",
                "GREEN",
                "GREEN",
                "HELD",
                "NOT_REACHED",
                "NOT_REACHED"
            ]
        );
        let run = ended.outcome()["platform_run_id"].as_str().unwrap().to_owned();
        let ledger = stage.json(&format!("evidence/runs/{run}/ledger/000002.json")).await;
        assert_eq!(
            (&ledger["kind"], &ledger["verdict"]),
            (&json!("COMMITTED"), &json!("HOLD_M3"))
        );
    });
}

/// A redrive invokes the function again with the identical payload: same result, no second version of anything.
#[test]
fn every_function_invoked_again_gives_the_same_result() {
    on_stage(async |stage| {
        let ended = stage.run().await.expect_advance();
        let script = "import boto3,json,sys\n\
            c=boto3.client('lambda')\n\
            for f,p in json.load(sys.stdin):\n\
            \x20   r=c.invoke(FunctionName=f,Payload=json.dumps(p))\n\
            \x20   b=json.loads(r['Payload'].read())\n\
            \x20   assert 'FunctionError' not in r, b\n\
            \x20   print(json.dumps(b))\n";
        let before = stage.keys("evidence/").await;
        let (answers, _) = stage.answers(&ended.arn).await;
        let invocations = payloads(stage, &ended, &answers).await;
        let mut child = stage.python();
        child
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let mut child = child.spawn().unwrap();
        serde_json::to_writer(child.stdin.take().unwrap(), &invocations).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let results: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(results.len(), 10);
        assert_eq!(results, answers);
        assert_eq!(results[9]["verdict"], "ADVANCE_TO_M4");
        assert_eq!(results[9]["closure"], ended.outcome()["closure"]);
        assert_eq!(stage.keys("evidence/").await, before);
        for folder in stage.folders(&ended).await.values() {
            stage.expect_single_versions(folder).await;
        }
    });
}

/// The payloads that the engine sent, with the functions that it sent them to; its history does not keep them.
async fn payloads(stage: &Stage, ended: &p1_tests::stage::Ended, answers: &[Value]) -> Vec<(String, Value)> {
    let input: Value = serde_json::from_str(&stage.input(&ended.arn).await).unwrap();
    let start = stage.start_time(&ended.arn).await;
    let settings = stage.platform.deployment().settings().unwrap();
    let mut closures = json!({});
    let mut payloads = Vec::new();
    for (answer, step) in answers.iter().zip(Step::ALL) {
        let call = TaskCall {
            mode: Mode::Step,
            settings: &settings,
            execution: &ended.arn,
            start_time: &start,
            state_machine: stage.platform.state_machine_arn(),
            state: &step.state_name(),
            closures: &closures,
            input: &input,
        };
        let mut payload = call.payload();
        payload["context"]["Execution"]["RedriveCount"] = json!(1);
        payloads.push((answer["function_arn"].as_str().unwrap().to_owned(), payload));
        closures[step.id()] = answer["closure"].clone();
    }
    payloads
}

/// An operator's start from a receipt that is pinned already is refused by the tool, unless it is wanted. A hold pins nothing.
#[test]
fn a_second_pinning_of_one_receipt_is_asked_back() {
    on_stage(async |stage| {
        let target = Target::new(stage.platform.deployment(), &stage.platform.sdk_config(), true).unwrap();
        let key = |input: &str| {
            let event: Value = serde_json::from_str(input).unwrap();
            S3Key::parse(event["detail"]["object"]["key"].as_str().unwrap()).unwrap()
        };
        let held = stage.held_run().await;
        refuse_second(&target, &key(&stage.input(&held.arn).await), false)
            .await
            .unwrap();
        let pinned = stage.run().await.expect_advance();
        let key = key(&stage.input(&pinned.arn).await);
        let refused = refuse_second(&target, &key, false).await.unwrap_err().to_string();
        assert!(
            refused.contains(&pinned.arn) && refused.contains("--again"),
            "{refused}"
        );
        refuse_second(&target, &key, true).await.unwrap();
        // An operator's start is one, too.
        let again = stage.start(&json!({"m2_handoff": {"key": key}})).await.expect_advance();
        let refused = refuse_second(&target, &key, false).await.unwrap_err().to_string();
        assert!(refused.contains(&again.arn), "{refused}");
    });
}
