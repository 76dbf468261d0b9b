//! The tool as a process: what signals, mistyped command lines and folders that cannot be used make of it.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod shared;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::shared::evidence::evidence;
use crate::shared::object::object;

fn p1() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p1"));
    command.env_remove("AWS_PROFILE");
    command
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
                assert_eq!(
                    object(std::str::from_utf8(&output.stdout).unwrap())["exit_status"],
                    expected
                );
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
