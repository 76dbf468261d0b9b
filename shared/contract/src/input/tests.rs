use super::*;
use serde_json::json;

const KEY: &str = "evidence/dev_full/run_control/m2j_20260223T061612Z/m2j_m3_entry_readiness_receipt.json";

fn bucket() -> BucketName {
    BucketName::parse("fraud-platform-dev-full-evidence").unwrap()
}

fn parse(input: &Value) -> Result<ExecutionInput, InputError> {
    ExecutionInput::parse(input, &Environment::default(), &bucket())
}

fn event() -> Value {
    json!({
        "version": "0", "id": "x", "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012",
        "time": "2026-02-23T06:16:12Z", "region": "eu-west-2", "resources": [],
        "detail": {
            "version": "0", "bucket": {"name": "fraud-platform-dev-full-evidence"},
            "object": {"key": KEY, "size": 2, "etag": "e", "version-id": "v1", "sequencer": "00A1"},
            "reason": "PutObject"
        }
    })
}

fn rerun() -> Value {
    let key = "evidence/dev_full/run_control/m3f_20260223T174307Z_0123456789ab/m3f_execution_summary.json";
    json!({"resume": {
        "held": {"key": key, "version_id": "v", "sha256": "a".repeat(64)},
        "reset": {"actor": "a", "reason": "r", "class": "checkpoint_reset", "scope": "s"}
    }})
}

#[test]
fn the_four_forms_are_told_apart() {
    let event = parse(&event()).unwrap();
    assert!(matches!(&event, ExecutionInput::M2Event { sequencer, .. } if sequencer == "00A1"));
    assert_eq!(event.receipt().unwrap().version_id.as_deref(), Some("v1"));
    let start = parse(&json!({"m2_handoff": {"key": KEY}})).unwrap();
    assert!(start.receipt().is_some() && start.pinned_manifest().is_none());
    let rerun = parse(&rerun()).unwrap();
    assert!(!rerun.rerun().unwrap().only);
    let parsed = parse(&entry()).unwrap();
    assert_eq!(json!(parsed.phase_entry().unwrap()), entry());
    assert!(parsed.rerun().is_none() && parsed.receipt().is_none());
}

fn entry() -> Value {
    json!({
        "platform_run_id": "platform_20260223T174307Z", "scenario_run_id": format!("scenario_{}", "0".repeat(32)),
        "phase_id": "M4", "event_id": "", "runtime_lane": "a b", "trace_id": "é\u{1f600}",
    })
}

/// Step Functions' own field is passed over; no other is.
#[test]
fn a_phase_entry_is_flat_and_strict() {
    let mut linked = entry();
    linked["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"] = json!("arn:aws:states:…");
    assert_eq!(parse(&linked).unwrap(), parse(&entry()).unwrap());
    for field in ["phase_id", "event_id", "runtime_lane", "trace_id"] {
        let mut fewer = entry();
        fewer.as_object_mut().unwrap().remove(field);
        assert!(parse(&fewer).is_ok(), "{field}");
        for wrong in [json!(1), Value::Null, json!(["x"]), json!("x".repeat(1_025))] {
            let mut changed = entry();
            changed[field] = wrong;
            assert_eq!(parse(&changed).unwrap_err().field, field, "{changed}");
        }
    }
    for (field, wrong) in [
        ("platform_run_id", json!("platform_20260223T174307Z_99/..")),
        ("platform_run_id", json!("platform_20261323T174307Z")),
        ("platform_run_id", Value::Null),
        ("scenario_run_id", json!("scenario_0")),
        ("scenario_run_id", json!({})),
        ("config_digest", json!("0".repeat(64))),
        ("Platform_run_id", json!("x")),
        ("environment", json!({})),
    ] {
        let mut changed = entry();
        changed[field] = wrong;
        assert_eq!(parse(&changed).unwrap_err().field, field, "{changed}");
    }
    for field in ["platform_run_id", "scenario_run_id"] {
        let mut fewer = entry();
        fewer.as_object_mut().unwrap().remove(field);
        assert_eq!(parse(&fewer).unwrap_err().field, field);
    }
}

/// Each row breaks one field, which the error names.
#[test]
fn anything_else_names_the_field() {
    let start = json!({"m2_handoff": {"key": KEY}});
    let with = |base: &Value, pointer: &str, value: Value| {
        let mut changed = base.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        changed.pointer_mut(parent).unwrap()[field] = value;
        changed
    };
    for (base, pointer, value) in [
        (&start, "/extra", json!(1)),
        (&start, "/resume", json!({})),
        (&start, "/m2_handoff/bucket", json!("other")),
        (&start, "/m2_handoff/key", json!("evidence/other.json")),
        (&start, "/m2_handoff/key", json!(format!("/{KEY}"))),
        (&start, "/m2_handoff/key", json!(KEY.replace("m2j_2026", "../m2j_2026"))),
        (&start, "/m2_handoff/key", json!(KEY.replace("20260223T", "20261323T"))),
        (&start, "/m2_handoff/key", json!("k".repeat(1025))),
        (&start, "/m2_handoff/version_id", json!("a b")),
        (&event(), "/source", json!("aws.ec2")),
        (&event(), "/detail-type", json!("Object Deleted")),
        (&event(), "/time", json!("yesterday")),
        (&event(), "/resources", json!("arn:aws:s3:::b")),
        (&event(), "/detail", json!([])),
        (&event(), "/detail/object/version-id", json!("")),
        (&event(), "/detail/object/version-id", json!(1)),
        (&event(), "/detail/object/version-id", json!("v".repeat(1025))),
        (&event(), "/detail/object/sequencer", json!("0".repeat(1025))),
        (&event(), "/detail/object/sequencer", json!("")),
        (&event(), "/detail/object/key", json!(null)),
        (&event(), "/detail/bucket/name", json!("another-bucket")),
        (&rerun(), "/resume/only", json!("yes")),
        (&rerun(), "/resume/extra", json!(1)),
        (&rerun(), "/resume/held/key", json!(KEY)),
        (&rerun(), "/resume/held/sha256", json!("0")),
    ] {
        let input = with(base, pointer, value);
        let error = parse(&input).unwrap_err();
        assert_eq!(error.field, pointer[1..].replace('/', "."), "{input}: {error}");
    }
    let manifest = |uri: &str, sha256: &str| json!({ "uri": uri, "sha256": sha256 });
    let pinned = |manifest: Value| with(&start, "/oracle_input_manifest", manifest);
    for (input, field) in [
        (json!([]), "."),
        (json!({}), "."),
        (json!({"m2_handof": {}}), "."),
        (
            pinned(manifest("http://x/y", &"a".repeat(64))),
            "oracle_input_manifest.uri",
        ),
        (pinned(manifest("s3://bucket/y", "A")), "oracle_input_manifest.sha256"),
        (with(&event(), "/resources", json!(["a", 1])), "resources.1"),
        (with(&rerun(), "/resume/reset/who", json!("me")), "resume.reset"),
    ] {
        let error = parse(&input).unwrap_err();
        assert_eq!(error.field, field, "{input}: {error}");
    }
}

/// What AWS adds to its envelope says nothing to P1, and what it leaves out neither.
#[test]
fn what_aws_adds_to_an_event_is_passed_over() {
    let plain = parse(&event()).unwrap();
    let changes: [fn(&mut Value); 6] = [
        |event| event["replay-name"] = json!("of-last-week"),
        |event| event["trace-header"] = json!({"a": ["x".repeat(2000), 1.5, null]}),
        |event| event["detail"]["object"]["checksum-type"] = json!("FULL_OBJECT"),
        |event| event["detail"]["requester"] = json!("123456789012"),
        |event| event["account"] = json!(null),
        |event| {
            let event = event.as_object_mut().unwrap();
            event.retain(|field, _| ["detail-type", "source", "detail"].contains(&field.as_str()));
        },
    ];
    for change in changes {
        let mut event = event();
        change(&mut event);
        assert_eq!(parse(&event).as_ref(), Ok(&plain), "{event}");
    }
    let mut unversioned = event();
    unversioned["detail"]["object"]["version-id"] = json!(null);
    let receipt = parse(&unversioned).unwrap();
    assert_eq!(receipt.receipt().unwrap().version_id, None);
}

#[test]
fn an_incomplete_reset_receipt_is_left_to_the_verdict() {
    let mut input = rerun();
    input["resume"]["reset"] = json!({});
    assert_eq!(parse(&input).unwrap().rerun().unwrap().reset, ResetReceipt::default());
}
