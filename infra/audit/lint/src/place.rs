//! Where a finding is to be mended: which document, which line, which handle.

use std::collections::BTreeSet;

use p1_contract::blocker::{Blocker, Finding};
use p1_contract::handles::{self, HandleFacts};
use p1_contract::ids::HandleKey;
use p1_contract::registry::{self, Place, Registry};
use p1_contract::step::Step;

use crate::documents::{Inputs, Judged};
use crate::platform::{BILLING, Platform, REGISTRY, stack_key, uri};

/// A linted document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Registry,
    StackOutputs(usize),
    M2Receipt,
    Billing,
}

/// A finding, and where it is to be mended.
pub(crate) struct Located {
    pub(crate) finding: Finding,
    /// The document, if it is one of those.
    pub(crate) source: Option<Source>,
    /// The handle that it is about.
    pub(crate) handle: Option<String>,
    /// The lines of the document, counted from 1. The first is where to begin.
    pub(crate) lines: Vec<usize>,
}

/// Locates the findings of a step.
pub(crate) struct Locator<'i> {
    inputs: &'i Inputs,
    platform: &'i Platform,
    original: &'i Original,
    /// The registry that the step has judged.
    judged: Option<Registry>,
    /// The handles of the step in it, and their names.
    facts: HandleFacts,
    read: Vec<String>,
    read_by_any: Vec<String>,
}

/// The registry as its author has it.
pub(crate) struct Original {
    registry: Option<Registry>,
    places: Vec<Place>,
}

impl Original {
    pub(crate) fn of(inputs: &Inputs) -> Self {
        Original {
            registry: registry::parse(&inputs.registry.bytes).ok(),
            places: registry::places(&inputs.registry.bytes).unwrap_or_default(),
        }
    }

    /// The lines on which the registry declares the handle with a value, or the one that it is declared on without, or the one that
    /// looks like its declaration.
    fn lines_of(&self, handle: &str) -> Vec<usize> {
        let own = || self.places.iter().filter(|place| place.key.as_str() == handle);
        let with_value: BTreeSet<usize> = own().filter(|place| place.has_value).map(|place| place.line).collect();
        if !with_value.is_empty() {
            return with_value.into_iter().collect();
        }
        let near_miss = || self.registry.as_ref()?.line_of_near_miss(handle);
        own()
            .next()
            .map(|place| place.line)
            .or_else(near_miss)
            .into_iter()
            .collect()
    }
}

impl<'i> Locator<'i> {
    /// `documents` are those that the step has judged.
    pub(crate) fn new(
        step: Step,
        inputs: &'i Inputs,
        platform: &'i Platform,
        original: &'i Original,
        documents: &Judged,
    ) -> Self {
        let judged = registry::parse(&documents.registry).ok();
        let read = handles::names_read_by(step, &inputs.environment);
        Locator {
            facts: judged
                .as_ref()
                .map(|judged| HandleFacts::read(judged, &read))
                .unwrap_or_default(),
            inputs,
            platform,
            original,
            judged,
            read,
            read_by_any: handles::names_read_by_any(&inputs.environment),
        }
    }

    pub(crate) fn locate(&self, finding: Finding) -> Located {
        let (source, handle, lines) = self.place(&finding.subject);
        Located {
            finding,
            source,
            handle,
            lines,
        }
    }

    fn place(&self, subject: &str) -> (Option<Source>, Option<String>, Vec<usize>) {
        if let Some(line) = subject
            .strip_prefix("registry:line ")
            .and_then(|line| line.parse().ok())
        {
            return (Some(Source::Registry), None, vec![line]);
        }
        if let Some(handle) = self.handle(subject) {
            let lines = self.original.lines_of(&handle);
            return (Some(Source::Registry), Some(handle), lines);
        }
        let names = |key: &str| subject.contains(&uri(key));
        let stack = (0..self.inputs.stack_outputs.len()).find(|index| names(&stack_key(*index)));
        let source = match stack {
            Some(index) => Some(Source::StackOutputs(index)),
            None if subject == self.platform.receipt || subject.starts_with("m2_receipt") => Some(Source::M2Receipt),
            None if names(BILLING) => Some(Source::Billing),
            None if names(REGISTRY) => Some(Source::Registry),
            None => None,
        };
        (source, None, Vec::new())
    }

    /// The handle that a finding is about: its subject is the key, or the value, or the ARN of the state machine of that name.
    fn handle(&self, subject: &str) -> Option<String> {
        let is_declared = |key: &str| self.judged.iter().any(|judged| judged.line_of(key).is_some());
        let is_read = |key: &str| self.read_by_any.iter().any(|name| name == key);
        if HandleKey::parse(subject).is_ok() && (is_read(subject) || is_declared(subject)) {
            return Some(subject.to_owned());
        }
        let machine = &self.platform.state_machine;
        let value = if subject == machine.as_str() {
            machine.name()
        } else {
            subject
        };
        self.read.iter().find(|key| self.facts.text(key) == Ok(value)).cloned()
    }
}

impl Located {
    /// What is the same for two findings of one cause.
    pub(crate) fn cause(&self) -> String {
        let Finding { code, subject, .. } = &self.finding;
        self.handle.clone().unwrap_or_else(|| format!("{code} {subject}"))
    }

    /// The line of the registry with a secret.
    pub(crate) fn secret_line(&self) -> Option<usize> {
        let is_secret = self.finding.code == Blocker::HandleClosureSecret && self.source == Some(Source::Registry);
        self.lines.first().copied().filter(|_| is_secret)
    }
}
