//! The two virtual environments inside the checkout: one for the engine, one for the tools, since the two pin different
//! versions of a library. Made once from the pinned requirements in `infra/local`, and made anew when those change.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::checkout::Checkout;
use crate::checkout::{create_dir, lock_exclusive};
use crate::error::PlatformError;
use crate::process::{leash, run};
use crate::progress::Progress;

/// Written last into an environment; an environment without it, or with another content, is made anew.
const MARKER: &str = ".p1-complete";

/// Prints the version and says whether `venv` and `ensurepip` are there; Debian packages them apart.
const PROBE: &str = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";

/// The virtual environments of this checkout.
#[derive(Debug, Clone)]
pub struct Tools {
    engine: PathBuf,
    tools: PathBuf,
}

impl Tools {
    /// Makes the environments that are missing or out of date; a second process waits for the first.
    ///
    /// # Errors
    /// [`PlatformError::Python`] when this machine has no usable Python, [`PlatformError::Command`] when pip fails.
    pub async fn prepare(checkout: &Checkout, progress: &dyn Progress) -> Result<Self, PlatformError> {
        let venvs = checkout.private().join("venv");
        let tools = Self {
            engine: venvs.join("engine"),
            tools: venvs.join("tools"),
        };
        let wanted = [
            (
                &tools.engine,
                checkout.local().join("requirements-engine.txt"),
                "installing the engine into .p1/venv/engine",
            ),
            (
                &tools.tools,
                checkout.local().join("requirements-tools.txt"),
                "installing the tools into .p1/venv/tools",
            ),
        ];
        for (venv, requirements, phase) in wanted {
            ensure(checkout, venv, &requirements, phase, progress).await?;
        }
        Ok(tools)
    }

    /// Makes a further environment of pinned packages when it is missing or out of date, and gives its Python: for tests that
    /// read evidence with tools of others.
    ///
    /// # Errors
    /// As [`Tools::prepare`].
    pub async fn environment(
        checkout: &Checkout,
        name: &str,
        requirements: &Path,
        progress: &dyn Progress,
    ) -> Result<PathBuf, PlatformError> {
        let venv = checkout.private().join("venv").join(name);
        ensure(checkout, &venv, requirements, "installing pinned packages", progress).await?;
        Ok(venv.join("bin/python"))
    }

    /// Python of the engine's environment.
    #[must_use]
    pub fn engine_python(&self) -> PathBuf {
        self.engine.join("bin/python")
    }

    /// The directory of the tools' programs: `sam`, `cargo-lambda`, `statelint`, `python`.
    #[must_use]
    pub fn bin(&self) -> PathBuf {
        self.tools.join("bin")
    }
}

/// Makes an environment unless it is complete; a second process waits for the first.
async fn ensure(
    checkout: &Checkout,
    venv: &Path,
    requirements: &Path,
    phase: &'static str,
    progress: &dyn Progress,
) -> Result<(), PlatformError> {
    let mark = mark(requirements)?;
    if is_complete(venv, &mark) {
        return Ok(());
    }
    let _lock = lock_exclusive(&venv.with_extension("lock")).await?;
    if is_complete(venv, &mark) {
        return Ok(());
    }
    let interpreter = find_python().await?;
    let began = Instant::now();
    progress.begin(phase);
    create(checkout, &interpreter, venv, requirements, &mark).await?;
    progress.done(phase, began.elapsed());
    Ok(())
}

/// What the marker of a complete environment holds: it depends on the requirements and on the place, since the scripts of
/// an environment name their interpreter by its absolute path.
fn mark(requirements: &Path) -> Result<String, PlatformError> {
    let content = std::fs::read(requirements).map_err(PlatformError::file("read", requirements))?;
    let mut hash = Sha256::new();
    hash.update(&content);
    hash.update(requirements.as_os_str().as_encoded_bytes());
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn is_complete(venv: &Path, mark: &str) -> bool {
    // The interpreter is a link to the one that made the environment: it dangles when that was uninstalled.
    venv.join("bin/python").exists() && std::fs::read_to_string(venv.join(MARKER)).is_ok_and(|found| found == mark)
}

async fn create(
    checkout: &Checkout,
    python: &Path,
    venv: &Path,
    requirements: &Path,
    mark: &str,
) -> Result<(), PlatformError> {
    if venv.exists() {
        std::fs::remove_dir_all(venv).map_err(PlatformError::file("remove", venv))?;
    }
    if let Some(parent) = venv.parent() {
        create_dir(parent)?;
    }
    let mut make = Command::new(python);
    make.args(["-m", "venv"]).arg(venv);
    run(make, "making a virtual environment").await?;

    let mut install = Command::new(venv.join("bin/python"));
    install
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
            "--requirement",
        ])
        .arg(requirements);
    leash(&mut install, checkout);
    run(install, "installing pinned Python packages (is there a network?)").await?;

    let marker = venv.join(MARKER);
    std::fs::write(&marker, mark).map_err(PlatformError::file("write", &marker))
}

/// The first Python 3.11 or newer among the usual names on PATH; `PYTHON` names another.
async fn find_python() -> Result<PathBuf, PlatformError> {
    let named = std::env::var_os("PYTHON").map(PathBuf::from);
    let usual = [
        "python3",
        "python3.14",
        "python3.13",
        "python3.12",
        "python3.11",
        "python",
    ]
    .map(PathBuf::from);
    let candidates: Vec<PathBuf> = match named {
        Some(path) => vec![path],
        None => usual.to_vec(),
    };
    let mut seen = Vec::new();
    for candidate in candidates {
        match probe(&candidate).await {
            Probe::Usable => return Ok(candidate),
            Probe::Unusable(why) => seen.push(format!("{}: {why}", candidate.display())),
            Probe::Absent => {}
        }
    }
    let found = if seen.is_empty() {
        "none was found on PATH".to_owned()
    } else {
        format!("found {}", seen.join("; "))
    };
    Err(PlatformError::Python(format!(
        "Python 3.11 or newer with venv and pip is needed, {found}; install it (on Debian and Ubuntu: python3 and \
         python3-venv), or name one in the environment variable PYTHON"
    )))
}

enum Probe {
    Usable,
    Unusable(String),
    Absent,
}

async fn probe(python: &Path) -> Probe {
    let run = Command::new(python)
        .args(["-c", PROBE])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let Ok(output) = run else { return Probe::Absent };
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let last = complaint
            .trim()
            .lines()
            .next_back()
            .unwrap_or("it does not run")
            .to_owned();
        return Probe::Unusable(last);
    }
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut parts = version.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (3, 11) => Probe::Usable,
        _ => Probe::Unusable(format!("its version is {version}")),
    }
}
