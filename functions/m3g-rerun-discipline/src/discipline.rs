//! The step: is the run still the run that was pinned, untouched, and is a rerun the one that was admitted?

use futures_util::future::{try_join, try_join_all, try_join3, try_join4};
use p1_contract::artifacts::{
    CheckResult, KeyVersions, M4HandoffPack, ProhibitedMutationGuardReceipts, RerunAdmissionReceipt,
    RerunResetPolicySnapshot, RunHeader, RunRecord,
};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::evidence::{Body, Head, RunIds, Triplet};
use p1_contract::handles::{self, HandleProblem};
use p1_contract::ids::S3Key;
use p1_contract::observations::Learned;
use p1_contract::observations::rerun_discipline::{Observed, RunDocument};
use p1_contract::owner::Owner;
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_runtime::{Author, ClosureRead, Evaluation, Fault, StepContext, StepLogic, Summary};

use crate::fact::{config_digest, todays_registry};
use crate::policy;

/// The step.
#[derive(Debug, Clone, Copy)]
pub struct RerunDiscipline;

impl StepLogic for RerunDiscipline {
    const STEP: Step = Step::RerunDiscipline;
    type Observed = Observed;

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let keys = handles::names_read_by(Step::RerunDiscipline, ctx.environment());
        let closures = try_join4(
            ctx.upstream(Step::RunIdentity),
            ctx.upstream(Step::ConfigDigest),
            ctx.upstream(Step::RunPublication),
            ctx.upstream(Step::M4Handoff),
        );
        let (closures, registry, admission) =
            try_join3(closures, todays_registry(ctx, &keys, &[]), admission_receipt(ctx)).await?;
        let (identity, digest, publication, handoff) = closures;
        let ids = RunIds {
            config_digest: digest.header.config_digest,
            ..identity.header.run()
        };
        let run = ids.triplet().ok_or_else(|| {
            Fault::internal(
                "take the run's triplet from M3.B and M3.C",
                "an id is missing there; start a new execution",
            )
        })?;
        let (record, header, pack) = try_join3(
            document::<RunRecord>(ctx, &publication),
            document::<RunHeader>(ctx, &publication),
            document::<M4HandoffPack>(ctx, &handoff),
        )
        .await?;
        let keys = own_keys(ctx, &run, &publication).await?;
        Ok(Observed {
            run,
            documents: vec![record, header, pack],
            registry,
            keys,
            admission,
        })
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        let groups = [
            ("M3G-V1-RUN-TRIPLET", triplet_findings(observed)),
            ("M3G-V2-CONFIG-DIGEST", digest_findings(observed)),
            ("M3G-V3-NO-MUTATION", mutation_findings(observed)),
            ("M3G-V4-RERUN-POLICY", rerun_findings(input, observed)),
        ];
        let checks = groups
            .iter()
            .map(|(name, findings)| CheckResult::of(name, findings))
            .collect();
        let findings: Vec<Finding> = groups.into_iter().flat_map(|(_, findings)| findings).collect();

        let run = RunIds::from(observed.run.clone());
        let author = Author::new(input, Step::RerunDiscipline, run.clone());
        let snapshot = RerunResetPolicySnapshot {
            identity_drift_policy: policy::IDENTITY_DRIFT_POLICY.to_owned(),
            permitted_reset_classes: policy::PERMITTED_RESET_CLASSES.map(str::to_owned).to_vec(),
            prohibited_actions: policy::PROHIBITED_ACTIONS.map(str::to_owned).to_vec(),
            fallback_approval_rule: policy::FALLBACK_APPROVAL_RULE.to_owned(),
            rerun: input.input.rerun().is_some(),
            reset: input.input.rerun().map(|rerun| rerun.reset.clone()),
            checks,
            overall_pass: findings.is_empty(),
        };
        let guard = ProhibitedMutationGuardReceipts {
            run_root: observed.run.platform_run_id.run_root(),
            keys: observed.keys.clone(),
            guard_pass: mutation_findings(observed).is_empty(),
        };
        let wave = vec![
            author.artifact(snapshot)?,
            author.artifact(policy::reset_class_matrix())?,
            author.artifact(guard)?,
        ];
        Ok(Evaluation {
            findings,
            waves: vec![wave],
            run,
            ..Evaluation::default()
        })
    }
}

/// The most records of a ledger whose versions are looked at; a longer ledger is no legal one.
const MOST_RECORDS: usize = 5_000;
/// The most keys that are listed in evidence. Keys with a history come first, so none of those is cut before the others.
const MOST_LISTED: usize = 1_000;

/// The keys below the run's root that P1 alone writes, at the places that M3.E resolved from the registry. The rest of the root
/// is for later phases, which may write there and overwrite.
async fn own_keys(ctx: &StepContext<'_>, run: &Triplet, publication: &Summary) -> Result<Vec<KeyVersions>, Fault> {
    let root = run.platform_run_id.run_root();
    let written = publication.body.artifacts.iter();
    let documents = written
        .map(|artifact| &artifact.key)
        .filter(|key| key.as_str().starts_with(&root));
    let documents = try_join_all(documents.map(|key| ctx.store.versions_of(ctx.bucket(), key)));
    let prefix = run.platform_run_id.ledger_prefix();
    let ledger = ctx.store.list_versions(ctx.bucket(), &prefix, MOST_RECORDS);
    let (mut counts, ledger) = try_join(documents, ledger).await?;
    // A foreign key in the ledger makes it illegal, which every reader of the ledger says.
    counts.extend(ledger.counts);
    counts.sort_by_key(|count| count.rewritten().is_none());
    let own = counts.into_iter().filter_map(|count| {
        Some(KeyVersions {
            key: S3Key::parse(&count.key).ok()?,
            versions: count.versions,
            delete_markers: count.delete_markers,
        })
    });
    let mut keys: Vec<KeyVersions> = own.take(MOST_LISTED).collect();
    keys.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(keys)
}

async fn document<B: Body>(ctx: &StepContext<'_>, summary: &Summary) -> Result<RunDocument, Fault> {
    let read = ctx.artifact_if_intact::<B>(summary).await?;
    Ok(RunDocument {
        name: B::NAME.to_owned(),
        run: Learned::from(read).map(|document| document.header.says().run),
    })
}

async fn admission_receipt(ctx: &StepContext<'_>) -> Result<Option<Learned<RerunAdmissionReceipt>>, Fault> {
    let Some(closure) = ctx.input.admission() else {
        return Ok(None);
    };
    Ok(Some(match ctx.closure(closure).await? {
        ClosureRead::Unusable(why) => Learned::Problem(format!("{} {why}", closure.key)),
        ClosureRead::Found(summary) => Learned::from(ctx.artifact_if_intact::<RerunAdmissionReceipt>(&summary).await?)
            .map(|document| document.body),
    }))
}

/// The triplet stands, the same, in all three documents.
fn triplet_findings(observed: &Observed) -> Vec<Finding> {
    let drift = |document: &RunDocument| match document.run.as_result() {
        Err(why) => Some(Blocker::IdentityDrift.on(&document.name, format!("identity cannot be confirmed: {why}"))),
        Ok(ids) => {
            let field = first_difference(ids, &observed.run)?;
            Some(Blocker::IdentityDrift.on(&document.name, format!("its `{field}` is not the run's")))
        }
    };
    observed.documents.iter().filter_map(drift).collect()
}

fn first_difference(ids: &RunIds, run: &Triplet) -> Option<&'static str> {
    let same = [
        (
            "platform_run_id",
            ids.platform_run_id.as_ref() == Some(&run.platform_run_id),
        ),
        (
            "scenario_run_id",
            ids.scenario_run_id.as_ref() == Some(&run.scenario_run_id),
        ),
        ("config_digest", ids.config_digest.as_ref() == Some(&run.config_digest)),
    ];
    same.into_iter()
        .find_map(|(field, is_same)| (!is_same).then_some(field))
}

/// Today's registry still gives the run's digest.
fn digest_findings(observed: &Observed) -> Vec<Finding> {
    let drifted = |subject: &str, detail: String| vec![Blocker::IdentityDrift.on(subject, detail)];
    let pinned = &observed.run.config_digest;
    match observed.registry.as_result().map(config_digest) {
        Err(why) => drifted("registry", format!("configuration cannot be confirmed: {why}")),
        Ok(Err(HandleProblem { key, problem })) => {
            drifted(&key, format!("configuration cannot be confirmed: today it {problem}"))
        }
        Ok(Ok((_, today))) if &today != pinned => drifted(
            "config_digest",
            format!("today's registry gives {today}, the run has {pinned}"),
        ),
        Ok(Ok(_)) => Vec::new(),
    }
}

/// One version a key, and no delete marker.
fn mutation_findings(observed: &Observed) -> Vec<Finding> {
    let touched = observed
        .keys
        .iter()
        .filter(|key| key.versions != 1 || key.delete_markers != 0);
    touched
        .map(|key| {
            let detail = format!(
                "has {} versions and {} delete markers",
                key.versions, key.delete_markers
            );
            Blocker::DestructiveMutation.on(key.key.as_str(), detail)
        })
        .collect()
}

/// The rerun is the one that was admitted, and its receipt still keeps the rules.
fn rerun_findings(input: &StepInput, observed: &Observed) -> Vec<Finding> {
    let inconsistent = |detail: &str| Blocker::RerunPolicyInconsistent.on(Owner::Admission.id(), detail);
    let (rerun, receipt) = match (input.input.rerun(), &observed.admission) {
        (None, None) => return Vec::new(),
        (None, Some(_)) => {
            return vec![inconsistent(
                "the chain has an admission, and the execution's input is no rerun",
            )];
        }
        (Some(_), None) => return vec![inconsistent("the input is a rerun, and the chain has no admission")],
        (Some(_), Some(Learned::Problem(why))) => {
            return vec![inconsistent(&format!("its receipt cannot be read: {why}"))];
        }
        (Some(rerun), Some(Learned::Found(receipt))) => (rerun, receipt),
    };
    let mut findings: Vec<Finding> = [
        (receipt.admitted, "admitted"),
        (receipt.held == rerun.held, "held"),
        (receipt.only == rerun.only, "only"),
        (receipt.reset == rerun.reset, "reset"),
    ]
    .into_iter()
    .filter(|(agrees, _)| !agrees)
    .map(|(_, field)| {
        inconsistent(&format!(
            "`{field}` of its receipt contradicts the rerun that this execution is"
        ))
    })
    .collect();
    findings.extend(policy::reset_findings(&receipt.reset));
    findings
}
