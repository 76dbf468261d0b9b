//! The step.

use p1_contract::artifacts::{KeyVersions, RerunAdmissionReceipt};
use p1_contract::input::ResetReceipt;
use p1_contract::observations::Learned;
use p1_contract::observations::rerun_discipline::{Observed, RunDocument};
use p1_contract::request::StepInput;
use p1_runtime::StepLogic;

use super::*;
use crate::RerunDiscipline;

/// A run that has passed M3.A … M3.F.
fn published() -> World {
    World::held_at(Step::M4Handoff, &[])
}

fn step(world: &World) -> StepResult {
    world.call(1, Mode::Step, &world.closures, &operator_start()).unwrap()
}

/// Input and observations of the clean step; of a rerun that was admitted where `rerun`.
fn example(rerun: bool) -> (StepInput, Observed) {
    let mut world = published();
    let (n, input) = if rerun {
        (2, world.rerun(Step::M4Handoff))
    } else {
        (1, operator_start())
    };
    if rerun {
        let admitted = world.call(2, Mode::Admission, &Closures::new(), &input).unwrap();
        world.closures = admitted.admitted().unwrap().closures.clone();
    }
    let result = world.call(n, Mode::Step, &world.closures, &input).unwrap();
    assert_eq!(result_codes(&result), [] as [&str; 0]);
    let observed = world.artifact(&result, "m3g_observations")["observed"].clone();
    let (input, _) = StepInput::parse(payload(n, Mode::Step, &world.closures, &input)).unwrap();
    (input, serde_json::from_value(observed).unwrap())
}

fn evaluate(rerun: bool, doctor: impl FnOnce(&mut Observed)) -> Vec<&'static str> {
    let (input, mut observed) = example(rerun);
    doctor(&mut observed);
    wire_codes(&RerunDiscipline.evaluate(&input, &observed).unwrap().findings)
}

#[test]
fn an_untouched_run_passes() {
    let world = published();
    let result = step(&world);
    assert_eq!(
        (result_codes(&result), result.next_gate.as_str()),
        (vec![], "M3.G_READY")
    );
    assert_eq!(result.run, RunIds::from(world.run.clone()));
    let snapshot = world.artifact(&result, "m3g_rerun_reset_policy_snapshot");
    assert_eq!(snapshot["overall_pass"], true);
    assert_eq!(snapshot["rerun"], false);
    assert_eq!(snapshot["identity_drift_policy"], "new_platform_run_id_required");
    let guard = world.artifact(&result, "m3g_prohibited_mutation_guard_receipts");
    assert_eq!(guard["guard_pass"], true);
    assert_eq!(guard["keys"].as_array().unwrap().len(), 3);
    let matrix = world.artifact(&result, "m3g_reset_class_matrix");
    assert_eq!(matrix["classes"].as_array().unwrap().len(), 4);
    assert_eq!(evaluate(false, |_| {}), [] as [&str; 0]);
    assert_eq!(evaluate(true, |_| {}), [] as [&str; 0]);
}

#[test]
fn every_document_carries_the_triplet() {
    let others: [fn(&mut RunIds); 4] = [
        |ids| ids.platform_run_id = PlatformRunId::mint(stamp(9), 0),
        |ids| ids.scenario_run_id = None,
        |ids| ids.config_digest = Some(Sha256Hex::of(b"other")),
        |ids| *ids = RunIds::default(),
    ];
    for at in 0..3 {
        for other in others {
            let doctor = |observed: &mut Observed| {
                let RunDocument {
                    run: Learned::Found(ids),
                    ..
                } = &mut observed.documents[at]
                else {
                    panic!("{at}")
                };
                other(ids);
            };
            assert_eq!(evaluate(false, doctor), ["M3G-B2"]);
        }
    }
    let world = published();
    world
        .store
        .deny(EVIDENCE, &format!("{}run.json", world.run.platform_run_id.run_root()));
    assert_eq!(result_codes(&step(&world)), ["M3G-B2"]);
}

#[test]
fn todays_registry_gives_the_digest() {
    let changes = [
        ("ORACLE_ENGINE_RUN_ID", "\"other\""),
        ("ORACLE_ENGINE_RUN_ID", "\"TO_PIN\""),
        ("ORACLE_SORT_KEY_BY_OUTPUT_ID", "[1]"),
    ];
    for change in changes {
        let world = published();
        world.repin(&[change]);
        assert_eq!(result_codes(&step(&world)), ["M3G-B2"], "{change:?}");
    }
    let world = published();
    world.repin(&[("ORACLE_SORT_KEY_BY_OUTPUT_ID", r#"{"a":"ts","b":"ts","d":"ts"}"#)]);
    assert_eq!(
        result_codes(&step(&world)),
        [] as [&str; 0],
        "the sort key of an output that is not required"
    );
    let world = published();
    world.store.seed(ARTIFACTS, REGISTRY_KEY, "no handles");
    assert_eq!(result_codes(&step(&world)), ["M3G-B2"]);
    let world = published();
    world.store.deny(ARTIFACTS, REGISTRY_KEY);
    assert_eq!(result_codes(&step(&world)), ["M3G-B2"]);
}

#[test]
fn every_key_has_one_version() {
    let world = published();
    let key = format!("{}run.json", world.run.platform_run_id.run_root());
    world.store.seed(EVIDENCE, &key, "{}");
    assert_eq!(
        result_codes(&step(&world)),
        ["M3G-B3"],
        "the version that the closure names is read, and is intact"
    );
    let marker = |observed: &mut Observed| {
        let key: &mut KeyVersions = &mut observed.keys[0];
        (key.versions, key.delete_markers) = (1, 1);
    };
    assert_eq!(evaluate(false, marker), ["M3G-B3"]);
    assert_eq!(evaluate(false, |observed| observed.keys[0].versions = 0), ["M3G-B3"]);
}

/// Later phases write below the run's root, and may overwrite what is theirs; any text may be the key of an object there.
#[test]
fn the_guard_looks_at_the_keys_of_p1_alone() {
    let world = published();
    let root = world.run.platform_run_id.run_root();
    for foreign in [
        "m4/state.json",
        "run.json.bak",
        "run.json/",
        "a//b",
        "../x",
        "m4/\u{1}",
        "ledger/",
    ] {
        let key = format!("{root}{foreign}");
        world.store.seed(EVIDENCE, &key, "theirs");
        world.store.seed(EVIDENCE, &key, "theirs, again");
        world.store.delete(EVIDENCE, &key);
    }
    let result = step(&world);
    assert_eq!(result_codes(&result), [] as [&str; 0]);
    let guard = world.artifact(&result, "m3g_prohibited_mutation_guard_receipts");
    let keys = guard["keys"].as_array().unwrap().iter();
    let keys: Vec<&str> = keys.map(|key| key["key"].as_str().unwrap()).collect();
    let own = ["ledger/000001.json", "run.json", "run_pin/run_header.json"].map(|key| format!("{root}{key}"));
    assert_eq!(keys, own);
    for hidden in &own {
        let world = published();
        world.store.delete(EVIDENCE, hidden);
        let result = step(&world);
        assert_eq!(result_codes(&result), ["M3G-B3"]);
        let summary = world.artifact(&result, "m3g_execution_summary");
        assert_eq!(summary["blockers"][0]["subject"], json!(hidden));
    }
}

#[test]
fn a_rerun_is_the_one_that_was_admitted() {
    assert_eq!(evaluate(true, |observed| observed.admission = None), ["M3G-B1"]);
    assert_eq!(
        evaluate(true, |observed| observed.admission =
            Some(Learned::Problem("is gone".to_owned()))),
        ["M3G-B1"]
    );
    let (_, admitted) = example(true);
    assert_eq!(
        evaluate(false, |observed| observed.admission = admitted.admission),
        ["M3G-B1"]
    );

    type Change = fn(&mut RerunAdmissionReceipt);
    let changes: [(Change, &[&str]); 7] = [
        (|receipt| receipt.admitted = false, &["M3G-B1"]),
        (|receipt| receipt.only = true, &["M3G-B1"]),
        (|receipt| receipt.held.sha256 = Sha256Hex::of(b"other"), &["M3G-B1"]),
        (|receipt| receipt.reset.scope = Some("other".to_owned()), &["M3G-B1"]),
        // A receipt that breaks the rules is not the one of the input either.
        (
            |receipt| receipt.reset.class = Some("No Class".to_owned()),
            &["M3G-B1", "M3G-B4"],
        ),
        (|receipt| receipt.reset = ResetReceipt::default(), &["M3G-B1", "M3G-B5"]),
        (
            |receipt| receipt.reset.class = Some("network_reset".to_owned()),
            &["M3G-B1", "M3G-B6"],
        ),
    ];
    for (number, (change, codes)) in changes.into_iter().enumerate() {
        let doctor = |observed: &mut Observed| {
            let Some(Learned::Found(receipt)) = &mut observed.admission else {
                panic!("no receipt")
            };
            change(receipt);
        };
        assert_eq!(evaluate(true, doctor), codes, "{number}");
    }
}

#[test]
fn an_occupied_artifact_is_the_publish_blocker() {
    let world = published();
    let id = PhaseExecutionId::derive(Step::RerunDiscipline, stamp(1), execution(1).as_str());
    world
        .store
        .seed(EVIDENCE, key_of(&id, "m3g_reset_class_matrix").as_str(), "{}");
    assert_eq!(result_codes(&step(&world)), ["M3G-B7"]);
}

#[test]
fn what_it_rests_on_must_be_there() {
    let mut world = published();
    world.closures.remove("M3.E");
    let error = world
        .call(1, Mode::Step, &world.closures, &operator_start())
        .unwrap_err();
    assert_eq!(error.name(), "InvalidInput");
    assert!(error.to_string().contains("M3.E"), "{error}");
}

#[test]
fn a_retry_gives_the_same_evidence() {
    let world = published();
    let first = step(&world);
    let stored = world.store.dump(EVIDENCE);
    world.repin(&[("ORACLE_ENGINE_RUN_ID", "\"other\"")]);
    assert_eq!(step(&world), first);
    assert_eq!(world.store.dump(EVIDENCE), stored);
}
