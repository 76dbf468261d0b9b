//! What is wrong with evidence, and how severe it is.

use std::collections::HashSet;

use serde::Serialize;

use crate::object_versions::ghost_problem;

/// How severe a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Grade {
    /// The evidence was changed, or contradicts itself.
    Tampered,
    /// A verdict is signed, and by none of the keys that were given. That says nothing against the evidence itself.
    OtherKey,
    /// A part of the evidence is missing.
    Incomplete,
}

/// One problem of the evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Finding {
    /// Its severity.
    pub grade: Grade,
    /// The key or the file with the problem.
    pub subject: String,
    /// What is wrong.
    pub detail: String,
}

/// Findings in the order in which they were made, without duplicates.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    all: Vec<Finding>,
    /// The same findings, to recognise a duplicate at once: a directory may give a hundred thousand.
    known: HashSet<Finding>,
}

impl Findings {
    /// All findings, in the order in which they were made.
    #[must_use]
    pub fn all(&self) -> &[Finding] {
        &self.all
    }

    fn add(&mut self, grade: Grade, subject: impl Into<String>, detail: impl Into<String>) {
        let finding = Finding {
            grade,
            subject: subject.into(),
            detail: detail.into(),
        };
        if self.known.insert(finding.clone()) {
            self.all.push(finding);
        }
    }

    /// Adds a finding: the evidence was changed, or contradicts itself.
    pub fn tampered(&mut self, subject: impl Into<String>, detail: impl Into<String>) {
        self.add(Grade::Tampered, subject, detail);
    }

    /// Adds a finding: a verdict is signed by another key than those that were given.
    pub(crate) fn other_key(&mut self, subject: impl Into<String>, detail: impl Into<String>) {
        self.add(Grade::OtherKey, subject, detail);
    }

    /// Adds a finding: a part of the evidence is missing.
    pub fn incomplete(&mut self, subject: impl Into<String>, detail: impl Into<String>) {
        self.add(Grade::Incomplete, subject, detail);
    }

    /// Adds a finding about ledger records whose holders left no evidence.
    pub fn ghosts(&mut self, ghosts: &[u32]) {
        if let Some(problem) = ghost_problem(ghosts) {
            self.incomplete("ledger", problem);
        }
    }

    /// Adds a finding if `found`, the value in the evidence, differs from `expected`, the value that was computed again.
    pub(crate) fn expect<T: PartialEq>(&mut self, subject: &str, what: &str, found: &T, expected: &T) {
        if found != expected {
            self.tampered(subject, format!("{what} is not what the evidence gives"));
        }
    }

    /// Adds a finding if what must hold of the evidence does not.
    pub(crate) fn holds(&mut self, subject: &str, what: &str, holds: bool) {
        self.expect(subject, what, &holds, &true);
    }
}
