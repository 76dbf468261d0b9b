//! `cargo p1 replay`: intact evidence replays to its own bytes, and the step that gives other bytes is named.

use std::fs;

use m3j_phase_verdict::Signer;
use p1_audit::EvidenceSet;
use p1_audit::verify::Standing as Judged;
use p1_contract::canonical::to_document;
use p1_contract::hash::Sha256Hex;
use p1_replay::{InputSource, Recomputed, Report, Standing, Verified};
use p1_tests::directories::{exit_code, replay};
use p1_tests::runs::{KEY, Mirrored, advanced, entered, held, held_at_once, occupied, resumed};
use p1_tests::world::signer;
use serde_json::{Value, json};

use crate::damage::Files;
use crate::forgery::forged;
use crate::{START, mirrored, put};

const M3C_SUMMARY: &str = "/m3c_execution_summary.json";

/// Changes the document at the path with this end.
fn change(run: &mut Mirrored, end: &str, change: impl FnOnce(&mut Value)) {
    let (_, bytes) = run.files.iter_mut().find(|(path, _)| path.ends_with(end)).unwrap();
    let mut document: Value = serde_json::from_slice(bytes).unwrap();
    change(&mut document);
    *bytes = to_document(&document).unwrap();
}

async fn replayed(run: Mirrored, name: &str) -> Report {
    let dir = run.write(&format!("replay-{name}"));
    let report = replay(&dir).await;
    let _ = fs::remove_dir_all(dir);
    report
}

/// The steps that were replayed, with the executions that they are of.
fn steps(report: &Report) -> Vec<Vec<&str>> {
    report
        .executions
        .iter()
        .map(|execution| execution.steps.iter().map(|step| step.step.id()).collect())
        .collect()
}

fn equal(report: &Report) {
    assert_eq!(report.standing, Standing::Equal, "{report:#?}");
    assert_eq!((report.counts.different, report.counts.missing), (0, 0));
}

const ALL: [&str; 10] = [
    "M3.A", "M3.B", "M3.C", "M3.D", "M3.E", "M3.F", "M3.G", "M3.H", "M3.I", "M3.J",
];

/// What the entry read of the run is from outside; its own three objects are made again.
#[tokio::test]
async fn an_entry_replays_to_its_own_bytes_and_a_doctored_answer_does_not() {
    for is_known in [true, false] {
        let report = replayed(entered(START, signer(KEY), is_known).await.whole(), "entry").await;
        equal(&report);
        assert_eq!(steps(&report), [vec!["ENTRY"]]);
        assert_eq!(report.counts.equal, 2, "the observations are its input");
        let mut doctored = entered(START, signer(KEY), is_known).await.whole();
        change(&mut doctored, "/m3j_phase_entry.json", |receipt| {
            receipt["admitted"] = json!(!is_known);
        });
        let report = replayed(doctored, "entry-doctored").await;
        assert_eq!(report.standing, Standing::Differs, "{report:#?}");
    }
}

#[tokio::test]
async fn every_run_replays_to_its_own_bytes() {
    let report = replayed(advanced(START, signer(KEY)).await.whole(), "advanced").await;
    equal(&report);
    assert_eq!(steps(&report), [ALL.to_vec()]);
    // Everything but the receipt of M2, the ten observations and the signature was made again.
    let objects = advanced(START, signer(KEY)).await.files.len() - 2;
    assert_eq!((report.counts.equal, report.counts.from_outside), (objects - 14, 1));
    assert_eq!(report.counts.sidecars, 3);
    assert_eq!(report.executions[0].input, InputSource::ExecutionHistory);

    let report = replayed(held(START, Signer::Off).await.whole(), "held").await;
    equal(&report);
    assert_eq!(
        steps(&report),
        [["M3.A", "M3.B", "M3.C", "M3.D", "M3.E", "M3.F", "M3.I", "M3.J"].to_vec()]
    );

    let report = replayed(held_at_once(START, Signer::Off).await.whole(), "held_at_once").await;
    equal(&report);
    assert_eq!(steps(&report), [["M3.A", "M3.I", "M3.J"].to_vec()]);
}

#[tokio::test]
async fn a_resumed_run_replays_with_the_execution_that_it_went_on_with() {
    let report = replayed(resumed(START, Signer::Off).await.whole(), "resumed").await;
    equal(&report);
    assert_eq!(
        steps(&report),
        [
            ["M3.A", "M3.B", "M3.C", "M3.D", "M3.E", "M3.F", "M3.I", "M3.J"].to_vec(),
            ["ADMISSION", "M3.F", "M3.G", "M3.H", "M3.I", "M3.J"].to_vec(),
        ]
    );
    let inputs: Vec<InputSource> = report.executions.iter().map(|execution| execution.input).collect();
    assert_eq!(inputs, [InputSource::Evidence, InputSource::ExecutionHistory]);
}

/// The evidence says enough of the input; the engine's word is not needed where there is a ledger.
#[tokio::test]
async fn a_run_replays_without_the_history() {
    for (name, mut run) in [
        ("advanced", advanced(START, Signer::Off).await),
        ("held", held(START, Signer::Off).await),
        ("resumed", resumed(START, Signer::Off).await),
    ] {
        run.files.remove("execution_history.json");
        let report = replayed(run, &format!("no-history-{name}")).await;
        let missing: Vec<&str> = report.missing.iter().map(|missing| missing.subject.as_str()).collect();
        assert_eq!(
            (report.counts.different, missing),
            (0, vec!["execution_history.json"]),
            "{name}: {report:#?}"
        );
        let sources = report.executions.iter().map(|execution| execution.input);
        assert!(sources.clone().all(|source| source == InputSource::Evidence) && sources.count() > 0);
    }
}

/// What became of a write that failed is no step's to compute: the summary records it.
#[tokio::test]
async fn a_run_whose_key_was_occupied_replays() {
    let run = occupied(START).await;
    let (_, summary) = run.files.iter().find(|(path, _)| path.ends_with(M3C_SUMMARY)).unwrap();
    let summary: Value = serde_json::from_slice(summary).unwrap();
    let lost = &summary["not_stored"];
    assert_eq!(lost[0]["name"], "m3c_run_config_payload");
    assert_eq!(lost[0]["key"], summary["blockers"][0]["subject"]);
    let foreign = Sha256Hex::of(b"foreign").to_string();
    assert_eq!(lost[0]["end"], json!({ "occupied": { "found": foreign } }));
    let report = replayed(run.whole(), "occupied").await;
    equal(&report);
    assert_eq!(steps(&report), [["M3.A", "M3.B", "M3.C", "M3.I", "M3.J"].to_vec()]);
}

/// The record decides and not the blocker's words: another end of the write gives another summary.
#[tokio::test]
async fn what_became_of_a_write_is_read_from_the_record() {
    let mut run = occupied(START).await.whole();
    change(&mut run, M3C_SUMMARY, |summary| {
        summary["not_stored"][0]["end"] = json!("vanished");
    });
    let report = replayed(run, "another-end").await;
    let step = &report.executions[0].steps[2];
    assert_eq!((step.step.id(), step.standing), ("M3.C", Standing::Differs));
    let at = &step.differences[0];
    assert_eq!(
        (at.artifact.as_str(), at.pointer.as_str()),
        ("m3c_execution_summary", "/blockers/0/code")
    );
}

/// Evidence of earlier releases records no end of a write that failed.
#[tokio::test]
async fn a_write_that_failed_and_is_not_recorded_cannot_be_recomputed() {
    let mut run = occupied(START).await.whole();
    change(&mut run, M3C_SUMMARY, |summary| {
        summary.as_object_mut().unwrap().remove("not_stored");
    });
    let report = replayed(run, "no-end").await;
    let step = &report.executions[0].steps[2];
    assert_eq!(
        (step.step.id(), step.standing),
        ("M3.C", Standing::Missing),
        "{step:#?}"
    );
    let mut missing = step.missing.iter().map(|missing| missing.subject.as_str());
    assert!(missing.next().unwrap().ends_with("/m3c_run_config_payload.json"));
    assert!(missing.next().unwrap().ends_with(M3C_SUMMARY));
    assert_eq!((step.differences.len(), missing.next()), (0, None));
}

/// Another observation gives another artifact: the first difference is named, and no other step is suspected.
#[tokio::test]
async fn an_observation_that_was_changed_shows_in_what_follows_from_it() {
    let mut run = advanced(START, Signer::Off).await.whole();
    change(&mut run, "/m3a_observations.json", |document| {
        document["observed"]["handles"]["CONFIG_DIGEST_FIELD"]["value"] = json!("\u{1b}[31manother");
    });
    let report = replayed(run, "observation").await;
    assert_eq!((report.standing, report.counts.missing), (Standing::Differs, 0));
    let steps = || report.executions[0].steps.iter();
    let wrong: Vec<&str> = steps()
        .filter(|step| step.standing != Standing::Equal)
        .map(|step| step.step.id())
        .collect();
    assert_eq!(wrong, ["M3.A"], "{report:#?}");
    let differences = &steps().next().unwrap().differences;
    let first = &differences[0];
    assert_eq!(first.artifact, "m3a_handle_closure_snapshot");
    assert_eq!(first.pointer, "/resolved_handles/CONFIG_DIGEST_FIELD");
    assert_eq!(first.recorded.as_deref(), Some("\"config_digest\""));
    let recomputed = first.recomputed.as_deref().unwrap();
    assert!(recomputed.contains("another"));
    assert!(!recomputed.contains('\u{1b}'), "hostile text stays text");
    // The summary comes after what it names, and the engine's word after that.
    let artifacts: Vec<&str> = differences
        .iter()
        .map(|difference| difference.artifact.as_str())
        .collect();
    assert_eq!(
        artifacts,
        ["m3a_handle_closure_snapshot", "m3a_execution_summary"],
        "{differences:#?}"
    );
}

/// The engine's word on what a function answered is held against the answer.
#[tokio::test]
async fn an_answer_that_the_engine_was_not_given_is_seen() {
    let run = advanced(START, Signer::Off).await.whole();
    for (from, to, at) in [
        (
            r#"\"next_gate\":\"M3.C_READY\""#,
            r#"\"next_gate\":\"M3.D_READY\""#,
            "M3.C",
        ),
        // A verdict without its commit is no step's result.
        (r#"\"committed\":true,"#, "", "M3.J"),
        ("M3.D Orchestrator readiness", "M3.G Rerun discipline", "M3.J"),
    ] {
        let mut files = run.files.clone();
        let history = files.get_mut("execution_history.json").unwrap();
        let text = String::from_utf8(history.clone()).unwrap();
        assert!(text.contains(from), "{from}");
        *history = text.replacen(from, to, 1).into_bytes();
        let report = replayed(mirrored(files), "answer").await;
        assert_eq!(report.standing, Standing::Differs, "{from}");
        let wrong = report.executions[0]
            .steps
            .iter()
            .filter(|step| step.standing == Standing::Differs);
        let wrong: Vec<&str> = wrong.map(|step| step.step.id()).collect();
        assert!(wrong.contains(&at), "{from}: {wrong:?}");
    }
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bytes.len() / 2] ^= 1;
    flipped
}

fn with_a_field(bytes: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut document) => {
            document["zz_added"] = json!(true);
            to_document(&document).unwrap()
        }
        Err(_) => [bytes, b"One line more.\n"].concat(),
    }
}

/// Which steps an object's damage may be seen at: its own, and those that rest on it.
fn owner(key: &str) -> Option<&'static str> {
    let folder = key.strip_prefix("evidence/dev_full/run_control/");
    let letter = folder.and_then(|folder| folder.strip_prefix("m3")?.chars().next());
    match letter {
        Some(_) if key.contains("m3g_admission") => Some("ADMISSION"),
        Some(letter) => ALL.into_iter().find(|step| step.ends_with(letter.to_ascii_uppercase())),
        None => None,
    }
}

/// Every change of every object that a step makes is seen, and at the right step.
async fn every_change_is_seen(name: &str, run: Mirrored, kinds: &[&str]) {
    let run = run.whole();
    let dir = run.write(&format!("replay-changed-{name}"));
    let (mut changed, mut missed) = (0, Vec::new());
    for (path, bytes) in run.files.iter().filter(|(path, _)| path.starts_with("evidence/")) {
        if path.contains("/m2j_") {
            continue;
        }
        let changes = [
            ("flip", Some(flipped(bytes)), Standing::Differs),
            ("add a field", Some(with_a_field(bytes)), Standing::Differs),
            ("truncate", Some(bytes[..bytes.len() / 2].to_vec()), Standing::Differs),
            ("delete", None, Standing::Missing),
        ];
        for (what, bytes, expected) in changes.into_iter().filter(|(what, ..)| kinds.contains(what)) {
            changed += 1;
            put(&dir, path, bytes.as_deref());
            let report = replay(&dir).await;
            let at: Vec<&str> = report
                .executions
                .iter()
                .flat_map(|execution| &execution.steps)
                .filter(|step| step.standing != Standing::Equal)
                .map(|step| step.step.id())
                .collect();
            let named = owner(path).is_none_or(|owner| at.contains(&owner));
            if report.standing != expected || at.is_empty() || !named {
                missed.push(format!(
                    "{what} {path}: {:?} at {at:?}, {:?}",
                    report.standing,
                    report.missing.first()
                ));
            }
        }
        put(&dir, path, Some(bytes));
    }
    equal(&replay(&dir).await);
    println!(
        "replay, {name} run: {changed} changed / {} seen",
        changed - missed.len()
    );
    assert!(missed.is_empty(), "{} missed\n{}", missed.len(), missed.join("\n"));
    let _ = fs::remove_dir_all(dir);
}

#[tokio::test]
async fn every_change_of_an_advanced_run_is_seen() {
    let kinds = ["flip", "add a field", "truncate", "delete"];
    every_change_is_seen("advanced", advanced(START, Signer::Off).await, &kinds).await;
}

#[tokio::test]
async fn every_change_of_a_held_run_is_seen() {
    every_change_is_seen("held", held(START, Signer::Off).await, &["flip"]).await;
}

#[tokio::test]
async fn every_change_of_a_resumed_run_is_seen() {
    every_change_is_seen("resumed", resumed(START, Signer::Off).await, &["delete"]).await;
}

/// `cargo p1 verify` of these files, and whether it replays.
async fn verified(files: Files, replays: bool) -> Verified {
    p1_replay::verify(&EvidenceSet::from_mirror(files, []), &[], replays).await
}

/// What only the steps' own code can tell: a value that no other document repeats, with every hash above it mended.
#[tokio::test]
async fn a_value_that_only_the_steps_can_tell_makes_the_evidence_tampered() {
    let run = advanced(START, Signer::Off).await.whole().files;
    type Edit = fn(&mut Value);
    let edits: [(&str, &str, Edit); 3] = [
        ("m3g_prohibited_mutation_guard_receipts", "/guard_pass", |receipts| {
            receipts["guard_pass"] = json!(false);
        }),
        (
            "phase_budget_envelope",
            "/expected_proof_artifacts/0/step",
            |envelope| {
                envelope["expected_proof_artifacts"][0]["step"] = json!("M3.B");
            },
        ),
        (
            "m3_execution_summary",
            "/completion_checklist/0/evidence/0",
            |summary| {
                summary["completion_checklist"][0]["evidence"][0] = json!("evidence/elsewhere");
            },
        ),
    ];
    for (name, pointer, edit) in edits {
        let files = forged(&run, &format!("{name}.json"), edit);
        let alone = verified(files.clone(), false).await;
        assert_eq!(
            (alone.report.standing, alone.replay.standing),
            (Judged::Pinned, Recomputed::LeftOut),
            "{name}"
        );
        let both = verified(files, true).await;
        let found = (exit_code(&both.report), both.report.standing, both.replay.standing);
        assert_eq!(
            found,
            (2, Judged::Tampered, Recomputed::Differs),
            "{name}: {:?}",
            both.report.findings
        );
        let own = both
            .report
            .findings
            .iter()
            .find(|finding| finding.subject.ends_with(&format!("/{name}.json")));
        let detail = &own.unwrap().detail;
        assert!(detail.contains(&format!("at {pointer},")), "{detail}");
        assert!(both.replay.counts.different > 0);
    }
}

/// Only a difference is a finding; what was not computed again is said.
#[tokio::test]
async fn verify_says_what_was_not_computed_again() {
    let whole = advanced(START, Signer::Off).await.whole().files;
    let equal = verified(whole.clone(), true).await;
    assert_eq!(
        (equal.report.standing, equal.replay.standing),
        (Judged::Pinned, Recomputed::Equal)
    );
    assert!(equal.replay.counts.equal > 40, "{:?}", equal.replay);

    let mut tampered = whole.clone();
    tampered.insert("evidence/foreign.json".to_owned(), b"{}\n".to_vec());
    let tampered = verified(tampered, true).await;
    assert_eq!(
        (tampered.report.standing, tampered.replay.standing),
        (Judged::Tampered, Recomputed::LeftOut)
    );
    assert!(tampered.replay.reason.unwrap().contains("tampered"));

    // Objects of later phases are none of P1's, and nobody computes them.
    let root = whole.keys().find(|key| key.ends_with("/ledger/000001.json")).unwrap();
    let mut later = whole.clone();
    later.insert(root.replace("ledger/000001.json", "m4/state.json"), b"{}\n".to_vec());
    let later = verified(later, true).await;
    assert_eq!(later.report.foreign.count, 1);
    assert_eq!(
        (later.report.standing, later.replay.standing),
        (Judged::Pinned, Recomputed::Equal),
        "{:?}",
        later.replay
    );

    // A bucket holds no history of the engine.
    let mut bucket = EvidenceSet::from_mirror(whole, []);
    (bucket.history, bucket.ending) = (None, None);
    let bucket = p1_replay::verify(&bucket, &[], true).await;
    assert_eq!(
        (bucket.report.standing, bucket.replay.standing),
        (Judged::Pinned, Recomputed::Missing)
    );
    let missing: Vec<&str> = bucket
        .replay
        .missing
        .iter()
        .map(|missing| missing.subject.as_str())
        .collect();
    assert_eq!(missing, ["execution_history.json"]);
    assert_eq!(bucket.replay.counts.equal, equal.replay.counts.equal);

    for (name, status) in p1_tests::revision_1::RUNS {
        let earlier = verified(p1_tests::revision_1::run(name).files, true).await;
        let found = (
            exit_code(&earlier.report),
            earlier.replay.standing,
            earlier.replay.counts.equal,
        );
        assert_eq!(
            found,
            (status, Recomputed::Missing, 0),
            "{name}: {:?}",
            earlier.report.findings
        );
        let is_earlier = |missing: &p1_replay::Missing| missing.reason.contains("is of revision 1");
        assert!(
            earlier.replay.missing.iter().all(is_earlier),
            "{name}: {:?}",
            earlier.replay.missing
        );
    }
    for is_known in [true, false] {
        let entry = verified(entered(START, signer(KEY), is_known).await.whole().files, true).await;
        let expected = if is_known { Judged::Admitted } else { Judged::Refused };
        assert_eq!(
            (entry.report.standing, entry.replay.standing),
            (expected, Recomputed::Equal)
        );
    }
}

/// Other rules for secrets give other bytes.
#[tokio::test]
async fn a_step_that_went_by_earlier_rules_for_secrets_is_not_computed_again() {
    let mut run = advanced(START, Signer::Off).await.whole();
    change(&mut run, M3C_SUMMARY, |summary| {
        summary["secret_scan"]["rules_version"] = json!(0);
    });
    let report = replayed(run, "earlier-rules").await;
    let step = &report.executions[0].steps[2];
    assert_eq!(
        (step.step.id(), step.standing),
        ("M3.C", Standing::Missing),
        "{step:#?}"
    );
    assert!(step.missing[0].reason.contains("version 0 of the rules"), "{step:#?}");
}
