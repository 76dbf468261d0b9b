//! The tool as a process: what signals, mistyped command lines and folders that cannot be used make of it.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// No run is of it.
const SCENARIO: &str = "scenario_0f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn p1() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p1"));
    command.env_remove("AWS_PROFILE");
    command
}

/// The evidence of a run as an earlier release wrote it, with this many files of others.
fn evidence(scratch: &TempDir, others: usize) -> PathBuf {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/verify/revision_1/advanced.json");
    let files: BTreeMap<String, String> = serde_json::from_slice(&fs::read(kept).unwrap()).unwrap();
    let dir = scratch.path().join("run");
    for (path, text) in files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir_all(dir.join("evidence/others")).unwrap();
    for number in 0..others {
        fs::write(dir.join(format!("evidence/others/{number}.json")), "{}\n").unwrap();
    }
    dir
}

/// Waits until the process handles the signal: before, it would end as any program does.
fn await_handler(child: &Child, signal: u32) {
    loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        assert!(!status.contains("State:\tZ"), "it ended before it handled a signal");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        if u64::from_str_radix(caught.trim(), 16).unwrap() >> (signal - 1) & 1 == 1 {
            return;
        }
        std::thread::yield_now();
    }
}

fn send(child: &Child, signal: u32) {
    let sent = Command::new("kill")
        .args([format!("-{signal}"), child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

fn stopped(mut command: Command, signal: u32, while_it: impl FnOnce(&Child)) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    await_handler(&child, signal);
    while_it(&child);
    send(&child, signal);
    child.wait_with_output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_a_command_that_computes_every_time() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = evidence(&scratch, 20_000);
    let out = scratch.path().join("page.html");
    let (dir, out) = (dir.to_str().unwrap(), out.to_str().unwrap());
    let commands = [
        vec!["verify", dir],
        vec!["verify", dir, "--json"],
        vec!["report", dir, "--out", out],
        vec!["replay", dir],
        vec!["diff", dir, dir],
    ];
    for arguments in commands {
        for (signal, name, expected) in [
            (2, "Ctrl-C", 130),
            (15, "SIGTERM", 143),
            (2, "Ctrl-C", 130),
            (2, "Ctrl-C", 130),
        ] {
            let mut command = p1();
            command.args(&arguments);
            let output = stopped(command, signal, |_| {});
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {told}");
            assert!(told.contains(name), "{told}");
            if arguments.contains(&"--json") {
                assert_eq!(object(&output)["exit_status"], expected);
            }
        }
    }
    assert!(!Path::new(out).exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_a_command_that_waits_for_an_endpoint() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = p1();
    command
        .args([
            "verify",
            "s3://evidence-bucket/evidence/runs/platform_20260223T174307Z/",
        ])
        .env("AWS_ENDPOINT_URL", format!("http://{}", silent.local_addr().unwrap()))
        .envs([
            ("AWS_REGION", "eu-west-2"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "key"),
        ]);
    let mut connection = None;
    let output = stopped(command, 2, |_| connection = Some(silent.accept().unwrap()));
    assert_eq!(output.status.code(), Some(130), "{output:?}");
}

/// The one object on standard output, and nothing else.
fn object(output: &Output) -> Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    assert!(
        value.is_object() && text.ends_with('\n') && text.lines().count() == 1,
        "{text:?}"
    );
    value
}

#[test]
fn json_is_one_object_on_success_and_on_every_failure() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = evidence(&scratch, 0);
    let page = scratch.path().join("page.html");
    let (dir, page) = (dir.to_str().unwrap(), page.to_str().unwrap());
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = "s3://evidence-bucket/evidence/runs/platform_20260223T174307Z/";
    let rows: [(&[&str], i32); 33] = [
        (&["verify", dir], 0),
        (&["verify", "/missing"], 4),
        (&["verify", dir, "--key", "/missing"], 4),
        (&["verify"], 4),
        (&["verify", run], 3),
        (&["verify", "s3://evidence-bucket/x"], 4),
        (&["report", dir, "--out", page], 0),
        (&["report", "/missing"], 4),
        (&["report", dir, "--out", "/missing/page.html"], 4),
        (&["report", dir, "--wrong"], 4),
        (&["replay", dir], 3),
        (&["replay", "/missing"], 4),
        (&["diff", dir, dir], 0),
        (&["diff", dir, "/missing"], 4),
        (&["run", "--registry", "/missing"], 2),
        (&["run", "--out", dir], 2),
        (&["run", "--wrong"], 2),
        (&["run", "--stack", "x"], 2),
        (&["resume", "--held", "k", "--reset", "/missing"], 2),
        (&["resume", "--held", "k", "--reset", "/missing", "--out", dir], 2),
        (&["resume"], 2),
        (&["gate", "nonsense"], 2),
        (&["fetch", "x", "--out", dir], 2),
        (&["runs", "--scenario", "x"], 2),
        (&["runs", "--digest", "x"], 2),
        (&["runs", "--since", "yesterday"], 2),
        (&["runs", "--limit", "0"], 2),
        (&["runs", "--verdict", "perhaps"], 2),
        (&["runs", "--scenario", SCENARIO, "--verdict", "hold"], 2),
        (&["runs", "--stack", "x"], 3),
        (&["up", "--platform", "/missing"], 2),
        (&["close", "/missing", "--docs", "/missing"], 2),
        (&["close", dir], 2),
    ];
    for (arguments, expected) in rows {
        let output = p1()
            .args(arguments)
            .arg("--json")
            .env("AWS_ENDPOINT_URL", format!("http://{gone}"))
            .envs([
                ("AWS_REGION", "eu-west-2"),
                ("AWS_ACCESS_KEY_ID", "id"),
                ("AWS_SECRET_ACCESS_KEY", "key"),
            ])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {output:?}");
        let object = object(&output);
        assert_eq!(object["exit_status"], expected, "{arguments:?}: {object}");
        let failed = expected == 2 || expected == 4;
        assert_eq!(
            object["error"].is_string(),
            failed || arguments.contains(&run) || arguments.contains(&"--stack"),
            "{arguments:?}: {object}"
        );
        if failed {
            assert!(!output.stderr.is_empty(), "{arguments:?}");
            // Without --json, standard output is for results alone.
            let output = p1().args(arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {output:?}");
            assert!(
                output.stdout.is_empty() && !output.stderr.is_empty(),
                "{arguments:?}: {output:?}"
            );
        }
    }
}

#[test]
fn an_out_that_cannot_be_used_is_refused_before_anything_is_done() {
    let scratch = tempfile::tempdir().unwrap();
    let reset = scratch.path().join("reset.json");
    fs::write(&reset, "{}").unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "").unwrap();
    let part = scratch.path().join("part");
    fs::create_dir_all(part.join("evidence")).unwrap();
    let inside_file = file.join("below");
    let nowhere = Path::new("/proc/nowhere/run");
    let reset = reset.to_str().unwrap();
    for (out, why) in [
        (file.as_path(), "is not a directory"),
        (&inside_file, "not a directory"),
        (&part, "interrupted"),
        (nowhere, "cannot be made"),
    ] {
        for command in [
            vec!["run"],
            vec!["resume", "--held", "k", "--reset", reset],
            vec!["gate", "platform_20260223T174307Z"],
            vec!["fetch", "platform_20260223T174307Z"],
        ] {
            let output = p1().args(&command).arg("--out").arg(out).output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command:?} {out:?}: {told}");
            assert!(
                told.contains("--out") && told.contains(why),
                "{command:?} {out:?}: {told}"
            );
        }
    }
    assert!(!scratch.path().join("missing").exists());
}

#[test]
fn a_report_never_makes_the_folder_that_it_is_put_into() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = evidence(&scratch, 0);
    let missing = scratch.path().join("missing");
    let output = p1()
        .arg("report")
        .arg(dir)
        .arg("--out")
        .arg(missing.join("page.html"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("missing"));
    assert!(!missing.exists());
}
