//! The events in `tests/events`: one a function, and one for the admission of a rerun, each as the state machine sends it.
//!
//! `m3a-handle-closure.json` works on the platform that `cargo p1 up --sample` brings up. The others show the shape: their
//! closures name no evidence that exists, `cargo p1 event` makes real ones.
//!
//! `UPDATE=1 cargo test -p p1-tests --test events` writes them anew.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

use std::path::{Path, PathBuf};

use p1::drive::sample_platform::RECEIPT_STAMP;
use p1_contract::evidence::summary_name;
use p1_contract::ids::{Environment, PhaseExecutionId, Stamp};
use p1_contract::request::{Mode, StepInput, TaskCall};
use p1_contract::settings::Settings;
use p1_contract::step::Step;
use p1_local::Profile;
use serde_json::{Map, Value, json};

/// The start of the execution that the events are of.
const STARTED: &str = "2026-01-01T00:00:00.000Z";
const NAME: &str = "by-hand";
/// Version and hash of evidence that does not exist.
const NO_VERSION: &str = "00000000-0000-0000-0000-000000000000";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("events")
}

/// The events that are checked in, which lie beside this file.
fn checked_in() -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"))
}

/// Every event's file and content, on the default platform.
fn events() -> Vec<(String, Value)> {
    let profile = Profile::load(None).unwrap();
    let base = format!("{}:{}", profile.region, profile.account);
    let machine = &profile.state_machine_name;
    let execution = format!("arn:aws:states:{base}:execution:{machine}:{NAME}");
    let stamp = Stamp::from_rfc3339_floor(STARTED).unwrap();
    let receipt = format!("evidence/dev_full/run_control/m2j_{RECEIPT_STAMP}/m2j_m3_entry_readiness_receipt.json");
    let closure = |step: Step| {
        let id = PhaseExecutionId::derive(step, stamp, &execution);
        json!({
            "step": step.id(),
            "phase_execution_id": id.as_str(),
            "overall_pass": true,
            "bucket": profile.evidence_bucket,
            "key": format!("{}{}.json", Environment::default().phase_folder(&id), summary_name(step)),
            "version_id": NO_VERSION,
            "sha256": "0".repeat(64)
        })
    };
    let artifacts = &profile.artifacts_bucket;
    // The settings of the local platform, but for the signature: its key lies in the checkout of whoever made it.
    let fields = json!({
        "deployment": "fraud-platform-dev-full-p1", "evidence_bucket": profile.evidence_bucket,
        "registry_uri": format!("s3://{artifacts}/p1/handles.registry.md"),
        "stack_outputs_uris": format!("s3://{artifacts}/p1/stack_outputs_01.json"), "cost_source": "billing_artifact",
        "billing_artifact_uri": format!("s3://{artifacts}/p1/billing_artifact.json"), "signing": "off", "signing_key": "",
    });
    let settings: Settings = serde_json::from_value(fields).unwrap();
    let payload = |mode: Mode, state: &str, closures: Map<String, Value>, input: Value| {
        let call = TaskCall {
            mode,
            settings: &settings,
            execution: &execution,
            start_time: STARTED,
            state_machine: &format!("arn:aws:states:{base}:stateMachine:{machine}"),
            state,
            closures: &Value::Object(closures),
            input: &input,
        };
        call.payload()
    };
    let mut events = Vec::new();
    let mut closures = Map::new();
    for step in Step::ALL {
        let file = format!(
            "{}-{}.json",
            step.prefix(),
            step.title().to_lowercase().replace(' ', "-")
        );
        let input = json!({"m2_handoff": {"key": receipt}});
        events.push((file, payload(Mode::Step, &step.state_name(), closures.clone(), input)));
        closures.insert(step.id().to_owned(), closure(step));
    }
    let held = closure(Step::ConfigDigest);
    let resume = json!({"resume": {
        "held": {"key": held["key"], "version_id": held["version_id"], "sha256": held["sha256"]},
        "only": false,
        "reset": {"actor": "operator", "reason": "the oracle manifests are complete now", "class": "data_replay_reset", "scope": "M3.C", "at_utc": "2026-02-23T18:30:00Z"}
    }});
    events.push((
        "m3g-admission.json".to_owned(),
        payload(Mode::Admission, "Admit rerun", Map::new(), resume),
    ));
    let asked = json!({
        "platform_run_id": "platform_20260223T174307Z", "scenario_run_id": format!("scenario_{}", "0".repeat(32)),
        "phase_id": "M4", "event_id": "event-1", "runtime_lane": "spark", "trace_id": "trace-1",
    });
    events.push((
        "m3j-entry.json".to_owned(),
        payload(Mode::Entry, "Admit phase", Map::new(), asked),
    ));
    events
}

#[test]
fn the_checked_in_events_are_the_state_machines() {
    let mut names: Vec<String> = Vec::new();
    for (name, event) in events() {
        let path = folder().join(&name);
        let text = format!("{event:#}\n");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            checked_in,
            text,
            "{} is out of date, run this test with UPDATE=1",
            path.display()
        );
        names.push(name);
    }
    let mut there: Vec<String> = checked_in()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    there.sort();
    names.sort();
    assert_eq!(there, names);
}

#[test]
fn every_event_is_one_that_its_function_takes() {
    for path in checked_in() {
        let event: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let (input, attempt) = StepInput::parse(event).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let name = path.file_stem().unwrap().to_str().unwrap();
        if input.mode == Mode::Admission {
            assert_eq!(name, "m3g-admission");
            assert!(input.input.rerun().is_some() && input.closures.is_empty());
            continue;
        }
        if input.mode == Mode::Entry {
            assert_eq!(name, "m3j-entry");
            assert!(input.input.phase_entry().is_some() && input.closures.is_empty());
            continue;
        }
        // A function has the name of its folder, which is that of its step.
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../functions")
                .join(name)
                .is_dir(),
            "{name}"
        );
        let step = Step::ALL
            .into_iter()
            .find(|step| step.state_name() == attempt.state_name)
            .unwrap();
        let before: Vec<&str> = Step::ALL
            .iter()
            .take_while(|other| **other != step)
            .map(|other| other.id())
            .collect();
        assert_eq!(
            input.closures.keys().map(|owner| owner.id()).collect::<Vec<_>>(),
            before,
            "{name}"
        );
        for closure in input.closures.values() {
            let owner = closure.step.as_step().unwrap();
            assert_eq!(closure.phase_execution_id, input.phase_execution_id(owner), "{name}");
        }
    }
}
