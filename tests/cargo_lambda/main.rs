//! One step by hand: `cargo lambda watch` serves the functions on this machine, `cargo lambda invoke` sends them the events
//! of `tests/events`, and what they read and write lies on the local platform.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

use std::ffi::OsString;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use p1::commands::env::variables_of;
use p1::drive::sample_platform;
use p1::drive::target::Target;
use p1_contract::step::Step;
use p1_local::progress::Silent;
use p1_local::{Platform, PlatformOptions, Profile, Tools};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// The first invocation of a function may have to compile it, and to wait for other builds in the same folder.
const LIMIT: Duration = Duration::from_secs(900);
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn watch_serves_every_function_and_two_steps_run_by_hand() {
    let profile = Profile::load(None).unwrap();
    let platform = Platform::start(PlatformOptions::new(profile), &Silent).await.unwrap();
    let target = Target::new(platform.deployment(), &platform.sdk_config(), true).unwrap();
    sample_platform::put(&target).await.unwrap();
    let tools = Tools::prepare(platform.checkout(), &Silent).await.unwrap();
    // What follows waits for processes; the engine is one of its own and needs nothing of this one.
    let watch = Watch::start(&platform, &tools);

    for step in Step::ALL {
        let answer = watch.invoke(function(step), &json!({"mode": "STEP"}));
        let (output, complaint) = (text(&answer.stdout), text(&answer.stderr));
        assert!(!answer.status.success() && output.is_empty(), "{step}: {output}");
        assert!(
            complaint.contains("InvalidInput"),
            "{step}: {complaint}\n{}",
            watch.log()
        );
        assert!(complaint.contains("payload"), "{step}: {complaint}");
    }

    let event = checked_in("m3a-handle-closure.json");
    let first = watch.result(Step::HandleClosure, &event);
    assert_eq!(first["step"], "M3.A");
    assert_eq!(first["outcome"], "CLOSED");
    assert_eq!(
        (&first["overall_pass"], &first["next_gate"]),
        (&json!(true), &json!("M3.A_READY")),
        "{first}"
    );
    assert_eq!(first["blockers"], json!([]));
    assert_eq!(first["closure"]["bucket"], platform.evidence_bucket());

    // The next event is the same with one closure more, and another state.
    let mut event = event;
    let shape = checked_in("m3b-run-identity.json");
    event["context"] = shape["context"].clone();
    event["closures"]["M3.A"] = first["closure"].clone();
    let second = watch.result(Step::RunIdentity, &event);
    assert_eq!(
        (&second["step"], &second["overall_pass"]),
        (&json!("M3.B"), &json!(true)),
        "{second}"
    );
    assert_eq!(second["run"]["platform_run_id"], "platform_20260101T000000Z");

    // Invoked again, both adopt what they observed and close with the same evidence.
    assert_eq!(
        watch.result(Step::HandleClosure, &checked_in("m3a-handle-closure.json")),
        first
    );
    assert_eq!(watch.result(Step::RunIdentity, &event), second);

    // The closure that came back is an object of the platform.
    let key = second["closure"]["key"].as_str().unwrap();
    let summary = target
        .evidence()
        .get(key, second["closure"]["version_id"].as_str())
        .await
        .unwrap()
        .unwrap();
    let summary: Value = serde_json::from_slice(&summary.bytes).unwrap();
    assert_eq!(summary["phase_execution_id"], second["phase_execution_id"]);

    drop(watch);
    platform.stop().await.unwrap();
}

/// The name of a step's function: that of its folder.
fn function(step: Step) -> String {
    format!("{}-{}", step.prefix(), step.title().to_lowercase().replace(' ', "-"))
}

fn checked_in(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("events").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running `cargo lambda watch`, which ends with this value. It stays in the process group of the test, so that Ctrl-C
/// reaches it too.
struct Watch {
    child: Child,
    port: u16,
    path: OsString,
    root: PathBuf,
    scratch: PathBuf,
}

impl Watch {
    /// Starts it as a person would who has evaluated what `cargo p1 env` prints.
    fn start(platform: &Platform, tools: &Tools) -> Self {
        let mut path = tools.bin().into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let root = platform.checkout().root().to_owned();
        let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cargo-lambda-{}", std::process::id()));
        std::fs::create_dir_all(&scratch).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);

        let log = File::create(scratch.join("watch.log")).unwrap();
        let mut command = cargo_lambda(&root, &path);
        command
            // A change elsewhere in the checkout is no reason to begin again in the middle of this test.
            .args([
                "watch",
                "--ignore-changes",
                "--invoke-address",
                "127.0.0.1",
                "--invoke-port",
            ])
            .arg(port.to_string())
            .envs(variables_of(platform))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap();
        let mut watch = Self {
            child,
            port,
            path,
            root,
            scratch,
        };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let ended = watch.child.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < LIMIT, "{ended:?}\n{}", watch.log());
            std::thread::sleep(PAUSE);
        }
        watch
    }

    /// Invokes a function, and waits for the answer.
    fn invoke(&self, function: String, event: &Value) -> Output {
        let file = self.scratch.join("event.json");
        std::fs::write(&file, event.to_string()).unwrap();
        let mut command = cargo_lambda(&self.root, &self.path);
        command
            .args(["invoke", "--invoke-address", "127.0.0.1", "--invoke-port"])
            .arg(self.port.to_string())
            .arg("--data-file")
            .arg(file)
            .arg(function)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if began.elapsed() > LIMIT {
                child.kill().unwrap();
                panic!("no answer within {} s\n{}", LIMIT.as_secs(), self.log());
            }
            std::thread::sleep(PAUSE);
        }
        child.wait_with_output().unwrap()
    }

    /// A step's result.
    fn result(&self, step: Step, event: &Value) -> Value {
        let answer = self.invoke(function(step), event);
        assert!(
            answer.status.success(),
            "{step}: {}\n{}",
            text(&answer.stderr),
            self.log()
        );
        serde_json::from_slice(&answer.stdout).unwrap()
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.scratch.join("watch.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Asked to end, it ends the functions first.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let began = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if began.elapsed() > Duration::from_secs(20) {
                let _ = self.child.kill();
            }
            std::thread::sleep(PAUSE);
        }
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

/// `cargo lambda` in the checkout, with what `cargo test` describes of this package left out: build scripts would see other
/// values than in a build by hand, and everything above them would be compiled again.
fn cargo_lambda(root: &Path, path: &OsString) -> Command {
    let mut command = Command::new("cargo");
    command.arg("lambda").current_dir(root).env("PATH", path);
    for (name, _) in std::env::vars_os() {
        let is_mine = name.to_str().is_some_and(|name| {
            const PREFIXES: [&str; 6] = [
                "CARGO_PKG_",
                "CARGO_MANIFEST_",
                "CARGO_BIN_",
                "CARGO_CRATE_",
                "CARGO_LAMBDA_",
                "AWS_",
            ];
            const NAMES: [&str; 4] = ["CARGO", "CARGO_PRIMARY_PACKAGE", "CARGO_TARGET_TMPDIR", "OUT_DIR"];
            // A proxy has nothing to do with requests to this machine.
            let is_proxy = name.to_ascii_uppercase().ends_with("_PROXY");
            NAMES.contains(&name) || is_proxy || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        });
        if is_mine {
            command.env_remove(name);
        }
    }
    command
}
