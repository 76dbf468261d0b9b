//! What a run works on: registry, stack outputs, billing artifact, M2's receipt.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::primitives::ByteStream;
use p1_contract::ids::{Environment, S3Uri, Stamp};
use p1_contract::registry;
use p1_local::sample::{self, Names};
use serde_json::{Value, json};

use super::Stage;

static RECEIPTS: AtomicU64 = AtomicU64::new(0);

/// What a registry must hold for M3.F to pass, and what it holds instead where a test has M3.F hold the run.
const MISSING_FIELD: (&str, &str) = ("runtime_lane,trace_id\"", "trace_id\"");

impl Stage {
    /// The registry that the platform begins with.
    pub fn registry(&self) -> String {
        let profile = self.platform.profile();
        let names = Names {
            environment: profile.environment.clone(),
            account: profile.account.clone(),
            region: profile.region.clone(),
            evidence_bucket: self.platform.evidence_bucket().to_owned(),
            object_store_bucket: self.platform.object_store_bucket().to_owned(),
            artifacts_bucket: self.platform.artifacts_bucket().to_owned(),
            state_machine: profile.state_machine_name.clone(),
            state_machine_role: profile.state_machine_role_name.clone(),
        };
        String::from_utf8(sample::registry(&names)).unwrap()
    }

    /// Puts the valid inputs.
    pub async fn seed(&self) {
        self.put_registry(&self.registry()).await;
        self.put_stack_outputs(None).await;
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        self.put(
            &self.platform.billing_artifact_uri().parse().unwrap(),
            sample::billing(today),
        )
        .await;
    }

    /// Puts stack outputs: the valid ones, or these.
    pub async fn put_stack_outputs(&self, outputs: Option<&Value>) {
        let valid = json!({"p1_handle_materialization": {
            "sensitive": false,
            "value": {"S3_EVIDENCE_BUCKET": self.platform.evidence_bucket()}
        }});
        let outputs = outputs.unwrap_or(&valid);
        for uri in self.platform.stack_outputs_uris() {
            self.put(&uri.parse().unwrap(), outputs.to_string().into_bytes()).await;
        }
    }

    /// Puts a registry, and the manifests that it resolves to.
    pub async fn put_registry(&self, text: &str) {
        self.put(&self.platform.registry_uri().parse().unwrap(), text.as_bytes().to_vec())
            .await;
        let registry = registry::parse(text.as_bytes()).unwrap();
        let handle = |key: &str| registry.get(key).value().map(|value| value.to_json());
        let text = |key: &str| {
            handle(key)
                .and_then(|value| value.as_str().map(str::to_owned))
                .unwrap_or_default()
        };
        let (namespace, engine_run) = (text("ORACLE_SOURCE_NAMESPACE"), text("ORACLE_ENGINE_RUN_ID"));
        let ids = handle("ORACLE_REQUIRED_OUTPUT_IDS").unwrap_or_default();
        for id in ids.as_array().into_iter().flatten().filter_map(Value::as_str) {
            let key = text("S3_STREAM_VIEW_MANIFEST_KEY_PATTERN")
                .replace("{oracle_source_namespace}", &namespace)
                .replace("{oracle_engine_run_id}", &engine_run)
                .replace("{output_id}", id);
            let uri = format!("s3://{}/{key}", self.platform.object_store_bucket());
            if !self.manifests.lock().unwrap().insert(uri.clone()) {
                continue;
            }
            self.put(
                &uri.parse().unwrap(),
                sample::stream_view_manifest(&namespace, &engine_run, id),
            )
            .await;
        }
    }

    /// Puts a registry that lacks a field of the handoff: M3.F holds a run on it.
    pub async fn put_broken_registry(&self) {
        let good = self.registry();
        let broken = good.replace(MISSING_FIELD.0, MISSING_FIELD.1);
        assert_ne!(broken, good);
        self.put_registry(&broken).await;
    }

    /// Puts an input of the platform: an ordinary, overwriting PUT. Evidence is never put this way.
    pub async fn put(&self, uri: &S3Uri, bytes: Vec<u8>) {
        let request = self.s3.put_object().bucket(uri.bucket.as_str()).key(uri.key.as_str());
        request.body(ByteStream::from(bytes)).send().await.unwrap();
    }

    /// The key of a receipt of an M2 execution of its own.
    pub fn new_receipt_key() -> String {
        Self::new_receipt_key_of(&Environment::default())
    }

    /// The key of a receipt of an M2 execution of its own in this environment.
    pub fn new_receipt_key_of(environment: &Environment) -> String {
        let second = RECEIPTS.fetch_add(1, Ordering::Relaxed);
        let stamp = jiff::Timestamp::new(1_750_000_000 + i64::try_from(second).unwrap(), 0).unwrap();
        let stamp = Stamp::from_rfc3339_floor(&stamp.to_string()).unwrap().compact();
        format!(
            "{}m2j_{stamp}/m2j_m3_entry_readiness_receipt.json",
            environment.run_control_root()
        )
    }

    /// The green receipt of the M2 execution that this key is of.
    pub fn receipt_at(key: &str) -> Vec<u8> {
        let stamp = key.split('/').nth(3).and_then(|folder| folder.strip_prefix("m2j_"));
        sample::m2_receipt(stamp.unwrap())
    }
}
