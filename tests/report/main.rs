//! `cargo p1 report`: the page says what the evidence says, hostile text stays text, and a browser shows it to everybody.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]
#![expect(clippy::print_stdout, reason = "the counts are what the test is about")]

mod browser;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use m3j_phase_verdict::Signer;
use p1::ReportArgs;
use p1::commands::report::report as command;
use p1_audit::verify::Standing;
use p1_contract::attestation::PublicKey;
use p1_contract::canonical::to_document;
use p1_tests::directories::{page, verify};
use p1_tests::runs::{
    HOSTILE, KEY, LATER_KEY, Mirrored, advanced, entered, held, held_at_once, hostile, refused, resumed, single_state,
};
use p1_tests::world::{signer, signing_key};
use serde_json::{Value, json};

use crate::browser::Shown;

const START: &str = "2026-02-23T17:43:07.250Z";

/// Every directory that the pages are tried on, with its standing.
async fn directories() -> Vec<(&'static str, Standing, Mirrored)> {
    let advanced = advanced(START, signer(KEY)).await;
    let hostile = hostile(START, signer(KEY)).await;
    vec![
        ("tampered", Standing::Tampered, tampered(&advanced)),
        ("incomplete", Standing::Incomplete, incomplete(&advanced)),
        ("forged", Standing::Tampered, forged(&hostile)),
        ("advanced", Standing::Pinned, advanced),
        ("held", Standing::Held, held(START, Signer::Off).await),
        ("held-at-once", Standing::Held, held_at_once(START, Signer::Off).await),
        ("resumed", Standing::Pinned, resumed(START, signer(KEY)).await),
        ("hostile", Standing::Pinned, hostile),
        ("admitted", Standing::Admitted, entered(START, signer(KEY), true).await),
        ("refused", Standing::Refused, entered(START, signer(KEY), false).await),
        (
            "one-state",
            Standing::Intact,
            single_state(START, signer(KEY), false).await,
        ),
        ("rerun-refused", Standing::Intact, refused(START, signer(KEY)).await),
    ]
}

/// Another directory of the same execution.
fn of_run(run: &Mirrored, files: BTreeMap<String, Vec<u8>>) -> Mirrored {
    Mirrored {
        files,
        history: run.history.clone(),
    }
}

fn ending(run: &Mirrored, name: &str) -> String {
    let found = run.files.keys().find(|key| key.ends_with(name));
    found.unwrap_or_else(|| panic!("there is no {name}")).clone()
}

/// A byte of one document turned, another document gone, and a file that nobody wrote.
fn tampered(run: &Mirrored) -> Mirrored {
    let mut files = run.files.clone();
    let pack = ending(run, "/m4_handoff_pack.json");
    let middle = files[&pack].len() / 2;
    files.get_mut(&pack).unwrap()[middle] ^= 1;
    let summary = ending(run, "/m3c_execution_summary.json");
    let changed = String::from_utf8(files[&summary].clone())
        .unwrap()
        .replace("\"blockers\":[]", "\"blockers\":[ ]");
    files.insert(summary, changed.into_bytes());
    files.remove(&ending(run, "/m3h_cost_source_receipts.json"));
    files.insert("evidence/foreign.json".to_owned(), b"{}\n".to_vec());
    of_run(run, files)
}

/// A step's summary gone, as after a mirror that broke off.
fn incomplete(run: &Mirrored) -> Mirrored {
    let mut files = run.files.clone();
    files.remove(&ending(run, "/m3d_execution_summary.json"));
    of_run(run, files)
}

/// What only a forger writes: markup in blockers, keys, ids and file names, in documents that nothing vouches for.
fn forged(run: &Mirrored) -> Mirrored {
    let mut files = run.files.clone();
    for (key, bytes) in &mut files {
        if !key.ends_with("_execution_summary.json") && !key.ends_with("blocker_register.json") {
            continue;
        }
        let mut document: Value = serde_json::from_slice(bytes).unwrap();
        let blocker = json!({"code": "M3F-B3", "subject": HOSTILE[1], "detail": HOSTILE.join(" ")});
        if document["blockers"].is_array() {
            document["blockers"] = json!([blocker]);
        }
        for artifact in document["artifacts"].as_array_mut().into_iter().flatten() {
            artifact["name"] = json!(HOSTILE[2]);
            artifact["version_id"] = json!(HOSTILE[3]);
        }
        if document["next_gate"].is_string() {
            document["next_gate"] = json!(HOSTILE[5]);
        }
        if document["next_action"].is_object() {
            document["next_action"]["action"] = json!(HOSTILE[0]);
            document["next_action"]["remedies"] = json!([{"code": "M3F-B3", "remedy": HOSTILE[4]}]);
        }
        *bytes = to_document(&document).unwrap();
    }
    for (number, name) in HOSTILE.iter().enumerate() {
        let name = name.replace('/', "\u{2215}").replace('\u{0}', "");
        files.insert(format!("evidence/{number} {name}"), b"{}\n".to_vec());
    }
    let long = "L".repeat(200);
    files.insert(format!("evidence/{long}/{long}"), Vec::new());
    of_run(run, files)
}

fn key(n: u8) -> PublicKey {
    PublicKey::new(*signing_key(n).verifying_key()).unwrap()
}

/// The page without the places where a key may be broken.
fn text_of(dir: &Path) -> String {
    page(dir, &[]).replace("<wbr>", "")
}

#[tokio::test]
async fn a_page_is_made_of_every_directory_and_looked_at_in_a_browser() {
    let mut shown = Vec::new();
    for (name, expected, run) in directories().await {
        let dir = run.whole().write(name);
        // Of the resumed run the keys are known; it is signed by another one after the rerun.
        let keys = if name == "resumed" {
            vec![key(KEY), key(LATER_KEY)]
        } else {
            Vec::new()
        };
        let made = || (verify(&dir, &keys).standing, page(&dir, &keys));
        let (standing, html) = made();
        assert_eq!(standing, expected, "{name}");
        assert_eq!(made().1, html, "{name}: the same directory gives other bytes");
        shown.push(Shown::new(name, html));
        let _ = fs::remove_dir_all(dir);
    }
    browser::look(&shown);
}

#[tokio::test]
async fn the_page_names_every_object_of_the_chain_by_its_hash() {
    for (name, run) in [
        ("chain-advanced", advanced(START, signer(KEY)).await),
        ("chain-resumed", resumed(START, signer(KEY)).await),
    ] {
        let dir = run.write(name);
        let html = text_of(&dir);
        let objects: Value = serde_json::from_slice(&run.files["objects.json"]).unwrap();
        for object in objects.as_array().unwrap() {
            let key = object["key"].as_str().unwrap();
            // What an earlier execution, or M2, wrote and this verdict does not rest on need not be here.
            assert!(
                html.contains(object["sha256"].as_str().unwrap()),
                "{name}: the hash of {key}"
            );
            assert!(html.contains(key), "{name}: {key}");
        }
        assert!(!html.contains("other bytes"), "{name}");
        let _ = fs::remove_dir_all(dir);
    }
}

#[tokio::test]
async fn a_hold_says_what_to_mend_and_how_to_go_on() {
    let run = held(START, Signer::Off).await;
    let dir = run.write("hold");
    let html = text_of(&dir);
    let phase: Value = serde_json::from_slice(&run.files[&ending(&run, "/m3_execution_summary.json")]).unwrap();
    let held = phase["next_action"]["rerun_input"]["resume"]["held"]["key"]
        .as_str()
        .unwrap();
    for expected in [
        "M3F-B3",
        "S2 remediate",
        "M3-B6",
        "RESUME",
        &format!("cargo p1 resume --held {held}"),
        "Input for one state alone",
        phase["next_action"]["only_effect"].as_str().unwrap(),
    ] {
        assert!(html.contains(expected), "{expected}");
    }
    let code = p1_contract::blocker::Blocker::CorrelationFieldsInvalid;
    assert!(html.contains(code.remedy()) && html.contains(code.rule().trim_end_matches("'s.")));
    // The first screen: code, subject, remedy and what to do come before the ids and everything else.
    let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    let first = &html[place("id=\"verdict\"")..place("platform_run_id")];
    for expected in [
        "M3F-B3",
        "CORRELATION_REQUIRED_FIELDS",
        code.remedy(),
        "Then resume the same run.",
    ] {
        assert!(first.contains(expected), "{expected}: {first}");
    }
    let _ = fs::remove_dir_all(dir);

    let dir = held_at_once(START, Signer::Off).await.write("hold-at-once");
    let html = text_of(&dir);
    assert!(html.contains("START_ANEW") && html.contains("Start input") && !html.contains("Rerun input"));
    let _ = fs::remove_dir_all(dir);
}

#[tokio::test]
async fn the_page_of_an_entry_says_what_the_phase_may_go_on_with_or_what_keeps_it_out() {
    for (is_known, expected) in [
        (
            true,
            [
                "ADMITTED",
                "REQUIRED_PLATFORM_RUN_ID",
                "M3J-P4-SIGNED-BY-DEPLOYMENT",
                "m4_handoff_pack",
            ],
        ),
        (false, ["REFUSED", "M3J-E3", "ask with the ids that the run", "not met"]),
    ] {
        let dir = entered(START, signer(KEY), is_known).await.write(expected[0]);
        let html = text_of(&dir);
        for text in expected {
            assert!(html.contains(text), "{text}");
        }
        assert!(!html.contains("State machine of execution"), "it is no run");
        let _ = fs::remove_dir_all(dir);
    }
}

#[tokio::test]
async fn a_resumed_run_shows_which_execution_closed_which_step() {
    let dir = resumed(START, signer(KEY)).await.write("attempts");
    let html = text_of(&dir);
    assert!(html.contains("State machine of execution 1: HOLD_M3, committed as ledger record 2"));
    assert!(html.contains("State machine of execution 2: ADVANCE_TO_M4, committed as ledger record 4"));
    let second = html
        .split("id=\"across-2-desc\"")
        .nth(1)
        .unwrap()
        .split("</desc>")
        .next()
        .unwrap();
    assert!(
        second.contains("M3.E Run publication: from execution 1. M3.F M4 handoff: pass."),
        "{second}"
    );
    let first = html
        .split("id=\"across-1-desc\"")
        .nth(1)
        .unwrap()
        .split("</desc>")
        .next()
        .unwrap();
    assert!(
        first.contains("M3.F M4 handoff: held (M3F-B3). M3.G Rerun discipline: not reached."),
        "{first}"
    );
    assert!(html.contains("Attempt of execution 1 at M3.F M4 handoff: held"));
    let _ = fs::remove_dir_all(dir);
}

#[tokio::test]
async fn damage_is_shown_first_and_at_its_step() {
    let dir = tampered(&advanced(START, signer(KEY)).await).write("damage");
    let html = text_of(&dir);
    let banner = html.split("</section>").next().unwrap();
    assert!(banner.contains("TAMPERED") && banner.contains("claims"), "{banner}");
    assert!(html.contains("Everything below is what the directory says, not what is so."));
    assert!(html.contains("M3.C Config digest: changed"));
    assert!(html.contains("Verification findings about M3.F M4 handoff"));
    assert!(html.contains("other bytes") && html.contains("not there"));
    let _ = fs::remove_dir_all(dir);
}

#[tokio::test]
async fn the_page_states_what_the_signature_proves() {
    let (unsigned, signed) = (advanced(START, Signer::Off).await, advanced(START, signer(KEY)).await);
    for (name, run, keys, word) in [
        ("unsigned", &unsigned, vec![], "UNSIGNED"),
        ("signed", &signed, vec![], "SIGNED"),
        ("verified", &signed, vec![key(KEY)], "VERIFIED"),
        ("other-key", &signed, vec![key(KEY + 7)], "OTHER KEY"),
    ] {
        let dir = run.write(name);
        let html = page(&dir, &keys);
        let place = html
            .split("<h2>Signature</h2>")
            .nth(1)
            .unwrap()
            .split("</section>")
            .next()
            .unwrap();
        assert!(place.contains(&format!("<span>{word}</span>")), "{name}: {place}");
        assert_eq!(
            place.contains(key(KEY).id().as_str()),
            word != "UNSIGNED",
            "{name}: {place}"
        );
        let _ = fs::remove_dir_all(dir);
    }
}

/// The page of an execution without a verdict says what it is, what blocked it, and how the run goes on after it.
#[tokio::test]
async fn an_execution_without_a_verdict_is_shown_as_what_it_is() {
    let page = |run: Mirrored, name: &str| {
        let dir = run.write(name);
        let html = text_of(&dir);
        let _ = fs::remove_dir_all(dir);
        html
    };
    let run = single_state(START, Signer::Off, false).await;
    let own = "m3f_20260225T080000Z";
    let html = page(run, "page-single");
    for expected in [
        "INTACT",
        "One state alone: M3.F, HOLD by M3F-B3",
        "S2 remediate",
        "Then go on with the same run",
    ] {
        assert!(html.contains(expected), "{expected}");
    }
    let command = html.split("cargo p1 resume --held ").nth(1).unwrap();
    assert!(command.split(' ').next().unwrap().contains(own), "the way on is stale");
    assert!(!html.contains("Input for one state alone"));
    let html = page(refused(START, Signer::Off).await, "page-refused");
    for expected in ["INTACT", "Refused rerun: M3G-B2", "M3-B7"] {
        assert!(html.contains(expected), "{expected}");
    }
    assert!(!html.contains("cargo p1 resume"), "what was refused is offered again");
}

#[tokio::test]
async fn the_command_leaves_the_directory_as_it_is_and_ends_as_verify_does() {
    let run = held(START, Signer::Off).await;
    let dir = run.write("command");
    let args = |dir: &Path, out: Option<&Path>| ReportArgs {
        dir: dir.to_owned(),
        keys: Vec::new(),
        out: out.map(Path::to_owned),
        open: false,
        no_replay: false,
        json: true,
    };
    assert_eq!(command(&args(&dir, None)).await.unwrap().code(), 1);
    let beside = dir.with_extension("report.html");
    assert!(fs::read_to_string(&beside).unwrap().starts_with("<!DOCTYPE html>"));
    assert_eq!(
        verify(&dir, &[]).standing,
        Standing::Held,
        "the page made the evidence another"
    );
    let inside = dir.join("evidence/page.html");
    assert_eq!(command(&args(&dir, Some(&inside))).await.unwrap().code(), 4);
    assert!(!inside.exists());
    assert_eq!(
        command(&args(Path::new(env!("CARGO_MANIFEST_DIR")), Some(&beside)))
            .await
            .unwrap()
            .code(),
        4
    );
    let _ = fs::remove_file(beside);
    let _ = fs::remove_dir_all(dir);
}
