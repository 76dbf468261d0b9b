//! What both duties learn in the same way: facts that may not be there, and today's registry.

use p1_contract::handles::{self, HandleFacts, HandleProblem};
use p1_contract::hash::Sha256Hex;
use p1_contract::identity::DigestInput;
use p1_contract::observations::{Learned, TodaysRegistry};
use p1_contract::registry;
use p1_contract::screen::{Deployment, ReadStack, screen};
use p1_runtime::store::{Object, REGISTRY_LIMIT, Read, object_ref};
use p1_runtime::{Fault, StepContext};

/// Reads the latest registry, which so becomes an input of this phase execution, and holds it to what a start would ask of it, with
/// these stack outputs.
pub(crate) async fn todays_registry(
    ctx: &StepContext<'_>,
    keys: &[String],
    stacks: &[ReadStack],
) -> Result<Learned<TodaysRegistry>, Fault> {
    let uri = &ctx.settings().registry;
    let why = match ctx.read(&uri.bucket, &uri.key, None, REGISTRY_LIMIT).await? {
        Read::Found(object) => return Ok(judged(ctx, &object, keys, stacks)),
        Read::NotFound => format!("there is no registry at {uri}"),
        Read::Denied => format!("the registry at {uri} may not be read"),
        Read::TooLarge(bytes) => format!("the registry at {uri} has {bytes} bytes, more than {REGISTRY_LIMIT}"),
    };
    Ok(Learned::Problem(why))
}

fn judged(ctx: &StepContext<'_>, object: &Object, keys: &[String], stacks: &[ReadStack]) -> Learned<TodaysRegistry> {
    let uri = &ctx.settings().registry;
    let parsed = registry::parse(&object.bytes).map_err(|e| e.to_string());
    let deployment = Deployment {
        environment: ctx.environment(),
        evidence_bucket: ctx.bucket(),
        state_machine: &ctx.input.state_machine,
    };
    let text = std::str::from_utf8(&object.bytes).unwrap_or_default();
    Learned::from(parsed).map(|registry| TodaysRegistry {
        object: object_ref(&uri.bucket, &uri.key, object),
        handles: HandleFacts::read(&registry, keys),
        objections: screen(&registry, text, deployment, stacks),
    })
}

/// `config_digest` as today's handles give it, or the handle that prevents it and how.
pub(crate) fn config_digest(registry: &TodaysRegistry) -> Result<(DigestInput, Sha256Hex), HandleProblem> {
    let input = DigestInput::from_handles(&registry.handles)?;
    let digest = input.digest().map_err(|error| HandleProblem {
        key: handles::ORACLE_SORT_KEY_BY_OUTPUT_ID.into(),
        problem: error.to_string(),
    })?;
    Ok((input, digest))
}
