//! The ledger's records in the evidence.

use std::collections::BTreeSet;

use p1_contract::artifacts::ProbeOutcome;
use p1_contract::evidence::split;
use p1_contract::ids::PlatformRunId;
use p1_contract::ledger::LedgerRecord;
use p1_contract::observations::Observations;
use p1_contract::observations::run_identity::Observed;
use p1_contract::owner::Owner;
use p1_contract::step::Step;

use crate::evidence_set::EvidenceSet;

/// A record of a run's ledger.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// The record.
    pub record: LedgerRecord,
}

/// Every record that lies at its own key and can be read, ordered by run and sequence. `verify` judges all other files there.
#[must_use]
pub fn entries(set: &EvidenceSet) -> Vec<Entry> {
    let places = set
        .files
        .iter()
        .filter(|(key, _)| key.starts_with("evidence/runs/") && key.contains("/ledger/"));
    let records = places.filter_map(|(key, file)| {
        let record = LedgerRecord::parse(&file.bytes).ok()?;
        let is_own = record.platform_run_id.ledger_key(record.sequence) == *key;
        is_own.then(|| Entry {
            key: key.clone(),
            record,
        })
    });
    let mut entries: Vec<Entry> = records.collect();
    entries.sort_by_key(|entry| (entry.record.platform_run_id.to_string(), entry.record.sequence));
    entries
}

/// The ids that M3.B reserved and gave up again, because objects of somebody else lay below their root. The reservation stays.
pub(super) fn given_up(set: &EvidenceSet) -> BTreeSet<PlatformRunId> {
    let name = Owner::Step(Step::RunIdentity).observations_name();
    let file = format!("/{name}.json");
    let root = set.environment().run_control_root();
    let observations = set
        .files
        .keys()
        .filter(|key| key.starts_with(&root) && key.ends_with(&file));
    let observations = observations.filter_map(|key| split::<Observations<Observed>>(set.value(key).ok()?, &name).ok());
    observations
        .flat_map(|observations| observations.body.observed.probes)
        .filter(|probe| probe.outcome == ProbeOutcome::RootOccupied)
        .map(|probe| probe.candidate_platform_run_id)
        .collect()
}
