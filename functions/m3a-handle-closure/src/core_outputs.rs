//! V6: registry, stack outputs and deployment say the same, and what M3.A claims of a handle is checked.

use std::collections::BTreeMap;

use p1_contract::blocker::{Blocker, Finding};
use p1_contract::handles::{self, REQUIRED, SourceClass, VerificationMethod, source_class};
use p1_contract::observations::MachineAnswer;
use p1_contract::observations::handle_closure::{BucketFact, Observed, RegistryFact};
use p1_contract::request::StepInput;
use p1_contract::screen::{FIELDS, apply_role, field_names};
use p1_contract::stack_outputs::Registered;

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
        let (objections, compared) = registered(observed).compare(&observed.stack_outputs);
        findings.extend(objections);
        findings.extend(field_names(&observed.handles));
        findings.extend(apply_role(
            &observed.handles,
            &input.settings.environment,
            &input.state_machine,
        ));
        findings.extend(foreign_deployment(input, observed));
        CoreOutputs { findings, compared }
    }
}

/// What the registry says, to hold stack outputs against it.
fn registered(observed: &Observed) -> Registered<'_> {
    let is_read = matches!(observed.registry, RegistryFact::Read { .. });
    Registered {
        handles: is_read.then_some(&observed.handles),
        decimals: &observed.decimals,
    }
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
    let role = handles::ROLE_TERRAFORM_APPLY.name(environment);
    let agreed = |key: &str| registered(observed).agrees(&observed.stack_outputs, key);
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
            (false, false) if key == role => VerificationMethod::PrincipalArn,
            (false, false) => VerificationMethod::RegistryAlone,
        }
    };
    let required = handles::names(&REQUIRED, environment);
    required.into_iter().map(|key| (key.clone(), method(&key))).collect()
}
