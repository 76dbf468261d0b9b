//! Computes again what the evidence means: ids, verdict, ledger, triplet.

use std::collections::BTreeSet;

use p1_contract::artifacts::*;
use p1_contract::blocker::{Blocker, codes};
use p1_contract::evidence::{Body, HOLD, RunIds};
use p1_contract::identity::{SeedInputs, composite_manifest_digest};
use p1_contract::ids::{ExecutionArn, PhaseExecutionId, PlatformRunId, S3Key, Stamp};
use p1_contract::ledger::{Ledger, LedgerError, LedgerKind};
use p1_contract::owner::Owner;
use p1_contract::reference::ClosureRef;
use p1_contract::revision;
use p1_contract::secrets;
use p1_contract::step::Step;
use p1_contract::verdict::{PhaseVerdict, RollupVerdict, adjudicate};
use serde_json::Value;

use super::chain::{Chain, Closed, summary_key};
use super::judged::{Evidence, Phase};
use super::shape::{Documents, read};
use super::{ended, offered, pinned, resolved, windows};
use crate::evidence_set::{EvidenceSet, HISTORY, Outcome};
use crate::findings::Findings;
use crate::lineage::{Kind, Lineage};

/// The conclusions from the evidence.
#[derive(Default)]
pub(super) struct Judgement {
    /// Whether the verdict that counts is an advance. `None` if no verdict counts.
    pub(super) advance: Option<bool>,
    /// The run's ids.
    pub(super) run: RunIds,
}

/// Checks everything that can be computed again.
pub(super) fn check(lineage: &Lineage<'_>, documents: &Documents, chain: &Chain, findings: &mut Findings) -> Judgement {
    let set = lineage.set();
    ledger(set, chain, findings);
    references(set, documents, findings);
    let phase = chain.phase.as_ref().map(|(key, document)| Phase { key, document });
    let last = chain.last_closed();
    if phase.is_none() && last.is_none() {
        return Judgement::default();
    }
    let of_phase = phase.map(|phase| phase.document.header.run());
    let of_last = last.map(|closed| closed.header.run());
    let run = RunIds::known(of_phase.iter().chain(&of_last));
    for (key, document) in documents.iter().filter(|(key, _)| !chain.given_up.contains_key(*key)) {
        same_run(key, document, &run, findings);
    }
    closures(set, chain, lineage.kind, findings);
    revisions(documents, chain, findings);
    secret_scans(documents, chain, findings);
    later_phases(documents, phase, findings);
    if let Some(last) = last {
        ended::check(lineage, chain, last, findings);
        let closures = last.body.upstream.iter().cloned().chain([last.closure.clone()]);
        let evidence = Evidence::of(set, chain, closures.collect());
        identity(&evidence, &run, findings);
        if evidence.is_whole() {
            windows::check(&evidence, &run, findings);
            pinned::documents(&evidence, &run, findings);
        }
    }
    let advance = phase.and_then(|phase| {
        let evidence = Evidence::of(set, chain, phase.document.body.closures.clone());
        let advance = committed(&evidence, phase, lineage.kind, findings);
        identity(&evidence, &run, findings);
        if evidence.is_whole() {
            verdict(&evidence, phase, findings);
            resolved::check(&evidence, findings);
            windows::check(&evidence, &run, findings);
            offered::check(phase, findings);
            let has_documents = pinned::documents(&evidence, &run, findings);
            pinned::receipt(&evidence, phase, has_documents, findings);
        }
        advance
    });
    Judgement { advance, run }
}

fn ledger(set: &EvidenceSet, chain: &Chain, findings: &mut Findings) {
    // A run that found no free id has no ledger, and its reservations are held to their form all the same.
    let first = chain.ledger.first();
    for (key, record) in &chain.given_up {
        let is_reservation = record.kind == LedgerKind::Acquired && record.sequence == 1;
        let is_of_first = first
            .is_none_or(|first| (&record.holder, record.holder_stamp_utc) == (&first.holder, first.holder_stamp_utc));
        if !is_reservation || !is_of_first {
            findings.tampered(key, "is no reservation that the run's first execution gave up");
        }
    }
    let Some(first) = chain.ledger.first() else { return };
    let run = &first.platform_run_id;
    if chain.ledger.iter().any(|record| record.platform_run_id != *run) {
        findings.tampered("ledger", "there are ledgers of more than one run");
        return;
    }
    match Ledger::read(run, chain.ledger.clone()) {
        Ok(ledger) => {
            let execution = set.ending.as_ref().map(|ending| &ending.execution);
            if execution.is_some_and(|execution| !ledger.is_of_the_machine_of(execution)) {
                findings.tampered(
                    "ledger",
                    "a holder is no execution of the state machine that this execution is of",
                );
            }
        }
        Err(error @ LedgerError::Gap { .. }) => findings.incomplete("ledger", error.to_string()),
        Err(error @ LedgerError::Illegal { .. }) => findings.tampered("ledger", error.to_string()),
    }
}

/// Checks every reference in every document against the file that it names.
fn references(set: &EvidenceSet, documents: &Documents, findings: &mut Findings) {
    for (key, document) in documents.iter().filter(|(key, _)| !key.ends_with("observations.json")) {
        let mut open = vec![document];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(items) => open.extend(items),
                Value::Object(fields) => {
                    open.extend(fields.values());
                    let text = |name: &str| fields.get(name).and_then(Value::as_str);
                    if let (Some(_), Some(named), Some(sha256)) = (text("bucket"), text("key"), text("sha256"))
                        && set.files.get(named).is_some_and(|file| file.sha256.as_str() != sha256)
                    {
                        findings.tampered(named, format!("has other bytes than {key} names"));
                    }
                }
                _ => {}
            }
        }
    }
}

/// Checks the ids that a document carries. An id that is not known is in none.
fn same_run(key: &str, document: &Value, run: &RunIds, findings: &mut Findings) {
    let (platform, scenario, config) = (&run.platform_run_id, &run.scenario_run_id, &run.config_digest);
    let ids = [
        ("platform_run_id", platform.as_ref().map(PlatformRunId::as_str)),
        ("scenario_run_id", scenario.as_ref().map(|id| id.as_str())),
        ("config_digest", config.as_ref().map(|digest| digest.as_str())),
    ];
    for (field, expected) in ids {
        if let Some(found) = document.get(field) {
            findings.expect(key, field, &found.as_str(), &expected);
        }
    }
}

/// The holders of the ledger, with their starts, and the execution itself where it need not be one: without a ledger, and if it ended
/// without a verdict.
fn holders(set: &EvidenceSet, chain: &Chain) -> Vec<(ExecutionArn, Stamp)> {
    let records = chain.ledger.iter();
    let mut holders: Vec<_> = records
        .map(|record| (record.holder.clone(), record.holder_stamp_utc))
        .collect();
    let of_phase = || Some(chain.phase.as_ref()?.1.body.execution_stamp_utc);
    let start = match &chain.ended_with {
        Some(closure) => closure.phase_execution_id.stamp(),
        None => of_phase().filter(|_| holders.is_empty()),
    };
    if let (Some(start), Some(ending)) = (start, &set.ending) {
        holders.push((ending.execution.clone(), start));
    }
    holders
}

fn closures(set: &EvidenceSet, chain: &Chain, kind: Kind, findings: &mut Findings) {
    let holders = holders(set, chain);
    // Worked out once: there may be as many holders as closures, and each holder is hashed for each step.
    let derived: BTreeSet<(Owner, PhaseExecutionId)> = holders
        .iter()
        .flat_map(|(holder, stamp)| {
            Owner::all().map(|owner| (owner, PhaseExecutionId::derive(owner, *stamp, holder.as_str())))
        })
        .collect();
    // A refused rerun holds nothing. In the bucket, nothing else names its execution.
    let is_unnamed = |closure: &ClosureRef| {
        kind == Kind::RerunRefused && set.ending.is_none() && chain.ended_with.as_ref() == Some(closure)
    };
    let environment = set.environment();
    for Closed { closure, header, body } in &chain.closures {
        let key = closure.key.as_str();
        let step = closure.step.step();
        findings.expect(key, "its key", &summary_key(&environment, closure).as_str(), &key);
        findings.expect(key, "its step", &header.step, &step);
        let id = &closure.phase_execution_id;
        findings.expect(key, "its phase execution id", &header.phase_execution_id, id);
        findings.expect(key, "its verdict", &body.overall_pass, &closure.overall_pass);
        findings.holds(key, "its count of blockers", body.is_consistent());
        let gate = if body.overall_pass {
            step.ready_gate()
        } else {
            HOLD.to_owned()
        };
        findings.holds(
            key,
            "its gate",
            closure.step == Owner::Admission || body.next_gate == gate,
        );
        if !derived.contains(&(closure.step, id.clone())) && !holders.is_empty() && !is_unnamed(closure) {
            findings.tampered(key, "its phase execution id follows from no holder of the ledger");
        }
    }
}

/// Checks which revisions stand in the chain: a summary and what it lists are of one, and it rests on none of a later one.
pub(super) fn revisions(documents: &Documents, chain: &Chain, findings: &mut Findings) {
    let of = |key: &S3Key| documents.get(key.as_str()).and_then(revision::of);
    for Closed { closure, header, body } in &chain.closures {
        let own = header.schema_version;
        let others = body.artifacts.iter().map(|artifact| &artifact.key);
        for key in others.filter(|key| of(key).is_some_and(|revision| revision != own)) {
            findings.tampered(
                key.as_str(),
                format!("is of another revision than {}, which lists it", closure.key),
            );
        }
        let upstream = body.upstream.iter().map(|closure| &closure.key);
        for key in upstream.filter(|key| of(key).is_some_and(|revision| revision > own)) {
            findings.tampered(
                closure.key.as_str(),
                format!("is of an earlier revision than {key}, which it rests on"),
            );
        }
    }
}

/// Checks what each summary says of its scan for secrets against what it published.
fn secret_scans(documents: &Documents, chain: &Chain, findings: &mut Findings) {
    for Closed { closure, body, .. } in &chain.closures {
        let key = closure.key.as_str();
        let name = closure.step.observations_name();
        let observations = body
            .artifact(&name)
            .and_then(|artifact| documents.get(artifact.key.as_str()));
        let (Some(scan), Some(observations)) = (&body.secret_scan, observations) else {
            continue;
        };
        let created = observations["created"].as_array().map_or(&[][..], Vec::as_slice);
        let is_created = |key: &S3Key| created.iter().any(|artifact| artifact["key"] == key.as_str());
        let published = body.artifacts.iter().map(|artifact| &artifact.key);
        let published: Vec<_> = published.filter(|key| !is_created(key)).collect();
        let is_known = (1..=secrets::RULES_VERSION).contains(&scan.rules_version);
        findings.holds(key, "the version of the rules for secrets", is_known);
        let scanned = (published.len() + body.not_stored.len()) as u64;
        findings.expect(key, "the count of scanned documents", &scan.documents, &scanned);
        let redactions = observations["redactions"].as_array().map_or(0, Vec::len) as u64;
        findings.holds(key, "the count of secrets", scan.hits >= redactions);
        let strings = |key: &&S3Key| match documents.get(key.as_str()) {
            Some(document) if document["artifact"] == name.as_str() => {
                Some(secrets::count_strings(&document["observed"]))
            }
            Some(document) => Some(secrets::count_strings(document)),
            None => key.as_str().ends_with(".md").then_some(1),
        };
        // What was not stored was scanned too, and is not there to be counted.
        let strings: Option<u64> = published.iter().map(strings).sum();
        if let (true, Some(strings)) = (body.not_stored.is_empty(), strings) {
            findings.expect(key, "the count of scanned strings", &scan.strings, &strings);
        }
    }
}

/// Checks what later phases gate on: the summary and the receipt must agree with the verdict. Evidence of revision 1 has no such
/// fields; in later evidence none may be missing.
fn later_phases(documents: &Documents, phase: Option<Phase<'_>>, findings: &mut Findings) {
    const WHAT: &str = "what later phases gate on";
    if let Some(Phase { key, document }) = phase {
        let phase = &document.body;
        let advance = phase.verdict == PhaseVerdict::AdvanceToM4;
        let stated = (
            &phase.next_gate,
            phase.m4_entry_ready,
            phase.blocker_count,
            &phase.blockers,
        );
        if document.header.schema_version > 1 || stated != (&None, None, None, &None) {
            let finding =
                |blocker: &RegisteredBlocker| blocker.code.on(blocker.subject.as_str(), blocker.detail.as_str());
            let blockers: Vec<_> = phase.unresolved_blockers.iter().map(finding).collect();
            let gate = Some(if advance { "M4_READY" } else { HOLD }.to_owned());
            let expected = (&gate, Some(advance), Some(blockers.len() as u64), &Some(blockers));
            findings.expect(key, WHAT, &stated, &expected);
        }
    }
    for key in documents.keys() {
        let Some(receipt) = read::<M4EntryReadinessReceipt>(documents, key) else {
            continue;
        };
        let is_first_revision = receipt.header.schema_version == 1;
        let receipt = receipt.body;
        let stated = (receipt.m4_entry_ready, receipt.blocker_count, receipt.blockers);
        let opens =
            (is_first_revision && stated == (None, None, None)) || stated == (Some(true), Some(0), Some(Vec::new()));
        let opens = opens && receipt.next_gate == "M4_READY" && receipt.overall_pass;
        findings.holds(key, WHAT, opens);
    }
}

/// Whether the verdict that counts is an advance. Returns `None` if no verdict was committed.
fn committed(evidence: &Evidence<'_>, phase: Phase<'_>, kind: Kind, findings: &mut Findings) -> Option<bool> {
    let Evidence { set, chain, .. } = evidence;
    let (phase_key, phase) = (phase.key, phase.document);
    let last = chain.closures.iter().find(|closed| {
        closed.closure.step == Step::PhaseVerdict && closed.header.phase_execution_id == phase.header.phase_execution_id
    });
    if let Some(ending) = set.ending.as_ref().filter(|_| kind.has_verdict()) {
        let known = chain.ledger.is_empty() || chain.ledger.iter().any(|record| record.holder == ending.execution);
        findings.holds(HISTORY, "its execution", known);
        // That it names no outcome is a finding of its own.
        let is_verdict = ending.outcome.is_none_or(|outcome| outcome == Outcome::Verdict);
        findings.holds(HISTORY, "its outcome", is_verdict);
        if let (Some(stated), Some(last)) = (ending.closure_of(Outcome::Verdict), last) {
            let same = stated.key == last.closure.key && stated.sha256 == last.closure.sha256;
            findings.holds(HISTORY, "the closure that it ended with", same);
        }
    }
    if let Some(last) = last {
        let key = last.closure.key.as_str();
        findings.expect(key, "its upstream", &last.body.upstream, &phase.body.closures);
        let listed = last.body.artifact(PhaseSummary::NAME);
        let listed = listed.map(|artifact| artifact.key.as_str());
        findings.expect(key, "the phase summary that it lists", &listed, &Some(phase_key));
    }
    let advance = phase.body.verdict == PhaseVerdict::AdvanceToM4;
    findings.expect(phase_key, "its pass", &phase.body.overall_pass, &advance);
    match &chain.committed {
        Some(record) => {
            let verdict = Some(phase.body.verdict);
            findings.expect("ledger", "the committed verdict", &record.verdict, &verdict);
            let named = record.summary.as_ref().map(|summary| summary.key.as_str());
            findings.expect("ledger", "the committed summary", &named, &Some(phase_key));
            Some(advance)
        }
        None if phase.body.commit == CommitPosture::NoLedger && chain.ledger.is_empty() && !advance => Some(false),
        None => {
            findings.incomplete("ledger", "has no COMMITTED record of this verdict: it is void");
            None
        }
    }
}

fn identity(evidence: &Evidence<'_>, run: &RunIds, findings: &mut Findings) {
    let Some((key, seed)) = evidence.artifact::<RunIdentitySeed>(Step::RunIdentity) else {
        return;
    };
    if let Some(run) = &run.platform_run_id {
        let minted =
            (0..=20).any(|attempt| PlatformRunId::mint(seed.body.pinned_at_utc, attempt).as_ref() == Some(run));
        findings.holds(&key, "the time of platform_run_id", minted);
    }
    let inputs = seed.body.seed_inputs.as_ref();
    let digest = inputs.and_then(|inputs| inputs.digest_input.digest().ok());
    let scenario = inputs.and_then(|inputs| inputs.scenario_run_id().ok());
    if run.scenario_run_id.is_some() {
        findings.expect(&key, "scenario_run_id", &run.scenario_run_id, &scenario);
    }
    if run.config_digest.is_some() {
        findings.expect(&key, "config_digest", &run.config_digest, &digest);
    }
    let stated = |inputs: &SeedInputs| Some(inputs.config_digest.clone());
    findings.expect(&key, "its config_digest", &inputs.and_then(stated), &digest);
    if let Some(inputs) = inputs.filter(|inputs| !inputs.oracle_input_manifest_entries.is_empty()) {
        let composite = composite_manifest_digest(&inputs.oracle_input_manifest_entries).ok();
        let stated = Some(inputs.oracle_input_manifest_sha256.clone());
        findings.expect(&key, "oracle_input_manifest_sha256", &stated, &composite);
    }
}

fn verdict(evidence: &Evidence<'_>, phase: Phase<'_>, findings: &mut Findings) {
    let Evidence { closed, .. } = evidence;
    let (phase_key, phase) = (phase.key, phase.document);
    let rollup = Owner::Step(Step::GateRollup);
    let publish = Blocker::publish_failed(Step::GateRollup);
    // M3.I adjudicates before it publishes, so its documents cannot record that one of them was not stored.
    let held = closed
        .values()
        .filter(|closed| closed.closure.step != rollup)
        .flat_map(|closed| &closed.body.blockers);
    let own = closed.get(&rollup).into_iter().flat_map(|closed| &closed.body.blockers);
    let unresolved = p1_contract::blocker::settle(held.chain(own.filter(|own| own.code != publish)).cloned().collect());
    let not_reached: Vec<Step> = Step::GATED
        .into_iter()
        .filter(|step| !closed.contains_key(&Owner::Step(*step)))
        .collect();
    let adjudication = adjudicate(&codes(&unresolved), not_reached.is_empty());

    if let Some((key, verdict)) = evidence.artifact::<P1Verdict>(Step::GateRollup) {
        findings.expect(&key, "its verdict", &verdict.body.verdict, &adjudication);
        findings.expect(&key, "its codes", &verdict.body.unresolved_codes, &codes(&unresolved));
        findings.expect(&key, "its steps not reached", &verdict.body.not_reached, &not_reached);
        let pass = adjudication == RollupVerdict::AdvanceToM3J;
        findings.expect(&key, "its pass", &verdict.body.overall_pass, &pass);
        let stated = &phase.body.adjudication;
        findings.expect(phase_key, "its adjudication", stated, &Some(adjudication));
    } else if phase.body.verdict == PhaseVerdict::AdvanceToM4 {
        findings.incomplete(phase_key, "it advances, and the verdict of M3.I is not there");
    }
    if let Some((key, register)) = evidence.artifact::<RollupBlockerRegister>(Step::GateRollup) {
        let registered: Vec<RegisteredBlocker> = unresolved.iter().map(RegisteredBlocker::from).collect();
        let (register, count) = (register.body, registered.len() as u64);
        findings.expect(&key, "its blockers", &register.unresolved_blockers, &registered);
        findings.expect(&key, "its count", &register.unresolved_count, &count);
    }
    let stated = &phase.body.unresolved_blockers;
    let mut others: Vec<Blocker> = stated.iter().map(|blocker| blocker.code).collect();
    let clear = others.is_empty();
    others.retain(|code| code.step() != Step::PhaseVerdict && *code != publish);
    others.sort();
    others.dedup();
    findings.expect(phase_key, "its codes", &others, &codes(&unresolved));
    let passed = |owner: Owner| closed.get(&owner).map(|closed| closed.body.overall_pass);
    let advances = adjudication == RollupVerdict::AdvanceToM3J
        && clear
        && passed(Owner::Admission) != Some(false)
        && phase.body.commit == CommitPosture::ToBeCommitted
        && Step::PhaseVerdict
            .before()
            .all(|step| passed(step.into()) == Some(true));
    let stated = phase.body.verdict == PhaseVerdict::AdvanceToM4;
    findings.expect(phase_key, "its verdict", &stated, &advances);
}
