//! Directories that hold what no mirror holds: pipes, links, files without end, more files than anybody reads. Both
//! implementations give the same answer, name the file, and come to an end.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use m3j_phase_verdict::Signer;
use p1_audit::EvidenceSet;
use p1_audit::evidence_set::{LARGEST_OBJECT, MOST_BYTES};
use p1_audit::verify::{Standing, verify as judge};
use p1_tests::directories::{exit_code, page, replay};
use p1_tests::runs::{Mirrored, advanced};
use serde_json::{Value, json};

use crate::second_verifier::SecondVerifier;
use crate::{START, expect};

/// Some keys of the run.
struct Keys {
    /// The run's root.
    root: String,
    /// An object that closures name.
    named: String,
}

fn keys(run: &Mirrored) -> Keys {
    let of = |ending: &str| run.files.keys().find(|key| key.ends_with(ending)).unwrap().clone();
    Keys {
        root: of("/ledger/000001.json")
            .trim_end_matches("ledger/000001.json")
            .to_owned(),
        named: of("/m3b_execution_summary.json"),
    }
}

fn pipe(path: &Path) {
    let _ = fs::remove_file(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A file of this length that takes no room on the disk.
fn sparse(path: &Path, bytes: u64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    File::create(path).unwrap().set_len(bytes).unwrap();
}

/// What is done at a place of an intact directory.
#[derive(Debug, Clone, Copy)]
enum Odd {
    Nothing,
    Pipe,
    Socket,
    /// What lies there lies elsewhere, with a link to it in its place.
    MovedOut,
    /// A link that leads to this.
    Link(&'static str),
    /// A file of this length.
    Large(u64),
    /// More files than are read.
    TooMany,
    DeepFolder,
    Unreadable,
    /// A file whose name is no text.
    NoText,
}

impl Odd {
    fn make(self, dir: &Path, place: &str) {
        let path = dir.join(place);
        match self {
            Odd::Nothing => {}
            Odd::Pipe => pipe(&path),
            Odd::Socket => drop(UnixListener::bind(path).unwrap()),
            Odd::MovedOut => {
                let outside = dir.with_extension("outside");
                fs::rename(&path, &outside).unwrap();
                symlink(outside, path).unwrap();
            }
            Odd::Link(to) => symlink(to, path).unwrap(),
            Odd::Large(bytes) => sparse(&path, bytes),
            Odd::TooMany => {
                // Large ones first, then ever smaller ones, so that nothing is left for what comes after them.
                for (bytes, count) in [(LARGEST_OBJECT, MOST_BYTES / LARGEST_OBJECT), (4096, 1024), (64, 64)] {
                    for number in 0..count {
                        sparse(
                            &path.join(format!("{:07}_{number:04}.bin", LARGEST_OBJECT - bytes)),
                            bytes,
                        );
                    }
                }
            }
            Odd::DeepFolder => fs::create_dir_all(path.join("d/".repeat(897))).unwrap(),
            Odd::Unreadable => fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap(),
            Odd::NoText => fs::write(path.with_file_name(OsStr::from_bytes(b"caf\xe9.json")), "{}").unwrap(),
        }
    }
}

/// What is done, where, and the exit status. `{run}` is the run's root, `{object}` an object that closures name. The answer names the
/// place.
const CASES: [(Odd, &str, u8); 25] = [
    (Odd::Nothing, "", 0),
    (Odd::Pipe, "evidence/pipe", 2),
    (Odd::Pipe, "{run}pipe", 2),
    (Odd::Pipe, "{object}", 2),
    (Odd::Pipe, "objects.json", 2),
    (Odd::Pipe, "execution_history.json", 2),
    (Odd::Pipe, "object_versions.json", 2),
    (Odd::Socket, "evidence/s", 2),
    (Odd::MovedOut, "{object}", 2),
    (Odd::MovedOut, "objects.json", 2),
    (Odd::MovedOut, "execution_history.json", 2),
    (Odd::MovedOut, "evidence", 2),
    (Odd::Link("/"), "evidence/root", 2),
    (Odd::Link("loop"), "evidence/loop", 2),
    (Odd::Link(".."), "evidence/up", 2),
    (Odd::Link("nowhere"), "other_versions", 2),
    (Odd::Large(20 << 30), "evidence/x/large.json", 2),
    // Objects of later phases may be of any size, and as many as they like.
    (Odd::Large(20 << 30), "{run}later/large.json", 0),
    (Odd::TooMany, "{run}a", 0),
    (Odd::Large(300 << 20), "{object}", 2),
    (Odd::Large(300 << 20), "objects.json", 2),
    (Odd::Large(300 << 20), "{run}ledger/000003.json", 2),
    (Odd::DeepFolder, "evidence/d/d/d", 2),
    (Odd::NoText, "evidence/caf", 2),
    (Odd::Unreadable, "{object}", 3),
];

#[tokio::test]
async fn what_no_mirror_holds_gets_the_same_answer_of_both() {
    let run = advanced(START, Signer::Off).await;
    let keys = keys(&run);
    let second = &mut SecondVerifier::start();
    for (number, (odd, place, expected)) in CASES.into_iter().enumerate() {
        let place = place.replace("{run}", &keys.root).replace("{object}", &keys.named);
        let what = format!("{odd:?} at {place}");
        let dir = run.write(&format!("odd-files-{number}"));
        odd.make(&dir, &place);
        // Nothing is unreadable to root.
        let expected = if expected == 3 && File::open(dir.join(&keys.named)).is_ok() {
            0
        } else {
            expected
        };
        let (report, answer) = expect(second, &dir, expected, &what);
        assert_eq!(answer["foreign"], json!(report.foreign.count), "{what}");
        if expected > 0 {
            let is_named = report.findings.iter().any(|finding| finding.subject.contains(&place));
            assert!(is_named, "{what}: {:?}", report.findings);
            assert!(answer["findings"].to_string().contains(&place), "{what}: {answer}");
        }
        // The others come to an end as well.
        assert!(page(&dir, &[]).contains("</html>"), "{what}");
        replay(&dir).await;
        let _ = fs::set_permissions(dir.join(&keys.named), fs::Permissions::from_mode(0o644));
        let _ = fs::remove_dir_all(&dir);
        let _ = fs::remove_file(dir.with_extension("outside"))
            .or_else(|_| fs::remove_dir_all(dir.with_extension("outside")));
    }
}

/// What cannot be looked into is no evidence directory, to both.
#[test]
fn what_is_no_directory_is_usage() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    fs::write(at("file"), "").unwrap();
    fs::create_dir(at("empty")).unwrap();
    pipe(&at("pipe"));
    symlink("loop", at("loop")).unwrap();
    let second = &mut SecondVerifier::start();
    for name in ["missing", "file", "empty", "pipe", "loop", "file/below"] {
        assert!(p1::directory::read(&at(name)).is_err(), "{name}");
        assert_eq!(second.verify(&at(name))["exit_status"], json!(4), "{name}");
    }
    fs::write(at("empty/objects.json"), "[]\n").unwrap();
    assert!(p1::directory::read(&at("empty")).is_ok());
    assert_eq!(second.verify(&at("empty"))["exit_status"], json!(3));
}

/// The second implementation says 1 of a run that is held, and of nothing else.
#[test]
fn the_second_implementation_never_ends_with_1_because_it_failed() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = here.join("verify/verify.py");
    let scratch = tempfile::tempdir().unwrap();
    let ends = |command: &mut Command| command.output().unwrap().status.code();
    // It is broken, so that every directory makes it fail.
    let broken = fs::read_to_string(&script).unwrap().replace(
        "def check(self):",
        "def check(self):\n        1 / 0\n\n    def unused(self):",
    );
    // It finds schemas and blockers from where it lies.
    let copy = scratch.path().join("tests/verify/verify.py");
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    fs::write(&copy, broken).unwrap();
    for folder in ["statemachine", "docs"] {
        symlink(here.parent().unwrap().join(folder), scratch.path().join(folder)).unwrap();
    }
    fs::write(scratch.path().join("objects.json"), "[]\n").unwrap();
    let python = |script: &Path| {
        let mut command = Command::new("python3");
        command.arg(script);
        command
    };
    assert_eq!(ends(python(&copy).arg(scratch.path())), Some(3));
    // Nobody reads its answer.
    let closed = File::create("/dev/full");
    if let Ok(full) = closed {
        assert_eq!(
            python(&script)
                .arg(scratch.path())
                .stdout(full)
                .status()
                .unwrap()
                .code(),
            Some(3)
        );
    }
    assert_eq!(ends(&mut python(&script)), Some(4));
}

/// Sixty thousand files, and as many closing summaries and records as a forger likes. An algorithm that compares each with each
/// of the others would not come to an end here.
#[tokio::test]
async fn many_files_take_no_more_than_their_number() {
    let run = advanced(START, Signer::Off).await;
    let keys = keys(&run);
    let with =
        |others: BTreeMap<String, Vec<u8>>| EvidenceSet::from_mirror(run.files.clone().into_iter().chain(others), []);
    let foreign = |folder: &str| {
        (0..60_000)
            .map(|n| (format!("{folder}{n:06}.json"), b"{}\n".to_vec()))
            .collect()
    };

    let report = judge(&with(foreign("evidence/x/")), &[]);
    assert_eq!(report.standing, Standing::Tampered);
    assert!(report.findings.len() >= 60_000, "each is named");
    let report = judge(&with(foreign(&format!("{}later/", keys.root))), &[]);
    assert_eq!((exit_code(&report), report.foreign.count), (0, 60_000));

    // Executions that never were: each has a record, and closing summaries that fit no execution.
    let record: Value = serde_json::from_slice(&run.files[&format!("{}ledger/000001.json", keys.root)]).unwrap();
    let summary: Value = serde_json::from_slice(&run.files[&keys.named]).unwrap();
    let control = keys.named.split("m3b_").next().unwrap();
    let mut forged = BTreeMap::new();
    for n in 0..10_000_u32 {
        let mut record = record.clone();
        let sequence = n + 3;
        record["sequence"] = json!(sequence);
        record["holder"] = json!(format!("{}-{n}", record["holder"].as_str().unwrap()));
        forged.insert(format!("{}ledger/{sequence:06}.json", keys.root), document(&record));
        let mut summary = summary.clone();
        let id = format!("m3b_20260223T174307Z_{n:012x}");
        summary["phase_execution_id"] = json!(id);
        forged.insert(format!("{control}{id}/m3b_execution_summary.json"), document(&summary));
    }
    let set = with(forged);
    let report = judge(&set, &[]);
    assert_eq!(report.standing, Standing::Tampered);
    assert!(p1_report::page(&set, &report).contains("</html>"));
}

fn document(value: &Value) -> Vec<u8> {
    p1_contract::canonical::to_document(value).unwrap()
}
