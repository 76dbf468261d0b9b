//! A later phase and P1's orchestrator, through the engine: `statemachine/examples/next-phase.asl.json` goes on for a pinned run, and
//! for no other. Whoever changes evidence here is a client of its own, on a bucket without a policy and a run of its own.
//!
//! The local engine runs `startExecution.sync:2` with these differences from AWS, none of which the example depends on: it knows no
//! alias, so the orchestrator is started by its own ARN; it runs the nested execution at once and asks for no role, so that the
//! role's policy is checked in tests/template alone; and it names the failure of a nested execution by its own error, with its own
//! cause, where AWS says `States.TaskFailed` with the description of the nested execution as the cause.

use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sfn::types::ExecutionStatus;
use p1::args::GateArgs;
use p1::drive::screen::Screen;
use p1::drive::target::Target;
use p1_audit::verify::Standing;
use p1_contract::attestation::{Envelope, PAYLOAD_TYPE, PublicKey, VERDICT_SIDECAR, normal_form, pae};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::PlatformRunId;
use p1_tests::directories::verify;
use p1_tests::stage::{Ended, Stage, on_guarded_stage, on_stage};
use p1_tests::world::signing_key;
use p256::ecdsa::Signature;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use serde_json::{Value, json};

use crate::mirrors::{mirrored, replayed, run_root};

/// A run that nobody has pinned.
pub(crate) const UNKNOWN_RUN: &str = "platform_20200101T000000Z";

/// The question about a run that is not the question's own.
pub(crate) fn unknown(run: &str) -> Value {
    json!({"platform_run_id": run, "scenario_run_id": format!("scenario_{}", "0".repeat(32))})
}

/// A run that was pinned for a test, and somebody with a client of its own.
pub(crate) struct Pinned<'s> {
    stage: &'s Stage,
    pub(crate) ended: Ended,
    s3: aws_sdk_s3::Client,
}

impl<'s> Pinned<'s> {
    pub(crate) async fn new(stage: &'s Stage) -> Self {
        let ended = stage.run().await.expect_advance();
        let config = aws_sdk_s3::config::Builder::from(&stage.platform.sdk_config())
            .force_path_style(true)
            .build();
        let s3 = aws_sdk_s3::Client::from_conf(config);
        Pinned { stage, ended, s3 }
    }

    pub(crate) fn root(&self) -> String {
        run_root(&self.ended)
    }

    /// What a later phase asks.
    pub(crate) fn question(&self) -> Value {
        let outcome = self.ended.outcome();
        json!({"platform_run_id": outcome["platform_run_id"], "scenario_run_id": outcome["scenario_run_id"]})
    }

    /// The key of a file beside M3.J's summary.
    fn beside(&self, file: &str) -> String {
        let outcome = self.ended.outcome();
        let key = outcome["closure"]["key"].as_str().unwrap();
        format!("{}/{file}", key.rsplit_once('/').unwrap().0)
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) {
        let request = self.s3.put_object().bucket(self.stage.platform.evidence_bucket());
        request.key(key).body(ByteStream::from(bytes)).send().await.unwrap();
    }

    /// Puts the same bytes again.
    pub(crate) async fn overwrite(&self, key: &str) {
        self.put(key, self.stage.get(key).await).await;
    }

    async fn delete(&self, key: &str) {
        let request = self.s3.delete_object().bucket(self.stage.platform.evidence_bucket());
        request.key(key).send().await.unwrap();
    }

    /// Removes every version of a key, as whoever may bypass its retention can, so that nothing shows that there was one.
    async fn erase(&self, key: &str) {
        for version in &self.stage.versions(key).await[key] {
            let request = self.s3.delete_object().bucket(self.stage.platform.evidence_bucket());
            let request = request.key(key).version_id(version).bypass_governance_retention(true);
            request.send().await.unwrap();
        }
    }

    /// The same statement, signed by a key that is not the deployment's.
    pub(crate) async fn sign_with_another_key(&self) {
        let place = self.beside(VERDICT_SIDECAR);
        let payload = Envelope::parse(&self.stage.get(&place).await)
            .unwrap()
            .payload()
            .unwrap();
        let key = signing_key(9);
        let digest = Sha256Hex::of(&pae(PAYLOAD_TYPE, &payload)).to_bytes();
        let signature: Signature = key.sign_prehash(&digest).unwrap();
        let signature = normal_form(signature.to_der().as_bytes()).unwrap();
        let public = PublicKey::new(*key.verifying_key()).unwrap();
        self.erase(&place).await;
        self.put(&place, Envelope::new(&payload, &public, &signature).render().unwrap())
            .await;
    }
}

/// The machine of the example, on P1's orchestrator.
struct NextPhase<'s> {
    stage: &'s Stage,
    arn: String,
}

impl<'s> NextPhase<'s> {
    async fn deploy(stage: &'s Stage) -> Self {
        let path = stage
            .platform
            .checkout()
            .root()
            .join("statemachine/examples/next-phase.asl.json");
        let definition = std::fs::read_to_string(path).unwrap();
        assert_eq!(definition.matches("${").count(), 1);
        let definition = definition.replace("${P1StartArn}", stage.platform.state_machine_arn());
        let name = format!("next-phase-{}", std::process::id());
        let request = stage.sfn.create_state_machine().name(name).definition(definition);
        let role = format!("arn:aws:iam::{}:role/next-phase", stage.platform.account());
        let created = request.role_arn(role).send().await.unwrap();
        NextPhase {
            stage,
            arn: created.state_machine_arn().to_owned(),
        }
    }

    async fn run(&self, input: &Value) -> Ended {
        let request = self.stage.sfn.start_execution().state_machine_arn(&self.arn);
        let started = request.input(input.to_string()).send().await.unwrap();
        self.stage.ended(started.execution_arn()).await
    }

    /// The phase goes on: its runtime gets the variable.
    async fn expect_on(&self, input: &Value) {
        let ended = self.run(input).await;
        assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
        let run = &input["platform_run_id"];
        let variable = json!([{"Name": "REQUIRED_PLATFORM_RUN_ID", "Value": run}]);
        assert_eq!(
            (
                &ended.output["ContainerOverrides"][0]["Environment"],
                &ended.output["correlation"]["platform_run_id"]
            ),
            (&variable, run),
        );
    }

    /// The phase stops before its own work, and the cause names the code.
    async fn expect_stopped(&self, input: &Value, code: &str) {
        let ended = self.run(input).await;
        assert_eq!(ended.status, ExecutionStatus::Failed, "{code}: {ended:?}");
        let request = self.stage.sfn.get_execution_history().execution_arn(&ended.arn);
        let history = request.send().await.unwrap();
        let entered = history
            .events()
            .iter()
            .filter_map(|event| event.state_entered_event_details());
        let entered: Vec<&str> = entered.map(|details| details.name()).collect();
        assert_eq!(entered, ["Enter through P1"], "{code}");
        assert!(ended.cause.contains(code), "{code}: {ended:?}");
    }
}

#[test]
fn a_next_phase_goes_on_for_a_pinned_run_and_for_no_other() {
    on_stage(async |stage| {
        let phase = NextPhase::deploy(stage).await;
        let pinned = Pinned::new(stage).await;
        let mut question = pinned.question();
        phase.expect_on(&question).await;
        for (field, text) in [
            ("phase_id", "M4"),
            ("event_id", "e-1"),
            ("runtime_lane", "spark"),
            ("trace_id", "t-1"),
        ] {
            question[field] = json!(text);
        }
        phase.expect_on(&question).await;
        // A run that was held and resumed has one verdict that counts.
        let held = stage.held_run().await;
        let outcome = held.outcome();
        let held_question =
            json!({"platform_run_id": outcome["platform_run_id"], "scenario_run_id": outcome["scenario_run_id"]});
        phase.expect_stopped(&held_question, "M3J-E1").await;
        stage.put_registry(&stage.registry()).await;
        stage.start(&stage.rerun_input(&held).await).await.expect_advance();
        phase.expect_on(&held_question).await;

        phase.expect_stopped(&unknown(UNKNOWN_RUN), "M3J-E1").await;
        let other = Pinned::new(stage).await;
        let mut mixed = unknown(other.question()["platform_run_id"].as_str().unwrap());
        phase.expect_stopped(&mixed, "M3J-E3").await;
        mixed["scenario_run_id"] = json!("scenario_1");
        phase.expect_stopped(&mixed, "scenario_run_id").await;

        for file in ["run.json", "run_pin/run_header.json"] {
            let tampered = Pinned::new(stage).await;
            tampered.overwrite(&format!("{}{file}", tampered.root())).await;
            phase.expect_stopped(&tampered.question(), "M3J-E2").await;
        }
        for file in ["m4_entry_readiness_receipt.json", "m3_execution_summary.json"] {
            let tampered = Pinned::new(stage).await;
            tampered.delete(&tampered.beside(file)).await;
            phase.expect_stopped(&tampered.question(), "M3J-E2").await;
        }
        // After the commit somebody writes on in the ledger.
        let tampered = Pinned::new(stage).await;
        let record = stage.get(&format!("{}ledger/000001.json", tampered.root())).await;
        tampered
            .put(&format!("{}ledger/000003.json", tampered.root()), record)
            .await;
        phase.expect_stopped(&tampered.question(), "M3J-E1").await;

        let forged = Pinned::new(stage).await;
        forged.sign_with_another_key().await;
        phase.expect_stopped(&forged.question(), "M3J-E4").await;
        let unsigned = Pinned::new(stage).await;
        unsigned.erase(&unsigned.beside(VERDICT_SIDECAR)).await;
        phase.expect_stopped(&unsigned.question(), "M3J-E4").await;
        // What happened to other runs says nothing of this one.
        phase.expect_on(&question).await;
    });
}

/// The roles are enforced here, and the key is in KMS: what M3.J's role grants is enough, and it writes its own evidence alone.
#[test]
fn a_phase_is_admitted_within_the_role_and_nothing_of_the_run_is_touched() {
    on_guarded_stage(async |stage| {
        let ended = stage.run().await.expect_advance();
        let outcome = ended.outcome();
        let question =
            json!({"platform_run_id": outcome["platform_run_id"], "scenario_run_id": outcome["scenario_run_id"]});
        let before = stage.versions("evidence/").await;
        let admitted = stage.start(&question).await;
        assert_eq!(admitted.outcome()["outcome"], "PHASE_ADMITTED", "{admitted:?}");
        let refused = stage.start(&unknown(UNKNOWN_RUN)).await;
        assert_eq!(refused.outcome()["blockers"], json!(["M3J-E1"]), "{refused:?}");
        let after = stage.versions("evidence/").await;
        let folder = |ended: &Ended| {
            let key = ended.outcome()["closure"]["key"].as_str().unwrap().to_owned();
            format!("{}/", key.rsplit_once('/').unwrap().0)
        };
        let own = [folder(&admitted), folder(&refused)];
        let (created, kept): (Vec<_>, Vec<_>) = after
            .into_iter()
            .partition(|(key, _)| own.iter().any(|folder| key.starts_with(folder)));
        assert_eq!(created.len(), 6);
        assert!(created.iter().all(|(_, versions)| versions.len() == 1), "{created:?}");
        assert!(kept.into_iter().eq(before));
    });
}

async fn expect_mirror(dir: &Path, standing: Standing, verdict: &str) {
    let report = verify(dir, &[]);
    assert_eq!(
        (report.standing, report.verdict.as_deref()),
        (standing, Some(verdict)),
        "{:?}",
        report.findings
    );
    assert_eq!(replayed(dir).await, [["ENTRY"]]);
}

#[test]
fn the_evidence_of_an_entry_says_what_it_is_and_replays() {
    on_stage(async |stage| {
        let pinned = Pinned::new(stage).await;
        let question = pinned.question();
        let admitted = stage.start(&question).await;
        let dir = mirrored(stage, &admitted, "entry-admitted").await;
        expect_mirror(&dir, Standing::Admitted, "PHASE_ADMITTED").await;
        let refused = stage.start(&unknown(UNKNOWN_RUN)).await;
        let dir = mirrored(stage, &refused, "entry-refused").await;
        expect_mirror(&dir, Standing::Refused, "ENTRY_REFUSED").await;
        crate::mirrors::expect_valid(stage, &[dir]);
    });
}

/// `cargo p1 gate`: the same question by a person or a CI job.
#[test]
fn the_gate_ends_with_0_for_an_admitted_and_with_1_for_a_refused_run() {
    on_stage(async |stage| {
        let pinned = Pinned::new(stage).await;
        let target = Target::new(stage.platform.deployment(), &stage.platform.sdk_config(), true).unwrap();
        let ask = async |run: &str, scenario: Option<String>, name: &str| {
            let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gate-{name}"));
            let _ = std::fs::remove_dir_all(&out);
            let args = GateArgs {
                run: run.to_owned(),
                scenario,
                phase: Some("M4".to_owned()),
                out: Some(out),
                json: true,
                ..GateArgs::default()
            };
            let run: PlatformRunId = run.parse().unwrap();
            p1::commands::gate::ask(&args, &run, &target, &Screen::new()).await
        };
        let run = pinned.question()["platform_run_id"].as_str().unwrap().to_owned();
        assert_eq!(ask(&run, None, "admitted").await.unwrap().code(), 0);
        let other = format!("scenario_{}", "0".repeat(32));
        assert_eq!(ask(&run, Some(other.clone()), "scenario").await.unwrap().code(), 1);
        assert_eq!(ask(UNKNOWN_RUN, Some(other), "unknown").await.unwrap().code(), 1);
        let before = stage.executions().await;
        let unnamed = ask(UNKNOWN_RUN, None, "unnamed").await.unwrap_err();
        assert_eq!(unnamed.exit_status().code(), 2, "{unnamed}");
        let said = unnamed.to_string();
        assert!(
            said.contains("run.json is not there") && said.contains("--scenario ID"),
            "{said}"
        );
        assert_eq!(stage.executions().await, before, "an execution was started");
        let usage = ask(&run, Some("scenario_1".to_owned()), "usage").await.unwrap_err();
        assert_eq!(usage.exit_status().code(), 2, "{usage}");
    });
}

/// The form is strict: anything else is a fault that names the field, and writes nothing.
#[test]
fn a_question_of_another_form_is_a_fault_that_names_the_field() {
    on_stage(async |stage| {
        let before = stage.keys("evidence/").await;
        let with = |field: &str, value: Value| {
            let mut question = unknown(UNKNOWN_RUN);
            question[field] = value;
            question
        };
        for (input, field) in [
            (
                with("platform_run_id", json!("../platform_20200101T000000Z")),
                "platform_run_id",
            ),
            (
                with("platform_run_id", json!(["platform_20200101T000000Z"])),
                "platform_run_id",
            ),
            (with("scenario_run_id", Value::Null), "scenario_run_id"),
            (with("trace_id", json!({"a": 1})), "trace_id"),
            (with("event_id", json!("x".repeat(1_025))), "event_id"),
            (with("config_digest", json!("0")), "config_digest"),
            (with("resume", json!({})), "platform_run_id"),
            (with("m2_handoff", json!({"key": "k"})), "platform_run_id"),
            (json!({"scenario_run_id": "scenario_0"}), "platform_run_id"),
            (json!({"platform_run_id": UNKNOWN_RUN}), "scenario_run_id"),
        ] {
            let ended = stage.start(&input).await;
            assert_eq!(ended.error, "InvalidInput", "{input}: {ended:?}");
            assert!(ended.cause.contains(field), "{field}: {}", ended.cause);
        }
        assert_eq!(stage.keys("evidence/").await, before);
    });
}
