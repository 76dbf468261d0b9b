//! One change of the valid example for each blocker that the steps' logic raises from its inputs.

use p1_contract::blocker::Blocker;
use p1_contract::ids::{PhaseExecutionId, Stamp};
use p1_contract::observations::MachineAnswer;
use p1_contract::step::Step;
use p1_runtime::store::PutAnswer;
use p1_tests::world::{ARTIFACTS, EVIDENCE, MACHINE, OBJECTS, RECEIPT, REGISTRY, STACK, World};
use serde_json::json;

/// A change, and the code that the step which raises it must hold with.
type Row = (&'static str, Blocker, fn(&mut World));

fn machine(world: &mut World, change: impl FnOnce(&mut String, &mut String, &mut String)) {
    if let Some(MachineAnswer::Found {
        arn, status, role_arn, ..
    }) = world.machines.get_mut(MACHINE)
    {
        change(arn, status, role_arn);
    }
}

/// Stack outputs that agree with the registry and say nothing of a bucket.
const OTHER_OUTPUT: &str = r#"{"tag_env_key": {"sensitive": false, "value": "env"}}"#;

const FROM_THE_START: &[Row] = &[
    ("handle missing", Blocker::HandleMissing, |w| {
        w.edit_registry("`FIELD_SCENARIO_RUN_ID = ", "`FIELD_SCENARIO_RUN_ID_X = ");
    }),
    ("registry absent", Blocker::HandleMissing, |w| {
        w.store.deny(ARTIFACTS, REGISTRY);
    }),
    ("handle to pin", Blocker::HandleUnresolved, |w| {
        w.edit_registry(
            "CONFIG_DIGEST_FIELD = \"config_digest\"",
            "CONFIG_DIGEST_FIELD = \"TO_PIN\"",
        );
    }),
    ("receipt not green", Blocker::M2HandoffNotGreen, |w| {
        w.store.seed(
            EVIDENCE,
            RECEIPT,
            json!({"overall_pass": true, "blockers": ["M2J-B1"]}).to_string(),
        );
    }),
    ("machine gone", Blocker::OrchestratorUnavailable, |w| w.machines.clear()),
    ("machine deleting", Blocker::OrchestratorUnavailable, |w| {
        machine(w, |_, status, _| *status = "DELETING".to_owned());
    }),
    ("bucket unversioned", Blocker::EvidenceBucketUnfit, |w| {
        w.store.set_bucket(EVIDENCE, Some(false));
    }),
    ("bucket elsewhere and gone", Blocker::EvidenceBucketUnfit, |w| {
        w.store.seed(ARTIFACTS, STACK, OTHER_OUTPUT);
        w.edit_registry(
            "S3_EVIDENCE_BUCKET = \"fraud-platform-dev-full-evidence\"",
            "S3_EVIDENCE_BUCKET = \"no-such-bucket\"",
        );
    }),
    ("stack contradicts", Blocker::HandleContradiction, |w| {
        let outputs = json!({"s3_evidence_bucket": {"sensitive": false, "value": "another-bucket"}});
        w.store.seed(ARTIFACTS, STACK, outputs.to_string());
    }),
    ("registry contradicts itself", Blocker::HandleContradiction, |w| {
        w.edit_registry(
            "* `ENV_NAME = \"dev_full\"`",
            "* `ENV_NAME = \"dev_full\"`\n* `ENV_NAME = \"prod\"`",
        );
    }),
    ("secret in the registry", Blocker::HandleClosureSecret, |w| {
        w.edit_registry(
            "* `ENV_NAME = \"dev_full\"`",
            "* `ENV_NAME = \"dev_full\"`\n* `STRAY = \"AKIAIOSFODNN7EXAMPLE\"`",
        );
    }),
    ("scenario field unknown", Blocker::DerivationContractInvalid, |w| {
        w.edit_registry(
            "oracle_sort_key_by_output_id,config_digest\"",
            "oracle_sort_key_by_output_id,guess\"",
        );
    }),
    ("derivation mode unknown", Blocker::DerivationContractInvalid, |w| {
        w.edit_registry("\"deterministic_hash_v1\"", "\"random\"");
    }),
    ("manifest pinned elsewhere", Blocker::DerivationContractInvalid, |w| {
        w.input["oracle_input_manifest"] = json!({"uri": "s3://foreign-bucket/m.json", "sha256": "0".repeat(64)});
    }),
    ("manifest of another hash", Blocker::DerivationContractInvalid, |w| {
        w.store.seed(OBJECTS, "m.json", "{}");
        w.input["oracle_input_manifest"] = json!({"uri": format!("s3://{OBJECTS}/m.json"), "sha256": "0".repeat(64)});
    }),
    ("no id left", Blocker::RunIdExhausted, |w| {
        for attempt in 0..=20 {
            let suffix = if attempt == 0 {
                String::new()
            } else {
                format!("_{attempt:02}")
            };
            w.store.seed(
                EVIDENCE,
                &format!("evidence/runs/platform_20260223T174307Z{suffix}/run.json"),
                "{}",
            );
        }
    }),
    ("canonicalisation unknown", Blocker::CanonicalizationUnknown, |w| {
        w.edit_registry("\"json_sorted_keys_v1\"", "\"jcs\"");
    }),
    ("algorithm unknown", Blocker::DigestContractInvalid, |w| {
        w.edit_registry("CONFIG_DIGEST_ALGO = \"sha256\"", "CONFIG_DIGEST_ALGO = \"md5\"");
    }),
    ("authority not allowed", Blocker::OrchestratorHandleInvalid, |w| {
        w.edit_registry("\"step_functions_only\"", "\"anyone\"");
    }),
    ("env key unusable", Blocker::RunScopeKeyInvalid, |w| {
        w.edit_registry("ENV_KEY = \"REQUIRED_PLATFORM_RUN_ID\"", "ENV_KEY = \"not a name\"");
    }),
    ("role differs", Blocker::RoleMismatch, |w| {
        machine(w, |_, _, role| role.push_str("-other"));
    }),
    (
        "another name for when it was written",
        Blocker::RunKeyUnresolvable,
        |w| w.edit_registry("\"written_at_utc\"", "\"config_digest\""),
    ),
    ("run key leaves the root", Blocker::RunKeyUnresolvable, |w| {
        w.edit_registry(
            "\"evidence/runs/{platform_run_id}/run.json\"",
            "\"evidence/{platform_run_id}/run.json\"",
        );
    }),
    ("correlation list differs", Blocker::CorrelationFieldsInvalid, |w| {
        w.edit_registry("runtime_lane,trace_id\"", "trace_id\"");
    }),
];

#[tokio::test]
async fn one_change_of_the_inputs_holds_the_run_with_exactly_its_code() {
    for (what, expected, change) in FROM_THE_START {
        let mut world = World::new();
        change(&mut world);
        world.up_to(expected.step()).await;
        let result = world.run(expected.step()).await;
        assert_eq!(result.blockers, [*expected], "{what}: {}", world.blockers(&result));
        assert!(!result.overall_pass && result.next_gate == "HOLD", "{what}");
        let summary = world.summary(&result);
        assert_eq!(
            summary["blocker_count"],
            summary["blockers"].as_array().unwrap().len(),
            "{what}"
        );
    }
}

const RUN: &str = "evidence/runs/platform_20260223T174307Z";

/// What happens to the run's evidence between two steps.
const ALONG_THE_WAY: &[Row] = &[
    ("ledger taken over", Blocker::RunLockNotOurs, take_over),
    ("run.json is there", Blocker::RunEvidenceAlreadyExists, |w| {
        w.store.seed(EVIDENCE, &format!("{RUN}/run.json"), "{}");
    }),
    (
        "ledger lost before publication",
        Blocker::PublicationLedgerLost,
        take_over,
    ),
    ("a write refused", Blocker::RunEvidenceWriteFailed, |w| {
        w.store.script(vec![PutAnswer::Refused("403 AccessDenied".to_owned())]);
    }),
    ("closure of M3.C changed", Blocker::PublicationPrerequisite, |w| {
        let closure = w.closures.get_mut("M3.C").unwrap();
        closure.sha256 = p1_contract::hash::Sha256Hex::of(b"forged");
    }),
    ("closure of M3.E missing", Blocker::HandoffPrerequisite, |w| {
        w.closures.remove("M3.E");
    }),
    ("ledger lost before handoff", Blocker::HandoffLedgerLost, take_over),
    ("run.json unreadable", Blocker::HandoffReferenceInvalid, |w| {
        w.store.deny(EVIDENCE, &format!("{RUN}/run.json"));
    }),
];

/// Another execution acquires the run's ledger.
fn take_over(world: &mut World) {
    let ours = world.store.dump(EVIDENCE)[&format!("{RUN}/ledger/000001.json")].clone();
    let of_another = String::from_utf8(ours)
        .unwrap()
        .replace(":run-1\"", ":run-9\"")
        .replace("\"sequence\":1", "\"sequence\":2");
    world
        .store
        .seed(EVIDENCE, &format!("{RUN}/ledger/000002.json"), of_another);
}

#[tokio::test]
async fn one_change_along_the_way_holds_the_run_with_exactly_its_code() {
    for (what, expected, change) in ALONG_THE_WAY {
        let mut world = World::new();
        world.up_to(expected.step()).await;
        change(&mut world);
        let result = world.run(expected.step()).await;
        assert_eq!(result.blockers, [*expected], "{what}: {}", world.blockers(&result));
    }
}

/// The object that occupies a key of the step's own folder, and the code with which the step says so.
const OCCUPIED: &[(&str, Blocker)] = &[
    ("m3a_command_receipts", Blocker::HandleClosureNotPublished),
    ("m3b_run_identity_seed", Blocker::RunIdentityNotPublished),
    ("m3c_run_config_payload", Blocker::ConfigDigestNotPublished),
    ("m3d_command_receipts", Blocker::ReadinessNotPublished),
    ("m3e_run_json_write_receipt", Blocker::RunEvidenceWriteFailed),
    ("m4_handoff_pack", Blocker::HandoffNotPublished),
];

#[tokio::test]
async fn an_occupied_artifact_key_holds_the_run_and_stays_as_it_is() {
    for (artifact, expected) in OCCUPIED {
        let step = expected.step();
        let mut world = World::new();
        world.up_to(step).await;
        let stamp = Stamp::from_rfc3339_floor(&world.start_time).unwrap();
        let id = PhaseExecutionId::derive(step, stamp, &world.execution);
        let key = format!("evidence/dev_full/run_control/{id}/{artifact}.json");
        world.store.seed(EVIDENCE, &key, "squatter");
        let result = world.run(step).await;
        assert_eq!(result.blockers, [*expected], "{step}: {}", world.blockers(&result));
        assert_eq!(world.store.dump(EVIDENCE)[&key], b"squatter");
    }
}

#[tokio::test]
async fn a_registry_that_is_none_is_a_fault_that_names_it() {
    for bad in [
        b"\xff\xfe".to_vec(),
        b"no handles here".to_vec(),
        vec![b' '; (4 << 20) + 1],
    ] {
        let world = World::new();
        world.store.seed(ARTIFACTS, REGISTRY, bad);
        let fault = world.try_step(&m3a_handle_closure::HandleClosure).await.unwrap_err();
        assert_eq!(fault.name(), "InvalidInput");
        assert!(fault.to_string().contains(REGISTRY), "{fault}");
    }
}

#[tokio::test]
async fn secrets_are_named_by_place_and_rule_and_never_published() {
    let mut world = World::new();
    let key = "AKIAIOSFODNN7EXAMPLE";
    world.store.seed(
        EVIDENCE,
        RECEIPT,
        json!({"overall_pass": true, "note": key}).to_string(),
    );
    world.edit_registry("\"step_functions_only\"", &format!("\"{key}\""));
    let outputs = json!({"open": {"value": key}, "tag_env_key": {"value": "env"}, "closed": {"sensitive": true, "value": "AKIAIOSFODNN7SENSITIV"}});
    world.store.seed(ARTIFACTS, STACK, outputs.to_string());
    let result = world.run(Step::HandleClosure).await;
    assert_eq!(
        result.blockers,
        [Blocker::HandleClosureSecret],
        "{}",
        world.blockers(&result)
    );
    for (place, bytes) in world.store.dump(EVIDENCE) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(place == RECEIPT || !text.contains("AKIA"), "{place}");
    }
}

#[tokio::test]
async fn a_duplicate_delivery_pins_nothing() {
    let mut world = World::new();
    world.input = json!({
        "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012",
        "time": "2026-02-23T17:43:07Z", "region": "eu-west-2", "resources": [],
        "detail": {"bucket": {"name": EVIDENCE}, "object": {"key": RECEIPT, "sequencer": "0A1B"}}
    });
    assert!(world.run(Step::HandleClosure).await.overall_pass);
    let objects = world.store.dump(EVIDENCE).len();
    world.execution = world.execution.replace("run-1", "run-2");
    world.closures.clear();
    let again = world.run(Step::HandleClosure).await;
    assert_eq!(again.outcome(), p1_contract::request::TaskOutcome::DuplicateDelivery);
    assert!(again.closure.is_none() && world.store.dump(EVIDENCE).len() == objects);
}
