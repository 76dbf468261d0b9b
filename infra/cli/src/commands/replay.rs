//! `cargo p1 replay`: says whether every step, computed again, gives the bytes that are in an evidence directory.

use std::io::IsTerminal;

use super::{say, say_document, say_refusal};
use crate::args::ReplayArgs;
use crate::outcome::{CliError, ExitStatus, chain};
use crate::replay::{InputSource, Missing, Report, Standing, StepReport, replay as recompute};
use crate::run::paint::Paint;
use crate::run::text;

/// Runs `cargo p1 replay`.
///
/// # Errors
/// A fault, when standard output cannot be written to.
pub async fn replay(args: &ReplayArgs) -> Result<ExitStatus, CliError> {
    let report = match recompute(&args.dir).await {
        Ok(report) => report,
        Err(error) => {
            let why = text::clean(&chain(&error));
            let usage = Standing::Usage;
            say_refusal(args.json, "USAGE", usage, usage.code(), &why)?;
            return Ok(ExitStatus::Replayed(usage));
        }
    };
    if args.json {
        say_document(&report, report.standing.code())?;
    } else {
        for line in page(&report, Paint::for_stream(std::io::stdout().is_terminal())) {
            say(&line)?;
        }
    }
    Ok(ExitStatus::Replayed(report.standing))
}

fn page(report: &Report, paint: Paint) -> Vec<String> {
    let (word, meaning) = match report.standing {
        Standing::Equal => ("EQUAL", "every step, computed again, gives the bytes that are there"),
        Standing::Differs => (
            "DIFFERS",
            "a step, computed again, gives other bytes; do not rely on the evidence",
        ),
        Standing::Missing => ("MISSING", "not everything could be computed again; mirror the run anew"),
        Standing::Usage => ("USAGE", "there is nothing to replay"),
    };
    let sound = report.standing == Standing::Equal;
    let mut lines = vec![format!("{}  {meaning}", paint.verdict(word, sound))];
    for execution in &report.executions {
        let input = match execution.input {
            InputSource::ExecutionHistory => "the engine's history",
            InputSource::Evidence => "its own evidence",
        };
        lines.push(String::new());
        lines.push(format!(
            "  execution {} (input from {input})",
            text::clean(&execution.execution_arn)
        ));
        for step in &execution.steps {
            lines.extend(rows(step, paint));
        }
    }
    lines.push(String::new());
    let counts = report.counts;
    lines.push(format!(
        "  executions {}, steps {}; objects equal {}, different {}, missing {}; made by no step: from outside {}, of signatures {}",
        counts.executions, counts.steps, counts.equal, counts.different, counts.missing, counts.from_outside, counts.sidecars
    ));
    lines.extend(report.missing.iter().map(missing));
    lines
}

fn rows(step: &StepReport, paint: Paint) -> Vec<String> {
    let (word, sound) = match step.standing {
        Standing::Equal => ("equal", true),
        Standing::Differs => ("differs", false),
        Standing::Missing | Standing::Usage => ("missing", false),
    };
    let mut lines = vec![format!(
        "    {:<9}  {}  equal {}, different {}, missing {}",
        step.step,
        paint.verdict(&format!("{word:<7}"), sound),
        step.equal,
        step.differences.len(),
        step.missing.len()
    )];
    for difference in &step.differences {
        let at = match difference.pointer.as_str() {
            "" => String::new(),
            pointer => format!(" at {}", text::brief(pointer, 200)),
        };
        let value = |value: &Option<String>| value.as_deref().map_or_else(|| "nothing".to_owned(), text::clean);
        lines.push(format!(
            "      {}{at}: recorded {}, recomputed {}",
            text::clean(&difference.artifact),
            value(&difference.recorded),
            value(&difference.recomputed)
        ));
    }
    lines.extend(step.missing.iter().map(missing));
    lines
}

fn missing(missing: &Missing) -> String {
    format!(
        "      not replayed  {}: {}",
        text::clean(&missing.subject),
        text::brief(&missing.reason, 300)
    )
}
