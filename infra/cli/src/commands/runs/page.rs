//! The list for people, in 80 columns.

use std::fmt::Write;

use p1_audit::text;

use super::{Listing, Run, State};
use crate::wrap::{block, fitted};

/// The text of the list.
pub(super) fn text(listing: &Listing) -> String {
    let mut page = String::new();
    for run in &listing.runs {
        write_run(&mut page, run);
        page.push('\n');
    }
    page.push_str(&block(&last_line(listing), 0));
    page
}

fn write_run(page: &mut String, run: &Run) {
    let id = run.platform_run_id.as_ref().map_or("—", |id| id.as_str());
    let stamp = run.execution_stamp_utc.map(|stamp| stamp.rfc3339()).unwrap_or_default();
    let first = format!("{:<12}{id:<30}{stamp}", word(run.state));
    let _ = writeln!(page, "{}", first.trim_end());
    let codes: Vec<String> = run.blockers.iter().map(ToString::to_string).collect();
    // A digest after the longest name fills 80 columns.
    let facts = [
        ("scenario_run_id", run.scenario_run_id.as_ref().map(ToString::to_string)),
        ("config_digest", run.config_digest.as_ref().map(ToString::to_string)),
        (
            "execution",
            run.execution_arn
                .as_ref()
                .and_then(|arn| arn.as_str().rsplit(':').next())
                .map(str::to_owned),
        ),
        ("blockers", Some(codes.join(" ")).filter(|codes| !codes.is_empty())),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            for line in fitted(&format!("{name:<15} {}", text::clean(&value))) {
                let _ = writeln!(page, "{line}");
            }
        }
    }
    if let Some(why) = &run.why {
        page.push_str(&block(&text::clean(why), 2));
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Pinned => "PINNED",
        State::Held => "HELD",
        State::Running => "RUNNING",
        State::Ended => "ENDED",
        State::Unknown => "UNKNOWN",
        State::NoLedger => "NO LEDGER",
        State::Unreadable => "UNREADABLE",
        State::Unconfirmed => "UNCONFIRMED",
    }
}

fn last_line(listing: &Listing) -> String {
    let place = format!("{} ({})", listing.evidence_bucket, listing.environment);
    let mut line = match (listing.runs.len(), &listing.scenario_run_id) {
        (0, Some(scenario)) => format!("no pinned run of {scenario} in {place} matches"),
        (0, None) => format!("no run in {place} matches"),
        (1, _) => format!("1 run in {place}"),
        (number, _) => format!("{number} runs in {place}"),
    };
    if listing.more > 0 {
        let _ = write!(
            line,
            "; {} more not looked at: raise --limit, or give --since",
            listing.more
        );
    }
    line
}

#[cfg(test)]
mod tests {
    use p1_contract::blocker::Blocker;
    use p1_contract::hash::Sha256Hex;
    use p1_contract::ids::{BucketName, Environment, PlatformRunId, ScenarioRunId, Stamp};

    use super::*;

    fn listing(runs: Vec<Run>) -> Listing {
        Listing {
            environment: Environment::default(),
            evidence_bucket: BucketName::parse("fraud-platform-dev-full-evidence").unwrap(),
            scenario_run_id: None,
            pinned: 0,
            runs,
            more: 31,
        }
    }

    #[test]
    fn a_list_fits_80_columns_and_hostile_text_stays_text() {
        let run = |state| Run::new(state, PlatformRunId::parse("platform_20261122T121701Z_20").ok());
        let held = Run {
            scenario_run_id: Some(ScenarioRunId::from_digest(&Sha256Hex::of(b"s"))),
            config_digest: Some(Sha256Hex::of(b"c")),
            blockers: Blocker::ALL.to_vec(),
            execution_stamp_utc: Stamp::parse("2026-11-22T12:17:01Z").ok(),
            ..run(State::Held)
        };
        let hostile = "key \u{1b}[31m\nnext ".repeat(20);
        let text = text(&listing(vec![held, run(State::Unconfirmed).because(&hostile)]));
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
            assert!(!line.contains(char::is_control), "{line:?}");
        }
        assert!(
            text.starts_with("HELD        platform_20261122T121701Z_20  2026-11-22T12:17:01Z\n"),
            "{text}"
        );
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for expected in ["M3A-B1", "M3J-B9", "UNCONFIRMED", "2 runs in", "31 more not looked at"] {
            assert!(words.contains(expected), "{expected}: {text}");
        }
    }
}
