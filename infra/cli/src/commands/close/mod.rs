//! `cargo p1 close`: appends the closure notes of a run to the three documents, once per run, and writes a receipt of it.

mod document;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use p1_audit::EvidenceSet;
use p1_audit::lineage::{Lineage, folder_of};
use p1_audit::text;
use p1_audit::verify::{Report, Standing};
use p1_contract::artifacts::{CLOSURE_NOTES, PhaseSummary};
use p1_contract::attestation::PublicKey;
use p1_contract::canonical::document_of;
use p1_contract::cause::chain;
use p1_contract::evidence::Document;
use p1_contract::hash::Sha256Hex;
use p1_replay::verify;
use serde::Serialize;

use super::verify::read_keys;
use super::{say, say_document};
use crate::args::CloseArgs;
use crate::atomic;
use crate::directory;
use crate::exit::{CliError, ExitStatus};
use crate::named::shown;

/// The names of the three documents in the folder that `--docs` names, in the order of [`CLOSURE_NOTES`].
const DOCUMENTS: [&str; 3] = ["platform.build_plan.md", "platform.impl_actual.md", "logbook.md"];

/// How often, and with which pause, a locked folder is tried: for ten seconds.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// What was appended where. It is the same when the command is run again.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Receipt {
    schema_version: u64,
    /// The run's id, or the execution that held the run before it had one.
    run: String,
    verdict: &'static str,
    /// The verdict's key and hash.
    phase_summary: String,
    phase_summary_sha256: Sha256Hex,
    notes: [Noted; 3],
}

/// A note in its document.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Noted {
    note: &'static str,
    note_sha256: Sha256Hex,
    document: String,
    /// The line of the note's marker, from 1.
    line: usize,
}

/// A note that will be appended. Everything that can be checked is checked before anything is written.
#[derive(Debug)]
struct Append {
    document: PathBuf,
    content: Vec<u8>,
}

/// Runs `cargo p1 close`. If the run was closed before, there is nothing to append; the command says so and succeeds.
///
/// # Errors
/// Returns [`CliError::Usage`] if the evidence is not intact or has no closure notes, or if a document is missing or is no text;
/// nothing was written then. Returns [`CliError::Fault`] if a document could not be written; running the command again finishes
/// the rest.
pub async fn close(args: CloseArgs) -> Result<ExitStatus, CliError> {
    let keys = read_keys(&args.keys).map_err(CliError::usage)?;
    let (receipt, appended) = append_all(&args, &keys).await?;
    if args.json {
        say_document(&receipt, ExitStatus::Advance)?;
    } else {
        let run = &receipt.run;
        say(&match appended.as_slice() {
            [] => format!("{run} is closed already; nothing was appended"),
            documents => format!("{run} is closed; appended to {}", documents.join(", ")),
        })?;
        say(&format!("receipt: {}", shown(&receipt_path(&args))))?;
    }
    Ok(ExitStatus::Advance)
}

async fn append_all(args: &CloseArgs, keys: &[PublicKey]) -> Result<(Receipt, Vec<String>), CliError> {
    let set = directory::read(&args.dir).map_err(|error| CliError::usage(text::clean(&chain(&error))))?;
    expect_intact(&args.dir, &verify(&set, keys, true).await.report)?;
    let (key, phase) = phase_summary(&args.dir, &set)?;
    // A run that was held before it had an id is named by the execution that held it.
    let run = match &phase.header.platform_run_id {
        Some(run) => run.to_string(),
        None => phase.header.phase_execution_id.to_string(),
    };
    let documents = documents(args, &phase)?;
    let locked = lock(&documents).await?;
    let (mut notes, mut appends) = (Vec::new(), Vec::new());
    for (name, path) in CLOSURE_NOTES.into_iter().zip(&documents) {
        let bytes = set.files.get(&format!("{}{name}.md", folder_of(&key)));
        let note = bytes.and_then(|file| std::str::from_utf8(&file.bytes).ok());
        let note = note.ok_or_else(|| no_notes(&args.dir))?;
        let note_sha256 = Sha256Hex::of(note.as_bytes());
        let marker = format!("<!-- p1-closure: {run} {note_sha256} -->");
        let content = read(path)?;
        let noted = document::append(&content, &marker, &searchable(note))
            .map_err(|error| CliError::usage(format!("{}: {error}", shown(path))))?;
        notes.push(Noted {
            note: name,
            note_sha256,
            document: shown(path),
            line: noted.line,
        });
        if let Some(content) = noted.content {
            appends.push(Append {
                document: path.clone(),
                content,
            });
        }
    }
    let mut appended = Vec::new();
    for append in appends {
        write_in_place(&append)?;
        appended.push(shown(&append.document));
    }
    drop(locked);
    let receipt = Receipt {
        schema_version: 1,
        run,
        verdict: phase.body.verdict.as_str(),
        phase_summary_sha256: set
            .files
            .get(&key)
            .map(|file| file.sha256.clone())
            .ok_or_else(|| no_notes(&args.dir))?,
        phase_summary: key,
        notes: notes
            .try_into()
            .map_err(|_| CliError::fault("a closure has three notes"))?,
    };
    let bytes = document_of(&receipt).map_err(|error| CliError::failed("render the receipt", &error))?;
    atomic::write(&receipt_path(args), &bytes)?;
    Ok((receipt, appended))
}

/// Refuses evidence that `verify` does not call intact.
fn expect_intact(dir: &Path, report: &Report) -> Result<(), CliError> {
    if matches!(report.standing, Standing::Pinned | Standing::Held) {
        return Ok(());
    }
    if report.standing == Standing::Intact {
        return Err(CliError::usage(format!(
            "{}: {}: such an execution has no closure notes, and nothing was appended; give the evidence of the execution that \
             reaches the run's verdict",
            shown(dir),
            text::clean(&report.execution.to_string())
        )));
    }
    let first = report.findings.first();
    let first = first.map_or_else(String::new, |finding| {
        format!(" ({}: {})", finding.subject, finding.detail)
    });
    Err(CliError::usage(format!(
        "{}: `cargo p1 verify` does not call this the intact evidence of a verdict{}; nothing was appended",
        shown(dir),
        text::brief(&first, 400)
    )))
}

/// The verdict's phase summary, with its key.
fn phase_summary(dir: &Path, set: &EvidenceSet) -> Result<(String, Document<PhaseSummary>), CliError> {
    let verdict = Lineage::of(set).verdict().ok_or_else(|| no_notes(dir))?;
    Ok((verdict.key, verdict.summary))
}

fn no_notes(dir: &Path) -> CliError {
    CliError::usage(format!(
        "{}: holds no closure notes; give the evidence folder of a run that reached its verdict",
        shown(dir)
    ))
}

/// The three documents. A logbook that is a folder has a file for each day: the run's is that of its execution's start.
fn documents(args: &CloseArgs, phase: &Document<PhaseSummary>) -> Result<[PathBuf; 3], CliError> {
    let named = [&args.master_plan, &args.implementation_map, &args.logbook];
    let options = ["--master-plan", "--implementation-map", "--logbook"];
    let mut resolved = Vec::new();
    for ((named, option), name) in named.into_iter().zip(options).zip(DOCUMENTS) {
        let path = match (named, &args.docs) {
            (Some(path), _) => path.clone(),
            (None, Some(docs)) => docs.join(name),
            (None, None) => {
                let why = format!("give {option} FILE, or --docs DIR with {name} in it");
                return Err(CliError::usage(why));
            }
        };
        // Resolves a symbolic link, so that its target is replaced and not the link.
        resolved.push(fs::canonicalize(&path).map_err(|error| {
            CliError::usage(format!(
                "{} cannot be found ({error}); create the document, it is never made here",
                shown(&path)
            ))
        })?);
    }
    if let Some(logbook) = resolved.last_mut()
        && logbook.is_dir()
    {
        let day = phase.body.execution_stamp_utc.rfc3339();
        logbook.push(format!("{}.md", day.split('T').next().unwrap_or(&day)));
        if !logbook.exists() {
            atomic::write(logbook, b"")?;
        }
    }
    let distinct: BTreeSet<&PathBuf> = resolved.iter().collect();
    if distinct.len() < resolved.len() {
        return Err(CliError::usage("two of the three documents are one file; name three"));
    }
    resolved
        .try_into()
        .map_err(|_| CliError::fault("a closure has three documents"))
}

/// The note as it is appended. Its evidence escapes every underscore; within a word one is no markup, and an id can be searched for
/// without.
fn searchable(note: &str) -> String {
    let mut text = String::with_capacity(note.len());
    let mut rest = note;
    while let Some(at) = rest.find("\\_") {
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        text.push_str(before);
        let is_within = before.ends_with(|c: char| c.is_ascii_alphanumeric())
            && after.starts_with(|c: char| c.is_ascii_alphanumeric());
        text.push_str(if is_within { "_" } else { "\\_" });
        rest = after;
    }
    text + rest
}

fn receipt_path(args: &CloseArgs) -> PathBuf {
    let beside = || {
        let dir = std::path::absolute(&args.dir).unwrap_or_else(|_| args.dir.clone());
        let mut name = dir.file_name().unwrap_or_default().to_owned();
        name.push(".closure.json");
        dir.with_file_name(name)
    };
    args.receipt.clone().unwrap_or_else(beside)
}

/// Replaces the document atomically and keeps its permissions.
fn write_in_place(append: &Append) -> Result<(), CliError> {
    let path = &append.document;
    let failed = |error: std::io::Error| CliError::failed(&format!("write {}", shown(path)), &error);
    let permissions = fs::metadata(path).map_err(failed)?.permissions();
    atomic::write(path, &append.content)?;
    fs::set_permissions(path, permissions).map_err(failed)
}

/// Locks the folders of the documents, so that two simultaneous calls append once.
async fn lock(documents: &[PathBuf]) -> Result<Vec<File>, CliError> {
    let folders: BTreeSet<&Path> = documents.iter().filter_map(|document| document.parent()).collect();
    let mut locked = Vec::new();
    for folder in folders {
        let failed = |error: std::io::Error| CliError::failed(&format!("lock {}", shown(folder)), &error);
        let file = File::open(folder).map_err(failed)?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(fs::TryLockError::WouldBlock) if tries < LOCK_TRIES => {
                    tries += 1;
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                Err(fs::TryLockError::WouldBlock) => {
                    return Err(CliError::fault(format!(
                        "another process has locked {}; try again when it has ended",
                        shown(folder)
                    )));
                }
                Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        locked.push(file);
    }
    Ok(locked)
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    directory::document(path).map_err(|error| {
        CliError::usage(format!(
            "{}: cannot be read ({error}); give documents that you can read",
            shown(path)
        ))
    })
}
