//! `cargo p1 close`: appends the closure notes of a run to the three documents, once per run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use p1_audit::text;
use p1_contract::artifacts::CLOSURE_NOTES;
use p1_contract::evidence::ExecutionSummary;
use p1_contract::evidence::{Document, split, summary_name};
use p1_contract::hash::Sha256Hex;
use p1_contract::step::Step;
use p1_contract::strict::{Limits, parse_strict};
use serde_json::json;

use super::{say, say_object};
use crate::args::CloseArgs;
use crate::atomic;
use crate::directory;
use crate::exit::{CliError, ExitStatus};

/// The closure notes of M3.J, and the document that each goes to.
const NOTES: [(&str, &str); 3] = [
    (CLOSURE_NOTES[0], "platform.build_plan.md"),
    (CLOSURE_NOTES[1], "platform.impl_actual.md"),
    (CLOSURE_NOTES[2], "logbook.md"),
];

/// A note that will be appended. Everything that can be checked is checked before anything is written.
#[derive(Debug)]
struct Append {
    document: PathBuf,
    content: Vec<u8>,
}

/// Runs `cargo p1 close`. If the run was closed before, there is nothing to append; the command says so and succeeds.
///
/// # Errors
/// Returns [`CliError::Usage`] if the evidence has no closure notes, if their bytes differ from the summary's list, or if a
/// document is missing; nothing was written then. Returns [`CliError::Fault`] if a document could not be written; running the
/// command again finishes the rest.
pub async fn close(args: CloseArgs) -> Result<ExitStatus, CliError> {
    let said = append_all(&args.dir, &args.docs)?;
    if args.json {
        say_object(&json!({"done": said, "exit_status": ExitStatus::Advance.code()}))?;
    } else {
        say(&said)?;
    }
    Ok(ExitStatus::Advance)
}

fn append_all(dir: &Path, docs: &Path) -> Result<String, CliError> {
    let (run, notes) = notes(dir)?;
    let _one_at_a_time = lock(docs)?;
    let appends: Vec<Option<Append>> = NOTES
        .iter()
        .zip(&notes)
        .map(|((_, document), note)| plan(&docs.join(document), &run, note))
        .collect::<Result<_, _>>()?;
    let mut written = Vec::new();
    for append in appends.into_iter().flatten() {
        write_in_place(&append)?;
        written.push(show(&append.document));
    }
    Ok(match written.as_slice() {
        [] => format!("{run} is closed already; nothing was appended"),
        documents => format!("{run} is closed; appended to {}", documents.join(", ")),
    })
}

/// The run's name, and its three notes in the order of [`NOTES`].
fn notes(dir: &Path) -> Result<(String, Vec<Vec<u8>>), CliError> {
    let folder = closing_folder(dir)?;
    let name = summary_name(Step::PhaseVerdict);
    let path = folder.join(format!("{name}.json"));
    let refuse = |what: &str| {
        CliError::usage(format!(
            "{}: {}; mirror the run's evidence again",
            show(&path),
            text::clean(what)
        ))
    };
    let value = parse_strict(&read(&path)?, Limits::DOCUMENT).map_err(|error| refuse(&error.to_string()))?;
    let summary: Document<ExecutionSummary> = split(value, &name).map_err(|error| refuse(&error.to_string()))?;
    let run = match (&summary.header.platform_run_id, &summary.header.phase_execution_id) {
        (Some(run), _) => run.to_string(),
        // A run that was held before it had an id is named by the execution that held it.
        (None, Some(execution)) => execution.to_string(),
        (None, None) => return Err(refuse("it names neither a run nor an execution")),
    };
    let note = |name: &str| {
        let listed = summary
            .body
            .artifact(name)
            .ok_or_else(|| refuse(&format!("it lists no {name}")))?;
        let path = folder.join(format!("{name}.md"));
        let bytes = read(&path)?;
        if Sha256Hex::of(&bytes) != listed.sha256 {
            return Err(CliError::usage(format!(
                "{}: its bytes are not those that the summary lists (SHA-256 {}); mirror the run's evidence again",
                show(&path),
                listed.sha256
            )));
        }
        Ok(bytes)
    };
    let notes = NOTES.iter().map(|(name, _)| note(name)).collect::<Result<_, _>>()?;
    Ok((run, notes))
}

/// The folder of M3.J's phase execution. The evidence of a resumed run may hold several; the one with the latest stamp closes the
/// run.
fn closing_folder(dir: &Path) -> Result<PathBuf, CliError> {
    let none = || {
        CliError::usage(format!(
            "{}: holds no closure notes (evidence/<environment>/run_control/m3j_… is not there); give the evidence folder of a run that reached its verdict",
            show(dir)
        ))
    };
    let entries = |path: PathBuf| fs::read_dir(path).map(|entries| entries.flatten().map(|entry| entry.path()));
    let environments = entries(dir.join("evidence")).map_err(|_| none())?;
    let roots = environments.map(|environment| environment.join("run_control"));
    let mut roots: Vec<PathBuf> = roots.filter(|root| root.is_dir()).collect();
    let root = roots.pop().ok_or_else(none)?;
    if let Some(other) = roots.pop() {
        return Err(CliError::usage(format!(
            "{}: holds evidence of two environments, {} and {}, and a run is of one; mirror the run's evidence again",
            show(dir),
            show(&other),
            show(&root)
        )));
    }
    let is_closing = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("m3j_"))
    };
    let mut folders: Vec<PathBuf> = entries(root).map_err(|_| none())?.filter(is_closing).collect();
    folders.sort();
    folders.pop().ok_or_else(none)
}

/// The new content of the document. Returns `None` if the document already holds the run's note.
fn plan(document: &Path, run: &str, note: &[u8]) -> Result<Option<Append>, CliError> {
    // Resolves a symbolic link, so that its target is replaced and not the link.
    let document = fs::canonicalize(document).map_err(|error| {
        CliError::usage(format!(
            "--docs: {} cannot be found ({error}); create the document, it is never made here",
            show(document)
        ))
    })?;
    let mut content = directory::document(&document).map_err(|error| {
        CliError::usage(format!(
            "--docs: {} cannot be read ({error}); give a folder with the three documents",
            show(&document)
        ))
    })?;
    let marker = format!("<!-- p1-closure: {run} {} -->", Sha256Hex::of(note));
    if content
        .split(|byte| *byte == b'\n')
        .any(|line| line.trim_ascii() == marker.as_bytes())
    {
        return Ok(None);
    }
    if !content.is_empty() {
        if !content.ends_with(b"\n") {
            content.push(b'\n');
        }
        content.push(b'\n');
    }
    content.extend_from_slice(marker.as_bytes());
    content.push(b'\n');
    content.extend_from_slice(note);
    if !content.ends_with(b"\n") {
        content.push(b'\n');
    }
    Ok(Some(Append { document, content }))
}

/// Replaces the document atomically and keeps its permissions.
fn write_in_place(append: &Append) -> Result<(), CliError> {
    let path = &append.document;
    let failed = |error: std::io::Error| CliError::failed(&format!("write {}", show(path)), &error);
    let permissions = fs::metadata(path).map_err(failed)?.permissions();
    atomic::write(path, &append.content)?;
    fs::set_permissions(path, permissions).map_err(failed)
}

/// Locks the documents for reading and writing, so that two simultaneous calls append once.
fn lock(docs: &Path) -> Result<File, CliError> {
    let refuse = |error: std::io::Error| {
        CliError::usage(format!(
            "--docs {}: is not a folder that can be read ({error}); give the folder of the three documents",
            show(docs)
        ))
    };
    let folder = File::open(docs).map_err(refuse)?;
    if !folder.metadata().map_err(refuse)?.is_dir() {
        return Err(CliError::usage(format!(
            "--docs {}: is not a folder; give the folder of the three documents",
            show(docs)
        )));
    }
    folder
        .lock()
        .map_err(|error| CliError::failed(&format!("lock {}", show(docs)), &error))?;
    Ok(folder)
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    directory::document(path).map_err(|error| {
        CliError::usage(format!(
            "{}: cannot be read ({error}); mirror the run's evidence again",
            show(path)
        ))
    })
}

fn show(path: &Path) -> String {
    text::clean(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scratch::Scratch;

    const ID: &str = "m3j_20261122T120000Z_0123456789ab";
    const RUN: &str = "platform_20261122T120000Z";

    /// Evidence with three notes, and the three documents.
    fn closed_run() -> Scratch {
        let scratch = Scratch::new();
        let folder = format!("run/evidence/dev_full/run_control/{ID}");
        let artifacts: Vec<Value> = NOTES
            .iter()
            .map(|(name, _)| {
                let note = format!("## {name}\n\nclosed\n");
                scratch.file(&format!("{folder}/{name}.md"), note.as_bytes());
                json!({
                    "name": name, "bucket": "test-evidence", "key": format!("evidence/dev_full/run_control/{ID}/{name}.md"),
                    "version_id": "1", "etag": "e", "sha256": Sha256Hex::of(note.as_bytes()).as_str(), "bytes": note.len()
                })
            })
            .collect();
        let summary = json!({
            "schema_version": 2, "artifact": "m3j_execution_summary", "phase_id": "P1", "step": "M3.J", "phase_execution_id": ID,
            "platform_run_id": RUN, "overall_pass": true, "blocker_count": 0, "blockers": [], "next_gate": "M3.J_READY",
            "artifacts": artifacts, "inputs": [], "upstream": [],
            "secret_scan": {"documents": 0, "hits": 0, "rules_version": 1, "strings": 0}
        });
        scratch.file(
            &format!("{folder}/m3j_execution_summary.json"),
            summary.to_string().as_bytes(),
        );
        for (_, document) in NOTES {
            scratch.file(&format!("docs/{document}"), b"# Document\n\nwithout a final newline");
        }
        scratch
    }

    fn close_it(scratch: &Scratch) -> Result<String, CliError> {
        append_all(&scratch.path("run"), &scratch.path("docs"))
    }

    fn document(scratch: &Scratch, n: usize) -> String {
        fs::read_to_string(scratch.path("docs").join(NOTES[n].1)).unwrap()
    }

    #[test]
    fn each_note_goes_to_its_document_once() {
        let scratch = closed_run();
        assert!(close_it(&scratch).unwrap().contains("appended to"));
        for (n, (name, _)) in NOTES.iter().enumerate() {
            let text = document(&scratch, n);
            assert!(
                text.starts_with(
                    "# Document\n\nwithout a final newline\n\n<!-- p1-closure: platform_20261122T120000Z "
                ),
                "{text}"
            );
            assert!(text.ends_with(&format!("-->\n## {name}\n\nclosed\n")), "{text}");
        }
        let before: Vec<String> = (0..3).map(|n| document(&scratch, n)).collect();
        assert!(close_it(&scratch).unwrap().contains("closed already"));
        assert_eq!(before, (0..3).map(|n| document(&scratch, n)).collect::<Vec<_>>());
        assert_eq!(
            fs::read_dir(scratch.path("docs")).unwrap().count(),
            3,
            "nothing stays behind"
        );
    }

    #[test]
    fn what_is_left_of_an_interrupted_close_is_finished() {
        let scratch = closed_run();
        close_it(&scratch).unwrap();
        scratch.file(&format!("docs/{}", NOTES[2].1), b"");
        let said = close_it(&scratch).unwrap();
        assert!(said.contains("logbook.md") && !said.contains("build_plan"), "{said}");
    }

    #[test]
    fn a_missing_document_is_named_and_nothing_is_written() {
        let scratch = closed_run();
        fs::remove_file(scratch.path("docs/logbook.md")).unwrap();
        let error = close_it(&scratch).unwrap_err();
        assert!(
            matches!(&error, CliError::Usage(message) if message.contains("logbook.md")),
            "{error}"
        );
        assert_eq!(document(&scratch, 0), "# Document\n\nwithout a final newline");
    }

    #[test]
    fn a_changed_note_is_refused() {
        let scratch = closed_run();
        let note = format!("run/evidence/dev_full/run_control/{ID}/{}.md", NOTES[1].0);
        scratch.file(&note, b"other");
        let error = close_it(&scratch).unwrap_err();
        assert!(
            matches!(&error, CliError::Usage(message) if message.contains(NOTES[1].0) && message.contains("not those")),
            "{error}"
        );
        assert_eq!(document(&scratch, 0), "# Document\n\nwithout a final newline");
    }

    #[test]
    fn a_folder_without_closure_is_refused() {
        let scratch = Scratch::new();
        scratch.dir("docs");
        let error = append_all(scratch.root(), &scratch.path("docs")).unwrap_err();
        assert!(
            matches!(&error, CliError::Usage(message) if message.contains("no closure notes")),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let scratch = closed_run();
        let real = scratch.file("elsewhere/log.md", b"real\n");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        fs::remove_file(scratch.path("docs/logbook.md")).unwrap();
        symlink(&real, scratch.path("docs/logbook.md")).unwrap();
        close_it(&scratch).unwrap();
        assert!(fs::read_to_string(&real).unwrap().starts_with("real\n"));
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(
            fs::symlink_metadata(scratch.path("docs/logbook.md"))
                .unwrap()
                .is_symlink()
        );
    }
}
