//! The refusals of an admission: one thing broken at a time.

use p1_contract::artifacts::{CommitPosture, PhaseSummary};
use p1_contract::blocker::Blocker;
use p1_contract::request::{Conclusion, TaskOutcome};
use p1_contract::verdict::{PhaseVerdict, RollupVerdict};

use super::admission::{admit, held, ledger_records, machine_down};
use super::*;

/// The codes of a refusal, which lists no closures and acquires nothing.
#[track_caller]
pub(super) fn refused(world: &World, input: &Value) -> Vec<&'static str> {
    let before = ledger_records(world);
    let result = admit(world, 2, input);
    assert_eq!(result.conclusion, Conclusion::Refused, "{result:?}");
    assert_eq!(ledger_records(world), before);
    let receipt = world.artifact(&result, "m3g_admission_receipt");
    assert_eq!(receipt["admitted"], false);
    assert_eq!(receipt["ledger_sequence"], Value::Null);
    let mut told: Vec<&str> = result.findings.told.iter().map(|told| told.code.code()).collect();
    told.dedup();
    assert_eq!(told, result_codes(&result));
    // What was refused is given back, unless it holds a secret.
    let given_back = Some(input).filter(|input| !input.to_string().contains("AKIA"));
    assert_eq!(result.asked.as_ref(), given_back);
    result_codes(&result)
}

fn with(mut input: Value, pointer: &str, value: Value) -> Value {
    *input.pointer_mut(pointer).unwrap() = value;
    input
}

#[test]
fn the_held_summary_must_be_there_and_the_last() {
    let world = held();
    let input = world.resumed();
    let changed = with(input.clone(), "/resume/held/sha256", json!(Sha256Hex::of(b"other")));
    assert_eq!(refused(&world, &changed), ["M3G-B1"]);
    let world = held();
    assert_eq!(
        refused(&world, &with(input.clone(), "/resume/held/version_id", json!("v999"))),
        ["M3G-B1"]
    );
    let world = held();
    assert_eq!(refused(&world, &world.rerun(Step::ConfigDigest)), ["M3G-B1"]);
    let world = World::held_at(Step::GateRollup, &[]);
    assert_eq!(refused(&world, &world.rerun(Step::GateRollup)), ["M3G-B1"]);
    // A second version at the held key: the one that was held is not what stands there.
    let world = held();
    world.store.seed(EVIDENCE, world.closures["M3.D"].key.as_str(), "{}");
    assert_eq!(refused(&world, &input), ["M3G-B1", "M3G-B3"]);
}

#[test]
fn the_chain_must_still_have_its_bytes() {
    for key in ["M3.A", "M3.B"] {
        let world = held();
        world.store.deny(EVIDENCE, world.closures[key].key.as_str());
        assert_eq!(refused(&world, &world.resumed()), ["M3G-B1"], "{key}");
    }
    let world = held();
    let seed = key_of(&world.closures["M3.B"].phase_execution_id, "m3b_run_identity_seed");
    world.store.deny(EVIDENCE, seed.as_str());
    assert_eq!(refused(&world, &world.resumed()), ["M3G-B1"]);
    // A chain that lacks a step.
    let mut world = World::held_at(Step::ConfigDigest, &[]);
    world.closures.remove("M3.C");
    world.close(1, Step::OrchestratorReadiness, &machine_down());
    assert_eq!(refused(&world, &world.resumed()), ["M3G-B1"]);
    // A chain of two runs.
    let mut world = World::held_at(Step::ConfigDigest, &[]);
    world.run.scenario_run_id = "scenario_00000000000000000000000000000000".parse().unwrap();
    world.close(1, Step::OrchestratorReadiness, &[]);
    assert_eq!(refused(&world, &world.resumed()), ["M3G-B1"]);
}

#[test]
fn a_run_held_at_a_or_b_is_started_anew() {
    let world = World::held_at(
        Step::RunIdentity,
        &[Blocker::DerivationContractInvalid.on("manifest", "is missing")],
    );
    assert_eq!(refused(&world, &world.rerun(Step::RunIdentity)), ["M3G-B1"]);
    let world = World::held_at(Step::HandleClosure, &[Blocker::HandleMissing.on("X", "is missing")]);
    assert_eq!(refused(&world, &world.rerun(Step::HandleClosure)), ["M3G-B1"]);
    let world = World::held_at(Step::HandleClosure, &[]);
    assert_eq!(refused(&world, &world.rerun(Step::HandleClosure)), ["M3G-B1"]);
}

#[test]
fn after_a_no_go_only_a_new_start_is_offered() {
    let world = World::held_at(
        Step::OrchestratorReadiness,
        &[Blocker::ForeignStateMachine.on("machine", "is another")],
    );
    assert_eq!(refused(&world, &world.resumed()), ["M3G-B1"]);

    let world = committed(RollupVerdict::NoGoResetRequired, PhaseVerdict::HoldM3);
    assert_eq!(refused(&world, &world.resumed()), ["M3G-B1"]);
    let world = committed(RollupVerdict::HoldRemediate, PhaseVerdict::HoldM3);
    let result = admit(&world, 2, &world.resumed());
    assert_eq!((result.outcome(), ledger_records(&world)), (TaskOutcome::Admitted, 3));
}

/// A held run whose verdict is committed.
fn committed(adjudication: RollupVerdict, verdict: PhaseVerdict) -> World {
    let world = held();
    let summary = PhaseSummary {
        verdict,
        adjudication: Some(adjudication),
        commit: CommitPosture::ToBeCommitted,
        execution_stamp_utc: stamp(1),
        closures: world.closures.values().cloned().collect(),
        not_reached: Vec::new(),
        unresolved_blockers: Vec::new(),
        completion_checklist: Vec::new(),
        next_action: None,
        overall_pass: false,
        next_gate: None,
        m4_entry_ready: None,
        blocker_count: None,
        blockers: None,
    };
    let id = PhaseExecutionId::derive(Step::PhaseVerdict, stamp(1), execution(1).as_str());
    let key = key_of(&id, "m3_execution_summary");
    let summary = world.document(Step::PhaseVerdict, &id, key.as_str(), summary);
    let run = &world.run.platform_run_id;
    world.ledger(&LedgerRecord::committed(
        run,
        2,
        &execution(1),
        stamp(1),
        verdict,
        summary.object(),
    ));
    world
}

/// The subjects of a refusal's blockers with this code.
fn subjects(world: &World, input: &Value, code: &str) -> Vec<String> {
    let result = admit(world, 2, input);
    assert_eq!(result.outcome(), TaskOutcome::Refused, "{result:?}");
    let summary = world.artifact(&result, "m3g_admission_summary");
    let blockers = summary["blockers"].as_array().unwrap().iter();
    let of_code = blockers.filter(|blocker| blocker["code"] == json!(code));
    of_code
        .map(|blocker| blocker["subject"].as_str().unwrap().to_owned())
        .collect()
}

/// The worst of all: the summary of the last step, forged as a pass, in a second version at its own key.
#[test]
fn a_forged_version_of_the_held_summary_is_refused() {
    let mut world = committed(RollupVerdict::HoldRemediate, PhaseVerdict::HoldM3);
    let honest = world.closures["M3.D"].clone();
    assert_eq!(
        admit(
            &committed(RollupVerdict::HoldRemediate, PhaseVerdict::HoldM3),
            2,
            &world.resumed()
        )
        .outcome(),
        TaskOutcome::Admitted
    );
    world.closures.remove("M3.D");
    world.close(1, Step::OrchestratorReadiness, &[]);
    let forged = world.resumed();
    assert_ne!(world.closures["M3.D"].sha256, honest.sha256);
    let inconsistent = subjects(&world, &forged, "M3G-B1");
    assert!(inconsistent.contains(&honest.key.to_string()), "{inconsistent:?}");
    assert_eq!(subjects(&world, &forged, "M3G-B3"), [honest.key.to_string()]);
    // The true version is named: the key was overwritten all the same.
    world
        .closures
        .insert(Step::OrchestratorReadiness.into(), honest.clone());
    let named = world.resumed();
    let world = committed(RollupVerdict::HoldRemediate, PhaseVerdict::HoldM3);
    world.store.seed(EVIDENCE, honest.key.as_str(), "{}");
    assert_eq!(refused(&world, &named), ["M3G-B3"]);
    assert_eq!(subjects(&world, &named, "M3G-B3"), [honest.key.to_string()]);
}

/// Below the held summary too: a link of the chain is the one that was committed, or the chain is refused.
#[test]
fn a_link_that_was_not_committed_is_named() {
    let mut world = committed(RollupVerdict::HoldRemediate, PhaseVerdict::HoldM3);
    let link = world.closures["M3.C"].key.to_string();
    world.close(1, Step::ConfigDigest, &[]);
    world.close(1, Step::OrchestratorReadiness, &machine_down());
    let forged = world.resumed();
    let inconsistent = subjects(&world, &forged, "M3G-B1");
    assert!(inconsistent.contains(&link), "{inconsistent:?}");
}

/// A squatted summary of a step that the holder never reached is not its last one.
#[test]
fn what_a_committed_summary_does_not_name_is_not_the_last() {
    let mut world = committed(RollupVerdict::HoldRemediate, PhaseVerdict::HoldM3);
    let honest = world.resumed();
    world.close(1, Step::RunPublication, &[]);
    let squatted = world.rerun(Step::RunPublication);
    assert!(refused(&world, &squatted).contains(&"M3G-B1"));
    assert_eq!(admit(&world, 3, &honest).outcome(), TaskOutcome::Admitted);
}

/// Whatever the chain names is written once: run evidence, artifacts, summaries, the committed phase summary.
#[test]
fn an_overwritten_or_deleted_object_of_the_chain_is_refused() {
    let world = World::held_at(Step::CostEnvelope, &[]);
    let root = world.run.platform_run_id.run_root();
    let keys: Vec<String> = world
        .store
        .dump(EVIDENCE)
        .into_keys()
        .filter(|key| !key.contains("/ledger/"))
        .collect();
    assert!(keys.contains(&format!("{root}run.json")) && keys.len() > 10, "{keys:?}");
    for key in keys {
        for hide in [false, true] {
            let world = World::held_at(Step::CostEnvelope, &[]);
            world.touch(&key, hide);
            let input = world.rerun(Step::CostEnvelope);
            assert!(refused(&world, &input).contains(&"M3G-B3"), "{key}");
            assert_eq!(subjects(&world, &input, "M3G-B3"), std::slice::from_ref(&key));
        }
    }
    let world = committed(RollupVerdict::HoldRemediate, PhaseVerdict::HoldM3);
    let mut keys = world.store.dump(EVIDENCE).into_keys();
    let committed = keys.find(|key| key.ends_with("/m3_execution_summary.json")).unwrap();
    world.store.seed(EVIDENCE, &committed, "{}");
    let input = world.resumed();
    assert_eq!(refused(&world, &input), ["M3G-B3"]);
    assert_eq!(subjects(&world, &input, "M3G-B3"), [committed]);
}

/// A record with a history is no legal ledger, and nothing is written to it: a committed hold behind a delete marker stays.
#[test]
fn a_ledger_record_is_never_written_again_behind_a_delete_marker() {
    for (sequence, hide) in [(1, false), (2, false), (1, true), (2, true)] {
        let world = committed(RollupVerdict::HoldRemediate, PhaseVerdict::HoldM3);
        let key = world.run.platform_run_id.ledger_key(sequence);
        world.touch(&key, hide);
        let input = world.resumed();
        assert!(refused(&world, &input).contains(&"M3D-B4"), "{key}");
        assert_eq!(subjects(&world, &input, "M3D-B4"), ["ledger"]);
        assert_eq!(
            world.store.dump(EVIDENCE).contains_key(&key),
            !hide,
            "{key} was written again"
        );
    }
}

/// Whoever writes a thousand records of executions that never were keeps nobody from going on for more than a day, and is no
/// holder. Within the day Step Functions may not know an execution yet.
#[test]
fn ghosts_of_this_machine_hold_nothing_and_those_of_another_are_no_records() {
    let world = held();
    let run = &world.run.platform_run_id;
    let ghost = |sequence: u32, machine: &str, began: Stamp| {
        let arn = format!("arn:aws:states:eu-west-2:123456789012:execution:{machine}:ghost-{sequence}");
        LedgerRecord::acquired(run, sequence, &arn.parse().unwrap(), began)
    };
    let long_ago = Stamp::parse_compact("20261101T120000Z").unwrap();
    for sequence in 2..1_100 {
        world.ledger(&ghost(sequence, "orchestrator", long_ago));
    }
    let result = admit(&world, 2, &world.resumed());
    assert_eq!(
        (result.outcome(), ledger_records(&world)),
        (TaskOutcome::Admitted, 1_100)
    );
    let summary = world.artifact(&result, "m3g_admission_summary");
    let records = summary["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|input| input["key"].as_str().unwrap().contains("/ledger/"));
    assert_eq!(records.count(), 64);
    let world = held();
    world.ledger(&ghost(2, "orchestrator", stamp(1)));
    let input = world.resumed();
    let fault = world.call(2, Mode::Admission, &Closures::new(), &input).unwrap_err();
    assert_eq!(fault.name(), "Transient", "{fault}");
    let world = held();
    world.ledger(&ghost(2, "another", long_ago));
    assert_eq!(refused(&world, &world.resumed()), ["M3D-B4"]);
}

#[test]
fn drift_needs_a_new_run() {
    let changes: [&[(&str, &str)]; 5] = [
        // Read by M3.A alone.
        &[("ROLE_TERRAFORM_APPLY_DEV_FULL", "\"other\"")],
        // Part of the digest, and so of the scenario.
        &[("ORACLE_ENGINE_RUN_ID", "\"other\"")],
        &[("ORACLE_SOURCE_NAMESPACE", "\"TO_PIN\"")],
        // Not part of the digest, but M3.B found its manifests with it.
        &[("S3_STREAM_VIEW_MANIFEST_KEY_PATTERN", "\"other\"")],
        &[("SCENARIO_EQUIVALENCE_KEY_CANONICAL_FIELDS", "\"config_digest\"")],
    ];
    for change in changes {
        let world = held();
        world.repin(change);
        assert_eq!(refused(&world, &world.resumed()), ["M3G-B2"], "{change:?}");
    }
    let world = held();
    world.store.seed(ARTIFACTS, REGISTRY_KEY, "nothing is declared here");
    assert_eq!(refused(&world, &world.resumed()), ["M3G-B2"]);
    let world = held();
    world.store.deny(ARTIFACTS, REGISTRY_KEY);
    assert_eq!(refused(&world, &world.resumed()), ["M3G-B2"]);
}

/// A registry that a start would refuse is not pinned for the steps to come either.
#[test]
fn a_registry_that_a_start_would_refuse_is_refused() {
    let planted = |more: &str| {
        let world = held();
        world
            .store
            .seed(ARTIFACTS, REGISTRY_KEY, format!("{}{more}", registry_text(&[])));
        world
    };
    for (more, code) in [
        ("\nkey AKIAIOSFODNN7EXAMPLE\n", "M3A-B8"),
        ("* `SOMEBODYS = 1`\n* `SOMEBODYS = 2`\n", "M3A-B6"),
    ] {
        let world = planted(more);
        assert_eq!(refused(&world, &world.resumed()), [code]);
    }
    // Read by no step that has closed, and so no drift.
    let world = held();
    world.repin(&[("SFN_PLATFORM_RUN_ORCHESTRATOR_V0", "\"another\"")]);
    let codes = refused(&world, &world.resumed());
    assert!(codes == ["M3A-B6"] || codes == ["M3G-B2"], "{codes:?}");
}

#[test]
fn the_seed_must_give_the_run() {
    let mut world = World::empty();
    world.acquire(1, 1);
    world.seed.oracle_input_manifest_sha256 = Sha256Hex::of(b"another manifest");
    for step in Step::OrchestratorReadiness.before() {
        world.close(1, step, &[]);
    }
    assert_eq!(refused(&world, &world.rerun(Step::ConfigDigest)), ["M3G-B2"]);
}

#[test]
fn a_mended_handle_of_a_step_to_come_is_no_drift() {
    let world = held();
    world.repin(&[
        ("ROLE_STEP_FUNCTIONS_ORCHESTRATOR", "\"arn:mended\""),
        ("CORRELATION_REQUIRED_FIELDS", "\"a,b\""),
    ]);
    assert_eq!(admit(&world, 2, &world.resumed()).outcome(), TaskOutcome::Admitted);
}

#[test]
fn the_reset_receipt_must_keep_the_rules() {
    let input = held().resumed();
    for (field, value, code) in [
        ("class", "No Class", "M3G-B4"),
        ("actor", "", "M3G-B5"),
        ("class", "network_reset", "M3G-B6"),
        // What a hold offers is not filled in, and is refused by name.
        ("actor", "TO_FILL: say it", "M3G-B5"),
        ("at_utc", "TO_FILL: say it", "M3G-B5"),
    ] {
        let other = with(input.clone(), &format!("/resume/reset/{field}"), json!(value));
        assert_eq!(refused(&held(), &other), [code], "{field}: {value}");
    }
    let mut approved = with(input.clone(), "/resume/reset/class", json!("network_reset"));
    approved["resume"]["reset"]["approval"] = json!({ "who": "the owner", "blocker": "M3D-B2" });
    let world = held();
    assert_eq!(admit(&world, 2, &approved).outcome(), TaskOutcome::Admitted);
    // A secret in the receipt: nothing is acquired for what could not be published.
    let world = held();
    let key = "AKIAIOSFODNN7EXAMPLE";
    let secret = with(input.clone(), "/resume/reset/reason", json!(format!("key {key}")));
    assert_eq!(refused(&world, &secret), ["M3G-B7"]);
    for (at, bytes) in world.store.dump(EVIDENCE) {
        assert!(!String::from_utf8_lossy(&bytes).contains(key), "{at}");
    }
    let mut without = input;
    without["resume"]["reset"].as_object_mut().unwrap().remove("at_utc");
    assert_eq!(refused(&held(), &without), ["M3G-B5"]);
}

#[test]
fn a_holder_that_is_not_known_yet_is_a_fault() {
    let mut world = held();
    world.unknown.push(execution(1));
    let input = world.resumed();
    let before = ledger_records(&world);
    let fault = world.call(2, Mode::Admission, &Closures::new(), &input).unwrap_err();
    assert_eq!(fault.name(), "Transient", "{fault}");
    assert_eq!(ledger_records(&world), before);
    world.unknown.clear();
    assert_eq!(admit(&world, 2, &input).outcome(), TaskOutcome::Admitted);
}

#[test]
fn a_run_that_is_being_worked_on_is_left_alone() {
    let mut world = held();
    world.running.push(execution(3));
    world.acquire(2, 3);
    assert_eq!(refused(&world, &world.resumed()), ["M3D-B4"]);
    // What it has published so far does not count: it has not ended.
    let input = world.resumed();
    world.close(3, Step::OrchestratorReadiness, &[]);
    let result = admit(&world, 4, &input);
    assert_eq!(result_codes(&result), ["M3D-B4"]);

    let world = committed(RollupVerdict::AdvanceToM3J, PhaseVerdict::AdvanceToM4);
    assert_eq!(refused(&world, &world.resumed()), ["M3D-B4"]);
}

#[test]
fn a_ledger_that_is_none_is_not_written_to() {
    let world = held();
    world
        .store
        .seed(EVIDENCE, &world.run.platform_run_id.ledger_key(2), "{}");
    assert_eq!(refused(&world, &world.resumed()), ["M3D-B4"]);
}

#[test]
fn all_faults_are_reported_at_once() {
    let world = held();
    world.repin(&[("ORACLE_ENGINE_RUN_ID", "\"other\"")]);
    let input = with(world.rerun(Step::ConfigDigest), "/resume/reset", json!({}));
    assert_eq!(refused(&world, &input), ["M3G-B1", "M3G-B2", "M3G-B5"]);
}
