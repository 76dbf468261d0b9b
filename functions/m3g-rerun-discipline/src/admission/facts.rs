//! What an admission learns from outside.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{try_join, try_join_all, try_join3};
use p1_contract::artifacts::RunIdentitySeed;
use p1_contract::handles::{self, HandleFacts};
use p1_contract::hash::Sha256Hex;
use p1_contract::input::{HeldSummary, Rerun};
use p1_contract::observations::admission::{AdmissionFacts, HeldFacts, History, StepReading};
use p1_contract::observations::{AuditProblem, Learned};
use p1_contract::owner::Owner;
use p1_contract::reference::{ClosureRef, ObjectRef};
use p1_contract::registry::{self, Registry};
use p1_contract::step::Step;
use p1_runtime::stack_outputs;
use p1_runtime::store::{REGISTRY_LIMIT, Read};
use p1_runtime::{ClosureRead, Fault, StepContext, Summary, audit_all, held_closure, rewritten};

use super::history::{self, Told};
use crate::fact::todays_registry;

/// Gathers the facts.
pub(super) async fn gather(ctx: &StepContext<'_>, rerun: &Rerun) -> Result<AdmissionFacts, Fault> {
    let keys = handles::names_read_by_any(ctx.environment());
    let uris = ctx.settings().stack_outputs.iter();
    let stacks = try_join_all(uris.map(|uri| stack_outputs::read(ctx, uri)));
    let (held, stacks) = try_join(held(ctx, &rerun.held), stacks).await?;
    let registry = todays_registry(ctx, &keys, &stacks).await?;
    let Learned::Found(facts) = &held else {
        return Ok(AdmissionFacts {
            held,
            chain: Vec::new(),
            seed: Learned::Problem("the held summary is not known".to_owned()),
            registry,
            readings: Vec::new(),
            history: History::NoRun,
            not_committed: Vec::new(),
            rewritten: Vec::new(),
        });
    };
    let mut closures = facts.upstream.clone();
    closures.push(facts.closure.clone());
    let closed = summaries(ctx, &closures).await?;
    let earlier = earlier_admissions(&closed, &closures);
    let admissions = summaries(
        ctx,
        closures
            .iter()
            .chain(&earlier)
            .filter(|closure| closure.step == Owner::Admission),
    )
    .await?;

    let run = closed.iter().find_map(|summary| summary.header.platform_run_id.clone());
    let told = async {
        match &run {
            Some(run) => history::read(ctx, run).await,
            None => Ok(Told::nothing(History::NoRun)),
        }
    };
    let ((chain, seed), readings, told) = try_join3(
        try_join(audit_all(ctx, closures.iter().chain(&earlier)), seed(ctx, &closed)),
        readings(ctx, &closures, &closed, &admissions),
        told,
    )
    .await?;
    let links: Vec<&ClosureRef> = closures.iter().chain(&earlier).collect();
    let not_committed = not_committed(&links, &told.closures);
    let named = closed
        .iter()
        .chain(&admissions)
        .flat_map(|summary| &summary.body.artifacts);
    let named = named.map(|artifact| (&artifact.bucket, &artifact.key));
    let links = links.into_iter().map(|link| (&link.bucket, &link.key));
    let committed = told.summaries.iter().map(|summary| (&summary.bucket, &summary.key));
    let rewritten = rewritten(ctx, named.chain(links).chain(committed)).await?;
    Ok(AdmissionFacts {
        held,
        chain,
        seed,
        registry,
        readings,
        history: told.history,
        not_committed,
        rewritten,
    })
}

/// The links of the chain that are not as a committed phase summary names them.
fn not_committed(links: &[&ClosureRef], committed: &[ClosureRef]) -> Vec<AuditProblem> {
    let problem = |link: &&ClosureRef| {
        let named = committed.iter().find(|named| named.key == link.key && named != link)?;
        Some(AuditProblem {
            subject: link.key.to_string(),
            detail: format!(
                "the committed phase summary names version {} with sha256 {}, not version {} with sha256 {}",
                named.version_id.as_deref().unwrap_or("none"),
                named.sha256,
                link.version_id.as_deref().unwrap_or("none"),
                link.sha256
            ),
        })
    };
    links.iter().filter_map(problem).collect()
}

/// Reads the summary that the rerun names, and the step from its place.
async fn held(ctx: &StepContext<'_>, held: &HeldSummary) -> Result<Learned<HeldFacts>, Fault> {
    let facts = |(closure, summary): (ClosureRef, Summary)| HeldFacts {
        step: summary.header.step,
        closure,
        upstream: summary.body.upstream,
    };
    Ok(Learned::from(held_closure(ctx, held).await?).map(facts))
}

/// The summaries of `closures` that are as the chain says; what is wrong with the others, the audit says.
async fn summaries<'c>(
    ctx: &StepContext<'_>,
    closures: impl IntoIterator<Item = &'c ClosureRef>,
) -> Result<Vec<Summary>, Fault> {
    let reads = try_join_all(closures.into_iter().map(|closure| ctx.closure(closure))).await?;
    let found = |read| match read {
        ClosureRead::Found(summary) => Some(*summary),
        ClosureRead::Unusable(_) => None,
    };
    Ok(reads.into_iter().filter_map(found).collect())
}

/// The admissions of earlier reruns on which a closed step rests, and which are not in `known`.
fn earlier_admissions(closed: &[Summary], known: &[ClosureRef]) -> Vec<ClosureRef> {
    let admissions = closed
        .iter()
        .flat_map(|summary| &summary.body.upstream)
        .filter(|closure| closure.step == Owner::Admission);
    let mut earlier: Vec<ClosureRef> = admissions.filter(|closure| !known.contains(closure)).cloned().collect();
    earlier.sort();
    earlier.dedup();
    earlier
}

async fn seed(ctx: &StepContext<'_>, closed: &[Summary]) -> Result<Learned<RunIdentitySeed>, Fault> {
    let Some(identity) = closed.iter().find(|summary| summary.owner == Step::RunIdentity) else {
        return Ok(Learned::Problem(
            "the held chain has no usable closure of M3.B".to_owned(),
        ));
    };
    Ok(Learned::from(ctx.artifact_if_intact(identity).await?).map(|document| document.body))
}

/// What each closed step read, each registry version read once. A step whose summary could not be read here has a
/// reading too: one that cannot be confirmed, whatever another read of it says.
async fn readings(
    ctx: &StepContext<'_>,
    closures: &[ClosureRef],
    closed: &[Summary],
    admissions: &[Summary],
) -> Result<Vec<StepReading>, Fault> {
    let pinned = |closure: &ClosureRef| {
        let id = &closure.phase_execution_id;
        let summary = closed
            .iter()
            .find(|summary| summary.owner == closure.step && summary.header.phase_execution_id == *id);
        match summary {
            Some(summary) => Learned::from(pin(ctx, summary, closed, admissions)),
            None => Learned::Problem(format!("{} could not be read", closure.key)),
        }
    };
    let steps: Vec<(Step, Learned<&ObjectRef>)> = closures
        .iter()
        .filter(|closure| closure.overall_pass)
        .filter_map(|closure| Some((closure.step.as_step()?, pinned(closure))))
        .collect();
    let pins: BTreeSet<&ObjectRef> = steps.iter().filter_map(|(_, pin)| pin.found().copied()).collect();
    let reads = try_join_all(pins.iter().map(|pin| registry_of(ctx, pin))).await?;
    let registries: BTreeMap<&ObjectRef, Learned<Registry>> = pins.into_iter().zip(reads).collect();
    let reading = |(step, pin): (Step, Learned<&ObjectRef>)| {
        let handles = match pin {
            Learned::Problem(why) => Learned::Problem(why),
            Learned::Found(pin) => match registries.get(pin).map(Learned::as_result) {
                Some(Ok(registry)) => Learned::Found(HandleFacts::read(
                    registry,
                    &handles::names_read_by(step, ctx.environment()),
                )),
                Some(Err(why)) => Learned::Problem(why.to_owned()),
                None => Learned::Problem(format!("{} was not read", pin.key)),
            },
        };
        StepReading { step, handles }
    };
    Ok(steps.into_iter().map(reading).collect())
}

/// The registry version that was pinned for the step of `summary`: by the admission that it rests on, else by M3.A.
fn pin<'s>(
    ctx: &StepContext<'_>,
    summary: &Summary,
    closed: &'s [Summary],
    admissions: &'s [Summary],
) -> Result<&'s ObjectRef, String> {
    let pinned_by = match summary
        .body
        .upstream
        .iter()
        .find(|closure| closure.step == Owner::Admission)
    {
        Some(closure) => admissions
            .iter()
            .find(|admission| admission.header.phase_execution_id == closure.phase_execution_id),
        None => closed.iter().find(|summary| summary.owner == Step::HandleClosure),
    };
    let uri = &ctx.settings().registry;
    pinned_by
        .and_then(|by| {
            by.body
                .inputs
                .iter()
                .find(|input| input.bucket == uri.bucket && input.key == uri.key)
        })
        .ok_or_else(|| format!("no usable closure pins the registry {uri} for {}", summary.owner))
}

/// Reads a pinned registry. It does not become an input of the admission: that is today's version alone, which so is
/// pinned for the steps to come.
async fn registry_of(ctx: &StepContext<'_>, pin: &ObjectRef) -> Result<Learned<Registry>, Fault> {
    let words = match ctx
        .store
        .read(&pin.bucket, &pin.key, pin.version_id.as_deref(), REGISTRY_LIMIT)
        .await?
    {
        Read::Found(object) if Sha256Hex::of(&object.bytes) == pin.sha256 => {
            return Ok(Learned::from(registry::parse(&object.bytes).map_err(|e| e.to_string())));
        }
        Read::Found(_) | Read::TooLarge(_) => "has other bytes",
        Read::NotFound => "is gone",
        Read::Denied => "may not be read",
    };
    Ok(Learned::Problem(format!("the pinned version of {} {words}", pin.key)))
}
