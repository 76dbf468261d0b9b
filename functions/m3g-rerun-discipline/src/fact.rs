//! What both duties learn in the same way: facts that may not be there, and today's registry.

use p1_contract::handles::{self, HandleFacts};
use p1_contract::hash::Sha256Hex;
use p1_contract::identity::DigestInput;
use p1_contract::observations::{Learned, TodaysRegistry};
use p1_contract::registry;
use p1_contract::screen::{Deployment, ReadStack, screen};
use p1_runtime::store::{REGISTRY_LIMIT, Read, object_ref};
use p1_runtime::{Fault, StepContext};

/// Reads the latest registry, which so becomes an input of this phase execution, and holds it to what a start would ask of it, with
/// these stack outputs.
pub(crate) async fn todays_registry(
    ctx: &StepContext<'_>,
    keys: &[String],
    stacks: &[ReadStack],
) -> Result<Learned<TodaysRegistry>, Fault> {
    let uri = &ctx.settings().registry;
    let object = match ctx.read(&uri.bucket, &uri.key, None, REGISTRY_LIMIT).await? {
        Read::Found(object) => object,
        Read::NotFound => return Ok(Learned::Problem(format!("there is no registry at {uri}"))),
        Read::Denied => return Ok(Learned::Problem(format!("the registry at {uri} may not be read"))),
        Read::TooLarge(bytes) => {
            return Ok(Learned::Problem(format!(
                "the registry at {uri} has {bytes} bytes, more than {REGISTRY_LIMIT}"
            )));
        }
    };
    let reference = object_ref(&uri.bucket, &uri.key, &object);
    let parsed = registry::parse(&object.bytes).map_err(|e| e.to_string());
    let deployment = Deployment {
        environment: ctx.environment(),
        evidence_bucket: ctx.bucket(),
        state_machine: &ctx.input.state_machine,
    };
    let text = std::str::from_utf8(&object.bytes).unwrap_or_default();
    Ok(Learned::from(parsed).map(|registry| TodaysRegistry {
        object: reference,
        handles: HandleFacts::read(&registry, keys),
        objections: screen(&registry, text, deployment, stacks),
    }))
}

/// `config_digest` as today's handles give it, or the handle that prevents it and how.
pub(crate) fn config_digest(registry: &TodaysRegistry) -> Result<(DigestInput, Sha256Hex), (String, String)> {
    let input = DigestInput::from_handles(&registry.handles).map_err(|problem| (problem.key, problem.problem))?;
    match input.digest() {
        Ok(digest) => Ok((input, digest)),
        Err(error) => Err((handles::ORACLE_SORT_KEY_BY_OUTPUT_ID.into(), error.to_string())),
    }
}
