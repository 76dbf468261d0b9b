//! Checks the dependencies that ARCHITECTURE.md states between crates, and that no modules import each other in a circle.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod circles;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The crates that each crate of the workspace depends on outside its tests, by what `cargo metadata` says.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let of = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|dependency| dependency["kind"].is_null())
            .map(name)
            .collect()
    };
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.map(|package| (name(package), of(package))).collect()
}

/// What a crate of ours may rest on, besides crates of others.
fn allowed(name: &str) -> &'static [&'static str] {
    match name {
        "p1-contract" => &[],
        "p1-audit" | "p1-runtime" => &["p1-contract"],
        "p1-report" => &["p1-contract", "p1-audit"],
        "p1-local" => &["p1-contract", "p1-runtime"],
        "p1-replay" => &["p1-contract", "p1-audit", "p1-runtime", "functions"],
        "p1-lint" => &["p1-contract", "p1-runtime", "functions"],
        "p1" => &[
            "p1-contract",
            "p1-audit",
            "p1-runtime",
            "p1-lint",
            "p1-replay",
            "p1-report",
            "p1-local",
        ],
        function if function.starts_with("m3") => &["p1-contract", "p1-audit", "p1-runtime"],
        // The tests and the benchmark rest on everything, and nothing rests on them.
        _ => &[
            "p1-contract",
            "p1-audit",
            "p1-runtime",
            "p1-lint",
            "p1-replay",
            "p1-report",
            "p1-local",
            "p1",
            "p1-bench",
            "functions",
        ],
    }
}

#[test]
fn every_crate_rests_on_what_the_house_allows() {
    let all = dependencies();
    assert!(all.len() > 15, "{all:?}");
    let kind = |name: &str| {
        if name.starts_with("m3") {
            "functions".to_owned()
        } else {
            name.to_owned()
        }
    };
    for (name, dependencies) in &all {
        let ours = dependencies.iter().filter(|dependency| all.contains_key(*dependency));
        let wrong: Vec<&String> = ours
            .filter(|dependency| !allowed(name).contains(&kind(dependency).as_str()))
            .collect();
        assert!(wrong.is_empty(), "{name} must not rest on {wrong:?}");
    }
}

#[test]
fn contract_and_audit_do_no_input_or_output() {
    let all = dependencies();
    for name in ["p1-contract", "p1-audit"] {
        let does_io = |dependency: &&String| {
            let dependency = dependency.as_str();
            // The shapes of AWS's events are data.
            dependency.starts_with("aws") && dependency != "aws_lambda_events" || dependency == "tokio"
        };
        let wrong: Vec<&String> = all[name].iter().filter(does_io).collect();
        assert!(wrong.is_empty(), "{name} must not rest on {wrong:?}");
        for (file, text) in circles::sources(&root().join("shared").join(name.trim_start_matches("p1-"))) {
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for word in ["std::fs", "std::net", "std::env", "std::process", "SystemTime"] {
                    assert!(!line.contains(word), "{} uses {word}", file.display());
                }
            }
        }
    }
}

/// The folders of all crates but the tests'.
fn crates() -> Vec<PathBuf> {
    let mut crates = Vec::new();
    for place in [
        "shared/*",
        "functions/*",
        "infra/audit/*",
        "infra/cli",
        "infra/local",
        "tests/bench",
    ] {
        match place.strip_suffix("/*") {
            Some(folder) => {
                let entries = std::fs::read_dir(root().join(folder)).unwrap();
                crates.extend(entries.map(|entry| entry.unwrap().path()));
            }
            None => crates.push(root().join(place)),
        }
    }
    crates.retain(|place| place.join("Cargo.toml").is_file());
    crates
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let circles: Vec<String> = crates().iter().flat_map(|place| circles::of_crate(place)).collect();
    assert!(
        circles.is_empty(),
        "modules that import each other:\n{}",
        circles.join("\n")
    );
}

/// A failure is not hidden, and no error is told apart by its words. Each of these was in the code once.
#[test]
fn no_source_hides_a_failure() {
    let hides = |line: &str| match line {
        _ if line.contains("Sha256Hex::of(b\"\")") => Some("a hash of nothing stands where a hash is to come"),
        _ if line.contains(".unwrap_or_default()")
            && ["render()", "to_value(", "to_string(self", "to_vec("]
                .iter()
                .any(|call| line.contains(call)) =>
        {
            Some("a rendering that fails becomes an empty one")
        }
        _ if line.contains(".to_string().contains(") => Some("an error is told apart by its words"),
        _ => None,
    };
    let (mut read, mut found) = (0, Vec::new());
    for (file, text) in crates().iter().flat_map(|place| circles::sources(place)) {
        read += 1;
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            found.extend(hides(line).map(|why| format!("{}: {why}: {}", file.display(), line.trim())));
        }
    }
    assert!(read > 200, "only {read} files were read");
    assert!(found.is_empty(), "{}", found.join("\n"));
}
