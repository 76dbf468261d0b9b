//! Both duties on a store in memory: one valid world, and one thing broken in it at a time.

mod admission;
mod discipline;
mod refusal;

use std::collections::BTreeMap;
use std::sync::Arc;

use p1_contract::artifacts::{M4HandoffPack, OrchestratorReference, RunHeader, RunIdentitySeed, RunRecord};
use p1_contract::blocker::{Finding, codes};
use p1_contract::canonical;
use p1_contract::evidence::{
    Body, Document, DocumentOf, ExecutionSummary, Head, Header, RunIds, Triplet, merge, summary_name,
};
use p1_contract::handles::{HandleFacts, names_read_by_any};
use p1_contract::hash::Sha256Hex;
use p1_contract::identity::{DIGEST_PROFILE, DigestInput, SeedInputs, field_list};
use p1_contract::ids::{Environment, ExecutionArn, PhaseExecutionId, PlatformRunId, S3Key, Stamp};
use p1_contract::ledger::{LEDGER_RECORD, LedgerRecord};
use p1_contract::observations::ExecutionAnswer;
use p1_contract::owner::Owner;
use p1_contract::reference::{ArtifactRef, ClosureRef, ObjectRef};
use p1_contract::registry;
use p1_contract::request::{Closures, Mode, StepResult, TaskCall};
use p1_contract::settings::Settings;
use p1_contract::step::Step;
use p1_runtime::store::{MemoryStore, Store};
use p1_runtime::{Fault, FixedAnswers, Harness, Orchestrator, key_in};
use serde_json::{Value, json};

const EVIDENCE: &str = "dev-evidence";
const ARTIFACTS: &str = "dev-artifacts";
const REGISTRY_KEY: &str = "registry/handles.md";
const FIELDS: &str = "oracle_input_manifest_uri,oracle_input_manifest_sha256,config_digest";

/// The stamp of the n-th execution.
fn stamp(n: u8) -> Stamp {
    Stamp::parse_compact(&format!("20261122T1200{n:02}Z")).unwrap()
}

/// The n-th execution.
fn execution(n: u8) -> ExecutionArn {
    ExecutionArn::parse(&format!(
        "arn:aws:states:eu-west-2:123456789012:execution:orchestrator:run-{n}"
    ))
    .unwrap()
}

/// A registry that declares every handle that any step reads, with `changes` applied.
fn registry_text(changes: &[(&str, &str)]) -> String {
    let names = names_read_by_any(&Environment::default());
    let mut handles: BTreeMap<&str, String> = names
        .iter()
        .map(|key| (key.as_str(), format!("\"value of {key}\"")))
        .collect();
    let fixed = [
        ("FIELD_PLATFORM_RUN_ID", "\"platform_run_id\""),
        ("FIELD_SCENARIO_RUN_ID", "\"scenario_run_id\""),
        ("FIELD_CONFIG_DIGEST", "\"config_digest\""),
        (
            "ROLE_TERRAFORM_APPLY_DEV_FULL",
            "\"arn:aws:iam::123456789012:role/apply\"",
        ),
        ("CONFIG_DIGEST_ALGO", "\"sha256\""),
        ("S3_EVIDENCE_BUCKET", "\"dev-evidence\""),
        ("SFN_PLATFORM_RUN_ORCHESTRATOR_V0", "\"orchestrator\""),
        ("ORACLE_REQUIRED_OUTPUT_IDS", "[\"a\",\"b\"]"),
        (
            "ORACLE_SORT_KEY_BY_OUTPUT_ID",
            "{\"a\":\"ts\",\"b\":\"ts\",\"c\":\"ts\"}",
        ),
        ("SCENARIO_RUN_ID_DERIVATION_MODE", "\"deterministic_hash_v1\""),
        (
            "SCENARIO_EQUIVALENCE_KEY_CANONICALIZATION_MODE",
            "\"json_sorted_keys_v1\"",
        ),
    ];
    for (key, value) in fixed {
        handles.insert(key, value.to_owned());
    }
    handles.insert("SCENARIO_EQUIVALENCE_KEY_CANONICAL_FIELDS", format!("\"{FIELDS}\""));
    for (key, value) in changes {
        handles.insert(key, (*value).to_owned());
    }
    handles
        .into_iter()
        .map(|(key, value)| format!("* `{key} = {value}`\n"))
        .collect()
}

fn object_ref(bucket: &str, key: &str, version: String, bytes: &[u8]) -> ObjectRef {
    ObjectRef {
        bucket: bucket.parse().unwrap(),
        key: key.parse().unwrap(),
        version_id: Some(version),
        sha256: Sha256Hex::of(bytes),
        bytes: bytes.len() as u64,
    }
}

/// A run that execution 1 minted, in a store in memory.
struct World {
    store: MemoryStore,
    running: Vec<ExecutionArn>,
    unknown: Vec<ExecutionArn>,
    registry: ObjectRef,
    run: Triplet,
    seed: SeedInputs,
    closures: Closures,
}

impl World {
    /// Nothing but a registry, and the ids that follow from it.
    fn empty() -> Self {
        let store = MemoryStore::with_buckets(&[EVIDENCE, ARTIFACTS]);
        let text = registry_text(&[]);
        let version = store.seed(ARTIFACTS, REGISTRY_KEY, text.as_bytes());
        let registry = object_ref(ARTIFACTS, REGISTRY_KEY, version, text.as_bytes());
        let handles = HandleFacts::read(
            &registry::parse(text.as_bytes()).unwrap(),
            &names_read_by_any(&Environment::default()),
        );
        let digest_input = DigestInput::from_handles(&handles).unwrap();
        let config_digest = digest_input.digest().unwrap();
        let seed = SeedInputs {
            digest_profile: DIGEST_PROFILE.to_owned(),
            digest_input,
            config_digest: config_digest.clone(),
            oracle_input_manifest_uri: "s3://oracle/manifest.json".to_owned(),
            oracle_input_manifest_sha256: Sha256Hex::of(b"manifest"),
            oracle_input_manifest_entries: Vec::new(),
            scenario_fields: field_list(FIELDS),
            scenario_derivation_mode: "deterministic_hash_v1".to_owned(),
            canonicalization_mode: "json_sorted_keys_v1".to_owned(),
        };
        let run = Triplet {
            platform_run_id: PlatformRunId::mint(stamp(1), 0).unwrap(),
            scenario_run_id: seed.scenario_run_id().unwrap(),
            config_digest,
        };
        World {
            store,
            running: Vec::new(),
            unknown: Vec::new(),
            registry,
            run,
            seed,
            closures: Closures::new(),
        }
    }

    /// A run whose execution 1 ended with `held`: all steps before it passed, and it has these blockers.
    fn held_at(held: Step, blockers: &[Finding]) -> Self {
        let mut world = World::empty();
        world.acquire(1, 1);
        for step in held.before() {
            world.close(1, step, &[]);
        }
        world.close(1, held, blockers);
        world
    }

    /// The ACQUIRED record of the n-th execution.
    fn acquire(&self, sequence: u32, n: u8) {
        let run = &self.run.platform_run_id;
        self.ledger(&LedgerRecord::acquired(run, sequence, &execution(n), stamp(n)));
    }

    fn ledger(&self, record: &LedgerRecord) {
        let key = record.platform_run_id.ledger_key(record.sequence);
        assert_eq!(record.artifact, LEDGER_RECORD);
        self.store.seed(EVIDENCE, &key, canonical::document_of(record).unwrap());
    }

    fn ids(&self, step: Step) -> RunIds {
        let ids = RunIds::from(self.run.clone());
        match step {
            Step::HandleClosure => RunIds::default(),
            Step::RunIdentity => RunIds {
                config_digest: None,
                ..ids
            },
            _ => ids,
        }
    }

    /// Publishes the artifacts and the summary of `step` in the n-th execution.
    fn close(&mut self, n: u8, step: Step, blockers: &[Finding]) {
        let id = PhaseExecutionId::derive(step, stamp(n), execution(n).as_str());
        let artifacts = self.artifacts(step, &id);
        let pinned = (step == Step::HandleClosure).then(|| self.registry.clone());
        let inputs = pinned.into_iter().collect();
        let upstream = Owner::all()
            .filter_map(|owner| self.closures.get(&owner).cloned())
            .collect();
        let summary = ExecutionSummary::new(step.ready_gate(), blockers.to_vec(), artifacts, inputs, upstream)
            .scanned(p1_contract::evidence::SecretScan::default());
        let name = summary_name(step);
        let header = Header::new(&name, step, id.clone(), &self.ids(step));
        let bytes = canonical::to_document(&merge(&header, &summary).unwrap()).unwrap();
        let key = key_of(&id, &name);
        let version_id = self.store.seed(EVIDENCE, key.as_str(), bytes.clone());
        let closure = ClosureRef {
            step: step.into(),
            phase_execution_id: id,
            overall_pass: summary.overall_pass,
            bucket: EVIDENCE.parse().unwrap(),
            key,
            version_id: Some(version_id),
            sha256: Sha256Hex::of(&bytes),
        };
        self.closures.insert(step.into(), closure);
    }

    fn artifacts(&self, step: Step, id: &PhaseExecutionId) -> Vec<ArtifactRef> {
        let root = self.run.platform_run_id.run_root();
        let pinned_at_utc = stamp(1);
        match step {
            Step::RunIdentity => {
                let body = RunIdentitySeed {
                    pinned_at_utc,
                    seed_inputs: Some(self.seed.clone()),
                };
                vec![self.document(step, id, key_of(id, "m3b_run_identity_seed").as_str(), body)]
            }
            Step::RunPublication => {
                let orchestrator = OrchestratorReference {
                    state_machine_name: "orchestrator".to_owned(),
                    state_machine_arn: "arn:aws:states:eu-west-2:123456789012:stateMachine:orchestrator".to_owned(),
                    role_arn: "arn:aws:iam::123456789012:role/orchestrator".to_owned(),
                    sr_ready_commit_authority: "step_functions_only".to_owned(),
                };
                let record = RunRecord {
                    pinned_at_utc,
                    orchestrator,
                    ledger_prefix: format!("{root}ledger/"),
                    source_closures: Vec::new(),
                };
                let run_json = self.document(step, id, &format!("{root}run.json"), record);
                let header = RunHeader {
                    written_at_utc: None,
                    pinned_at_utc,
                    required_platform_run_id_env_key: "PLATFORM_RUN_ID".to_owned(),
                    config_digest_algo: "sha256".to_owned(),
                    run_json_key: run_json.key.clone(),
                    run_json_sha256: run_json.sha256.clone(),
                };
                let header = self.document(step, id, &format!("{root}run_pin/run_header.json"), header);
                vec![run_json, header]
            }
            Step::M4Handoff => {
                let pack = M4HandoffPack {
                    required_platform_run_id_env_key: "PLATFORM_RUN_ID".to_owned(),
                    required_platform_run_id_env_value: self.run.platform_run_id.clone(),
                    correlation_required_fields: vec!["platform_run_id".to_owned()],
                    durable_references: Vec::new(),
                    source_execution_ids: BTreeMap::new(),
                    pinned_at_utc,
                    overall_pass: true,
                };
                vec![self.document(step, id, key_of(id, "m4_handoff_pack").as_str(), pack)]
            }
            _ => Vec::new(),
        }
    }

    fn document<B: Body>(&self, step: Step, id: &PhaseExecutionId, key: &str, body: B) -> ArtifactRef {
        let header = Head::of(B::NAME, step, id.clone(), &self.ids(step)).unwrap();
        let document: DocumentOf<B> = Document { header, body };
        let bytes = document.render().unwrap();
        let version_id = self.store.seed_once(EVIDENCE, key, bytes.clone());
        ArtifactRef {
            name: B::NAME.to_owned(),
            bucket: EVIDENCE.parse().unwrap(),
            key: S3Key::parse(key).unwrap(),
            version_id: Some(version_id),
            etag: "tag".to_owned(),
            sha256: Sha256Hex::of(&bytes),
            bytes: bytes.len() as u64,
        }
    }

    /// Publishes another registry.
    fn repin(&self, changes: &[(&str, &str)]) {
        self.store.seed(ARTIFACTS, REGISTRY_KEY, registry_text(changes));
    }

    fn harness(&self) -> Harness {
        let answer = |arn: ExecutionArn| {
            let status = if self.running.contains(&arn) {
                "RUNNING"
            } else {
                "FAILED"
            };
            let status = status.to_owned();
            (arn.to_string(), ExecutionAnswer::Found { status })
        };
        let known = (1..10).map(execution).filter(|arn| !self.unknown.contains(arn));
        let answers = FixedAnswers {
            executions: known.map(answer).collect(),
            ..FixedAnswers::default()
        };
        Harness {
            store: Store::Memory(self.store.clone()),
            orchestrator: Orchestrator::Fixed(Arc::new(answers)),
        }
    }

    /// Calls the function in the n-th execution.
    fn call(&self, n: u8, mode: Mode, closures: &Closures, input: &Value) -> Result<StepResult, Fault> {
        let payload = payload(n, mode, closures, input);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(crate::handle(&self.harness(), payload.to_string().as_bytes()))
    }

    /// The rerun input for the step at which [`admission::held`] is held.
    fn resumed(&self) -> Value {
        self.rerun(Step::OrchestratorReadiness)
    }

    /// The rerun input for the closure of `step`.
    fn rerun(&self, step: Step) -> Value {
        let closure = &self.closures[step.id()];
        json!({ "resume": {
            "held": { "key": closure.key, "version_id": closure.version_id, "sha256": closure.sha256 },
            "reset": { "actor": "ops", "reason": "the machine was down", "class": "service_runtime_reset", "scope": "orchestrator", "at_utc": "2026-11-22T13:00:00Z" },
        }})
    }

    /// The artifact at `file` in the folder of a result's phase execution.
    fn artifact(&self, result: &StepResult, file: &str) -> Value {
        let key = key_of(&result.phase_execution_id, file);
        serde_json::from_slice(&self.store.dump(EVIDENCE)[key.as_str()]).unwrap()
    }

    /// Writes the bytes at `key` a second time, or hides them behind a delete marker.
    fn touch(&self, key: &str, hide: bool) {
        let bytes = self.store.dump(EVIDENCE)[key].clone();
        if hide {
            self.store.delete(EVIDENCE, key);
        } else {
            self.store.seed(EVIDENCE, key, bytes);
        }
    }
}

/// The key of this document of a phase execution.
fn key_of(id: &PhaseExecutionId, name: &str) -> S3Key {
    key_in(&Environment::default(), id, &format!("{name}.json")).unwrap()
}

/// The payload of a call in the n-th execution.
fn payload(n: u8, mode: Mode, closures: &Closures, input: &Value) -> Value {
    let settings = Settings {
        registry: format!("s3://{ARTIFACTS}/{REGISTRY_KEY}").parse().unwrap(),
        ..p1_runtime::testing::settings(EVIDENCE)
    };
    let execution = execution(n);
    let call = TaskCall {
        mode,
        settings: &settings,
        execution: execution.as_str(),
        start_time: &stamp(n).rfc3339(),
        state_machine: "arn:aws:states:eu-west-2:123456789012:stateMachine:orchestrator",
        state: "M3.G Rerun discipline",
        closures: &json!(closures),
        input,
    };
    call.payload()
}

fn wire_codes(findings: &[Finding]) -> Vec<&'static str> {
    codes(findings).into_iter().map(|code| code.code()).collect()
}

fn result_codes(result: &StepResult) -> Vec<&'static str> {
    result.blockers.iter().map(|code| code.code()).collect()
}

/// The start of an operator, which is no rerun.
fn operator_start() -> Value {
    json!({ "m2_handoff": { "key": "evidence/dev_full/run_control/m2j_20261121T080000Z/m2j_m3_entry_readiness_receipt.json" }})
}
