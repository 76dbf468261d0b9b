//! `cargo p1 verify`: says what an evidence directory proves, and everything that is wrong with it.

use std::io::IsTerminal;

use serde_json::json;

use super::say;
use crate::args::VerifyArgs;
use crate::outcome::{CliError, ExitStatus, chain};
use crate::run::paint::Paint;
use crate::run::text;
use crate::verify::{Grade, Report, Standing, verify as check};

/// Runs `cargo p1 verify`.
///
/// # Errors
/// A fault, when standard output cannot be written to.
pub fn verify(args: &VerifyArgs) -> Result<ExitStatus, CliError> {
    let report = match check(&args.dir) {
        Ok(report) => report,
        Err(error) => {
            let why = text::clean(&chain(&error));
            if args.json {
                say(
                    &json!({"standing": Standing::Usage, "exit_status": Standing::Usage.code(), "error": why})
                        .to_string(),
                )?;
            } else {
                say(&format!("USAGE  {why}"))?;
            }
            return Ok(ExitStatus::Verified(Standing::Usage));
        }
    };
    let paint = Paint::for_stream(std::io::stdout().is_terminal() && !args.json);
    for line in page(&report, paint) {
        say(&line)?;
    }
    if args.json {
        let mut document =
            serde_json::to_value(&report).map_err(|error| CliError::failed("render the report", &error))?;
        document["exit_status"] = json!(report.standing.code());
        say(&document.to_string())?;
    }
    Ok(ExitStatus::Verified(report.standing))
}

fn page(report: &Report, paint: Paint) -> Vec<String> {
    let (word, meaning) = match report.standing {
        Standing::Pinned => ("PINNED", "the run is pinned, and its evidence is intact"),
        Standing::Held => ("HELD", "the run is held, and its evidence is intact"),
        Standing::Tampered => (
            "TAMPERED",
            "the evidence was changed, or contradicts itself; do not rely on it",
        ),
        Standing::Incomplete => (
            "INCOMPLETE",
            "the evidence is not whole, or no verdict was committed; mirror it again",
        ),
        Standing::Usage => ("USAGE", "there is nothing to check"),
    };
    let sound = matches!(report.standing, Standing::Pinned);
    let mut lines = vec![format!("{}  {meaning}", paint.verdict(word, sound)), String::new()];
    let run = &report.run;
    let none = || "none".to_owned();
    let ids = [
        ("verdict", report.verdict.clone().unwrap_or_else(none)),
        (
            "platform_run_id",
            run.platform_run_id.as_ref().map_or_else(none, ToString::to_string),
        ),
        (
            "scenario_run_id",
            run.scenario_run_id.as_ref().map_or_else(none, ToString::to_string),
        ),
        (
            "config_digest",
            run.config_digest.as_ref().map_or_else(none, ToString::to_string),
        ),
        (
            "signature",
            format!("{} (signing does not exist yet)", report.signature),
        ),
    ];
    lines.extend(
        ids.iter()
            .map(|(name, value)| format!("  {name:<16}  {}", text::clean(value))),
    );
    let counts = report.counts;
    lines.push(format!(
        "  {:<16}  {} objects, {} hashes held, {} closures walked; {} named, not mirrored",
        "checked", counts.objects, counts.hashes, counts.closures, counts.named_not_mirrored
    ));
    if !report.findings.is_empty() {
        lines.push(String::new());
        lines.push(format!(
            "{} findings, the first thing wrong first:",
            report.findings.len()
        ));
    }
    for finding in &report.findings {
        let grade = match finding.grade {
            Grade::Tampered => "tampered",
            Grade::Incomplete => "incomplete",
        };
        lines.push(format!(
            "  {grade:<10}  {}: {}",
            text::clean(&finding.subject),
            text::brief(&finding.detail, 300)
        ));
    }
    lines
}
