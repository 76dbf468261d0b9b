//! The verdict of M3.A: checks V1 … V6 over the observations.

use std::collections::BTreeMap;

use p1_contract::artifacts::{
    CheckStatus, CommandReceipt, HandleBlockerRegister, HandleClosureSnapshot, HandleCommandReceipts,
    RegisteredBlocker, VerificationResult,
};
use p1_contract::blocker::{Blocker, Finding, settle};
use p1_contract::evidence::RunIds;
use p1_contract::handles::{self, FixedHandle, HandleStatus, REQUIRED, VerificationMethod};
use p1_contract::observations::MachineAnswer;
use p1_contract::observations::handle_closure::{BucketFact, Observed, RegistryFact};
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_runtime::{Author, Evaluation, Fault};

use crate::core_outputs::{CoreOutputs, methods};
use crate::m2_receipt;

const V1: &str = "M3A-V1-HANDLE-EXISTS";
const V2: &str = "M3A-V2-PLACEHOLDER-GUARD";
const V3: &str = "M3A-V3-M2-HANDOFF";
const V4: &str = "M3A-V4-SFN-QUERY";
const V5: &str = "M3A-V5-EVIDENCE-BUCKET";
const V6: &str = "M3A-V6-CORE-OUTPUTS";

/// Findings, check by check.
struct Checks {
    handles: Vec<Finding>,
    placeholders: Vec<Finding>,
    handoff: Vec<Finding>,
    orchestrator: Vec<Finding>,
    bucket: Vec<Finding>,
    outputs: CoreOutputs,
    secrets: Vec<Finding>,
}

pub(crate) fn evaluate(input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
    let required = handles::names(&REQUIRED, &input.settings.environment);
    let checks = Checks {
        handles: existing(&required, observed),
        placeholders: unresolved(&required, observed),
        handoff: handoff(observed),
        orchestrator: orchestrator(observed),
        bucket: bucket(observed),
        outputs: CoreOutputs::of(input, observed),
        secrets: secrets(observed),
    };
    let results = verification(&required, observed, &checks);
    let methods = methods(input, observed, &checks.outputs.findings, |key| {
        is_confirmed(input, observed, &checks, key)
    });
    let findings = settle(
        [
            checks.handles,
            checks.placeholders,
            checks.handoff,
            checks.orchestrator,
            checks.bucket,
            checks.outputs.findings,
            checks.secrets,
        ]
        .concat(),
    );
    let pass = findings.is_empty();
    let author = Author::new(input, Step::HandleClosure, RunIds::default());
    let wave = vec![
        author.artifact(snapshot(input, required, observed, (results, methods), pass))?,
        author.artifact(HandleBlockerRegister {
            blockers: findings.iter().map(RegisteredBlocker::from).collect(),
            overall_pass: pass,
        })?,
        author.artifact(HandleCommandReceipts {
            receipts: receipts(input, observed),
        })?,
    ];
    Ok(Evaluation {
        findings,
        waves: vec![wave],
        ..Evaluation::default()
    })
}

/// V1: a registry that is not there is one cause, and one blocker.
fn existing(required: &[String], observed: &Observed) -> Vec<Finding> {
    let uri = &observed.deployment.registry_uri;
    match &observed.registry {
        RegistryFact::Missing => vec![Blocker::HandleMissing.on(uri.as_str(), "the registry is not there")],
        RegistryFact::Denied => vec![Blocker::HandleMissing.on(uri.as_str(), "the registry may not be read")],
        RegistryFact::Read { .. } => of_status(required, observed, &[HandleStatus::Missing], Blocker::HandleMissing),
    }
}

/// V2.
fn unresolved(required: &[String], observed: &Observed) -> Vec<Finding> {
    let open = [HandleStatus::Placeholder, HandleStatus::Unresolved];
    of_status(required, observed, &open, Blocker::HandleUnresolved)
}

/// What is wrong with the required handles of these states.
fn of_status(required: &[String], observed: &Observed, states: &[HandleStatus], code: Blocker) -> Vec<Finding> {
    let handles = &observed.handles;
    let those = required.iter().filter(|key| states.contains(&handles.status(key)));
    those
        .filter_map(|key| handles.value(key).err())
        .map(|problem| code.on(problem.key, problem.problem))
        .collect()
}

/// V3.
fn handoff(observed: &Observed) -> Vec<Finding> {
    let Some(receipt) = &observed.m2_receipt else {
        return vec![Blocker::M2HandoffNotGreen.on("m2_handoff", "the execution input names no receipt")];
    };
    let objections = m2_receipt::objections(receipt);
    if objections.is_empty() {
        return Vec::new();
    }
    vec![Blocker::M2HandoffNotGreen.on(receipt.key.as_str(), objections.join("; "))]
}

/// V4: the machine of the registry's name is there and ACTIVE. That it is this one is V6's business.
fn orchestrator(observed: &Observed) -> Vec<Finding> {
    let Ok(name) = observed.handles.text(handles::SFN_PLATFORM_RUN_ORCHESTRATOR_V0) else {
        return Vec::new();
    };
    let problem = match &observed.machine {
        Some(MachineAnswer::Found { status, .. }) if status == "ACTIVE" => return Vec::new(),
        Some(MachineAnswer::Found { status, .. }) => format!("the state machine is {status}, not ACTIVE"),
        Some(MachineAnswer::NotFound) => "there is no state machine of that name here".to_owned(),
        Some(MachineAnswer::Denied) => "the state machine may not be queried".to_owned(),
        None => "is no name of a state machine".to_owned(),
    };
    vec![Blocker::OrchestratorUnavailable.on(name, problem)]
}

/// V5.
fn bucket(observed: &Observed) -> Vec<Finding> {
    let Ok(name) = observed.handles.text(handles::S3_EVIDENCE_BUCKET) else {
        return Vec::new();
    };
    let own = name == observed.deployment.evidence_bucket.as_str();
    let problem = match observed.bucket {
        Some(BucketFact::Versioned) => return Vec::new(),
        Some(BucketFact::Unversioned) if own => "the bucket is not versioned",
        // Another bucket that answers is a contradiction (V6), whatever it is like.
        Some(BucketFact::Unversioned) => return Vec::new(),
        Some(BucketFact::NotFound) => "there is no bucket of that name",
        Some(BucketFact::Denied) => "the bucket may not be queried",
        None => "is no bucket name",
    };
    vec![Blocker::EvidenceBucketUnfit.on(name, problem)]
}

fn secrets(observed: &Observed) -> Vec<Finding> {
    let finding = |hit: &p1_contract::secrets::SecretHit| {
        Blocker::HandleClosureSecret.on(hit.place.as_str(), format!("holds secret material: rule {}", hit.rule))
    };
    let found = observed.secrets.iter().map(finding);
    found
        .chain(Blocker::HandleClosureSecret.left_out(observed.secrets_left_out))
        .collect()
}

/// Whether AWS has confirmed what the handle names, and that it is the deployment's.
fn is_confirmed(input: &StepInput, observed: &Observed, checks: &Checks, key: &str) -> bool {
    match (key, &observed.machine) {
        (key, _) if key == handles::S3_EVIDENCE_BUCKET.as_ref() => {
            checks.bucket.is_empty() && observed.handles.text(key) == Ok(observed.deployment.evidence_bucket.as_str())
        }
        (_, Some(MachineAnswer::Found { arn, .. })) => {
            checks.orchestrator.is_empty() && arn == input.state_machine.as_str()
        }
        _ => false,
    }
}

fn verification(required: &[String], observed: &Observed, checks: &Checks) -> Vec<VerificationResult> {
    let check = |id: &str, findings: &[Finding], held: String| {
        let (status, detail) = match findings.first() {
            None => (CheckStatus::Pass, held),
            Some(first) => {
                // What could not be learned is reported as a contradiction only beside one.
                let is_inconclusive = findings
                    .iter()
                    .all(|finding| finding.detail.starts_with("INCONCLUSIVE"));
                let status = if is_inconclusive {
                    CheckStatus::Inconclusive
                } else {
                    CheckStatus::Fail
                };
                (status, format!("{}: {}", first.subject, first.detail))
            }
        };
        VerificationResult::new(id, status, detail)
    };
    let resolved = required
        .iter()
        .filter(|key| observed.handles.value(key).is_ok())
        .count();
    // A check whose question could not be asked, because the handle has no value, has not passed.
    let named = |check: VerificationResult, key: FixedHandle| {
        if observed.handles.value(key).is_ok() {
            check
        } else {
            let detail = format!("not asked: {key} has no value");
            VerificationResult::new(&check.check, CheckStatus::Inconclusive, detail)
        }
    };
    let outputs = if observed.stack_outputs.is_empty() && checks.outputs.findings.is_empty() {
        let detail = "the deployment configures no stack outputs; verification_method_by_handle says by what each handle was verified";
        VerificationResult::new(V6, CheckStatus::NotConfigured, detail)
    } else {
        let held = format!(
            "{} values of {} stacks agree",
            checks.outputs.compared,
            observed.stack_outputs.len()
        );
        check(V6, &checks.outputs.findings, held)
    };
    vec![
        check(
            V1,
            &checks.handles,
            format!("{} required handles are declared", required.len()),
        ),
        check(
            V2,
            &checks.placeholders,
            format!("{resolved} of {} required handles have a value", required.len()),
        ),
        check(V3, &checks.handoff, "the M2 receipt is green".to_owned()),
        named(
            check(V4, &checks.orchestrator, "the state machine is ACTIVE".to_owned()),
            handles::SFN_PLATFORM_RUN_ORCHESTRATOR_V0,
        ),
        named(
            check(
                V5,
                &checks.bucket,
                "the evidence bucket answers and is versioned".to_owned(),
            ),
            handles::S3_EVIDENCE_BUCKET,
        ),
        outputs,
    ]
}

fn snapshot(
    input: &StepInput,
    required: Vec<String>,
    observed: &Observed,
    (results, methods): (Vec<VerificationResult>, BTreeMap<String, VerificationMethod>),
    overall_pass: bool,
) -> HandleClosureSnapshot {
    let facts = &observed.handles;
    let keys = |status: &[HandleStatus]| -> Vec<String> {
        required
            .iter()
            .filter(|key| status.contains(&facts.status(key)))
            .cloned()
            .collect()
    };
    let resolved: BTreeMap<_, _> = required
        .iter()
        .filter_map(|key| facts.value(key).ok().map(|value| (key.clone(), value.clone())))
        .collect();
    HandleClosureSnapshot {
        resolved_handles: resolved,
        unresolved_handles: keys(&[
            HandleStatus::Missing,
            HandleStatus::Unresolved,
            HandleStatus::Placeholder,
            HandleStatus::Contradiction,
        ]),
        placeholder_handles: keys(&[HandleStatus::Placeholder]),
        source_class_by_handle: required
            .iter()
            .map(|key| (key.clone(), handles::source_class(key)))
            .collect(),
        verification_method_by_handle: Some(methods),
        verification_results: results,
        decision_completeness: handles::names_read_by_any(&input.settings.environment)
            .into_iter()
            .map(|key| (key.clone(), facts.status(&key)))
            .collect(),
        required_handles: required,
        overall_pass,
    }
}

fn receipts(input: &StepInput, observed: &Observed) -> Vec<CommandReceipt> {
    let uri = &observed.deployment.registry_uri;
    let registry = match &observed.registry {
        RegistryFact::Read { object, handles } => format!("{handles} handles, sha256 {}", object.sha256),
        RegistryFact::Missing => "NotFound".to_owned(),
        RegistryFact::Denied => "AccessDenied".to_owned(),
    };
    let mut receipts = vec![
        CommandReceipt::new(V1, "s3:GetObject", uri.as_str(), registry.as_str()),
        CommandReceipt::new(V2, "s3:GetObject", uri.as_str(), registry),
    ];
    if let Some(receipt) = &observed.m2_receipt {
        let outcome = receipt.unreadable.clone().unwrap_or_else(|| "read".to_owned());
        let target = format!("s3://{}/{}", observed.deployment.evidence_bucket, receipt.key);
        receipts.push(CommandReceipt::new(V3, "s3:GetObject", target, outcome));
    }
    let machine = match &observed.machine {
        Some(MachineAnswer::Found { status, .. }) => status.clone(),
        Some(MachineAnswer::NotFound) => "NotFound".to_owned(),
        Some(MachineAnswer::Denied) => "AccessDenied".to_owned(),
        None => "not asked".to_owned(),
    };
    let name = observed
        .handles
        .text(handles::SFN_PLATFORM_RUN_ORCHESTRATOR_V0)
        .unwrap_or("");
    let target = format!(
        "{name} in {} of {}",
        input.state_machine.region(),
        input.state_machine.account()
    );
    receipts.push(CommandReceipt::new(V4, "states:DescribeStateMachine", target, machine));
    let bucket = match observed.bucket {
        Some(BucketFact::Versioned) => "versioned",
        Some(BucketFact::Unversioned) => "not versioned",
        Some(BucketFact::NotFound) => "NotFound",
        Some(BucketFact::Denied) => "AccessDenied",
        None => "not asked",
    };
    let name = observed.handles.text(handles::S3_EVIDENCE_BUCKET).unwrap_or("");
    receipts.push(CommandReceipt::new(V5, "s3:GetBucketVersioning", name, bucket));
    for stack in &observed.stack_outputs {
        let outcome = stack
            .unreadable
            .clone()
            .unwrap_or_else(|| format!("{} values", stack.claims.len()));
        receipts.push(CommandReceipt::new(V6, "s3:GetObject", stack.uri.as_str(), outcome));
    }
    receipts
}
