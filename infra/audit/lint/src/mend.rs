//! Mends what a step has named, as an operator would, so that the steps after it can judge the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use p1_contract::handles;
use p1_contract::ids::Environment;
use p1_contract::registry::{self, Place, Reading};
use p1_contract::step::Step;

use crate::documents::{Inputs, Judged};
use crate::place::Located;
use crate::platform::Platform;

/// The registry of the sample platform, whose values pass every step.
const SAMPLE: &str = include_str!("../../../local/sample/handles.registry.md");

/// The documents, and what was mended in them.
pub(crate) struct Mender {
    pub(crate) documents: Judged,
    environment: Environment,
    /// A code span for each handle, with a value that passes.
    good: BTreeMap<String, String>,
    /// The handles that have such a value by now.
    replaced: BTreeSet<String>,
    /// The contradictions that are settled by their first value.
    settled: BTreeSet<String>,
    /// The steps all of whose handles were replaced.
    reset: BTreeSet<Step>,
}

impl Mender {
    pub(crate) fn new(inputs: &Inputs, platform: &Platform) -> Self {
        Mender {
            documents: Judged::of(inputs),
            environment: inputs.environment.clone(),
            good: good_spans(&inputs.environment, platform),
            replaced: BTreeSet::new(),
            settled: BTreeSet::new(),
            reset: BTreeSet::new(),
        }
    }

    /// Mends what `step` has named. Returns `false` if nothing is left to mend.
    pub(crate) fn mend(&mut self, step: Step, found: &[Located]) -> bool {
        // No step after M3.H reads a document, and M3.H judges all of its own at once.
        if step >= Step::CostEnvelope {
            return false;
        }
        let mut has_changed = self.mend_documents(step, found);
        let mut keys: BTreeSet<String> = found.iter().filter_map(|found| found.handle.clone()).collect();
        let is_placed = |found: &Located| found.handle.is_some() || found.source.is_some();
        if !found.iter().all(is_placed) {
            keys.extend(handles::names_read_by(step, &self.environment));
        }
        has_changed |= self.mend_handles(&keys);
        if !has_changed && self.reset.insert(step) {
            let all = handles::names_read_by(step, &self.environment);
            has_changed = self.mend_handles(&all.into_iter().collect());
        }
        has_changed
    }

    /// Leaves out the documents that M3.A alone reads and has judged, and lines with secrets.
    fn mend_documents(&mut self, step: Step, found: &[Located]) -> bool {
        if step != Step::HandleClosure {
            return false;
        }
        let lines: BTreeSet<usize> = found.iter().filter_map(Located::secret_line).collect();
        let has_changed =
            !self.documents.stack_outputs.is_empty() || self.documents.m2_receipt.is_some() || !lines.is_empty();
        self.documents.stack_outputs.clear();
        self.documents.m2_receipt = None;
        let places = registry::places(&self.documents.registry).unwrap_or_default();
        let lost: BTreeSet<String> = places
            .iter()
            .filter(|place| lines.contains(&place.line))
            .map(|place| place.key.to_string())
            .collect();
        self.documents.registry = without_lines(&self.documents.registry, &lines);
        self.mend_handles(&lost);
        has_changed
    }

    /// Gives each handle a value: of a contradiction the first, otherwise one that passes.
    fn mend_handles(&mut self, keys: &BTreeSet<String>) -> bool {
        let Ok(registry) = registry::parse(&self.documents.registry) else {
            // Nothing but secrets was declared.
            return self.replace(keys);
        };
        let mut contradicted: BTreeSet<String> = BTreeSet::new();
        if keys
            .iter()
            .any(|key| matches!(registry.get(key), Reading::Contradiction { .. }))
        {
            // Of many contradictions, not all are named.
            contradicted = registry.contradictions().iter().map(ToString::to_string).collect();
            contradicted.retain(|key| !self.settled.contains(key));
        }
        let others: BTreeSet<String> = keys.difference(&contradicted).cloned().collect();
        let settled = self.settle(&contradicted);
        self.replace(&others) || settled
    }

    /// Keeps the first value of each of these handles.
    fn settle(&mut self, keys: &BTreeSet<String>) -> bool {
        let places = registry::places(&self.documents.registry).unwrap_or_default();
        let mut kept = BTreeSet::new();
        let mut edits = Vec::new();
        for place in places
            .iter()
            .filter(|place| place.has_value && keys.contains(place.key.as_str()))
        {
            if !kept.insert(place.key.clone()) {
                // A span without a value adds nothing beside one with a value.
                edits.push((place.span.clone(), format!("`{}`", place.key)));
            }
        }
        self.settled.extend(keys.iter().cloned());
        self.edit(&edits);
        !edits.is_empty()
    }

    /// Gives each of these handles a value that passes, where one is known.
    fn replace(&mut self, keys: &BTreeSet<String>) -> bool {
        let known: BTreeMap<String, String> = keys
            .iter()
            .filter(|key| !self.replaced.contains(*key))
            .filter_map(|key| Some((key.clone(), self.good.get(key)?.clone())))
            .collect();
        let places = registry::places(&self.documents.registry).unwrap_or_default();
        let edit = |place: &Place| Some((place.span.clone(), known.get(place.key.as_str())?.clone()));
        let edits: Vec<_> = places.iter().filter_map(edit).collect();
        self.edit(&edits);
        let is_declared = |key: &String| places.iter().any(|place| place.key.as_str() == key);
        let missing: Vec<&String> = known
            .iter()
            .filter(|(key, _)| !is_declared(key))
            .map(|(_, span)| span)
            .collect();
        self.declare(&missing);
        self.replaced.extend(known.keys().cloned());
        !known.is_empty()
    }

    /// Puts other text in place of these bytes, which are in their order. Every line keeps its number.
    fn edit(&mut self, edits: &[(Range<usize>, String)]) {
        let mut edited = Vec::with_capacity(self.documents.registry.len());
        let mut done = 0;
        for (range, text) in edits {
            let (before, old) = (
                self.documents.registry.get(done..range.start),
                self.documents.registry.get(range.clone()),
            );
            edited.extend_from_slice(before.unwrap_or_default());
            edited.extend_from_slice(text.as_bytes());
            let lines = old.unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
            edited.extend(std::iter::repeat_n(b'\n', lines));
            done = range.end;
        }
        edited.extend_from_slice(self.documents.registry.get(done..).unwrap_or_default());
        self.documents.registry = edited;
    }

    /// Declares handles in a new list at the end of the registry.
    fn declare(&mut self, spans: &[&String]) {
        if spans.is_empty() {
            return;
        }
        let before = registry::places(&self.documents.registry).map_or(0, |places| places.len());
        let list = |ending: &str| -> String { spans.iter().map(|span| format!("* {span}{ending}")).collect() };
        let mut at_end = self.documents.registry.clone();
        at_end.extend_from_slice(format!("\n\n{}", list("\n")).as_bytes());
        let after = registry::places(&at_end).map_or(0, |places| places.len());
        if after == before + spans.len() {
            self.documents.registry = at_end;
            return;
        }
        // A code block or a comment is open at the end, and would hide the list. At the beginning nothing is open. A carriage return
        // ends a line of Markdown and is not counted as one, so that every line keeps its number.
        let mark = b"\xef\xbb\xbf";
        let start = if self.documents.registry.starts_with(mark) {
            mark.len()
        } else {
            0
        };
        let text = format!("{}\r<!-- -->\r\r", list("\r"));
        self.documents.registry.splice(start..start, text.into_bytes());
    }
}

/// The document without the text of these lines.
fn without_lines(bytes: &[u8], lines: &BTreeSet<usize>) -> Vec<u8> {
    let kept = bytes.split(|byte| *byte == b'\n').enumerate();
    let kept = kept.map(|(index, line)| if lines.contains(&(index + 1)) { &b""[..] } else { line });
    kept.collect::<Vec<_>>().join(&b'\n')
}

/// The sample registry's declarations, with this platform's names.
fn good_spans(environment: &Environment, platform: &Platform) -> BTreeMap<String, String> {
    let (_, role) = platform.role.split_once(":role/").unwrap_or_default();
    let machine = &platform.state_machine;
    let filled = [
        ("environment", environment.as_str()),
        ("ENVIRONMENT", &environment.as_str().to_ascii_uppercase()),
        ("account", machine.account()),
        ("region", machine.region()),
        ("evidence_bucket", platform.evidence_bucket.as_str()),
        ("object_store_bucket", "p1-lint-object-store"),
        ("artifacts_bucket", "p1-lint-artifacts"),
        ("state_machine", machine.name()),
        ("state_machine_role", role),
    ]
    .iter()
    .fold(SAMPLE.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{{{name}}}}}"), value)
    })
    .replace("arn:aws:", &format!("arn:{}:", machine.partition()));
    let places = registry::places(filled.as_bytes()).unwrap_or_default();
    let span = |place: Place| Some((place.key.to_string(), filled.get(place.span)?.to_owned()));
    places.into_iter().filter_map(span).collect()
}
