//! The real steps in this process, against the engine's S3: a deployment with an evidence bucket of its own, from which
//! a test may take away what a step has written, so that the step can be run again as if for the first time.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, CreateBucketConfiguration, Delete, ObjectIdentifier, VersioningConfiguration,
};
use futures_util::future::join_all;
use m3h_cost_envelope::{CostEnvelope, CostExplorer};
use p1_contract::hash::Sha256Hex;
use p1_contract::owner::Owner;
use p1_contract::request::{Closures, StepResult, TaskCall};
use p1_contract::settings::{CostSource, Settings};
use p1_contract::step::Step;
use p1_local::sample;
use p1_runtime::store::{S3Store, Store};
use p1_runtime::{Fault, Harness, Orchestrator, StepFunctions};
use p1_tests::stage::Stage;
use serde_json::{Value, json};

/// How the S3 client waits and tries again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// As the functions do, with shorter pauses.
    AsDeployed,
    /// One attempt, and a short time-out.
    Impatient,
}

/// An object as it stands in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    versions: Vec<String>,
    etag: String,
}

pub(crate) type Snapshot = BTreeMap<String, Stored>;

/// The deployment, and the execution that a test plays on it.
pub(crate) struct Bench<'a> {
    stage: &'a Stage,
    bucket: String,
    settings: Settings,
    pub(crate) execution: String,
    pub(crate) started: String,
    pub(crate) input: Value,
    pub(crate) closures: Closures,
    /// What a later phase would ask of the run that the last step answered for.
    pub(crate) question: Value,
}

impl<'a> Bench<'a> {
    /// A bench with a fresh evidence bucket of this name.
    pub(crate) async fn new(stage: &'a Stage, bucket: &str) -> Self {
        let location = CreateBucketConfiguration::builder();
        let location = location.location_constraint(stage.platform.region().into()).build();
        let request = stage.s3.create_bucket().bucket(bucket);
        request.create_bucket_configuration(location).send().await.unwrap();
        let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
        let request = stage.s3.put_bucket_versioning().bucket(bucket);
        request
            .versioning_configuration(versioning.build())
            .send()
            .await
            .unwrap();
        let artifacts = stage.platform.artifacts_bucket();
        let place = |name: &str| format!("s3://{artifacts}/{bucket}/{name}");
        let (registry, outputs, billing) = (place("registry.md"), place("stack.json"), place("billing.json"));
        let settings = Settings {
            registry: registry.parse().unwrap(),
            stack_outputs: vec![outputs.parse().unwrap()],
            cost_source: CostSource::BillingArtifact(billing.parse().unwrap()),
            ..p1_runtime::testing::settings(bucket)
        };
        let mut bench = Bench {
            stage,
            bucket: bucket.to_owned(),
            settings,
            execution: String::new(),
            started: String::new(),
            input: Value::Null,
            closures: Closures::new(),
            question: Value::Null,
        };
        let materialized = json!({"p1_handle_materialization": {
            "sensitive": false,
            "value": {"S3_EVIDENCE_BUCKET": bucket}
        }});
        stage
            .put(&outputs.parse().unwrap(), materialized.to_string().into_bytes())
            .await;
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        stage.put(&billing.parse().unwrap(), sample::billing(today)).await;
        bench.put_registry(|text| text).await;
        let receipt = Stage::new_receipt_key();
        let request = stage.s3.put_object().bucket(bucket).key(&receipt);
        let body = ByteStream::from(Stage::receipt_at(&receipt));
        request.body(body).send().await.unwrap();
        let event = json!({
            "version": "0", "id": "x", "detail-type": "Object Created", "source": "aws.s3",
            "account": stage.platform.account(), "time": "2026-02-23T06:16:12Z", "region": stage.platform.region(),
            "resources": [],
            "detail": {"version": "0", "bucket": {"name": bucket}, "object": {"key": receipt, "sequencer": "00A1"}}
        });
        bench.begin("first", event);
        bench
    }

    /// Puts the valid registry of this deployment, as `change` leaves it.
    pub(crate) async fn put_registry(&self, change: impl FnOnce(String) -> String) {
        let text = self
            .stage
            .registry()
            .replace(self.stage.platform.evidence_bucket(), &self.bucket);
        let uri = self.settings.registry.clone();
        self.stage.put(&uri, change(text).into_bytes()).await;
    }

    /// Another execution: none of its steps has run.
    pub(crate) fn begin(&mut self, name: &str, input: Value) {
        let machine = self.stage.platform.state_machine_arn();
        self.execution = format!("{}:{name}", machine.replace(":stateMachine:", ":execution:"));
        self.started = jiff::Timestamp::now().to_string();
        self.input = input;
        self.closures.clear();
    }

    /// The harness over the S3 at `endpoint`.
    pub(crate) fn harness(&self, endpoint: &str, patience: Patience) -> Harness {
        let (attempts, limit) = match patience {
            Patience::AsDeployed => (3, Duration::from_secs(5)),
            Patience::Impatient => (1, Duration::from_millis(350)),
        };
        let retries = RetryConfig::standard()
            .with_max_attempts(attempts)
            .with_initial_backoff(Duration::from_millis(1));
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(limit).build();
        let config = aws_sdk_s3::config::Builder::from(&self.stage.platform.sdk_config())
            .endpoint_url(endpoint)
            .force_path_style(true)
            .retry_config(retries)
            .timeout_config(timeouts)
            .build();
        Harness {
            store: Store::S3(S3Store::new(aws_sdk_s3::Client::from_conf(config))),
            orchestrator: Orchestrator::StepFunctions(StepFunctions::new(self.stage.platform.sdk_config())),
        }
    }

    /// The harness without anything in between.
    pub(crate) fn direct(&self) -> Harness {
        self.harness(self.stage.platform.endpoint(), Patience::AsDeployed)
    }

    /// The payload of a Task, as the state machine sends it.
    pub(crate) fn payload(&self, owner: &str) -> Vec<u8> {
        let owner = Owner::from_id(owner).unwrap();
        let call = TaskCall {
            mode: owner.into(),
            settings: &self.settings,
            execution: &self.execution,
            start_time: &self.started,
            state_machine: self.stage.platform.state_machine_arn(),
            state: &owner.state(),
            closures: &json!(self.closures),
            input: &self.input,
        };
        serde_json::to_vec(&call.payload()).unwrap()
    }

    /// Runs one step, the admission of a rerun, or the entry of a phase.
    pub(crate) async fn invoke(&self, harness: &Harness, owner: &str) -> Result<StepResult, Fault> {
        let request = harness.request(&self.payload(owner))?;
        let Some(step) = Step::from_id(owner) else {
            return match Owner::from_id(owner).unwrap() {
                Owner::Entry => Box::pin(harness.run(&m3j_phase_verdict::Entry::default(), &request)).await,
                _ => Box::pin(harness.run(&m3g_rerun_discipline::Admission, &request)).await,
            };
        };
        match step {
            Step::HandleClosure => Box::pin(harness.run(&m3a_handle_closure::HandleClosure, &request)).await,
            Step::RunIdentity => Box::pin(harness.run(&m3b_run_identity::RunIdentity, &request)).await,
            Step::ConfigDigest => Box::pin(harness.run(&m3c_config_digest::ConfigDigest, &request)).await,
            Step::OrchestratorReadiness => {
                Box::pin(harness.run(&m3d_orchestrator_readiness::OrchestratorReadiness, &request)).await
            }
            Step::RunPublication => Box::pin(harness.run(&m3e_run_publication::RunPublication, &request)).await,
            Step::M4Handoff => Box::pin(harness.run(&m3f_m4_handoff::M4Handoff, &request)).await,
            Step::RerunDiscipline => Box::pin(harness.run(&m3g_rerun_discipline::RerunDiscipline, &request)).await,
            Step::CostEnvelope => {
                let explorer = CostExplorer::new(self.stage.platform.sdk_config());
                Box::pin(harness.run(&CostEnvelope { explorer }, &request)).await
            }
            Step::GateRollup => Box::pin(harness.run(&m3i_gate_rollup::GateRollup, &request)).await,
            Step::PhaseVerdict => {
                Box::pin(harness.run(&m3j_phase_verdict::PhaseVerdictStep::default(), &request)).await
            }
        }
    }

    /// Runs one step and keeps its closure.
    pub(crate) async fn step(&mut self, owner: &str) -> StepResult {
        let result = self
            .invoke(&self.direct(), owner)
            .await
            .unwrap_or_else(|e| panic!("{owner}: {e}"));
        self.closures.insert(result.step, result.closure.clone().unwrap());
        result
    }

    /// Everything in the bucket.
    pub(crate) async fn snapshot(&self) -> Snapshot {
        let mut objects = Snapshot::new();
        let request = self.stage.s3.list_object_versions().bucket(&self.bucket);
        let answer = request.send().await.unwrap();
        assert!(!answer.is_truncated().unwrap_or(false) && answer.delete_markers().is_empty());
        for version in answer.versions() {
            let object = objects
                .entry(version.key().unwrap().to_owned())
                .or_insert_with(|| Stored {
                    versions: Vec::new(),
                    etag: version.e_tag().unwrap().trim_matches('"').to_owned(),
                });
            object.versions.push(version.version_id().unwrap().to_owned());
        }
        objects
    }

    /// How many versions each object of the bucket has.
    pub(crate) async fn version_counts(&self) -> BTreeMap<String, usize> {
        let versions = self.stage.versions_in(&self.bucket, "").await;
        versions
            .into_iter()
            .map(|(key, versions)| (key, versions.len()))
            .collect()
    }

    /// Takes away everything of the snapshot `after` that was not there `before`.
    pub(crate) async fn restore(&self, before: &Snapshot, after: &Snapshot) {
        let mut objects = Vec::new();
        for (key, stored) in after {
            if !before.contains_key(key) {
                for version in &stored.versions {
                    let object = ObjectIdentifier::builder().key(key).version_id(version);
                    objects.push(object.build().unwrap());
                }
            }
        }
        if !objects.is_empty() {
            let delete = Delete::builder().set_objects(Some(objects)).build().unwrap();
            let request = self.stage.s3.delete_objects().bucket(&self.bucket);
            request.delete(delete).send().await.unwrap();
        }
        assert_eq!(&self.snapshot().await, before);
    }

    /// What was written between two snapshots, each object once: versions, tags and hashes of these objects, which differ
    /// when they are written anew, replaced by the objects' names.
    pub(crate) async fn written(
        &self,
        before: &Snapshot,
        after: &Snapshot,
        result: &StepResult,
    ) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::from([("result".to_owned(), serde_json::to_string(result).unwrap())]);
        let mut names = Vec::new();
        let new: Vec<_> = after.iter().filter(|(key, _)| !before.contains_key(*key)).collect();
        let contents = join_all(new.iter().map(|(key, _)| self.get(key))).await;
        for ((key, stored), bytes) in new.into_iter().zip(contents) {
            assert_eq!(stored.versions.len(), 1, "{key} has more than one version");
            let hash = Sha256Hex::of(&bytes).to_string();
            names.push([
                (stored.versions[0].clone(), format!("<version of {key}>")),
                (hash, format!("<hash of {key}>")),
                (stored.etag.clone(), format!("<tag of {key}>")),
            ]);
            texts.insert(key.clone(), String::from_utf8(bytes).unwrap());
        }
        for text in texts.values_mut() {
            for (value, name) in names.iter().flatten() {
                *text = text.replace(value, name);
            }
        }
        texts
    }

    pub(crate) async fn get(&self, key: &str) -> Vec<u8> {
        let request = self.stage.s3.get_object().bucket(&self.bucket).key(key);
        let answer = request.send().await.unwrap_or_else(|e| panic!("{key}: {e:?}"));
        answer.body.collect().await.unwrap().to_vec()
    }

    pub(crate) async fn json(&self, key: &str) -> Value {
        serde_json::from_slice(&self.get(key).await).unwrap()
    }
}
