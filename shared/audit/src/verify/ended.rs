//! Checks what an execution ended with that reached no verdict: one state alone, or a refused rerun.
//!
//! Only with its own admission, for that, it is such an execution. The engine's word for its end tells which to look for where no
//! verdict is left, and has to agree with the admission.

use std::collections::BTreeSet;

use p1_contract::artifacts::RerunAdmissionReceipt;
use p1_contract::blocker::{Blocker, codes};
use p1_contract::evidence::{Body, Document};
use p1_contract::ids::PhaseExecutionId;
use p1_contract::owner::Owner;
use p1_contract::step::Step;
use serde_json::{Value, json};

use super::chain::{Chain, Closed};
use crate::evidence_set::{Ending, HISTORY};
use crate::findings::Findings;
use crate::lineage::{Kind, Lineage};

/// The number of codes that the cause of a failed execution names at most.
const MOST_CODES: usize = 200;

/// The codes of an admission whose documents could not be published, or are not there afterwards.
const NOT_PUBLISHED: [Blocker; 2] = [
    Blocker::publish_failed(Step::RerunDiscipline),
    Blocker::set_incomplete(Step::RerunDiscipline),
];

/// Checks the closing that the execution ended with.
pub(super) fn check(lineage: &Lineage<'_>, chain: &Chain, last: &Closed, findings: &mut Findings) {
    match lineage.kind {
        Kind::SingleState => single_state(lineage, chain, last, findings),
        Kind::RerunRefused => refused(lineage, chain, last, findings),
        Kind::Run | Kind::Resume | Kind::PhaseEntry | Kind::Unfinished => {}
    }
    if let Some(ending) = lineage.set().ending.as_ref().filter(|_| lineage.kind.ends_before()) {
        told(lineage, ending, last, findings);
    }
}

/// One of M3.C to M3.H, which rests on the steps before it and on an admission of the same execution for that state alone.
fn single_state(lineage: &Lineage<'_>, chain: &Chain, last: &Closed, findings: &mut Findings) {
    let key = last.closure.key.as_str();
    let step = last.closure.step.step();
    let is_one = (Step::ConfigDigest..=Step::CostEnvelope).contains(&step) && last.closure.step != Owner::Admission;
    findings.holds(key, "that it ran alone", is_one);
    let mut rests_on: Vec<Owner> = last.body.upstream.iter().map(|closure| closure.step).collect();
    rests_on.sort();
    let mut expected: Vec<Owner> = step.before().map(Owner::Step).chain([Owner::Admission]).collect();
    expected.sort();
    findings.expect(key, "what it rests on", &rests_on, &expected);
    let passed = last.body.upstream.iter().all(|closure| closure.overall_pass);
    findings.holds(key, "the pass of what it rests on", passed);
    let admission = last
        .body
        .upstream
        .iter()
        .find(|closure| closure.step == Owner::Admission);
    let Some(admission) = admission.and_then(|admission| {
        let mut closures = chain.closures.iter();
        closures.find(|closed| closed.closure == *admission)
    }) else {
        return;
    };
    let is_of_this = is_of_one_execution(lineage, chain, last, admission);
    findings.holds(key, "the admission that it rests on", is_of_this);
    let Some((place, receipt)) = receipt(lineage, admission, findings) else {
        return;
    };
    let found = (receipt.admitted, receipt.only, receipt.resume_at);
    findings.expect(&place, "what it admits", &found, &(true, true, Some(step)));
    let mut ledger = chain.ledger.iter();
    match ledger.find(|record| Some(record.sequence) == receipt.ledger_sequence) {
        Some(record) => {
            let id = PhaseExecutionId::derive(Owner::Admission, record.holder_stamp_utc, record.holder.as_str());
            let is_own = id == admission.closure.phase_execution_id;
            findings.holds(&place, "the record of the ledger that it names", is_own);
        }
        None => findings.incomplete("ledger", "has no record of the execution that ran one state alone"),
    }
}

/// Whether the admission is of the execution that ran the step. Only a holder of the ledger and the engine name executions.
fn is_of_one_execution(lineage: &Lineage<'_>, chain: &Chain, last: &Closed, admission: &Closed) -> bool {
    let (step, id) = (last.closure.step, &last.closure.phase_execution_id);
    let records = chain
        .ledger
        .iter()
        .map(|record| (&record.holder, Some(record.holder_stamp_utc)));
    let own = lineage.own().map(|own| (own, id.stamp()));
    let mut executions = records.chain(own).filter_map(|(arn, start)| Some((arn, start?)));
    executions.any(|(arn, start)| {
        let derived = |owner: Owner| PhaseExecutionId::derive(owner, start, arn.as_str());
        derived(step) == *id && derived(Owner::Admission) == admission.closure.phase_execution_id
    })
}

/// An admission that blocks.
fn refused(lineage: &Lineage<'_>, chain: &Chain, last: &Closed, findings: &mut Findings) {
    let key = last.closure.key.as_str();
    let is_refusal = last.closure.step == Owner::Admission && !last.body.overall_pass;
    findings.holds(key, "that it refuses", is_refusal);
    findings.expect(key, "what it rests on", &last.body.upstream.len(), &0);
    let Some((place, receipt)) = receipt(lineage, last, findings) else {
        return;
    };
    // What could not be published is not known yet when the receipt is written.
    let refuses = last
        .body
        .blockers
        .iter()
        .any(|blocker| !NOT_PUBLISHED.contains(&blocker.code));
    findings.holds(&place, "that it refuses", !(receipt.admitted && refuses));
    if let Some(sequence) = receipt.ledger_sequence
        && chain.ledger.iter().all(|record| record.sequence != sequence)
    {
        findings.incomplete("ledger", "has no record of the rerun, which acquired it");
    }
}

/// The receipt of an admission, with its key. An admission that could not publish it says so.
fn receipt(
    lineage: &Lineage<'_>,
    admission: &Closed,
    findings: &mut Findings,
) -> Option<(String, RerunAdmissionReceipt)> {
    let set = lineage.set();
    let Some(artifact) = admission.body.artifact(RerunAdmissionReceipt::NAME) else {
        let mut blockers = admission.body.blockers.iter();
        if !blockers.any(|blocker| NOT_PUBLISHED.contains(&blocker.code)) {
            findings.tampered(admission.closure.key.as_str(), "lists no receipt of the admission");
        }
        return None;
    };
    // A receipt that is not there, or is no document, has a finding already.
    let file = set.files.get(artifact.key.as_str())?;
    let receipt = Document::<RerunAdmissionReceipt>::parse(&file.bytes).ok()?;
    Some((artifact.key.to_string(), receipt.body))
}

/// The texts of a list, each once. `None` for anything else.
fn strings(value: &Value) -> Option<BTreeSet<String>> {
    let list = value.as_array()?;
    let texts: Option<BTreeSet<String>> = list.iter().map(|text| text.as_str().map(str::to_owned)).collect();
    texts.filter(|texts| texts.len() == list.len())
}

/// Compares the engine's word with the summary.
fn told(lineage: &Lineage<'_>, ending: &Ending, last: &Closed, findings: &mut Findings) {
    let mut expect = |what: &str, same: bool| findings.holds(HISTORY, what, same);
    let named = ending.closure.clone().map(|mut named| {
        // Without objects.json no version is known.
        if !lineage.set().listed.contains_key(last.closure.key.as_str()) {
            named.version_id.clone_from(&last.closure.version_id);
        }
        named
    });
    expect("the closure that it ended with", named.as_ref() == Some(&last.closure));
    // In the bucket nothing is told.
    if ending.said.is_null() {
        return;
    }
    let mut blockers = codes(&last.body.blockers);
    blockers.truncate(MOST_CODES);
    let named: Option<BTreeSet<String>> = strings(&ending.said["blockers"]);
    let expected = blockers.iter().map(|code| code.code().to_owned()).collect();
    expect("the blockers that it ended with", named == Some(expected));
    if lineage.kind == Kind::SingleState {
        let step = (&ending.said["step"], &ending.said["overall_pass"]);
        let expected = (&json!(last.closure.step), &json!(last.body.overall_pass));
        expect("the step that it ended with", step == expected);
    }
}
