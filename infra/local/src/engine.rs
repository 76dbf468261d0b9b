//! The engine (MiniStack) as a child process, on a free loopback port, with a clean environment.
//!
//! **How do we know that our engine answers?** Another engine on the same machine answers a health request just as well. Each
//! engine therefore starts with its own token, which its health endpoint reports as its edition. Only the process that was
//! started with the token answers with it.
//!
//! **Nothing is left behind.** The engine has its own process group, in which its functions also run. Ending the engine means
//! ending the group. While this process holds the engine, the engine also holds a leash: a pipe on its standard input. When this
//! process dies for any reason, the pipe closes and the group ends itself (`infra/local/sitecustomize.py`).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::checkout::Checkout;
use crate::checkout::{create_dir, lock_exclusive, open_lock};
use crate::error::PlatformError;
use crate::options::PlatformOptions;
use crate::process::{LEASH, LOCK};
use crate::progress::Progress;
use crate::tools::Tools;

/// The longest time until the engine answers. It takes a second or two on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(90);
/// The longest time until a killed process group is gone.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long the members of a killed process group may still be listed after the port was closed.
const SETTLE: Duration = Duration::from_millis(300);
/// The number of attempts to bind a free port. Another process may take a port between our check and the engine's bind.
const PORT_ATTEMPTS: usize = 5;

/// The data that identifies a running engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EngineIdentity {
    pub(super) pid: u32,
    pub(super) port: u16,
    pub(super) token: String,
}

/// Whether an engine answers. The sentences are for the user.
#[derive(Debug)]
pub(super) enum Condition {
    /// It answers with its token.
    Answers,
    /// It is there and does not answer.
    Silent(String),
    /// It has ended.
    Gone(String),
}

/// A running engine. Dropping it ends the engine's process group, unless the leash was taken off.
#[derive(Debug)]
pub(super) struct Engine {
    identity: EngineIdentity,
    endpoint: String,
    directory: PathBuf,
    saved_log: PathBuf,
    child: Option<Child>,
    ends_with_us: bool,
}

impl Engine {
    /// Starts an engine and waits until it answers with its token.
    pub(super) async fn start(
        checkout: &Checkout,
        tools: &Tools,
        options: &PlatformOptions,
        progress: &dyn Progress,
    ) -> Result<Self, PlatformError> {
        let mut attempt = 1;
        loop {
            match Self::try_start(checkout, tools, options, progress).await {
                Err(PlatformError::Engine { log, .. }) if attempt < PORT_ATTEMPTS && log.contains("already in use") => {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_start(
        checkout: &Checkout,
        tools: &Tools,
        options: &PlatformOptions,
        progress: &dyn Progress,
    ) -> Result<Self, PlatformError> {
        let token = token()?;
        let directory = engines(checkout).join(&token);
        // This lock separates starting and sweeping. A sweep removes directories whose lock nobody holds.
        let beginning = lock_exclusive(&engines(checkout).with_extension("lock"), progress).await?;
        sweep(checkout);
        for part in ["home", "tmp", "state", "s3"] {
            create_dir(&directory.join(part))?;
        }
        let lock_path = directory.join("lock");
        // This process holds the lock until the engine holds it too. No sweep of another process can remove the directory in
        // between.
        let lock = open_lock(&lock_path)?;
        lock.lock_shared().map_err(PlatformError::file("lock", &lock_path))?;
        drop(beginning);
        let log_path = directory.join("engine.log");
        let log = File::create(&log_path).map_err(PlatformError::file("create", &log_path))?;
        let errors = log.try_clone().map_err(PlatformError::file("open", &log_path))?;
        let port = free_port().await?;
        let endpoint = format!("http://127.0.0.1:{port}");

        let python = tools.engine_python();
        let mut command = Command::new(&python);
        command
            .args(["-m", "ministack"])
            .current_dir(&directory)
            .env_clear()
            .envs(environment(checkout, options, &directory, &endpoint, port, &token))
            .env(LEASH, "1")
            .env(LOCK, &lock_path)
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .kill_on_drop(true);
        let child = command.spawn().map_err(|source| PlatformError::Spawn {
            program: python.display().to_string(),
            source,
            remedy: "delete .p1/venv/engine and try again",
        })?;
        let Some(pid) = child.id() else {
            return Err(engine_error("the engine ended at once", &log_path));
        };
        let mut engine = Self {
            identity: EngineIdentity { pid, port, token },
            endpoint,
            directory,
            saved_log: saved_log(checkout),
            child: Some(child),
            ends_with_us: true,
        };
        engine.await_ready(&log_path).await?;
        drop(lock);
        Ok(engine)
    }

    async fn await_ready(&mut self, log: &Path) -> Result<(), PlatformError> {
        let began = Instant::now();
        loop {
            if let Some(child) = &mut self.child
                && let Ok(Some(status)) = child.try_wait()
            {
                return Err(engine_error(
                    &format!("the engine ended while starting ({status})"),
                    log,
                ));
            }
            if answers(&self.identity).await {
                return Ok(());
            }
            if began.elapsed() > START_LIMIT {
                let message = format!("the engine did not answer within {} s", START_LIMIT.as_secs());
                return Err(engine_error(&message, log));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// An engine that was left running. Whether it still is, [`Engine::condition`] says.
    pub(super) fn left_running(checkout: &Checkout, identity: &EngineIdentity) -> Self {
        Self {
            identity: identity.clone(),
            endpoint: format!("http://127.0.0.1:{}", identity.port),
            directory: engines(checkout).join(&identity.token),
            saved_log: saved_log(checkout),
            child: None,
            ends_with_us: false,
        }
    }

    /// Whether the engine answers, and if not, why.
    pub(super) async fn condition(&mut self) -> Condition {
        if answers(&self.identity).await {
            return Condition::Answers;
        }
        let pid = self.identity.pid;
        let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        // The engine holds the lock on its directory until it ends; its process id may be another process' by now.
        let holds_lock = is_held(&self.directory);
        if ended.is_none() && holds_lock {
            return Condition::Silent(format!(
                "the local platform's engine (pid {pid}, {}) is there and does not answer: it was stopped, or is overloaded; let it go on \
                 with `kill -CONT {pid}`, or end it with `cargo p1 down` or `kill -9 -- -{pid}`",
                self.endpoint
            ));
        }
        let how = ended.map(|status| format!(" ({status})")).unwrap_or_default();
        // The log is moved when the engine's directory is cleared away.
        let own = self.directory.join("engine.log");
        let log = if !self.ends_with_us && own.exists() {
            own
        } else {
            self.saved_log.clone()
        };
        Condition::Gone(format!(
            "the local platform's engine (pid {pid}) is not running any more{how}: it was killed, or it failed; its log is {}",
            log.display()
        ))
    }

    /// Takes the leash off: from now on the engine outlives this process.
    pub(super) async fn unleash(&mut self) -> Result<(), PlatformError> {
        if let Some(leash) = self.child.as_mut().and_then(|child| child.stdin.as_mut()) {
            let told = async {
                leash.write_all(b"keep\n").await?;
                leash.flush().await
            };
            told.await
                .map_err(PlatformError::file("unleash the engine of", &self.directory))?;
        }
        self.ends_with_us = false;
        // A dropped `Child` would be killed (`kill_on_drop`); forgetting it leaves the process to its own session.
        if let Some(child) = self.child.take() {
            std::mem::forget(child);
        }
        Ok(())
    }

    /// Ends the process group and waits until it is gone.
    pub(super) async fn stop(&mut self) -> Result<(), PlatformError> {
        self.kill();
        if let Some(mut child) = self.child.take() {
            // Also reaps it. An error means that it is gone already.
            let _ = child.wait().await;
        }
        // No process survives SIGKILL, but dead ones stay listed in their group until their parent reaps them. Their parent is
        // now the system's first process, and in some containers it never does so. A closed port is then enough.
        let began = Instant::now();
        while self.group().is_some_and(|group| test_kill_process_group(group).is_ok()) {
            if began.elapsed() > SETTLE && TcpStream::connect(("127.0.0.1", self.identity.port)).await.is_err() {
                break;
            }
            if began.elapsed() > STOP_LIMIT {
                return Err(PlatformError::Deployment(format!(
                    "the engine's process group {pid} did not end within {limit} s; end it with `kill -9 -- -{pid}`",
                    pid = self.identity.pid,
                    limit = STOP_LIMIT.as_secs()
                )));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.ends_with_us = false;
        self.clear_away();
        Ok(())
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn pid(&self) -> u32 {
        self.identity.pid
    }

    /// The engine's private directory. It is removed when the engine ends.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn identity(&self) -> &EngineIdentity {
        &self.identity
    }

    fn group(&self) -> Option<Pid> {
        i32::try_from(self.identity.pid).ok().and_then(Pid::from_raw)
    }

    fn kill(&mut self) {
        if let Some(group) = self.group() {
            // This fails if the group is gone or does not exist yet. In the second case the child itself is ended below.
            let _ = kill_process_group(group, Signal::KILL);
        }
        if let Some(child) = &mut self.child {
            let _ = child.start_kill();
        }
    }

    /// Keeps the log for later inspection, and removes the rest of the engine's directory.
    fn clear_away(&self) {
        // Errors are ignored, because the next start sweeps whatever remains.
        let _ = std::fs::rename(self.directory.join("engine.log"), &self.saved_log);
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.ends_with_us {
            self.kill();
            self.clear_away();
        }
    }
}

/// The whole environment of the engine, which its functions inherit. It holds none of the user's own variables.
fn environment(
    checkout: &Checkout,
    options: &PlatformOptions,
    directory: &Path,
    endpoint: &str,
    port: u16,
    token: &str,
) -> Vec<(&'static str, std::ffi::OsString)> {
    let profile = &options.profile;
    let mut variables: Vec<(&'static str, std::ffi::OsString)> = vec![
        (
            "PATH",
            std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()),
        ),
        ("HOME", directory.join("home").into()),
        ("TMPDIR", directory.join("tmp").into()),
        ("LANG", "C.UTF-8".into()),
        ("PYTHONPATH", checkout.local().into()),
        ("PYTHONDONTWRITEBYTECODE", "1".into()),
        ("PYTHONUNBUFFERED", "1".into()),
        ("BIND_HOST", "127.0.0.1".into()),
        ("MINISTACK_HOST", "127.0.0.1".into()),
        ("GATEWAY_PORT", port.to_string().into()),
        ("MINISTACK_EDITION", token.into()),
        ("MINISTACK_ACCOUNT_ID", (&profile.account).into()),
        ("MINISTACK_REGION", (&profile.region).into()),
        ("PERSIST_STATE", "0".into()),
        ("S3_PERSIST", "0".into()),
        ("STATE_DIR", directory.join("state").into()),
        ("S3_DATA_DIR", directory.join("s3").into()),
        // Nothing here uses these listeners and container runtimes. An address without a server keeps the engine away from a
        // Docker daemon of this machine.
        ("SFTP_ENABLED", "0".into()),
        ("IOT_MTLS_ENABLED", "0".into()),
        (
            "DOCKER_HOST",
            format!("unix://{}", directory.join("no-docker.sock").display()).into(),
        ),
        ("AWS_ENDPOINT_URL", endpoint.into()),
        ("AWS_ACCESS_KEY_ID", (&profile.account).into()),
        ("AWS_SECRET_ACCESS_KEY", "test".into()),
        ("AWS_REGION", (&profile.region).into()),
        ("AWS_DEFAULT_REGION", (&profile.region).into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
    ];
    if options.enforce_roles {
        variables.push(("AUTH", "true".into()));
    }
    if let Some(scale) = options.wait_scale {
        variables.push(("SFN_WAIT_SCALE", scale.to_string().into()));
    }
    variables
}

/// Asks the engine's health endpoint for its edition. Returns whether it is the token of `identity`.
async fn answers(identity: &EngineIdentity) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", identity.port)).await?;
        stream
            .write_all(b"GET /_ministack/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = Vec::new();
        stream.take(1 << 20).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let Ok(Ok(answer)) = tokio::time::timeout(Duration::from_secs(5), ask).await else {
        return false;
    };
    let answer = String::from_utf8_lossy(&answer);
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let edition = serde_json::from_str::<Health>(body).map(|health| health.edition);
    head.starts_with("HTTP/1.1 200") && edition.is_ok_and(|edition| edition == identity.token)
}

/// The part of the health answer that is used here.
#[derive(Deserialize)]
struct Health {
    edition: String,
}

async fn free_port() -> Result<u16, PlatformError> {
    let probe = async { TcpListener::bind(("127.0.0.1", 0)).await?.local_addr() };
    let address = probe
        .await
        .map_err(|error| PlatformError::api("find a free port on 127.0.0.1", &error))?;
    Ok(address.port())
}

/// 128 random bits in hexadecimal.
fn token() -> Result<String, PlatformError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0_u8; 16];
    File::open(source)
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes))
        .map_err(PlatformError::file("read", source))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn engines(checkout: &Checkout) -> PathBuf {
    checkout.private().join("engine")
}

fn saved_log(checkout: &Checkout) -> PathBuf {
    checkout.private().join("engine.log")
}

/// Removes the directories of engines that are gone, which are those without a held lock.
fn sweep(checkout: &Checkout) {
    let Ok(entries) = std::fs::read_dir(engines(checkout)) else {
        return;
    };
    for entry in entries.flatten() {
        let directory = entry.path();
        if !is_held(&directory) {
            // A directory that cannot be removed now is tried again at the next start.
            let _ = std::fs::remove_dir_all(&directory);
        }
    }
}

/// Whether an engine holds the lock of its directory.
fn is_held(directory: &Path) -> bool {
    File::open(directory.join("lock")).is_ok_and(|lock| lock.try_lock().is_err())
}

fn engine_error(message: &str, log: &Path) -> PlatformError {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(30)..].join("\n");
    PlatformError::Engine {
        message: message.to_owned(),
        log: tail,
    }
}
