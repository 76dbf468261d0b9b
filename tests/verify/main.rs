//! `cargo p1 verify`: intact evidence is believed, and every damage is caught, by the tool and by
//! `tests/verify/verify.py` alike. `cargo p1 replay` and `diff`, on the same directories: see `replays` and `diffs`.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]
#![expect(clippy::print_stdout, reason = "the counts are what the test is about")]

mod beside_objects;
mod closes;
mod damage;
mod diffs;
mod environments;
mod foreign_verdicts;
mod forgery;
mod kinds;
mod later_phases;
mod odd_files;
mod replays;
mod revision_1;
mod rewrites;
mod second_verifier;
mod signature;

use std::fs;
use std::path::Path;

use m3j_phase_verdict::Signer;
use p1_audit::verify::Report;
use p1_tests::directories::{exit_code, verify};
use p1_tests::runs::{
    HOSTILE, KEY, Mirrored, advanced, advanced_on, entered, held, held_at_once, hostile, occupied, resumed,
    without_an_id,
};
use p1_tests::world::{EVIDENCE, MACHINE, signer};
use serde_json::{Value, json};

use crate::damage::Damage;
use crate::forgery::forged;
use crate::second_verifier::SecondVerifier;

const START: &str = "2026-02-23T17:43:07.250Z";
const OTHER_START: &str = "2026-03-01T09:00:00Z";

/// Both implementations on one directory; they must agree.
fn both(second: &mut SecondVerifier, dir: &Path) -> (u8, Report, String) {
    let report = verify(dir, &[]);
    let answer = second.verify(dir);
    (exit_code(&report), report, answer.to_string())
}

/// The intact directory has this exit status, and every damage of it the right one.
fn damaged(name: &str, run: &Mirrored, other: &Mirrored, intact: u8) {
    let dir = run.write(name);
    let second = &mut SecondVerifier::start();
    let (status, report, _) = both(second, &dir);
    assert_eq!(status, intact, "{name}: {:?}", report.findings);
    let answer = second.verify(&dir);
    let counts = report.counts;
    let counts = json!([
        counts.objects,
        counts.hashes,
        counts.closures,
        counts.named_not_mirrored
    ]);
    assert_eq!(
        (&answer["exit_status"], &answer["counts"]),
        (&json!(intact), &counts),
        "{name}: {answer}"
    );
    assert_eq!(answer["run"], json!(report.run), "{name}");

    let (mut tampered, mut missed) = (0, Vec::new());
    for Damage {
        what,
        expected,
        changes,
    } in damage::all(&run.files, &other.files)
    {
        tampered += 1;
        for (path, bytes) in &changes {
            put(&dir, path, bytes.as_deref());
        }
        let (status, report, answer) = both(second, &dir);
        let second_answer: Value = serde_json::from_str(&answer).unwrap();
        if (status, &second_answer["exit_status"]) != (expected, &json!(expected)) {
            let (first, second) = (report.findings.first(), &second_answer["findings"][0]);
            missed.push(format!(
                "{what}: {status} {first:?}, {} {second}",
                second_answer["exit_status"]
            ));
        }
        for (path, _) in &changes {
            put(&dir, path, run.files.get(path).map(Vec::as_slice));
        }
        let _ = fs::remove_dir_all(dir.join("other_versions"));
    }
    assert_eq!(both(second, &dir).0, intact, "{name} is not as it was");
    println!(
        "verify, {name} run: {tampered} tampered / {} caught",
        tampered - missed.len()
    );
    assert!(
        missed.is_empty(),
        "{name}: {} missed\n{}",
        missed.len(),
        missed.join("\n")
    );
    let _ = fs::remove_dir_all(dir);
}

/// To both, a summary that records what could not be stored is as it must be: the only fault is the object in its place.
#[tokio::test]
async fn a_summary_that_records_a_lost_artifact_is_a_summary_to_both() {
    let run = occupied(START).await;
    let dir = run.write("occupied");
    let (status, report, said) = both(&mut SecondVerifier::start(), &dir);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &said["exit_status"]), (2, &json!(2)), "{said}");
    let theirs = said["findings"].as_array().unwrap().iter();
    let theirs = theirs.map(|finding| finding[1].as_str().unwrap());
    let ours = report.findings.iter().map(|finding| finding.subject.as_str());
    for subject in ours.chain(theirs) {
        assert!(subject.ends_with("/m3c_run_config_payload.json"), "{subject}: {said}");
    }
    let _ = fs::remove_dir_all(dir);
}

/// A run whose first id was not free, because objects of somebody else lay below that root: the reservation that M3.B gave up is no
/// second ledger. It is one when another execution holds it.
#[tokio::test]
async fn a_reservation_that_was_given_up_is_no_second_ledger() {
    let squatted = advanced_on(START, |world| {
        world.store.seed(
            EVIDENCE,
            "evidence/runs/platform_20260223T174307Z/m4/state.json",
            "foreign",
        );
    })
    .await;
    let given_up = "platform_20260223T174307Z/ledger/000001.json";
    assert!(squatted.files.keys().any(|key| key.ends_with(given_up)));
    let second = &mut SecondVerifier::start();
    let intact = squatted.whole();
    let dir = intact.write("given-up");
    let (status, report, answer) = both(second, &dir);
    assert_eq!(status, 0, "{:?}", report.findings);
    assert!(answer.contains("\"exit_status\":0"), "{answer}");
    let replayed = p1_tests::directories::replay(&dir).await;
    assert_eq!(replayed.standing, p1_replay::Standing::Equal, "{replayed:#?}");

    for (field, value) in [
        (
            "holder",
            json!(format!("{}:run-9", MACHINE.replace(":stateMachine:", ":execution:"))),
        ),
        ("kind", json!("COMMITTED")),
        ("holder_stamp_utc", json!("2026-02-23T17:43:08Z")),
    ] {
        let files = forged(&intact.files, given_up, |record| record[field] = value.clone());
        let dir = Mirrored {
            files,
            history: Vec::new(),
        }
        .write("given-up-forged");
        let (status, report, answer) = both(second, &dir);
        assert_eq!(status, 2, "{field}: {:?}", report.findings);
        assert!(answer.contains("\"exit_status\":2"), "{field}: {answer}");
    }

    // A run that found no free id has given up all of them, and has no ledger.
    let none = without_an_id(START).await;
    for (kind, expected) in [("ACQUIRED", 1), ("COMMITTED", 2)] {
        let files = forged(&none.files, given_up, |record| record["kind"] = json!(kind));
        let dir = Mirrored {
            files,
            history: Vec::new(),
        }
        .write("given-up-all");
        let (status, report, answer) = both(second, &dir);
        assert_eq!(status, expected, "{kind}: {:?} {answer}", report.findings);
        assert!(
            answer.contains(&format!("\"exit_status\":{expected}")),
            "{kind}: {answer}"
        );
    }
}

fn put(dir: &Path, path: &str, bytes: Option<&[u8]>) {
    let path = dir.join(path);
    let _ = fs::remove_file(&path);
    if let Some(bytes) = bytes {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[tokio::test]
async fn every_damage_of_an_advanced_run_is_caught() {
    let (run, other) = (
        advanced(START, signer(KEY)).await,
        advanced(OTHER_START, signer(KEY)).await,
    );
    damaged("advanced", &run, &other, 0);
}

#[tokio::test]
async fn every_damage_of_a_held_run_is_caught() {
    let (run, other) = (held(START, signer(KEY)).await, held(OTHER_START, signer(KEY)).await);
    damaged("held", &run, &other, 1);
}

#[tokio::test]
async fn every_damage_of_a_resumed_run_is_caught() {
    let (run, other) = (
        resumed(START, signer(KEY)).await,
        resumed(OTHER_START, signer(KEY)).await,
    );
    damaged("resumed", &run, &other, 0);
}

#[tokio::test]
async fn every_damage_of_an_admitted_phase_is_caught() {
    let entry = entered(START, signer(KEY), true).await;
    // In the month of the billing artifact, so that the other run advances too.
    let other = entered("2026-02-24T09:00:00Z", signer(KEY), true).await;
    damaged("admitted", &entry, &other, 0);
}

#[tokio::test]
async fn every_damage_of_a_refused_phase_is_caught() {
    let entry = entered(START, Signer::Off, false).await;
    let other = entered(OTHER_START, Signer::Off, false).await;
    damaged("refused", &entry, &other, 1);
}

#[tokio::test]
async fn every_damage_of_a_run_that_is_not_signed_is_caught() {
    let (run, other) = (
        advanced(START, Signer::Off).await,
        advanced(OTHER_START, Signer::Off).await,
    );
    damaged("unsigned", &run, &other, 0);
}

#[tokio::test]
async fn a_run_that_was_held_before_it_had_a_ledger_is_held() {
    let dir = held_at_once(START, signer(KEY)).await.write("held_at_once");
    let (status, report, answer) = both(&mut SecondVerifier::start(), &dir);
    assert_eq!(status, 1, "{:?}", report.findings);
    assert!(answer.contains("\"exit_status\":1"), "{answer}");
    let _ = fs::remove_dir_all(dir);
}

#[tokio::test]
async fn hostile_text_in_the_evidence_changes_nothing() {
    let run = hostile(START, signer(KEY)).await;
    let holds = |text: &str| {
        run.files
            .values()
            .any(|bytes| String::from_utf8_lossy(bytes).contains(text))
    };
    assert!(holds(HOSTILE[0]), "the hostile text did not reach the evidence");
    let dir = run.write("hostile");
    let (status, report, answer) = both(&mut SecondVerifier::start(), &dir);
    assert_eq!(status, 0, "{:?}", report.findings);
    assert!(answer.contains("\"exit_status\":0"), "{answer}");
    let _ = fs::remove_dir_all(dir);
}

#[test]
fn a_directory_without_evidence_is_a_usage_error() {
    assert!(p1::directory::read(Path::new(env!("CARGO_MANIFEST_DIR"))).is_err());
    let answer = SecondVerifier::start().verify(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(answer["exit_status"], 4);
}

const SNAPSHOT: &str = "/m3a_handle_closure_snapshot.json";

/// What later phases gate on, and what evidence of revision 1 has not.
const GATES: [&str; 3] = ["m4_entry_ready", "blocker_count", "blockers"];

/// Evidence of revision 1 says less of how M3.A verified the handles, and is as whole.
#[tokio::test]
async fn evidence_of_the_first_days_of_revision_1_still_verifies() {
    let run = p1_tests::revision_1::run("advanced_unsigned");
    let files = forged(&run.files, SNAPSHOT, |document| {
        document
            .as_object_mut()
            .unwrap()
            .remove("verification_method_by_handle")
            .unwrap();
        for result in document["verification_results"].as_array_mut().unwrap() {
            result.as_object_mut().unwrap().remove("status").unwrap();
        }
    });
    let files = forged(&files, "/m3a_observations.json", |document| {
        let receipt = document["observed"]["m2_receipt"].as_object_mut().unwrap();
        for field in ["counts_no_blockers", "verdict_is_green"] {
            receipt.remove(field).unwrap();
        }
        document.as_object_mut().unwrap().remove("settings").unwrap();
    });
    let without_gates = |document: &mut Value| {
        let document = document.as_object_mut().unwrap();
        for field in GATES {
            document.remove(field).unwrap();
        }
    };
    let files = forged(&files, "/m4_entry_readiness_receipt.json", without_gates);
    let files = forged(&files, "/m3_execution_summary.json", |document| {
        without_gates(document);
        document.as_object_mut().unwrap().remove("next_gate").unwrap();
    });
    let history = Vec::new();
    let dir = Mirrored { files, history }.write("revision-1");
    let (status, report, answer) = both(&mut SecondVerifier::start(), &dir);
    assert_eq!(status, 0, "{:?}", report.findings);
    assert!(answer.contains("\"exit_status\":0"), "{answer}");
    let _ = fs::remove_dir_all(dir);
}

/// Which run, which document, and what the forger makes of it.
type Forgery = (bool, &'static str, fn(&mut Value));

#[tokio::test]
async fn a_forger_who_mends_every_hash_is_caught_by_what_the_evidence_means() {
    // Without a signature, which would tell at once.
    let (advanced, held) = (advanced(START, Signer::Off).await, held(START, Signer::Off).await);
    let forgeries: [Forgery; 33] = [
        (true, "/m3_execution_summary.json", |document| {
            document["next_action"]["action"] = json!("START_ANEW");
        }),
        (true, "/m3_execution_summary.json", |document| {
            document["next_action"]["rerun_input"]["resume"]["held"] = {
                let closure = &document["closures"][2];
                json!({"key": closure["key"], "version_id": closure["version_id"], "sha256": closure["sha256"]})
            };
        }),
        (true, "/m3_execution_summary.json", |document| {
            document["next_action"]["only_input"]["resume"]["only"] = json!(false);
        }),
        (true, "/m3_execution_summary.json", |document| {
            document["next_action"]["start_input"] = json!({"m2_handoff": {"key": "evidence/dev_full/run_control/m2j_20260223T061612Z/m2j_m3_entry_readiness_receipt.json"}});
        }),
        (true, "/m3b_execution_summary.json", |summary| {
            summary["secret_scan"]["documents"] = json!(1);
        }),
        (true, "/m3b_execution_summary.json", |summary| {
            summary["secret_scan"]["strings"] = json!(1);
        }),
        (false, "/m3j_execution_summary.json", |summary| {
            summary["secret_scan"]["rules_version"] = json!(0);
        }),
        (true, "/run_header.json", |header| {
            header["written_at_utc"] = json!("2026-02-23T17:43:08Z");
        }),
        (false, "/phase_budget_envelope.json", |document| {
            document["phase_window_start_utc"] = json!("2026-01-01T00:00:00Z");
        }),
        (false, "/phase_cost_outcome_receipt.json", |document| {
            document["phase_window_end_utc"] = json!("2026-12-31T00:00:00Z");
        }),
        (false, "/m3i_blocker_register.json", |document| {
            let closure = json!({
                "step": "M3.D", "phase_execution_id": document["phase_execution_id"].as_str().unwrap().replace("m3i", "m3d"),
                "overall_pass": true, "bucket": EVIDENCE, "key": "k", "version_id": "v", "sha256": "0".repeat(64),
            });
            document["resolved_blockers"] = json!([{
                "code": "M3D-B4", "severity": "S2", "phase_code": "M3-B4", "subject": "ledger", "detail": "held",
                "raised_by": closure, "resolved_by": closure,
            }]);
        }),
        (true, "/m3_execution_summary.json", |document| {
            document["next_gate"] = json!("M4_READY");
        }),
        (true, "/m3_execution_summary.json", |document| {
            document["m4_entry_ready"] = json!(true);
        }),
        (true, "/m3_execution_summary.json", |document| {
            document["blockers"] = json!([]);
        }),
        (false, "/m3_execution_summary.json", |document| {
            document["blocker_count"] = json!(1);
        }),
        (false, "/m3_execution_summary.json", |document| {
            document.as_object_mut().unwrap().remove("blockers");
        }),
        (false, "/m4_entry_readiness_receipt.json", |document| {
            document["m4_entry_ready"] = json!(false);
        }),
        (true, "/m3_execution_summary.json", |document| {
            document["verdict"] = json!("ADVANCE_TO_M4");
            document["overall_pass"] = json!(true);
        }),
        (true, "/ledger/000002.json", |record| {
            record["verdict"] = json!("ADVANCE_TO_M4");
        }),
        (true, "/m3f_execution_summary.json", |document| {
            document["blockers"] = json!([]);
            document["blocker_count"] = json!(0);
            document["overall_pass"] = json!(true);
            document["next_gate"] = json!("M3.F_READY");
        }),
        (true, "/m3i_p1_verdict.json", |document| {
            document["verdict"] = json!("ADVANCE_TO_M3J");
        }),
        (false, "/m3b_run_identity_seed.json", |document| {
            document["seed_inputs"]["digest_input"]["oracle_engine_run_id"] = json!("another");
        }),
        (false, "/m3b_run_identity_seed.json", |document| {
            document["seed_inputs"]["oracle_input_manifest_uri"] = json!("s3://another/manifest");
        }),
        (false, "/run.json", |document| {
            document["platform_run_id"] = json!("platform_20200101T000000Z");
        }),
        (false, "/ledger/000001.json", |record| {
            record["holder"] = json!(record["holder"].as_str().unwrap().replace("run-1", "run-9"));
        }),
        (false, "/m4_handoff_pack.json", |document| {
            document["config_digest"] = json!("0".repeat(64));
        }),
        (false, SNAPSHOT, |document| {
            document["verification_results"][5]["pass"] = json!(false);
        }),
        (false, SNAPSHOT, |document| {
            document["verification_results"][5]["status"] = json!("NOT_CONFIGURED");
        }),
        (false, SNAPSHOT, |document| {
            document["verification_results"][5]["pass"] = json!(false);
            document["verification_results"][5]["status"] = json!("INCONCLUSIVE");
        }),
        (false, SNAPSHOT, |document| {
            document["verification_results"][5]
                .as_object_mut()
                .unwrap()
                .remove("pass");
        }),
        (false, SNAPSHOT, |document| {
            document["verification_method_by_handle"]["CONFIG_DIGEST_ALGO"] = json!("not_verified");
        }),
        (false, SNAPSHOT, |document| {
            let methods = document["verification_method_by_handle"].as_object_mut().unwrap();
            methods.remove("CONFIG_DIGEST_ALGO");
        }),
        (false, SNAPSHOT, |document| {
            document["unresolved_handles"] = json!(["CONFIG_DIGEST_ALGO"]);
        }),
    ];
    let second = &mut SecondVerifier::start();
    for (number, (is_held, name, edit)) in forgeries.into_iter().enumerate() {
        let files = forged(if is_held { &held.files } else { &advanced.files }, name, edit);
        let history = Vec::new();
        let dir = Mirrored { files, history }.write(&format!("forged-{number}"));
        let (status, report, answer) = both(second, &dir);
        assert_eq!(status, 2, "{name}: {:?}", report.findings);
        let by_hash = report
            .findings
            .iter()
            .find(|finding| finding.detail.contains("other bytes"));
        assert_eq!(by_hash, None, "{name}: the forger left a hash unmended");
        assert!(
            answer.contains("\"exit_status\": 2") || answer.contains("\"exit_status\":2"),
            "{name}: {answer}"
        );
        let _ = fs::remove_dir_all(dir);
    }
}
