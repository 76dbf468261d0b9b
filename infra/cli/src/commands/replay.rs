//! `cargo p1 replay`: computes every step again and says whether it gives the bytes in an evidence directory.

use p1_audit::text;
use p1_contract::cause::chain;
use p1_replay::{InputSource, Missing, Report, Standing, StepReport, replay as recompute};

use super::{say_no_evidence, say_report};
use crate::args::ReplayArgs;
use crate::directory;
use crate::exit::{CliError, ExitStatus};
use crate::paint::Paint;

/// Runs `cargo p1 replay`.
///
/// # Errors
/// Returns a fault if standard output cannot be written to.
pub async fn replay(args: &ReplayArgs) -> Result<ExitStatus, CliError> {
    let set = match directory::read(&args.dir) {
        Ok(set) => set,
        Err(error) => return say_no_evidence(args.json, &text::clean(&chain(&error))),
    };
    let report = recompute(&set).await;
    let status = ExitStatus::Replayed(report.standing);
    say_report(&report, args.json, status, |paint| page(&report, paint))
}

fn page(report: &Report, paint: Paint) -> Vec<String> {
    let (word, sound, meaning) = match report.standing {
        Standing::Equal => (
            "EQUAL",
            true,
            "every step, computed again, gives the bytes that are there",
        ),
        Standing::Differs => {
            let meaning = "a step, computed again, gives other bytes; do not rely on the evidence";
            ("DIFFERS", false, meaning)
        }
        Standing::Missing => {
            let meaning = "not everything could be computed again; the reasons are below";
            ("MISSING", false, meaning)
        }
    };
    let mut lines = vec![format!("{}  {meaning}", paint.verdict(word, sound))];
    lines.extend(
        report
            .execution
            .without_verdict()
            .map(|what| format!("  {}", text::clean(&what))),
    );
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
        Standing::Missing => ("missing", false),
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
