//! The two virtual environments inside the checkout. The engine and the tools have one each, because they pin different versions
//! of a library. They are created from the pinned requirements in `infra/local`, and again whenever those change.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::checkout::Checkout;
use crate::checkout::{create_dir, lock_exclusive};
use crate::error::PlatformError;
use crate::process::{leash, run};
use crate::progress::Progress;

/// The file that is written last into an environment. An environment without it, or with other content, is created again.
const MARKER: &str = ".p1-complete";

/// Prints the version, and fails if `venv` or `ensurepip` is missing. Debian packages them separately.
const PROBE: &str = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";

/// The virtual environments of this checkout.
#[derive(Debug, Clone)]
pub struct Tools {
    engine: PathBuf,
    tools: PathBuf,
}

impl Tools {
    /// Creates the environments that are missing or out of date. A second process waits for the first.
    ///
    /// # Errors
    /// Fails with [`PlatformError::Python`] if this machine has no usable Python, and with [`PlatformError::Command`] if pip
    /// fails.
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

    /// Creates a further environment of pinned packages if it is missing or out of date, and returns its Python. Tests use it to
    /// read evidence with other tools.
    ///
    /// # Errors
    /// Fails as [`Tools::prepare`] does.
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

    /// The directory with the tools' programs: `sam`, `cargo-lambda`, `statelint`, `python`.
    #[must_use]
    pub fn bin(&self) -> PathBuf {
        self.tools.join("bin")
    }
}

/// Creates an environment unless it is complete. A second process waits for the first.
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
    let _lock = lock_exclusive(&venv.with_extension("lock"), progress).await?;
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

/// The marker's content in a complete environment. It depends on the requirements and on the path, because the scripts of an
/// environment name their interpreter by its absolute path.
fn mark(requirements: &Path) -> Result<String, PlatformError> {
    let content = std::fs::read(requirements).map_err(PlatformError::file("read", requirements))?;
    let mut hash = Sha256::new();
    hash.update(&content);
    hash.update(requirements.as_os_str().as_encoded_bytes());
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn is_complete(venv: &Path, mark: &str) -> bool {
    // The interpreter is a link to the Python that created the environment. The link breaks if that Python was uninstalled.
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
    run(make, "making a virtual environment", Duration::from_secs(10 * 60)).await?;

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
    run(
        install,
        "installing pinned Python packages (is there a network?)",
        Duration::from_secs(30 * 60),
    )
    .await?;

    let marker = venv.join(MARKER);
    std::fs::write(&marker, mark).map_err(PlatformError::file("write", &marker))
}

/// The first Python 3.11 or newer among the usual names on PATH. The variable `PYTHON` can name another one.
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
