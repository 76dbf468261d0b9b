//! `cargo p1 report`: writes one page about an evidence directory, whatever `verify` says about it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use p1_audit::text;
use p1_contract::cause::chain;
use p1_replay::{Verified, verify};
use p1_report::page;
use serde_json::json;

use super::verify::{again, head, read_keys};
use super::{say_no_evidence, say_object, say_page};
use crate::args::ReportArgs;
use crate::atomic;
use crate::directory;
use crate::exit::{CliError, ExitStatus};
use crate::named::shown;
use crate::paint::Paint;

/// Runs `cargo p1 report`.
///
/// # Errors
/// Returns a fault if standard output cannot be written to.
pub async fn report(args: &ReportArgs) -> Result<ExitStatus, CliError> {
    match write(args).await {
        Ok((Verified { report, replay }, out)) => {
            let standing = report.standing;
            if args.json {
                say_object(&json!({
                    "report": out.display().to_string(),
                    "standing": standing,
                    "execution": report.execution,
                    "replay": replay,
                    "exit_status": ExitStatus::Verified(standing).code(),
                }))?;
            } else {
                let mut lines = head(&report, Paint::of(&std::io::stdout()));
                lines.push(format!("report: {}", shown(&out)));
                lines.extend(again(&replay));
                say_page(&lines)?;
            }
            if args.open {
                open(&out);
            }
            Ok(ExitStatus::Verified(standing))
        }
        Err(why) => say_no_evidence(args.json, &why),
    }
}

/// Checks the directory, makes the page and writes it. The error says why that failed.
async fn write(args: &ReportArgs) -> Result<(Verified, PathBuf), String> {
    let out = place(&args.dir, args.out.as_deref())?;
    let keys = read_keys(&args.keys)?;
    let set = directory::read(&args.dir).map_err(|error| text::clean(&chain(&error)))?;
    let verified = verify(&set, &keys, !args.no_replay).await;
    atomic::write(&out, page(&set, &verified.report).as_bytes()).map_err(|error| error.to_string())?;
    Ok((verified, out))
}

/// The path of the page: beside the directory, or the requested path. Never inside the evidence.
fn place(dir: &Path, out: Option<&Path>) -> Result<PathBuf, String> {
    let real = dir.canonicalize().map_err(|error| {
        format!(
            "failed to read {}: {error}; name a folder that `cargo p1 run --out` wrote",
            shown(dir)
        )
    })?;
    let Some(out) = out else {
        let name = real.file_name().zip(real.parent());
        let (name, parent) = name.ok_or_else(|| format!("{} has nothing beside it; give --out FILE", shown(dir)))?;
        let mut name = name.to_os_string();
        name.push(".report.html");
        return Ok(parent.join(name));
    };
    if out.is_dir() {
        return Err(format!("{} is a directory; give --out the name of a file", shown(out)));
    }
    let folder = out
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // A folder that does not exist is a mistyped one, and is not made.
    let known = folder.canonicalize().map_err(|error| {
        format!(
            "failed to write {}: the folder {} cannot be used ({error}); make it, or give --out another place",
            shown(out),
            shown(folder)
        )
    })?;
    if known.starts_with(&real) {
        return Err(format!(
            "{} lies in the evidence directory, where it would be a foreign file; give --out a place outside it",
            shown(out)
        ));
    }
    Ok(out.to_owned())
}

/// Opens the page on the desktop. A missing desktop is no error, because the page exists all the same.
fn open(page: &Path) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    // The path is absolute, because a name that begins with a dash would be read as an option.
    let page = page.canonicalize().unwrap_or_else(|_| page.to_owned());
    let started = Command::new(opener)
        .arg(page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    // The opener ends well where the desktop has nothing to open it with.
    let said = match started {
        Ok(_) => format!("asked `{opener}` to open it; if nothing appears, open it by hand"),
        Err(error) => format!("`{opener}` did not start: {error}; open it by hand"),
    };
    // If standard error is closed, nobody can be told.
    let _ = writeln!(std::io::stderr(), "{said}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn the_page_lies_beside_the_evidence_and_never_in_it() {
        let scratch = Scratch::new();
        let dir = scratch.dir("run");
        let root = scratch.root().canonicalize().unwrap();
        assert_eq!(place(&dir, None).unwrap(), root.join("run.report.html"));
        assert_eq!(place(&dir.join("."), None).unwrap(), root.join("run.report.html"));
        let outside = scratch.path("page.html");
        assert_eq!(place(&dir, Some(&outside)).unwrap(), outside);
        for inside in [
            "run/page.html",
            "run/evidence/deep/page.html",
            "run/../run/page.html",
            "run",
        ] {
            assert!(place(&dir, Some(&scratch.path(inside))).is_err(), "{inside}");
        }
        let missing = scratch.path("missing/page.html");
        assert!(place(&dir, Some(&missing)).unwrap_err().contains("missing"));
        assert!(!scratch.path("missing").exists());
        assert!(place(&scratch.path("nowhere"), None).unwrap_err().contains("nowhere"));
    }
}
