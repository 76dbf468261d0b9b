//! SeaweedFS, an S3 server in one process that is not the local engine: what is measured on it is the functions.
//!
//! It honours `If-None-Match: *` with 412, versions with their ids, and SHA-256 checksums. It has no Object Lock here, no
//! events, and no policies.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::error::BenchError;
use crate::setup::Setup;

/// How long it may take until it answers: a guard against a hang.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running server. Dropping it ends it; it ends too when this process dies in whatever way.
#[derive(Debug)]
pub struct Seaweed {
    endpoint: String,
    /// Holds its standard input open: the leash.
    child: Child,
    directory: PathBuf,
}

impl Drop for Seaweed {
    fn drop(&mut self) {
        // The group ends itself when the pipe closes.
        drop(self.child.stdin.take());
        // The next sweep of the build folder takes what stays.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Runs the program in its arguments, in the process group that the leash ends.
const RUN: &str = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL))";

impl Seaweed {
    /// Starts a server on free loopback ports, with an empty directory.
    ///
    /// # Errors
    /// When it cannot be installed or does not come up.
    pub async fn start(setup: &Setup<'_>) -> Result<Self, BenchError> {
        let operation = "start SeaweedFS";
        let programs = setup.programs().await?;
        let directory = setup.directory.join("seaweed");
        std::fs::create_dir_all(directory.join("data")).map_err(BenchError::io(operation))?;
        let keys = directory.join("s3.json");
        let identity = json!({"identities": [{
            "name": "bench",
            "credentials": [{"accessKey": setup.profile.account, "secretKey": "test"}],
            "actions": ["Admin", "Read", "Write", "List"],
        }]});
        std::fs::write(&keys, identity.to_string()).map_err(BenchError::io(operation))?;
        let log = std::fs::File::create(directory.join("log")).map_err(BenchError::io(operation))?;
        let errors = log.try_clone().map_err(BenchError::io(operation))?;
        // Each of its parts has a second port, for gRPC, unless it is named 10,000 above the first.
        let ports = free_ports().await?;
        let mut command = Command::new(programs.join("python"));
        command
            .args(["-c", RUN])
            .arg(programs.join("weed"))
            .args([
                "server",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-s3",
                // Each bucket grows by seven of them at a time.
                "-volume.max=1000",
            ])
            // It tells nobody that it runs, and opens no port that is not needed.
            .args(["-master.volumeSizeLimitMB=64", "-master.telemetry=false"])
            .args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-iam=false"])
            .arg(format!("-dir={}", directory.join("data").display()))
            .arg(format!("-s3.config={}", keys.display()));
        let named = [
            "master.port",
            "master.port.grpc",
            "volume.port",
            "volume.port.grpc",
            "filer.port",
        ];
        let named = named.into_iter().chain(["filer.port.grpc", "s3.port", "s3.port.grpc"]);
        for (name, port) in named.zip(&ports) {
            command.arg(format!("-{name}={port}"));
        }
        command
            .env("PYTHONPATH", setup.checkout.local())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("P1_LOCAL_LEASH", "1")
            .current_dir(&directory)
            .stdin(std::process::Stdio::piped())
            .stdout(log)
            .stderr(errors);
        let child = command.spawn().map_err(BenchError::io(operation))?;
        let mut server = Seaweed {
            endpoint: format!("http://127.0.0.1:{}", ports[6]),
            child,
            directory,
        };
        server.await_ready(ports[6]).await?;
        Ok(server)
    }

    /// Waits until it stores an object: its port is open long before.
    async fn await_ready(&mut self, port: u16) -> Result<(), BenchError> {
        let operation = "start SeaweedFS";
        let log = self.directory.join("log");
        let begun = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(BenchError::wrong(
                    operation,
                    format!("it ended with {status}: {}", tail(&log)),
                ));
            }
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let has_filer = said.contains("the cluster has 1 filer") || said.contains("discovered 1 new filer");
            if has_filer && TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(BenchError::wrong(
                    operation,
                    format!("it does not answer: {}", tail(&log)),
                ));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Where its S3 is.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

fn tail(log: &std::path::Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

/// Eight free ports, all taken at once so that they differ.
async fn free_ports() -> Result<Vec<u16>, BenchError> {
    let mut listeners = Vec::new();
    for _ in 0..8 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        listeners.push(listener.map_err(BenchError::io("find free ports"))?);
    }
    let ports = listeners.iter().map(|listener| Ok(listener.local_addr()?.port()));
    ports
        .collect::<std::io::Result<Vec<u16>>>()
        .map_err(BenchError::io("find free ports"))
}
