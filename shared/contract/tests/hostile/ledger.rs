//! Ledger records, one by one and in any sequence.

use p1_contract::canonical::document_of;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, ExecutionArn, PlatformRunId, S3Key, Stamp};
use p1_contract::ledger::{Acquire, Commit, Ledger, LedgerKind, LedgerRecord};
use p1_contract::reference::ObjectRef;
use p1_contract::strict::{Limits, parse_strict};
use p1_contract::verdict::PhaseVerdict;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{any_change, any_json, changed, object};

const HOLDERS: [&str; 3] = ["a", "b", "c"];

fn run() -> PlatformRunId {
    PlatformRunId::parse("platform_20260223T174307Z").unwrap()
}

fn execution(name: &str) -> ExecutionArn {
    format!("arn:aws:states:eu-west-2:123456789012:execution:p1:{name}")
        .parse()
        .unwrap()
}

fn summary(of: &str) -> ObjectRef {
    ObjectRef {
        bucket: BucketName::parse("evidence").unwrap(),
        key: S3Key::parse("evidence/s.json").unwrap(),
        version_id: Some("v".to_owned()),
        sha256: Sha256Hex::of(of.as_bytes()),
        bytes: 1,
    }
}

fn record(sequence: u32, holder: &str, verdict: Option<PhaseVerdict>) -> LedgerRecord {
    let stamp = Stamp::parse_compact("20260223T174307Z").unwrap();
    match verdict {
        None => LedgerRecord::acquired(&run(), sequence, &execution(holder), stamp),
        Some(verdict) => LedgerRecord::committed(&run(), sequence, &execution(holder), stamp, verdict, summary(holder)),
    }
}

fn any_verdict() -> impl Strategy<Value = Option<PhaseVerdict>> {
    prop_oneof![3 => Just(None), 2 => Just(Some(PhaseVerdict::HoldM3)), 1 => Just(Some(PhaseVerdict::AdvanceToM4))]
}

/// Sequences that are often legal: mostly the right number, few holders.
fn any_records() -> impl Strategy<Value = Vec<LedgerRecord>> {
    let number = prop_oneof![30 => Just(None), 1 => (0_u32..6).prop_map(Some), 1 => Just(Some(u32::MAX))];
    prop::collection::vec((number, prop::sample::select(&HOLDERS[..]), any_verdict()), 0..7).prop_map(|rows| {
        let numbered = (1_u32..).zip(rows);
        numbered
            .map(|(n, (other, holder, verdict))| record(other.unwrap_or(n), holder, verdict))
            .collect()
    })
}

/// The contract's section 4 in other words: numbers without a gap, every commit right behind an ACQUIRED of the same holder, and an
/// advance at the end alone.
fn is_legal(records: &[LedgerRecord]) -> bool {
    let numbered = records
        .iter()
        .enumerate()
        .all(|(n, record)| usize::try_from(record.sequence) == Ok(n + 1));
    let commits = (0..records.len())
        .filter(|n| records[*n].kind == LedgerKind::Committed)
        .all(|n| n > 0 && records[n - 1].kind == LedgerKind::Acquired && records[n - 1].holder == records[n].holder);
    let advances = |record: &LedgerRecord| record.verdict == Some(PhaseVerdict::AdvanceToM4);
    numbered && commits && !records.iter().rev().skip(1).any(advances)
}

fn read_record(document: &Value) -> Result<LedgerRecord, serde_json::Error> {
    serde_json::from_value(document.clone())
}

proptest! {
    #[test]
    fn any_json_is_a_record_only_when_it_is_written_the_same(value in any_json()) {
        if let Ok(record) = read_record(&value) {
            prop_assert_eq!(serde_json::to_value(record).unwrap(), value);
        }
    }

    #[test]
    fn a_changed_record_is_refused_or_breaks_the_ledger_or_is_another_record(
        verdict in any_verdict(), (at, change) in any_change()
    ) {
        let original = record(2, "a", verdict);
        let bytes = document_of(&original).unwrap();
        let document = parse_strict(&bytes, Limits::DOCUMENT).unwrap();
        prop_assert_eq!(&read_record(&document).unwrap(), &original);
        let Some((other, _)) = changed(&document, at, change) else { return Ok(()) };
        if let Ok(changed) = read_record(&other) {
            // A change that reads as the same record must not exist but for an absent field that is written as null.
            prop_assert!(changed != original || other.as_object().is_some_and(|map| map.values().any(Value::is_null)));
            let _ = Ledger::read(&run(), vec![record(1, "a", None), changed]);
        }
    }

    #[test]
    fn only_legal_sequences_are_ledgers(records in any_records()) {
        match Ledger::read(&run(), records.clone()) {
            Ok(ledger) => {
                prop_assert!(is_legal(&records));
                prop_assert_eq!(ledger.records(), &records[..]);
            }
            Err(error) => prop_assert!(!is_legal(&records), "{error}"),
        }
    }

    #[test]
    fn what_a_ledger_lets_one_write_is_legal_and_one_alone_may_commit(records in any_records(), asks in prop::sample::select(&HOLDERS[..])) {
        let Ok(ledger) = Ledger::read(&run(), records.clone()) else { return Ok(()) };
        let with = |record: LedgerRecord| records.iter().cloned().chain([record]).collect::<Vec<_>>();
        match ledger.acquire(&execution(asks)) {
            Acquire::Ours => prop_assert!(ledger.is_held_by(&execution(asks))),
            Acquire::Create(n) => prop_assert!(is_legal(&with(record(n, asks, None)))),
            Acquire::AskHolder { holder, sequence, .. } => {
                prop_assert!(ledger.is_held_by(&holder) && holder != execution(asks));
                prop_assert!(is_legal(&with(record(sequence, asks, None))));
            }
            Acquire::Closed => prop_assert!(!is_legal(&with(record(ledger.head().map_or(1, |head| head.sequence + 1), asks, None)))),
        }
        let mut committers = 0;
        for holder in HOLDERS {
            for verdict in [PhaseVerdict::HoldM3, PhaseVerdict::AdvanceToM4] {
                match ledger.commit(&execution(holder), verdict, &summary(holder)) {
                    Commit::Create(n) => {
                        prop_assert!(is_legal(&with(record(n, holder, Some(verdict)))));
                        committers += 1;
                    }
                    Commit::Done(n) => prop_assert_eq!(records.last(), Some(&record(n, holder, Some(verdict)))),
                    Commit::Lost { head } => {
                        prop_assert_eq!(head, records.last().map(|record| record.holder.clone()));
                    }
                }
            }
        }
        prop_assert!(committers == 0 || committers == 2, "one holder, either verdict: {committers}");
    }
}

#[test]
fn a_record_with_a_field_too_many_is_none() {
    let mut document = serde_json::to_value(record(1, "a", None)).unwrap();
    document.as_object_mut().unwrap().extend(object([("fence", json!(1))]));
    assert!(read_record(&document).is_err());
}
