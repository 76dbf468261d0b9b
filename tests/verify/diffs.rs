//! `cargo p1 diff`: through what two runs differ, and whether that forced a new one.

use std::fs;

use m3j_phase_verdict::Signer;
use p1_audit::diff::{Change, HandleChange, IdChange, Report, Standing};
use p1_contract::step::Step;
use p1_tests::directories::compare;
use p1_tests::runs::{Mirrored, advanced, advanced_on, held, held_at_once, resumed};
use p1_tests::world::{OBJECTS, World};

use crate::START;

/// Another execution's start, in the month of the billing artifact.
const OTHER_START: &str = "2026-02-23T19:00:00Z";

fn compared(a: &Mirrored, b: &Mirrored, name: &str) -> Report {
    let (a, b) = (a.write(&format!("diff-a-{name}")), b.write(&format!("diff-b-{name}")));
    let report = compare(&a, &b);
    for dir in [a, b] {
        let _ = fs::remove_dir_all(dir);
    }
    report
}

fn id<'r>(report: &'r Report, name: &str) -> &'r IdChange {
    report.ids.iter().find(|id| id.id == name).unwrap()
}

fn through(id: &IdChange) -> Vec<(&str, Vec<&str>)> {
    id.through
        .iter()
        .map(|change| (change.what.as_str(), change.from.iter().map(String::as_str).collect()))
        .collect()
}

#[tokio::test]
async fn two_runs_of_the_same_inputs_differ_in_their_start_alone() {
    let report = compared(
        &advanced(START, Signer::Off).await,
        &advanced(OTHER_START, Signer::Off).await,
        "same",
    );
    assert_eq!(
        (report.standing, report.new_run_forced),
        (Standing::Same, Some(false)),
        "{report:#?}"
    );
    assert_eq!(
        through(id(&report, "platform_run_id")),
        [("/pinned_at_utc", vec!["the start of the execution that minted it"])]
    );
    for name in ["scenario_run_id", "config_digest"] {
        assert!(id(&report, name).same && id(&report, name).through.is_empty(), "{name}");
    }
    assert_eq!(report.handles, Vec::<HandleChange>::new());
    assert_eq!(report.others, Vec::<Change>::new());
}

#[tokio::test]
async fn a_handle_of_the_digest_changes_digest_and_scenario() {
    let other = advanced_on(OTHER_START, |world| {
        world.edit_registry("\"card_events\":\"ts_utc\"", "\"card_events\":\"event_ts\"");
    });
    let report = compared(&advanced(START, Signer::Off).await, &other.await, "digest");
    assert_eq!(
        (report.standing, report.new_run_forced),
        (Standing::Differs, Some(true))
    );
    let (sort_keys, at) = (
        "ORACLE_SORT_KEY_BY_OUTPUT_ID",
        "/oracle_sort_key_by_output_id/card_events",
    );
    assert_eq!(through(id(&report, "config_digest")), [(at, vec![sort_keys])]);
    let change = &id(&report, "config_digest").through[0];
    assert_eq!(
        (change.a.as_deref(), change.b.as_deref()),
        (Some("\"ts_utc\""), Some("\"event_ts\""))
    );
    assert_eq!(
        through(id(&report, "scenario_run_id")),
        [("/config_digest", vec!["config_digest"]), (at, vec![sort_keys])]
    );
    let [handle] = report.handles.as_slice() else {
        panic!("{:#?}", report.handles)
    };
    assert_eq!(
        (handle.handle.as_str(), handle.identity.as_slice()),
        (sort_keys, &["scenario_run_id", "config_digest"][..])
    );
    assert_eq!(
        handle.read_by,
        [Step::RunIdentity, Step::ConfigDigest, Step::RerunDiscipline]
    );
}

/// Another engine run lies elsewhere: the manifests' places follow, their bytes do not.
#[tokio::test]
async fn a_handle_that_places_the_manifests_is_named_for_each_of_them() {
    let (old, new) = ("0f1e2d3c4b5a69788796a5b4c3d2e1f0", "1f1e2d3c4b5a69788796a5b4c3d2e1f0");
    let other = advanced_on(OTHER_START, |world: &mut World| {
        world.edit_registry(old, new);
        for (key, bytes) in world.store.dump(OBJECTS) {
            world.store.seed(OBJECTS, &key.replace(old, new), bytes);
        }
    });
    let report = compared(&advanced(START, Signer::Off).await, &other.await, "engine-run");
    assert_eq!(report.standing, Standing::Differs);
    let engine_run = vec!["ORACLE_ENGINE_RUN_ID"];
    assert_eq!(
        through(id(&report, "config_digest")),
        [("/oracle_engine_run_id", engine_run.clone())]
    );
    let scenario = through(id(&report, "scenario_run_id"));
    assert!(
        scenario.contains(&("/oracle_input_manifest_uri", engine_run.clone())),
        "{scenario:#?}"
    );
    let entries: Vec<_> = scenario
        .iter()
        .filter(|(what, _)| what.starts_with("/oracle_input_manifest_entries/"))
        .collect();
    assert_eq!(entries.len(), 4);
    assert!(entries.iter().all(|(_, from)| *from == engine_run), "{entries:#?}");
}

#[tokio::test]
async fn other_bytes_of_one_manifest_change_the_scenario_alone() {
    let other = advanced_on(OTHER_START, |world| {
        let manifests = world.store.dump(OBJECTS);
        let key = manifests.keys().find(|key| key.contains("card_events")).unwrap();
        world.store.seed(OBJECTS, key, "{\"other\": true}");
    });
    let report = compared(&advanced(START, Signer::Off).await, &other.await, "manifest");
    assert_eq!(
        (report.standing, report.new_run_forced),
        (Standing::Differs, Some(true))
    );
    assert!(id(&report, "config_digest").same);
    assert_eq!(
        through(id(&report, "scenario_run_id")),
        [
            ("/oracle_input_manifest_sha256", vec!["the manifests of its entries"]),
            (
                "/oracle_input_manifest_entries/card_events",
                vec!["other bytes at the same key"]
            ),
        ]
    );
    assert_eq!(report.handles, Vec::<HandleChange>::new());
    let inputs: Vec<&str> = report.others.iter().map(|change| change.what.as_str()).collect();
    assert!(
        inputs.len() == 1 && inputs[0].starts_with("input s3://") && inputs[0].contains("card_events"),
        "{inputs:?}"
    );
}

#[tokio::test]
async fn a_mended_handle_that_only_later_steps_read_forces_nothing() {
    let (held, mended) = (held(START, Signer::Off).await, advanced(OTHER_START, Signer::Off).await);
    let report = compared(&held, &mended, "mended");
    assert_eq!(
        (report.standing, report.new_run_forced),
        (Standing::Same, Some(false)),
        "{report:#?}"
    );
    assert!(
        report.why.contains("held at M3.F") && report.why.contains("could have been resumed"),
        "{}",
        report.why
    );
    let [handle] = report.handles.as_slice() else {
        panic!("{:#?}", report.handles)
    };
    assert_eq!(
        (handle.handle.as_str(), handle.read_by.as_slice(), handle.identity.len()),
        ("CORRELATION_REQUIRED_FIELDS", &[Step::M4Handoff][..], 0)
    );
    let blockers = report
        .others
        .iter()
        .find(|change| change.what == "unresolved blockers")
        .unwrap();
    assert_eq!(
        (blockers.a.as_deref(), blockers.b.as_deref()),
        (Some("[\"M3F-B3\"]"), Some("[]"))
    );

    // The run that was resumed is that very run, whose admission pinned the mended handle.
    let report = compared(&held, &resumed(START, Signer::Off).await, "resumed");
    assert_eq!((report.standing, report.new_run_forced), (Standing::Same, Some(false)));
    assert!(report.why.contains("one run"), "{}", report.why);
    assert!(report.ids.iter().all(|id| id.same), "{:#?}", report.ids);
    assert_eq!(report.handles.len(), 1);
}

/// M3.D had closed on it: a rerun would be refused.
#[tokio::test]
async fn a_handle_that_a_closed_step_read_forces_a_new_run_without_changing_an_id() {
    let other = advanced_on(OTHER_START, |world| {
        world.edit_registry(
            "RUN_PIN_PATH_PATTERN = \"evidence/runs/{platform_run_id}/run_pin/run_header.json\"",
            "RUN_PIN_PATH_PATTERN = \"evidence/runs/{platform_run_id}/run_pin/header.json\"",
        );
    });
    let report = compared(&held(START, Signer::Off).await, &other.await, "closed");
    assert_eq!(
        (report.standing, report.new_run_forced),
        (Standing::Same, Some(true)),
        "{report:#?}"
    );
    assert!(
        report.why.contains("M3G-B2") && report.why.contains("RUN_PIN_PATH_PATTERN"),
        "{}",
        report.why
    );
}

#[tokio::test]
async fn a_run_without_an_identity_is_not_called_the_same() {
    let (without, with) = (
        held_at_once(START, Signer::Off).await,
        advanced(OTHER_START, Signer::Off).await,
    );
    let report = compared(&without, &with, "unknown");
    assert_eq!(
        (report.standing, report.new_run_forced),
        (Standing::Unknown, Some(true)),
        "{report:#?}"
    );
    assert!(report.why.contains("started anew"), "{}", report.why);
    assert_eq!(report.standing, Standing::Unknown);
    // What the one did not come to is one line each.
    assert!(
        report
            .others
            .iter()
            .all(|change| !change.what.starts_with("m4_handoff_pack/")),
        "{:#?}",
        report.others
    );
    let report = compared(&with, &without, "unknown-back");
    assert_eq!((report.standing, report.new_run_forced), (Standing::Unknown, None));
}

/// Values are JSON in one line; nothing in them steers a terminal, and a damaged directory is compared and called damaged.
#[tokio::test]
async fn hostile_and_damaged_evidence_is_compared_as_text() {
    let mut other = advanced_on(OTHER_START, |world| {
        world.edit_registry(
            "COST_CAPTURE_SCOPE = \"aws_only_pre_m11_databricks_cost_deferred\"",
            "COST_CAPTURE_SCOPE = \"\u{202e}<script>alert(1)</script>\u{9b}31m\"",
        );
    })
    .await;
    let key = other
        .files
        .keys()
        .find(|key| key.ends_with("/m3c_run_config_payload.json"))
        .unwrap()
        .clone();
    other.files.insert(key, b"{}\n".to_vec());
    let report = compared(&advanced(START, Signer::Off).await, &other, "hostile");
    assert_eq!(report.standing, Standing::Same);
    assert_eq!(report.b.standing, p1_audit::verify::Standing::Tampered);
    assert!(report.b.findings > 0 && report.a.findings == 0);
    let scope = report
        .handles
        .iter()
        .find(|handle| handle.handle == "COST_CAPTURE_SCOPE")
        .unwrap();
    assert_eq!(scope.b.as_deref(), Some("\"<script>alert(1)</script>31m\""));
    let envelope = report
        .others
        .iter()
        .find(|change| change.what == "m3h_phase_budget_envelope/cost_capture_scope");
    assert_eq!(envelope.unwrap().b, scope.b);
}
