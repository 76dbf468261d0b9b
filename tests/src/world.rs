//! A small valid platform in memory, and a driver that takes a run through the real steps.
//!
//! The gates are the state machine's business and are tested there and end to end; here a test says itself which
//! steps it runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use m3j_phase_verdict::{LocalKey, PhaseVerdictStep, Signer};
use p1_contract::ids::Environment;
use p1_contract::observations::{ExecutionAnswer, MachineAnswer};
use p1_contract::request::{Closures, Mode, StepResult, TaskCall};
use p1_contract::settings::{CostSource, Settings};
use p1_contract::step::Step;
use p1_local::sample::{self, Names};
use p1_runtime::store::{MemoryStore, Store};
use p1_runtime::{Fault, FixedAnswers, Harness, Orchestrator, StepLogic};
use p256::ecdsa::SigningKey;
use p256::pkcs8::{EncodePrivateKey, LineEnding};
use serde_json::{Value, json};

/// The evidence bucket.
pub const EVIDENCE: &str = "fraud-platform-dev-full-evidence";
/// The bucket of the oracle's stream views.
pub const OBJECTS: &str = "fraud-platform-dev-full-object-store";
/// The bucket of registry, stack outputs and billing.
pub const ARTIFACTS: &str = "fraud-platform-dev-full-artifacts";
/// The state machine that the registry names.
pub const MACHINE: &str = "arn:aws:states:eu-west-2:123456789012:stateMachine:fraud-platform-dev-full-platform-run-v0";
/// Its role.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/fraud-platform-dev-full-stepfunctions-orchestrator";
/// The key of M2's receipt.
pub const RECEIPT: &str = "evidence/dev_full/run_control/m2j_20260223T061612Z/m2j_m3_entry_readiness_receipt.json";
/// The key of the registry.
pub const REGISTRY: &str = "p1/registry.md";
/// The key of the stack outputs.
pub const STACK: &str = "p1/stack.json";
/// The key of the billing artifact.
pub const BILLING: &str = "p1/billing.json";

/// The platform and one execution on it.
pub struct World {
    /// The environment.
    pub environment: Environment,
    /// All buckets.
    pub store: MemoryStore,
    /// What Step Functions says of state machines, by ARN.
    pub machines: BTreeMap<String, MachineAnswer>,
    /// What Step Functions says of executions, by ARN.
    pub executions: BTreeMap<String, ExecutionAnswer>,
    /// The ARN of the execution.
    pub execution: String,
    /// Its start, in RFC 3339.
    pub start_time: String,
    /// Its input.
    pub input: Value,
    /// The closures so far, by step.
    pub closures: Closures,
    /// What M3.J signs with; nothing, unless a test says so.
    pub signer: Signer,
    /// Where the deployment says that stack outputs lie.
    pub stack_outputs: String,
}

/// A signer for tests. It is not a secret: its key is the number `n`.
pub fn signer(n: u8) -> Signer {
    let pem = signing_key(n).to_pkcs8_pem(LineEnding::LF).unwrap();
    Signer::Local(LocalKey::from_pem(&pem).unwrap())
}

/// The key of [`signer`].
pub fn signing_key(n: u8) -> SigningKey {
    let mut secret = [0; 32];
    secret[31] = n;
    SigningKey::from_slice(&secret).unwrap()
}

/// The sample platform's registry, with the names of this platform.
pub fn registry() -> String {
    registry_of(&Environment::default())
}

/// The same in another environment.
fn registry_of(environment: &Environment) -> String {
    let names = Names {
        environment: environment.clone(),
        account: "123456789012".to_owned(),
        region: "eu-west-2".to_owned(),
        evidence_bucket: EVIDENCE.to_owned(),
        object_store_bucket: OBJECTS.to_owned(),
        artifacts_bucket: ARTIFACTS.to_owned(),
        state_machine: "fraud-platform-dev-full-platform-run-v0".to_owned(),
        state_machine_role: "fraud-platform-dev-full-stepfunctions-orchestrator".to_owned(),
    };
    String::from_utf8(sample::registry(&names)).unwrap()
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// The valid example, from which every test departs by one change.
    pub fn new() -> Self {
        Self::of(Environment::default())
    }

    /// The same in another environment.
    pub fn of(environment: Environment) -> Self {
        let store = MemoryStore::with_buckets(&[EVIDENCE, OBJECTS, ARTIFACTS]);
        let machine = MachineAnswer::Found {
            arn: MACHINE.to_owned(),
            name: "fraud-platform-dev-full-platform-run-v0".to_owned(),
            status: "ACTIVE".to_owned(),
            role_arn: ROLE.to_owned(),
        };
        let key = RECEIPT.replace("evidence/dev_full/", &format!("evidence/{environment}/"));
        let world = World {
            environment,
            store,
            machines: BTreeMap::from([(MACHINE.to_owned(), machine)]),
            executions: BTreeMap::new(),
            execution: format!("{}:run-1", MACHINE.replace(":stateMachine:", ":execution:")),
            start_time: "2026-02-23T17:43:07.250Z".to_owned(),
            input: json!({"m2_handoff": {"key": key}}),
            closures: Closures::new(),
            signer: Signer::Off,
            stack_outputs: format!("s3://{ARTIFACTS}/{STACK}"),
        };
        world.store.seed(ARTIFACTS, REGISTRY, registry_of(&world.environment));
        world.store.seed(EVIDENCE, &key, sample::m2_receipt("20260223T061612Z"));
        world
            .store
            .seed(ARTIFACTS, BILLING, sample::billing(jiff::civil::date(2026, 2, 23)));
        let outputs =
            json!({"p1_handle_materialization": {"sensitive": false, "value": {"S3_EVIDENCE_BUCKET": EVIDENCE}}});
        world.store.seed(ARTIFACTS, STACK, outputs.to_string());
        world.seed_manifests();
        world
    }

    fn seed_manifests(&self) {
        let registry = p1_contract::registry::parse(registry().as_bytes()).unwrap();
        let handle = |key: &str| registry.get(key).value().unwrap().to_json();
        let namespace = handle("ORACLE_SOURCE_NAMESPACE");
        let engine_run = handle("ORACLE_ENGINE_RUN_ID");
        let (namespace, engine_run) = (namespace.as_str().unwrap(), engine_run.as_str().unwrap());
        for id in handle("ORACLE_REQUIRED_OUTPUT_IDS").as_array().unwrap() {
            let id = id.as_str().unwrap();
            let pattern = handle("S3_STREAM_VIEW_MANIFEST_KEY_PATTERN");
            let key = pattern
                .as_str()
                .unwrap()
                .replace("{oracle_source_namespace}", namespace);
            let key = key
                .replace("{oracle_engine_run_id}", engine_run)
                .replace("{output_id}", id);
            self.store
                .seed(OBJECTS, &key, sample::stream_view_manifest(namespace, engine_run, id));
        }
    }

    /// The same platform as it is now, in a store of its own.
    pub fn copy(&self) -> Self {
        World {
            environment: self.environment.clone(),
            store: self.store.copy(),
            machines: self.machines.clone(),
            executions: self.executions.clone(),
            execution: self.execution.clone(),
            start_time: self.start_time.clone(),
            input: self.input.clone(),
            closures: self.closures.clone(),
            signer: self.signer.clone(),
            stack_outputs: self.stack_outputs.clone(),
        }
    }

    /// Replaces one text of the registry that must be there.
    pub fn edit_registry(&self, from: &str, to: &str) {
        let text = String::from_utf8(self.store.dump(ARTIFACTS)[REGISTRY].clone()).unwrap();
        assert!(text.contains(from), "the registry holds no {from}");
        self.store.seed(ARTIFACTS, REGISTRY, text.replace(from, to));
    }

    /// The harness of a function on this platform.
    pub fn harness(&self) -> Harness {
        let answers = FixedAnswers {
            machines: self.machines.clone(),
            executions: self.executions.clone(),
        };
        Harness {
            store: Store::Memory(self.store.clone()),
            orchestrator: Orchestrator::Fixed(Arc::new(answers)),
        }
    }

    /// The payload that the state machine sends a step's function.
    pub fn payload(&self, step: Step, mode: Mode) -> Value {
        let uri = |key: &str| format!("s3://{ARTIFACTS}/{key}").parse().unwrap();
        let settings = Settings {
            registry: uri(REGISTRY),
            stack_outputs: self
                .stack_outputs
                .split(',')
                .filter(|text| !text.is_empty())
                .map(|text| text.parse().unwrap())
                .collect(),
            cost_source: CostSource::BillingArtifact(uri(BILLING)),
            environment: self.environment.clone(),
            ..p1_runtime::testing::settings(EVIDENCE)
        };
        let call = TaskCall {
            mode,
            settings: &settings,
            execution: &self.execution,
            start_time: &self.start_time,
            state_machine: MACHINE,
            state: &step.state_name(),
            closures: &json!(self.closures),
            input: &self.input,
        };
        call.payload()
    }

    /// Runs one step as the state machine would, without keeping its closure.
    pub async fn try_step<S: StepLogic>(&self, step: &S) -> Result<StepResult, Fault> {
        let harness = self.harness();
        let payload = serde_json::to_vec(&self.payload(S::STEP, Mode::Step)).unwrap();
        harness.run(step, &harness.request(&payload)?).await
    }

    /// Runs one step and keeps its closure.
    pub async fn step<S: StepLogic>(&mut self, step: &S) -> StepResult {
        self.keep(step)
            .await
            .unwrap_or_else(|fault| panic!("{}: {fault}", S::STEP))
    }

    async fn keep<S: StepLogic>(&mut self, step: &S) -> Result<StepResult, Fault> {
        let result = self.try_step(step).await?;
        if let Some(closure) = &result.closure {
            self.closures.insert(closure.step, closure.clone());
        }
        Ok(result)
    }

    /// Runs the steps before `step`, which must all pass.
    pub async fn up_to(&mut self, step: Step) {
        for before in step.before() {
            let result = self.run(before).await;
            assert!(result.overall_pass, "{before}: {}", self.blockers(&result));
        }
    }

    /// Runs `step` again with the identical payload, as a retry or a redrive does.
    pub async fn again(&mut self, step: Step) -> StepResult {
        self.closures.remove(step.id());
        self.run(step).await
    }

    /// Runs `step`, whichever it is.
    pub async fn run(&mut self, step: Step) -> StepResult {
        // Boxed: the futures of all ten steps are too large to lie on a test's stack together.
        let result = Box::pin(self.try_run(step)).await;
        result.unwrap_or_else(|fault| panic!("{step}: {fault}"))
    }

    /// The same; the fault where it reaches no verdict.
    pub async fn try_run(&mut self, step: Step) -> Result<StepResult, Fault> {
        match step {
            Step::HandleClosure => self.keep(&m3a_handle_closure::HandleClosure).await,
            Step::RunIdentity => self.keep(&m3b_run_identity::RunIdentity).await,
            Step::ConfigDigest => self.keep(&m3c_config_digest::ConfigDigest).await,
            Step::OrchestratorReadiness => self.keep(&m3d_orchestrator_readiness::OrchestratorReadiness).await,
            Step::RunPublication => self.keep(&m3e_run_publication::RunPublication).await,
            Step::M4Handoff => self.keep(&m3f_m4_handoff::M4Handoff).await,
            Step::RerunDiscipline => self.keep(&m3g_rerun_discipline::RerunDiscipline).await,
            Step::CostEnvelope => {
                // The cost source is the billing artifact: nobody asks this client anything.
                let config = aws_config::SdkConfig::builder()
                    .behavior_version(aws_config::BehaviorVersion::latest())
                    .build();
                let explorer = m3h_cost_envelope::CostExplorer::new(config);
                self.keep(&m3h_cost_envelope::CostEnvelope { explorer }).await
            }
            Step::GateRollup => self.keep(&m3i_gate_rollup::GateRollup).await,
            Step::PhaseVerdict => {
                let signer = self.signer.clone();
                self.keep(&PhaseVerdictStep { signer }).await
            }
        }
    }

    /// The evidence of a result's summary, by name of the field.
    pub fn summary(&self, result: &StepResult) -> Value {
        let closure = result.closure.as_ref().unwrap();
        serde_json::from_slice(&self.store.dump(EVIDENCE)[closure.key.as_str()]).unwrap()
    }

    /// The blockers of a result, with subject and detail.
    pub fn blockers(&self, result: &StepResult) -> String {
        self.summary(result)["blockers"].to_string()
    }
}
