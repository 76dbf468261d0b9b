//! Paths in this checkout, and the files that the tool keeps below `.p1`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::PlatformError;
use crate::progress::Progress;

/// The longest wait for another process of the checkout. A first start installs tools and compiles everything.
const LOCK_LIMIT: Duration = Duration::from_secs(60 * 60);
/// After this time the user is told what is waited for.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// The files by which a folder is known as a checkout of this project.
const OWN: [&str; 3] = [
    "infra/template.yaml",
    "infra/local/requirements-engine.txt",
    "statemachine/platform-run.asl.json",
];

/// The checkout that this tool works on.
#[derive(Debug, Clone)]
pub struct Checkout {
    root: PathBuf,
}

/// The checkout of the package that cargo runs, or else the one that the current folder lies in, or else the one that the tool was
/// built from. A checkout that was copied, and two that share a build folder, each find themselves.
impl Default for Checkout {
    fn default() -> Self {
        let of_cargo = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let current = std::env::current_dir().ok();
        let built = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = [of_cargo, current]
            .into_iter()
            .flatten()
            .find_map(|folder| root_of(&folder));
        Self {
            root: root.unwrap_or_else(|| built.ancestors().nth(2).unwrap_or(built).to_path_buf()),
        }
    }
}

/// The nearest folder at or above this one that is a checkout.
fn root_of(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .find(|above| OWN.iter().all(|file| above.join(file).is_file()))
        .map(Path::to_path_buf)
}

impl Checkout {
    #[cfg(test)]
    pub(super) fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The workspace's root directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `infra/local`.
    #[must_use]
    pub fn local(&self) -> PathBuf {
        self.root.join("infra/local")
    }

    /// The default profile of the local platform.
    #[must_use]
    pub fn default_profile(&self) -> PathBuf {
        self.local().join("profile.json")
    }

    /// `.p1`, the tool's own directory: environments, engines, the state file. Not under version control.
    #[must_use]
    pub fn private(&self) -> PathBuf {
        self.root.join(".p1")
    }

    /// The private key that signs verdicts on a local platform.
    #[must_use]
    pub fn signing_key(&self) -> PathBuf {
        self.private().join("signing_key.pem")
    }

    /// Its public half, for `cargo p1 verify --key`.
    #[must_use]
    pub fn signing_public_key(&self) -> PathBuf {
        self.private().join("signing_key.pub.pem")
    }

    /// The state file of a platform that was left running.
    #[must_use]
    pub fn state_file(&self) -> PathBuf {
        self.private().join("platform.json")
    }
}

/// Creates a directory with its parents.
pub(crate) fn create_dir(path: &Path) -> Result<(), PlatformError> {
    std::fs::create_dir_all(path).map_err(PlatformError::file("create directory", path))
}

/// Opens a lock file. Creates it and its directory if needed.
pub(crate) fn open_lock(path: &Path) -> Result<File, PlatformError> {
    if let Some(parent) = path.parent() {
        create_dir(parent)?;
    }
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(PlatformError::file("open lock", path))
}

/// Waits for an exclusive lock on `path`. The lock is held until the returned file is dropped.
pub(crate) async fn lock_exclusive(path: &Path, progress: &dyn Progress) -> Result<File, PlatformError> {
    let file = open_lock(path)?;
    let (began, mut is_told) = (Instant::now(), false);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) if began.elapsed() > LOCK_LIMIT => {
                return Err(PlatformError::Conflict(format!(
                    "another process of this checkout has held {} for {} minutes; look at what it does, and end it if it hangs",
                    path.display(),
                    LOCK_LIMIT.as_secs() / 60
                )));
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                if !is_told && began.elapsed() > TOLD_AFTER {
                    is_told = true;
                    progress.note(&format!(
                        "waiting for another process of this checkout, which installs tools or starts a platform ({})",
                        path.display()
                    ));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(PlatformError::file("lock", path)(error)),
        }
    }
}

/// Writes a file so that a reader sees either the old content or the new content, never a part of it.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<(), PlatformError> {
    if let Some(parent) = path.parent() {
        create_dir(parent)?;
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(PlatformError::file("write", path))?;
    file.write_all(content).map_err(PlatformError::file("write", path))?;
    file.persist(path)
        .map_err(|error| PlatformError::file("replace", path)(error.error))?;
    Ok(())
}
