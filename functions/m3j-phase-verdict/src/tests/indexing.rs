//! What is listed below its scenario, and what an attempt after one that died makes of it.

use p1_contract::artifacts::{CLOSURE_NOTES, IndexedObject, ScenarioIndexEntry};
use p1_contract::attestation::VSA_SIDECAR;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{ExecutionArn, S3Key};
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::store::PutAnswer;
use p1_runtime::testing::{BUCKET, TestExecution};

use super::platform::{green, held};
use super::replay::Kms;
use super::sealing::{conclude, key, local, sidecars};
use crate::PhaseVerdictStep;

const INDEX: &str = "evidence/dev_full/index/";

fn place(execution: &TestExecution) -> String {
    let run = execution.run().triplet().unwrap();
    format!("{INDEX}scenario/{}/{}.json", run.scenario_run_id, run.platform_run_id)
}

fn listed(execution: &TestExecution) -> Vec<(String, Vec<u8>)> {
    let objects = execution.store.dump(BUCKET).into_iter();
    objects.filter(|(key, _)| key.starts_with(INDEX)).collect()
}

#[tokio::test]
async fn an_advance_is_listed_below_its_scenario() {
    let mut execution = green();
    let unsigned = PhaseVerdictStep::default();
    let first = conclude(&mut execution, &unsigned).await.unwrap();
    assert_eq!(first.verdict(), Some(PhaseVerdict::AdvanceToM4));
    let found = listed(&execution);
    let [(key, bytes)] = found.as_slice() else {
        panic!("{} entries", found.len())
    };
    assert_eq!(key, &place(&execution));

    let entry = ScenarioIndexEntry::parse(bytes).unwrap();
    let run = execution.run().triplet().unwrap();
    let objects = execution.store.dump(BUCKET);
    let ending = |end: &str| {
        let (key, bytes) = objects.iter().find(|(key, _)| key.ends_with(end)).unwrap();
        IndexedObject::new(&S3Key::parse(key).unwrap(), &Sha256Hex::of(bytes))
    };
    assert_eq!(entry.scenario_run_id, run.scenario_run_id);
    assert_eq!(entry.platform_run_id, run.platform_run_id);
    assert_eq!(entry.config_digest, run.config_digest);
    assert_eq!(entry.verdict, PhaseVerdict::AdvanceToM4);
    assert_eq!(
        (&entry.execution, entry.execution_stamp_utc),
        (&execution.arn, execution.stamp)
    );
    assert_eq!(Some(entry.pinned_at_utc), run.platform_run_id.stamp());
    assert_eq!(entry.m3_execution_summary, ending("/m3_execution_summary.json"));
    assert_eq!(entry.commit, ending("/ledger/000002.json"));
    assert_eq!(entry.run_evidence, [ending("/m4_handoff_pack.json")]);

    // A retry finds its own bytes, and writes nothing.
    assert_eq!(conclude(&mut execution, &unsigned).await.unwrap(), first);
    assert_eq!(execution.store.dump(BUCKET), objects);
}

#[tokio::test]
async fn only_a_committed_advance_is_listed() {
    let mut of_a_hold = held();
    conclude(&mut of_a_hold, &local()).await.unwrap();
    assert_eq!(listed(&of_a_hold), []);

    let mut void = green();
    let other: ExecutionArn = void.arn.to_string().replace(":start", ":other").parse().unwrap();
    void.acquire(2, &other);
    let result = conclude(&mut void, &local()).await.unwrap();
    assert_eq!(result.committed(), Some(false));
    assert_eq!(listed(&void), []);
}

#[tokio::test]
async fn an_entry_of_somebody_else_is_a_fault_and_stays() {
    let mut execution = green();
    execution.store.seed(BUCKET, &place(&execution), "theirs");
    let fault = conclude(&mut execution, &local()).await.unwrap_err();
    assert_eq!(fault.name(), "Internal", "{fault}");
    let words = fault.to_string();
    assert!(words.contains(&place(&execution)), "{words}");
    assert!(words.contains("the verdict stands: keep the object"), "{words}");
    assert_eq!(listed(&execution), [(place(&execution), b"theirs".to_vec())]);
    // The verdict is committed, and signed all the same.
    let objects = execution.store.dump(BUCKET);
    assert!(objects.keys().any(|key| key.ends_with("/ledger/000002.json")));
    assert!(
        objects
            .keys()
            .any(|key| key.ends_with("/m4_entry_readiness_receipt.json"))
    );
    assert!(sidecars(&execution).contains_key(VSA_SIDECAR));
}

#[tokio::test]
async fn a_signature_that_fails_keeps_no_run_from_being_listed() {
    let kms = Kms::new(key());
    kms.refuse("Sign", 400, "DisabledException");
    let mut execution = green();
    let step = PhaseVerdictStep { signer: kms.signer() };
    let fault = conclude(&mut execution, &step).await.unwrap_err();
    assert!(fault.to_string().contains("DisabledException"), "{fault}");
    assert_eq!(listed(&execution).len(), 1);
}

#[tokio::test]
async fn an_entry_that_may_not_have_been_stored_is_a_fault_that_passes() {
    let mut execution = green();
    let step = PhaseVerdictStep::default();
    conclude(&mut execution, &step).await.unwrap();
    let entry = listed(&execution);
    execution.store.delete(BUCKET, &place(&execution));
    // Everything before is there already: observations, receipt, notes and summary.
    let mut answers = vec![PutAnswer::Exists; 3 + CLOSURE_NOTES.len()];
    answers.extend(vec![PutAnswer::Unknown("time-out".to_owned()); 4]);
    execution.store.script(answers);
    let fault = conclude(&mut execution, &step).await.unwrap_err();
    assert_eq!(fault.name(), "Transient", "{fault}");
    assert!(fault.to_string().contains(&place(&execution)), "{fault}");
    execution.store.script(Vec::new());
    conclude(&mut execution, &step).await.unwrap();
    assert_eq!(listed(&execution), entry);
}
