//! A mirrored evidence directory, read into memory.
//!
//! Whatever lies in it is met as it is: links are not followed, pipes and devices are not opened, and no more is read than the
//! bounds of [`p1_audit::evidence_set`] allow. What is not read becomes a finding that names it.

use std::collections::HashSet;
use std::fs::{self, File, FileType};
use std::io::{Error, ErrorKind, Read};
use std::path::{Path, PathBuf};

use p1_audit::EvidenceSet;
use p1_audit::evidence_set::{
    HISTORY, LARGEST_LIST, LARGEST_OBJECT, LONGEST_KEY, MOST_BYTES, OBJECTS, Unread, VERSIONS,
};
use serde::Deserialize;

/// The folder of all objects.
const EVIDENCE: &str = "evidence";
/// The folder for further versions of a key.
const OTHER_VERSIONS: &str = "other_versions";

/// Why a directory cannot be read as evidence.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Nothing is at the path.
    #[error("there is no directory {0}; name a folder that `cargo p1 run --out` wrote")]
    Missing(PathBuf),
    /// The path is not a directory with evidence in it.
    #[error(
        "{0} is no evidence directory: it has neither evidence/ nor objects.json; name a folder that `cargo p1 run --out` wrote"
    )]
    NoEvidence(PathBuf),
    /// The directory itself cannot be read.
    #[error("failed to read {path}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Error,
    },
}

/// Reads the evidence directory `dir`: all files below `evidence/`, and the mirror's documents beside it.
///
/// # Errors
/// Fails if `dir` is not an evidence directory, or cannot be looked into.
pub fn read(dir: &Path) -> Result<EvidenceSet, Unusable> {
    if matches!(dir.try_exists(), Ok(false)) {
        return Err(Unusable::Missing(dir.to_owned()));
    }
    let (evidence, objects) = (kind_of(dir, EVIDENCE)?, kind_of(dir, OBJECTS)?);
    if evidence.is_none() && objects.is_none() {
        return Err(Unusable::NoEvidence(dir.to_owned()));
    }
    let mut reading = Reading::default();
    for name in [OBJECTS, VERSIONS, HISTORY] {
        if let Some(kind) = kind_of(dir, name)? {
            reading.beside(&dir.join(name), name, kind);
        }
    }
    // The existence of the folder is enough for a finding. Its files are not read.
    if kind_of(dir, OTHER_VERSIONS)?.is_some() {
        reading.files.push((format!("{OTHER_VERSIONS}/"), Vec::new()));
    }
    match evidence {
        Some(kind) if kind.is_dir() => reading.objects(dir.join(EVIDENCE)),
        Some(_) => reading.unread.push((EVIDENCE.to_owned(), Unread::NoFile)),
        None => {}
    }
    Ok(EvidenceSet::from_mirror(reading.files, reading.unread))
}

/// What `name` is in `dir`, without following a link. `None` if nothing has this name.
fn kind_of(dir: &Path, name: &str) -> Result<Option<FileType>, Unusable> {
    match fs::symlink_metadata(dir.join(name)) {
        Ok(metadata) => Ok(Some(metadata.file_type())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(Unusable::Unreadable {
            path: dir.to_owned(),
            source,
        }),
    }
}

/// What was found so far.
#[derive(Default)]
struct Reading {
    files: Vec<(String, Vec<u8>)>,
    unread: Vec<(String, Unread)>,
}

impl Reading {
    /// Reads a document beside the objects.
    fn beside(&mut self, path: &Path, name: &str, kind: FileType) {
        let read = if kind.is_file() {
            content(path, LARGEST_LIST)
        } else {
            Err(Unread::NoFile)
        };
        self.take(name.to_owned(), read);
    }

    fn take(&mut self, key: String, read: Result<Vec<u8>, Unread>) {
        match read {
            Ok(bytes) => self.files.push((key, bytes)),
            Err(why) => self.unread.push((key, why)),
        }
    }

    /// Reads the objects. Those that objects.json lists come first, so that nothing beside them can use up what may be read.
    fn objects(&mut self, root: PathBuf) {
        let mut found = self.walk(root);
        let listed = self.files.iter().find(|(name, _)| name == OBJECTS);
        let listed = listed.map(|(_, bytes)| keys_of(bytes)).unwrap_or_default();
        found.sort_by(|(a, _), (b, _)| (!listed.contains(a), a).cmp(&(!listed.contains(b), b)));
        let mut left = MOST_BYTES;
        for (key, path) in found {
            let read = content(&path, LARGEST_OBJECT.min(left)).map_err(|why| match why {
                Unread::TooLarge(bytes) if bytes <= LARGEST_OBJECT => Unread::TooMuch,
                why => why,
            });
            left -= read.as_ref().map_or(0, |bytes| (bytes.len() as u64).min(left));
            self.take(key, read);
        }
    }

    /// Every ordinary file below `root`, with its key. A loop and not a recursion, because a folder may be very deep.
    fn walk(&mut self, root: PathBuf) -> Vec<(String, PathBuf)> {
        let mut found = Vec::new();
        let mut open = vec![(EVIDENCE.to_owned(), root)];
        while let Some((folder, path)) = open.pop() {
            let entries = match fs::read_dir(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
                Ok(entries) => entries,
                Err(error) => {
                    self.unread
                        .push((format!("{folder}/"), Unread::Failed(error.to_string())));
                    continue;
                }
            };
            for entry in entries {
                let name = entry.file_name();
                let key = format!("{folder}/{}", name.to_string_lossy());
                let kind = match entry.file_type() {
                    Ok(kind) => kind,
                    Err(error) => {
                        self.unread.push((key, Unread::Failed(error.to_string())));
                        continue;
                    }
                };
                if name.to_str().is_none() || !(kind.is_dir() || kind.is_file()) {
                    self.unread.push((key, Unread::NoFile));
                } else if key.len() > LONGEST_KEY {
                    self.unread.push((key, Unread::NoKey));
                } else if kind.is_dir() {
                    open.push((key, entry.path()));
                } else {
                    found.push((key, entry.path()));
                }
            }
        }
        found
    }
}

/// The content of an ordinary file, if it has at most `limit` bytes.
fn content(path: &Path, limit: u64) -> Result<Vec<u8>, Unread> {
    let failed = |error: Error| Unread::Failed(error.to_string());
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > limit {
        return Err(Unread::TooLarge(size));
    }
    let mut bytes = Vec::new();
    // A file may grow while it is read.
    let read = file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)? as u64;
    if read > limit {
        return Err(Unread::TooLarge(read));
    }
    Ok(bytes)
}

/// Reads one file that a command names, or one of an evidence directory.
///
/// # Errors
/// Fails if it is no ordinary file, has more bytes than any document of a mirror, or cannot be read. The error says which.
pub fn document(path: &Path) -> Result<Vec<u8>, String> {
    // A pipe would be waited for.
    if !fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
        return Err("it is no ordinary file".to_owned());
    }
    content(path, LARGEST_LIST).map_err(|why| match why {
        Unread::TooLarge(bytes) => format!("it has {bytes} bytes, more than any document of a run"),
        Unread::Failed(why) => why,
        Unread::NoFile | Unread::NoKey | Unread::TooMuch => "it is no document of a run".to_owned(),
    })
}

/// The keys that objects.json lists. Verification judges the list; here it only says what is read first.
fn keys_of(objects: &[u8]) -> HashSet<String> {
    #[derive(Deserialize)]
    struct Listed {
        key: String,
    }
    let listed: Vec<Listed> = serde_json::from_slice(objects).unwrap_or_default();
    listed.into_iter().map(|listed| listed.key).collect()
}
