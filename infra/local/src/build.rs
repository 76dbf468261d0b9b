//! Builds the ten functions for this machine and packs each one as the zip that Lambda takes, with the single file `bootstrap`.
//!
//! The build selects the whole workspace. The functions, the tests and this tool then use the same features of their
//! dependencies, and share the compiled dependencies. A zip is written again only if its binary has changed. The same binary
//! always gives the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::io::AsyncBufReadExt;
use tokio::process::Command;
use tokio::time::timeout;
use zip::write::SimpleFileOptions;

use crate::checkout::Checkout;
use crate::checkout::{create_dir, open_lock, write_atomically};
use crate::error::PlatformError;
use crate::process::{Program, text_of};
use crate::progress::Progress;

/// The longest time in which a build may compile nothing. Then it waits for something that does not come.
const SILENCE_LIMIT: Duration = Duration::from_secs(60 * 60);
/// The time between two progress reports of a long build.
const REPORT_EVERY: Duration = Duration::from_secs(15);
/// Part of a zip's mark. Raise it when the way of packing changes.
const PACKING: u32 = 2;

/// The binary that a zip was made of. Size and time are compared first, because hashing ten binaries takes seconds.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    packing: u32,
    bytes: u64,
    modified: u128,
    sha256: String,
}

/// The packed functions.
#[derive(Debug, Clone)]
pub(super) struct Build {
    /// Package → zip.
    pub(super) zips: BTreeMap<String, PathBuf>,
}

/// A line of cargo's JSON messages. Only finished artifacts matter here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    fresh: bool,
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Builds and packs the functions of this checkout, or packs those that are built already.
pub(super) async fn functions(
    checkout: &Checkout,
    source: &Functions,
    progress: &dyn Progress,
) -> Result<Build, PlatformError> {
    let began = Instant::now();
    let wanted = binaries(checkout, source, progress).await?;
    let phase = format!("packing {} functions", wanted.len());
    progress.begin(&phase);
    let built = tokio::task::spawn_blocking(move || pack_all(&wanted)).await;
    let (build, packed) = built.map_err(|error| PlatformError::api("pack the functions", &error))??;
    if packed > 0 {
        progress.note(&format!("packed {packed} changed functions"));
    }
    progress.done(&phase, began.elapsed());
    Ok(build)
}

/// Which binaries of the functions to use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Functions {
    /// Built in the dev profile, together with the whole workspace.
    #[default]
    Dev,
    /// Built in the release profile, as for AWS.
    Release,
    /// The files in this directory, named like their packages.
    Built(PathBuf),
}

/// The functions' binaries: package → file. Builds them if `functions` asks for that.
///
/// # Errors
/// Fails with [`PlatformError`] if the build fails or a function has no binary.
pub async fn binaries(
    checkout: &Checkout,
    source: &Functions,
    progress: &dyn Progress,
) -> Result<BTreeMap<String, PathBuf>, PlatformError> {
    let packages = packages(checkout)?;
    if let Functions::Built(directory) = source {
        let found = packages.into_iter().map(|package| {
            let binary = directory.join(&package);
            (package, binary)
        });
        let found: BTreeMap<String, PathBuf> = found.collect();
        return match found.values().find(|binary| !binary.is_file()) {
            None => Ok(found),
            Some(missing) => Err(PlatformError::Build(format!(
                "there is no function's binary at {}; name a directory that holds all {}",
                missing.display(),
                found.len()
            ))),
        };
    }
    let began = Instant::now();
    let phase = format!("building {} functions", packages.len());
    progress.begin(&format!("{phase} (minutes the first time, then seconds)"));
    let built = programs(checkout, &packages, *source == Functions::Release, progress).await?;
    let mut wanted = BTreeMap::new();
    for package in packages {
        let Some(binary) = built.get(&package) else {
            return Err(PlatformError::Build(format!(
                "functions/{package} has no binary of that name; its src/main.rs is missing"
            )));
        };
        wanted.insert(package, binary.clone());
    }
    progress.done(&phase, began.elapsed());
    Ok(wanted)
}

/// Builds programs: binary → file. The dev profile builds the whole workspace, so that all parts share it.
///
/// # Errors
/// Fails with [`PlatformError`] if the build fails.
pub async fn programs(
    checkout: &Checkout,
    packages: &[String],
    release: bool,
    progress: &dyn Progress,
) -> Result<BTreeMap<String, PathBuf>, PlatformError> {
    let mut selection = vec!["--bins"];
    if release {
        selection.push("--release");
        for package in packages {
            selection.extend(["--package", package]);
        }
    } else {
        selection.push("--workspace");
    }
    compile(checkout, &selection, progress).await
}

/// A cargo command for the checkout. `cargo run` and `cargo test` set variables that describe their package. These are removed.
/// Build scripts that read them would otherwise see other values than in a build by hand, and everything above them would be
/// compiled again.
#[must_use]
pub fn cargo(checkout: &Checkout) -> std::process::Command {
    let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = std::process::Command::new(cargo);
    command.current_dir(checkout.root());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(describes_a_package) {
            command.env_remove(name);
        }
    }
    command
}

/// The function packages: the folders below `functions/`, which are named like their packages.
fn packages(checkout: &Checkout) -> Result<Vec<String>, PlatformError> {
    let directory = checkout.root().join("functions");
    let entries = std::fs::read_dir(&directory).map_err(PlatformError::file("list", &directory))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

/// Runs `cargo build` for a selection. Returns the path of every binary.
async fn compile(
    checkout: &Checkout,
    selection: &[&str],
    progress: &dyn Progress,
) -> Result<BTreeMap<String, PathBuf>, PlatformError> {
    let mut command = Command::from(cargo(checkout));
    command
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(selection);
    let mut program = Program::spawn(command, "install a Rust toolchain (rustup) and put cargo on PATH")?;
    let (stdout, stderr) = (program.stdout(), program.stderr());
    let messages = async {
        let mut binaries = BTreeMap::new();
        let Some(stdout) = stdout else { return Ok(binaries) };
        let mut lines = tokio::io::BufReader::new(stdout).lines();
        let mut compiled = 0_usize;
        let mut reported = Instant::now();
        while let Some(line) = timeout(SILENCE_LIMIT, lines.next_line()).await?? {
            let Ok(message) = serde_json::from_str::<Message>(&line) else {
                continue;
            };
            if message.reason != "compiler-artifact" {
                continue;
            }
            if !message.fresh {
                compiled += 1;
                if reported.elapsed() >= REPORT_EVERY {
                    reported = Instant::now();
                    let crates = if compiled == 1 { "crate" } else { "crates" };
                    progress.note(&format!("{compiled} {crates} compiled so far"));
                }
            }
            if let (Some(path), Some(target)) = (message.executable, message.target)
                && target.kind.iter().any(|kind| kind == "bin")
            {
                binaries.insert(target.name, path);
            }
        }
        Ok::<_, std::io::Error>(binaries)
    };
    // Where that fails, the build is ended with what it started.
    let read = tokio::try_join!(messages, text_of(stderr));
    let (binaries, complaint) = read.map_err(|error| PlatformError::api("read the output of cargo build", &error))?;
    let status = program
        .wait()
        .await
        .map_err(|error| PlatformError::api("wait for cargo build", &error))?;
    if status.success() {
        return Ok(binaries);
    }
    Err(PlatformError::Command {
        what: "cargo build of the functions",
        status,
        output: complaint,
    })
}

fn describes_a_package(variable: &str) -> bool {
    const PREFIXES: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
    const NAMES: [&str; 4] = ["CARGO", "CARGO_PRIMARY_PACKAGE", "CARGO_TARGET_TMPDIR", "OUT_DIR"];
    NAMES.contains(&variable) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

/// Packs every binary whose zip is missing or was made of another binary. Returns the zips and how many were written.
fn pack_all(binaries: &BTreeMap<String, PathBuf>) -> Result<(Build, usize), PlatformError> {
    let (mut zips, mut packed) = (BTreeMap::new(), 0);
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = binaries
            .iter()
            .map(|(package, binary)| (package, scope.spawn(move || pack(package, binary))))
            .collect();
        let panicked = |_| Err(PlatformError::Build("packing a function panicked".to_owned()));
        let results = workers.into_iter();
        results
            .map(|(package, worker)| (package, worker.join().unwrap_or_else(panicked)))
            .collect()
    });
    for (package, result) in results {
        let (zip, written) = result?;
        zips.insert(package.clone(), zip);
        packed += usize::from(written);
    }
    Ok((Build { zips }, packed))
}

fn pack(package: &str, binary: &Path) -> Result<(PathBuf, bool), PlatformError> {
    // Binaries are at `<target>/<profile>/`.
    let target = binary.ancestors().nth(2).unwrap_or(binary);
    let directory = target.join("p1/lambda").join(package);
    create_dir(&directory)?;
    // Platforms that start at once pack the same functions. The second one waits, and finds the zip.
    let lock = directory.join("lock");
    let file = open_lock(&lock)?;
    file.lock().map_err(PlatformError::file("lock", &lock))?;
    let zip = directory.join("bootstrap.zip");
    let mark_path = directory.join("mark.json");
    let found = std::fs::read(&mark_path)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Mark>(&bytes).ok());
    let found = found.filter(|_| zip.is_file());
    let (bytes, modified) = stamp(binary)?;
    if let Some(found) = &found
        && (found.packing, found.bytes, found.modified) == (PACKING, bytes, modified)
    {
        return Ok((zip, false));
    }
    let mark = Mark {
        packing: PACKING,
        bytes,
        modified,
        sha256: hash_of(binary)?,
    };
    let text = serde_json::to_vec(&mark).map_err(|error| PlatformError::api("serialise a mark", &error))?;
    if found.is_some_and(|found| (found.packing, found.sha256) == (PACKING, mark.sha256)) {
        write_atomically(&mark_path, &text)?;
        return Ok((zip, false));
    }
    let stripped = strip(binary, &directory.join("bootstrap"));
    let source = stripped.as_deref().unwrap_or(binary);
    let content = std::fs::read(source).map_err(PlatformError::file("read", source))?;
    if let Some(stripped) = &stripped {
        std::fs::remove_file(stripped).map_err(PlatformError::file("remove", stripped))?;
    }
    let archive = archive(&content).map_err(|error| PlatformError::api(format!("pack {package}"), &error))?;
    // The old mark is removed first and the new one is written last, so that a mark never lies beside a zip of another binary.
    let _ = std::fs::remove_file(&mark_path);
    write_atomically(&zip, &archive)?;
    write_atomically(&mark_path, &text)?;
    Ok((zip, true))
}

/// Writes the binary without its symbols. They are half of it, and half of the time that the engine needs to unpack it. If the
/// program `strip` is missing, the binary is packed unchanged.
fn strip(binary: &Path, to: &Path) -> Option<PathBuf> {
    if !cfg!(target_os = "linux") {
        // On other systems binaries are signed, and stripping would break the signature.
        return None;
    }
    let output = std::process::Command::new("strip")
        .arg("--strip-all")
        .arg("-o")
        .arg(to)
        .arg(binary)
        .output();
    output
        .is_ok_and(|output| output.status.success())
        .then(|| to.to_path_buf())
}

/// A zip with one executable file `bootstrap` and without a time stamp.
fn archive(content: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(1))
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o755);
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("bootstrap", options)?;
    writer.write_all(content)?;
    Ok(writer.finish()?.into_inner())
}

/// Size, and time of the last change in nanoseconds since 1970.
fn stamp(path: &Path) -> Result<(u64, u128), PlatformError> {
    let data = std::fs::metadata(path).map_err(PlatformError::file("look at", path))?;
    let modified = data.modified().map_err(PlatformError::file("look at", path))?;
    let nanoseconds = modified
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    Ok((data.len(), nanoseconds))
}

fn hash_of(path: &Path) -> Result<String, PlatformError> {
    let mut reader = BufReader::new(File::open(path).map_err(PlatformError::file("read", path))?);
    let mut hash = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        let count = reader.read(&mut buffer).map_err(PlatformError::file("read", path))?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_binary_gives_the_same_zip_with_an_executable_bootstrap() {
        let first = archive(b"\x7fELF binary").unwrap();
        assert_eq!(first, archive(b"\x7fELF binary").unwrap());
        let mut read = zip::ZipArchive::new(std::io::Cursor::new(first)).unwrap();
        assert_eq!(read.len(), 1);
        let entry = read.by_index(0).unwrap();
        assert_eq!(entry.name(), "bootstrap");
        assert_eq!(entry.unix_mode().unwrap() & 0o777, 0o755);
    }
}
