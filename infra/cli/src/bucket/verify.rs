//! Reads evidence from the bucket, so that it can be checked like a mirror. This module writes nothing.
//!
//! A bucket shows whether a key was ever overwritten or deleted, which a mirror cannot show. It does not hold the engine's
//! history, so the verdict that counts is the one in the ledger.

use std::collections::{BTreeMap, BTreeSet};

use p1_audit::EvidenceSet;
use p1_audit::evidence_set::{Ending, File, Outcome};
use p1_audit::findings::Findings;
use p1_audit::scenario_index;
use p1_contract::artifacts::PhaseSummary;
use p1_contract::canonical;
use p1_contract::evidence::{Document, ExecutionSummary, split};
use p1_contract::ids::{BucketName, Environment, ExecutionArn, PhaseExecutionId, PlatformRunId, S3Key};
use p1_contract::ledger::{LedgerKind, LedgerRecord};
use p1_contract::reference::ClosureRef;
use p1_contract::strict::{Limits, parse_strict};
use serde_json::Value;

use crate::bucket::census::{Census, ghosts, history};
use crate::bucket::chain::Chain;
use crate::bucket::evidence::{Evidence, Fetched, Listed as Wanted, ReadError, Version, fetch};
use crate::bucket::rerun::{self, Rerun};
use crate::exit::CliError;

const RUNS: &str = "evidence/runs/";
const FORMS: &str = "give s3://BUCKET/evidence/runs/<platform_run_id>/, or the folder or the summary of one of its steps below \
                     s3://BUCKET/evidence/<environment>/run_control/";

/// Why a place in S3 cannot be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// No run's evidence begins at this place.
    #[error("{place} {problem}; {FORMS}")]
    NoEvidence {
        /// The place, as it was given.
        place: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// S3 did not answer, or refused.
    #[error(transparent)]
    Unread(#[from] ReadError),
    /// The AWS settings of this machine cannot be used.
    #[error(transparent)]
    Settings(CliError),
    /// A defect of this tool.
    #[error(transparent)]
    Failed(#[from] CliError),
}

impl BucketError {
    /// Whether the user named a place where there is nothing to check.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NoEvidence { .. } | Self::Settings(_) => true,
            Self::Unread(unread) => unread.is_no_bucket(),
            Self::Failed(_) => false,
        }
    }
}

/// A place in S3 at which a check can begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The root of a run.
    Run(PlatformRunId),
    /// The folder of a step.
    Step(Environment, PhaseExecutionId),
}

impl Place {
    /// Reads `s3://BUCKET/KEY-OR-PREFIX`.
    ///
    /// # Errors
    /// Fails if `place` has another form.
    pub fn parse(place: &str) -> Result<(BucketName, Self), BucketError> {
        let refused = |problem| BucketError::NoEvidence {
            place: place.to_owned(),
            problem,
        };
        let (bucket, key) = place
            .strip_prefix("s3://")
            .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
            .ok_or_else(|| refused("is no S3 URI"))?;
        let bucket = BucketName::parse(bucket).map_err(|_| refused("names no bucket"))?;
        let first = |rest: &str| rest.split('/').next().unwrap_or_default().to_owned();
        if let Some(run) = key
            .strip_prefix(RUNS)
            .and_then(|rest| PlatformRunId::parse(&first(rest)).ok())
        {
            return Ok((bucket, Place::Run(run)));
        }
        let step = Environment::of_key(key)
            .and_then(|(environment, rest)| Some((environment, PhaseExecutionId::parse(&first(rest)).ok()?)));
        match step.filter(|(_, id)| id.as_str().starts_with("m3")) {
            Some((environment, id)) => Ok((bucket, Place::Step(environment, id))),
            None => Err(refused("is not a place where a run's evidence begins")),
        }
    }
}

/// The closures at which the evidence begins: those of the ledger, and M3.J's.
struct Roots {
    run: Option<PlatformRunId>,
    closures: Vec<ClosureRef>,
    ending: Option<Ending>,
    folders: Vec<String>,
}

/// Reads the evidence of the run at `place`. What the bucket says about its keys becomes findings of the set.
///
/// # Errors
/// Fails if there is no evidence of a run, or if S3 does not answer where the evidence begins. An object that cannot be read
/// later becomes a finding.
pub async fn read(evidence: &Evidence, place: &Place) -> Result<EvidenceSet, BucketError> {
    let mut findings = Findings::default();
    let roots = roots(evidence, place, &mut findings).await?;
    let chain = Chain::read(evidence, roots.closures).await;
    let mut unread: BTreeSet<String> = BTreeSet::new();
    for (key, error) in &chain.unread {
        not_read(&mut findings, key.as_str(), error);
        unread.insert(key.to_string());
    }
    let census = Census::take(evidence, &chain, roots.run.as_ref(), &roots.folders).await;
    for (prefix, error) in &census.unlisted {
        findings.incomplete(prefix, format!("whether a key was overwritten is not known: {error}"));
    }
    for history in census.histories() {
        for problem in history.problems() {
            findings.tampered(&history.key, problem);
        }
    }
    let wanted = wanted(&chain, &census.versions, &mut findings);
    let (mut files, mut listed) = (BTreeMap::new(), BTreeMap::new());
    for (object, reading) in fetch(evidence, wanted).await {
        let key = object.key.to_string();
        match reading {
            Ok(Some(fetched)) => {
                let entry = fetched.listed(&object.key);
                let (bytes, sha256) = (fetched.bytes, entry.sha256.clone());
                files.insert(key.clone(), File { bytes, sha256 });
                listed.insert(key, entry);
            }
            // The document that names the object gets a finding.
            Ok(None) => {}
            Err(error) => {
                not_read(&mut findings, &key, &error);
                unread.insert(key);
            }
        }
    }
    let prefix = roots.run.as_ref().map(PlatformRunId::ledger_prefix);
    let of_ledger = |key: &&String| prefix.as_ref().is_some_and(|prefix| key.starts_with(prefix));
    let records = files.iter().filter(|(key, _)| of_ledger(key));
    let records = records.filter_map(|(_, file)| LedgerRecord::parse(&file.bytes).ok());
    let records: Vec<LedgerRecord> = records.collect();
    match ghosts(evidence, &chain, records).await {
        Ok(ghosts) => findings.ghosts(&ghosts),
        Err(error) => findings.incomplete("ledger", error.to_string()),
    }
    let mut set = EvidenceSet {
        files,
        listed,
        unread,
        foreign: census.foreign,
        ending: roots.ending,
        findings,
        ..EvidenceSet::default()
    };
    index(evidence, &mut set).await;
    Ok(set)
}

/// Holds the run's entry of the scenario index against the evidence. A run that an earlier release pinned has none.
async fn index(evidence: &Evidence, set: &mut EvidenceSet) {
    let Some(expected) = scenario_index::expected(set) else {
        return;
    };
    let key = expected.key(&set.environment());
    let mut versions = match evidence.versions(&key).await {
        Ok(versions) => versions,
        Err(error) => return not_read(&mut set.findings, &key, &error),
    };
    versions.retain(|version| version.key == key);
    // Who may not read the index is refused a key that is not there, too.
    if versions.is_empty() {
        return;
    }
    let found = match evidence.get(&key, None).await {
        Ok(found) => found,
        Err(error) => return not_read(&mut set.findings, &key, &error),
    };
    for problem in history(&key, &versions).problems() {
        set.findings.tampered(&key, problem);
    }
    let is_expected = |found: &Fetched| canonical::document_of(&expected).is_ok_and(|bytes| bytes == found.bytes);
    if found.is_some_and(|found| !is_expected(&found)) {
        set.findings
            .tampered(&key, "is not the entry of the scenario index that the evidence gives");
    }
}

/// An object whose content is not known. One that P1 cannot have written was written by somebody else.
fn not_read(findings: &mut Findings, key: &str, error: &ReadError) {
    if error.is_too_large() {
        findings.tampered(key, error.to_string());
    } else {
        findings.incomplete(key, error.to_string());
    }
}

/// One version of every key: the version that a summary names, or else the latest one.
fn wanted(chain: &Chain, versions: &BTreeMap<String, Vec<Version>>, findings: &mut Findings) -> BTreeSet<Wanted> {
    let mut wanted: BTreeMap<S3Key, Wanted> = BTreeMap::new();
    for listed in &chain.listed {
        let of_key = versions.get(listed.key.as_str()).map_or(&[][..], Vec::as_slice);
        let is_there = |id: &Option<String>| of_key.iter().any(|v| !v.is_delete_marker && v.version_id == *id);
        let known = wanted.get(&listed.key).is_some_and(|known| is_there(&known.version_id));
        if !known {
            wanted.insert(listed.key.clone(), listed.clone());
        }
    }
    for (key, versions) in versions {
        let Ok(parsed) = S3Key::parse(key) else {
            findings.tampered(key, "is a foreign object: no closure could name such a key");
            continue;
        };
        let mut there = versions.iter().filter(|version| !version.is_delete_marker);
        let named = wanted.get(&parsed).map(|listed| listed.version_id.clone());
        let named = named.filter(|id| id.is_some() && there.clone().any(|version| version.version_id == *id));
        if let (None, Some(latest)) = (named, there.next()) {
            let listed = Wanted {
                key: parsed.clone(),
                version_id: latest.version_id.clone(),
                sha256: None,
            };
            wanted.insert(parsed, listed);
        }
    }
    wanted.into_values().collect()
}

async fn roots(evidence: &Evidence, place: &Place, findings: &mut Findings) -> Result<Roots, BucketError> {
    let nothing = |what: String, problem| BucketError::NoEvidence {
        place: format!("s3://{}/{what}", evidence.bucket),
        problem,
    };
    let (environment, id) = match place {
        Place::Run(run) => {
            // Even if delete markers hide every object, the run exists.
            if evidence.is_empty(&run.run_root()).await? && evidence.versions(&run.ledger_prefix()).await?.is_empty() {
                return Err(nothing(run.run_root(), "is empty: there is no such run"));
            }
            return of_run(evidence, run, None, findings).await;
        }
        Place::Step(environment, id) => (environment, id),
    };
    let folder = environment.phase_folder(id);
    let keys = evidence.keys(&folder).await?;
    if keys.is_empty() {
        return Err(nothing(folder, "is empty: there is no such phase execution"));
    }
    let Some(key) = keys.iter().find(|key| is_summary(key)) else {
        return Err(nothing(folder, "holds no closing summary: the step did not close"));
    };
    let fetched = evidence.get_own(key, None).await?;
    let value = fetched.and_then(|fetched| parse_strict(&fetched.bytes, Limits::DOCUMENT).ok());
    let summary = value.and_then(|value| split::<ExecutionSummary>(value, "summary").ok());
    let run = summary
        .as_ref()
        .and_then(|summary| summary.header.platform_run_id.clone());
    if let Some(rerun) = rerun::of_summary(evidence, environment, run.as_ref(), key, findings).await? {
        return of_rerun(evidence, run, folder, rerun).await;
    }
    let last = id
        .as_str()
        .starts_with("m3j")
        .then(|| format!("{folder}m3j_execution_summary.json"));
    match (run, last) {
        (Some(run), last) => of_run(evidence, &run, last.as_deref(), findings).await,
        // A run that was held before it had an id is found only through M3.J's folder.
        (None, Some(last)) => {
            let key = S3Key::parse(&last).map_err(|error| CliError::fault(error.to_string()))?;
            Ok(Roots {
                run: None,
                closures: evidence.last(&key).await?.into_iter().collect(),
                ending: None,
                folders: vec![folder],
            })
        }
        (None, None) => Err(nothing(
            folder,
            "is of a step before the run had an id; its M3.J folder leads on",
        )),
    }
}

fn is_summary(key: &str) -> bool {
    key.ends_with("_execution_summary.json") && !key.ends_with("/m3_execution_summary.json")
        || key.ends_with("/m3g_admission_summary.json")
}

/// The roots from the ledger. `last` is M3.J's summary of the requested verdict; if it is `None`, the latest committed verdict is
/// meant.
async fn of_run(
    evidence: &Evidence,
    run: &PlatformRunId,
    last: Option<&str>,
    findings: &mut Findings,
) -> Result<Roots, BucketError> {
    let mut roots = Roots {
        run: Some(run.clone()),
        closures: evidence.committed(run).await?,
        ending: None,
        folders: Vec::new(),
    };
    let Some(last) = last else { return Ok(roots) };
    let key = S3Key::parse(last).map_err(|error| CliError::fault(error.to_string()))?;
    let folder = last.rsplit_once('/').map_or("", |(folder, _)| folder);
    roots.folders.push(format!("{folder}/"));
    let closure = evidence.last(&key).await?;
    match holder(evidence, run, folder).await? {
        Some(execution) => {
            roots.ending = Some(Ending {
                execution,
                outcome: closure.as_ref().map(|_| Outcome::Verdict),
                closure: closure.clone(),
                said: Value::Null,
            });
        }
        None if has_ledger(evidence, folder).await? => {
            findings.incomplete(last, "no record of the run's ledger commits it: it is void");
        }
        None => {}
    }
    roots
        .closures
        .extend(closure.filter(|closure| !roots.closures.contains(closure)));
    Ok(roots)
}

/// The roots of a rerun that reaches no verdict: what it ended with, and the ledger of its run.
async fn of_rerun(
    evidence: &Evidence,
    run: Option<PlatformRunId>,
    folder: String,
    rerun: Rerun,
) -> Result<Roots, BucketError> {
    let mut closures = match &run {
        Some(run) => evidence.committed(run).await?,
        None => Vec::new(),
    };
    closures.push(rerun.closure);
    Ok(Roots {
        run,
        closures,
        ending: rerun.ending,
        folders: vec![folder],
    })
}

/// The execution that committed the phase summary in this folder.
async fn holder(evidence: &Evidence, run: &PlatformRunId, folder: &str) -> Result<Option<ExecutionArn>, ReadError> {
    for key in evidence.keys(&run.ledger_prefix()).await? {
        let Some(record) = evidence.get_own(&key, None).await? else {
            continue;
        };
        let record = LedgerRecord::parse(&record.bytes).ok();
        let committed = record.filter(|record| record.kind == LedgerKind::Committed);
        let names = |record: &LedgerRecord| {
            let summary = record.summary.as_ref();
            summary.is_some_and(|summary| summary.key.as_str().starts_with(&format!("{folder}/")))
        };
        if let Some(record) = committed.filter(names) {
            return Ok(Some(record.holder));
        }
    }
    Ok(None)
}

/// Whether the verdict of the phase summary in this folder must be in the ledger.
async fn has_ledger(evidence: &Evidence, folder: &str) -> Result<bool, ReadError> {
    let fetched = evidence
        .get(&format!("{folder}/m3_execution_summary.json"), None)
        .await?;
    let phase = fetched.and_then(|fetched| Document::<PhaseSummary>::parse(&fetched.bytes).ok());
    Ok(phase.is_none_or(|phase| phase.body.commit != p1_contract::artifacts::CommitPosture::NoLedger))
}

#[cfg(test)]
mod tests {
    use p1_contract::hash::Sha256Hex;

    use super::*;
    use crate::bucket::census::tests::versions;
    use crate::scratch::says;

    #[test]
    fn a_place_is_a_run_or_a_step() {
        let run = Place::Run(PlatformRunId::parse("platform_20260223T174307Z").unwrap());
        let id = "m3j_20260223T174307Z_0123456789ab";
        let step = Place::Step(Environment::default(), PhaseExecutionId::parse(id).unwrap());
        for (place, expected) in [
            ("s3://evidence/evidence/runs/platform_20260223T174307Z", &run),
            (
                "s3://evidence/evidence/runs/platform_20260223T174307Z/ledger/000002.json",
                &run,
            ),
            (&format!("s3://evidence/evidence/dev_full/run_control/{id}/"), &step),
            (
                &format!("s3://evidence/evidence/dev_full/run_control/{id}/m3_execution_summary.json"),
                &step,
            ),
        ] {
            let (bucket, found) = Place::parse(place).unwrap();
            assert_eq!((bucket.as_str(), &found), ("evidence", expected));
        }
        for refused in [
            "evidence/runs/platform_20260223T174307Z",
            "s3://evidence",
            "s3://evidence/",
            "s3://E/evidence/runs/platform_20260223T174307Z",
            "s3://evidence/evidence/runs/",
            "s3://evidence/evidence/runs/../x",
            "s3://evidence/evidence/runs/platform_20261323T174307Z",
            "s3://evidence/evidence/dev_full/run_control/m2j_20260223T061612Z/m2j_m3_entry_readiness_receipt.json",
        ] {
            let error = Place::parse(refused).unwrap_err().to_string();
            says(&error, &["evidence/runs/<platform_run_id>/"]);
        }
    }

    #[test]
    fn the_version_that_a_summary_names_is_read_and_else_the_latest() {
        let key = |text: &str| S3Key::parse(text).unwrap();
        let listed = |text: &str, id: &str| Wanted {
            key: key(text),
            version_id: Some(id.to_owned()),
            sha256: Some(Sha256Hex::of(b"")),
        };
        let mut chain = Chain::default();
        chain
            .listed
            .extend([listed("named", "1"), listed("gone", "1"), listed("lost", "1")]);
        let versions = BTreeMap::from([
            versions("named", &[("2", false), ("1", false)]),
            versions("gone", &[("3", true), ("2", false)]),
            versions("beside", &[("7", false)]),
        ]);
        let read: Vec<(String, String)> = wanted(&chain, &versions, &mut Findings::default())
            .into_iter()
            .map(|wanted| (wanted.key.to_string(), wanted.version_id.unwrap()))
            .collect();
        let expected = [("beside", "7"), ("gone", "2"), ("lost", "1"), ("named", "1")];
        assert_eq!(read, expected.map(|(key, id)| (key.to_owned(), id.to_owned())));
    }
}
