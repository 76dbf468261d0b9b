//! The benchmark, quickly: every part can be measured, and what it counts is right. No time is held against anything.

use clap::Parser;
use p1_bench::report::{Report, Row};
use p1_bench::{Options, measure};
use p1_local::progress::Lines;

fn row<'r>(report: &'r Report, part: &str, name: &str) -> &'r Row {
    let section = report.sections.iter().find(|section| section.name == part);
    let found = section.and_then(|section| section.rows.iter().find(|row| row.name.starts_with(name)));
    found.unwrap_or_else(|| panic!("{part} has no row {name}"))
}

#[test]
fn every_part_can_be_measured() {
    let options = Options::try_parse_from(["bench", "--quick", "--profile", "dev"]).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let report = runtime
        .block_on(async { Box::pin(measure(&options, &Lines)).await })
        .unwrap();
    println!("{}", report.table());

    let names: Vec<&str> = report.sections.iter().map(|section| section.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "cost", "init", "digest", "requests", "joined", "scale", "growth", "crowd", "runs"
        ]
    );
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
