//! The verdict of M3.E over its observations.

use p1_contract::artifacts::{IntegrityReadbackReceipts, ReadbackReceipt, RunHeaderWriteReceipt, RunJsonWriteReceipt};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::S3Key;
use p1_contract::observations::Written;
use p1_contract::observations::run_publication::Observed;
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_runtime::{Author, Evaluation, Fault};

use crate::Planned;
use crate::plan::{self, Plan};

pub(crate) fn evaluate(input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
    let facts = &observed.facts;
    let planned = plan::plan(facts);
    let mut findings = Vec::new();
    match (&planned, &observed.writes) {
        (Ok(plan), Some(writes)) => {
            findings.extend(write_finding(&plan.run_json.key, &writes.run_json));
            findings.extend(write_finding(&plan.run_header.key, &writes.run_header));
            findings.extend(disagreement(plan));
        }
        (Err(why), None) => findings.extend(why.iter().cloned()),
        _ => {
            return Err(Fault::internal(
                "evaluate M3.E",
                "the observations contradict the plan of the writes",
            ));
        }
    }
    let pass = findings.is_empty();
    let author = Author::new(input, Step::RunPublication, facts.run.clone());
    let keys = facts.run.platform_run_id.as_ref().map(|run| plan::keys(facts, run));
    let (json_key, header_key) = keys.map_or((None, None), |keys| (keys.run_json.ok(), keys.run_header.ok()));
    let plan = planned.as_ref().ok();
    let writes = observed.writes.as_ref();
    let json = State::of(plan.map(|plan| &plan.run_json), writes.map(|writes| &writes.run_json));
    let header = State::of(
        plan.map(|plan| &plan.run_header),
        writes.map(|writes| &writes.run_header),
    );
    let readbacks = [(&json_key, &json), (&header_key, &header)]
        .into_iter()
        .filter_map(readback)
        .collect();
    let wave = vec![
        author.artifact(RunJsonWriteReceipt {
            resolved_run_json_key: json_key.clone(),
            local_sha256: json.local_sha256.clone(),
            s3_etag: json.etag.clone(),
            s3_version_id: json.version_id.clone(),
            readback_sha256: json.readback_sha256.clone(),
            write_once_guard_pass: json.guard_pass,
            overall_pass: pass,
        })?,
        author.artifact(RunHeaderWriteReceipt {
            resolved_run_header_key: header_key.clone(),
            local_sha256: header.local_sha256.clone(),
            s3_etag: header.etag.clone(),
            s3_version_id: header.version_id.clone(),
            readback_sha256: header.readback_sha256.clone(),
            write_once_guard_pass: header.guard_pass,
            overall_pass: pass,
        })?,
        author.artifact(IntegrityReadbackReceipts {
            write_once_guard: "PutObject with If-None-Match: * and x-amz-checksum-sha256, read back by version id"
                .to_owned(),
            readbacks,
        })?,
    ];
    Ok(Evaluation {
        findings,
        waves: vec![wave],
        run: facts.run.clone(),
        ..Evaluation::default()
    })
}

fn write_finding(key: &S3Key, written: &Written) -> Option<Finding> {
    let code = match written {
        Written::Stored(_) => return None,
        Written::Occupied { .. } => Blocker::RunEvidenceAlreadyExists,
        Written::Altered { .. } => Blocker::RunEvidenceReadback,
        Written::Vanished => Blocker::RunPublicationIncomplete,
        Written::Refused(_) | Written::Inconclusive(_) => Blocker::RunEvidenceWriteFailed,
    };
    Some(code.on(key.as_str(), written.describe()))
}

/// Both objects must carry the same triplet: the last line of defence against a defect of our own.
pub(crate) fn disagreement(plan: &Plan) -> Option<Finding> {
    let ids = |planned: &Planned| {
        let value: serde_json::Value = serde_json::from_slice(&planned.bytes).ok()?;
        let id = |field: &str| value.get(field).and_then(|id| id.as_str()).map(str::to_owned);
        Some((id("platform_run_id")?, id("scenario_run_id")?, id("config_digest")?))
    };
    let (json, header) = (ids(&plan.run_json), ids(&plan.run_header));
    if json.is_some() && json == header {
        return None;
    }
    Some(Blocker::RunEvidenceDisagrees.on("run.json and run header", "they do not carry the same triplet"))
}

/// How one object stands in S3.
struct State {
    local_sha256: Option<Sha256Hex>,
    etag: Option<String>,
    version_id: Option<String>,
    readback_sha256: Option<Sha256Hex>,
    guard_pass: bool,
}

impl State {
    fn of(planned: Option<&Planned>, written: Option<&Written>) -> Self {
        let stored = written.and_then(Written::stored);
        State {
            local_sha256: planned.map(|planned| Sha256Hex::of(&planned.bytes)),
            etag: stored.map(|artifact| artifact.etag.clone()),
            version_id: stored.and_then(|artifact| artifact.version_id.clone()),
            readback_sha256: match written {
                Some(Written::Stored(artifact)) => Some(artifact.sha256.clone()),
                Some(Written::Altered { found } | Written::Occupied { found }) => Some(found.clone()),
                _ => None,
            },
            guard_pass: stored.is_some(),
        }
    }
}

fn readback((key, state): (&Option<S3Key>, &State)) -> Option<ReadbackReceipt> {
    let (expected, found) = (state.local_sha256.clone()?, state.readback_sha256.clone()?);
    Some(ReadbackReceipt {
        key: key.clone()?,
        version_id: state.version_id.clone(),
        matches: expected == found,
        expected_sha256: expected,
        readback_sha256: found,
    })
}
