//! The local platforms of a test run, and what a test does with one.
//!
//! Most tests take turns on two platforms that are alike, whichever is free: a deployment names one registry, and a test may
//! change it. Tests of the roles take turns on another, whose engine enforces them. The remaining ones have a platform of their
//! own, or need the engine only for buckets of their own, and run beside all others. A platform ends with the test process: its
//! engine watches a pipe that closes then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use aws_sdk_sfn::types::ExecutionStatus;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{Environment, S3Uri, Stamp};
use p1_contract::registry;
use p1_local::progress::Lines;
use p1_local::sample::{self, Names};
use p1_local::{Platform, PlatformOptions, Profile, Signing};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::{filled_in, scratch};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
/// Two, because an engine is one Python process, which is what a test waits for.
static PLAIN: [Shared; 2] = [const { Shared::new(false) }; 2];
static GUARDED: Shared = Shared::new(true);
static RECEIPTS: AtomicU64 = AtomicU64::new(0);

/// How long an execution may take before the test gives up: a guard against a hang, not an expectation.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long to wait before the engine is asked again.
const POLL: Duration = Duration::from_millis(50);

/// What a registry must hold for M3.F to pass, and what it holds instead where a test has M3.F hold the run.
const MISSING_FIELD: (&str, &str) = ("runtime_lane,trace_id\"", "trace_id\"");

/// A platform on which tests take turns.
struct Shared {
    enforce_roles: bool,
    stage: OnceCell<Stage>,
    turn: Mutex<()>,
}

impl Shared {
    const fn new(enforce_roles: bool) -> Self {
        Shared {
            enforce_roles,
            stage: OnceCell::const_new(),
            turn: Mutex::const_new(()),
        }
    }

    async fn stage(&self) -> &Stage {
        self.stage.get_or_init(|| Stage::set(self.enforce_roles)).await
    }

    async fn take_turn(&self, _turn: MutexGuard<'_, ()>, test: impl AsyncFnOnce(&Stage)) {
        let stage = self.stage().await;
        stage.empty_evidence().await;
        stage.seed().await;
        test(stage).await;
    }
}

/// Runs a test in its turn on the platform: its inputs are the valid ones again, and its evidence bucket is empty.
pub fn on_stage(test: impl AsyncFnOnce(&Stage)) {
    let [one, other] = &PLAIN;
    RUNTIME.block_on(async {
        tokio::select! {
            biased;
            turn = one.turn.lock() => one.take_turn(turn, test).await,
            turn = other.turn.lock() => other.take_turn(turn, test).await,
        }
    });
}

/// The same on a platform whose engine holds the functions to the policies of their roles.
pub fn on_guarded_stage(test: impl AsyncFnOnce(&Stage)) {
    RUNTIME.block_on(async { GUARDED.take_turn(GUARDED.turn.lock().await, test).await });
}

/// Runs a test that uses the platform's engine for buckets of its own alone, beside the test whose turn it is.
pub fn beside_stage(test: impl AsyncFnOnce(&Stage)) {
    RUNTIME.block_on(async { test(PLAIN[0].stage().await).await });
}

/// Runs a test on a platform that no other test sees, which it may deploy anew.
pub fn on_stage_of_its_own(test: impl AsyncFnOnce(&mut Stage)) {
    RUNTIME.block_on(async {
        let mut stage = Stage::set(false).await;
        test(&mut stage).await;
        stage.platform.stop().await.unwrap();
    });
}

/// How often the tests of many executions at once are repeated: `P1_REPEAT`, else once.
pub fn rounds() -> usize {
    std::env::var("P1_REPEAT").map_or(1, |text| text.parse().unwrap())
}

/// The local platform, with clients.
pub struct Stage {
    /// The platform.
    pub platform: Platform,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// Step Functions.
    pub sfn: aws_sdk_sfn::Client,
    /// Manifests that were put already. They are never changed, so that tests beside each other see one version of each.
    manifests: std::sync::Mutex<BTreeSet<String>>,
    /// Executions whose input a test has looked at already, while it waited for its own.
    known: std::sync::Mutex<BTreeSet<String>>,
}

/// An execution that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its ARN.
    pub arn: String,
    /// How it ended.
    pub status: ExecutionStatus,
    /// Its output; `null` where it failed.
    pub output: Value,
    /// Its error; empty where it succeeded.
    pub error: String,
    /// The error's cause.
    pub cause: String,
}

impl Ended {
    /// The outcome: the output of an execution that succeeded, the cause of one that failed with a verdict.
    pub fn outcome(&self) -> Value {
        if self.status == ExecutionStatus::Succeeded {
            return self.output.clone();
        }
        serde_json::from_str(&self.cause).unwrap_or_else(|_| panic!("{}: {}", self.error, self.cause))
    }

    /// The status that `cargo p1 run` ends with after such an execution.
    pub fn exit_status(&self) -> p1::ExitStatus {
        let succeeded = self.status == ExecutionStatus::Succeeded;
        let ending = p1_audit::history::Ending {
            status: if succeeded { "SUCCEEDED" } else { "FAILED" },
            output: succeeded.then(|| self.output.to_string()),
            failure: p1_audit::history::Failure {
                error: self.error.clone(),
                cause: self.cause.clone(),
            },
        };
        let (outcome, _) = p1::drive::verdict::read(&p1_audit::history::History::default(), &ending);
        outcome.exit_status()
    }

    /// The execution, which must have advanced.
    pub fn expect_advance(self) -> Self {
        assert_eq!(self.outcome()["verdict"], "ADVANCE_TO_M4", "{self:?}");
        assert_eq!(
            (&self.status, self.exit_status()),
            (&ExecutionStatus::Succeeded, p1::ExitStatus::Advance)
        );
        self
    }

    /// Asserts a hold with exactly these codes.
    pub fn expect_hold(self, codes: &[&str]) -> Self {
        assert_eq!(
            (self.error.as_str(), &self.status),
            ("M3.Hold", &ExecutionStatus::Failed),
            "{self:?}"
        );
        let outcome = self.outcome();
        assert_eq!(
            (&outcome["verdict"], &outcome["blockers"]),
            (&json!("HOLD_M3"), &json!(codes)),
            "{self:?}"
        );
        self
    }
}

impl Stage {
    async fn set(enforce_roles: bool) -> Stage {
        let options = PlatformOptions {
            wait_scale: Some(0.0),
            enforce_roles,
            // There, that M3.J's role suffices to sign is seen too.
            signing: if enforce_roles { Signing::Kms } else { Signing::LocalKey },
            ..PlatformOptions::new(Profile::load(None).unwrap())
        };
        let platform = Platform::start(options, &Lines).await.unwrap();
        let config = platform.sdk_config();
        let s3 = aws_sdk_s3::config::Builder::from(&config)
            .force_path_style(true)
            .build();
        let stage = Stage {
            s3: aws_sdk_s3::Client::from_conf(s3),
            sfn: aws_sdk_sfn::Client::new(&config),
            platform,
            manifests: std::sync::Mutex::default(),
            known: std::sync::Mutex::default(),
        };
        stage.seed().await;
        stage
    }

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

    /// Empties the evidence bucket, with all versions of its objects. For each question about versions the engine looks through
    /// all that it has, of which the tests of a whole run would leave tens of thousands.
    async fn empty_evidence(&self) {
        let bucket = self.platform.evidence_bucket();
        loop {
            let page = self.s3.list_object_versions().bucket(bucket).send().await.unwrap();
            let versions = page
                .versions()
                .iter()
                .map(|version| (version.key(), version.version_id()));
            let markers = page
                .delete_markers()
                .iter()
                .map(|marker| (marker.key(), marker.version_id()));
            let objects: Vec<_> = versions
                .chain(markers)
                .map(|(key, version)| {
                    let object = ObjectIdentifier::builder().set_key(key.map(str::to_owned));
                    object.set_version_id(version.map(str::to_owned)).build().unwrap()
                })
                .collect();
            if objects.is_empty() {
                return;
            }
            let delete = Delete::builder()
                .quiet(true)
                .set_objects(Some(objects))
                .build()
                .unwrap();
            // The template has S3 retain evidence; whoever may, may still delete it.
            let request = self.s3.delete_objects().bucket(bucket).delete(delete);
            let request = request.bypass_governance_retention(true);
            let answer = request.send().await.unwrap();
            assert!(answer.errors().is_empty(), "{:?}", answer.errors());
        }
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

    /// A run that M3.F held; the registry is the valid one again.
    pub async fn held_run(&self) -> Ended {
        self.put_broken_registry().await;
        let held = self.run().await.expect_hold(&["M3F-B3"]);
        self.put_registry(&self.registry()).await;
        held
    }

    /// The input with which a held run goes on, as its phase summary gives it.
    pub async fn rerun_input(&self, held: &Ended) -> Value {
        let next = self.phase_summary(held).await["next_action"].take();
        assert_eq!(next["action"], "RESUME", "{next}");
        filled_in(&next["rerun_input"])
    }

    /// Puts an input of the platform: an ordinary, overwriting PUT. Evidence is never put this way.
    pub async fn put(&self, uri: &S3Uri, bytes: Vec<u8>) {
        let request = self.s3.put_object().bucket(uri.bucket.as_str()).key(uri.key.as_str());
        request.body(ByteStream::from(bytes)).send().await.unwrap();
    }

    /// The bytes of an object of the evidence bucket.
    pub async fn get(&self, key: &str) -> Vec<u8> {
        let request = self.s3.get_object().bucket(self.platform.evidence_bucket()).key(key);
        let answer = request.send().await.unwrap_or_else(|e| panic!("{key}: {e:?}"));
        answer.body.collect().await.unwrap().to_vec()
    }

    /// The document at a key of the evidence bucket.
    pub async fn json(&self, key: &str) -> Value {
        serde_json::from_slice(&self.get(key).await).unwrap()
    }

    /// The keys of the evidence bucket that begin with `prefix`.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let request = self
            .s3
            .list_objects_v2()
            .bucket(self.platform.evidence_bucket())
            .prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(
                page.unwrap()
                    .contents()
                    .iter()
                    .filter_map(|object| object.key().map(str::to_owned)),
            );
        }
        keys
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

    /// Publishes a green receipt as M2 would, and follows the execution that the rule starts.
    pub async fn run(&self) -> Ended {
        let execution = self.deliver().await;
        self.ended(&execution).await
    }

    /// An operator's start from a receipt that has come in already.
    pub async fn operator_start(&self) -> Value {
        let execution = self.run().await.expect_advance();
        let event: Value = serde_json::from_str(&self.input(&execution.arn).await).unwrap();
        json!({"m2_handoff": {"key": event["detail"]["object"]["key"]}})
    }

    /// Publishes a green receipt as M2 would; the execution that the rule starts.
    pub async fn deliver(&self) -> String {
        self.deliver_receipt(|_| ()).await
    }

    /// Publishes M2's receipt as `change` leaves it; the execution that the rule starts.
    pub async fn deliver_receipt(&self, change: impl FnOnce(&mut Value)) -> String {
        let key = Self::new_receipt_key_of(&self.platform.profile().environment);
        let mut receipt: Value = serde_json::from_slice(&Self::receipt_at(&key)).unwrap();
        change(&mut receipt);
        let receipt = receipt.to_string().into_bytes();
        self.deliver_bytes(&key, receipt).await
    }

    /// Publishes these bytes as M2's receipt; the execution that the rule starts.
    pub async fn deliver_bytes(&self, key: &str, receipt: Vec<u8>) -> String {
        let request = self
            .s3
            .put_object()
            .bucket(self.platform.evidence_bucket())
            .key(key)
            .if_none_match("*");
        request.body(ByteStream::from(receipt)).send().await.unwrap();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            for execution in self.executions().await {
                let is_new = self.known.lock().unwrap().insert(execution.clone());
                if is_new && self.input(&execution).await.contains(key) {
                    return execution;
                }
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "the rule started no execution for {key}"
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// The newest executions.
    pub async fn executions(&self) -> Vec<String> {
        let request = self
            .sfn
            .list_executions()
            .state_machine_arn(self.platform.state_machine_arn());
        let answer = request.max_results(10).send().await.unwrap();
        answer
            .executions()
            .iter()
            .map(|execution| execution.execution_arn().to_owned())
            .collect()
    }

    /// The input of an execution.
    pub async fn input(&self, arn: &str) -> String {
        let answer = self.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
        answer.input().unwrap_or_default().to_owned()
    }

    /// When an execution started, in RFC 3339.
    pub async fn start_time(&self, arn: &str) -> String {
        let answer = self.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
        let seconds = answer.start_date().secs();
        jiff::Timestamp::new(seconds, 0).unwrap().to_string()
    }

    /// The ARN of an execution of this name.
    pub fn execution_arn(&self, name: &str) -> String {
        let machine = self.platform.state_machine_arn();
        format!("{}:{name}", machine.replace(":stateMachine:", ":execution:"))
    }

    /// Starts an execution of this name, and gives its ARN.
    pub async fn begin(&self, name: &str, input: &Value) -> String {
        let request = self
            .sfn
            .start_execution()
            .state_machine_arn(self.platform.state_machine_arn());
        let answer = request.name(name).input(input.to_string()).send().await.unwrap();
        answer.execution_arn().to_owned()
    }

    /// Waits until the first function of an execution has answered, or the execution has ended.
    pub async fn first_answer(&self, arn: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
            if *answer.status() != ExecutionStatus::Running || !self.answers(arn).await.0.is_empty() {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "no function of {arn} answers");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Starts an execution with this text as its input and follows it; the engine's answer when it refuses the input.
    pub async fn try_start(&self, input: &str) -> Result<Ended, String> {
        let request = self
            .sfn
            .start_execution()
            .state_machine_arn(self.platform.state_machine_arn());
        match request.input(input).send().await {
            Ok(answer) => Ok(self.ended(answer.execution_arn()).await),
            Err(error) => Err(format!("{:?}", error.into_service_error())),
        }
    }

    /// Starts an execution with this input and follows it.
    pub async fn start(&self, input: &Value) -> Ended {
        let request = self
            .sfn
            .start_execution()
            .state_machine_arn(self.platform.state_machine_arn());
        let answer = request.input(input.to_string()).send().await.unwrap();
        self.ended(answer.execution_arn()).await
    }

    /// Follows an execution to its end.
    pub async fn ended(&self, arn: &str) -> Ended {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.sfn.describe_execution().execution_arn(arn).send().await.unwrap();
            if *answer.status() != ExecutionStatus::Running {
                return Ended {
                    arn: arn.to_owned(),
                    status: answer.status().clone(),
                    output: serde_json::from_str(answer.output().unwrap_or("null")).unwrap(),
                    error: answer.error().unwrap_or_default().to_owned(),
                    cause: answer.cause().unwrap_or_default().to_owned(),
                };
            }
            assert!(tokio::time::Instant::now() < deadline, "{arn} does not end");
            tokio::time::sleep(POLL).await;
        }
    }

    /// What the functions answered, in order, and how often the engine asked.
    pub async fn answers(&self, arn: &str) -> (Vec<Value>, usize) {
        let request = self.sfn.get_execution_history().execution_arn(arn);
        let mut pages = request.into_paginator().send();
        let (mut results, mut scheduled) = (Vec::new(), 0);
        while let Some(page) = pages.next().await {
            for event in page.unwrap().events() {
                scheduled += usize::from(event.task_scheduled_event_details().is_some());
                let Some(output) = event
                    .task_succeeded_event_details()
                    .and_then(|details| details.output())
                else {
                    continue;
                };
                let mut answer: Value = serde_json::from_str(output).unwrap();
                results.push(answer["Payload"].take());
            }
        }
        (results, scheduled)
    }

    /// The folders of an execution's steps: wire name → folder.
    pub async fn folders(&self, ended: &Ended) -> BTreeMap<String, String> {
        let summary = self.phase_summary(ended).await;
        let closures = summary["closures"].as_array().unwrap().iter();
        let folder = |key: &str| key.rsplit_once('/').unwrap().0.to_owned() + "/";
        let mut folders: BTreeMap<String, String> = closures
            .map(|c| {
                (
                    c["step"].as_str().unwrap().to_owned(),
                    folder(c["key"].as_str().unwrap()),
                )
            })
            .collect();
        folders.insert(
            "M3.J".to_owned(),
            folder(ended.outcome()["closure"]["key"].as_str().unwrap()),
        );
        folders
    }

    /// The phase summary of an execution that ended with a verdict.
    pub async fn phase_summary(&self, ended: &Ended) -> Value {
        let key = ended.outcome()["closure"]["key"].as_str().unwrap().to_owned();
        self.json(&key.replace("m3j_execution_summary", "m3_execution_summary"))
            .await
    }

    /// Copies every object below the folders and the run's root into a new directory below the build folder.
    pub async fn mirror(&self, ended: &Ended, name: &str) -> PathBuf {
        let dir = scratch().join(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).unwrap();
        }
        let mut prefixes: Vec<String> = self.folders(ended).await.into_values().collect();
        if let Some(run) = ended.outcome()["platform_run_id"].as_str() {
            prefixes.push(format!("evidence/runs/{run}/"));
        }
        for prefix in prefixes {
            for key in self.keys(&prefix).await {
                let path = dir.join(&key);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, self.get(&key).await).unwrap();
            }
        }
        dir
    }

    /// Whether an object is there.
    pub async fn exists(&self, key: &str) -> bool {
        let request = self.s3.head_object().bucket(self.platform.evidence_bucket()).key(key);
        request.send().await.is_ok()
    }

    /// Waits until an object is there.
    pub async fn await_object(&self, key: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !self.exists(key).await {
            assert!(tokio::time::Instant::now() < deadline, "{key} does not come");
            tokio::time::sleep(POLL).await;
        }
    }

    /// The versions of every object below a prefix of the evidence bucket; none of them was deleted.
    pub async fn versions(&self, prefix: &str) -> BTreeMap<String, Vec<String>> {
        self.versions_in(self.platform.evidence_bucket(), prefix).await
    }

    /// The version ids below `prefix`, by key.
    pub async fn versions_in(&self, bucket: &str, prefix: &str) -> BTreeMap<String, Vec<String>> {
        let mut versions = BTreeMap::<String, Vec<String>>::new();
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            let request = self.s3.list_object_versions().bucket(bucket).prefix(prefix);
            let request = request.set_key_marker(key_marker).set_version_id_marker(version_marker);
            let answer = request.send().await.unwrap();
            assert!(answer.delete_markers().is_empty(), "{:?}", answer.delete_markers());
            for version in answer.versions() {
                let (key, id) = (version.key().unwrap(), version.version_id().unwrap());
                versions.entry(key.to_owned()).or_default().push(id.to_owned());
            }
            if answer.is_truncated() != Some(true) {
                return versions;
            }
            key_marker = answer.next_key_marker().map(str::to_owned);
            version_marker = answer.next_version_id_marker().map(str::to_owned);
        }
    }

    /// Every object of the execution has one version, and none was deleted.
    pub async fn expect_single_versions(&self, prefix: &str) {
        let request = self
            .s3
            .list_object_versions()
            .bucket(self.platform.evidence_bucket())
            .prefix(prefix);
        let answer = request.send().await.unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for version in answer.versions() {
            assert!(
                seen.insert(version.key().unwrap().to_owned()),
                "{:?} has two versions",
                version.key()
            );
        }
        assert!(answer.delete_markers().is_empty() && !seen.is_empty(), "{prefix}");
    }

    /// A program of the platform's own virtual environment for tools.
    pub fn python(&self) -> Command {
        let checkout = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut command = Command::new(checkout.join(".p1/venv/tools/bin/python"));
        command
            .env("AWS_ENDPOINT_URL", self.platform.endpoint())
            .env("AWS_ACCESS_KEY_ID", self.platform.account())
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_DEFAULT_REGION", self.platform.region())
            .current_dir(checkout);
        command
    }
}

/// Every summary of a mirrored run lists objects with the hashes that they have.
pub fn expect_listed_hashes(dir: &std::path::Path) -> usize {
    let mut checked = 0;
    for path in files(dir) {
        if !path.to_string_lossy().ends_with("_execution_summary.json") || path.ends_with("m3_execution_summary.json") {
            continue;
        }
        let summary: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for artifact in summary["artifacts"]
            .as_array()
            .unwrap_or_else(|| panic!("{}", path.display()))
        {
            let key = artifact["key"].as_str().unwrap();
            if key.contains("/_events/") {
                continue;
            }
            let bytes = std::fs::read(dir.join(key)).unwrap_or_else(|e| panic!("{key}: {e}"));
            assert_eq!(artifact["sha256"], Sha256Hex::of(&bytes).to_string(), "{key}");
            checked += 1;
        }
    }
    checked
}

/// All files below a directory.
pub fn files(dir: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
