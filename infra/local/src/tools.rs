//! The virtual environments inside the checkout, which are made here alone. The engine and the tools have one each, because they pin
//! different versions of a library; the checks of the template have others. They are created from the pinned requirements in
//! `infra/local`, and again whenever those change.

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

/// Prints the pinned packages of a file of requirements that are not installed in the environment that runs it.
const MISSING: &str = "\
import importlib.metadata as m, re, sys
for line in open(sys.argv[1], encoding='utf-8'):
    pin = re.match(r'([A-Za-z0-9._-]+)(?:\\[[^]]*\\])?==([^\\s;]+)', line)
    try:
        if pin and m.version(pin[1]) != pin[2]: print(pin[0])
    except m.PackageNotFoundError:
        print(pin[0])
";

/// What of pip's environment reaches pip: where it gets packages from. A `PIP_TARGET` or `PIP_USER` would put them elsewhere.
const SOURCES_OF_PIP: [&str; 14] = [
    "PIP_CACHE_DIR",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_CONFIG_FILE",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_KEYRING_PROVIDER",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_RETRIES",
    "PIP_TIMEOUT",
    "PIP_TRUSTED_HOST",
];

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
        let engine = ensure(
            checkout,
            "engine",
            "installing the engine into .p1/venv/engine",
            progress,
        )
        .await?;
        let tools = ensure(checkout, "tools", "installing the tools into .p1/venv/tools", progress).await?;
        Ok(Self { engine, tools })
    }

    /// Creates a further environment of pinned packages if it is missing or out of date, and returns its Python. Tests and checks
    /// use it.
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
        ensure_at(checkout, &venv, requirements, "installing pinned packages", progress).await?;
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

/// Creates an environment of the platform's own unless it is complete, and returns its folder.
async fn ensure(
    checkout: &Checkout,
    name: &str,
    phase: &'static str,
    progress: &dyn Progress,
) -> Result<PathBuf, PlatformError> {
    let venv = checkout.private().join("venv").join(name);
    let requirements = checkout.local().join(format!("requirements-{name}.txt"));
    ensure_at(checkout, &venv, &requirements, phase, progress).await?;
    Ok(venv)
}

/// Creates an environment unless it is complete. A second process waits for the first.
async fn ensure_at(
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
    keep_out(&mut make);
    run(make, "making a virtual environment", Duration::from_secs(10 * 60)).await?;

    let mut install = Command::new(venv.join("bin/python"));
    keep_out(&mut install);
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
    expect_installed(venv, requirements).await?;

    let marker = venv.join(MARKER);
    std::fs::write(&marker, mark).map_err(PlatformError::file("write", &marker))
}

/// Keeps what a user has set for Python and pip out of a command, but for where packages come from.
fn keep_out(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let is_of_pip = text.starts_with("PIP_") && !SOURCES_OF_PIP.contains(&text);
        if is_of_pip || text.starts_with("PYTHON") && text != "PYTHON" {
            command.env_remove(&name);
        }
    }
}

/// Checks that the environment has every pinned package: pip's configuration can send them elsewhere.
async fn expect_installed(venv: &Path, requirements: &Path) -> Result<(), PlatformError> {
    let python = venv.join("bin/python");
    let mut check = Command::new(&python);
    check
        .args(["-I", "-c", MISSING])
        .arg(requirements)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = check.output().await.map_err(PlatformError::file("run", &python))?;
    let missing = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && missing.trim().is_empty() {
        return Ok(());
    }
    let missing: Vec<&str> = missing.lines().take(3).collect();
    Err(PlatformError::Python(format!(
        "pip has installed into {} not what {} names ({}{}): `pip config list` shows what sends packages elsewhere; take it out",
        venv.display(),
        requirements.display(),
        missing.join(", "),
        String::from_utf8_lossy(&output.stderr)
            .lines()
            .last()
            .unwrap_or_default(),
    )))
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
    ];
    let candidates = named.map_or_else(|| usual.map(PathBuf::from).to_vec(), |path| vec![path]);
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
        let last = complaint.trim().lines().next_back();
        return Probe::Unusable(last.unwrap_or("it does not run").to_owned());
    }
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut parts = version.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (3, 11) => Probe::Usable,
        _ => Probe::Unusable(format!("its version is {version}")),
    }
}
