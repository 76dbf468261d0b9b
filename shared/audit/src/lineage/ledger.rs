//! The ledger's records in the evidence.

use p1_contract::ledger::LedgerRecord;

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
