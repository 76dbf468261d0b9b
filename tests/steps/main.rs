//! The steps' logic on a store in memory: the valid chain, its determinism, and one change a blocker.
// The future of a test holds those of a whole chain of steps.
#![recursion_limit = "256"]
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod blockers;
mod input_forms;
mod phase_entry;
mod two_doors;

use p1_audit::EvidenceSet;
use p1_audit::scenario_index::expected;
use p1_contract::canonical;
use p1_contract::ids::Environment;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use p1_tests::world::{EVIDENCE, World, signer};
use serde_json::json;

#[tokio::test]
async fn the_valid_chain_passes_and_pins_the_run() {
    let mut world = World::new();
    world.up_to(Step::PhaseVerdict).await;
    let result = world.run(Step::PhaseVerdict).await;
    assert_eq!(
        result.verdict(),
        Some(PhaseVerdict::AdvanceToM4),
        "{}",
        world.blockers(&result)
    );
    assert_eq!(result.committed(), Some(true));
    let objects = world.store.dump(EVIDENCE);
    let run = "evidence/runs/platform_20260223T174307Z/";
    for key in [
        "run.json",
        "run_pin/run_header.json",
        "ledger/000001.json",
        "ledger/000002.json",
    ] {
        assert!(objects.contains_key(&format!("{run}{key}")), "{key}");
    }
    assert!(
        objects
            .keys()
            .any(|key| key.ends_with("/m4_entry_readiness_receipt.json"))
    );
}

/// What M3.J lists below the scenario follows from the evidence, for whoever has it.
#[tokio::test]
async fn the_entry_of_the_scenario_index_follows_from_the_evidence() {
    let mut world = World::new();
    world.up_to(Step::PhaseVerdict).await;
    world.run(Step::PhaseVerdict).await;
    let objects = world.store.dump(EVIDENCE);
    let (index, evidence): (Vec<_>, Vec<_>) = objects.into_iter().partition(|(key, _)| key.contains("/index/"));
    let entry = expected(&EvidenceSet::from_mirror(evidence.clone(), [])).unwrap();
    let bytes = canonical::document_of(&entry).unwrap();
    assert_eq!(index, [(entry.key(&Environment::default()), bytes)]);
    assert_eq!(entry.run_evidence.len(), 3);
    // Where a part of it is missing, nothing follows.
    for missing in [
        "/m3_execution_summary.json",
        "/m3e_execution_summary.json",
        "/m3f_execution_summary.json",
        "/ledger/000002.json",
    ] {
        let lacking = evidence.iter().filter(|(key, _)| !key.ends_with(missing)).cloned();
        assert_eq!(expected(&EvidenceSet::from_mirror(lacking, [])), None, "{missing}");
    }
}

#[tokio::test]
async fn invoked_again_every_step_gives_the_same_result_and_the_same_bytes() {
    let mut world = World::new();
    world.signer = signer(1);
    for step in Step::ALL {
        let first = world.run(step).await;
        let objects = world.store.dump(EVIDENCE);
        let second = world.again(step).await;
        assert_eq!(first, second, "{step}");
        assert_eq!(objects, world.store.dump(EVIDENCE), "{step}");
    }
}

#[tokio::test]
async fn a_retry_adopts_its_observations_and_asks_nothing_again() {
    let mut world = World::new();
    let first = world.run(Step::HandleClosure).await;
    // The world changes; the observations stay.
    world.machines.clear();
    world.edit_registry("CONFIG_DIGEST_ALGO = \"sha256\"", "CONFIG_DIGEST_ALGO = \"TO_PIN\"");
    assert_eq!(first, world.again(Step::HandleClosure).await);
}

#[tokio::test]
async fn a_second_execution_of_the_same_inputs_has_the_same_digest_and_scenario() {
    let mut first = World::new();
    first.up_to(Step::OrchestratorReadiness).await;
    let digest = first.run(Step::OrchestratorReadiness).await.run;
    let mut second = World::new();
    second.execution = second.execution.replace("run-1", "run-2");
    second.start_time = "2026-02-24T00:00:00Z".to_owned();
    second.up_to(Step::OrchestratorReadiness).await;
    let again = second.run(Step::OrchestratorReadiness).await.run;
    assert_eq!(
        (&digest.config_digest, &digest.scenario_run_id),
        (&again.config_digest, &again.scenario_run_id)
    );
    assert_ne!(digest.platform_run_id, again.platform_run_id);
}

/// The execution's name stands in all of its evidence, where it is never redacted: nothing is reserved for one that looks like a
/// secret.
#[tokio::test]
async fn an_execution_whose_name_looks_like_a_secret_is_refused_before_anything_is_reserved() {
    let mut world = World::new();
    let before = world.store.dump(EVIDENCE);
    for name in ["AKIAIOSFODNN7EXAMPLE", "run-AKIAIOSFODNN7EXAMPLE-1"] {
        world.execution = format!(
            "{}:{name}",
            p1_tests::world::MACHINE.replace(":stateMachine:", ":execution:")
        );
        let fault = world.try_step(&m3a_handle_closure::HandleClosure).await.unwrap_err();
        assert_eq!(fault.name(), "InvalidInput", "{fault}");
        let words = fault.to_string();
        assert!(
            words.contains("context.Execution.Id") && !words.contains("AKIA"),
            "{words}"
        );
        world.input = json!({"resume": {
            "held": {"key": format!("evidence/dev_full/run_control/m3f_20260223T061612Z_{}/m3f_execution_summary.json", "0".repeat(12)),
                     "version_id": "v", "sha256": "0".repeat(64)},
            "reset": {"actor": "a", "reason": "r", "class": "checkpoint_reset", "scope": "s"},
        }});
        let payload = world
            .payload(Step::RerunDiscipline, p1_contract::request::Mode::Admission)
            .to_string();
        let fault = m3g_rerun_discipline::handle(&world.harness(), payload.as_bytes())
            .await
            .unwrap_err();
        assert_eq!(fault.name(), "InvalidInput", "{fault}");
        world.input = json!({"m2_handoff": {"key": p1_tests::world::RECEIPT}});
    }
    assert_eq!(world.store.dump(EVIDENCE), before);
}

/// Record 1 of a ledger was written and deleted: whoever had that id has it still, and the record is not written again.
#[tokio::test]
async fn an_id_whose_first_record_was_deleted_is_not_reserved_again() {
    let mut world = World::new();
    let record = "evidence/runs/platform_20260223T174307Z/ledger/000001.json";
    world.store.seed(p1_tests::world::EVIDENCE, record, "whatever it was");
    world.store.delete(p1_tests::world::EVIDENCE, record);
    world.run(Step::HandleClosure).await;
    let identity = world.run(Step::RunIdentity).await;
    assert_eq!(
        identity.run.platform_run_id.unwrap().as_str(),
        "platform_20260223T174307Z_01"
    );
    assert!(!world.store.dump(p1_tests::world::EVIDENCE).contains_key(record));
}

/// A later phase, or a squatter, may write objects of any name below a run's root.
#[tokio::test]
async fn foreign_objects_below_a_runs_root_fault_no_step() {
    let mut world = World::new();
    world.run(Step::HandleClosure).await;
    world.run(Step::RunIdentity).await;
    let root = "evidence/runs/platform_20260223T174307Z/";
    for odd in [
        "",
        "m4/",
        "m4//x",
        "m4/../x",
        "m4/\u{1}\n",
        ".DS_Store",
        "run.json/",
        "ledger/",
    ] {
        world
            .store
            .seed(p1_tests::world::EVIDENCE, &format!("{root}{odd}"), "foreign");
    }
    for number in 0..10_000 {
        world
            .store
            .seed(p1_tests::world::EVIDENCE, &format!("{root}a/{number}"), "foreign");
    }
    for step in Step::ALL.into_iter().skip(2) {
        let result = world.run(step).await;
        assert!(result.overall_pass, "{step}: {}", world.blockers(&result));
    }
    let run_control = "evidence/dev_full/run_control/";
    let largest = world
        .store
        .dump(p1_tests::world::EVIDENCE)
        .into_iter()
        .filter(|(key, _)| key.starts_with(run_control));
    assert!(largest.map(|(_, bytes)| bytes.len()).max().unwrap() < 100_000);
}

/// Before the run had its root, odd keys there are a collision, named as one.
#[tokio::test]
async fn a_squatted_root_is_a_collision_whatever_its_keys_are() {
    for odd in ["", "x/", "x//y", "..", "\u{1}"] {
        let mut world = World::new();
        let key = format!("evidence/runs/platform_20260223T174307Z/{odd}");
        world.store.seed(p1_tests::world::EVIDENCE, &key, "foreign");
        world.run(Step::HandleClosure).await;
        let identity = world.run(Step::RunIdentity).await;
        let run = identity.run.platform_run_id.unwrap();
        assert_eq!(run.as_str(), "platform_20260223T174307Z_01", "{odd:?}");
    }
}

#[tokio::test]
async fn two_executions_of_one_second_get_two_run_ids() {
    let mut world = World::new();
    world.up_to(Step::ConfigDigest).await;
    world.execution = world.execution.replace("run-1", "run-2");
    world.closures.clear();
    world.run(Step::HandleClosure).await;
    let result = world.run(Step::RunIdentity).await;
    assert!(result.overall_pass);
    assert_eq!(
        result.run.platform_run_id.unwrap().to_string(),
        "platform_20260223T174307Z_01"
    );
}

/// A summary says what was scanned for secrets: every document of the step, and how many secrets were taken out.
#[tokio::test]
async fn a_summary_says_what_was_scanned_for_secrets() {
    let mut world = World::new();
    let mark = "* `ENV_NAME = \"dev_full\"`";
    let clean = world.run(Step::HandleClosure).await;
    let clean = world.summary(&clean)["secret_scan"].clone();
    let mut world = World::new();
    world.edit_registry(mark, &format!("{mark}\n* `STRAY = \"AKIAIOSFODNN7EXAMPLE\"`"));
    let held = world.run(Step::HandleClosure).await;
    let held = world.summary(&held)["secret_scan"].clone();
    assert_eq!(
        (&clean["rules_version"], &clean["documents"], &clean["hits"]),
        (&json!(1), &json!(4), &json!(0))
    );
    assert_eq!((&held["documents"], &held["hits"]), (&json!(4), &json!(1)), "{held}");
    assert!(clean["strings"].as_u64() > Some(100), "{clean}");
}
