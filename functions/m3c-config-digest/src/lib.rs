//! M3.C Config payload and digest: what does this run run with, and does its digest come out the same twice?
//! (contract section 7)

#[cfg(test)]
mod tests;

use p1_contract::artifacts::{
    ConfigDigestSnapshot, DigestReceipt, DigestRecomputeReceipts, RunConfigPayload, RunIdentitySeed,
};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::evidence::RunIds;
use p1_contract::handles::{self, FixedHandle, HandleFacts, HandleProblem};
use p1_contract::hash::Sha256Hex;
use p1_contract::identity::{
    CANONICALIZATION_MODE, DIGEST_ALGO, DIGEST_PROFILE, DigestInput, digest_from_handle_values,
};
use p1_contract::observations::config_digest::Observed;
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_runtime::{Artifact, Author, Evaluation, Fault, StepContext, StepLogic};

/// The step.
#[derive(Debug, Clone, Copy)]
pub struct ConfigDigest;

impl StepLogic for ConfigDigest {
    const STEP: Step = Step::ConfigDigest;
    type Observed = Observed;

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let identity = async {
            let summary = ctx.upstream(Step::RunIdentity).await?;
            let seed = ctx.artifact::<RunIdentitySeed>(&summary).await?;
            Ok::<_, Fault>((summary.header.run(), seed.body.seed_inputs))
        };
        let ((run, seed), registry) = futures_util::try_join!(identity, ctx.pinned_registry())?;
        let registry = registry.map_err(|why| Fault::internal("read the pinned registry", why))?;
        let names = handles::names_read_by(Step::ConfigDigest, ctx.environment());
        let handles = HandleFacts::read(&registry, &names);
        Ok(Observed { run, seed, handles })
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        let handles = &observed.handles;
        let mut findings = contract(handles);
        let payload = payload(observed, &mut findings);
        let digests = Digests::of(observed);
        let digest = digests.agreed(&mut findings);

        let run = RunIds {
            config_digest: digest,
            ..observed.run.clone()
        };
        let author = Author::new(input, Step::ConfigDigest, run.clone());
        let text = |key: FixedHandle| handles.text(key).ok().map(str::to_owned);
        let mut wave: Vec<Artifact> = vec![
            author.artifact(ConfigDigestSnapshot {
                canonicalization_mode: text(handles::SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE),
                digest_algo: text(handles::CONFIG_DIGEST_ALGO),
                digest_field: text(handles::CONFIG_DIGEST_FIELD),
                recompute_digest: digests.from_values.clone(),
                digest_match: run.config_digest.is_some(),
                overall_pass: findings.is_empty(),
            })?,
            author.artifact(digests.receipts())?,
        ];
        if let Some(payload) = payload {
            wave.push(author.artifact(payload)?);
        }
        Ok(Evaluation {
            findings,
            waves: vec![wave],
            run,
            ..Evaluation::default()
        })
    }
}

/// Mode, algorithm and field name are the contract's, or nothing is guessed.
fn contract(handles: &HandleFacts) -> Vec<Finding> {
    use Blocker::{CanonicalizationUnknown, DigestContractInvalid};
    const MODE: FixedHandle = handles::SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE;
    let expected = [
        (MODE, CANONICALIZATION_MODE, CanonicalizationUnknown),
        (handles::CONFIG_DIGEST_ALGO, DIGEST_ALGO, DigestContractInvalid),
        // The field's name stands in every artifact: it is `config_digest`, and both handles say so.
        (handles::CONFIG_DIGEST_FIELD, "config_digest", DigestContractInvalid),
        (handles::FIELD_CONFIG_DIGEST, "config_digest", DigestContractInvalid),
    ];
    let wrong = |(key, expected, blocker): (FixedHandle, &str, Blocker)| match handles.text(key) {
        Ok(value) if value == expected => None,
        Ok(value) => Some(blocker.on(key, format!("`{value}` is not known, expected {expected}"))),
        Err(HandleProblem { key, problem }) => Some(blocker.on(key, problem)),
    };
    expected.into_iter().filter_map(wrong).collect()
}

fn payload(observed: &Observed, findings: &mut Vec<Finding>) -> Option<RunConfigPayload> {
    let mut missing = |field: &str| findings.push(Blocker::PayloadFieldMissing.on(field, "M3.B closed without it"));
    if observed.run.platform_run_id.is_none() {
        missing("platform_run_id");
    }
    if observed.run.scenario_run_id.is_none() {
        missing("scenario_run_id");
    }
    let Some(seed) = &observed.seed else {
        missing("seed_inputs");
        return None;
    };
    Some(RunConfigPayload {
        oracle_input_manifest_uri: seed.oracle_input_manifest_uri.clone(),
        oracle_input_manifest_sha256: seed.oracle_input_manifest_sha256.clone(),
        oracle_required_output_ids: seed.digest_input.oracle_required_output_ids.clone(),
        oracle_sort_key_by_output_id: seed.digest_input.oracle_sort_key_by_output_id.clone(),
    })
}

/// The digest, three times: by the typed input, by the handles' own values, and as M3.B closed it.
struct Digests {
    from_input: Option<Sha256Hex>,
    from_values: Option<Sha256Hex>,
    from_seed: Option<Sha256Hex>,
}

impl Digests {
    fn of(observed: &Observed) -> Self {
        Digests {
            from_input: DigestInput::from_handles(&observed.handles)
                .ok()
                .and_then(|input| input.digest().ok()),
            from_values: digest_from_handle_values(&observed.handles).ok().flatten(),
            from_seed: observed.seed.as_ref().map(|seed| seed.config_digest.clone()),
        }
    }

    /// The digest, when all three are there and the same.
    fn agreed(&self, findings: &mut Vec<Finding>) -> Option<Sha256Hex> {
        let all = [&self.from_input, &self.from_values, &self.from_seed];
        if all.iter().all(|digest| digest.is_some() && **digest == self.from_input) {
            return self.from_input.clone();
        }
        findings.push(Blocker::DigestMismatch.on("config_digest", "the three computations of the digest do not agree"));
        None
    }

    fn receipts(&self) -> DigestRecomputeReceipts {
        let receipt = |path: &str, digest: &Option<Sha256Hex>| DigestReceipt {
            path: path.to_owned(),
            digest: digest.clone(),
        };
        DigestRecomputeReceipts {
            digest_profile: DIGEST_PROFILE.to_owned(),
            receipts: vec![
                receipt("typed_digest_input", &self.from_input),
                receipt("handle_values", &self.from_values),
                receipt("m3b_seed_inputs", &self.from_seed),
            ],
        }
    }
}
