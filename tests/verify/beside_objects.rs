//! What a mirror holds beside the evidence: the bucket's count of versions and delete markers, objects of others, files of
//! operating systems, and records of the ledger that no execution wrote.

use m3j_phase_verdict::Signer;
use p1_audit::verify::Report;
use p1_contract::canonical::to_document;
use p1_tests::runs::{Mirrored, advanced, contradicted, held, resumed};
use serde_json::{Value, json};

use crate::damage::relist;
use crate::second_verifier::SecondVerifier;
use crate::{START, expect_run, mirrored};

/// The history of keys as the bucket counts it for an untouched run.
fn untouched(run: &Mirrored) -> Value {
    let keys = run
        .files
        .keys()
        .filter(|path| path.starts_with("evidence/") && !path.contains("/m2j_"));
    let keys: Vec<Value> = keys
        .map(|key| json!({"key": key, "versions": 1, "delete_markers": 0}))
        .collect();
    json!({"keys": keys, "foreign": {"count": 0, "keys": []}, "ghosts": []})
}

fn put(run: &mut Mirrored, path: &str, bytes: impl Into<Vec<u8>>) {
    run.files.insert(path.to_owned(), bytes.into());
}

fn with_versions(run: &Mirrored, edit: impl FnOnce(&mut Value)) -> Mirrored {
    let mut versions = untouched(run);
    edit(&mut versions);
    let mut run = mirrored(run.files.clone());
    put(&mut run, "object_versions.json", to_document(&versions).unwrap());
    run
}

/// Both implementations give the directory this exit status, and count the same foreign objects.
fn expect(second: &mut SecondVerifier, run: &Mirrored, what: &str, expected: u8) -> Report {
    let (report, answer) = expect_run(second, run, expected, what);
    assert_eq!(answer["foreign"], report.foreign.count, "{what}: {answer}");
    report
}

fn root(run: &Mirrored) -> String {
    let ledger = run
        .files
        .keys()
        .find(|path| path.ends_with("/ledger/000001.json"))
        .unwrap();
    ledger.trim_end_matches("ledger/000001.json").to_owned()
}

#[tokio::test]
async fn versions_that_the_bucket_counted_are_checked_and_an_older_mirror_verifies() {
    let second = &mut SecondVerifier::start();
    let runs = [
        (advanced(START, Signer::Off).await, 0),
        (held(START, Signer::Off).await, 1),
        (resumed(START, Signer::Off).await, 0),
    ];
    let mut tried = 0;
    for (run, intact) in &runs {
        expect(second, run, "an old mirror", *intact);
        expect(second, &with_versions(run, |_| {}), "untouched", *intact);
        let keys = untouched(run)["keys"].as_array().unwrap().len();
        // Every key of the first run, and some of the others'.
        for number in (0..keys).step_by(if tried == 0 { 1 } else { 5 }) {
            for (field, count) in [("versions", 2), ("delete_markers", 1)] {
                tried += 1;
                let touched = with_versions(run, |versions| versions["keys"][number][field] = json!(count));
                let report = expect(second, &touched, field, 2);
                let key = &untouched(run)["keys"][number]["key"];
                assert!(report.findings.iter().any(|finding| json!(finding.subject) == *key));
            }
        }
        let ghosts = with_versions(run, |versions| versions["ghosts"] = json!([2, 3]));
        expect(second, &ghosts, "ghosts", 3);
        for (what, edit) in [
            ("a field more", (|versions| versions["x"] = json!(1)) as fn(&mut Value)),
            ("a key's field more", |versions| versions["keys"][0]["x"] = json!(1)),
            ("a key's field less", |versions| {
                drop(versions["keys"][0].as_object_mut().unwrap().remove("versions"));
            }),
            ("no list", |versions| versions["keys"] = json!({})),
            ("no foreign ones", |versions| {
                drop(versions.as_object_mut().unwrap().remove("foreign"));
            }),
        ] {
            expect(second, &with_versions(run, edit), what, 2);
        }
        let mut spaced = with_versions(run, |_| {});
        let bytes = [&spaced.files["object_versions.json"][..], b" "].concat();
        put(&mut spaced, "object_versions.json", bytes);
        expect(second, &spaced, "other bytes", 2);
    }
    println!("histories of keys that were touched: {tried}, all tampering");
}

#[tokio::test]
async fn objects_of_others_are_counted_and_named_and_are_no_evidence() {
    let second = &mut SecondVerifier::start();
    for (run, intact) in [
        (advanced(START, Signer::Off).await, 0),
        (held(START, Signer::Off).await, 1),
    ] {
        let root = root(&run);
        let later: [(&str, &[u8]); 6] = [
            ("m4/state.json", b"{\"artifact\": 1, \"artifact\": 2"),
            (
                "m4/ids.json",
                b"{\"artifact\":\"x\",\"platform_run_id\":\"platform_20200101T000000Z\"}\n",
            ),
            ("m4/part-0000.parquet", &[0, 159, 146, 150]),
            ("run.json.bak", b""),
            (".DS_Store", b"\0\0\0\x01Bud1"),
            ("m4/desktop.ini", b"[.ShellClassInfo]"),
        ];
        let mut with = mirrored(run.files.clone());
        for (name, bytes) in later {
            put(&mut with, &format!("{root}{name}"), bytes);
        }
        for (name, place) in [
            (".DS_Store", "evidence/"),
            ("Thumbs.db", "evidence/dev_full/run_control/"),
        ] {
            put(&mut with, &format!("{place}{name}"), "");
        }
        let report = expect(second, &with, "unlisted", intact);
        assert_eq!(report.foreign.count, 8);
        assert!(
            report.foreign.keys.contains(&format!("{root}m4/state.json")),
            "{:?}",
            report.foreign
        );
        let listed = relist(&with.files, &format!("{root}m4/state.json"), Some(later[0].1));
        put(&mut with, "objects.json", listed);
        expect(second, &with, "one of them listed", intact);
        // What the mirror lists must be what it listed, whoever wrote it.
        put(&mut with, &format!("{root}m4/state.json"), "other");
        expect(second, &with, "one of them listed, with other bytes", 2);
        // What the mirror says of foreign keys silences nothing of P1's own.
        let own = format!("{root}ledger/000001.json");
        let mut counted = with_versions(&run, |versions| {
            versions["foreign"] = json!({"count": 12, "keys": [own, format!("{root}m4/"), format!("{root}m4//x")]});
        });
        assert_eq!(expect(second, &counted, "counted", intact).foreign.count, 12);
        put(&mut counted, &own, "{}");
        expect(second, &counted, "an own key among the foreign", 2);
        // The ledger is P1's alone, and so is everything outside the run's root.
        for foreign in [
            format!("{root}ledger/000009.txt"),
            format!("{root}ledger/notes/000001.json"),
            "evidence/runs/platform_20200101T000000Z/m4/state.json".to_owned(),
            "evidence/dev_full/run_control/m4/state.json".to_owned(),
        ] {
            let mut with = mirrored(run.files.clone());
            put(&mut with, &foreign, "{}");
            expect(second, &with, &foreign, 2);
        }
    }
}

/// Changes the ledger's record at `sequence`, or adds it from record 1, and lists it.
fn with_record(run: &Mirrored, sequence: u32, edit: impl FnOnce(&mut Value)) -> Mirrored {
    with_record_as(run, sequence, edit, |record| to_document(record).unwrap())
}

/// [`with_record`], rendered in this way.
fn with_record_as(
    run: &Mirrored,
    sequence: u32,
    edit: impl FnOnce(&mut Value),
    render: impl FnOnce(&Value) -> Vec<u8>,
) -> Mirrored {
    let root = root(run);
    let key = format!("{root}ledger/{sequence:06}.json");
    let first = format!("{root}ledger/000001.json");
    let mut record: Value = serde_json::from_slice(run.files.get(&key).unwrap_or(&run.files[&first])).unwrap();
    record["sequence"] = json!(sequence);
    edit(&mut record);
    let bytes = render(&record);
    let mut changed = mirrored(run.files.clone());
    let list = relist(&changed.files, &key, Some(&bytes));
    put(&mut changed, "objects.json", list);
    put(&mut changed, &key, bytes);
    changed
}

#[tokio::test]
async fn every_detail_of_a_ledger_record_is_checked() {
    let second = &mut SecondVerifier::start();
    let run = held(START, Signer::Off).await;
    let holder = |record: &mut Value, from: &str, to: &str| {
        let arn = record["holder"].as_str().unwrap().replace(from, to);
        record["holder"] = json!(arn);
    };
    let ghost = with_record(&run, 3, |record| holder(record, "run-1", "ghost"));
    expect(second, &ghost, "a record that only the bucket can doubt", 1);
    for (what, from, to) in [
        ("another account", "123456789012", "210987654321"),
        ("another region", "eu-west-2", "eu-west-1"),
        ("another machine", "platform-run-v0", "platform-run-v1"),
    ] {
        let elsewhere = with_record(&run, 3, |record| holder(record, from, to));
        expect(second, &elsewhere, what, 2);
    }
    for (what, sequence, field, value) in [
        ("no execution", 3, "holder", json!("somebody")),
        (
            "another stamp of its holder",
            2,
            "holder_stamp_utc",
            json!("2026-02-23T17:43:08Z"),
        ),
        ("a null verdict", 3, "verdict", Value::Null),
        ("a field more", 3, "x", json!(1)),
        ("the number zero", 0, "sequence", json!(0)),
        ("another schema version", 3, "schema_version", json!(3)),
    ] {
        expect(
            second,
            &with_record(&run, sequence, |record| record[field] = value),
            what,
            2,
        );
    }
    let spaces = |record: &Value| format!("{record:#}\n").into_bytes();
    expect(second, &with_record_as(&run, 3, |_| {}, spaces), "spaces", 2);
    let gap = with_record(&run, 5, |record| holder(record, "run-1", "ghost"));
    expect(second, &gap, "a gap", 3);
}

/// Whatever is written can be read again: findings are cut by a rule that says how many were cut.
#[tokio::test]
async fn a_held_run_names_its_first_findings_and_counts_the_rest() {
    let second = &mut SecondVerifier::start();
    for handles in [98, 99, 100, 101, 8_000, 50_000] {
        let run = contradicted(START, handles).await;
        let report = expect(second, &run, "contradictory handles", 1);
        assert_eq!(report.findings.len(), 0);
        let largest = run.files.values().map(Vec::len).max().unwrap();
        assert!(largest < 100_000, "{largest} bytes");
        let register = run
            .files
            .iter()
            .find(|(path, _)| path.ends_with("/m3a_blocker_register.json"))
            .unwrap()
            .1;
        let register: Value = serde_json::from_slice(register).unwrap();
        let blockers = register["blockers"].as_array().unwrap();
        let cut: Vec<&str> = blockers
            .iter()
            .filter_map(|blocker| {
                blocker["detail"]
                    .as_str()
                    .filter(|detail| detail.contains("more findings"))
            })
            .collect();
        let named = blockers.len() - cut.len();
        let more = (handles > 99).then(|| format!("{} more findings of this code", handles - 99));
        assert_eq!(
            (named, cut),
            (handles.min(99), more.iter().map(String::as_str).collect())
        );
    }
}
