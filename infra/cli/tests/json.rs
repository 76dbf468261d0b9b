//! `--json` of every command: one object on standard output and nothing else, whatever comes of it, beside the exit status that the
//! command's help says. What needs a local platform is in platform.rs.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod shared;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use p1::exit::GROUPS;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::shared::ON_PLATFORM;
use crate::shared::evidence::evidence;
use crate::shared::object::object;

/// How a command is tried: command lines with the exit status of each. `{}` is the scratch folder.
enum Tried {
    /// What it does here, and how it fails.
    Here(&'static [(&'static str, i32)], &'static [(&'static str, i32)]),
    /// Its success needs a local platform, and is in platform.rs.
    OnPlatform(&'static [(&'static str, i32)]),
    /// It has no `--json`, for this reason.
    Not(&'static str),
}

use Tried::{Here, Not, OnPlatform};

/// Every command. AWS does not answer here, and no local platform is up.
const TABLE: [(&str, Tried); 23] = [
    (
        "init",
        Here(
            &[("{}/new", 0), ("{}/other --environment prod --region eu-west-1", 0)],
            &[
                ("{}/there", 2),
                ("{}/new2 --account 12", 2),
                ("{}/new3 --environment Prod", 2),
                ("{}/file/below", 3),
                ("", 2),
                ("{}/new4 --wrong", 2),
            ],
        ),
    ),
    (
        "lint",
        Here(
            &[
                ("{}/starter/handles.registry.md", 0),
                ("{}/held.md", 1),
                ("{}/none.md", 2),
            ],
            &[
                ("/missing", 2),
                ("{}", 2),
                ("{}/held.md --stack-outputs /missing", 2),
                ("{}/held.md --environment Prod", 2),
                ("{}/held.md --role role", 2),
                ("--stack x", 3),
                ("", 2),
                ("{}/held.md --format nonsense", 2),
                ("--wrong", 2),
            ],
        ),
    ),
    (
        "run",
        OnPlatform(&[
            ("--registry /missing", 2),
            ("--registry {}/none.md", 2),
            ("--out {}/run", 2),
            ("--platform /missing", 2),
            ("--stack x --platform y", 2),
            ("--stack x", 2),
            ("--stack x --input {}/input.json", 3),
            ("--wrong", 2),
        ]),
    ),
    (
        "resume",
        OnPlatform(&[
            ("--held k --reset /missing", 2),
            ("--held k --reset {}/reset.json --out {}/run", 2),
            ("--held k --reset {}/none.md --actor a", 2),
            ("--held k --reset {}/reset.json --actor a", 2),
            ("--held k --reset {}/reset.json --actor a --stack x", 3),
            ("", 2),
        ]),
    ),
    (
        "gate",
        OnPlatform(&[
            ("nonsense", 2),
            ("platform_20260223T174307Z", 2),
            ("platform_20260223T174307Z --out {}/run", 2),
            ("platform_20260223T174307Z --stack x", 3),
            ("", 2),
        ]),
    ),
    (
        "close",
        Here(
            &[("{}/run --docs {}/docs --receipt {}/receipt.json", 0)],
            &[
                ("/missing --docs {}/docs", 2),
                ("{}/empty --docs {}/docs", 2),
                ("{}/run --docs /missing", 2),
                ("{}/run --docs {}/docs --key /missing", 2),
                ("{}/run", 2),
                ("", 2),
            ],
        ),
    ),
    (
        "fetch",
        OnPlatform(&[
            ("x --out {}/run", 2),
            ("x --out {}/out", 2),
            ("x --out {}/out --stack x", 3),
            ("x", 2),
        ]),
    ),
    (
        "runs",
        OnPlatform(&[
            ("--scenario x", 2),
            ("--digest x", 2),
            ("--since yesterday", 2),
            ("--limit 0", 2),
            ("--verdict perhaps", 2),
            ("--scenario scenario_0f1e2d3c4b5a69788796a5b4c3d2e1f0 --verdict hold", 2),
            ("--stack x", 3),
        ]),
    ),
    (
        "verify",
        Here(
            &[("{}/run", 0), ("{}/run --no-replay", 0), ("{}/changed", 2)],
            &[
                ("/missing", 4),
                ("{}/empty", 4),
                ("{}/file", 4),
                ("{}/run --key /missing", 4),
                ("s3://evidence-bucket/x", 4),
                (RUN_AND, 3),
                ("", 4),
            ],
        ),
    ),
    (
        "report",
        Here(
            &[("{}/run --out {}/page.html", 0), ("{}/changed --out {}/page.html", 2)],
            &[
                ("/missing", 4),
                ("{}/empty", 4),
                ("{}/run --out /missing/page.html", 4),
                ("{}/run --key /missing", 4),
                ("{}/run --wrong", 4),
            ],
        ),
    ),
    (
        "replay",
        // Evidence of an earlier release is not computed again.
        Here(&[("{}/run", 3)], &[("/missing", 4), ("{}/empty", 4), ("", 4)]),
    ),
    (
        "diff",
        Here(
            &[("{}/run {}/run", 0)],
            &[("{}/run /missing", 4), ("{}/empty {}/run", 4), ("{}/run", 4)],
        ),
    ),
    ("exit-codes", Here(&[("", 0)], &[("--wrong", 2)])),
    (
        "up",
        OnPlatform(&[("--platform /missing", 2), ("--platform {}/none.md", 2), ("--wrong", 2)]),
    ),
    ("down", Here(&[("", 0)], &[("--wrong", 2)])),
    ("status", Here(&[("", 0)], &[("--wrong", 2)])),
    ("env", OnPlatform(&[("", 2), ("--wrong", 2)])),
    (
        "outputs",
        OnPlatform(&[
            ("", 2),
            ("--upload s3://bucket/evidence/x.json", 2),
            ("--upload bucket", 2),
            ("--stack x", 3),
            ("--wrong", 2),
        ]),
    ),
    (
        "event",
        Not("it prints the payload of a function, which is JSON and nothing else"),
    ),
    ("tools", Not("it prints a directory for PATH")),
    (
        "bench",
        Not("it hands over to the benchmark, whose --json is held by tests/bench"),
    ),
    ("completions", Not("it prints a script for a shell")),
    ("man", Not("it writes pages for man")),
];

const RUN_AND: &str = "s3://evidence-bucket/evidence/runs/platform_20260223T174307Z/ --no-replay";

/// A folder with everything that the command lines name, and a checkout without a local platform.
struct Place {
    scratch: TempDir,
    endpoint: String,
}

impl Place {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        evidence(&scratch, 0);
        let at = |name: &str| scratch.path().join(name);
        let write = |name: &str, text: &str| {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), text).unwrap();
        };
        for folder in ["empty", "docs", "checkout"] {
            fs::create_dir(at(folder)).unwrap();
        }
        for document in ["platform.build_plan.md", "platform.impl_actual.md", "logbook.md"] {
            write(&format!("docs/{document}"), "# Notes\n");
        }
        write("file", "");
        write("none.md", "nothing is declared here");
        write("reset.json", r#"{"reason": "r", "class": "c", "scope": "s"}"#);
        let key = "evidence/dev_full/run_control/m2j_20260223T061612Z/m2j_m3_entry_readiness_receipt.json";
        write("input.json", &json!({"m2_handoff": {"key": key}}).to_string());
        write("there/billing.json", "mine");
        copy(&at("run"), &at("changed"));
        let changed = find(&at("changed"), "run.json");
        fs::write(
            &changed,
            fs::read_to_string(&changed).unwrap().replace("sha256", "sha257"),
        )
        .unwrap();
        // What makes a folder a checkout, and a profile.
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for file in [
            "infra/template.yaml",
            "infra/local/requirements-engine.txt",
            "infra/local/profile.json",
            "statemachine/platform-run.asl.json",
        ] {
            write(
                &format!("checkout/{file}"),
                &fs::read_to_string(root.join(file)).unwrap(),
            );
        }
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let place = Place {
            scratch,
            endpoint: format!("http://{gone}"),
        };
        assert!(place.p1("init {}/starter").output().unwrap().status.success());
        let registry = fs::read_to_string(place.at("starter/handles.registry.md")).unwrap();
        fs::write(
            place.at("held.md"),
            registry.replace("ALERT_1_USD = 100", "ALERT_1_USD = 200"),
        )
        .unwrap();
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn p1(&self, line: &str) -> Command {
        let line = line.replace("{}", self.scratch.path().to_str().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_p1"));
        command
            .args(line.split_whitespace())
            .current_dir(self.at("checkout"))
            .env("CARGO_MANIFEST_DIR", self.at("checkout"))
            .env_remove("AWS_PROFILE")
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .envs([
                ("AWS_REGION", "eu-west-2"),
                ("AWS_ACCESS_KEY_ID", "id"),
                ("AWS_SECRET_ACCESS_KEY", "key"),
            ]);
        command
    }

    /// Tries a command line with `--json`. Gives the object.
    fn json(&self, line: &str, expected: i32) -> (Value, Output) {
        let output = self.p1(&format!("{line} --json")).output().unwrap();
        assert_eq!(output.status.code(), Some(expected), "{line}: {output:?}");
        let object = object(&printed(&output));
        assert_eq!(object["exit_status"], expected, "{line}: {object}");
        let told = String::from_utf8(output.stderr.clone()).unwrap();
        let is_json = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object());
        assert!(!told.lines().any(is_json), "{line}: {told}");
        (object, output)
    }

    fn fails(&self, line: &str, expected: i32) {
        let (object, output) = self.json(line, expected);
        assert!(object["error"].is_string(), "{line}: {object}");
        assert!(!output.stderr.is_empty(), "{line}: a person is told, too");
        // Without --json, standard output is for results alone.
        let output = self.p1(line).output().unwrap();
        assert_eq!(output.status.code(), Some(expected), "{line}: {output:?}");
        let has_standing = expected == 3 && line.starts_with("verify");
        assert!(output.stdout.is_empty() != has_standing, "{line}: {output:?}");
        assert!(has_standing || !output.stderr.is_empty(), "{line}: {output:?}");
    }
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn find(folder: &Path, name: &str) -> PathBuf {
    let entries: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let own = entries
        .iter()
        .find(|path| path.is_file() && path.file_name().unwrap() == name);
    let below = || entries.iter().filter(|path| path.is_dir()).map(|path| find(path, name));
    own.cloned()
        .or_else(|| below().find(|path| path.is_file()))
        .unwrap_or_default()
}

#[test]
fn every_command_is_tried_or_says_why_it_has_no_json() {
    let program = p1::args::command();
    let known: BTreeSet<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
    let tried: BTreeSet<&str> = TABLE.iter().map(|(name, _)| *name).collect();
    assert_eq!(tried.len(), TABLE.len(), "a command stands twice");
    assert_eq!(known, tried, "a command is not in the table");
    let on_platform = TABLE.iter().filter(|(_, tried)| matches!(tried, OnPlatform(_)));
    let on_platform: BTreeSet<&str> = on_platform.map(|(name, _)| *name).collect();
    assert_eq!(on_platform, BTreeSet::from(ON_PLATFORM), "platform.rs tries others");
    for (name, tried) in &TABLE {
        let command = program.find_subcommand(name).unwrap();
        let has_json = command.get_arguments().any(|argument| argument.get_id() == "json");
        let (successes, failures): (&[_], &[_]) = match tried {
            Here(successes, failures) => (successes, failures),
            OnPlatform(failures) => (&[], failures),
            Not(reason) => {
                assert!(!has_json && !reason.is_empty(), "{name}");
                continue;
            }
        };
        assert!(has_json, "{name} has no --json");
        assert!(!failures.is_empty());
        // Each status is one that the command's help says.
        let group = GROUPS.iter().find(|group| group.commands.contains(name)).unwrap();
        let documented: BTreeSet<i32> = group.statuses.iter().map(|(status, _)| status.code().into()).collect();
        let statuses: BTreeSet<i32> = successes.iter().chain(failures).map(|(_, status)| *status).collect();
        assert!(statuses.is_subset(&documented), "{name}: {statuses:?}");
    }
}

#[test]
fn json_is_one_object_on_success_and_on_every_failure() {
    let place = Place::new();
    let of_command = &|name: &str, tried: &Tried| {
        let (successes, failures): (&[_], &[_]) = match tried {
            Here(successes, failures) => (successes, failures),
            OnPlatform(failures) => (&[], failures),
            Not(_) => return,
        };
        for (line, expected) in successes {
            let (object, _) = place.json(&format!("{name} {line}"), *expected);
            assert!(object["error"].is_null(), "{name} {line}: {object}");
        }
        for (line, expected) in failures {
            place.fails(&format!("{name} {line}"), *expected);
        }
    };
    // Most of it is waiting for an endpoint that is not there.
    std::thread::scope(|scope| {
        for (name, tried) in &TABLE {
            scope.spawn(move || of_command(name, tried));
        }
    });
    // The other way to ask for it.
    let output = place.p1("lint /missing --format json").output().unwrap();
    assert_eq!(
        (output.status.code(), &object(&printed(&output))["exit_status"]),
        (Some(2), &json!(2))
    );
    let output = place.p1("lint --format=json --wrong").output().unwrap();
    assert_eq!(
        (output.status.code(), &object(&printed(&output))["exit_status"]),
        (Some(2), &json!(2))
    );
    let output = place.p1("--json").output().unwrap();
    assert_eq!(
        (output.status.code(), &object(&printed(&output))["exit_status"]),
        (Some(2), &json!(2))
    );
}

/// A platform that was left running and is gone, and a file about it that is none.
#[test]
fn a_platform_that_is_gone_is_a_fault_in_json_too() {
    let place = Place::new();
    let state = place.at("checkout/.p1/platform.json");
    fs::create_dir_all(state.parent().unwrap()).unwrap();
    let needs = [
        "resume --held k --reset {}/reset.json --actor a",
        "gate platform_20260223T174307Z",
        "fetch x --out {}/out",
        "env",
        "outputs",
    ];
    let profile: Value =
        serde_json::from_slice(&fs::read(place.at("checkout/infra/local/profile.json")).unwrap()).unwrap();
    let text = |name: &str| json!(format!("some-{name}"));
    let deployment = json!({
        "stack": text("stack"), "environment": "dev_full", "evidence_bucket": text("evidence"),
        "object_store_bucket": text("store"), "artifacts_bucket": text("artifacts"), "state_machine_arn": text("machine"),
        "state_machine_name": text("machine"), "state_machine_role_arn": text("role"), "registry_uri": text("registry"),
        "stack_outputs_uris": [], "billing_artifact_uri": "", "outputs": {},
    });
    let gone = json!({
        "schema_version": 1, "engine": {"pid": 1, "port": 1, "token": "t"}, "profile": profile, "wait_scale": null,
        "deployment": deployment,
    });
    fs::write(&state, gone.to_string()).unwrap();
    for line in needs {
        place.fails(line, 3);
    }
    assert!(
        place.json("status", 0).0["why"]
            .as_str()
            .unwrap()
            .contains("not running any more")
    );
    assert!(
        place.json("down", 0).0["done"]
            .as_str()
            .unwrap()
            .contains("not running any more")
    );
    assert!(!state.exists());
    fs::write(&state, "{}").unwrap();
    for line in needs.into_iter().chain(["status", "down", "up"]) {
        place.fails(line, 3);
    }
}
