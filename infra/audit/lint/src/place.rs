//! Where a finding is to be mended: which document, which line, which handle.

use std::collections::BTreeSet;

use p1_contract::blocker::{Blocker, Finding};
use p1_contract::handles::{self, HandleFacts};
use p1_contract::ids::HandleKey;
use p1_contract::registry::{self, Registry};
use p1_contract::step::Step;

use crate::documents::Inputs;
use crate::mend::Documents;
use crate::platform::{Platform, uri};

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

impl Located {
    /// `original` is the registry as its author has it, and the documents are those that the step has judged.
    pub(crate) fn of(
        finding: Finding,
        step: Step,
        inputs: &Inputs,
        platform: &Platform,
        original: Option<&Registry>,
        documents: &Documents,
    ) -> Self {
        let of = |source, handle: Option<String>, lines| Located {
            finding: finding.clone(),
            source,
            handle,
            lines,
        };
        let subject = finding.subject.as_str();
        if let Some(line) = subject.strip_prefix("registry:line ").and_then(|line| line.parse().ok()) {
            return of(Some(Source::Registry), None, vec![line]);
        }
        if subject == uri(crate::platform::REGISTRY) {
            return of(Some(Source::Registry), None, Vec::new());
        }
        if let Some(handle) = handle_of(subject, step, inputs, platform, documents) {
            let lines = original.map(|original| lines_of(&handle, inputs, original)).unwrap_or_default();
            return of(Some(Source::Registry), Some(handle), lines);
        }
        let names = |key: &str| subject.contains(&uri(key));
        let stack = (0..inputs.stack_outputs.len()).find(|index| names(&crate::platform::stack_key(*index)));
        let source = match stack {
            Some(index) => Some(Source::StackOutputs(index)),
            None if subject == platform.receipt || subject.starts_with("m2_receipt") => Some(Source::M2Receipt),
            None if names(crate::platform::BILLING) => Some(Source::Billing),
            None => None,
        };
        of(source, None, Vec::new())
    }

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

/// The handle that a finding is about: its subject is the key, or the value, or the ARN of the state machine of that name.
fn handle_of(subject: &str, step: Step, inputs: &Inputs, platform: &Platform, documents: &Documents) -> Option<String> {
    let registry = registry::parse(&documents.registry).ok();
    let is_read = |key: &str| handles::names_read_by_any(&inputs.environment).iter().any(|name| name == key);
    let is_declared = |key: &str| registry.iter().any(|registry| registry.line_of(key).is_some());
    if HandleKey::parse(subject).is_ok() && (is_read(subject) || is_declared(subject)) {
        return Some(subject.to_owned());
    }
    let read = handles::names_read_by(step, &inputs.environment);
    let facts = HandleFacts::read(registry.as_ref()?, &read);
    let machine = subject == platform.state_machine.as_str();
    let names = |key: &&String| {
        let text = facts.text(key);
        // The subject of a finding is cut.
        text == Ok(subject) || machine && text == Ok(platform.state_machine.name())
    };
    read.iter().find(names).cloned()
}

/// The lines on which the registry declares the handle with a value, or the one that it is declared on without, or the one that
/// looks like its declaration.
fn lines_of(handle: &str, inputs: &Inputs, original: &Registry) -> Vec<usize> {
    let places = registry::places(&inputs.registry.bytes).unwrap_or_default();
    let own: Vec<_> = places.iter().filter(|place| place.key.as_str() == handle).collect();
    let with_value: BTreeSet<usize> = own.iter().filter(|place| place.has_value).map(|place| place.line).collect();
    if !with_value.is_empty() {
        return with_value.into_iter().collect();
    }
    let one = own.first().map(|place| place.line).or_else(|| original.line_of_near_miss(handle));
    one.into_iter().collect()
}
