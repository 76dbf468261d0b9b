//! The checks of an admission: pure, and all of them reported.

use std::collections::BTreeMap;

use p1_contract::blocker::{Blocker, Finding, Severity};
use p1_contract::evidence::RunIds;
use p1_contract::handles::{self, HandleProblem};
use p1_contract::identity::{DIGEST_PROFILE, SeedInputs, field_list};
use p1_contract::input::{Rerun, ResetReceipt};
use p1_contract::observations::admission::{AdmissionFacts, History, LastSummary, Lock};
use p1_contract::observations::{Learned, TodaysRegistry};
use p1_contract::owner::Owner;
use p1_contract::reference::ClosureRef;
use p1_contract::request::Closures;
use p1_contract::secrets;
use p1_contract::step::Step;
use p1_contract::verdict::RollupVerdict;

use crate::fact::config_digest;
use crate::policy;

/// Every check with what it found.
pub(super) fn all(rerun: &Rerun, facts: &AdmissionFacts) -> Vec<(&'static str, Vec<Finding>)> {
    vec![
        ("M3G-A1-HELD-SUMMARY", held(rerun, facts)),
        ("M3G-A2-LAST-SUMMARY", last(rerun, facts)),
        ("M3G-A3-CHAIN-INTACT", chain(facts)),
        ("M3G-A4-RESUME-POINT", resume_point(rerun, facts)),
        ("M3G-A5-NOT-A-NO-GO", no_go(facts)),
        ("M3G-A6-NO-DRIFT", drift(facts)),
        ("M3G-A7-RESET-RECEIPT", receipt(&rerun.reset)),
        ("M3G-A8-RUN-FREE", run_free(facts)),
        ("M3G-A10-WRITTEN-ONCE", written_once(facts)),
        ("M3G-A11-REGISTRY-WOULD-START", would_start(facts)),
    ]
}

fn inconsistent(subject: impl Into<String>, detail: impl Into<String>) -> Finding {
    Blocker::RerunPolicyInconsistent.on(subject, detail)
}

fn drifted(subject: impl Into<String>, detail: impl Into<String>) -> Finding {
    Blocker::IdentityDrift.on(subject, detail)
}

/// The held summary is there, has that hash, and is one of M3.A … M3.H.
fn held(rerun: &Rerun, facts: &AdmissionFacts) -> Vec<Finding> {
    let problem = facts.held.as_result().err();
    problem
        .map(|why| inconsistent(rerun.held.key.as_str(), format!("the held summary {why}")))
        .into_iter()
        .collect()
}

/// It is the last one that an ended execution of the run published.
fn last(rerun: &Rerun, facts: &AdmissionFacts) -> Vec<Finding> {
    // A chain without a run never had a ledger, and begins anew; an illegal ledger is the lock's finding.
    let History::Read(history) = &facts.history else {
        return Vec::new();
    };
    let held = &rerun.held;
    let detail = match &history.last {
        LastSummary::Found(last)
            if last.key == held.key
                && last.version_id.as_ref() == Some(&held.version_id)
                && last.sha256 == held.sha256 =>
        {
            return Vec::new();
        }
        LastSummary::Found(last) if last.key == held.key => {
            format!(
                "the summary at this key has version {} and sha256 {}",
                last.version_id.as_deref().unwrap_or("none"),
                last.sha256
            )
        }
        LastSummary::Found(last) => format!("the last summary of the run is {}; resume from that one", last.key),
        LastSummary::None => "no ended execution that held the run published it".to_owned(),
        LastSummary::Unknown(why) => format!("INCONCLUSIVE, the last summary of the run could not be learned: {why}"),
    };
    vec![inconsistent(held.key.as_str(), detail)]
}

/// Everything that the held step rests on is complete, a pass, of one run, and still has its bytes.
fn chain(facts: &AdmissionFacts) -> Vec<Finding> {
    let Some(held) = facts.held.found() else {
        return Vec::new();
    };
    let mut findings: Vec<Finding> = facts
        .chain
        .iter()
        .flat_map(|audit| &audit.problems)
        .chain(&facts.not_committed)
        .map(|problem| inconsistent(&problem.subject, &problem.detail))
        .collect();
    for step in held.step.before() {
        let closures: Vec<_> = held.upstream.iter().filter(|closure| closure.step == step).collect();
        match closures.as_slice() {
            [closure] if closure.overall_pass && closure.bucket == held.closure.bucket => {}
            [_] => {
                let detail = "its closure in the held chain is not a pass in the evidence bucket";
                findings.push(inconsistent(step.id(), detail));
            }
            other => {
                let detail = format!("the held chain has {} closures of it, not one", other.len());
                findings.push(inconsistent(step.id(), detail));
            }
        }
    }
    let known =
        |closure: &&ClosureRef| closure.step == Owner::Admission || held.step.before().any(|step| closure.step == step);
    let foreign = held.upstream.iter().filter(|closure| !known(closure));
    findings.extend(foreign.map(|closure| inconsistent(closure.step.id(), "does not belong before the held step")));
    findings.extend(other_run(facts));
    findings
}

/// No key of the chain was overwritten or deleted: what a version says is what the key says.
fn written_once(facts: &AdmissionFacts) -> Vec<Finding> {
    let rewritten = facts.rewritten.iter();
    rewritten
        .map(|problem| Blocker::DestructiveMutation.on(&problem.subject, &problem.detail))
        .collect()
}

/// The ids that summaries of the chain carry are of one run.
fn other_run(facts: &AdmissionFacts) -> Vec<Finding> {
    let run = run_ids(facts);
    let differs = |ids: &RunIds| {
        is_other(&ids.platform_run_id, &run.platform_run_id)
            || is_other(&ids.scenario_run_id, &run.scenario_run_id)
            || is_other(&ids.config_digest, &run.config_digest)
    };
    let others = facts
        .chain
        .iter()
        .filter(|audit| audit.summary.as_ref().is_some_and(|summary| differs(&summary.run)));
    others
        .map(|audit| inconsistent(audit.closure.key.as_str(), "carries the ids of another run"))
        .collect()
}

fn is_other<T: PartialEq>(here: &Option<T>, there: &Option<T>) -> bool {
    here.is_some() && here != there
}

/// The ids of the run, as the chain's summaries carry them.
pub(super) fn run_ids(facts: &AdmissionFacts) -> RunIds {
    // Each from the first that carries it.
    let summaries = facts.chain.iter().rev().filter_map(|audit| audit.summary.as_ref());
    RunIds::known(summaries.map(|summary| &summary.run))
}

/// The step to go on with: the held one if it blocked, else the one after it.
pub(super) fn resume_at(facts: &AdmissionFacts) -> Result<Step, String> {
    let held = facts.held.as_result().map_err(str::to_owned)?;
    let step = if held.closure.overall_pass {
        held.step.next()
    } else {
        Some(held.step)
    };
    step.filter(|step| (Step::ConfigDigest..=Step::GateRollup).contains(step))
        .ok_or_else(|| "a run that did not get past M3.B is started anew, not resumed".to_owned())
}

fn resume_point(rerun: &Rerun, facts: &AdmissionFacts) -> Vec<Finding> {
    let Some(held) = facts.held.found() else {
        return Vec::new();
    };
    match resume_at(facts) {
        Err(why) => vec![inconsistent(held.step.id(), why)],
        Ok(Step::GateRollup) if rerun.only => {
            let detail = "runs one of M3.C … M3.H alone, and this run goes on with M3.I; leave it out";
            vec![inconsistent("only", detail)]
        }
        Ok(_) => Vec::new(),
    }
}

/// The closures of the steps that stay closed. An admission that the held step rested on is replaced by this one.
pub(super) fn closed_steps(facts: &AdmissionFacts) -> Closures {
    let Some(held) = facts.held.found() else {
        return Closures::new();
    };
    let passed = held.closure.overall_pass.then_some(&held.closure);
    let before = held.upstream.iter().filter(|closure| closure.step != Owner::Admission);
    before
        .chain(passed)
        .map(|closure| (closure.step, closure.clone()))
        .collect()
}

/// Nothing says that only a new start is offered.
fn no_go(facts: &AdmissionFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let held = facts.held.found().and_then(|held| {
        let audit = facts.chain.iter().find(|audit| audit.closure == held.closure)?;
        Some((held, audit.summary.as_ref()?))
    });
    if let Some((held, summary)) = held {
        let codes = summary.blockers.iter().map(|finding| finding.code);
        let no_go = codes.filter(|code| code.severity() == Severity::S1);
        findings.extend(
            no_go.map(|code| inconsistent(held.step.id(), format!("{code} is a no-go: start a new execution"))),
        );
    }
    let History::Read(history) = &facts.history else {
        return findings;
    };
    match &history.committed {
        Some(Learned::Problem(why)) => {
            findings.push(inconsistent("m3_execution_summary", format!("the committed one {why}")));
        }
        Some(Learned::Found(committed))
            if committed.adjudication == Some(RollupVerdict::NoGoResetRequired) || !committed.no_go.is_empty() =>
        {
            let detail = "the last committed verdict is NO_GO_RESET_REQUIRED: start a new execution";
            findings.push(inconsistent("m3_execution_summary", detail));
        }
        Some(Learned::Found(_)) | None => {}
    }
    findings
}

/// Today's registry still gives the run, and every closed step would read in it what it read.
fn drift(facts: &AdmissionFacts) -> Vec<Finding> {
    if facts.held.found().is_none() || resume_at(facts).is_err() {
        return Vec::new();
    }
    // What a broken chain keeps from being confirmed is the chain's finding.
    let intact = chain(facts).is_empty();
    let today = match facts.registry.as_result() {
        Ok(today) => today,
        Err(why) => return vec![drifted("registry", format!("the triplet cannot be confirmed: {why}"))],
    };
    let findings = handle_drift(facts, today, intact);
    // Another triplet is what other handles lead to: one finding a cause.
    if findings.is_empty() {
        triplet_drift(facts, today, intact)
    } else {
        findings
    }
}

/// A start would not refuse today's registry. What drifted is not named twice.
fn would_start(facts: &AdmissionFacts) -> Vec<Finding> {
    let drifted = drift(facts);
    let objections = facts.registry.found().map_or(&[][..], |registry| &registry.objections);
    let is_new = |finding: &&Finding| drifted.iter().all(|drifted| drifted.subject != finding.subject);
    objections.iter().filter(is_new).cloned().collect()
}

fn handle_drift(facts: &AdmissionFacts, today: &TodaysRegistry, intact: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut readers: BTreeMap<&str, Vec<Step>> = BTreeMap::new();
    for reading in &facts.readings {
        match reading.handles.as_result() {
            Err(_) if !intact => {}
            Err(why) => findings.push(drifted(
                reading.step.id(),
                format!("what it read cannot be confirmed: {why}"),
            )),
            Ok(handles) => {
                for key in handles.different(&today.handles) {
                    readers.entry(key).or_default().push(reading.step);
                }
            }
        }
    }
    findings.extend(readers.into_iter().map(|(key, steps)| {
        let steps: Vec<&str> = steps.into_iter().map(Step::id).collect();
        drifted(
            key,
            format!(
                "has another value today than {} read; restore it, or start a new execution",
                steps.join(", ")
            ),
        )
    }));
    findings
}

fn triplet_drift(facts: &AdmissionFacts, today: &TodaysRegistry, intact: bool) -> Vec<Finding> {
    let unconfirmed = |why: &str| vec![drifted("m3b_run_identity_seed", why)];
    let seed = match facts.seed.as_result().map(|seed| &seed.seed_inputs) {
        Ok(Some(seed)) => seed,
        _ if !intact => return Vec::new(),
        Ok(None) => return unconfirmed("holds no seed inputs, so the triplet cannot be confirmed"),
        Err(why) => return unconfirmed(&format!("the triplet cannot be confirmed: {why}")),
    };
    let again = match derive_again(seed, today) {
        Ok(again) => again,
        Err(HandleProblem { key, problem }) => {
            return vec![drifted(
                key,
                format!("the triplet cannot be confirmed: today it {problem}"),
            )];
        }
    };
    let run = run_ids(facts);
    let mut findings = Vec::new();
    let digest = run.config_digest.as_ref().unwrap_or(&seed.config_digest);
    if again.config_digest != seed.config_digest || &again.config_digest != digest {
        findings.push(drifted(
            "config_digest",
            format!("today's registry gives {}, the run has {digest}", again.config_digest),
        ));
    }
    match (again.scenario_run_id(), &run.scenario_run_id) {
        (Ok(today), Some(pinned)) if &today == pinned => {}
        (Ok(today), Some(pinned)) if findings.is_empty() => {
            findings.push(drifted(
                "scenario_run_id",
                format!("today's registry gives {today}, the run has {pinned}"),
            ));
        }
        (Ok(_), Some(_)) => {}
        (Ok(_), None) => findings.push(drifted("scenario_run_id", "the held chain carries none")),
        (Err(_), _) => findings.push(drifted(
            "scenario_run_id",
            "today's registry gives no derivation contract that P1 knows",
        )),
    }
    findings
}

/// The seed with everything that the registry says as it says it today.
fn derive_again(seed: &SeedInputs, today: &TodaysRegistry) -> Result<SeedInputs, HandleProblem> {
    let text = |key| today.handles.text(key).map(str::to_owned);
    let (digest_input, config_digest) = config_digest(today)?;
    Ok(SeedInputs {
        digest_profile: DIGEST_PROFILE.to_owned(),
        digest_input,
        config_digest,
        scenario_fields: field_list(&text(handles::SCENARIO_EQUIVALENCE_KEY_CANONICAL_FIELDS)?),
        scenario_derivation_mode: text(handles::SCENARIO_RUN_ID_DERIVATION_MODE)?,
        canonicalization_mode: text(handles::SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE)?,
        // The manifests are the oracle's, and no handle says them. Each is named, so that a new field of a seed is decided on here.
        oracle_input_manifest_uri: seed.oracle_input_manifest_uri.clone(),
        oracle_input_manifest_sha256: seed.oracle_input_manifest_sha256.clone(),
        oracle_input_manifest_entries: seed.oracle_input_manifest_entries.clone(),
    })
}

/// The reset receipt keeps the rules, and holds nothing that could not be published.
fn receipt(reset: &ResetReceipt) -> Vec<Finding> {
    let mut findings = policy::reset_findings(reset);
    let value = serde_json::json!({ "reset": reset });
    findings.extend(secrets::scan_value(&value).iter().map(|hit| {
        let detail = format!("holds secret material: rule {}", hit.rule);
        Blocker::secret(Step::RerunDiscipline).on(format!("m3g_admission_receipt at {}", hit.place), detail)
    }));
    findings
}

/// Nobody works on the run, and no advance of it is committed.
fn run_free(facts: &AdmissionFacts) -> Vec<Finding> {
    let why = match &facts.history {
        History::NoRun => return Vec::new(),
        History::Illegal(why) => why.clone(),
        History::Read(history) => match &history.lock {
            Lock::Free | Lock::Ours => return Vec::new(),
            Lock::Held(holder) => format!("is held by {holder}, which has not ended"),
            Lock::Closed => "an advance is committed: nothing follows it".to_owned(),
        },
    };
    vec![Blocker::RunLockNotOurs.on("ledger", why)]
}
