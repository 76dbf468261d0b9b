//! M3.A on what others write: receipts, registries and stack outputs as they come from the field.

use p1_contract::blocker::Blocker;
use p1_contract::step::Step;
use p1_tests::world::{ARTIFACTS, EVIDENCE, RECEIPT, REGISTRY, STACK, World};
use serde_json::{Value, json};

/// What M3.A says of a world: its codes, its blockers in words, and the snapshot.
struct Closed {
    codes: Vec<Blocker>,
    words: String,
    snapshot: Value,
}

async fn close<T>(change: impl FnOnce(&mut World) -> T) -> Closed {
    let mut world = World::new();
    change(&mut world);
    let result = world.run(Step::HandleClosure).await;
    let summary = world.summary(&result);
    let artifacts = summary["artifacts"].as_array().unwrap().iter();
    let mut keys = artifacts.map(|artifact| artifact["key"].as_str().unwrap());
    let snapshot = keys.find(|key| key.ends_with("m3a_handle_closure_snapshot.json"));
    let snapshot = snapshot.map(|key| serde_json::from_slice(&world.store.dump(EVIDENCE)[key]).unwrap());
    Closed {
        codes: result.blockers.clone(),
        words: world.blockers(&result),
        snapshot: snapshot.unwrap_or_default(),
    }
}

impl Closed {
    /// It has these codes, and these words in its blockers.
    #[track_caller]
    fn expect(&self, what: &str, codes: &[Blocker], words: &[&str]) {
        assert_eq!(self.codes, codes, "{what}: {}", self.words);
        for word in words {
            assert!(self.words.contains(word), "{what} without {word}: {}", self.words);
        }
    }

    fn check(&self, name: &str) -> &Value {
        let checks = self.snapshot["verification_results"].as_array().unwrap();
        checks.iter().find(|check| check["check"] == name).unwrap()
    }

    fn method(&self, handle: &str) -> &str {
        self.snapshot["verification_method_by_handle"][handle].as_str().unwrap()
    }
}

/// Declares more handles, and gives these stack outputs beside the valid one.
fn with_handles(world: &World, handles: &str, outputs: &str) {
    let text = String::from_utf8(world.store.dump(ARTIFACTS)[REGISTRY].clone()).unwrap();
    world
        .store
        .seed(ARTIFACTS, REGISTRY, format!("{text}\n# Field\n\n{handles}\n"));
    world.store.seed(ARTIFACTS, STACK, outputs);
}

/// One sign that is not green outweighs all that are.
#[tokio::test]
async fn a_receipt_that_contradicts_itself_lets_nothing_start() {
    for (receipt, objections) in [
        (
            json!({"overall_pass": false, "m3_entry_ready": true, "blocker_count": 3, "verdict": "HOLD",
                   "phase_execution_id": "m2j_19990101T000000Z"}),
            4,
        ),
        (json!({"overall_pass": true, "m3_entry_ready": false}), 1),
        (json!({"overall_pass": true, "unresolved_blockers": ["M2J-B4"]}), 1),
        (json!({"overall_pass": true, "phase_blocker_count": 1}), 1),
        (json!({"overall_pass": true, "verdict": "HOLD_M2"}), 1),
        (
            json!({"overall_pass": true, "phase_execution_id": "m2j_20260223T061613Z"}),
            1,
        ),
    ] {
        let closed = close(|world| world.store.seed(EVIDENCE, RECEIPT, receipt.to_string())).await;
        closed.expect(&receipt.to_string(), &[Blocker::M2HandoffNotGreen], &[]);
        assert_eq!(closed.words.matches("; ").count(), objections - 1, "{}", closed.words);
    }
    let green = json!({
        "overall_pass": true, "m3_entry_ready": true, "blockers": [], "unresolved_blockers": [], "blocker_count": 0,
        "phase_blocker_count": 0, "verdict": "ADVANCE_TO_M3", "next_gate": "M3_READY",
        "phase_execution_id": "m2j_20260223T061612Z", "whatever_else": {"overall_pass": false},
    });
    let closed = close(|world| world.store.seed(EVIDENCE, RECEIPT, green.to_string())).await;
    assert_eq!(closed.codes, [], "{}", closed.words);
}

#[tokio::test]
async fn what_m3a_claims_of_a_handle_is_checked() {
    const ROLE: &str = "ROLE_TERRAFORM_APPLY_DEV_FULL";
    for (handle, to, word) in [
        ("FIELD_PLATFORM_RUN_ID", "\"run_id\"", "platform_run_id"),
        ("FIELD_SCENARIO_RUN_ID", "[\"scenario_run_id\"]", "scenario_run_id"),
        ("FIELD_CONFIG_DIGEST", "\"Config_Digest\"", "config_digest"),
        (ROLE, "\"sample-apply\"", "not the ARN of an IAM role or user"),
        (
            ROLE,
            "\"arn:aws:iam::123456789012:policy/apply\"",
            "not the ARN of an IAM role",
        ),
        (
            ROLE,
            "\"arn:aws:iam::210987654321:role/sample-apply\"",
            "another account",
        ),
        (
            ROLE,
            "\"arn:aws-cn:iam::123456789012:role/sample-apply\"",
            "another partition",
        ),
    ] {
        let valid = match handle {
            ROLE => "arn:aws:iam::123456789012:role/sample-apply",
            _ => word,
        };
        let declared = |value: &str| format!("`{handle} = {value}`");
        let from = declared(&format!("\"{valid}\""));
        let closed = close(|world| world.edit_registry(&from, &declared(to))).await;
        closed.expect(to, &[Blocker::HandleContradiction], &[word]);
        assert_eq!(closed.method(handle), "not_verified");
    }
    let user =
        |world: &mut World| world.edit_registry("123456789012:role/sample-apply", "123456789012:user/ops/somebody");
    assert_eq!(close(user).await.codes, []);
}

#[tokio::test]
async fn the_snapshot_says_by_what_each_handle_was_verified() {
    let closed = close(|_| ()).await;
    assert_eq!(closed.codes, [], "{}", closed.words);
    assert_eq!(closed.check("M3A-V6-CORE-OUTPUTS")["status"], "PASS");
    let methods = closed.snapshot["verification_method_by_handle"].as_object().unwrap();
    assert_eq!(methods.len(), 17);
    for (handle, method) in [
        ("S3_EVIDENCE_BUCKET", "stack_output_and_control_plane"),
        ("SFN_PLATFORM_RUN_ORCHESTRATOR_V0", "control_plane"),
        ("FIELD_CONFIG_DIGEST", "evidence_field_name"),
        ("ROLE_TERRAFORM_APPLY_DEV_FULL", "principal_arn"),
        ("CONFIG_DIGEST_ALGO", "registry_alone"),
    ] {
        assert_eq!(closed.method(handle), method, "{handle}");
    }
    let named = |world: &mut World| {
        with_handles(
            world,
            "",
            r#"{"config_digest_algo": {"value": "sha256"}, "field_config_digest": {"value": "config_digest"}}"#,
        );
    };
    let closed = close(named).await;
    assert_eq!(closed.method("CONFIG_DIGEST_ALGO"), "stack_output");
    assert_eq!(closed.method("FIELD_CONFIG_DIGEST"), "stack_output");
    let closed = close(|world| world.machines.clear()).await;
    assert_eq!(closed.method("SFN_PLATFORM_RUN_ORCHESTRATOR_V0"), "not_verified");
}

/// A check that compares nothing has not passed.
#[tokio::test]
async fn stack_outputs_are_compared_or_say_that_they_were_not() {
    const V6: &str = "M3A-V6-CORE-OUTPUTS";
    for outputs in [
        "{}",
        r#"{"not-a-handle": {"value": 1}}"#,
        r#"{"nobody_declares_it": {"value": 1}}"#,
        r#"{"s3_evidence_bucket": {"sensitive": true, "value": "x"}}"#,
        r#"{"s3_evidence_bucket": {"value": null}}"#,
        r#"{"x_handle_materialization": {"value": {"S3_EVIDENCE_BUCKET": null}}}"#,
        r#"{"x_handle_materialization": {"value": null}}"#,
    ] {
        let closed = close(|world| world.store.seed(ARTIFACTS, STACK, outputs)).await;
        closed.expect(outputs, &[Blocker::HandleContradiction], &["INCONCLUSIVE"]);
        let check = closed.check(V6);
        assert_eq!(check["status"], "INCONCLUSIVE");
        assert_eq!(check["pass"], false);
    }
    let closed = close(|world| world.stack_outputs.clear()).await;
    assert_eq!(closed.codes, [], "{}", closed.words);
    let check = closed.check(V6);
    assert_eq!(check["status"], "NOT_CONFIGURED");
    assert_eq!(check.get("pass"), None);
    assert_eq!(closed.method("S3_EVIDENCE_BUCKET"), "control_plane");
    // None configured, and yet something contradicts: that is no matter of configuration.
    let contradicting = |world: &mut World| {
        world.stack_outputs.clear();
        world.edit_registry(
            "`FIELD_CONFIG_DIGEST = \"config_digest\"`",
            "`FIELD_CONFIG_DIGEST = \"x\"`",
        );
    };
    let closed = close(contradicting).await;
    assert_eq!(closed.check(V6)["status"], "FAIL");
    // One of two documents gives values, the other none: what can be compared was.
    let two = |world: &mut World| {
        world.store.seed(ARTIFACTS, "p1/empty.json", "{}");
        world.stack_outputs = format!("s3://{ARTIFACTS}/{STACK},s3://{ARTIFACTS}/p1/empty.json");
    };
    assert_eq!(close(two).await.codes, []);
    // A second document that contradicts is heard, though the first agrees.
    let contradicted = |world: &mut World| {
        world.store.seed(
            ARTIFACTS,
            "p1/second.json",
            r#"{"aws_region": {"type": "string", "value": "us-east-1"}}"#,
        );
        world.stack_outputs = format!("s3://{ARTIFACTS}/{STACK},s3://{ARTIFACTS}/p1/second.json");
    };
    let closed = close(contradicted).await;
    closed.expect(
        "a second document",
        &[Blocker::HandleContradiction],
        &["us-east-1", "second.json"],
    );
}

/// Numbers by their worth, lists and objects part by part, a null says nothing.
#[tokio::test]
async fn stack_outputs_are_compared_as_values() {
    for (handle, output, agree) in [
        ("1.0", r#""type": "number", "value": 1"#, true),
        ("1.0", r#""type": "string", "value": "1""#, true),
        ("\"1.0\"", r#""type": "string", "value": "1""#, false),
        ("\"1.10\"", r#""type": "string", "value": "1.1""#, false),
        ("1000", r#""type": "number", "value": 1e3"#, true),
        ("0.1", r#""type": "number", "value": 0.1000000000000000055"#, false),
        (
            "\"123456789012345678901\"",
            r#""type": "number", "value": 123456789012345678901"#,
            true,
        ),
        (
            "\"123456789012345678901\"",
            r#""type": "number", "value": 123456789012345678902"#,
            false,
        ),
        ("300", r#""type": "string", "value": "300""#, true),
        ("bare-word", r#""type": "string", "value": "bare-word""#, true),
        ("true", r#""type": "bool", "value": true"#, true),
        (
            "[\"80\",\"443\"]",
            r#""type": ["tuple", ["number", "number"]], "value": [80, 443]"#,
            true,
        ),
        (
            "[\"443\",\"80\"]",
            r#""type": ["tuple", ["number", "number"]], "value": [80, 443]"#,
            false,
        ),
        (
            "[\"b\",\"a\"]",
            r#""type": ["set", "string"], "value": ["a", "b"]"#,
            true,
        ),
        (
            "[\"b\",\"a\"]",
            r#""type": ["list", "string"], "value": ["a", "b"]"#,
            false,
        ),
        (
            "{\"b\":1,\"a\":2}",
            r#""type": ["object", {"a": "number", "b": "number"}], "value": {"a": 2.0, "b": 1}"#,
            true,
        ),
        ("{\"b\":1}", r#""value": {"a": 2, "b": 1}"#, false),
        ("\"some-name\"", r#""value": null"#, true),
        ("\"null\"", r#""value": "null""#, true),
    ] {
        let outputs = format!(r#"{{"tf_probe": {{"sensitive": false, {output}}}, "tag_env_key": {{"value": "env"}}}}"#);
        let closed = close(|world| with_handles(world, &format!("* `TF_PROBE = {handle}`"), &outputs)).await;
        // A text that is the placeholder `null` has no value to compare.
        let expected: &[Blocker] = if agree { &[] } else { &[Blocker::HandleContradiction] };
        closed.expect(&format!("{handle} {output}"), expected, &[]);
    }
}

#[tokio::test]
async fn a_placeholder_with_a_note_is_one() {
    for value in [
        "\"TO_PIN (materialized in a later phase)\"",
        "to_pin",
        "\"TBD\"",
        "<arn of the apply role>",
        "[\"arn:aws:iam::123456789012:role/a\", \"TO_PIN\"]",
        "{\"arn\": null}",
    ] {
        let closed = close(|world| world.edit_registry("\"arn:aws:iam::123456789012:role/sample-apply\"", value)).await;
        closed.expect(value, &[Blocker::HandleUnresolved], &["placeholder", "line "]);
        let placeholders = &closed.snapshot["placeholder_handles"];
        assert_eq!(*placeholders, json!(["ROLE_TERRAFORM_APPLY_DEV_FULL"]));
    }
}

#[tokio::test]
async fn a_line_that_nearly_declares_is_named_with_its_reason() {
    let near = |world: &mut World| {
        world.edit_registry("* `S3_EVIDENCE_BUCKET =", "*\u{a0}`S3_EVIDENCE_BUCKET =");
        world.edit_registry("* `SR_READY_COMMIT_AUTHORITY =", "* [x] `SR_READY_COMMIT_AUTHORITY =");
        world.edit_registry(
            "\"arn:aws:iam::123456789012:role/sample-apply\"",
            "“arn:aws:iam::123456789012:role/sample-apply”",
        );
        world
            .store
            .seed(ARTIFACTS, STACK, r#"{"tag_env_key": {"value": "env"}}"#);
    };
    let closed = close(near).await;
    closed.expect("nearly", &[Blocker::HandleMissing, Blocker::HandleUnresolved], &[]);
    let blockers: Vec<Value> = serde_json::from_str(&closed.words).unwrap();
    for (handle, reason) in [
        ("S3_EVIDENCE_BUCKET", "a no-break space (U+00A0)"),
        ("SR_READY_COMMIT_AUTHORITY", "behind a check box"),
        ("ROLE_TERRAFORM_APPLY_DEV_FULL", "typographic quotes"),
    ] {
        let blocker = blockers.iter().find(|blocker| blocker["subject"] == handle);
        let detail = blocker.unwrap_or_else(|| panic!("{handle}: {}", closed.words))["detail"]
            .as_str()
            .unwrap();
        assert!(
            detail.contains(reason) && detail.contains("line "),
            "{handle}: {detail}"
        );
    }
}

#[tokio::test]
async fn documents_are_read_as_they_are_written() {
    let marked = |world: &mut World| {
        world.store.seed(
            ARTIFACTS,
            STACK,
            format!("\u{feff}{{\"s3_evidence_bucket\":{{\"value\":\"{EVIDENCE}\"}}}}\r\n"),
        );
        world
            .store
            .seed(EVIDENCE, RECEIPT, "\u{feff}{\"overall_pass\":true,\r\n\"blockers\":[]}");
    };
    let closed = close(marked).await;
    assert_eq!(closed.codes, [], "{}", closed.words);
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        for mark in ["\u{feff}", ""] {
            let utf16 = |text: &str| -> Vec<u8> { format!("{mark}{text}").encode_utf16().flat_map(order).collect() };
            let outputs = utf16(&format!("{{\"s3_evidence_bucket\":{{\"value\":\"{EVIDENCE}\"}}}}"));
            let closed = close(|world| world.store.seed(ARTIFACTS, STACK, outputs)).await;
            let words = ["INCONCLUSIVE", "UTF-16", "save it as UTF-8"];
            closed.expect("outputs in UTF-16", &[Blocker::HandleContradiction], &words);
            let closed = close(|world| world.store.seed(EVIDENCE, RECEIPT, utf16("{\"overall_pass\":true}"))).await;
            closed.expect("a receipt in UTF-16", &[Blocker::M2HandoffNotGreen], &["UTF-16"]);
            let world = World::new();
            world.store.seed(ARTIFACTS, REGISTRY, utf16("* `A = 1`\r\n"));
            let fault = world.try_step(&m3a_handle_closure::HandleClosure).await.unwrap_err();
            assert!(fault.to_string().contains("UTF-16"), "{fault}");
        }
    }
}

/// An event as EventBridge replays it from an archive, of a bucket that says nothing of versions.
#[tokio::test]
async fn a_replayed_event_starts_a_run() {
    let replayed = |world: &mut World| {
        world.input = json!({
            "version": "0", "id": "5f0c", "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012",
            "time": "2026-11-28T15:28:25.222Z", "region": "eu-west-2", "resources": [format!("arn:aws:s3:::{EVIDENCE}")],
            "detail": {
                "version": "0", "event-version": "1.0", "bucket": {"name": EVIDENCE},
                "object": {"key": RECEIPT, "size": 188, "etag": "e", "version-id": null, "sequencer": "0A1B"},
                "requester": "123456789012", "source-ip-address": "127.0.0.1", "reason": "PutObject"
            },
            "replay-name": "last-week"
        });
    };
    let closed = close(replayed).await;
    assert_eq!(closed.codes, [], "{}", closed.words);
}

/// Names, ARNs and paths of secrets are references: none of them stops a run.
#[tokio::test]
async fn names_of_secrets_are_no_secrets() {
    let outputs = json!({
        "db_credentials_secret": {"value": "shop/prod/db-credentials"},
        "rds_master_user_secret": {"value": "rds!db-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"},
        "github_token_secret_name": {"value": "shop/github-token"},
        "secret_arn": {"value": "arn:aws:secretsmanager:eu-west-2:123456789012:secret:prod/db-AbCdEf"},
        "authorization": {"value": "AWS_IAM_and_more"},
        "oidc_provider_thumbprint": {"value": "9e99a48a9960b14926bb7f3b02e22da2b0ab7280"},
        "tag_env_key": {"value": "env"},
    });
    let closed = close(|world| world.store.seed(ARTIFACTS, STACK, outputs.to_string())).await;
    assert_eq!(closed.codes, [], "{}", closed.words);
    let planted = json!({"tag_env_key": {"value": "env"}, "db_password": {"value": "hunter2-hunter2"}});
    let closed = close(|world| world.store.seed(ARTIFACTS, STACK, planted.to_string())).await;
    assert_eq!(closed.codes, [Blocker::HandleClosureSecret], "{}", closed.words);
}
