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
use std::sync::atomic::{AtomicU32, Ordering};

use m3j_phase_verdict::Signer;
use p1_audit::verify::Report;
use p1_tests::directories::{exit_code, verify};
use p1_tests::runs::{
    HOSTILE, KEY, Mirrored, advanced, advanced_on, entered, held, held_at_once, hostile, occupied, resumed,
    without_an_id,
};
use p1_tests::world::{EVIDENCE, MACHINE, RECEIPT, signer};
use serde_json::{Value, json};

use crate::damage::{Damage, Files};
use crate::forgery::forged;
use crate::second_verifier::SecondVerifier;

const START: &str = "2026-02-23T17:43:07.250Z";
const OTHER_START: &str = "2026-03-01T09:00:00Z";

/// Both implementations on one directory: the tool's exit status and report, and the answer of the other.
fn both(second: &mut SecondVerifier, dir: &Path) -> (u8, Report, Value) {
    let report = verify(dir, &[]);
    (exit_code(&report), report, second.verify(dir))
}

/// Both implementations give the directory this exit status.
fn expect(second: &mut SecondVerifier, dir: &Path, expected: u8, what: &str) -> (Report, Value) {
    let (status, report, answer) = both(second, dir);
    let found = (status, &answer["exit_status"]);
    assert_eq!(
        found,
        (expected, &json!(expected)),
        "{what}: {:?} {answer}",
        report.findings
    );
    (report, answer)
}

/// The directory of these files alone.
fn mirrored(files: Files) -> Mirrored {
    let history = Vec::new();
    Mirrored { files, history }
}

/// [`expect`] of a directory of its own, which is gone afterwards.
fn expect_run(second: &mut SecondVerifier, run: &Mirrored, expected: u8, what: &str) -> (Report, Value) {
    static DIRECTORIES: AtomicU32 = AtomicU32::new(0);
    let dir = run.write(&format!("expected-{}", DIRECTORIES.fetch_add(1, Ordering::Relaxed)));
    let said = expect(second, &dir, expected, what);
    let _ = fs::remove_dir_all(dir);
    said
}

/// The intact directory has this exit status, and every damage of it the right one.
fn damaged(name: &str, run: &Mirrored, other: &Mirrored, intact: u8) {
    let dir = run.write(name);
    let second = &mut SecondVerifier::start();
    let (report, answer) = expect(second, &dir, intact, name);
    let counts = report.counts;
    let counts = json!([
        counts.objects,
        counts.hashes,
        counts.closures,
        counts.named_not_mirrored
    ]);
    assert_eq!(answer["counts"], counts, "{name}: {answer}");
    assert_eq!(answer["run"], json!(report.run), "{name}");

    let (mut tampered, mut missed) = (0, Vec::new());
    for damage in damage::all(&run.files, &other.files) {
        let Damage {
            what,
            expected,
            changes,
        } = damage;
        tampered += 1;
        for (path, bytes) in &changes {
            put(&dir, path, bytes.as_deref());
        }
        let (status, report, answer) = both(second, &dir);
        let theirs = &answer["exit_status"];
        if (status, theirs) != (expected, &json!(expected)) {
            let (first, second) = (report.findings.first(), &answer["findings"][0]);
            missed.push(format!("{what}: {status} {first:?}, {theirs} {second}"));
        }
        for (path, _) in &changes {
            put(&dir, path, run.files.get(path).map(Vec::as_slice));
        }
        let _ = fs::remove_dir_all(dir.join("other_versions"));
    }
    assert_eq!(both(second, &dir).0, intact, "{name} is not as it was");
    let caught = tampered - missed.len();
    println!("verify, {name} run: {tampered} tampered / {caught} caught");
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
    let (report, said) = expect_run(&mut SecondVerifier::start(), &run, 2, "occupied");
    let theirs = said["findings"].as_array().unwrap().iter();
    let theirs = theirs.map(|finding| finding[1].as_str().unwrap());
    let ours = report.findings.iter().map(|finding| finding.subject.as_str());
    for subject in ours.chain(theirs) {
        assert!(subject.ends_with("/m3c_run_config_payload.json"), "{subject}: {said}");
    }
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
    expect(second, &dir, 0, "given up");
    let replayed = p1_tests::directories::replay(&dir).await;
    assert_eq!(replayed.standing, p1_replay::Standing::Equal, "{replayed:#?}");

    let other = format!("{}:run-9", MACHINE.replace(":stateMachine:", ":execution:"));
    for (field, value) in [
        ("holder", other.as_str()),
        ("kind", "COMMITTED"),
        ("holder_stamp_utc", "2026-02-23T17:43:08Z"),
    ] {
        let files = forged(&intact.files, given_up, |record| record[field] = json!(value));
        expect_run(second, &mirrored(files), 2, field);
    }

    // A run that found no free id has given up all of them, and has no ledger.
    let none = without_an_id(START).await;
    for (kind, expected) in [("ACQUIRED", 1), ("COMMITTED", 2)] {
        let files = forged(&none.files, given_up, |record| record["kind"] = json!(kind));
        expect_run(second, &mirrored(files), expected, kind);
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
    let run = held_at_once(START, signer(KEY)).await;
    expect_run(&mut SecondVerifier::start(), &run, 1, "held at once");
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
    expect_run(&mut SecondVerifier::start(), &run, 0, "hostile");
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
    expect_run(&mut SecondVerifier::start(), &mirrored(files), 0, "revision 1");
}

/// Which run, which document, and what the forger makes of it.
type Forgery = (bool, &'static str, fn(&mut Value));

#[tokio::test]
async fn a_forger_who_mends_every_hash_is_caught_by_what_the_evidence_means() {
    // Without a signature, which would tell at once.
    let (advanced, held) = (advanced(START, Signer::Off).await, held(START, Signer::Off).await);
    // One value each: the document, and the place in it.
    let of_held = [
        ("m3_execution_summary#/next_action/action", json!("START_ANEW")),
        ("m3_execution_summary#/next_action/only_input/resume/only", json!(false)),
        (
            "m3_execution_summary#/next_action/start_input",
            json!({"m2_handoff": {"key": RECEIPT}}),
        ),
        ("m3b_execution_summary#/secret_scan/documents", json!(1)),
        ("m3b_execution_summary#/secret_scan/strings", json!(1)),
        ("run_header#/written_at_utc", json!("2026-02-23T17:43:08Z")),
        ("m3_execution_summary#/next_gate", json!("M4_READY")),
        ("m3_execution_summary#/m4_entry_ready", json!(true)),
        ("m3_execution_summary#/blockers", json!([])),
        ("ledger/000002#/verdict", json!("ADVANCE_TO_M4")),
        ("m3i_p1_verdict#/verdict", json!("ADVANCE_TO_M3J")),
    ];
    let of_advanced = [
        ("m3j_execution_summary#/secret_scan/rules_version", json!(0)),
        (
            "phase_budget_envelope#/phase_window_start_utc",
            json!("2026-01-01T00:00:00Z"),
        ),
        (
            "phase_cost_outcome_receipt#/phase_window_end_utc",
            json!("2026-12-31T00:00:00Z"),
        ),
        ("m3_execution_summary#/blocker_count", json!(1)),
        ("m4_entry_readiness_receipt#/m4_entry_ready", json!(false)),
        (
            "m3b_run_identity_seed#/seed_inputs/digest_input/oracle_engine_run_id",
            json!("another"),
        ),
        (
            "m3b_run_identity_seed#/seed_inputs/oracle_input_manifest_uri",
            json!("s3://another/manifest"),
        ),
        ("run#/platform_run_id", json!("platform_20200101T000000Z")),
        ("m4_handoff_pack#/config_digest", json!("0".repeat(64))),
        ("m3a_handle_closure_snapshot#/verification_results/5/pass", json!(false)),
        (
            "m3a_handle_closure_snapshot#/verification_results/5/status",
            json!("NOT_CONFIGURED"),
        ),
        (
            "m3a_handle_closure_snapshot#/verification_method_by_handle/CONFIG_DIGEST_ALGO",
            json!("not_verified"),
        ),
        (
            "m3a_handle_closure_snapshot#/unresolved_handles",
            json!(["CONFIG_DIGEST_ALGO"]),
        ),
    ];
    // What takes more than that.
    let forgeries: [Forgery; 9] = [
        (true, "/m3_execution_summary.json", |document| {
            document["next_action"]["rerun_input"]["resume"]["held"] = {
                let closure = &document["closures"][2];
                json!({"key": closure["key"], "version_id": closure["version_id"], "sha256": closure["sha256"]})
            };
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
        (false, "/m3_execution_summary.json", |document| {
            document.as_object_mut().unwrap().remove("blockers");
        }),
        (true, "/m3_execution_summary.json", |document| {
            document["verdict"] = json!("ADVANCE_TO_M4");
            document["overall_pass"] = json!(true);
        }),
        (true, "/m3f_execution_summary.json", |document| {
            document["blockers"] = json!([]);
            document["blocker_count"] = json!(0);
            document["overall_pass"] = json!(true);
            document["next_gate"] = json!("M3.F_READY");
        }),
        (false, "/ledger/000001.json", |record| {
            record["holder"] = json!(record["holder"].as_str().unwrap().replace("run-1", "run-9"));
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
            let methods = document["verification_method_by_handle"].as_object_mut().unwrap();
            methods.remove("CONFIG_DIGEST_ALGO");
        }),
    ];
    let second = &mut SecondVerifier::start();
    let mut catch = |is_held: bool, name: &str, edit: &dyn Fn(&mut Value)| {
        let files = forged(if is_held { &held.files } else { &advanced.files }, name, edit);
        let (report, _) = expect_run(second, &mirrored(files), 2, name);
        let mut findings = report.findings.iter();
        let by_hash = findings.find(|finding| finding.detail.contains("other bytes"));
        assert_eq!(by_hash, None, "{name}: the forger left a hash unmended");
    };
    for (is_held, values) in [(true, &of_held[..]), (false, &of_advanced[..])] {
        for (at, value) in values {
            let (document, pointer) = at.split_once('#').unwrap();
            catch(is_held, &format!("/{document}.json"), &|document| {
                set(document, pointer, value.clone());
            });
        }
    }
    for (is_held, name, edit) in forgeries {
        catch(is_held, name, &edit);
    }
}

/// Sets the field at `pointer`, whether or not it is there.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[field] = value;
}
