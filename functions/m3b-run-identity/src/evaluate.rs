//! The verdict of M3.B over its observations.

use p1_contract::artifacts::{CollisionProbeReceipts, ProbeOutcome, RunIdGenerationSnapshot, RunIdentitySeed};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::canonical;
use p1_contract::evidence::RunIds;
use p1_contract::handles::{self, FixedHandle, HandleProblem};
use p1_contract::hash::Sha256Hex;
use p1_contract::identity::{
    DIGEST_PROFILE, DerivationError, DigestInput, EQUIVALENCE_KEY_INPUT, SeedInputs, composite_manifest_digest,
    field_list,
};
use p1_contract::ids::{PlatformRunId, ScenarioRunId};
use p1_contract::observations::run_identity::{ManifestFact, ManifestRead, Observed};
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_contract::strict::{self, Limits};
use p1_runtime::{Author, Evaluation, Fault};

pub(crate) fn evaluate(input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
    let mut findings = Vec::new();
    let run = kept(identity(observed), &mut findings);
    let seed = seed_inputs(input, observed, &mut findings);
    let scenario = seed.as_ref().and_then(|seed| kept(scenario(seed), &mut findings));
    let recomputes = match (&seed, &scenario) {
        (Some(seed), Some(scenario)) => is_stable(seed, scenario, &mut findings),
        _ => false,
    };
    let ids = RunIds {
        platform_run_id: run.clone(),
        scenario_run_id: scenario,
        config_digest: None,
    };
    let candidate = PlatformRunId::mint(input.stamp, 0)
        .ok_or_else(|| Fault::internal("mint a run id", "the stamp gives no candidate"))?;
    let collisions = observed
        .probes
        .iter()
        .filter(|probe| probe.outcome != ProbeOutcome::Reserved)
        .count();
    let author = Author::new(input, Step::RunIdentity, ids.clone());
    let wave = vec![
        author.artifact(RunIdGenerationSnapshot {
            candidate_platform_run_id: candidate,
            collision_detected: collisions > 0,
            collision_attempts: u32::try_from(collisions).unwrap_or(u32::MAX),
            platform_run_id_regex: Some(PlatformRunId::PATTERN.to_owned()),
            format_check_pass: run.is_some(),
            final_platform_run_id: run,
            scenario_derivation_mode: observed
                .handles
                .text(handles::SCENARIO_RUN_ID_DERIVATION_MODE)
                .ok()
                .map(str::to_owned),
            scenario_derivation_recompute_pass: recomputes,
            overall_pass: findings.is_empty(),
        })?,
        author.artifact(CollisionProbeReceipts {
            probes: observed.probes.clone(),
        })?,
        author.artifact(RunIdentitySeed {
            pinned_at_utc: input.stamp,
            seed_inputs: seed,
        })?,
    ];
    Ok(Evaluation {
        findings,
        waves: vec![wave],
        run: ids,
        ..Evaluation::default()
    })
}

/// The reserved id, whose format is held against the pin.
fn identity(observed: &Observed) -> Result<PlatformRunId, Finding> {
    let Some(reserved) = &observed.reserved else {
        let tried = observed.probes.len();
        let detail = format!("{tried} candidates of this execution's second are taken");
        return Err(Blocker::RunIdExhausted.on("platform_run_id", detail));
    };
    PlatformRunId::parse(reserved).map_err(|error| Blocker::RunIdFormatInvalid.on("platform_run_id", error.to_string()))
}

/// The value, or nothing and its finding among the others.
fn kept<T>(value: Result<T, Finding>, findings: &mut Vec<Finding>) -> Option<T> {
    value.map_err(|finding| findings.push(finding)).ok()
}

fn contract(subject: impl Into<String>, detail: impl Into<String>) -> Finding {
    Blocker::DerivationContractInvalid.on(subject, detail)
}

/// What the scenario is derived from, or every reason why it cannot be.
fn seed_inputs(input: &StepInput, observed: &Observed, findings: &mut Vec<Finding>) -> Option<SeedInputs> {
    if let Some(why) = &observed.registry_problem {
        findings.push(contract("registry", why.as_str()));
        return None;
    }
    let before = findings.len();
    let handles = &observed.handles;
    for key in handles::names_read_by(Step::RunIdentity, &input.settings.environment) {
        if let Err(HandleProblem { key, problem }) = handles.value(key) {
            findings.push(contract(key, problem));
        }
    }
    let manifest = manifest(observed, findings);
    let digest_input = DigestInput::from_handles(handles).map_err(|HandleProblem { key, problem }| {
        if handles.value(&key).is_ok() {
            findings.push(contract(key, problem));
        }
    });
    match handles.text(handles::SCENARIO_EQUIVALENCE_KEY_INPUT) {
        Ok(EQUIVALENCE_KEY_INPUT) | Err(_) => {}
        Ok(other) => findings.push(contract(
            handles::SCENARIO_EQUIVALENCE_KEY_INPUT,
            format!("`{other}` is not known, expected {EQUIVALENCE_KEY_INPUT}"),
        )),
    }
    if findings.len() > before {
        return None;
    }
    let (digest_input, manifest) = (digest_input.ok()?, manifest?);
    let digest = digest_input.digest();
    let digest = digest.map_err(|error| contract(handles::ORACLE_SORT_KEY_BY_OUTPUT_ID, error.to_string()));
    let config_digest = kept(digest, findings)?;
    let text = |key: FixedHandle| handles.text(key).map(str::to_owned).unwrap_or_default();
    Some(SeedInputs {
        digest_profile: DIGEST_PROFILE.to_owned(),
        config_digest,
        digest_input,
        oracle_input_manifest_uri: manifest.uri,
        oracle_input_manifest_sha256: manifest.sha256,
        oracle_input_manifest_entries: manifest.entries,
        scenario_fields: field_list(&text(handles::SCENARIO_EQUIVALENCE_KEY_CANONICAL_FIELDS)),
        scenario_derivation_mode: text(handles::SCENARIO_RUN_ID_DERIVATION_MODE),
        canonicalization_mode: text(handles::SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE),
    })
}

struct Manifest {
    uri: String,
    sha256: Sha256Hex,
    entries: Vec<p1_contract::identity::ManifestEntry>,
}

fn manifest(observed: &Observed, findings: &mut Vec<Finding>) -> Option<Manifest> {
    match &observed.manifest {
        // The handle itself has been named already, unless its value is of the wrong shape.
        ManifestFact::Unresolvable { handle, problem } => {
            if observed.handles.value(handle).is_ok() {
                findings.push(contract(handle.as_str(), problem.as_str()));
            }
            None
        }
        ManifestFact::Pinned { pinned, read, .. } => {
            let problem = match &read.sha256 {
                Some(found) if found == &pinned.sha256 => {
                    return Some(Manifest {
                        uri: pinned.uri.to_string(),
                        sha256: found.clone(),
                        entries: Vec::new(),
                    });
                }
                Some(found) => format!("has the hash {found}, not the pinned one"),
                None => read.problem.clone().unwrap_or_default(),
            };
            findings.push(contract(pinned.uri.to_string(), problem));
            None
        }
        ManifestFact::Composite { uri, reads } => {
            for read in reads {
                if let Some(problem) = &read.problem {
                    findings.push(contract(
                        read.key.as_str(),
                        format!("manifest of {}: {problem}", read.output_id),
                    ));
                }
            }
            let entries: Vec<_> = reads.iter().map(ManifestRead::entry).collect::<Option<_>>()?;
            let sha256 = composite_manifest_digest(&entries).ok()?;
            Some(Manifest {
                uri: uri.clone(),
                sha256,
                entries,
            })
        }
    }
}

fn scenario(seed: &SeedInputs) -> Result<ScenarioRunId, Finding> {
    const MODE: FixedHandle = handles::SCENARIO_RUN_ID_DERIVATION_MODE;
    const FIELDS: FixedHandle = handles::SCENARIO_EQUIVALENCE_KEY_CANONICAL_FIELDS;
    seed.scenario_run_id().map_err(|error| match error {
        DerivationError::UnknownMode(mode) => contract(MODE, format!("`{mode}` is not known, and nothing is guessed")),
        DerivationError::UnknownField(field) => {
            contract(FIELDS, format!("`{field}` is not known, and nothing is guessed"))
        }
        DerivationError::FieldList => contract(FIELDS, "lists no field, or one field twice"),
        DerivationError::NotCanonical(why) => contract("scenario_run_id", why),
    })
}

/// Serialise, parse, serialise: the seed must come out the same, and so must the scenario id derived from it.
pub(crate) fn is_stable(seed: &SeedInputs, scenario: &ScenarioRunId, findings: &mut Vec<Finding>) -> bool {
    let first = canonical::canonical_of(seed).unwrap_or_default();
    let again: Option<SeedInputs> = strict::parse_strict(&first, Limits::DOCUMENT)
        .ok()
        .and_then(|value| serde_json::from_value(value).ok());
    let second = again.as_ref().and_then(|seed| canonical::canonical_of(seed).ok());
    if second.as_ref() != Some(&first) {
        findings.push(Blocker::SeedUnstable.on("seed_inputs", "the seed changes when it is parsed and written again"));
    }
    let derived = again.and_then(|seed| seed.scenario_run_id().ok());
    if derived.as_ref() != Some(scenario) {
        findings.push(Blocker::DerivationNotReproducible.on("scenario_run_id", "deriving it again gives another id"));
        return false;
    }
    true
}
