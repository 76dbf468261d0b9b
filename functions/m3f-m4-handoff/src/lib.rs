//! M3.F Runtime scope and M4 handoff: the pack that M4 can trust without asking (contract section 7).

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use p1_contract::artifacts::{
    DurableReference, HandoffReferenceReceipts, M4HandoffPack, ReferenceReceipt, RunIdentitySeed,
    RuntimeScopeBindingSnapshot,
};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::handles::{self, FixedHandle, HandleFacts, HandleProblem};
use p1_contract::identity::field_list;
use p1_contract::ids::PhaseExecutionId;
use p1_contract::observations::Prerequisite;
use p1_contract::observations::m4_handoff::{Observed, ReferenceFact};
use p1_contract::request::StepInput;
use p1_contract::scope::{CORRELATION_FIELDS, is_env_key};
use p1_contract::step::Step;
use p1_runtime::{Author, Evaluation, Exact, Fault, Prerequisites, StepContext, StepLogic, Summary, run_ledger};

/// The step.
#[derive(Debug, Clone, Copy)]
pub struct M4Handoff;

/// The references, and the step whose closure lists each.
const REFERENCES: [(&str, Step); 3] = [
    ("run", Step::RunPublication),
    ("run_header", Step::RunPublication),
    ("m3d_orchestrator_entry_readiness_snapshot", Step::OrchestratorReadiness),
];

impl StepLogic for M4Handoff {
    const STEP: Step = Step::M4Handoff;
    type Observed = Observed;

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let before: Vec<Step> = Step::M4Handoff.before().collect();
        let sources = Prerequisites::read(ctx, &before).await?;
        let run = sources
            .summary(Step::RunPublication)
            .map(|summary| summary.header.run())
            .unwrap_or_default();
        let references = try_join_all(REFERENCES.map(|(name, step)| reference(ctx, name, sources.summary(step))));
        let seed = sources.artifact::<RunIdentitySeed>(ctx, Step::RunIdentity);
        let registry = async {
            if sources.hold() {
                ctx.pinned_registry().await
            } else {
                Ok(Err("a source does not hold".to_owned()))
            }
        };
        let ledger = async {
            match &run.platform_run_id {
                None => Ok(None),
                Some(run) => run_ledger::lost(ctx, run).await,
            }
        };
        let (references, seed, registry, ledger_lost) = futures_util::try_join!(references, seed, registry, ledger)?;
        let names = handles::names_read_by(Step::M4Handoff, ctx.environment());
        let handles = registry.map(|registry| HandleFacts::read(&registry, &names));
        let lacking = [
            (Step::RunIdentity, seed.as_ref().err()),
            (Step::HandleClosure, handles.as_ref().err()),
        ];
        let lacking = if sources.hold() { lacking.as_slice() } else { &[] };
        Ok(Observed {
            sources: sources.into_facts(lacking),
            run,
            pinned_at_utc: seed.ok().map(|seed| seed.pinned_at_utc),
            references,
            handles: handles.unwrap_or_default(),
            ledger_lost,
        })
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        let mut findings = source_findings(observed);
        let sound = findings.is_empty();
        let (binding, correlation) = (binding(observed), correlation(observed));
        if sound {
            findings.extend(binding.as_ref().err().cloned());
            findings.extend(correlation.as_ref().err().cloned());
            findings.extend(reference_findings(observed));
        }
        if let Some(why) = &observed.ledger_lost {
            findings.push(Blocker::HandoffLedgerLost.on("ledger", why.as_str()));
        }
        let pass = findings.is_empty();
        let author = Author::new(input, Step::M4Handoff, observed.run.clone());
        let mut wave = vec![
            author.artifact(RuntimeScopeBindingSnapshot {
                required_platform_run_id_env_key: observed.handles.text(ENV_KEY).ok().map(str::to_owned),
                required_platform_run_id_env_value: observed.run.platform_run_id.clone(),
                correlation_required_fields: observed.handles.text(CORRELATION).ok().map(field_list),
                binding_pass: sound && binding.is_ok(),
                overall_pass: pass,
            })?,
            author.artifact(HandoffReferenceReceipts {
                references: receipts(observed),
            })?,
        ];
        // A pack is only ever one that M4 can trust: a hold publishes none.
        if let (true, Some(pack)) = (pass, pack(observed, binding.ok(), correlation.ok())) {
            wave.push(author.artifact(pack)?);
        }
        Ok(Evaluation {
            findings,
            waves: vec![wave],
            run: observed.run.clone(),
            ..Evaluation::default()
        })
    }
}

const ENV_KEY: FixedHandle = handles::REQUIRED_PLATFORM_RUN_ID_ENV_KEY;
const CORRELATION: FixedHandle = handles::CORRELATION_REQUIRED_FIELDS;

async fn reference(ctx: &StepContext<'_>, name: &str, summary: Option<&Summary>) -> Result<ReferenceFact, Fault> {
    let listed = summary.and_then(|summary| summary.body.artifact(name)).cloned();
    let (found, outcome) = match &listed {
        None => (None, "its closure does not list it".to_owned()),
        Some(artifact) => {
            let exact = ctx.read_listed(artifact).await?;
            let found = match &exact {
                Exact::Found(_) => Some(artifact.sha256.clone()),
                Exact::Changed(found) => Some(found.clone()),
                Exact::Missing | Exact::Denied | Exact::TooLarge(_) => None,
            };
            (found, exact.describe())
        }
    };
    Ok(ReferenceFact {
        name: name.to_owned(),
        listed,
        found,
        outcome,
    })
}

fn source_findings(observed: &Observed) -> Vec<Finding> {
    let problem = |source: &Prerequisite| {
        source
            .problem
            .as_ref()
            .map(|why| Blocker::HandoffPrerequisite.on(source.step.id(), why.as_str()))
    };
    let mut findings: Vec<Finding> = observed.sources.iter().filter_map(problem).collect();
    if findings.is_empty() && (observed.run.triplet().is_none() || observed.pinned_at_utc.is_none()) {
        findings.push(Blocker::HandoffPrerequisite.on("M3.E", "the closures do not carry the run's triplet"));
    }
    findings
}

fn binding(observed: &Observed) -> Result<String, Finding> {
    let invalid = |subject: String, detail: String| Err(Blocker::EnvBindingInvalid.on(subject, detail));
    match observed.handles.text(ENV_KEY) {
        Ok(name) if is_env_key(name) => Ok(name.to_owned()),
        Ok(_) => invalid(ENV_KEY.into(), "is not the name of an environment variable".to_owned()),
        Err(HandleProblem { key, problem }) => invalid(key, problem),
    }
}

fn correlation(observed: &Observed) -> Result<Vec<String>, Finding> {
    let invalid = |subject: String, detail: String| Err(Blocker::CorrelationFieldsInvalid.on(subject, detail));
    let expected = CORRELATION_FIELDS.join(",");
    match observed.handles.text(CORRELATION) {
        Ok(text) if text == expected => Ok(field_list(text)),
        Ok(text) => invalid(CORRELATION.into(), format!("`{text}` is not `{expected}`")),
        Err(HandleProblem { key, problem }) => invalid(key, problem),
    }
}

fn reference_findings(observed: &Observed) -> Vec<Finding> {
    let broken = |fact: &&ReferenceFact| {
        fact.listed
            .as_ref()
            .is_none_or(|listed| Some(&listed.sha256) != fact.found.as_ref())
    };
    let finding = |fact: &ReferenceFact| {
        let subject = fact
            .listed
            .as_ref()
            .map_or(fact.name.as_str(), |listed| listed.key.as_str());
        Blocker::HandoffReferenceInvalid.on(subject, fact.outcome.as_str())
    };
    observed.references.iter().filter(broken).map(finding).collect()
}

fn receipts(observed: &Observed) -> Vec<ReferenceReceipt> {
    let receipt = |fact: &ReferenceFact| {
        let listed = fact.listed.as_ref()?;
        Some(ReferenceReceipt {
            name: fact.name.clone(),
            key: listed.key.clone(),
            version_id: listed.version_id.clone(),
            expected_sha256: listed.sha256.clone(),
            readback_sha256: fact.found.clone(),
            matches: fact.found.as_ref() == Some(&listed.sha256),
        })
    };
    observed.references.iter().filter_map(receipt).collect()
}

fn pack(observed: &Observed, env_key: Option<String>, correlation: Option<Vec<String>>) -> Option<M4HandoffPack> {
    let reference = |fact: &ReferenceFact| {
        let listed = fact.listed.as_ref()?;
        Some(DurableReference {
            name: fact.name.clone(),
            bucket: listed.bucket.clone(),
            key: listed.key.clone(),
            version_id: listed.version_id.clone(),
            sha256: listed.sha256.clone(),
        })
    };
    let source_execution_ids: BTreeMap<String, PhaseExecutionId> = observed
        .sources
        .iter()
        .filter_map(|source| {
            Some((
                source.step.id().to_owned(),
                source.closure.as_ref()?.phase_execution_id.clone(),
            ))
        })
        .collect();
    Some(M4HandoffPack {
        required_platform_run_id_env_key: env_key?,
        required_platform_run_id_env_value: observed.run.platform_run_id.clone()?,
        correlation_required_fields: correlation?,
        durable_references: observed.references.iter().filter_map(reference).collect(),
        source_execution_ids,
        pinned_at_utc: observed.pinned_at_utc?,
        overall_pass: true,
    })
}
