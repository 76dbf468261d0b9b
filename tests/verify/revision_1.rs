//! Evidence of revision 1, which an earlier release wrote: it verifies as it did then, and is not computed again.

use std::fs;
use std::process::Command;

use m3j_phase_verdict::Signer;
use p1_audit::verify::SignatureState;
use p1_contract::attestation::PublicKey;
use p1_contract::revision::ADDED_IN_2;
use p1_replay::Standing;
use p1_tests::directories::{exit_code, replay, verify};
use p1_tests::revision_1::{RUNS, run};
use p1_tests::runs::{KEY, LATER_KEY, advanced, resumed_from};
use p1_tests::world::signing_key;
use serde_json::{Value, json};

use crate::forgery::forged;
use crate::second_verifier::SecondVerifier;
use crate::{START, expect, expect_run, mirrored};

fn public(n: u8) -> PublicKey {
    PublicKey::new(*signing_key(n).verifying_key()).unwrap()
}

#[tokio::test]
async fn evidence_of_revision_1_verifies_as_it_did_and_is_not_computed_again() {
    let second = &mut SecondVerifier::start();
    for (name, expected) in RUNS {
        let dir = run(name).write(&format!("revision-1-{name}"));
        expect(second, &dir, expected, name);

        let signed = !["advanced_unsigned", "held_at_once"].contains(&name);
        let keys = [public(KEY), public(LATER_KEY)];
        let report = verify(&dir, if signed { &keys } else { &[] });
        let state = if signed {
            SignatureState::Verified
        } else {
            SignatureState::Unsigned
        };
        assert_eq!(
            (report.signature.state, exit_code(&report)),
            (state, expected),
            "{name}"
        );

        let report = replay(&dir).await;
        assert_eq!(
            (report.standing, report.counts.different),
            (Standing::Missing, 0),
            "{name}: {report:#?}"
        );
        let steps = report.executions.iter().flat_map(|execution| &execution.steps);
        let reasons: Vec<&str> = steps
            .flat_map(|step| &step.missing)
            .map(|missing| missing.reason.as_str())
            .collect();
        assert_eq!(
            (reasons.len(), reasons.len()),
            (report.counts.steps, report.counts.missing),
            "{name}: {report:#?}"
        );
        assert!(
            reasons.iter().all(|reason| reason.contains("is of revision 1")),
            "{name}: {reasons:?}"
        );
        let _ = fs::remove_dir_all(dir);
    }
}

/// A run that an earlier release held goes on by today's steps, and rests on closures of both.
#[tokio::test]
async fn a_run_that_was_held_in_revision_1_can_be_resumed() {
    let resumed = resumed_from(&run("held"), START).await.whole();
    let dir = resumed.write("revision-1-resumed-today");
    expect(&mut SecondVerifier::start(), &dir, 0, "resumed today");

    let report = replay(&dir).await;
    let _ = fs::remove_dir_all(dir);
    assert_eq!(
        (report.standing, report.counts.different),
        (Standing::Missing, 0),
        "{report:#?}"
    );
    let standings = |at: usize| report.executions[at].steps.iter().map(|step| step.standing);
    assert!(
        standings(0).all(|standing| standing == Standing::Missing),
        "{report:#?}"
    );
    assert!(standings(1).all(|standing| standing == Standing::Equal), "{report:#?}");
    assert_eq!(report.counts.missing, report.executions[0].steps.len(), "{report:#?}");
}

/// A forger who mends every hash still cannot mix revisions: one execution is of one, and none rests on a later one.
#[tokio::test]
async fn revisions_that_cannot_stand_in_one_chain_are_caught() {
    let second = &mut SecondVerifier::start();
    let today = advanced(START, Signer::Off).await;
    let before = run("advanced_unsigned");
    let snapshot = "/m3f_runtime_scope_binding_snapshot.json";
    for (what, files, name, version) in [
        ("a document of an earlier one", &today, snapshot, 1),
        ("a closure on a later one", &before, "/m3b_execution_summary.json", 2),
        ("an unknown one", &today, snapshot, 3),
        ("a ledger that goes back", &today, "/ledger/000002.json", 1),
        ("none", &before, snapshot, 0),
    ] {
        let files = forged(&files.files, name, |document| {
            document["schema_version"] = json!(version);
        });
        expect_run(second, &mirrored(files), 2, what);
    }
}

#[test]
fn both_verifiers_know_the_same_fields() {
    let script = "import json, verify; print(json.dumps(verify.ADDED_IN_2))";
    let output = Command::new("python3")
        .args(["-B", "-c", script])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/verify"))
        .output()
        .unwrap();
    let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ours: serde_json::Map<_, _> = ADDED_IN_2
        .iter()
        .map(|(name, fields)| ((*name).to_owned(), json!(fields)))
        .collect();
    assert_eq!(theirs, Value::Object(ours));
}
