//! The refusals of an admission: one thing broken at a time.

use p1_contract::artifacts::{CommitPosture, PhaseSummary};
use p1_contract::blocker::Blocker;
use p1_contract::request::TaskOutcome;
use p1_contract::verdict::{PhaseVerdict, RollupVerdict};

use super::admission::{admit, held, ledger_records};
use super::*;

/// The codes of a refusal, which lists no closures and acquires nothing.
#[track_caller]
pub(super) fn refused(world: &World, input: &Value) -> Vec<&'static str> {
    let before = ledger_records(world);
    let result = admit(world, 2, input);
    assert_eq!(result.outcome, TaskOutcome::Refused, "{result:?}");
    assert_eq!(
        (&result.closures, &result.resume_at, &result.only),
        (&None, &None, &None)
    );
    assert_eq!(ledger_records(world), before);
    let receipt = world.artifact(&result, "m3g_admission_receipt");
    assert_eq!(
        (&receipt["admitted"], &receipt["ledger_sequence"]),
        (&json!(false), &Value::Null)
    );
    result_codes(&result)
}

fn with(mut input: Value, pointer: &str, value: Value) -> Value {
    *input.pointer_mut(pointer).unwrap() = value;
    input
}

#[test]
fn the_held_summary_must_be_there_and_the_last() {
    let world = held();
    let input = world.rerun(Step::OrchestratorReadiness);
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
    assert_eq!(refused(&world, &input), ["M3G-B1"]);
}

#[test]
fn the_chain_must_still_have_its_bytes() {
    for key in ["M3.A", "M3.B"] {
        let world = held();
        world.store.deny(EVIDENCE, world.closures[key].key.as_str());
        assert_eq!(
            refused(&world, &world.rerun(Step::OrchestratorReadiness)),
            ["M3G-B1"],
            "{key}"
        );
    }
    let world = held();
    let seed = key_in(&world.closures["M3.B"].phase_execution_id, "m3b_run_identity_seed.json").unwrap();
    world.store.deny(EVIDENCE, seed.as_str());
    assert_eq!(refused(&world, &world.rerun(Step::OrchestratorReadiness)), ["M3G-B1"]);
    // A chain that lacks a step.
    let mut world = World::held_at(Step::ConfigDigest, &[]);
    world.closures.remove("M3.C");
    world.close(
        1,
        Step::OrchestratorReadiness,
        &[Blocker::StateMachineUnavailable.on("machine", "is DELETING")],
    );
    assert_eq!(refused(&world, &world.rerun(Step::OrchestratorReadiness)), ["M3G-B1"]);
    // A chain of two runs.
    let mut world = World::held_at(Step::ConfigDigest, &[]);
    world.run.scenario_run_id = "scenario_00000000000000000000000000000000".parse().unwrap();
    world.close(1, Step::OrchestratorReadiness, &[]);
    assert_eq!(refused(&world, &world.rerun(Step::OrchestratorReadiness)), ["M3G-B1"]);
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
    assert_eq!(refused(&world, &world.rerun(Step::OrchestratorReadiness)), ["M3G-B1"]);

    let world = committed(RollupVerdict::NoGoResetRequired, PhaseVerdict::HoldM3);
    assert_eq!(refused(&world, &world.rerun(Step::OrchestratorReadiness)), ["M3G-B1"]);
    let world = committed(RollupVerdict::HoldRemediate, PhaseVerdict::HoldM3);
    let result = admit(&world, 2, &world.rerun(Step::OrchestratorReadiness));
    assert_eq!((result.outcome, ledger_records(&world)), (TaskOutcome::Admitted, 3));
}

/// A held run whose verdict is committed.
fn committed(adjudication: RollupVerdict, verdict: PhaseVerdict) -> World {
    let world = held();
    let summary = PhaseSummary {
        verdict,
        adjudication: Some(adjudication),
        commit: CommitPosture::ToBeCommitted,
        execution_stamp_utc: stamp(1),
        closures: Vec::new(),
        not_reached: Vec::new(),
        unresolved_blockers: Vec::new(),
        completion_checklist: Vec::new(),
        next_action: None,
        overall_pass: false,
    };
    let id = PhaseExecutionId::derive("m3j", stamp(1), execution(1).as_str(), "M3.J");
    let key = key_in(&id, "m3_execution_summary.json").unwrap();
    let summary = world.document(Step::PhaseVerdict, Some(&id), key.as_str(), summary);
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
        assert_eq!(
            refused(&world, &world.rerun(Step::OrchestratorReadiness)),
            ["M3G-B2"],
            "{change:?}"
        );
    }
    let world = held();
    world.store.seed(ARTIFACTS, REGISTRY_KEY, "nothing is declared here");
    assert_eq!(refused(&world, &world.rerun(Step::OrchestratorReadiness)), ["M3G-B2"]);
    let world = held();
    world.store.deny(ARTIFACTS, REGISTRY_KEY);
    assert_eq!(refused(&world, &world.rerun(Step::OrchestratorReadiness)), ["M3G-B2"]);
}

#[test]
fn the_seed_must_give_the_run() {
    let mut world = World::empty();
    world.ledger(&LedgerRecord::acquired(
        &world.run.platform_run_id,
        1,
        &execution(1),
        stamp(1),
    ));
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
    assert_eq!(
        admit(&world, 2, &world.rerun(Step::OrchestratorReadiness)).outcome,
        TaskOutcome::Admitted
    );
}

#[test]
fn the_reset_receipt_must_keep_the_rules() {
    let world = held();
    let input = world.rerun(Step::OrchestratorReadiness);
    assert_eq!(
        refused(&world, &with(input.clone(), "/resume/reset/class", json!("No Class"))),
        ["M3G-B4"]
    );
    let world = held();
    assert_eq!(
        refused(&world, &with(input.clone(), "/resume/reset/actor", json!(""))),
        ["M3G-B5"]
    );
    let world = held();
    let unapproved = with(input.clone(), "/resume/reset/class", json!("network_reset"));
    assert_eq!(refused(&world, &unapproved), ["M3G-B6"]);
    let mut approved = unapproved;
    approved["resume"]["reset"]["approval"] = json!({ "who": "the owner", "blocker": "M3D-B2" });
    let world = held();
    assert_eq!(admit(&world, 2, &approved).outcome, TaskOutcome::Admitted);
    // A secret in the receipt: nothing is acquired for what could not be published.
    let world = held();
    let secret = with(input, "/resume/reset/reason", json!("key AKIAIOSFODNN7EXAMPLE"));
    assert_eq!(refused(&world, &secret), ["M3G-B7"]);
}

#[test]
fn a_holder_that_is_not_known_yet_is_a_fault() {
    let mut world = held();
    world.unknown.push(execution(1));
    let input = world.rerun(Step::OrchestratorReadiness);
    let before = ledger_records(&world);
    let fault = world.call(2, Mode::Admission, &Closures::new(), &input).unwrap_err();
    assert_eq!(fault.name(), "Transient", "{fault}");
    assert_eq!(ledger_records(&world), before);
    world.unknown.clear();
    assert_eq!(admit(&world, 2, &input).outcome, TaskOutcome::Admitted);
}

#[test]
fn a_run_that_is_being_worked_on_is_left_alone() {
    let mut world = held();
    world.running.push(execution(3));
    world.ledger(&LedgerRecord::acquired(
        &world.run.platform_run_id,
        2,
        &execution(3),
        stamp(3),
    ));
    assert_eq!(refused(&world, &world.rerun(Step::OrchestratorReadiness)), ["M3D-B4"]);
    // What it has published so far does not count: it has not ended.
    let input = world.rerun(Step::OrchestratorReadiness);
    world.close(3, Step::OrchestratorReadiness, &[]);
    let result = admit(&world, 4, &input);
    assert_eq!(result_codes(&result), ["M3D-B4"]);

    let world = committed(RollupVerdict::AdvanceToM3J, PhaseVerdict::AdvanceToM4);
    assert_eq!(refused(&world, &world.rerun(Step::OrchestratorReadiness)), ["M3D-B4"]);
}

#[test]
fn a_ledger_that_is_none_is_not_written_to() {
    let world = held();
    world
        .store
        .seed(EVIDENCE, &world.run.platform_run_id.ledger_key(2), "{}");
    assert_eq!(refused(&world, &world.rerun(Step::OrchestratorReadiness)), ["M3D-B4"]);
}

#[test]
fn all_faults_are_reported_at_once() {
    let world = held();
    world.repin(&[("ORACLE_ENGINE_RUN_ID", "\"other\"")]);
    let input = with(world.rerun(Step::ConfigDigest), "/resume/reset", json!({}));
    assert_eq!(refused(&world, &input), ["M3G-B1", "M3G-B2", "M3G-B5"]);
}
