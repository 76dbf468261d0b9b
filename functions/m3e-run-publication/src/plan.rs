//! What M3.E writes, as a pure function of what it rests on.

use p1_contract::artifacts::{OrchestratorReference, RunHeader, RunRecord};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::canonical;
use p1_contract::evidence::{Body, RunEvidenceHeader, Triplet, merge};
use p1_contract::handles::{self, FixedHandle, HandleStatus};
use p1_contract::hash::Sha256Hex;
use p1_contract::identity::DIGEST_ALGO;
use p1_contract::ids::{PlatformRunId, S3Key, Stamp};
use p1_contract::observations::Prerequisite;
use p1_contract::observations::run_publication::Facts;
use p1_contract::pattern::{self, PatternError};
use p1_contract::secrets;
use p1_contract::step::Step;

use crate::Planned;

pub(crate) const RUN_JSON: &str = RunRecord::NAME;
pub(crate) const RUN_HEADER: &str = RunHeader::NAME;

/// Both objects.
pub(crate) struct Plan {
    pub(crate) run_json: Planned,
    pub(crate) run_header: Planned,
}

/// The keys of both objects, as far as the registry gives them.
pub(crate) struct Keys {
    pub(crate) run_json: Result<S3Key, Finding>,
    pub(crate) run_header: Result<S3Key, Finding>,
}

/// Both objects, or every reason why they may not be written.
pub(crate) fn plan(facts: &Facts) -> Result<Plan, Vec<Finding>> {
    let mut findings = prerequisites(facts);
    if let Some(why) = &facts.ledger_lost {
        findings.push(Blocker::PublicationLedgerLost.on("ledger", why.as_str()));
    }
    let keys = facts.run.platform_run_id.as_ref().map(|run| keys(facts, run));
    let (Some(keys), Some(content)) = (keys, Content::of(facts)) else {
        // Nothing was closed to write: the prerequisites say why.
        return Err(findings);
    };
    match rendered_at(keys, content, facts) {
        Ok(plan) => {
            findings.extend(secret_findings(&plan));
            if findings.is_empty() { Ok(plan) } else { Err(findings) }
        }
        Err(why) => Err([findings, why].concat()),
    }
}

/// Both objects, or why they cannot be written.
fn rendered_at(keys: Keys, content: Content, facts: &Facts) -> Result<Plan, Vec<Finding>> {
    let (run_json_key, run_header_key) = match (keys.run_json, keys.run_header) {
        (Ok(run_json), Ok(run_header)) => (run_json, run_header),
        (run_json, run_header) => return Err(run_json.err().into_iter().chain(run_header.err()).collect()),
    };
    let is_written_at_named = is_written_at_named(facts).map_err(|finding| vec![finding])?;
    let run_json = rendered(&content.triplet, &content.record, run_json_key)?;
    let header = RunHeader {
        pinned_at_utc: content.pinned_at_utc,
        written_at_utc: is_written_at_named.then_some(content.pinned_at_utc),
        required_platform_run_id_env_key: content.env_key,
        config_digest_algo: DIGEST_ALGO.to_owned(),
        run_json_key: run_json.key.clone(),
        run_json_sha256: Sha256Hex::of(&run_json.bytes),
    };
    let run_header = rendered(&content.triplet, &header, run_header_key)?;
    Ok(Plan { run_json, run_header })
}

fn secret_findings(plan: &Plan) -> Vec<Finding> {
    let both = [&plan.run_json, &plan.run_header].into_iter();
    both.flat_map(|planned| planned.secrets.iter().map(|hit| (&planned.key, hit)))
        .map(|(key, hit)| {
            let detail = format!("holds secret material: rule {}", hit.rule);
            Blocker::RunEvidenceSecret.on(format!("{key} at {}", hit.place), detail)
        })
        .collect()
}

fn prerequisites(facts: &Facts) -> Vec<Finding> {
    let problem = |p: &Prerequisite| {
        p.problem
            .as_ref()
            .map(|why| Blocker::PublicationPrerequisite.on(p.step.id(), why.as_str()))
    };
    let mut findings: Vec<Finding> = facts.prerequisites.iter().filter_map(problem).collect();
    if findings.is_empty() && Content::of(facts).is_none() {
        findings.push(Blocker::PublicationPrerequisite.on("M3.D", "the closures lack what run.json is made of"));
    }
    findings
}

/// The keys that the registry names, below the run's root and not among its own records.
pub(crate) fn keys(facts: &Facts, run: &PlatformRunId) -> Keys {
    let root = facts
        .handles
        .text(handles::S3_EVIDENCE_RUN_ROOT_PATTERN)
        .map_err(|p| unresolvable(&p.key, &p.problem))
        .and_then(|pattern| {
            pattern::check_run_root(pattern, run)
                .map_err(|e| unresolvable(handles::S3_EVIDENCE_RUN_ROOT_PATTERN.as_str(), &e.to_string()))
        });
    let resolve = |handle: FixedHandle| -> Result<S3Key, Finding> {
        root.clone()?;
        let pattern = facts
            .handles
            .text(handle)
            .map_err(|p| unresolvable(&p.key, &p.problem))?;
        let wrong = |e: PatternError| unresolvable(handle.as_str(), &e.to_string());
        let key = pattern::resolve_run_scoped(pattern, run).map_err(wrong)?;
        if key.as_str().starts_with(&run.ledger_prefix()) {
            return Err(unresolvable(
                handle.as_str(),
                "the pattern resolves into the run's ledger",
            ));
        }
        Ok(key)
    };
    let run_json = resolve(handles::EVIDENCE_RUN_JSON_KEY);
    let run_header = match (resolve(handles::RUN_PIN_PATH_PATTERN), &run_json) {
        (Ok(header), Ok(json)) if &header == json => Err(unresolvable(
            handles::RUN_PIN_PATH_PATTERN.as_str(),
            "the pattern resolves to the key of run.json",
        )),
        (header, _) => header,
    };
    Keys { run_json, run_header }
}

/// Whether the registry names the header's field for the time that it was written at. The names of evidence never change, so
/// another name is refused, as M3.A refuses one for an id.
fn is_written_at_named(facts: &Facts) -> Result<bool, Finding> {
    const FIELD: &str = "written_at_utc";
    if facts.handles.status(handles::FIELD_WRITTEN_AT_UTC) == HandleStatus::Missing {
        return Ok(false);
    }
    match facts.handles.text(handles::FIELD_WRITTEN_AT_UTC) {
        Ok(FIELD) => Ok(true),
        Ok(name) => {
            let why = format!(
                "is `{}`, but evidence has the field under `{FIELD}`",
                name.escape_debug()
            );
            Err(unresolvable(handles::FIELD_WRITTEN_AT_UTC.as_str(), &why))
        }
        Err(problem) => Err(unresolvable(&problem.key, &problem.problem)),
    }
}

fn unresolvable(handle: &str, why: &str) -> Finding {
    Blocker::RunKeyUnresolvable.on(handle, why)
}

/// What both documents are made of.
struct Content {
    triplet: Triplet,
    record: RunRecord,
    pinned_at_utc: Stamp,
    env_key: String,
}

impl Content {
    /// `None` where the chain has not closed it.
    fn of(facts: &Facts) -> Option<Self> {
        let triplet = facts.run.triplet()?;
        let orchestrator = facts.orchestrator.as_ref()?;
        let pinned_at_utc = facts.pinned_at_utc?;
        let source_closures = facts.prerequisites.iter().filter_map(|p| p.closure.clone());
        let record = RunRecord {
            pinned_at_utc,
            orchestrator: OrchestratorReference {
                state_machine_name: orchestrator.name.clone(),
                state_machine_arn: orchestrator.arn.clone(),
                role_arn: orchestrator.role_arn.clone(),
                sr_ready_commit_authority: orchestrator.authority.clone(),
            },
            ledger_prefix: triplet.platform_run_id.ledger_prefix(),
            source_closures: source_closures.collect(),
        };
        Some(Content {
            triplet,
            record,
            pinned_at_utc,
            env_key: orchestrator.env_key.clone(),
        })
    }
}

fn rendered<B: Body>(run: &Triplet, body: &B, key: S3Key) -> Result<Planned, Vec<Finding>> {
    let failed =
        |why: String| vec![Blocker::RunPublicationIncomplete.on(key.as_str(), format!("cannot be rendered: {why}"))];
    let header = RunEvidenceHeader::new(B::NAME, Step::RunPublication, run.clone());
    let value = merge(&header, body).map_err(|error| failed(error.to_string()))?;
    let bytes = canonical::to_document(&value).map_err(|error| failed(error.to_string()))?;
    Ok(Planned {
        secrets: secrets::scan_value(&value),
        bytes,
        key,
    })
}
