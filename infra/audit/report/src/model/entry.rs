//! The answer to a later phase.

use p1_audit::lineage::{Kind, Lineage};
use p1_contract::artifacts::PhaseEntryReceipt;
use p1_contract::evidence::Body;
use p1_contract::owner::Owner;

use super::steps::Raised;
use crate::text::Text;

/// The answer to a later phase, as the directory states it. Everything is empty if it cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// What the phase asked with: field and text.
    pub(crate) asked: Vec<(Text, Text)>,
    /// The variables of its runtimes.
    pub(crate) environment: Vec<(Text, Text)>,
    /// The checks: name, whether it holds, what was seen.
    pub(crate) checks: Vec<(Text, bool, Text)>,
    /// The evidence that the answer rests on: name, key and hash.
    pub(crate) references: Vec<[Text; 3]>,
    /// What keeps the phase out.
    pub(crate) blockers: Vec<Raised>,
}

/// The answer, if the directory is of a phase entry.
pub(super) fn entry(lineage: &Lineage<'_>) -> Option<Entry> {
    if lineage.kind != Kind::PhaseEntry {
        return None;
    }
    let set = lineage.set();
    let at = |name: &str| set.files.keys().find(|key| key.ends_with(&format!("/{name}.json")));
    let summary_name = Owner::Entry.summary_name();
    let summary = at(&summary_name).and_then(|key| set.summary(key, &summary_name).ok());
    let receipt = at(PhaseEntryReceipt::NAME).and_then(|key| set.document::<PhaseEntryReceipt>(key).ok());
    let blockers = summary.iter().flat_map(|summary| &summary.body.blockers);
    let mut entry = Entry {
        blockers: blockers.map(Raised::from).collect(),
        ..Entry::default()
    };
    let Some(receipt) = receipt.map(|receipt| receipt.body) else {
        return Some(entry);
    };
    let asked = &receipt.asked;
    let asked = [
        ("platform_run_id", Some(asked.platform_run_id.as_str())),
        ("scenario_run_id", Some(asked.scenario_run_id.as_str())),
        ("phase_id", asked.phase_id.as_deref()),
        ("event_id", asked.event_id.as_deref()),
        ("runtime_lane", asked.runtime_lane.as_deref()),
        ("trace_id", asked.trace_id.as_deref()),
    ];
    let given = asked
        .into_iter()
        .filter_map(|(field, text)| Some((Text::new(field), Text::new(text?))));
    entry.asked = given.collect();
    let environment = receipt.environment.iter();
    entry.environment = environment
        .map(|(name, run)| (Text::new(name), run.as_str().into()))
        .collect();
    let checks = receipt.checks.iter();
    entry.checks = checks
        .map(|check| (Text::new(&check.check), check.pass, Text::new(&check.detail)))
        .collect();
    let references = receipt.references.iter();
    entry.references = references
        .map(|reference| {
            let sha256 = Text::new(reference.sha256.as_str());
            [Text::new(&reference.name), Text::new(reference.key.as_str()), sha256]
        })
        .collect();
    Some(entry)
}
