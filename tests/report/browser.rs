//! The pages in headless Chromium: `tests/report/check.mjs` looks at them, this starts it and counts what it says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use p1_tests::runs::HOSTILE;
use serde_json::{Value, json};

/// When this variable is set, as `.ci/run` does, the browser must be there.
const REQUIRED: &str = "P1_REQUIRE_BROWSER";
/// When this variable is set, the picture of the README is taken anew.
const PICTURE: &str = "P1_PICTURE";
/// Names a browser that is not at one of the usual places.
const BROWSER: &str = "P1_CHROMIUM";

/// A page to look at.
pub(crate) struct Shown {
    name: &'static str,
    html: String,
}

impl Shown {
    pub(crate) fn new(name: &'static str, html: String) -> Self {
        Shown { name, html }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn browser() -> Option<PathBuf> {
    let named = std::env::var_os(BROWSER).map(PathBuf::from);
    let usual = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).flat_map(|folder| usual.map(|name| folder.join(name)));
    named.into_iter().chain(found).find(|candidate| candidate.is_file())
}

/// What is missing for a look, if anything.
fn missing() -> Option<&'static str> {
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).status();
    if !node.is_ok_and(|status| status.success()) {
        Some("node is not there")
    } else if !root().join("node_modules/playwright-core/package.json").is_file() {
        Some("node_modules is not there: run `npm ci`")
    } else if browser().is_none() {
        Some("Chromium is not there: install it (`apt-get install chromium`), or name it in P1_CHROMIUM")
    } else {
        None
    }
}

/// Looks at every page. Where the browser is not there and need not be, it says so and looks at nothing.
pub(crate) fn look(pages: &[Shown]) {
    if let Some(missing) = missing() {
        assert!(std::env::var_os(REQUIRED).is_none(), "{missing}, and {REQUIRED} is set");
        println!("report: the pages were NOT looked at in a browser: {missing}");
        return;
    }
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report-pages");
    fs::create_dir_all(&out).unwrap();
    let list: Vec<Value> = pages
        .iter()
        .map(|page| {
            let path = out.join(format!("{}.html", page.name));
            fs::write(&path, &page.html).unwrap();
            json!({"name": page.name, "path": path})
        })
        .collect();
    let order = json!({
        "browser": browser(), "out": out, "pages": list, "hostile": HOSTILE,
        "picture": std::env::var_os(PICTURE).map(|_| root().join("docs/images/report.png")),
    });
    let order_file = out.join("order.json");
    fs::write(&order_file, order.to_string()).unwrap();
    let output = Command::new("node")
        .arg(root().join("tests/report/check.mjs"))
        .arg(&order_file)
        .current_dir(root())
        .output()
        .unwrap();
    let (text, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "the browser found something:\n{text}\n{errors}"
    );
    let counts: Value = serde_json::from_str(text.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error} in {text}\n{errors}"));
    // A checker that looked at nothing found nothing.
    assert_eq!(counts["pages"], pages.len(), "{counts}");
    let many = |name: &str, at_least: u64| assert!(counts[name].as_u64() >= Some(at_least), "{name}: {counts}");
    many("axe_runs", pages.len() as u64 * 2 + 6);
    many("axe_rules_passed", (pages.len() as u64 * 2 + 6) * 10);
    many("drawn_texts", pages.len() as u64 * 2 * 40);
    many("focus_stops", pages.len() as u64 * 20);
    many("details_in_print", pages.len() as u64 * 5);
    many("hostile_texts_found", 2 * HOSTILE.len() as u64);
    println!("report in the browser: {counts}");
}
