//! Gives `--version` the commit. A source archive has no repository; then the version stands alone.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return;
    };
    // The log of HEAD grows with each commit and each checkout.
    for file in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", file]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    // One literal, because `concat!` takes no `option_env!`.
    println!("cargo::rustc-env=P1_VERSION={} ({commit})", env!("CARGO_PKG_VERSION"));
}

/// One line of git's output, if the sources are this project's own repository.
fn git(arguments: &[&str]) -> Option<String> {
    // An archive that was unpacked inside another repository must not take that one's commit.
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    if !std::path::Path::new(root).join(".git").exists() {
        return None;
    }
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !line.is_empty()).then_some(line)
}
