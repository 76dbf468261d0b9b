//! What is wrong with evidence, and how it counts.

use serde::Serialize;

use crate::object_versions::ghost_problem;

/// How a finding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Grade {
    /// The evidence was changed, or contradicts itself.
    Tampered,
    /// The evidence is not whole.
    Incomplete,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How it counts.
    pub grade: Grade,
    /// The key or the file that it is about.
    pub subject: String,
    /// What is wrong.
    pub detail: String,
}

/// Findings in the order in which they were made, each once.
#[derive(Debug, Clone, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// All findings, the first thing first.
    #[must_use]
    pub fn all(&self) -> &[Finding] {
        &self.0
    }

    fn add(&mut self, grade: Grade, subject: impl Into<String>, detail: impl Into<String>) {
        let finding = Finding {
            grade,
            subject: subject.into(),
            detail: detail.into(),
        };
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }

    /// Notes that the evidence was changed, or contradicts itself.
    pub fn tampered(&mut self, subject: impl Into<String>, detail: impl Into<String>) {
        self.add(Grade::Tampered, subject, detail);
    }

    /// Notes that the evidence is not whole.
    pub fn incomplete(&mut self, subject: impl Into<String>, detail: impl Into<String>) {
        self.add(Grade::Incomplete, subject, detail);
    }

    /// Notes records of the ledger whose holders left no evidence.
    pub fn ghosts(&mut self, ghosts: &[u32]) {
        if let Some(problem) = ghost_problem(ghosts) {
            self.incomplete("ledger", problem);
        }
    }

    /// Notes that `what` of `subject` is not what was computed again.
    pub(crate) fn expect<T: PartialEq>(&mut self, subject: &str, what: &str, found: &T, expected: &T) {
        if found != expected {
            self.tampered(subject, format!("{what} is not what the evidence gives"));
        }
    }
}
