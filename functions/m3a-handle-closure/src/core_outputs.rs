//! V6: registry, stack outputs and deployment say the same, and what M3.A claims of a handle is checked.

use std::collections::BTreeMap;

use p1_contract::blocker::{Blocker, Finding};
use p1_contract::exact::Exact;
use p1_contract::handles::{self, FixedHandle, REQUIRED, SourceClass, VerificationMethod, source_class};
use p1_contract::ids::IamPrincipalArn;
use p1_contract::observations::MachineAnswer;
use p1_contract::observations::handle_closure::{BucketFact, Observed, RegistryFact, StackClaim};
use p1_contract::request::StepInput;

/// The handles that name fields of evidence, and the names that evidence has.
const FIELDS: [(FixedHandle, &str); 3] = [
    (handles::FIELD_PLATFORM_RUN_ID, "platform_run_id"),
    (handles::FIELD_SCENARIO_RUN_ID, "scenario_run_id"),
    (handles::FIELD_CONFIG_DIGEST, "config_digest"),
];

/// What came of V6.
pub(crate) struct CoreOutputs {
    pub(crate) findings: Vec<Finding>,
    /// How many values of stack outputs were held against a handle.
    pub(crate) compared: usize,
}

impl CoreOutputs {
    pub(crate) fn of(input: &StepInput, observed: &Observed) -> Self {
        let mut findings = Vec::new();
        for key in &observed.contradictions {
            findings
                .push(Blocker::HandleContradiction.on(key.as_str(), "the registry declares it with different values"));
        }
        findings.extend(Blocker::HandleContradiction.left_out(observed.contradictions_left_out));
        let compared = against_stacks(observed, &mut findings);
        findings.extend(field_names(observed));
        findings.extend(apply_role(input, observed));
        findings.extend(foreign_deployment(input, observed));
        CoreOutputs { findings, compared }
    }
}

/// Holds every value that a stack outputs against its handle.
fn against_stacks(observed: &Observed, findings: &mut Vec<Finding>) -> usize {
    let mut compared = 0;
    let mut is_readable = true;
    for stack in &observed.stack_outputs {
        if let Some(why) = &stack.unreadable {
            is_readable = false;
            let detail = format!("INCONCLUSIVE: the stack outputs cannot be held against the registry: {why}");
            findings.push(Blocker::HandleContradiction.on(stack.uri.as_str(), detail));
        }
        for claim in &stack.claims {
            let Some((registry, output)) = pair(observed, claim) else {
                continue;
            };
            compared += 1;
            if !registry.agrees_with(&output) {
                let detail = format!(
                    "the registry says `{}`, output {} of {} says `{}`",
                    registry.shown(),
                    claim.output,
                    stack.uri,
                    output.shown()
                );
                findings.push(Blocker::HandleContradiction.on(claim.handle.as_str(), detail));
            }
        }
    }
    // A document that cannot be read, and a registry that is not there, have their own blockers.
    let is_asked = !observed.stack_outputs.is_empty() && matches!(observed.registry, RegistryFact::Read { .. });
    if is_asked && is_readable && compared == 0 {
        let uris: Vec<&str> = observed.stack_outputs.iter().map(|stack| stack.uri.as_str()).collect();
        let detail = "INCONCLUSIVE: the stack outputs give no value for any handle that the registry has a value for, so nothing \
                      was compared; publish the outputs that the registry's handles are named after, or configure none";
        findings.push(Blocker::HandleContradiction.on(uris.join(", "), detail));
    }
    compared
}

/// What the registry and the stack say of one handle, where both say something.
fn pair(observed: &Observed, claim: &StackClaim) -> Option<(Exact, Exact)> {
    let value = observed.handles.value(&claim.handle).ok()?;
    let output = claim.exact();
    if output == Exact::Null {
        return None;
    }
    let is_decimal = observed.decimals.contains(&claim.handle);
    let numbers = if is_decimal { vec![String::new()] } else { Vec::new() };
    Some((Exact::of_written(value, &numbers, &[]), output))
}

/// Later steps and phases find the ids under the names that evidence has, whatever the registry calls them.
fn field_names(observed: &Observed) -> Vec<Finding> {
    FIELDS
        .into_iter()
        .filter_map(|(key, name)| {
            let value = observed.handles.value(key).ok()?;
            (value.as_str() != Some(name)).then(|| {
                let said = Exact::of_written(value, &[], &[]).shown();
                Blocker::HandleContradiction.on(key, format!("is {said}, but evidence has the field under `{name}`"))
            })
        })
        .collect()
}

/// Whoever applies the platform is a role or a user of this account.
fn apply_role(input: &StepInput, observed: &Observed) -> Option<Finding> {
    let key = handles::ROLE_TERRAFORM_APPLY.name(&input.settings.environment);
    let value = observed.handles.value(&key).ok()?;
    let own = &input.state_machine;
    let problem = match value.as_str().map(IamPrincipalArn::parse) {
        Some(Ok(arn)) if arn.account() != own.account() => {
            format!("is of another account than this execution's {}", own.account())
        }
        Some(Ok(arn)) if arn.partition() != own.partition() => {
            format!("is of another partition than this execution's {}", own.partition())
        }
        Some(Ok(_)) => return None,
        Some(Err(error)) => error.to_string(),
        None => "is not a text, and so not the ARN of an IAM role or user".to_owned(),
    };
    Some(Blocker::HandleContradiction.on(key, problem))
}

/// A bucket or an orchestrator that is there, but is not the deployment's.
fn foreign_deployment(input: &StepInput, observed: &Observed) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own_bucket = &observed.deployment.evidence_bucket;
    if let Ok(name) = observed.handles.text(handles::S3_EVIDENCE_BUCKET) {
        let answers = matches!(observed.bucket, Some(BucketFact::Versioned | BucketFact::Unversioned));
        if answers && name != own_bucket.as_str() {
            let detail = format!("is not the deployment's evidence bucket {own_bucket}");
            findings.push(Blocker::HandleContradiction.on(name, detail));
        }
    }
    if let Some(MachineAnswer::Found { arn, .. }) = &observed.machine
        && arn != input.state_machine.as_str()
    {
        let detail = format!("is not the orchestrator of this execution, {}", input.state_machine);
        findings.push(Blocker::HandleContradiction.on(arn.as_str(), detail));
    }
    findings
}

/// By what each required handle was verified. `asked` says whether AWS has confirmed the one that it was asked about.
pub(crate) fn methods(
    input: &StepInput,
    observed: &Observed,
    findings: &[Finding],
    asked: impl Fn(&str) -> bool,
) -> BTreeMap<String, VerificationMethod> {
    let environment = &input.settings.environment;
    let apply_role = handles::ROLE_TERRAFORM_APPLY.name(environment);
    let agreed = |key: &str| {
        let mut claims = observed.stack_outputs.iter().flat_map(|stack| &stack.claims);
        claims.any(|claim| claim.handle == key && pair(observed, claim).is_some_and(|(one, two)| one.agrees_with(&two)))
    };
    let method = |key: &str| {
        let is_objected = findings.iter().any(|finding| finding.subject == key);
        if observed.handles.value(key).is_err() || is_objected {
            return VerificationMethod::NotVerified;
        }
        let is_control_plane = source_class(key) == SourceClass::StackOutputOrControlPlane;
        match (agreed(key), is_control_plane) {
            (_, true) if !asked(key) => VerificationMethod::NotVerified,
            (true, true) => VerificationMethod::StackOutputAndControlPlane,
            (true, false) => VerificationMethod::StackOutput,
            (false, true) => VerificationMethod::ControlPlane,
            (false, false) if FIELDS.iter().any(|(field, _)| field.as_ref() == key) => {
                VerificationMethod::EvidenceFieldName
            }
            (false, false) if key == apply_role => VerificationMethod::PrincipalArn,
            (false, false) => VerificationMethod::RegistryAlone,
        }
    };
    let required = handles::names(&REQUIRED, environment);
    required.into_iter().map(|key| (key.clone(), method(&key))).collect()
}
