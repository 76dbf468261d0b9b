//! M3.A Authority and handle closure: is everything named, pinned and there that P1 needs?
//!
//! It reads the registry, the stack outputs and the M2 receipt, asks for the orchestrator and the evidence bucket,
//! and closes the 17 required handles (contract section 7).

mod core_outputs;
mod evaluate;
mod event;
mod m2_receipt;
#[cfg(test)]
mod tests;

use futures_util::future::try_join_all;
use p1_contract::handles::{self, HandleFacts};
use p1_contract::ids::{BucketName, StateMachineArn};
use p1_contract::observations::MachineAnswer;
use p1_contract::observations::handle_closure::{BucketFact, Deployment, Observed, RegistryFact};
use p1_contract::registry::{self, Registry};
use p1_contract::request::{StepInput, StepResult};
use p1_contract::secrets::{self, SecretHit};
use p1_contract::stack_outputs::{claimed, decimals, redact as redact_claims};
use p1_contract::step::Step;
use p1_runtime::stack_outputs::read as read_stack;
use p1_runtime::store::{BucketPosture, REGISTRY_LIMIT, Read, object_ref};
use p1_runtime::{Evaluation, Fault, StepContext, StepLogic};

/// The step.
#[derive(Debug, Clone, Copy)]
pub struct HandleClosure;

impl StepLogic for HandleClosure {
    const STEP: Step = Step::HandleClosure;
    type Observed = Observed;

    /// Claims the event, which S3 may deliver more than once.
    async fn preempt(&self, ctx: &StepContext<'_>) -> Result<Option<StepResult>, Fault> {
        event::claim(ctx).await
    }

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let uri = &ctx.settings().registry;
        let registry = ctx.read(&uri.bucket, &uri.key, None, REGISTRY_LIMIT);
        let uris = ctx.settings().stack_outputs.iter();
        let stacks = try_join_all(uris.map(|uri| read_stack(ctx, uri)));
        let receipt = m2_receipt::read(ctx);
        let (registry, stacks, receipt) = futures_util::try_join!(registry, stacks, receipt)?;

        let (fact, registry) = read_registry(ctx, registry)?;
        let (mut stack_outputs, hits): (Vec<_>, Vec<_>) = stacks.into_iter().unzip();
        let mut secrets = hits.concat();
        let claimed_keys = claimed(&stack_outputs);
        let (mut handles, mut contradictions, mut decimal_keys) = (HandleFacts::default(), Vec::new(), Vec::new());
        if let Some((registry, hits)) = registry {
            let keys = [handles::names_read_by_any(ctx.environment()), claimed_keys.clone()].concat();
            handles = HandleFacts::read(&registry, &keys);
            contradictions = registry.contradictions().iter().map(ToString::to_string).collect();
            decimal_keys = decimals(&registry, &claimed_keys);
            secrets.extend(hits);
        }

        let machine = ask_machine(ctx, &handles);
        let bucket = ask_bucket(ctx, &handles);
        let (machine, bucket) = futures_util::try_join!(machine, bucket)?;

        // The scan of the whole documents has named every place already; what is kept of them is kept without.
        handles.redact();
        stack_outputs.iter_mut().for_each(redact_claims);
        let m2_receipt = receipt.map(|(fact, hits)| {
            secrets.extend(hits);
            fact
        });
        secrets.sort();
        secrets.dedup();
        let secrets_left_out = cut(&mut secrets);
        let contradictions_left_out = cut(&mut contradictions);
        Ok(Observed {
            deployment: Deployment {
                evidence_bucket: ctx.bucket().clone(),
                registry_uri: ctx.settings().registry.to_string(),
            },
            registry: fact,
            handles,
            decimals: decimal_keys,
            contradictions,
            contradictions_left_out,
            stack_outputs,
            m2_receipt,
            machine,
            bucket,
            secrets,
            secrets_left_out,
        })
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        evaluate::evaluate(input, observed)
    }
}

/// The most contradictions, and the most places of secrets, that observations name: they must be read again.
const MOST_NAMED: usize = 99;

/// Cuts a list to what is named, and gives how many were left out.
fn cut<T>(list: &mut Vec<T>) -> u64 {
    let left_out = list.len().saturating_sub(MOST_NAMED);
    list.truncate(MOST_NAMED);
    left_out as u64
}

type ReadRegistry = (RegistryFact, Option<(Registry, Vec<SecretHit>)>);

/// A registry that is not there is a verdict; one that is no registry is a fault (contract section 3).
fn read_registry(ctx: &StepContext<'_>, read: Read) -> Result<ReadRegistry, Fault> {
    let uri = &ctx.settings().registry;
    let object = match read {
        Read::Found(object) => object,
        Read::NotFound => return Ok((RegistryFact::Missing, None)),
        Read::Denied => return Ok((RegistryFact::Denied, None)),
        Read::TooLarge(bytes) => {
            return Err(Fault::InvalidInput(format!(
                "registry {uri}: is {bytes} bytes, the limit is {REGISTRY_LIMIT}; publish a registry within the limit"
            )));
        }
    };
    let registry = registry::parse(&object.bytes)
        .map_err(|e| Fault::InvalidInput(format!("registry {uri}: {e}; publish a handles registry there")))?;
    let text = std::str::from_utf8(&object.bytes).unwrap_or_default();
    let hits = secrets::scan_document("registry", text);
    let fact = RegistryFact::Read {
        object: object_ref(&uri.bucket, &uri.key, &object),
        handles: registry.len() as u64,
    };
    Ok((fact, Some((registry, hits))))
}

/// The machine of the registry's name, in the account and region of the machine that this execution runs on.
fn named_machine(input: &StepInput, handles: &HandleFacts) -> Option<StateMachineArn> {
    let name = handles.text(handles::SFN_PLATFORM_RUN_ORCHESTRATOR_V0).ok()?;
    let own = &input.state_machine;
    StateMachineArn::for_name(own.region(), own.account(), name, own.partition()).ok()
}

async fn ask_machine(ctx: &StepContext<'_>, handles: &HandleFacts) -> Result<Option<MachineAnswer>, Fault> {
    match named_machine(ctx.input, handles) {
        Some(arn) => ctx.orchestrator.machine(&arn).await.map(Some),
        None => Ok(None),
    }
}

async fn ask_bucket(ctx: &StepContext<'_>, handles: &HandleFacts) -> Result<Option<BucketFact>, Fault> {
    let Some(name) = handles
        .text(handles::S3_EVIDENCE_BUCKET)
        .ok()
        .and_then(|name| BucketName::parse(name).ok())
    else {
        return Ok(None);
    };
    Ok(Some(match ctx.store.posture(&name).await? {
        BucketPosture::Reachable { versioned: true } => BucketFact::Versioned,
        BucketPosture::Reachable { versioned: false } => BucketFact::Unversioned,
        BucketPosture::NotFound => BucketFact::NotFound,
        BucketPosture::Denied => BucketFact::Denied,
    }))
}
