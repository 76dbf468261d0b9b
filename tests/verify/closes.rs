//! `cargo p1 close`: the closure notes of intact evidence go to three documents, once, and a receipt says where.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use m3j_phase_verdict::Signer;
use p1::CliError;
use p1::args::CloseArgs;
use p1::commands::close::close;
use p1_tests::runs::{self, KEY, Mirrored, advanced, held_at_once, single_state};
use p1_tests::world::{signer, signing_key};
use p256::pkcs8::{EncodePublicKey, LineEnding};
use serde_json::{Value, json};

use crate::START;

const DOCUMENTS: [&str; 3] = ["platform.build_plan.md", "platform.impl_actual.md", "logbook.md"];
const RUN: &str = "platform_20260223T174307Z";

/// A run's evidence beside three documents.
struct Desk {
    /// Ends with the test.
    dir: tempfile::TempDir,
    run: PathBuf,
}

impl Desk {
    fn of(run: &Mirrored, name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for document in DOCUMENTS {
            fs::write(dir.path().join(document), "# Document\r\n\r\nwithout a final newline").unwrap();
        }
        let run = run.write(name);
        Desk { dir, run }
    }

    fn args(&self) -> CloseArgs {
        CloseArgs {
            dir: self.run.clone(),
            docs: Some(self.dir.path().to_owned()),
            receipt: Some(self.path("receipt.json")),
            ..CloseArgs::default()
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn receipt(&self) -> Value {
        serde_json::from_str(&self.text("receipt.json")).unwrap()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.run);
    }
}

async fn refused(args: CloseArgs) -> String {
    match close(args).await {
        Err(CliError::Usage(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn each_note_goes_to_its_document_once_and_the_receipt_says_where() {
    let run = advanced(START, Signer::Off).await;
    let desk = Desk::of(&run, "closed");
    close(desk.args()).await.unwrap();
    let receipt = desk.receipt();
    assert_eq!(
        (&receipt["run"], &receipt["verdict"]),
        (&json!(RUN), &json!("ADVANCE_TO_M4"))
    );
    for (note, document) in receipt["notes"].as_array().unwrap().iter().zip(DOCUMENTS) {
        let text = desk.text(document);
        let lines: Vec<&str> = text.split('\n').collect();
        let line = usize::try_from(note["line"].as_u64().unwrap()).unwrap();
        let marker = format!("<!-- p1-closure: {RUN} {} -->\r", note["note_sha256"].as_str().unwrap());
        assert_eq!(lines[line - 1], marker, "{document}");
        assert!(lines.iter().rev().skip(1).all(|line| line.ends_with('\r')), "{text}");
        // Ids, keys and codes can be searched for as they are.
        for id in [RUN, "m3_execution_summary.json", "ADVANCE_TO_M4", "M3.F"] {
            assert!(text.contains(id), "{document} has no {id}");
        }
        assert!(!text.contains("\\_"), "{text}");
    }
    let before = DOCUMENTS.map(|document| desk.text(document));
    close(desk.args()).await.unwrap();
    assert_eq!(before, DOCUMENTS.map(|document| desk.text(document)));
    assert_eq!(receipt, desk.receipt());

    // What is left of an interrupted close is finished.
    fs::write(desk.path("logbook.md"), "").unwrap();
    close(desk.args()).await.unwrap();
    assert!(desk.text("logbook.md").starts_with("<!-- p1-closure: "));
    assert_eq!(desk.receipt()["notes"][2]["line"], 1);
    assert_eq!(
        fs::read_dir(desk.dir.path()).unwrap().count(),
        4,
        "nothing stays behind"
    );
}

#[tokio::test]
async fn documents_can_be_named_and_a_logbook_can_have_a_file_a_day() {
    let run = held_at_once(START, Signer::Off).await;
    let desk = Desk::of(&run, "closed-named");
    let real = desk.path("elsewhere.md");
    fs::write(&real, "real\n").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&real, desk.path("plan.md")).unwrap();
    fs::create_dir(desk.path("days")).unwrap();
    let args = || CloseArgs {
        docs: None,
        master_plan: Some(desk.path("plan.md")),
        implementation_map: Some(desk.path(DOCUMENTS[1])),
        logbook: Some(desk.path("days")),
        ..desk.args()
    };
    close(args()).await.unwrap();
    close(args()).await.unwrap();
    assert!(fs::symlink_metadata(desk.path("plan.md")).unwrap().is_symlink());
    let plan = fs::read_to_string(&real).unwrap();
    assert!(
        plan.starts_with("real\n\n<!-- p1-closure: m3j_") && plan.matches("p1-closure").count() == 1,
        "{plan}"
    );
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(desk.text("days/2026-02-23.md").contains("HOLD_M3"));
    // A document that is missing is never made, and nothing is written to the others.
    let before = desk.text(DOCUMENTS[1]);
    fs::remove_file(desk.path("plan.md")).unwrap();
    assert!(refused(args()).await.contains("plan.md"));
    let twice = CloseArgs {
        logbook: Some(desk.path(DOCUMENTS[1])),
        ..desk.args()
    };
    assert!(refused(twice).await.contains("are one file"));
    assert_eq!(before, desk.text(DOCUMENTS[1]));
}

#[tokio::test]
async fn evidence_that_is_not_intact_is_not_closed() {
    let run = advanced(START, signer(KEY)).await;
    let desk = Desk::of(&run, "closed-not");
    let key = |n: u8, name: &str| {
        let key = signing_key(n)
            .verifying_key()
            .to_public_key_pem(LineEnding::LF)
            .unwrap();
        fs::write(desk.path(name), key).unwrap();
        desk.path(name)
    };
    let with = |keys: Vec<PathBuf>| CloseArgs { keys, ..desk.args() };
    let untouched = |desk: &Desk| {
        DOCUMENTS
            .iter()
            .all(|document| !desk.text(document).contains("p1-closure"))
    };
    assert!(refused(with(vec![key(KEY + 1, "other.pem")])).await.contains("verify"));
    let note = find(&desk.run, ".md");
    let intact = fs::read(&note).unwrap();
    fs::write(&note, "other").unwrap();
    assert!(refused(desk.args()).await.contains("nothing was appended"));
    assert!(untouched(&desk));
    fs::write(&note, intact).unwrap();
    fs::write(desk.path("logbook.md"), b"caf\xe9").unwrap();
    assert!(refused(desk.args()).await.contains("logbook.md"));
    assert!(untouched_but_log(&desk));
    fs::write(desk.path("logbook.md"), "").unwrap();
    close(with(vec![key(KEY, "own.pem")])).await.unwrap();
    let empty = tempfile::tempdir().unwrap();
    let args = CloseArgs {
        dir: empty.path().to_owned(),
        ..desk.args()
    };
    assert!(refused(args).await.contains("no evidence directory"));
}

fn untouched_but_log(desk: &Desk) -> bool {
    DOCUMENTS[..2]
        .iter()
        .all(|document| !desk.text(document).contains("p1-closure"))
}

/// A file below this folder whose name ends so.
fn find(dir: &Path, ending: &str) -> PathBuf {
    let files = p1_tests::stage::files(dir);
    files
        .into_iter()
        .find(|file| file.to_string_lossy().ends_with(ending))
        .unwrap()
}

/// What has no verdict has no notes; the error says what it is, and what to give instead.
#[tokio::test]
async fn an_execution_without_a_verdict_is_not_closed() {
    for (name, run, what) in [
        (
            "single",
            single_state(START, Signer::Off, true).await,
            "One state alone: M3.F, PASS",
        ),
        (
            "refused",
            runs::refused(START, Signer::Off).await,
            "Refused rerun: M3G-B2",
        ),
    ] {
        let desk = Desk::of(&run, &format!("not-closed-{name}"));
        let before = DOCUMENTS.map(|document| desk.text(document));
        let why = refused(desk.args()).await;
        assert!(why.contains(what) && why.contains("no closure notes"), "{why}");
        assert_eq!(before, DOCUMENTS.map(|document| desk.text(document)));
    }
}
