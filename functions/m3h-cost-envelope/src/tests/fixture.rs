//! A platform in memory on which M3.H passes: registry, billing artifact, and the closures of M3.A … M3.G.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_costexplorer::config::http::{HttpRequest, HttpResponse};
use aws_sdk_costexplorer::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use p1_contract::blocker::Finding;
use p1_contract::canonical;
use p1_contract::evidence::{ExecutionSummary, Header, merge, summary_name};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, Environment, PhaseExecutionId, S3Key, Stamp};
use p1_contract::observations::cost_envelope::Observed;
use p1_contract::reference::{ArtifactRef, ClosureRef, ObjectRef};
use p1_contract::settings::CostSource;
use p1_contract::step::Step;
use p1_runtime::store::MemoryStore;
use p1_runtime::testing::{BUCKET, TestExecution};
use p1_runtime::{Harness, Request, StepLogic};
use serde_json::{Value, json};

use crate::proof::{EXPECTED_PROOFS, upstream};
use crate::{CostEnvelope, CostExplorer};

pub(crate) const ARTIFACTS: &str = "artifacts-bucket";
pub(crate) const DATABRICKS_KEY: &str = "billing/databricks.json";
pub(crate) const REGISTRY_KEY: &str = "registry/handles.md";
pub(crate) const BILLING_KEY: &str = "billing/month.json";
pub(crate) const DAY_KEY: &str = "evidence/dev_full/run_control/_cost/20261122.json";
pub(crate) const EXECUTION: &str = "arn:aws:states:eu-west-2:123456789012:execution:p1-test-machine:one";

pub(crate) const REGISTRY: &str = r#"
* `DEV_FULL_MONTHLY_BUDGET_LIMIT_USD = 300`
* `DEV_FULL_BUDGET_ALERT_1_USD = 120`
* `DEV_FULL_BUDGET_ALERT_2_USD = 210.50`
* `DEV_FULL_BUDGET_ALERT_3_USD = "270"`
* `BUDGET_CURRENCY = "USD"`
* `COST_CAPTURE_SCOPE = "aws_only_pre_m11_databricks_cost_deferred"`
* `AWS_COST_CAPTURE_ENABLED = true`
* `DATABRICKS_COST_CAPTURE_ENABLED = false`
* `DATABRICKS_COST_CAPTURE_DEFER_REASON = "databricks_billing_source_not_materialized_before_m11"`
* `DATABRICKS_COST_CAPTURE_REENABLE_GATE = "M11.D"`
* `PHASE_BUDGET_ENVELOPE_PATH_PATTERN = "evidence/dev_full/run_control/{phase_execution_id}/phase_budget_envelope.json"`
* `PHASE_COST_OUTCOME_RECEIPT_PATH_PATTERN = "evidence/dev_full/run_control/{phase_execution_id}/phase_cost_outcome_receipt.json"`
* `DAILY_COST_POSTURE_PATH_PATTERN = "evidence/dev_full/run_control/{phase_execution_id}/daily_cost_posture.json"`
* `PHASE_COST_OUTCOME_REQUIRED = true`
* `PHASE_ENVELOPE_REQUIRED = true`
* `PHASE_COST_HARD_STOP_ON_MISSING_OUTCOME = true`
* `COST_OUTCOME_RECEIPT_REQUIRED_FIELDS = "phase_id,phase_execution_id,window_start_utc,window_end_utc,spend_amount,spend_currency,artifacts_emitted,decision_or_risk_retired"`
* `AWS_BILLING_REGION = "us-east-1"`
* `S3_ARTIFACTS_BUCKET = "artifacts-bucket"`
"#;

/// [`REGISTRY`] with the Databricks bill enabled and pinned.
pub(crate) fn with_databricks() -> String {
    let disabled = "DATABRICKS_COST_CAPTURE_ENABLED = false";
    let registry = REGISTRY.replace(disabled, "DATABRICKS_COST_CAPTURE_ENABLED = true");
    assert_ne!(registry, REGISTRY);
    registry
        + &format!(
            r#"
* `M3H_DATABRICKS_COST_SOURCE_MODE = "billing_artifact"`
* `M3H_DATABRICKS_COST_SOURCE_URI = "s3://{ARTIFACTS}/{DATABRICKS_KEY}"`
* `M3H_DATABRICKS_COST_SOURCE_CURRENCY = "USD"`
"#
        )
}

/// The platform: an execution in memory, with all that M3.H reads.
pub(crate) struct Platform {
    pub(crate) store: MemoryStore,
    pub(crate) execution: TestExecution,
}

impl Platform {
    pub(crate) fn new() -> Self {
        Self::with_registry(REGISTRY)
    }

    pub(crate) fn with_registry(registry: &str) -> Self {
        let store = MemoryStore::with_buckets(&[BUCKET, ARTIFACTS]);
        store.seed(ARTIFACTS, DATABRICKS_KEY, databricks_bill().to_string());
        let mut execution = TestExecution {
            store: store.clone(),
            ..TestExecution::named("one")
        };
        execution.settings.registry = format!("s3://{BUCKET}/{REGISTRY_KEY}").parse().unwrap();
        execution.settings.cost_source =
            CostSource::BillingArtifact(format!("s3://{BUCKET}/{BILLING_KEY}").parse().unwrap());
        let mut platform = Platform { store, execution };
        let version = platform.store.seed(BUCKET, REGISTRY_KEY, registry);
        let pin = ObjectRef {
            bucket: bucket(),
            key: key(REGISTRY_KEY),
            version_id: Some(version),
            sha256: Sha256Hex::of(registry.as_bytes()),
            bytes: registry.len() as u64,
        };
        platform.set_billing(&billing());
        for step in upstream() {
            let inputs = if step == Step::HandleClosure {
                vec![pin.clone()]
            } else {
                Vec::new()
            };
            platform.close(step, Vec::new(), inputs, |_| true);
        }
        platform
    }

    pub(crate) fn set_billing(&self, document: &Value) {
        self.store.seed(BUCKET, BILLING_KEY, document.to_string());
    }

    pub(crate) fn use_cost_explorer(mut self) -> Self {
        self.execution.settings.cost_source = CostSource::CostExplorer;
        self
    }

    /// Publishes the closure of `step` with those of its proofs that `lists` names, and puts it into the chain.
    pub(crate) fn close(
        &mut self,
        step: Step,
        blockers: Vec<Finding>,
        inputs: Vec<ObjectRef>,
        lists: impl Fn(&str) -> bool,
    ) {
        let proofs = EXPECTED_PROOFS
            .iter()
            .filter(|(owner, name)| *owner == step && lists(name));
        let artifacts = proofs.map(|(_, name)| self.publish(&proof_key(step, name), name, &json!({"artifact": name})));
        let artifacts = artifacts.collect();
        let summary = ExecutionSummary::new(step.ready_gate(), blockers, artifacts, inputs, Vec::new())
            .scanned(p1_contract::evidence::SecretScan::default());
        let name = summary_name(step);
        let header = Header::new(&name, step, phase(step), &self.execution.run());
        let summary_key = format!("{}{name}.json", Environment::default().phase_folder(&phase(step)));
        let closed = self.publish(&summary_key, &name, &merge(&header, &summary).unwrap());
        let closure = ClosureRef {
            step: step.into(),
            phase_execution_id: phase(step),
            overall_pass: summary.overall_pass,
            bucket: bucket(),
            key: closed.key,
            version_id: None,
            sha256: closed.sha256,
        };
        self.execution.closures.insert(step.into(), closure);
    }

    /// References name no version here, so that a test can take an object away by putting another one over it.
    fn publish(&self, at: &str, name: &str, document: &Value) -> ArtifactRef {
        let bytes = canonical::to_document(document).unwrap();
        let (sha256, length) = (Sha256Hex::of(&bytes), bytes.len() as u64);
        self.store.seed(BUCKET, at, bytes);
        let etag = sha256.first(32).to_owned();
        ArtifactRef {
            name: name.to_owned(),
            bucket: bucket(),
            key: key(at),
            version_id: None,
            etag,
            sha256,
            bytes: length,
        }
    }

    pub(crate) fn harness(&self) -> Harness {
        self.execution.harness()
    }

    pub(crate) fn request(&self) -> Request {
        self.execution.request(Step::CostEnvelope)
    }

    /// What the step observes on this platform, without Cost Explorer.
    pub(crate) async fn observed(&self) -> (Request, Observed) {
        let (harness, request, step) = (self.harness(), self.request(), step(&[]).0);
        let ctx = harness.context(&request.input, Step::CostEnvelope);
        let observed = step.observe(&ctx).await.unwrap();
        (request, observed)
    }

    /// A document that the step published under this name.
    pub(crate) fn published(&self, name: &str) -> Value {
        let found = self.execution.published(Step::CostEnvelope, name);
        found.unwrap_or_else(|| panic!("{name} is not there"))
    }

    /// Whether the step's summary lists an artifact at this key.
    pub(crate) fn lists(&self, key: &str) -> bool {
        let summary = self.published("m3h_execution_summary");
        let artifacts = summary["artifacts"].as_array().unwrap();
        artifacts.iter().any(|artifact| artifact["key"] == key)
    }
}

pub(crate) fn bucket() -> BucketName {
    BucketName::parse(BUCKET).unwrap()
}

pub(crate) fn key(text: &str) -> S3Key {
    S3Key::parse(text).unwrap()
}

pub(crate) fn stamp() -> Stamp {
    Stamp::parse("2026-11-22T12:17:01Z").unwrap()
}

pub(crate) fn phase(step: Step) -> PhaseExecutionId {
    PhaseExecutionId::derive(step, stamp(), EXECUTION)
}

pub(crate) fn proof_key(step: Step, name: &str) -> String {
    match name {
        "run" => "evidence/runs/platform_20261122T121701Z/run.json".to_owned(),
        "run_header" => "evidence/runs/platform_20261122T121701Z/run_pin/run_header.json".to_owned(),
        _ => format!("{}{name}.json", Environment::default().phase_folder(&phase(step))),
    }
}

/// A billing artifact of this month.
pub(crate) fn billing() -> Value {
    json!({
        "schema_version": 1, "artifact": "p1_billing_artifact", "source": "aws_billing", "billing_region": "us-east-1",
        "metric": "UnblendedCost", "window_start_utc": "2026-11-01", "window_end_utc": "2026-11-22",
        "spend_amount": "12.34", "spend_currency": "USD", "estimated": true,
    })
}

/// The Databricks bill of the same days.
pub(crate) fn databricks_bill() -> Value {
    json!({
        "schema_version": 1, "artifact": "p1_billing_artifact", "source": "databricks_billing", "billing_region": "global",
        "metric": "ListCost", "window_start_utc": "2026-11-01", "window_end_utc": "2026-11-22",
        "spend_amount": "100.66", "spend_currency": "USD", "estimated": false,
    })
}

/// The step, with a Cost Explorer that gives these recorded answers in order, and what it was asked.
pub(crate) fn step(answers: &[(u16, Value)]) -> (CostEnvelope, Replay) {
    let replay = Replay {
        answers: Arc::new(Mutex::new(answers.iter().cloned().collect())),
        asked: Arc::default(),
        meanwhile: Arc::default(),
    };
    let connector = replay.clone();
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-2"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "id", "key", None, None, "test",
        )))
        // As the harness has it for all clients.
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone())))
        .build();
    (
        CostEnvelope {
            explorer: CostExplorer::new(config),
        },
        replay,
    )
}

/// Answers requests with recorded answers; with a lost connection once there are no more.
#[derive(Clone)]
pub(crate) struct Replay {
    meanwhile: Arc<Mutex<Option<Meanwhile>>>,
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    asked: Arc<Mutex<Vec<HttpRequest>>>,
}

type Meanwhile = Box<dyn FnOnce() + Send>;

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").finish_non_exhaustive()
    }
}

impl Replay {
    /// What happens elsewhere while the first request is under way.
    pub(crate) fn meanwhile(&self, event: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(event));
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<HttpRequest> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl HttpConnector for Replay {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.asked.lock().unwrap().push(request);
        if let Some(event) = self.meanwhile.lock().unwrap().take() {
            event();
        }
        HttpConnectorFuture::ready(match self.answers.lock().unwrap().pop_front() {
            Some((status, body)) => Ok(HttpResponse::new(
                status.try_into().unwrap(),
                SdkBody::from(body.to_string()),
            )),
            None => Err(ConnectorError::io("the connection is lost".into())),
        })
    }
}
