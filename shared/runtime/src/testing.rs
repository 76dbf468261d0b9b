//! A P1 execution in memory, for tests of steps that read the evidence of other steps: closures and artifacts as the harness
//! writes them, a ledger, and the real harness that runs the step under test.

#![expect(clippy::expect_used, reason = "a test stops at what does not hold")]

use std::sync::Arc;

use p1_contract::blocker::Finding;
use p1_contract::canonical;
use p1_contract::evidence::{Body, Document, DocumentOf, ExecutionSummary, Head, Header, RunIds, SecretScan, merge};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{Environment, ExecutionArn, PhaseExecutionId, PlatformRunId, S3Key, ScenarioRunId, Stamp};
use p1_contract::ledger::{LEDGER_RECORD, LedgerRecord};
use p1_contract::owner::Owner;
use p1_contract::reference::{ArtifactRef, ClosureRef};
use p1_contract::request::{Closures, Mode, StepResult, TaskCall};
use p1_contract::settings::{CostSource, Settings, Signing};
use p1_contract::step::Step;
use serde_json::{Value, json};

use crate::context::key_in;
use crate::fault::Fault;
use crate::harness::{Harness, Request};
use crate::orchestrator::{FixedAnswers, Orchestrator};
use crate::step::StepLogic;
use crate::store::{MemoryStore, Store};

/// The evidence bucket of the execution in memory.
pub const BUCKET: &str = "p1-test-evidence";

/// The settings of a deployment `p1`. The registry and the billing artifact, which is the cost source, lie in `bucket` beside the
/// evidence. Nothing is signed.
#[must_use]
pub fn settings(bucket: &str) -> Settings {
    Settings {
        deployment: "p1".parse().expect("a deployment's name"),
        environment: Environment::default(),
        evidence_bucket: bucket.parse().expect("a bucket name"),
        registry: format!("s3://{bucket}/registry.md").parse().expect("a URI"),
        stack_outputs: Vec::new(),
        cost_source: CostSource::BillingArtifact(format!("s3://{bucket}/billing.json").parse().expect("a URI")),
        signing: Signing::Off,
    }
}

/// A P1 execution in memory.
#[derive(Debug, Clone)]
pub struct TestExecution {
    /// Everything that was published.
    pub store: MemoryStore,
    /// The execution.
    pub arn: ExecutionArn,
    /// Its stamp.
    pub stamp: Stamp,
    /// The closures so far, as the state machine passes them on.
    pub closures: Closures,
    /// The answers of Step Functions.
    pub answers: Arc<FixedAnswers>,
    /// The input that started it.
    pub input: Value,
    /// The deployment's settings.
    pub settings: Settings,
    /// The first step whose closure carries the run's ids: M3.B, or a later step if the run was held earlier.
    pub ids_known_from: Step,
}

impl Default for TestExecution {
    fn default() -> Self {
        TestExecution::named("start")
    }
}

impl TestExecution {
    /// An execution with this name on its own platform.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let arn = format!("arn:aws:states:eu-west-2:123456789012:execution:p1-test-machine:{name}");
        let key = "evidence/dev_full/run_control/m2j_20261122T110000Z/m2j_m3_entry_readiness_receipt.json";
        TestExecution {
            store: MemoryStore::with_buckets(&[BUCKET]),
            arn: arn.parse().expect("an execution ARN"),
            stamp: Stamp::parse("2026-11-22T12:17:01Z").expect("a stamp"),
            closures: Closures::new(),
            answers: Arc::default(),
            input: json!({"m2_handoff": {"key": key}}),
            settings: settings(BUCKET),
            ids_known_from: Step::RunIdentity,
        }
    }

    /// The run that the execution pins.
    #[must_use]
    pub fn run(&self) -> RunIds {
        let digest = Sha256Hex::of(b"config");
        RunIds {
            platform_run_id: PlatformRunId::mint(self.stamp, 0),
            scenario_run_id: Some(ScenarioRunId::from_digest(&digest)),
            config_digest: Some(digest),
        }
    }

    /// The ids that are known after `step` has closed.
    #[must_use]
    pub fn run_after(&self, step: Step) -> RunIds {
        let run = self.run();
        match step {
            early if early < self.ids_known_from => RunIds::default(),
            Step::RunIdentity => RunIds {
                config_digest: None,
                ..run
            },
            _ => run,
        }
    }

    /// The phase execution id of `owner`.
    #[must_use]
    pub fn phase_execution_id(&self, owner: impl Into<Owner>) -> PhaseExecutionId {
        PhaseExecutionId::derive(owner, self.stamp, self.arn.as_str())
    }

    /// The bytes of a document of kind `B` that `step` publishes.
    #[must_use]
    pub fn document<B: Body>(&self, step: Step, body: B) -> Vec<u8> {
        let header = Head::of(B::NAME, step, self.phase_execution_id(step), &self.run_after(step));
        let header = header.expect("all ids of the run, for its evidence");
        let document: DocumentOf<B> = Document { header, body };
        document.render().expect("a document that renders")
    }

    /// Publishes a closure of `owner` with these artifacts and blockers, and adds it to the chain.
    pub fn close(
        &mut self,
        owner: impl Into<Owner>,
        artifacts: &[(&str, Vec<u8>)],
        blockers: Vec<Finding>,
    ) -> ClosureRef {
        let owner = owner.into();
        let step = owner.step();
        let name = owner.summary_name();
        let id = self.phase_execution_id(owner);
        let upstream = Owner::all().filter_map(|owner| self.closures.get(&owner).cloned());
        let stored = artifacts
            .iter()
            .map(|(name, bytes)| self.store_at(&id, name, bytes))
            .collect();
        let summary = ExecutionSummary::new(step.ready_gate(), blockers, stored, Vec::new(), upstream.collect())
            .scanned(SecretScan::default());
        let header = Header::new(&name, step, id.clone(), &self.run_after(step));
        let value = merge(&header, &summary).expect("a summary");
        let bytes = canonical::to_document(&value).expect("canonical bytes");
        let stored = self.store_at(&id, &name, &bytes);
        let closure = ClosureRef::of(stored, owner, id, summary.overall_pass);
        self.closures.insert(owner, closure.clone());
        closure
    }

    fn store_at(&self, id: &PhaseExecutionId, name: &str, bytes: &[u8]) -> ArtifactRef {
        let key = key_in(&self.settings.environment, id, &format!("{name}.json")).expect("a key");
        let version = self.store.seed_anew(BUCKET, key.as_str(), bytes);
        self.artifact(name, key, version, bytes)
    }

    fn artifact(&self, name: &str, key: S3Key, version: String, bytes: &[u8]) -> ArtifactRef {
        let sha256 = Sha256Hex::of(bytes);
        ArtifactRef {
            name: name.to_owned(),
            bucket: BUCKET.parse().expect("a bucket name"),
            key,
            version_id: Some(version),
            etag: sha256.first(32).to_owned(),
            sha256,
            bytes: bytes.len() as u64,
        }
    }

    /// Writes an ACQUIRED record of `holder` into the run's ledger.
    pub fn acquire(&self, sequence: u32, holder: &ExecutionArn) -> ArtifactRef {
        let run = self.run().platform_run_id.expect("a run id");
        let record = LedgerRecord::acquired(&run, sequence, holder, self.stamp);
        let bytes = canonical::document_of(&record).expect("canonical bytes");
        let key: S3Key = run.ledger_key(sequence).parse().expect("a key");
        let version = self.store.seed(BUCKET, key.as_str(), bytes.clone());
        self.artifact(LEDGER_RECORD, key, version, &bytes)
    }

    /// The harness over this platform.
    #[must_use]
    pub fn harness(&self) -> Harness {
        Harness {
            store: Store::Memory(self.store.clone()),
            orchestrator: Orchestrator::Fixed(Arc::clone(&self.answers)),
        }
    }

    /// The request for `step`, as the state machine sends it.
    #[must_use]
    pub fn request(&self, step: Step) -> Request {
        self.harness()
            .request(self.payload(step).to_string().as_bytes())
            .expect("a payload of the state machine")
    }

    /// The payload of that request.
    #[must_use]
    pub fn payload(&self, step: Step) -> Value {
        let call = TaskCall {
            mode: Mode::Step,
            settings: &self.settings,
            execution: self.arn.as_str(),
            start_time: &self.stamp.rfc3339(),
            state_machine: "arn:aws:states:eu-west-2:123456789012:stateMachine:p1-test-machine",
            state: &step.state_name(),
            closures: &serde_json::to_value(&self.closures).expect("JSON"),
            input: &self.input,
        };
        call.payload()
    }

    /// Runs `step` as the state machine does, and adds its closure to the chain.
    ///
    /// # Errors
    /// Fails if no verdict could be reached.
    pub async fn invoke<S: StepLogic>(&mut self, step: &S) -> Result<StepResult, Fault> {
        let result = self.harness().run(step, &self.request(S::STEP)).await?;
        if let Some(closure) = &result.closure {
            self.closures.insert(result.step, closure.clone());
        }
        Ok(result)
    }

    /// The JSON document `name` in the folder of `step`'s phase execution. Returns `None` if it does not exist.
    #[must_use]
    pub fn published(&self, step: Step, name: &str) -> Option<Value> {
        let folder = self.settings.environment.phase_folder(&self.phase_execution_id(step));
        let bytes = self.store.dump(BUCKET).remove(&format!("{folder}{name}.json"))?;
        Some(serde_json::from_slice(&bytes).expect("JSON"))
    }
}
