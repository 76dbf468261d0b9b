//! A mirrored evidence directory, read into memory.

use std::fs;
use std::io::Error;
use std::path::{Path, PathBuf};

use p1_audit::EvidenceSet;
use p1_audit::evidence_set::{HISTORY, OBJECTS, VERSIONS};

/// Why a directory cannot be read as evidence.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The path is not a directory with evidence in it.
    #[error(
        "{0} is no evidence directory: it has neither evidence/ nor objects.json; name a folder that `cargo p1 run --out` wrote"
    )]
    NoEvidence(PathBuf),
    /// A file or folder cannot be read.
    #[error("failed to read {path}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Error,
    },
}

impl Unusable {
    fn of(path: &Path) -> impl FnOnce(Error) -> Self {
        let path = path.to_owned();
        |source| Self::Unreadable { path, source }
    }
}

/// Reads the evidence directory `dir`: all files below `evidence/`, and the mirror's documents beside it.
///
/// # Errors
/// Fails if `dir` is not an evidence directory, or cannot be read.
pub fn read(dir: &Path) -> Result<EvidenceSet, Unusable> {
    let root = dir.join("evidence");
    if !root.is_dir() && !dir.join(OBJECTS).is_file() {
        return Err(Unusable::NoEvidence(dir.to_owned()));
    }
    let (mut files, mut irregular) = (Vec::new(), Vec::new());
    if root.is_dir() {
        collect(&root, "evidence", &mut files, &mut irregular)?;
    }
    for name in [OBJECTS, VERSIONS, HISTORY] {
        let path = dir.join(name);
        if path.is_file() {
            files.push((name.to_owned(), fs::read(&path).map_err(Unusable::of(&path))?));
        } else if path.exists() {
            irregular.push(name.to_owned());
        }
    }
    // The existence of the folder is enough for a finding. Its files are not read.
    if dir.join("other_versions").exists() {
        files.push(("other_versions/".to_owned(), Vec::new()));
    }
    Ok(EvidenceSet::from_mirror(files, irregular))
}

fn collect(
    folder: &Path,
    key: &str,
    files: &mut Vec<(String, Vec<u8>)>,
    irregular: &mut Vec<String>,
) -> Result<(), Unusable> {
    for entry in fs::read_dir(folder).map_err(Unusable::of(folder))? {
        let entry = entry.map_err(Unusable::of(folder))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(Unusable::of(&path))?;
        let name = entry.file_name();
        let key = format!("{key}/{}", name.to_string_lossy());
        if name.to_str().is_none() || !(kind.is_dir() || kind.is_file()) {
            irregular.push(key);
        } else if kind.is_dir() {
            collect(&path, &key, files, irregular)?;
        } else {
            files.push((key, fs::read(&path).map_err(Unusable::of(&path))?));
        }
    }
    Ok(())
}
