//! `cargo p1 diff`: says what differs between two runs, and whether that forced a new one.

use p1_audit::diff::{Change, Report, RunFacts, Standing, diff as compare};
use p1_audit::text;
use p1_contract::cause::chain;

use super::verify::word;
use super::{say_no_evidence, say_report};
use crate::args::DiffArgs;
use crate::directory;
use crate::exit::{CliError, ExitStatus};
use crate::paint::Paint;

/// Runs `cargo p1 diff`.
///
/// # Errors
/// Returns a fault if standard output cannot be written to.
pub fn diff(args: &DiffArgs) -> Result<ExitStatus, CliError> {
    let report = match (directory::read(&args.a), directory::read(&args.b)) {
        (Ok(a), Ok(b)) => compare(&a, &b),
        (Err(error), _) | (_, Err(error)) => return say_no_evidence(args.json, &text::clean(&chain(&error))),
    };
    let status = ExitStatus::Compared(report.standing);
    say_report(&report, args.json, status, |paint| page(&report, paint))
}

fn page(report: &Report, paint: Paint) -> Vec<String> {
    let (word, meaning) = match report.standing {
        Standing::Same => ("SAME", "digest input and scenario are the same"),
        Standing::Differs => ("DIFFERS", "digest input or scenario are not the same"),
        Standing::Unknown => ("UNKNOWN", "whether digest input and scenario are the same is not known"),
    };
    let same = report.standing == Standing::Same;
    let forced = match report.new_run_forced {
        Some(true) => "a new run was forced",
        Some(false) => "no new run was forced",
        None => "whether a new run was forced is not known",
    };
    let mut lines = vec![
        format!("{}  {meaning}", paint.verdict(word, same)),
        format!("  {forced}: {}", text::clean(&report.why)),
        String::new(),
    ];
    let none = || "none".to_owned();
    let row = |name: &str, of: fn(&RunFacts) -> Option<String>| {
        let (a, b) = (of(&report.a), of(&report.b));
        let mark = if a == b { " " } else { "≠" };
        format!(
            "  {name:<16} {mark} {}\n  {:<16} {mark} {}",
            text::clean(&a.unwrap_or_else(none)),
            "",
            text::clean(&b.unwrap_or_else(none))
        )
    };
    lines.extend([
        row("standing", |run| Some(standing(run))),
        row("verdict", |run| run.verdict.clone()),
        row("platform_run_id", |run| run.platform_run_id.clone()),
        row("scenario_run_id", |run| run.scenario_run_id.clone()),
        row("config_digest", |run| run.config_digest.clone()),
    ]);
    // A verdict says which run is compared. An execution without one is of a run, which is compared.
    let has_none = |run: &RunFacts| run.execution.without_verdict().is_some();
    if has_none(&report.a) || has_none(&report.b) {
        lines.push(row("execution", |run| Some(run.execution.to_string())));
    }
    for id in report.ids.iter().filter(|id| !id.same) {
        lines.extend([String::new(), format!("{} differs, through", paint.bold(id.id))]);
        if id.through.is_empty() {
            lines.push("  what one of the runs did not come to".to_owned());
        }
        lines.extend(id.through.iter().flat_map(|change| rows(change, "from")));
    }
    if !report.handles.is_empty() {
        lines.extend([String::new(), format!("handles that differ: {}", report.handles.len())]);
    }
    for handle in &report.handles {
        let steps: Vec<&str> = handle.read_by.iter().map(|step| step.id()).collect();
        let steps = match steps.as_slice() {
            [] => "no step".to_owned(),
            steps => steps.join(", "),
        };
        let identity = match handle.identity.as_slice() {
            [] => "changes no id".to_owned(),
            ids => format!("changes {}", ids.join(" and ")),
        };
        let change = Change {
            what: handle.handle.clone(),
            a: handle.a.clone(),
            b: handle.b.clone(),
            from: vec![format!("{steps}; {identity}")],
        };
        lines.extend(rows(&change, "read by"));
    }
    if !report.others.is_empty() {
        lines.extend([String::new(), "besides, and forcing nothing".to_owned()]);
    }
    lines.extend(report.others.iter().flat_map(|change| rows(change, "from")));
    lines
}

fn standing(run: &RunFacts) -> String {
    let word = word(run.standing);
    match run.findings {
        0 => word.to_owned(),
        findings => format!("{word} ({findings} findings; `cargo p1 verify` names them)"),
    }
}

fn rows(change: &Change, origin: &str) -> Vec<String> {
    let value = |value: &Option<String>| value.as_deref().map_or_else(|| "nothing".to_owned(), text::clean);
    let mut lines = vec![
        format!("  {}", text::brief(&change.what, 200)),
        format!("    {}", value(&change.a)),
        format!("    {}", value(&change.b)),
    ];
    if !change.from.is_empty() {
        lines.push(format!("    {origin} {}", text::clean(&change.from.join(", "))));
    }
    lines
}
