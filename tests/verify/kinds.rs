//! What an execution is whose evidence a directory holds: a run, one state alone, a refused rerun.

use std::fs;

use m3j_phase_verdict::Signer;
use p1_audit::verify::{Report, SignatureState, Standing};
use p1_contract::attestation::PublicKey;
use p1_replay::Standing as Replayed;
use p1_tests::directories::{compare, page, replay, verify, verify_and_replay};
use p1_tests::runs::{
    KEY, LATER_KEY, Mirrored, advanced, entered, held, refused, refused_of_no_run, resumed, single_state,
};
use p1_tests::world::{signer, signing_key};
use serde_json::{Value, json};

use crate::damage::{Files, relist};
use crate::forgery::forged;
use crate::second_verifier::SecondVerifier;
use crate::{OTHER_START, START, damaged, expect, expect_run, mirrored};

const HISTORY: &str = "execution_history.json";

/// In the month of the billing artifact, so that the other run goes as far.
const LATER_START: &str = "2026-02-24T09:00:00Z";

#[tokio::test]
async fn every_damage_of_one_state_alone_is_caught() {
    let run = single_state(START, signer(KEY), true).await;
    let other = single_state(LATER_START, signer(KEY), true).await;
    damaged("single-state", &run, &other, 1);
}

#[tokio::test]
async fn every_damage_of_a_refused_rerun_is_caught() {
    let (run, other) = (
        refused(START, Signer::Off).await,
        refused(LATER_START, Signer::Off).await,
    );
    damaged("refused-rerun", &run, &other, 1);
}

/// What both verifiers call it, and the sentence.
async fn expect_kind(name: &str, run: Mirrored, status: u8, kind: &str, sentence: &str) -> Report {
    let dir = run.whole().write(&format!("kind-{name}"));
    let (report, theirs) = expect(&mut SecondVerifier::start(), &dir, status, name);
    assert_eq!(json!(report.execution)["kind"], kind, "{name}");
    assert_eq!(theirs["kind"], kind, "{name}");
    assert_eq!(report.execution.to_string(), sentence, "{name}");
    assert_eq!(theirs["run"], json!(report.run), "{name}");
    // The steps that it has are computed again, those of the executions before it too.
    let replayed = replay(&dir).await;
    assert_eq!(replayed.standing, Replayed::Equal, "{name}: {replayed:#?}");
    assert_eq!(replayed.execution, report.execution, "{name}");
    let verified = verify_and_replay(&dir, &[]).await.report;
    assert_eq!(verified.standing, report.standing, "{name}: {:?}", verified.findings);
    let compared = compare(&dir, &dir);
    assert_eq!(
        compared.standing,
        p1_audit::diff::Standing::Same,
        "{name}: {compared:?}"
    );
    assert_eq!(compared.a.execution, report.execution, "{name}");
    if report.standing == Standing::Intact {
        let page = page(&dir, &[]);
        assert!(page.contains(sentence) && page.contains("INTACT"), "{name}");
    }
    let _ = fs::remove_dir_all(dir);
    report
}

#[tokio::test]
async fn a_directory_says_what_it_is_of() {
    let off = || Signer::Off;
    expect_kind("run", advanced(START, off()).await, 0, "RUN", "Full run").await;
    expect_kind("held", held(START, off()).await, 1, "RUN", "Full run").await;
    expect_kind("resumed", resumed(START, off()).await, 0, "RESUME", "Resumed run").await;
    let passed = single_state(START, off(), true).await;
    let report = expect_kind("passed", passed, 1, "SINGLE_STATE", "One state alone: M3.F, PASS").await;
    assert_eq!((report.standing, report.verdict), (Standing::Intact, None));
    let blocked = single_state(START, off(), false).await;
    let sentence = "One state alone: M3.F, HOLD by M3F-B3";
    let report = expect_kind("blocked", blocked, 1, "SINGLE_STATE", sentence).await;
    assert_eq!((report.standing, report.verdict), (Standing::Intact, None));
    let refused = refused(START, off()).await;
    let report = expect_kind("refused", refused, 1, "RERUN_REFUSED", "Refused rerun: M3G-B2").await;
    assert_eq!((report.standing, report.verdict), (Standing::Intact, None));
    let dir = refused_of_no_run(START).await.whole().write("kind-no-run");
    let (report, _) = expect(&mut SecondVerifier::start(), &dir, 1, "of no run");
    assert_eq!(report.standing, Standing::Intact, "{:?}", report.findings);
    assert_eq!(report.execution.to_string(), "Refused rerun: M3G-B1");
    assert_eq!(replay(&dir).await.standing, Replayed::Equal);
    let _ = fs::remove_dir_all(dir);
    let entry = entered(START, off(), false).await.write("kind-entry");
    let report = verify(&entry, &[]);
    assert_eq!(
        (report.standing, report.execution.to_string().as_str()),
        (Standing::Refused, "Phase entry")
    );
    assert_eq!(SecondVerifier::start().verify(&entry)["kind"], "PHASE_ENTRY");
    let _ = fs::remove_dir_all(entry);
}

/// The engine's last word, said again of this closure with these fields beside it.
fn said_again(run: &Mirrored, [event, details, field]: [&str; 3], word: &Value) -> Files {
    let mut files = run.clone().whole().files;
    let mut history: Value = serde_json::from_slice(&files[HISTORY]).unwrap();
    let events = history["events"].as_array_mut().unwrap();
    events.pop();
    events.push(json!({"type": event, details: {field: word.to_string(), "error": "M3.RerunRefused"}}));
    files.insert(
        HISTORY.to_owned(),
        p1_contract::canonical::to_document(&history).unwrap(),
    );
    files
}

/// The closure of the summary of this name.
fn closure_of(run: &Mirrored, step: &str, name: &str) -> Value {
    let (key, bytes) = run.files.iter().find(|(key, _)| key.ends_with(name)).unwrap();
    let summary: Value = serde_json::from_slice(bytes).unwrap();
    let objects: Vec<Value> = serde_json::from_slice(&run.files["objects.json"]).unwrap();
    let listed = objects.iter().find(|object| object["key"] == key.as_str()).unwrap();
    json!({
        "step": step, "phase_execution_id": summary["phase_execution_id"], "overall_pass": summary["overall_pass"],
        "bucket": summary["artifacts"][0]["bucket"], "key": key, "version_id": listed["version_id"], "sha256": listed["sha256"],
    })
}

fn without(files: &Files, is_gone: impl Fn(&str) -> bool) -> Files {
    let mut files = files.clone();
    let gone: Vec<String> = files.keys().filter(|key| is_gone(key)).cloned().collect();
    assert!(!gone.is_empty());
    for key in gone {
        let list = relist(&files, &key, None);
        files.insert("objects.json".to_owned(), list);
        files.remove(&key);
    }
    files
}

fn expect_caught(what: &str, files: Files) {
    let (report, theirs) = expect_run(&mut SecondVerifier::start(), &mirrored(files), 2, what);
    assert_eq!(theirs["kind"], json!(report.execution)["kind"], "{what}: {theirs}");
}

/// The engine's word makes no run an execution of which less is asked. Nor does it hide what an execution left.
#[tokio::test]
async fn a_kind_that_is_only_claimed_is_caught() {
    let single = |closure: Value| {
        json!({"outcome": "SINGLE_STATE", "step": closure["step"], "overall_pass": closure["overall_pass"], "blockers": [],
            "closure": closure})
    };
    let output = ["ExecutionSucceeded", "executionSucceededEventDetails", "output"];
    let cause = ["ExecutionFailed", "executionFailedEventDetails", "cause"];
    let claim = |run: &Mirrored, how: [&str; 3], word: Value| said_again(run, how, &word);

    // An advance, and a hold, that call themselves one state alone; and their verdicts taken away as well.
    let pinned = advanced(START, Signer::Off).await;
    let word = single(closure_of(&pinned, "M3.H", "/m3h_execution_summary.json"));
    let claimed = claim(&pinned, output, word);
    expect_caught("an advance", claimed.clone());
    let no_verdict = |key: &str| key.contains("/m3j_") || key.contains("/m3i_") || key.ends_with("/ledger/000002.json");
    expect_caught("an advance without its verdict", without(&claimed, no_verdict));
    let mut resumed = resumed(START, Signer::Off).await;
    let word = single(closure_of(&resumed, "M3.H", "/m3h_execution_summary.json"));
    let claimed = claim(&resumed, output, word);
    expect_caught("a resumed run", claimed.clone());
    let second = "m3j_20260225T080000Z";
    let no_verdict = |key: &str| {
        key.contains(second) || key.contains("m3i_20260225T080000Z") || key.ends_with("/ledger/000004.json")
    };
    expect_caught("a resumed run without its verdict", without(&claimed, no_verdict));
    // A refused rerun, where the admission passed.
    let closure = closure_of(&resumed, "ADMISSION", "/m3g_admission_summary.json");
    let word = json!({"outcome": "RERUN_REFUSED", "blockers": [], "closure": &closure});
    let claimed = claim(&resumed, cause, word);
    expect_caught("a resumed run that calls itself refused", claimed.clone());
    let admission = format!("/{}/", closure["phase_execution_id"].as_str().unwrap());
    let is_later = |key: &str| key.contains("_20260225T080000Z_") && !key.contains(&admission);
    resumed.files = without(&claimed, |key| is_later(key) || key.ends_with("/ledger/000004.json"));
    expect_caught("an admission that calls itself refused", resumed.files);

    // One state alone that calls itself refused, a verdict, or a failure; and another state than the one that ran.
    let alone = single_state(START, Signer::Off, true).await;
    let closure = closure_of(&alone, "ADMISSION", "/m3g_admission_summary.json");
    let word = json!({"outcome": "RERUN_REFUSED", "blockers": [], "closure": closure});
    expect_caught("one state that calls itself refused", claim(&alone, cause, word));
    let mut closure = closure_of(&alone, "M3.J", "/m3j_execution_summary.json");
    let word = json!({"outcome": "VERDICT", "verdict": "HOLD_M3", "closure": closure});
    expect_caught("one state that calls itself a verdict", claim(&alone, cause, word));
    closure = closure_of(&alone, "M3.E", "/m3e_execution_summary.json");
    expect_caught("another state", claim(&alone, output, single(closure)));
    let word = single(closure_of(&alone, "M3.F", "/m3f_execution_summary.json"));
    expect_caught("one state in a failure", claim(&alone, cause, word.clone()));
    let others = [
        ("blockers", Value::Null),
        ("blockers", json!([7])),
        ("blockers", json!("x")),
        ("overall_pass", json!(1)),
    ];
    for (field, other) in others {
        let what = format!("one state whose {field} are {other}");
        let mut word = word.clone();
        word[field] = other;
        expect_caught(&what, claim(&alone, output, word));
    }

    // The receipt of an admission that is for more than one state; and one that says that it admits, and refuses.
    let more = forged(&alone.files, "/m3g_admission_receipt.json", |receipt| {
        receipt["only"] = json!(false);
    });
    expect_caught("an admission for more", more);
    let record = forged(&alone.files, "/m3g_admission_receipt.json", |receipt| {
        receipt["ledger_sequence"] = json!(1);
    });
    expect_caught("another execution's record", record);
    let rerun = refused(START, Signer::Off).await;
    let admits = forged(&rerun.files, "/m3g_admission_receipt.json", |receipt| {
        receipt["admitted"] = json!(true);
    });
    expect_caught("a receipt that admits", admits);
    let passes = forged(&rerun.files, "/m3g_admission_summary.json", |summary| {
        summary["overall_pass"] = json!(true);
        summary["blockers"] = json!([]);
        summary["blocker_count"] = json!(0);
    });
    expect_caught("a summary that passes", passes);
    // Another execution's admission.
    let admission = refused(OTHER_START, Signer::Off).await;
    let beside = admission
        .files
        .iter()
        .find(|(key, _)| key.ends_with("/m3g_admission_summary.json"))
        .unwrap();
    let mut files = alone.files.clone();
    let key = beside.0.replace("/m3g_", "/m3g_2");
    files.insert("objects.json".to_owned(), relist(&files, &key, Some(beside.1)));
    files.insert(key, beside.1.clone());
    expect_caught("an admission beside", files);
}

/// What no verdict covers is signed by nobody; whoever gives a key is not told that it is his.
#[tokio::test]
async fn only_verdicts_are_signed() {
    let keys = |keys: &[u8]| -> Vec<PublicKey> {
        let key = |n: &u8| PublicKey::new(*signing_key(*n).verifying_key()).unwrap();
        keys.iter().map(key).collect()
    };
    for (name, run) in [
        ("signed-single", single_state(START, signer(KEY), true).await),
        ("signed-refused", refused(START, signer(KEY)).await),
    ] {
        let dir = run.write(name);
        for (known, expected) in [
            (&[][..], (Standing::Intact, SignatureState::Unsigned)),
            (&[KEY], (Standing::Incomplete, SignatureState::Unsigned)),
            // The verdict before it is signed by another key.
            (&[LATER_KEY], (Standing::OtherKey, SignatureState::OtherKey)),
        ] {
            let report = verify(&dir, &keys(known));
            let found = (report.standing, report.signature.state);
            assert_eq!(found, expected, "{name}: {:?}", report.findings);
        }
        let _ = fs::remove_dir_all(dir);
    }
}

/// A rerun that ended in a fault has no verdict, and nothing of it is tampered.
#[tokio::test]
async fn an_execution_that_ended_in_a_fault_is_incomplete() {
    let run = single_state(START, Signer::Off, true).await;
    let cause = ["ExecutionFailed", "executionFailedEventDetails", "cause"];
    let files = said_again(
        &run,
        cause,
        &json!({"errorMessage": "failed to read", "errorType": "Transient"}),
    );
    let (report, theirs) = expect_run(&mut SecondVerifier::start(), &mirrored(files), 3, "a fault");
    assert_eq!(report.execution.to_string(), "Execution without a verdict");
    assert_eq!(theirs["kind"], "UNFINISHED");
    let subjects: Vec<&str> = report.findings.iter().map(|finding| finding.subject.as_str()).collect();
    assert_eq!(subjects, [HISTORY]);
    assert_eq!(theirs["findings"].as_array().unwrap().len(), 1, "{theirs}");
}
