//! M3.D Orchestrator entry and run lock: is this the orchestrator that the registry names, and is the run ours?
//! (contract section 7)

use p1_contract::artifacts::{
    CommandReceipt, OrchestratorCommandReceipts, OrchestratorReadinessSnapshot, RunLockPostureSnapshot,
};
use p1_contract::blocker::{Blocker, Finding};
use p1_contract::evidence::RunIds;
use p1_contract::handles::{self, FixedHandle, HandleFacts, HandleProblem};
use p1_contract::ids::{PlatformRunId, StateMachineArn};
use p1_contract::ledger::LedgerKind;
use p1_contract::observations::MachineAnswer;
use p1_contract::observations::orchestrator_readiness::{LedgerFact, Observed};
use p1_contract::request::StepInput;
use p1_contract::scope::is_env_key;
use p1_contract::step::Step;
use p1_runtime::{Author, Evaluation, Fault, StepContext, StepLogic, run_ledger};

/// The step.
#[derive(Debug, Clone, Copy)]
pub struct OrchestratorReadiness;

const AUTHORITY: &str = "step_functions_only";

impl StepLogic for OrchestratorReadiness {
    const STEP: Step = Step::OrchestratorReadiness;
    type Observed = Observed;

    async fn observe(&self, ctx: &StepContext<'_>) -> Result<Observed, Fault> {
        let (digest, registry) = futures_util::try_join!(ctx.upstream(Step::ConfigDigest), ctx.pinned_registry())?;
        let registry = registry.map_err(|why| Fault::internal("read the pinned registry", why))?;
        let names = handles::names_read_by(Step::OrchestratorReadiness, ctx.environment());
        let handles = HandleFacts::read(&registry, &names);
        let run = digest.header.run();
        let (machine, ledger) = futures_util::try_join!(ask_machine(ctx, &handles), read_ledger(ctx, &run))?;
        Ok(Observed {
            run,
            handles,
            machine,
            ledger,
        })
    }

    fn evaluate(&self, input: &StepInput, observed: &Observed) -> Result<Evaluation, Fault> {
        let findings = [
            handle_findings(input, observed),
            machine_findings(input, observed),
            lock_findings(input, observed),
        ]
        .concat();
        let author = Author::new(input, Step::OrchestratorReadiness, observed.run.clone());
        let wave = vec![
            author.artifact(snapshot(observed, findings.is_empty()))?,
            author.artifact(posture(input, observed))?,
            author.artifact(OrchestratorCommandReceipts {
                receipts: receipts(observed),
            })?,
        ];
        Ok(Evaluation {
            findings,
            waves: vec![wave],
            run: observed.run.clone(),
            ..Evaluation::default()
        })
    }
}

async fn ask_machine(ctx: &StepContext<'_>, handles: &HandleFacts) -> Result<Option<MachineAnswer>, Fault> {
    let Ok(name) = handles.text(handles::SFN_PLATFORM_RUN_ORCHESTRATOR_V0) else {
        return Ok(None);
    };
    let own = &ctx.input.state_machine;
    match StateMachineArn::for_name(own.region(), own.account(), name, own.partition()) {
        Ok(arn) => ctx.orchestrator.machine(&arn).await.map(Some),
        Err(_) => Ok(None),
    }
}

async fn read_ledger(ctx: &StepContext<'_>, run: &RunIds) -> Result<LedgerFact, Fault> {
    let ledger = match &run.platform_run_id {
        Some(run) => run_ledger::read(ctx, run).await?,
        None => Err("the chain has closed no run id".to_owned()),
    };
    let read = ledger.as_ref().ok();
    let head = read.and_then(|ledger| ledger.head());
    Ok(LedgerFact {
        records: read.map_or(0, |ledger| u32::try_from(ledger.records().len()).unwrap_or(u32::MAX)),
        head_sequence: head.map(|head| head.sequence),
        head_kind: head.map(|head| head.kind),
        head_holder: head.map(|head| head.holder.clone()),
        problem: ledger.err(),
    })
}

fn handle_findings(input: &StepInput, observed: &Observed) -> Vec<Finding> {
    let handles = &observed.handles;
    let mut findings = Vec::new();
    for key in handles::names_read_by(Step::OrchestratorReadiness, &input.settings.environment) {
        if let Err(HandleProblem { key, problem }) = handles.text(key) {
            findings.push(Blocker::OrchestratorHandleInvalid.on(key, problem));
        }
    }
    if let Ok(authority) = handles.text(handles::SR_READY_COMMIT_AUTHORITY)
        && authority != AUTHORITY
    {
        let detail = format!("`{authority}` is not allowed, expected {AUTHORITY}");
        findings.push(Blocker::OrchestratorHandleInvalid.on(handles::SR_READY_COMMIT_AUTHORITY, detail));
    }
    let key = handles::REQUIRED_PLATFORM_RUN_ID_ENV_KEY;
    if handles.text(key).is_ok_and(|name| !is_env_key(name)) {
        findings.push(Blocker::RunScopeKeyInvalid.on(key, "is not the name of an environment variable"));
    }
    findings
}

fn machine_findings(input: &StepInput, observed: &Observed) -> Vec<Finding> {
    let Ok(name) = observed.handles.text(handles::SFN_PLATFORM_RUN_ORCHESTRATOR_V0) else {
        return Vec::new();
    };
    let unavailable = |why: String| vec![Blocker::StateMachineUnavailable.on(name, why)];
    let (arn, status, role) = match &observed.machine {
        Some(MachineAnswer::Found {
            arn, status, role_arn, ..
        }) => (arn, status, role_arn),
        Some(MachineAnswer::NotFound) => return unavailable("there is no state machine of that name here".to_owned()),
        Some(MachineAnswer::Denied) => return unavailable("the state machine may not be queried".to_owned()),
        None => return unavailable("is no name of a state machine".to_owned()),
    };
    if status != "ACTIVE" {
        return unavailable(format!("the state machine is {status}, not ACTIVE"));
    }
    let mut findings = Vec::new();
    if arn != input.state_machine.as_str() {
        let detail = format!("this execution runs on {}", input.state_machine);
        findings.push(Blocker::ForeignStateMachine.on(arn.as_str(), detail));
    }
    if let Ok(expected) = observed.handles.text(handles::ROLE_STEP_FUNCTIONS_ORCHESTRATOR)
        && expected != role
    {
        let detail = format!("the state machine runs as {role}, the registry names {expected}");
        findings.push(Blocker::RoleMismatch.on(handles::ROLE_STEP_FUNCTIONS_ORCHESTRATOR, detail));
    }
    findings
}

fn is_ours(input: &StepInput, ledger: &LedgerFact) -> bool {
    ledger.problem.is_none()
        && ledger.head_kind == Some(LedgerKind::Acquired)
        && ledger.head_holder.as_ref() == Some(&input.execution)
}

fn lock_findings(input: &StepInput, observed: &Observed) -> Vec<Finding> {
    let ledger = &observed.ledger;
    if is_ours(input, ledger) {
        return Vec::new();
    }
    let detail = match (&ledger.problem, &ledger.head_holder, ledger.head_kind) {
        (Some(why), ..) => why.clone(),
        (None, Some(holder), Some(LedgerKind::Acquired)) => format!("the ledger is held by {holder}"),
        (None, Some(holder), _) => format!("{holder} has committed a verdict"),
        (None, None, _) => "the run has no ledger".to_owned(),
    };
    vec![Blocker::RunLockNotOurs.on("ledger", detail)]
}

fn snapshot(observed: &Observed, overall_pass: bool) -> OrchestratorReadinessSnapshot {
    let text = |key: FixedHandle| observed.handles.text(key).ok().map(str::to_owned);
    let (arn, role) = match &observed.machine {
        Some(MachineAnswer::Found { arn, role_arn, .. }) => (Some(arn.clone()), Some(role_arn.clone())),
        _ => (None, None),
    };
    let expected = text(handles::ROLE_STEP_FUNCTIONS_ORCHESTRATOR);
    OrchestratorReadinessSnapshot {
        resolved_state_machine_name: text(handles::SFN_PLATFORM_RUN_ORCHESTRATOR_V0),
        resolved_state_machine_arn: arn,
        sr_ready_commit_authority: text(handles::SR_READY_COMMIT_AUTHORITY),
        required_platform_run_id_env_key: text(handles::REQUIRED_PLATFORM_RUN_ID_ENV_KEY),
        role_alignment_pass: role.is_some() && role == expected,
        configured_role_arn: role,
        expected_role_arn: expected,
        overall_pass,
    }
}

fn posture(input: &StepInput, observed: &Observed) -> RunLockPostureSnapshot {
    let ledger = &observed.ledger;
    RunLockPostureSnapshot {
        mechanism: "create_only_ledger_in_s3".to_owned(),
        execution_arn: input.execution.clone(),
        ledger_records: ledger.records,
        head_sequence: ledger.head_sequence,
        head_kind: ledger.head_kind,
        head_holder: ledger.head_holder.clone(),
        held_by_this_execution: is_ours(input, ledger),
        fail_closed_behavior: "hold with M3D-B4; only an execution that Step Functions says has ended is succeeded"
            .to_owned(),
    }
}

fn receipts(observed: &Observed) -> Vec<CommandReceipt> {
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
    let run = observed
        .run
        .platform_run_id
        .as_ref()
        .map(PlatformRunId::ledger_prefix)
        .unwrap_or_default();
    let ledger = observed
        .ledger
        .problem
        .clone()
        .unwrap_or_else(|| format!("{} records", observed.ledger.records));
    vec![
        CommandReceipt::new("M3D-V1-STATE-MACHINE", "states:DescribeStateMachine", name, machine),
        CommandReceipt::new("M3D-V2-RUN-LOCK", "s3:ListObjectsV2", run, ledger),
    ]
}
