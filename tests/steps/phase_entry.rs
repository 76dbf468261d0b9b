//! The entry of a later phase, on runs that the real steps pinned: the valid one is admitted, and each test breaks one thing and
//! expects one code.

use m3j_phase_verdict::Signer;
use p1_contract::blocker::Blocker;
use p1_contract::canonical;
use p1_contract::request::{Conclusion, Findings, Mode, PhaseAdmitted, StepResult};
use p1_contract::step::Step;
use p1_runtime::Fault;
use p1_tests::world::{EVIDENCE, World, signer};
use serde_json::{Value, json};

const RUN: &str = "platform_20260223T174307Z";
const ROOT: &str = "evidence/runs/platform_20260223T174307Z/";

/// A pinned run, and the execution of a later phase's question about it.
async fn pinned(with: Signer) -> World {
    let mut world = World::new();
    world.signer = with;
    // Boxed: the futures of all ten steps are too large to lie on a test's stack together.
    Box::pin(world.up_to(Step::PhaseVerdict)).await;
    let result = Box::pin(world.run(Step::PhaseVerdict)).await;
    assert_eq!(result.committed(), Some(true), "{}", world.blockers(&result));
    let scenario = result.run.scenario_run_id.unwrap();
    world.input = json!({"platform_run_id": RUN, "scenario_run_id": scenario});
    world.execution = world.execution.replace("run-1", "phase-1");
    world.start_time = "2026-02-25T08:00:00Z".to_owned();
    world.closures.clear();
    world
}

async fn ask(world: &World) -> Result<StepResult, Fault> {
    let mut payload = world.payload(Step::PhaseVerdict, Mode::Entry);
    // The deployment's own key is the one that the world signs with.
    payload["context"]["State"]["Name"] = json!("Admit phase");
    let harness = world.harness();
    let request = harness.request(&serde_json::to_vec(&payload).unwrap())?;
    Box::pin(m3j_phase_verdict::run(&harness, world.signer.clone(), &request)).await
}

async fn admitted(world: &World) -> PhaseAdmitted {
    let result = ask(world).await.unwrap();
    match result.conclusion {
        Conclusion::PhaseAdmitted(admitted) => admitted,
        other => panic!("{other:?}: {}", world.summary(&ask(world).await.unwrap())["blockers"]),
    }
}

/// A run that an earlier release pinned is as pinned as any.
#[tokio::test]
async fn a_run_of_revision_1_is_admitted() {
    for (name, with) in [("advanced", signer(1)), ("advanced_unsigned", Signer::Off)] {
        let files = p1_tests::revision_1::run(name).files;
        let mut world = World::new();
        world.signer = with;
        let objects: Vec<Value> = serde_json::from_slice(&files["objects.json"]).unwrap();
        for object in &objects {
            let key = object["key"].as_str().unwrap();
            let version = object["version_id"].as_str().unwrap().to_owned();
            if key != p1_tests::world::RECEIPT {
                world.store.seed_version(EVIDENCE, key, files[key].clone(), version);
            }
        }
        let run: Value = serde_json::from_slice(&files[&format!("{ROOT}run.json")]).unwrap();
        world.input = json!({"platform_run_id": RUN, "scenario_run_id": run["scenario_run_id"]});
        world.execution = world.execution.replace("run-1", "phase-1");
        assert_eq!(
            json!(admitted(&world).await.environment),
            json!({"REQUIRED_PLATFORM_RUN_ID": RUN})
        );
    }
}

/// The codes and subjects of a refusal.
async fn refused(world: &World) -> Vec<(Blocker, String)> {
    let result = ask(world).await.unwrap();
    assert_eq!(result.conclusion, Conclusion::Refused);
    let summary = world.summary(&result);
    let findings: Vec<p1_contract::blocker::Finding> = serde_json::from_value(summary["blockers"].clone()).unwrap();
    assert_eq!(result.findings, Findings::of(findings.clone()));
    assert!(!result.findings.is_empty());
    assert_eq!(result.asked.as_ref(), Some(&world.input));
    let codes = findings.iter().map(|finding| (finding.code, finding.subject.clone()));
    codes.collect()
}

/// The key of the only object whose name ends so.
fn key(world: &World, end: &str) -> String {
    let objects = world.store.dump(EVIDENCE);
    let mut found = objects.into_keys().filter(|key| key.ends_with(end));
    let key = found.next().unwrap_or_else(|| panic!("there is no {end}"));
    assert_eq!(found.next(), None);
    key
}

/// Puts another document where one was, as if it had been written so: one version, no delete marker.
fn forge(world: &World, end: &str, change: impl FnOnce(&mut Value)) -> String {
    let key = key(world, end);
    let mut document: Value = serde_json::from_slice(&world.store.dump(EVIDENCE)[&key]).unwrap();
    change(&mut document);
    world
        .store
        .seed_anew(EVIDENCE, &key, canonical::to_document(&document).unwrap());
    key
}

#[tokio::test]
async fn a_pinned_run_is_admitted_with_its_environment_and_every_correlation_field() {
    let mut world = pinned(Signer::Off).await;
    for (field, text) in [
        ("phase_id", "M4"),
        ("event_id", ""),
        ("runtime_lane", "streaming"),
        ("trace_id", "t-1"),
    ] {
        world.input[field] = json!(text);
    }
    let before = world.store.dump(EVIDENCE);
    let admitted = admitted(&world).await;
    assert_eq!(json!(admitted.correlation), world.input);
    assert_eq!(json!(admitted.environment), json!({"REQUIRED_PLATFORM_RUN_ID": RUN}));
    let names: Vec<&str> = admitted
        .references
        .iter()
        .map(|reference| reference.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "m3_execution_summary",
            "m3j_execution_summary",
            "m4_entry_readiness_receipt",
            "p1_ledger_record",
            "m4_handoff_pack",
            "run",
            "run_header",
            "m3d_orchestrator_entry_readiness_snapshot",
        ]
    );
    // It creates its own evidence, and nothing else.
    let after = world.store.dump(EVIDENCE);
    let created: Vec<&String> = after.keys().filter(|key| !before.contains_key(*key)).collect();
    assert_eq!(created.len(), 3, "{created:?}");
    assert!(
        created
            .iter()
            .all(|key| key.starts_with("evidence/dev_full/run_control/m3j_20260225T080000Z_"))
    );
    assert!(before.iter().all(|(key, bytes)| after[key] == *bytes));
}

#[tokio::test]
async fn asked_again_it_gives_the_same_answer_and_the_same_bytes_whatever_happened_since() {
    let world = pinned(signer(1)).await;
    let first = ask(&world).await.unwrap();
    assert!(first.overall_pass, "{}", world.summary(&first));
    let objects = world.store.dump(EVIDENCE);
    assert_eq!(ask(&world).await.unwrap(), first);
    assert_eq!(world.store.dump(EVIDENCE), objects);
    // A retry adopts what the first attempt learned; another execution learns what is there now.
    world.store.delete(EVIDENCE, &format!("{ROOT}run.json"));
    assert_eq!(ask(&world).await.unwrap(), first);
    let mut later = world;
    later.execution.push_str("-later");
    let expected = vec![(Blocker::EntryEvidenceInvalid, format!("{ROOT}run.json"))];
    assert_eq!(refused(&later).await, expected);
}

#[tokio::test]
async fn a_run_without_a_committed_advance_is_refused_and_never_a_fault() {
    // Nobody knows it.
    let mut world = pinned(Signer::Off).await;
    world.input["platform_run_id"] = json!("platform_20260223T174308Z");
    let ledger = "platform_20260223T174308Z".to_owned();
    assert_eq!(refused(&world).await, [(Blocker::NoCommittedAdvance, ledger)]);

    // It was held, and then it is not even concluded.
    for held in [true, false] {
        let mut world = World::new();
        world.edit_registry("runtime_lane,trace_id\"", "trace_id\"");
        for step in Step::ALL
            .into_iter()
            .take_while(|step| held || *step < Step::PhaseVerdict)
        {
            if !matches!(step, Step::RerunDiscipline | Step::CostEnvelope) {
                Box::pin(world.run(step)).await;
            }
        }
        let scenario = format!("scenario_{}", "0".repeat(32));
        world.input = json!({"platform_run_id": RUN, "scenario_run_id": scenario});
        world.execution.push_str("-phase");
        world.closures.clear();
        assert_eq!(
            refused(&world).await,
            [(Blocker::NoCommittedAdvance, format!("{ROOT}ledger/"))],
            "held: {held}"
        );
    }

    // Somebody wrote into its ledger, or deleted from it.
    for is_deleted in [true, false] {
        let world = pinned(Signer::Off).await;
        if is_deleted {
            world.store.delete(EVIDENCE, &format!("{ROOT}ledger/000001.json"));
        } else {
            world.store.seed(EVIDENCE, &format!("{ROOT}ledger/000003.json"), "{}");
        }
        assert_eq!(
            refused(&world).await,
            [(Blocker::NoCommittedAdvance, format!("{ROOT}ledger/"))]
        );
    }
}

#[tokio::test]
async fn evidence_that_was_overwritten_or_deleted_is_named_once() {
    for name in [
        "run.json",
        "run_header.json",
        "m4_handoff_pack.json",
        "m4_entry_readiness_receipt.json",
        "m3_execution_summary.json",
        "m3j_execution_summary.json",
        "m3d_orchestrator_entry_readiness_snapshot.json",
    ] {
        for is_deleted in [true, false] {
            let world = pinned(Signer::Off).await;
            let key = key(&world, name);
            if is_deleted {
                world.store.delete(EVIDENCE, &key);
            } else {
                world
                    .store
                    .seed(EVIDENCE, &key, world.store.dump(EVIDENCE)[&key].clone());
            }
            assert_eq!(refused(&world).await, [(Blocker::EntryEvidenceInvalid, key)]);
        }
        // Without a trace in the key's history: another object is where it was.
        let world = pinned(Signer::Off).await;
        let key = key(&world, name);
        world.store.seed_anew(EVIDENCE, &key, "{}");
        assert_eq!(refused(&world).await, [(Blocker::EntryEvidenceInvalid, key)]);
    }
}

#[tokio::test]
async fn evidence_that_does_not_open_m4_is_refused() {
    let (summary, receipt) = ("m3j_execution_summary.json", "m4_entry_readiness_receipt.json");
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 4] = [
        (summary, |summary| summary["overall_pass"] = json!(false)),
        (summary, |summary| {
            let artifacts = summary["artifacts"].as_array_mut().unwrap();
            artifacts.retain(|artifact| artifact["name"] != "m4_entry_readiness_receipt");
        }),
        (summary, |summary| summary["extra"] = json!(1)),
        (receipt, |receipt| receipt["overall_pass"] = json!(false)),
    ];
    for (name, change) in changes {
        let world = pinned(Signer::Off).await;
        let key = forge(&world, name, change);
        let codes = refused(&world).await;
        assert_eq!(codes, [(Blocker::EntryEvidenceInvalid, key)], "{name}");
    }
}

#[tokio::test]
async fn ids_that_do_not_agree_are_refused() {
    let mut world = pinned(Signer::Off).await;
    world.input["scenario_run_id"] = json!(format!("scenario_{}", "0".repeat(32)));
    assert_eq!(
        refused(&world).await,
        [(Blocker::EntryIdsDisagree, "scenario_run_id".to_owned())]
    );
    let world = pinned(Signer::Off).await;
    forge(&world, "m3j_execution_summary.json", |summary| {
        summary["config_digest"] = json!("0".repeat(64));
    });
    assert_eq!(
        refused(&world).await,
        [(Blocker::EntryIdsDisagree, "m3j_execution_summary".to_owned())]
    );
}

#[tokio::test]
async fn a_verdict_that_the_deployment_did_not_sign_is_refused() {
    let envelope = "m3j_verdict.dsse.json";
    // Signed by another key, with that key beside it.
    let mut world = pinned(signer(2)).await;
    world.signer = signer(1);
    let place = key(&world, envelope);
    assert_eq!(refused(&world).await, [(Blocker::EntrySignatureInvalid, place.clone())]);
    // Not signed at all: it was pinned before the deployment signed.
    let mut world = pinned(Signer::Off).await;
    world.signer = signer(1);
    assert_eq!(refused(&world).await, [(Blocker::EntrySignatureInvalid, place.clone())]);
    // Signed by the right key, and of another statement.
    let world = pinned(signer(1)).await;
    forge(&world, "m3j_execution_summary.json", |summary| {
        let inputs = summary["inputs"].as_array_mut().unwrap();
        inputs.truncate(1);
    });
    let summary = key(&world, "m3j_execution_summary.json");
    assert_eq!(refused(&world).await, [(Blocker::EntrySignatureInvalid, summary)]);
    // Overwritten: that is the cause.
    let world = pinned(signer(1)).await;
    world.store.seed(EVIDENCE, &place, "{}");
    assert_eq!(refused(&world).await, [(Blocker::EntryEvidenceInvalid, place)]);
}

#[tokio::test]
async fn a_correlation_field_that_holds_a_secret_is_redacted_and_refused() {
    let mut world = pinned(Signer::Off).await;
    world.input["trace_id"] = json!("AKIAIOSFODNN7EXAMPLE");
    let result = ask(&world).await.unwrap();
    assert_eq!(result.blockers, [Blocker::VerdictNotPublished]);
    assert!(!serde_json::to_string(&result).unwrap().contains("AKIA"));
    let objects = world.store.dump(EVIDENCE);
    assert!(
        objects
            .values()
            .all(|bytes| !String::from_utf8_lossy(bytes).contains("AKIAIOSFODNN7"))
    );
}

#[tokio::test]
async fn only_the_question_of_a_later_phase_is_answered() {
    let mut world = pinned(Signer::Off).await;
    world.input = json!({"m2_handoff": {"key": p1_tests::world::RECEIPT}});
    let fault = ask(&world).await.unwrap_err();
    assert_eq!(fault.name(), "InvalidInput");
    assert!(fault.to_string().contains("platform_run_id"), "{fault}");
}
