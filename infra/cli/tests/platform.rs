//! The tool as a process, on the real engine: signals at every stage, an engine that is killed or frozen, a full disk, an
//! endpoint that stalls or cuts. One platform serves all of it, and it is the one that a user of this checkout would have.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod shared;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use serde_json::Value;

use crate::shared::ON_PLATFORM;
use crate::shared::object::object;

fn p1(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p1"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command to its end: exit status, standard output, standard error.
fn ends(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = p1(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A command under way, with the lines that it tells.
struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    told: String,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = p1(arguments).stdout(Stdio::null()).spawn().unwrap();
        let (send, lines) = mpsc::channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in errors.lines() {
                let _ = send.send(line.unwrap());
            }
        });
        Running {
            child,
            lines,
            told: String::new(),
        }
    }

    /// Waits for a line that contains this.
    fn until(&mut self, part: &str) {
        loop {
            let line = self
                .lines
                .recv()
                .unwrap_or_else(|_| panic!("{part} was never told: {}", self.told));
            self.told += &(line.clone() + "\n");
            if line.contains(part) {
                return;
            }
        }
    }

    fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        for line in self.lines {
            self.told += &(line + "\n");
        }
        (status, self.told)
    }
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Every process that descends from this one, with the second in which it was started, so that no other can be taken for it.
fn descendants(of: u32) -> BTreeMap<u32, String> {
    let mut processes = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process may end while it is looked at.
        let Some((_, rest)) = fs::read_to_string(entry.path().join("stat"))
            .ok()
            .and_then(|stat| stat.rsplit_once(')').map(|(a, b)| (a.to_owned(), b.to_owned())))
        else {
            continue;
        };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        processes.push((
            pid,
            fields[1].parse::<u32>().unwrap(),
            fields[19].to_owned(),
            fields[0] == "Z",
        ));
    }
    let mut found = BTreeMap::new();
    let mut open = vec![of];
    while let Some(parent) = open.pop() {
        for (pid, ppid, started, is_dead) in &processes {
            if *ppid == parent && !is_dead {
                found.insert(*pid, started.clone());
                open.push(*pid);
            }
        }
    }
    found
}

/// Waits until none of these processes is left. One that the tool has ended may be listed a little longer.
fn are_gone(processes: &BTreeMap<u32, String>) {
    let is_there = |(pid, started): &(&u32, &String)| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.to_owned())
            .unwrap_or_default();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        fields.len() > 19 && fields[19] == started.as_str() && fields[0] != "Z"
    };
    for _ in 0..500 {
        if !processes.iter().any(|process| is_there(&process)) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!(
        "left behind: {:?}",
        processes.iter().filter(is_there).collect::<Vec<_>>()
    );
}

/// What the proxy does from some request on.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// It answers nothing any more.
    Stall,
    /// It closes the connection.
    Cut,
}

/// A proxy before the engine. `from` is the number of the first request that it treats badly; the channel tells when that comes.
fn proxy(engine: u16, fault: Fault, from: usize) -> (u16, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = mpsc::channel();
    let seen = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, tell, seen) = (client.unwrap(), tell.clone(), Arc::clone(&seen));
            std::thread::spawn(move || {
                let mut server = TcpStream::connect(("127.0.0.1", engine)).unwrap();
                let (mut back, mut answers) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    std::io::copy(&mut answers, &mut back).map(|_| back.shutdown(std::net::Shutdown::Both))
                });
                let mut buffer = vec![0; 1 << 16];
                while let Ok(length @ 1..) = client.read(&mut buffer) {
                    let begins = [&b"GET /"[..], b"POST /", b"HEAD /", b"PUT /"];
                    let is_request = begins.iter().any(|begin| buffer[..length].starts_with(begin));
                    // The tool's own question whether the engine is there is none of them.
                    if is_request && !buffer[..length].starts_with(b"GET /_ministack") {
                        seen.fetch_add(1, Ordering::SeqCst);
                    }
                    if seen.load(Ordering::SeqCst) >= from {
                        let _ = tell.send(());
                        if fault == Fault::Cut {
                            let _ = server.shutdown(std::net::Shutdown::Both);
                            let _ = client.shutdown(std::net::Shutdown::Both);
                            return;
                        }
                        std::thread::park();
                    }
                    if server.write_all(&buffer[..length]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, told)
}

/// The file through which a command finds the platform.
struct StateFile(PathBuf, Value);

impl StateFile {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.p1/platform.json");
        let state = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        StateFile(path, state)
    }

    fn number(&self, field: &str) -> u64 {
        self.1["engine"][field].as_u64().unwrap()
    }

    /// The platform is found at another port.
    fn at(&self, port: u16) {
        let mut state = self.1.clone();
        state["engine"]["port"] = port.into();
        fs::write(&self.0, state.to_string()).unwrap();
    }
}

/// A folder that a mirror was interrupted in, or failed in, is not taken for a whole one.
fn looks_whole(dir: &Path) -> bool {
    matches!(ends(&["verify", dir.to_str().unwrap()]).0, Some(0 | 1))
}

/// Runs a command with `--json` to its end: its one object.
fn json(arguments: &[&str], expected: i32) -> Value {
    let (status, said, told) = ends(&[arguments, &["--json"]].concat());
    assert_eq!(status, Some(expected), "{arguments:?}: {said}{told}");
    object(&said)
}

/// `--json` of every command that needs the platform which is up, where it succeeds: also of a run that is held, and resumed.
fn json_where_commands_succeed(run: &str, scratch: &Path) {
    let at = |name: &str| scratch.join(name).to_str().unwrap().to_owned();
    let registry = at("starter/handles.registry.md");
    assert_eq!(json(&["init", &at("starter")], 0)["files"][0], "handles.registry.md");
    let good = fs::read_to_string(&registry).unwrap();
    let (held_by, reset) = (at("held.md"), at("a-reset.json"));
    let bad = good.replace("runtime_lane,trace_id\"", "trace_id\"");
    assert_ne!(bad, good);
    fs::write(&held_by, bad).unwrap();
    let filled = serde_json::json!({"reason": "r", "class": "service_runtime_reset", "scope": "s"});
    fs::write(&reset, filled.to_string()).unwrap();

    let held = json(&["run", "--registry", &held_by, "--out", &at("held")], 1);
    assert_eq!((&held["verdict"], &held["exit_status"]), (&"HOLD_M3".into(), &1.into()));
    let step = held["steps"]
        .as_array()
        .unwrap()
        .iter()
        .find(|step| step["step"] == "M3.F")
        .unwrap();
    let last = step["phase_execution_id"].as_str().unwrap();
    let (out, uri) = (
        at("outputs.json"),
        "s3://fraud-platform-dev-full-artifacts/p1/copy.json",
    );
    let resumed = [
        "resume",
        "--held",
        last,
        "--reset",
        &reset,
        "--actor",
        "ada",
        "--registry",
        &registry,
        "--out",
        &at("resumed"),
    ];
    let lines: [(&[&str], &str); 9] = [
        (&resumed, "verdict"),
        (&["status"], "endpoint"),
        (&["env"], "AWS_ENDPOINT_URL"),
        (&["outputs"], "outputs"),
        (&["outputs", "--out", &out, "--upload", uri], "uri"),
        (&["up"], "endpoint"),
        (&["gate", run, "--out", &at("gate")], "outcome"),
        (&["fetch", run, "--out", &at("fetched")], "evidence_dir"),
        (&["runs"], "runs"),
    ];
    let mut tried = BTreeSet::from(["run"]);
    for (line, field) in lines {
        let object = json(line, 0);
        assert!(
            object[field].is_string() || object[field].is_object() || object[field].is_array(),
            "{line:?}: {object}"
        );
        tried.insert(line[0]);
    }
    assert!(ON_PLATFORM.iter().all(|command| tried.contains(command)), "{tried:?}");
}

#[test]
fn bad_weather() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (status, said, _) = ends(&["status", "--json"]);
    let up: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (status, &up["up"]),
        (Some(0), &false.into()),
        "a platform is up; stop it with `cargo p1 down`"
    );

    // A run with a platform of its own, stopped where it builds, where the engine starts and where it deploys.
    let stages = [
        ("building", "-INT", 130),
        ("starting the engine", "-TERM", 143),
        ("deploying", "-INT", 130),
    ];
    for (stage, name, expected) in stages {
        let out = at(stage);
        let mut run = Running::start(&["run", "--out", &text(&out)]);
        run.until(stage);
        let processes = descendants(run.child.id());
        signal(name, run.child.id());
        let (status, told) = run.end();
        assert_eq!(status.code(), Some(expected), "{stage}: {told}");
        assert!(told.contains("what was started here has been ended"), "{stage}: {told}");
        are_gone(&processes);
        assert!(!out.exists(), "{stage}");
    }

    let first = at("first");
    let (status, said, told) = ends(&["run", "--keep", "--json", "--out", &text(&first)]);
    assert_eq!(status, Some(0), "{told}");
    let result: Value = serde_json::from_str(&said).unwrap();
    let run = result["platform_run_id"].as_str().unwrap().to_owned();
    assert!(looks_whole(&first));
    let state = StateFile::read();
    let (engine, pid) = (
        u16::try_from(state.number("port")).unwrap(),
        u32::try_from(state.number("pid")).unwrap(),
    );

    // An endpoint that stalls in the middle of a mirror: the user stops the command, or it ends by itself.
    let fetch = |out: &Path| Running::start(&["fetch", &run, "--out", &text(out)]);
    let (port, stalled) = proxy(engine, Fault::Stall, 40);
    state.at(port);
    let waits = fetch(&at("waits"));
    stalled.recv().unwrap();
    // That takes it a minute, in which the platform serves others.
    state.at(engine);
    json_where_commands_succeed(&run, scratch.path());
    let (port, stalled) = proxy(engine, Fault::Stall, 40);
    state.at(port);
    let stopped = fetch(&at("stopped"));
    stalled.recv().unwrap();
    signal("-INT", stopped.child.id());
    let (status, told) = stopped.end();
    assert_eq!(status.code(), Some(130), "{told}");
    assert!(!looks_whole(&at("stopped")));
    // An endpoint that cuts every connection.
    let (port, _told) = proxy(engine, Fault::Cut, 40);
    state.at(port);
    let (status, said, told) = ends(&["fetch", &run, "--out", &text(&at("cut"))]);
    assert_eq!(status, Some(3), "{said}{told}");
    assert!((said.clone() + &told).contains("problem: failed to"), "{said}{told}");
    assert!(!looks_whole(&at("cut")));
    state.at(engine);

    // A disk that is full below --out: no file gets more than a kilobyte.
    let full = at("full");
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
    let output = Command::new("bash")
        .args([
            "-c",
            script,
            env!("CARGO_BIN_EXE_p1"),
            "fetch",
            &run,
            "--out",
            &text(&full),
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        said.contains("problem: failed to write") && said.contains("too large"),
        "{said}"
    );
    assert!(!looks_whole(&full));
    let (status, _, told) = ends(&["fetch", &run, "--out", &text(&full)]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("interrupted"), "{told}");

    // An execution under way: the command is stopped, and the platform stays.
    let out = at("execution");
    let mut pins = Running::start(&["run", "--out", &text(&out)]);
    pins.until("execution: ");
    signal("-INT", pins.child.id());
    let (status, told) = pins.end();
    assert_eq!(status.code(), Some(130), "{told}");
    assert!(!out.exists());

    // An engine that was frozen, and one that is killed while it runs an execution.
    signal("-STOP", pid);
    let (status, _, told) = ends(&["status"]);
    signal("-CONT", pid);
    assert_eq!(status, Some(3), "{told}");
    assert!(
        told.contains("does not answer") && told.contains(&pid.to_string()),
        "{told}"
    );

    let (status, told) = waits.end();
    assert_eq!(status.code(), Some(3), "{told}");
    assert!(told.contains("does not answer"), "{told}");
    assert!(!looks_whole(&at("waits")));

    let mut pins = Running::start(&["run", "--out", &text(&out)]);
    pins.until("execution: ");
    let functions = descendants(pid);
    signal("-KILL", pid);
    let (status, told) = pins.end();
    assert_eq!(status.code(), Some(3), "{told}");
    let gone = format!("engine (pid {pid}) is not running any more");
    assert!(told.contains(&gone), "{told}");
    assert!(!out.exists());
    are_gone(&functions);
    let log = told
        .split("its log is ")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .unwrap();
    assert!(Path::new(log).is_file(), "{log}");

    // Every command says so afterwards, until the platform is forgotten.
    let reset = at("reset.json");
    fs::write(&reset, r#"{"reason": "r", "class": "c", "scope": "s"}"#).unwrap();
    let resume = ["resume", "--held", "k", "--actor", "a", "--reset", &text(&reset)].map(str::to_owned);
    let commands = [
        (vec!["status".to_owned()], 0),
        (
            ["fetch", &run, "--out", &text(&at("never"))]
                .map(str::to_owned)
                .to_vec(),
            3,
        ),
        (resume.to_vec(), 3),
        (vec!["gate".to_owned(), run.clone()], 3),
        (vec!["runs".to_owned()], 3),
        (vec!["down".to_owned()], 0),
    ];
    for (arguments, expected) in commands {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (status, said, told) = ends(&arguments);
        assert_eq!(status, Some(expected), "{arguments:?}: {told}");
        assert!((said + &told).contains(&gone), "{arguments:?}: {told}");
    }
    let (status, said, _) = ends(&["status"]);
    assert_eq!(status, Some(0));
    assert!(said.contains("no local platform is up"), "{said}");

    // One that comes up, and is stopped.
    assert_eq!(json(&["up"], 0)["up"], true);
    assert!(
        json(&["down"], 0)["done"]
            .as_str()
            .unwrap()
            .starts_with("stopped the local platform")
    );
}
