//! The findings of `cargo p1 lint` for people.

use p1_audit::text;
use p1_contract::blocker::{Blocker, Severity};
use p1_lint::stack::{StackFinding, StackReport, StackStanding};
use p1_lint::{Found, Hold, Report};

use crate::paint::Paint;
use crate::wrap::fitted_all;

/// What stands behind a step that a run would come to later.
const ONCE_MENDED: &str = ", once what is above is mended";

/// The findings in the documents.
pub(super) fn of_documents(report: &Report, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let first = report.holds.first();
    lines.push(match (first, &report.no_verdict) {
        (Some(hold), _) => format!(
            "{}  a run would be held at {}, by {}",
            paint.verdict("HELD", false),
            hold.step,
            codes(&hold.codes)
        ),
        (None, Some(none)) => format!(
            "{}  a run would fault at {}, and reach no verdict",
            paint.verdict("NO VERDICT", false),
            none.step
        ),
        (None, None) => format!(
            "{}  no step would block a run with {}",
            paint.verdict("CLEAN", true),
            text::clean(&report.registry)
        ),
    });
    for (index, hold) in report.holds.iter().enumerate() {
        let next = if index == 0 { "" } else { ONCE_MENDED };
        lines.extend([String::new(), format!("{}{next}", paint.bold(&hold.step.state_name()))]);
        lines.extend(hold.codes.iter().flat_map(|code| of_code(hold, *code, paint)));
    }
    if let Some(none) = &report.no_verdict {
        let next = if first.is_none() { "" } else { ONCE_MENDED };
        lines.extend([
            String::new(),
            format!("{}{next}", paint.bold(&none.step.state_name())),
            format!("  {} {}", none.fault, text::brief(&none.error, 600)),
        ]);
    }
    if first.is_some() {
        lines.extend([String::new(), findings(report.count())]);
    }
    fitted_all(&lines)
}

fn findings(count: usize) -> String {
    format!("{count} {}", if count == 1 { "finding" } else { "findings" })
}

fn codes(codes: &[Blocker]) -> String {
    codes.iter().map(|code| code.code()).collect::<Vec<_>>().join(", ")
}

/// The findings of one code, with its remedy once.
fn of_code(hold: &Hold, code: Blocker, paint: Paint) -> Vec<String> {
    let severity = match code.severity() {
        Severity::S1 => "S1",
        Severity::S2 => "S2",
    };
    let mut lines = vec![format!("  {} {severity}  {}", paint.red(code.code()), code.rule())];
    for found in hold.findings.iter().filter(|found| found.code == code) {
        lines.push(format!("    {}{}", place(found), text::clean(&found.subject)));
        lines.push(format!("      {}", text::brief(&found.detail, 600)));
    }
    lines.push(format!("    {} {}", paint.bold("to mend:"), code.remedy()));
    lines
}

/// `registry.md:12: `, as compilers write it, so that editors find the line.
fn place(found: &Found) -> String {
    match (&found.document, found.line) {
        (Some(document), Some(line)) => {
            let others: String = found.other_lines.iter().map(|line| format!(",{line}")).collect();
            format!("{}:{line}{others}: ", text::clean(document))
        }
        (Some(document), None) => format!("{}: ", text::clean(document)),
        (None, _) => String::new(),
    }
}

/// The findings in a deployed stack.
pub(super) fn of_stack(report: &StackReport, paint: Paint) -> Vec<String> {
    let stack = text::clean(&report.stack);
    let mut lines = vec![match report.standing {
        StackStanding::AsDeployed => format!(
            "{}  nothing is wrong with the stack {stack}, as far as lint asks",
            paint.verdict("CLEAN", true)
        ),
        StackStanding::Wrong => format!(
            "{}  the stack {stack} is not what infra/template.yaml deploys",
            paint.verdict("WRONG", false)
        ),
        StackStanding::NotLearned => format!(
            "{}  nothing is known to be wrong with the stack {stack}, and not everything was learned",
            paint.verdict("NOT LEARNED", false)
        ),
    }];
    for finding in &report.findings {
        lines.push(String::new());
        lines.extend(of_resource(finding, paint));
    }
    if !report.not_learned.is_empty() {
        lines.extend([String::new(), paint.bold("not learned, and not taken for right")]);
    }
    for open in &report.not_learned {
        lines.push(format!("  {}: {}", text::clean(&open.resource), open.question));
        lines.push(format!("    {}", text::brief(&open.why, 600)));
    }
    if !report.not_judged.is_empty() {
        lines.extend([String::new(), paint.bold("not judged")]);
    }
    lines.extend(report.not_judged.iter().map(|what| format!("  {}", text::clean(what))));
    if report.standing != StackStanding::AsDeployed {
        let (findings, open) = (findings(report.findings.len()), report.not_learned.len());
        lines.extend([String::new(), format!("{findings}, {open} not learned")]);
    }
    lines
}

fn of_resource(finding: &StackFinding, paint: Paint) -> Vec<String> {
    let code = finding.code.map(|code| format!(" {}", code.code())).unwrap_or_default();
    vec![
        format!("{}{code}  {}", paint.red(finding.rule.name()), finding.rule.says()),
        format!("  {}: {}", text::clean(&finding.resource), text::clean(&finding.detail)),
        format!("  {} {}", paint.bold("to mend:"), text::clean(&finding.remedy)),
    ]
}
