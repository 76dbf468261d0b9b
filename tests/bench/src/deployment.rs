//! What the functions work on: three buckets on some S3, the sample platform's inputs in them, and a state machine that
//! answers for itself. It grows with the size of its registry.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, CreateBucketConfiguration, VersioningConfiguration};
use p1::drive::target::Target;
use p1_contract::ids::Environment;
use p1_contract::settings::{Settings, SettingsFields};
use p1_local::sample::{self, Names};
use p1_local::{Profile, sdk_config};
use serde_json::{Value, json};

use crate::error::BenchError;

/// Counts deployments, so that each has buckets of its own.
static DEPLOYMENTS: AtomicU64 = AtomicU64::new(0);

/// How large the registry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Handles beside those of the sample, which nothing reads.
    pub more_handles: usize,
    /// Required outputs of the oracle, each with a manifest.
    pub outputs: usize,
}

impl Size {
    /// The sample platform as it is.
    pub const SAMPLE: Size = Size {
        more_handles: 0,
        outputs: 4,
    };
}

/// A deployment on some S3.
#[derive(Debug)]
pub struct Deployment {
    /// Clients of its S3.
    pub s3: Client,
    /// The evidence bucket.
    pub evidence_bucket: String,
    /// How large its registry is.
    pub size: Size,
    s3_endpoint: String,
    sfn_endpoint: String,
    names: Names,
    started: AtomicU64,
    made: jiff::Timestamp,
}

/// An execution of the state machine, as its Tasks are told of it.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// When it started, RFC 3339.
    pub start_time: String,
    /// Its input: the event that S3 sends for the M2 receipt.
    pub input: Value,
}

impl Deployment {
    /// Makes a deployment on the S3 at `s3_endpoint`, whose account, region and orchestrator are the profile's.
    ///
    /// # Errors
    /// When S3 refuses one of its buckets or inputs.
    pub async fn make(
        s3_endpoint: &str,
        sfn_endpoint: &str,
        profile: &Profile,
        size: Size,
    ) -> Result<Self, BenchError> {
        let number = DEPLOYMENTS.fetch_add(1, Ordering::Relaxed);
        let place = format!("p1-bench-{}-{number}", std::process::id());
        let names = Names {
            environment: Environment::default(),
            account: profile.account.clone(),
            region: profile.region.clone(),
            evidence_bucket: format!("{place}-evidence"),
            object_store_bucket: format!("{place}-oracle"),
            artifacts_bucket: format!("{place}-artifacts"),
            state_machine: profile.state_machine_name.clone(),
            state_machine_role: profile.state_machine_role_name.clone(),
        };
        let config = sdk_config(s3_endpoint, &profile.region, &profile.account);
        let config = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(true)
            .build();
        let deployment = Deployment {
            s3: Client::from_conf(config),
            evidence_bucket: names.evidence_bucket.clone(),
            size,
            s3_endpoint: s3_endpoint.to_owned(),
            sfn_endpoint: sfn_endpoint.to_owned(),
            names,
            started: AtomicU64::new(0),
            made: jiff::Timestamp::now(),
        };
        deployment.seed().await?;
        Ok(deployment)
    }

    async fn seed(&self) -> Result<(), BenchError> {
        let names = &self.names;
        for bucket in [
            &names.evidence_bucket,
            &names.object_store_bucket,
            &names.artifacts_bucket,
        ] {
            self.bucket(bucket).await?;
        }
        let materialized = json!({"p1_handle_materialization": {
            "sensitive": false, "value": {"S3_EVIDENCE_BUCKET": names.evidence_bucket}
        }});
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let artifacts = &names.artifacts_bucket;
        self.put(artifacts, "registry.md", self.registry().into_bytes()).await?;
        self.put(artifacts, "stack.json", materialized.to_string().into_bytes())
            .await?;
        self.put(artifacts, "billing.json", sample::billing(today)).await?;
        self.put(
            &names.evidence_bucket,
            &receipt_key(),
            sample::m2_receipt(RECEIPT_STAMP),
        )
        .await?;
        for output in self.outputs() {
            let (key, manifest) = manifest(&output);
            self.put(&names.object_store_bucket, &key, manifest).await?;
        }
        Ok(())
    }

    /// Keys and bytes of the manifests that the sample registry asks for.
    pub fn sample_manifests() -> impl Iterator<Item = (String, Vec<u8>)> {
        SAMPLE_OUTPUTS.into_iter().map(manifest)
    }

    /// Key and bytes of the M2 receipt.
    #[must_use]
    pub fn receipt() -> (String, Vec<u8>) {
        (receipt_key(), sample::m2_receipt(RECEIPT_STAMP))
    }

    async fn bucket(&self, bucket: &str) -> Result<(), BenchError> {
        let operation = || format!("make bucket {bucket}");
        let place = CreateBucketConfiguration::builder()
            .location_constraint(self.names.region.as_str().into())
            .build();
        self.s3
            .create_bucket()
            .bucket(bucket)
            .create_bucket_configuration(place)
            .send()
            .await
            .map_err(|e| BenchError::failed(operation(), &e))?;
        let versioning = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        self.s3
            .put_bucket_versioning()
            .bucket(bucket)
            .versioning_configuration(versioning)
            .send()
            .await
            .map_err(|e| BenchError::failed(operation(), &e))?;
        Ok(())
    }

    /// Puts an input. Evidence is never put this way.
    async fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>) -> Result<(), BenchError> {
        let request = self.s3.put_object().bucket(bucket).key(key);
        request
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|e| BenchError::failed(format!("put s3://{bucket}/{key}"), &e))?;
        Ok(())
    }

    /// Puts an object of somebody else into the evidence bucket.
    ///
    /// # Errors
    /// When S3 refuses.
    pub async fn put_evidence(&self, key: &str, bytes: Vec<u8>) -> Result<(), BenchError> {
        self.put(&self.evidence_bucket, key, bytes).await
    }

    /// Puts the registry anew: with one text replaced, or as it was.
    ///
    /// # Errors
    /// When S3 refuses, or the registry does not have the text.
    pub async fn put_registry(&self, change: Option<(&str, &str)>) -> Result<(), BenchError> {
        let mut text = self.registry();
        if let Some((from, to)) = change {
            if !text.contains(from) {
                return Err(BenchError::wrong("change the registry", format!("it has no {from}")));
            }
            text = text.replace(from, to);
        }
        self.put(&self.names.artifacts_bucket, "registry.md", text.into_bytes())
            .await
    }

    /// Reads an object of the evidence bucket.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, BenchError> {
        let operation = || format!("read s3://{}/{key}", self.evidence_bucket);
        let request = self.s3.get_object().bucket(&self.evidence_bucket).key(key);
        let answer = request.send().await.map_err(|e| BenchError::failed(operation(), &e))?;
        let body = answer.body.collect().await;
        Ok(body.map_err(|e| BenchError::failed(operation(), &e))?.to_vec())
    }

    fn outputs(&self) -> Vec<String> {
        if self.size == Size::SAMPLE {
            return SAMPLE_OUTPUTS.map(str::to_owned).to_vec();
        }
        (0..self.size.outputs)
            .map(|number| format!("output_{number:04}"))
            .collect()
    }

    /// The sample registry at this deployment's size.
    fn registry(&self) -> String {
        let text = String::from_utf8_lossy(&sample::registry(&self.names)).into_owned();
        if self.size == Size::SAMPLE {
            return text;
        }
        let outputs = self.outputs();
        let sort_keys: serde_json::Map<String, Value> =
            outputs.iter().map(|output| (output.clone(), "ts_utc".into())).collect();
        let mut grown = String::with_capacity(text.len() + 48 * self.size.more_handles);
        for line in text.lines() {
            if line.starts_with("* `ORACLE_REQUIRED_OUTPUT_IDS") {
                grown.push_str(&format!("* `ORACLE_REQUIRED_OUTPUT_IDS = {}`", json!(outputs)));
            } else if line.starts_with("* `ORACLE_SORT_KEY_BY_OUTPUT_ID") {
                grown.push_str(&format!("* `ORACLE_SORT_KEY_BY_OUTPUT_ID = {}`", json!(sort_keys)));
            } else {
                grown.push_str(line);
            }
            grown.push('\n');
        }
        for number in 0..self.size.more_handles {
            grown.push_str(&format!("* `BENCH_HANDLE_{number:05} = \"value-{number:05}\"`\n"));
        }
        grown
    }

    /// The settings that its functions are handed.
    ///
    /// # Errors
    /// Never for the names that a deployment has; the parser's error otherwise.
    pub fn settings(&self) -> Result<Settings, BenchError> {
        let artifacts = &self.names.artifacts_bucket;
        let fields = SettingsFields {
            environment: Some(Environment::default().to_string()),
            deployment: "p1-bench".to_owned(),
            evidence_bucket: self.evidence_bucket.clone(),
            registry_uri: format!("s3://{artifacts}/registry.md"),
            stack_outputs_uris: format!("s3://{artifacts}/stack.json"),
            cost_source: "billing_artifact".to_owned(),
            billing_artifact_uri: format!("s3://{artifacts}/billing.json"),
            signing: "off".to_owned(),
            signing_key: String::new(),
        };
        Settings::try_from(fields).map_err(|e| BenchError::failed("name the deployment's settings", &e))
    }

    /// The environment of its functions, whose S3 is at `endpoint`: its own, or a proxy before it.
    #[must_use]
    pub fn variables(&self, endpoint: &str) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", endpoint.to_owned()),
            ("AWS_ENDPOINT_URL_SFN", self.sfn_endpoint.clone()),
            ("AWS_REGION", self.names.region.clone()),
            ("AWS_DEFAULT_REGION", self.names.region.clone()),
            ("AWS_ACCESS_KEY_ID", self.names.account.clone()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// What `cargo p1` would know of it if it were a stack, with its S3 at `endpoint`.
    ///
    /// # Errors
    /// Never for the names that a deployment has; otherwise what is wrong with one.
    pub fn target(&self, endpoint: &str) -> Result<Target, BenchError> {
        let failed = |error: &(dyn std::error::Error + 'static)| BenchError::failed("name the deployment", error);
        let names = &self.names;
        let artifacts = &names.artifacts_bucket;
        let role = format!("arn:aws:iam::{}:role/{}", names.account, names.state_machine_role);
        let outputs = [
            ("Region", names.region.clone()),
            ("Environment", names.environment.to_string()),
            ("Account", names.account.clone()),
            ("StateMachineArn", self.state_machine_arn()),
            ("StateMachineName", names.state_machine.clone()),
            ("StateMachineRoleArn", role),
            ("EvidenceBucket", self.evidence_bucket.clone()),
            ("ObjectStoreBucket", names.object_store_bucket.clone()),
            ("ArtifactsBucket", artifacts.clone()),
            ("RegistryUri", format!("s3://{artifacts}/registry.md")),
            ("StackOutputsUris", format!("s3://{artifacts}/stack.json")),
            ("BillingArtifactUri", format!("s3://{artifacts}/billing.json")),
        ];
        let outputs = outputs.map(|(name, value)| (name.to_owned(), value));
        let stack = p1_local::Deployment::from_outputs("p1-bench", outputs.into()).map_err(|e| failed(&e))?;
        let config = sdk_config(endpoint, &names.region, &names.account);
        Target::new(&stack, &config, true).map_err(|e| failed(&e))
    }

    /// Where its S3 is.
    #[must_use]
    pub fn s3_endpoint(&self) -> &str {
        &self.s3_endpoint
    }

    /// The key of its billing artifact's bucket, and the key.
    #[must_use]
    pub fn billing(&self) -> (String, String) {
        (self.names.artifacts_bucket.clone(), "billing.json".to_owned())
    }

    /// The state machine's ARN.
    #[must_use]
    pub fn state_machine_arn(&self) -> String {
        let Names {
            account,
            region,
            state_machine,
            ..
        } = &self.names;
        format!("arn:aws:states:{region}:{account}:stateMachine:{state_machine}")
    }

    /// The name of the state machine's role.
    #[must_use]
    pub fn role_name(&self) -> &str {
        &self.names.state_machine_role
    }

    /// A new execution. Each has a second of its own, counted back from when the deployment was made: a run that finds the id of
    /// its second taken asks for another one, and is not what is measured.
    ///
    /// # Errors
    /// When the clock is beyond what a timestamp can say.
    pub fn begin(&self) -> Result<Execution, BenchError> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let seconds = self.made.as_second() - i64::try_from(number).unwrap_or(0);
        let start = jiff::Timestamp::new(seconds, 0).map_err(|e| BenchError::failed("name a start time", &e))?;
        let machine = self.state_machine_arn();
        Ok(Execution {
            arn: format!("{}:bench-{number}", machine.replace(":stateMachine:", ":execution:")),
            start_time: start.to_string(),
            input: json!({
                "version": "0", "id": "bench", "detail-type": "Object Created", "source": "aws.s3",
                "account": self.names.account, "time": start.to_string(), "region": self.names.region, "resources": [],
                "detail": {
                    "version": "0",
                    "bucket": {"name": self.evidence_bucket},
                    // A sequencer of its own makes it another delivery of the same receipt.
                    "object": {"key": receipt_key(), "sequencer": format!("{number:08X}")},
                },
            }),
        })
    }
}

const NAMESPACE: &str = "sample_scenario";
const ENGINE_RUN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const SAMPLE_OUTPUTS: [&str; 4] = ["card_events", "card_arrivals", "card_entities", "payment_anchors"];
const RECEIPT_STAMP: &str = "20260223T061612Z";

fn manifest(output: &str) -> (String, Vec<u8>) {
    let key = format!(
        "oracle-store/{NAMESPACE}/{ENGINE_RUN}/stream_view/ts_utc/output_id={output}/_stream_view_manifest.json"
    );
    (key, sample::stream_view_manifest(NAMESPACE, ENGINE_RUN, output))
}

fn receipt_key() -> String {
    format!("evidence/dev_full/run_control/m2j_{RECEIPT_STAMP}/m2j_m3_entry_readiness_receipt.json")
}
