//! The benchmark, quickly: every part can be measured, and what it counts is right. No time is held against anything.

use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use p1_bench::args::BuildProfile;
use p1_bench::report::{Report, Row};
use p1_bench::{Options, measure};
use p1_local::progress::{Lines, Progress};

/// Prints what is said, and remembers it.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    fn hears(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

impl Progress for Heard {
    fn begin(&self, phase: &str) {
        Lines.begin(phase);
        self.hears(format!("begin {phase}"));
    }

    fn note(&self, text: &str) {
        Lines.note(text);
        self.hears(format!("note {text}"));
    }

    fn done(&self, phase: &str, took: Duration) {
        Lines.done(phase, took);
        self.hears(format!("done {phase}"));
    }
}

fn row<'r>(report: &'r Report, part: &str, name: &str) -> &'r Row {
    let section = report.sections.iter().find(|section| section.name == part);
    let found = section.and_then(|section| section.rows.iter().find(|row| row.name.starts_with(name)));
    found.unwrap_or_else(|| panic!("{part} has no row {name}"))
}

#[test]
fn every_part_can_be_measured() {
    let options = Options::try_parse_from(["bench", "--quick"]).unwrap();
    let heard = Heard::default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let report = runtime
        .block_on(async { Box::pin(measure(&options, &heard)).await })
        .unwrap();
    println!("{}", report.table());

    let names: Vec<&str> = report.sections.iter().map(|section| section.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "cost", "init", "digest", "requests", "joined", "scale", "growth", "crowd", "runs"
        ]
    );
    // Each part says that it begins, what it does, and that it is done.
    let heard = heard.0.into_inner().unwrap();
    assert!(heard[0].starts_with("note quick: "), "{}", heard[0]);
    for name in &names {
        let at = |word: &str| {
            let line = format!("{word} measuring {name}");
            heard
                .iter()
                .position(|heard| *heard == line)
                .unwrap_or_else(|| panic!("never said: {line}"))
        };
        let said = &heard[at("begin")..at("done")];
        let own = |line: &&String| line.starts_with("note ") && !line.ends_with(" s so far");
        assert!(said.iter().filter(own).count() >= 2, "{name}: {said:?}");
    }
    for section in &report.sections {
        for row in &section.rows {
            assert!(row.value.median.is_finite(), "{}: {row:?}", section.name);
            assert!(
                row.value.low <= row.value.median && row.value.median <= row.value.high,
                "{row:?}"
            );
        }
    }
    // What is counted is the same on every machine.
    assert_eq!(row(&report, "cost", "CLI calls by hand").value.median, 60.0);
    assert_eq!(row(&report, "cost", "AWS requests by hand").value.median, 63.0);
    let requests = row(&report, "requests", "a run: requests ÷ the fewest");
    assert!(requests.goal.unwrap().is_met(requests.value.median), "{requests:?}");
    let runs = report.sections.iter().find(|section| section.name == "runs").unwrap();
    for row in runs.rows.iter().filter(|row| row.goal.is_some()) {
        assert!(row.goal.unwrap().is_met(row.value.high), "{row:?}");
    }
    let scale = report.sections.iter().find(|section| section.name == "scale").unwrap();
    for row in scale.rows.iter().filter(|row| row.goal.is_some()) {
        assert!(row.goal.unwrap().is_met(row.value.median), "{row:?}");
    }
    assert_eq!(
        scale.rows.iter().filter(|row| row.name.ends_with("failures")).count(),
        2
    );
    assert_eq!(
        row(&report, "scale", "local platform, all 5 runs: distinct run ids")
            .value
            .median,
        5.0
    );

    // A report that was written can be put on the page later.
    let text = serde_json::to_string(&report).unwrap();
    let again: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(again.markdown(), report.markdown());
    let page = include_str!("../../../docs/performance.md");
    assert!(p1_bench::report::on_page(page, &report).is_some());
}

#[test]
fn the_quick_profile_is_the_fast_one_unless_another_is_named() {
    let profile = |words: &[&str]| Options::try_parse_from([&["bench"], words].concat()).unwrap().profile();
    assert_eq!(profile(&["--quick"]), BuildProfile::Dev);
    assert_eq!(profile(&[]), BuildProfile::Release);
    assert_eq!(profile(&["--quick", "--profile", "release"]), BuildProfile::Release);
}

#[test]
fn json_is_one_object_on_every_failure() {
    for arguments in [&["--wrong"][..], &["--page-from", "/missing"], &["--only", "nothing"]] {
        for is_json in [true, false] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_p1-bench"));
            command.args(arguments).args(is_json.then_some("--json"));
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            assert!(!output.stderr.is_empty(), "{output:?}");
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(said.lines().count(), usize::from(is_json), "{said}");
            if is_json {
                let object: serde_json::Value = serde_json::from_str(&said).unwrap();
                assert!(object["error"].is_string() && object["exit_status"] == 2, "{object}");
            }
        }
    }
}
