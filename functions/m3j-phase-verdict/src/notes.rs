//! The closure notes: one Markdown object for each of the three documents, which `cargo p1 close` appends to them.
//!
//! Everything in them follows from the observations. Text that others may have chosen is escaped, so that it stays
//! one line of text wherever it is appended.

use std::fmt::Write as _;

use p1_contract::artifacts::{CLOSURE_NOTES, NextAction, PhaseSummary};
use p1_contract::blocker::Finding;
use p1_contract::evidence::Document;
use p1_contract::observations::phase_verdict::{CommitOutcome, Observed, SummaryWrite};
use p1_contract::request::StepInput;
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::{Artifact, Author, Fault};

/// What the notes are about.
pub(crate) struct Closing<'a> {
    pub(crate) input: &'a StepInput,
    pub(crate) verdict: PhaseVerdict,
    pub(crate) summary: &'a Document<PhaseSummary>,
    pub(crate) observed: &'a Observed,
    /// M3.J's own blockers.
    pub(crate) own: &'a [Finding],
}

impl Closing<'_> {
    /// The three notes.
    pub(crate) fn notes(&self, author: &Author) -> Result<Vec<Artifact>, Fault> {
        let stamp = self.input.stamp;
        let verdict = self.verdict.as_str();
        let headings = [
            format!("## M3 (P1 RUN_PINNED) closure note: {verdict}"),
            format!("## M3 closure note: {verdict}"),
            format!("## {stamp} M3 action log: {verdict}"),
        ];
        let body = self.body();
        let note = |(name, heading): (&str, String)| author.note(name, format!("{heading}\n\n{body}"));
        CLOSURE_NOTES.into_iter().zip(headings).map(note).collect()
    }

    fn body(&self) -> String {
        let mut text = String::new();
        let mut line = |item: &str, value: &str| {
            let _ = writeln!(text, "- {item}: {}", escape(value));
        };
        let header = &self.summary.header;
        let ids = [
            ("platform run id", header.platform_run_id.as_ref().map(AsRef::as_ref)),
            ("scenario run id", header.scenario_run_id.as_ref().map(AsRef::as_ref)),
            ("config digest", header.config_digest.as_ref().map(AsRef::as_ref)),
        ];
        let adjudication = self.summary.body.adjudication;
        line("verdict", self.verdict.as_str());
        line(
            "adjudication of M3.I",
            adjudication.map_or("none", |verdict| verdict.as_str()),
        );
        for (item, id) in ids {
            line(item, id.unwrap_or("none: the run was held before it had one"));
        }
        line("execution", self.input.execution.as_str());
        line("execution stamp", &self.input.stamp.rfc3339());
        line("phase summary", &self.phase_summary());
        line("ledger", &self.ledger());
        self.closures(&mut text);
        self.blockers(&mut text);
        text
    }

    fn phase_summary(&self) -> String {
        match &self.observed.summary {
            SummaryWrite::Stored(stored) => format!("{} (sha256 {})", stored.key, stored.sha256),
            SummaryWrite::Occupied { .. } | SummaryWrite::NotStored(_) | SummaryWrite::Withheld(_) => {
                "not published".to_owned()
            }
        }
    }

    fn ledger(&self) -> String {
        match &self.observed.commit {
            CommitOutcome::Done(record) => format!("committed in {} (sha256 {})", record.key, record.sha256),
            CommitOutcome::Lost(why) | CommitOutcome::Inconclusive(why) => format!("not committed: {why}"),
            CommitOutcome::NotTried => format!("not committed: {}", self.observed.facts.ledger.detail),
        }
    }

    fn closures(&self, text: &mut String) {
        text.push_str("\n### Closures\n\n| step | verdict | phase execution | summary sha256 |\n|---|---|---|---|\n");
        for closure in &self.summary.body.closures {
            let verdict = if closure.overall_pass { "PASS" } else { "HOLD" };
            let (step, id) = (escape(closure.step.id()), escape(closure.phase_execution_id.as_str()));
            let _ = writeln!(text, "| {step} | {verdict} | {id} | {} |", closure.sha256);
        }
        for step in &self.summary.body.not_reached {
            let _ = writeln!(text, "| {step} | NOT\\_REACHED | | |");
        }
    }

    fn blockers(&self, text: &mut String) {
        text.push_str("\n### Unresolved blockers\n\n");
        let registered = &self.summary.body.unresolved_blockers;
        let mut findings: Vec<Finding> = registered
            .iter()
            .map(|blocker| blocker.code.on(&blocker.subject, &blocker.detail))
            .collect();
        findings.extend(self.own.iter().cloned());
        let findings = p1_contract::blocker::settle(findings);
        if findings.is_empty() {
            text.push_str("None.\n");
            return;
        }
        text.push_str("| code | severity | subject | detail | remedy |\n|---|---|---|---|---|\n");
        for Finding { code, subject, detail } in &findings {
            let (subject, detail, remedy) = (escape(subject), escape(detail), escape(code.remedy()));
            let _ = writeln!(
                text,
                "| {code} | {:?} | {subject} | {detail} | {remedy} |",
                code.severity()
            );
        }
        if let Some(NextAction { action, .. }) = &self.summary.body.next_action {
            let _ = writeln!(text, "\nNext: {}; the phase summary holds the details.", escape(action));
        }
    }
}

/// Text as one line of Markdown text: no markup, no HTML, no table cell, no line break of its own.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => escaped.extend(['\\', c]),
            '\u{2028}' | '\u{2029}' => escaped.push(' '),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn hostile_text_is_one_line_of_text() {
        let hostile = "a|b`c`\n\n# d\r<!-- p1-closure: x --> <script> **e** _f_ [g](h) ![i](j) ~~k~~ \\ & \u{2028}l";
        let escaped = escape(hostile);
        assert!(!escaped.contains(['\n', '\r', '<', '>', '\u{2028}']), "{escaped}");
        for special in ['|', '`', '*', '_', '[', ']', '#', '~', '!'] {
            let bare = escaped.char_indices().filter(|(_, c)| *c == special);
            for (at, _) in bare {
                assert!(escaped[..at].ends_with('\\'), "{special} at {at} of {escaped}");
            }
        }
        assert_eq!(
            escape("M3A-B2 is plain, and (so) is this."),
            "M3A-B2 is plain, and (so) is this."
        );
    }
}
