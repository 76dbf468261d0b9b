//! The platform in memory that the steps run on.
//!
//! It is right in everything that no document says: the state machine is ACTIVE and runs as the role that the registry names, the
//! evidence bucket is versioned and empty, M2 is green, this month has no spend yet, and whatever the registry points to can be read.
//! A bucket or a state machine that is not the deployment's is not there: the role of M3.A may ask about no other.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::{BehaviorVersion, SdkConfig};
use m3a_handle_closure::HandleClosure;
use m3b_run_identity::RunIdentity;
use m3c_config_digest::ConfigDigest;
use m3d_orchestrator_readiness::OrchestratorReadiness;
use m3e_run_publication::RunPublication;
use m3f_m4_handoff::M4Handoff;
use m3g_rerun_discipline::RerunDiscipline;
use m3h_cost_envelope::{CostEnvelope, CostExplorer};
use m3i_gate_rollup::GateRollup;
use m3j_phase_verdict::PhaseVerdictStep;
use p1_contract::artifacts::{BILLING_ARTIFACT, BillingArtifact};
use p1_contract::blocker::Finding;
use p1_contract::handles::{self, HandleFacts};
use p1_contract::ids::{BucketName, Environment, IamPrincipalArn, PhaseExecutionId, Stamp, StateMachineArn, UsdAmount};
use p1_contract::input::M2_RECEIPT_FILE;
use p1_contract::observations::MachineAnswer;
use p1_contract::reference::ClosureRef;
use p1_contract::registry;
use p1_contract::request::{Closures, Mode, StepResult, TaskCall};
use p1_contract::revision;
use p1_contract::secrets;
use p1_contract::settings::{Settings, SettingsFields};
use p1_contract::step::Step;
use p1_contract::strict::{Limits, parse_foreign};
use p1_runtime::store::{DOCUMENT_LIMIT, MemoryStore, Read, Store};
use p1_runtime::{Fault, FixedAnswers, Harness, Orchestrator, Summary};
use serde_json::{Value, json};

use crate::documents::{Inputs, Judged};

/// The bucket of the linted documents.
const DOCUMENTS: &str = "p1-lint-documents";
/// The evidence bucket, where neither the deployment nor the registry names one.
const EVIDENCE: &str = "p1-lint-evidence";
/// The state machine, where neither names one.
const MACHINE: &str = "p1-lint-orchestrator";
/// The account, where nothing names one.
const ACCOUNT: &str = "123456789012";
/// The key of the registry.
pub(crate) const REGISTRY: &str = "registry";
/// The key of the billing artifact.
pub(crate) const BILLING: &str = "billing";
/// The folder of M2's execution, where the receipt names none.
const M2_FOLDER: &str = "m2j_20260101T000000Z";

/// The key of the stack outputs with this index.
pub(crate) fn stack_key(index: usize) -> String {
    format!("stack-outputs-{index:04}")
}

/// The URI of a linted document, as findings name it.
pub(crate) fn uri(key: &str) -> String {
    format!("s3://{DOCUMENTS}/{key}")
}

/// How a run ends on the platform.
pub(crate) enum Ending {
    /// Every step passes.
    Advances,
    /// The first step that blocks, with its blockers.
    Held(Step, Vec<Finding>),
    /// A step reaches no verdict.
    Fault(Step, Fault),
}

/// What does not change while the documents are mended.
pub(crate) struct Platform {
    pub(crate) evidence_bucket: BucketName,
    pub(crate) state_machine: StateMachineArn,
    pub(crate) role: String,
    environment: Environment,
    at: Stamp,
    billing_region: String,
    /// The key of M2's receipt.
    pub(crate) receipt: String,
    names: BTreeMap<String, String>,
}

impl Platform {
    /// The platform that these documents are for.
    ///
    /// # Errors
    /// Fails if the names that are assumed are none: a defect of P1.
    pub(crate) fn assumed(inputs: &Inputs) -> Result<Self, Fault> {
        let environment = inputs.environment.clone();
        let registry = registry::parse(&inputs.registry.bytes).ok();
        let all = handles::names_read_by_any(&environment);
        let facts = registry
            .map(|registry| HandleFacts::read(&registry, &all))
            .unwrap_or_default();
        // A secret is no name: what it stands in would be refused before a step judges it.
        let text = |key: &str| {
            facts
                .text(key)
                .ok()
                .filter(|text| secrets::scan_text("", text).is_empty())
        };
        let principal = |key: &str| text(key).and_then(|text| IamPrincipalArn::parse(text).ok());

        let role = principal(handles::ROLE_STEP_FUNCTIONS_ORCHESTRATOR.as_str());
        let apply = principal(&handles::ROLE_TERRAFORM_APPLY.name(&environment));
        let owner = role.as_ref().or(apply.as_ref());
        let (account, partition) = owner.map_or((ACCOUNT, "aws"), |arn| (arn.account(), arn.partition()));
        let machine = |name: &str| StateMachineArn::for_name("eu-west-2", account, name, partition).ok();
        let named = text(handles::SFN_PLATFORM_RUN_ORCHESTRATOR_V0.as_str()).and_then(machine);
        let deployed = &inputs.deployed;
        let known = deployed.state_machine.clone().or(named).or_else(|| machine(MACHINE));
        let nameless = |why: String| Fault::internal("name the platform in memory", why);
        let state_machine = known.ok_or_else(|| nameless("it has no state machine".to_owned()))?;
        let is_own = |arn: &IamPrincipalArn| {
            arn.account() == state_machine.account()
                && arn.partition() == state_machine.partition()
                && arn.as_ref().contains(":role/")
        };
        let own = || role.filter(is_own).map(|arn| arn.to_string());
        let role = deployed.role.clone().or_else(own).unwrap_or_else(|| {
            let (partition, account) = (state_machine.partition(), state_machine.account());
            format!("arn:{partition}:iam::{account}:role/{MACHINE}")
        });
        let bucket = text(handles::S3_EVIDENCE_BUCKET.as_str()).and_then(|name| BucketName::parse(name).ok());
        let evidence_bucket = match deployed.evidence_bucket.clone().or(bucket) {
            Some(bucket) => bucket,
            None => BucketName::parse(EVIDENCE).map_err(|error| nameless(error.to_string()))?,
        };
        let receipt = receipt_folder(inputs);
        let receipt = format!("{}{receipt}/{M2_RECEIPT_FILE}", environment.run_control_root());
        let stacks = inputs.stack_outputs.iter().enumerate();
        let documents = stacks
            .map(|(index, document)| (uri(&stack_key(index)), document))
            .chain([(uri(REGISTRY), &inputs.registry)])
            .chain(inputs.billing.iter().map(|document| (uri(BILLING), document)))
            .chain(inputs.m2_receipt.iter().map(|document| (receipt.clone(), document)));
        let names = documents.map(|(uri, document)| (uri, document.name.clone())).collect();
        Ok(Platform {
            evidence_bucket,
            state_machine,
            role,
            at: inputs.at,
            billing_region: text(handles::AWS_BILLING_REGION.as_str())
                .unwrap_or("us-east-1")
                .to_owned(),
            environment,
            receipt,
            names,
        })
    }

    /// Text of a step, with the names of the linted documents in place of where they lie in memory.
    pub(crate) fn named(&self, text: &str) -> String {
        let mut named = text.to_owned();
        for (uri, name) in &self.names {
            named = named.replace(uri.as_str(), name);
        }
        named
    }

    /// Lets a run take place, step by step, up to the first that blocks.
    pub(crate) async fn run(&self, documents: &Judged) -> Ending {
        let first = Step::HandleClosure;
        let (settings, store) = match (self.settings(documents), self.store(documents)) {
            (Ok(settings), Ok(store)) => (settings, store),
            (Err(fault), _) | (_, Err(fault)) => return Ending::Fault(first, fault),
        };
        let orchestrator = Orchestrator::Fixed(Arc::new(self.answers()));
        let harness = Harness {
            store: Store::Memory(store),
            orchestrator,
        };
        let mut closures = Closures::new();
        for step in Step::ALL {
            let result = match self.step(step, &harness, &settings, &closures).await {
                Ok(result) => result,
                Err(fault) => return Ending::Fault(step, fault),
            };
            let Some(closure) = result.closure else {
                return Ending::Fault(step, Fault::internal("run the step", "it published no summary"));
            };
            if !result.overall_pass {
                return match blockers(&harness.store, &closure).await {
                    Ok(blockers) => Ending::Held(step, blockers),
                    Err(fault) => Ending::Fault(step, fault),
                };
            }
            closures.insert(closure.step, closure);
        }
        Ending::Advances
    }

    fn settings(&self, documents: &Judged) -> Result<Settings, Fault> {
        let stacks: Vec<String> = (0..documents.stack_outputs.len())
            .map(|index| uri(&stack_key(index)))
            .collect();
        let fields = SettingsFields {
            deployment: "p1-lint".to_owned(),
            environment: Some(self.environment.to_string()),
            evidence_bucket: self.evidence_bucket.to_string(),
            registry_uri: uri(REGISTRY),
            stack_outputs_uris: stacks.join(","),
            cost_source: "billing_artifact".to_owned(),
            billing_artifact_uri: uri(BILLING),
            signing: "off".to_owned(),
            signing_key: String::new(),
        };
        Ok(Settings::try_from(fields)?)
    }

    fn answers(&self) -> FixedAnswers {
        let machine = MachineAnswer::Found {
            arn: self.state_machine.to_string(),
            name: self.state_machine.name().to_owned(),
            status: "ACTIVE".to_owned(),
            role_arn: self.role.clone(),
        };
        FixedAnswers {
            machines: BTreeMap::from([(self.state_machine.to_string(), machine)]),
            executions: BTreeMap::new(),
        }
    }

    fn store(&self, documents: &Judged) -> Result<MemoryStore, Fault> {
        let store = MemoryStore::with_buckets(&[DOCUMENTS, self.evidence_bucket.as_str()]);
        store.seed(DOCUMENTS, REGISTRY, documents.registry.clone());
        for (index, bytes) in documents.stack_outputs.iter().enumerate() {
            store.seed(DOCUMENTS, &stack_key(index), bytes.clone());
        }
        let window_end = documents
            .billing
            .as_deref()
            .and_then(window_end)
            .unwrap_or_else(|| self.at.date());
        let aws = self.bill("aws_billing", &self.at.date())?;
        store.seed(
            DOCUMENTS,
            BILLING,
            documents.billing.clone().unwrap_or_else(|| aws.into_bytes()),
        );
        let green = || json!({"overall_pass": true}).to_string().into_bytes();
        let receipt = documents.m2_receipt.clone().unwrap_or_else(green);
        store.seed(self.evidence_bucket.as_str(), &self.receipt, receipt);
        // Of the objects that the registry points to, a manifest is any bytes, and a Databricks bill is this.
        store.assume(self.bill("databricks", &window_end)?);
        Ok(store)
    }

    /// A bill of nothing, from the first of the month.
    fn bill(&self, source: &str, window_end: &str) -> Result<String, Fault> {
        let nothing = UsdAmount::from_integer(0);
        let bill = BillingArtifact {
            schema_version: revision::version_of(BILLING_ARTIFACT),
            artifact: BILLING_ARTIFACT.to_owned(),
            source: source.to_owned(),
            billing_region: self.billing_region.clone(),
            metric: "UnblendedCost".to_owned(),
            window_start_utc: self.at.month_start(),
            window_end_utc: window_end.to_owned(),
            spend_amount: nothing.map_err(|error| Fault::internal("assume a bill", error.to_string()))?,
            spend_currency: "USD".to_owned(),
            estimated: true,
        };
        Ok(json!(bill).to_string())
    }

    async fn step(
        &self,
        step: Step,
        harness: &Harness,
        settings: &Settings,
        closures: &Closures,
    ) -> Result<StepResult, Fault> {
        let execution = format!(
            "{}:lint",
            self.state_machine.as_str().replace(":stateMachine:", ":execution:")
        );
        let call = TaskCall {
            mode: Mode::Step,
            settings,
            execution: &execution,
            start_time: &self.at.rfc3339(),
            state_machine: self.state_machine.as_str(),
            state: &step.state_name(),
            closures: &json!(closures),
            input: &json!({"m2_handoff": {"key": self.receipt}}),
        };
        let request = harness.request(call.payload().to_string().as_bytes())?;
        // Each future is boxed, because all ten together are too large for a stack.
        match step {
            Step::HandleClosure => Box::pin(harness.run(&HandleClosure, &request)).await,
            Step::RunIdentity => Box::pin(harness.run(&RunIdentity, &request)).await,
            Step::ConfigDigest => Box::pin(harness.run(&ConfigDigest, &request)).await,
            Step::OrchestratorReadiness => Box::pin(harness.run(&OrchestratorReadiness, &request)).await,
            Step::RunPublication => Box::pin(harness.run(&RunPublication, &request)).await,
            Step::M4Handoff => Box::pin(harness.run(&M4Handoff, &request)).await,
            Step::RerunDiscipline => Box::pin(harness.run(&RerunDiscipline, &request)).await,
            Step::CostEnvelope => {
                // The cost source is a billing artifact, so that nobody asks this client anything.
                let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
                let explorer = CostExplorer::new(config);
                Box::pin(harness.run(&CostEnvelope { explorer }, &request)).await
            }
            Step::GateRollup => Box::pin(harness.run(&GateRollup, &request)).await,
            Step::PhaseVerdict => Box::pin(harness.run(&PhaseVerdictStep::default(), &request)).await,
        }
    }
}

/// The blockers in a summary that the step has published.
async fn blockers(store: &Store, closure: &ClosureRef) -> Result<Vec<Finding>, Fault> {
    let lost = |why: String| Fault::internal(format!("read {}", closure.key), why);
    let version = closure.version_id.as_deref();
    match store
        .read(&closure.bucket, &closure.key, version, DOCUMENT_LIMIT)
        .await?
    {
        Read::Found(object) => {
            let summary = Summary::parse(&object.bytes, closure.step).map_err(lost)?;
            Ok(summary.body.blockers)
        }
        _ => Err(lost("it cannot be read back".to_owned())),
    }
}

/// The folder that M2's receipt lies in: the one of the execution that it names, if it names one.
fn receipt_folder(inputs: &Inputs) -> String {
    let own = inputs.m2_receipt.as_ref().and_then(|document| {
        let receipt = parse_foreign(&document.bytes, Limits::DOCUMENT).ok()?;
        let id = receipt.get("phase_execution_id")?.as_str()?;
        let is_of_m2 = id.starts_with("m2j_") && PhaseExecutionId::parse(id).is_ok();
        is_of_m2.then(|| id.to_owned())
    });
    own.unwrap_or_else(|| M2_FOLDER.to_owned())
}

/// The end of the window of a bill.
fn window_end(billing: &[u8]) -> Option<String> {
    let billing: Value = parse_foreign(billing, Limits::DOCUMENT).ok()?;
    billing.get("window_end_utc")?.as_str().map(str::to_owned)
}
