//! Evidence directories as `cargo p1 run` mirrors them, made by the real steps on a store in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use m3j_phase_verdict::Signer;
use p1_contract::blocker::Blocker;
use p1_contract::canonical::to_document;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, Environment, PhaseExecutionId, PlatformRunId, S3Key, Stamp};
use p1_contract::observations::ExecutionAnswer;
use p1_contract::request::StepResult;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::Fault;
use p1_runtime::store::{DOCUMENT_LIMIT, Read, Store};
use serde_json::{Value, json};

use crate::world::{ARTIFACTS, EVIDENCE, RECEIPT, STACK, World, signer as signer_of};
use crate::{filled_in, scratch};

/// The key that runs are signed by.
pub const KEY: u8 = 1;
/// The key that came after it.
pub const LATER_KEY: u8 = 2;

const BROKEN: (&str, &str) = ("runtime_lane,trace_id\"", "trace_id\"");

/// A run that has ended, as its mirror shows it.
#[derive(Clone)]
pub struct Mirrored {
    /// Every file, by its path in the directory. The history holds its last event alone, so that each byte of it counts.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The history with the input, and with every Task's answer.
    pub history: Vec<u8>,
}

/// What the Task states of an execution answered, in their order.
type Tasks = Vec<(String, StepResult)>;

/// Takes the run from `first` to its verdict, as the gates do.
async fn close(world: &mut World, first: Step, tasks: &mut Tasks) -> StepResult {
    let rest = [Step::GateRollup, Step::PhaseVerdict];
    let mut holds = false;
    for step in Step::GATED.into_iter().filter(|step| *step >= first).chain(rest) {
        if holds && !rest.contains(&step) {
            continue;
        }
        // Boxed: the futures of all ten steps are too large to lie on a test's stack together.
        let result = Box::pin(world.run(step)).await;
        holds |= !result.overall_pass;
        tasks.push((step.state_name(), result));
    }
    tasks.last().unwrap().1.clone()
}

fn at(start_time: &str, signer: Signer) -> World {
    let mut world = World::new();
    world.start_time = start_time.to_owned();
    world.signer = signer;
    world
}

/// A run from the event of its receipt to its advance.
pub async fn advanced(start_time: &str, signer: Signer) -> Mirrored {
    advanced_on(start_time, |world| {
        world.signer = signer;
        world.input = json!({
            "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012",
            "time": "2026-02-23T17:43:07Z", "region": "eu-west-2", "resources": [],
            "detail": {"bucket": {"name": EVIDENCE}, "object": {"key": RECEIPT, "sequencer": "0A1B"}}
        });
    })
    .await
}

/// A run that advances on a platform that is another by this change.
pub async fn advanced_on(start_time: &str, change: impl FnOnce(&mut World)) -> Mirrored {
    let mut world = at(start_time, Signer::Off);
    change(&mut world);
    let mut tasks = Tasks::new();
    let result = close(&mut world, Step::HandleClosure, &mut tasks).await;
    assert_eq!(result.committed(), Some(true), "{:?}", result.blockers);
    mirrored(&world, &tasks).await
}

/// A later phase's question about a run that advanced; `is_known` says whether it asks with that run's ids.
pub async fn entered(start_time: &str, signer: Signer, is_known: bool) -> Mirrored {
    let mut world = at(start_time, signer);
    let pinned = close(&mut world, Step::HandleClosure, &mut Tasks::new()).await;
    let run = pinned.run.triplet().unwrap();
    let scenario = format!("scenario_{}", "0".repeat(32));
    world.input = if is_known {
        json!({"platform_run_id": run.platform_run_id, "scenario_run_id": run.scenario_run_id, "phase_id": "M4"})
    } else {
        json!({"platform_run_id": run.platform_run_id, "scenario_run_id": scenario})
    };
    world.execution = world.execution.replace("run-1", "phase-1");
    world.start_time = "2026-03-25T08:00:00Z".to_owned();
    world.closures.clear();
    let payload = world
        .payload(Step::PhaseVerdict, p1_contract::request::Mode::Entry)
        .to_string();
    let harness = world.harness();
    let request = harness.request(payload.as_bytes()).unwrap();
    let result = Box::pin(m3j_phase_verdict::run(&harness, world.signer.clone(), &request))
        .await
        .unwrap();
    assert_eq!(result.overall_pass, is_known, "{}", world.blockers(&result));
    // The mirror of an entry: what it created, and what it read.
    let summary = world.summary(&result);
    let listed = |field: &str| summary[field].as_array().unwrap().clone();
    let keys = [listed("artifacts"), listed("inputs")].concat();
    let mut keys: Vec<String> = keys
        .iter()
        .map(|object| object["key"].as_str().unwrap().to_owned())
        .collect();
    keys.push(result.closure.as_ref().unwrap().key.to_string());
    let outcome = if is_known { "PHASE_ADMITTED" } else { "ENTRY_REFUSED" };
    let outcome = json!({"outcome": outcome, "closure": result.closure}).to_string();
    let event = if is_known {
        json!({"type": "ExecutionSucceeded", "executionSucceededEventDetails": {"output": outcome}})
    } else {
        json!({"type": "ExecutionFailed",
            "executionFailedEventDetails": {"error": "M3.EntryRefused", "cause": outcome}})
    };
    let tasks = vec![("Admit phase".to_owned(), result)];
    mirrored_of(&world, &tasks, event, |key| keys.iter().any(|known| known == key)).await
}

/// A run that M3.F holds.
pub async fn held(start_time: &str, signer: Signer) -> Mirrored {
    let mut world = at(start_time, signer);
    world.edit_registry(BROKEN.0, BROKEN.1);
    let mut tasks = Tasks::new();
    let result = close(&mut world, Step::HandleClosure, &mut tasks).await;
    assert_eq!(result.verdict(), Some(PhaseVerdict::HoldM3));
    mirrored(&world, &tasks).await
}

/// The platform of a run that M3.F held, with the registry mended since, and the key of M3.J's summary.
pub async fn held_world(start_time: &str, signer: Signer) -> (World, S3Key) {
    let mut world = at(start_time, signer);
    world.edit_registry(BROKEN.0, BROKEN.1);
    let held = close(&mut world, Step::HandleClosure, &mut Tasks::new()).await;
    world.edit_registry(BROKEN.1, BROKEN.0);
    (world, held.closure.unwrap().key)
}

/// A run that M3.C holds, because somebody else's object is where one of its own belongs.
pub async fn occupied(start_time: &str) -> Mirrored {
    let mut world = at(start_time, Signer::Off);
    let stamp = Stamp::from_rfc3339_floor(start_time).unwrap();
    let id = PhaseExecutionId::derive(Step::ConfigDigest, stamp, &world.execution);
    let key = format!(
        "{}m3c_run_config_payload.json",
        Environment::default().phase_folder(&id)
    );
    world.store.seed(EVIDENCE, &key, "foreign");
    let mut tasks = Tasks::new();
    let result = close(&mut world, Step::HandleClosure, &mut tasks).await;
    assert_eq!(
        result.concluded().map(|said| said.unresolved.clone()),
        Some(vec![Blocker::ConfigDigestNotPublished])
    );
    mirrored(&world, &tasks).await
}

/// A run that M3.B holds, because objects of somebody else lie below the root of every id that it could take.
pub async fn without_an_id(start_time: &str) -> Mirrored {
    let mut world = at(start_time, Signer::Off);
    let stamp = Stamp::from_rfc3339_floor(start_time).unwrap();
    for run in (0..=20).filter_map(|attempt| PlatformRunId::mint(stamp, attempt)) {
        world
            .store
            .seed(EVIDENCE, &format!("{}m4/state.json", run.run_root()), "foreign");
    }
    let mut tasks = Tasks::new();
    let result = close(&mut world, Step::HandleClosure, &mut tasks).await;
    assert_eq!(result.committed(), Some(false), "{:?}", result.blockers);
    mirrored(&world, &tasks).await
}

/// A run that M3.A holds, before it has an id or a ledger.
pub async fn held_at_once(start_time: &str, signer: Signer) -> Mirrored {
    let mut world = at(start_time, signer);
    world.edit_registry(
        "CONFIG_DIGEST_FIELD = \"config_digest\"",
        "CONFIG_DIGEST_FIELD = \"TO_PIN\"",
    );
    let mut tasks = Tasks::new();
    let result = close(&mut world, Step::HandleClosure, &mut tasks).await;
    assert_eq!(result.committed(), Some(false));
    mirrored(&world, &tasks).await
}

/// A run that M3.A holds, because its registry declares so many handles with different values.
pub async fn contradicted(start_time: &str, handles: usize) -> Mirrored {
    let mut world = at(start_time, Signer::Off);
    let more: String = (0..handles)
        .map(|number| format!("* `X{number:05} = 1`\n* `X{number:05} = 2`\n"))
        .collect();
    let marker = "* `CONFIG_DIGEST_FIELD = ";
    world.edit_registry(marker, &format!("{more}{marker}"));
    let mut tasks = Tasks::new();
    let result = close(&mut world, Step::HandleClosure, &mut tasks).await;
    assert_eq!(
        result.concluded().map(|said| said.unresolved.clone()),
        Some(vec![Blocker::HandleContradiction])
    );
    mirrored(&world, &tasks).await
}

/// A run that M3.F held, mended, admitted and advanced. Where it is signed, the key is another one by then.
pub async fn resumed(start_time: &str, signer: Signer) -> Mirrored {
    let (world, held) = held_world(start_time, signer).await;
    resume(world, &held, |_| {}).await
}

/// The run of this mirror, which [`held`] made, as if by an earlier release: mended, admitted and advanced by today's steps.
pub async fn resumed_from(held: &Mirrored, start_time: &str) -> Mirrored {
    let world = at(start_time, Signer::Off);
    world.edit_registry(BROKEN.0, BROKEN.1);
    let objects: Vec<Value> = serde_json::from_slice(&held.files["objects.json"]).unwrap();
    let mut last = None;
    for object in &objects {
        let key = object["key"].as_str().unwrap();
        if key != RECEIPT {
            let version = object["version_id"].as_str().unwrap().to_owned();
            world
                .store
                .seed_version(EVIDENCE, key, held.files[key].clone(), version);
        }
        last = last.or_else(|| {
            key.ends_with("m3j_execution_summary.json")
                .then(|| S3Key::parse(key).unwrap())
        });
    }
    world.edit_registry(BROKEN.1, BROKEN.0);
    resume(world, &last.unwrap(), |_| {}).await
}

/// Texts that would be more than text on a page that is careless with them.
pub const HOSTILE: [&str; 6] = [
    "<script>window.p1Ran=1</script>",
    "<img src=x onerror=window.p1Ran=2>",
    "\"><svg onload=window.p1Ran=3>",
    "' onfocus='window.p1Ran=4' autofocus='",
    "javascript:window.p1Ran=5//<a href=javascript:window.p1Ran=5>x</a>",
    "--></style></title></textarea><iframe srcdoc=\"<script>parent.p1Ran=6</script>\">\u{202e}gnp.exe\u{2066}\u{200b}\u{1b}[31m",
];

/// [`resumed`], with hostile text wherever somebody may write some: handle values, list entries, the reset receipt.
pub async fn hostile(start_time: &str, signer: Signer) -> Mirrored {
    let mut world = at(start_time, signer);
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    let hostile = HOSTILE.join(" ");
    world.edit_registry(
        "TAG_PROJECT_KEY = \"project\"",
        &format!("TAG_PROJECT_KEY = {}", quoted(&hostile)),
    );
    let outputs = json!({"s3_evidence_bucket": {"value": EVIDENCE}, "tag_project_key": {"value": hostile}});
    world.store.seed(ARTIFACTS, STACK, outputs.to_string());
    world.edit_registry(
        &quoted("aws_only_pre_m11_databricks_cost_deferred"),
        &quoted(HOSTILE[2]),
    );
    world.edit_registry(
        &quoted("the sample platform has no Databricks workspace"),
        // Text that angle brackets fill is a placeholder.
        &quoted(&format!("because {}", HOSTILE[1])),
    );
    let fields = quoted("platform_run_id,scenario_run_id,phase_id,event_id,runtime_lane,trace_id");
    let broken = quoted(&format!("phase_id,{},{}", HOSTILE[0], HOSTILE[4]));
    world.edit_registry(&fields, &broken);
    let held = close(&mut world, Step::HandleClosure, &mut Tasks::new()).await;
    world.edit_registry(&broken, &fields);
    let reset = |input: &mut Value| {
        let reset = &mut input["resume"]["reset"];
        reset["actor"] = json!(HOSTILE[3]);
        reset["reason"] = json!(HOSTILE[5]);
        reset["scope"] = json!("w".repeat(1_000));
    };
    resume(world, &held.closure.unwrap().key, reset).await
}

/// Asks for a held run to go on, in an execution of its own; the admission's answer. `held` is the key of M3.J's summary. `edit`
/// may change the input.
pub async fn ask_to_go_on(world: &mut World, held: &S3Key, edit: impl Fn(&mut Value)) -> Result<StepResult, Fault> {
    let first = world.execution.clone();
    let (folder, _) = held.as_str().rsplit_once('/').unwrap();
    let bytes = &world.store.dump(EVIDENCE)[&format!("{folder}/m3_execution_summary.json")];
    let summary: Value = serde_json::from_slice(bytes).unwrap();
    world.input = filled_in(&summary["next_action"]["rerun_input"]);
    edit(&mut world.input);
    let status = "FAILED".to_owned();
    world
        .executions
        .insert(first.clone(), ExecutionAnswer::Found { status });
    world.execution = first.replace("run-1", "run-2");
    world.start_time = "2026-02-25T08:00:00Z".to_owned();
    world.closures.clear();
    let payload = world
        .payload(Step::RerunDiscipline, p1_contract::request::Mode::Admission)
        .to_string();
    let harness = world.harness();
    Box::pin(m3g_rerun_discipline::handle(&harness, payload.as_bytes())).await
}

/// Takes a held run to its advance by a rerun, whose input `edit` may change. `held` is the key of M3.J's summary.
async fn resume(mut world: World, held: &S3Key, edit: impl Fn(&mut Value)) -> Mirrored {
    if !matches!(world.signer, Signer::Off) {
        world.signer = signer_of(LATER_KEY);
    }
    let result = ask_to_go_on(&mut world, held, edit).await;
    let result = result.unwrap_or_else(|fault| panic!("admission: {fault}"));
    assert_eq!(
        result.admitted().map(|go_on| go_on.resume_at),
        Some(Step::M4Handoff),
        "{}",
        world.blockers(&result)
    );
    world.closures = result.admitted().unwrap().closures.clone();
    let mut tasks = vec![("Admit rerun".to_owned(), result)];
    let result = close(&mut world, Step::M4Handoff, &mut tasks).await;
    assert_eq!(result.committed(), Some(true), "{:?}", result.blockers);
    mirrored(&world, &tasks).await
}

/// A run that M3.F held, and of which M3.F ran again alone. `mended` says whether it passed.
pub async fn single_state(start_time: &str, signer: Signer, mended: bool) -> Mirrored {
    let (mut world, held) = held_world(start_time, signer).await;
    if !mended {
        world.edit_registry(BROKEN.0, BROKEN.1);
    }
    let only = |input: &mut Value| input["resume"]["only"] = json!(true);
    let admission = ask_to_go_on(&mut world, &held, only).await.unwrap();
    let admitted = admission.admitted().unwrap();
    assert!(admitted.only, "{admitted:?}");
    world.closures = admitted.closures.clone();
    let mut tasks = vec![("Admit rerun".to_owned(), admission)];
    let result = Box::pin(world.run(Step::M4Handoff)).await;
    assert_eq!(result.overall_pass, mended, "{}", world.blockers(&result));
    let output = json!({
        "outcome": "SINGLE_STATE", "step": result.step, "overall_pass": result.overall_pass, "blockers": result.blockers,
        "closure": result.closure,
    });
    let event = json!({"type": "ExecutionSucceeded", "executionSucceededEventDetails": {"output": output.to_string()}});
    tasks.push((Step::M4Handoff.state_name(), result));
    mirrored_of(&world, &tasks, event, |_| true).await
}

/// A run that M3.F held, and a rerun of it that is refused, because the configuration is another one by then.
pub async fn refused(start_time: &str, signer: Signer) -> Mirrored {
    let (mut world, held) = held_world(start_time, signer).await;
    world.edit_registry("ORACLE_ENGINE_RUN_ID = \"", "ORACLE_ENGINE_RUN_ID = \"x");
    let result = ask_to_go_on(&mut world, &held, |_| {}).await.unwrap();
    assert_eq!(result.blockers, [Blocker::IdentityDrift], "{}", world.blockers(&result));
    let cause = json!({"outcome": "RERUN_REFUSED", "blockers": result.blockers, "closure": result.closure});
    let event = json!({"type": "ExecutionFailed",
        "executionFailedEventDetails": {"error": "M3.RerunRefused", "cause": cause.to_string()}});
    let tasks = vec![("Admit rerun".to_owned(), result)];
    mirrored_of(&world, &tasks, event, |_| true).await
}

/// A rerun that is refused, because it names a summary that is not there: it is of no run that anybody knows.
pub async fn refused_of_no_run(start_time: &str) -> Mirrored {
    let (mut world, held) = held_world(start_time, Signer::Off).await;
    let elsewhere = |input: &mut Value| {
        let key = input["resume"]["held"]["key"].as_str().unwrap().replace("2026", "2020");
        input["resume"]["held"]["key"] = json!(key);
    };
    let result = ask_to_go_on(&mut world, &held, elsewhere).await.unwrap();
    assert_eq!(
        result.blockers,
        [Blocker::RerunPolicyInconsistent],
        "{}",
        world.blockers(&result)
    );
    assert_eq!(result.run.platform_run_id, None);
    let cause = json!({"outcome": "RERUN_REFUSED", "blockers": result.blockers, "closure": result.closure});
    let event = json!({"type": "ExecutionFailed",
        "executionFailedEventDetails": {"error": "M3.RerunRefused", "cause": cause.to_string()}});
    let own = result.phase_execution_id.to_string();
    let tasks = vec![("Admit rerun".to_owned(), result)];
    mirrored_of(&world, &tasks, event, |key| key.contains(&own)).await
}

/// The evidence bucket, `objects.json` and the engine's last word.
async fn mirrored(world: &World, tasks: &Tasks) -> Mirrored {
    let result = &tasks.last().unwrap().1;
    let outcome = json!({"outcome": "VERDICT", "verdict": result.verdict(), "closure": result.closure}).to_string();
    let event = match result.verdict() {
        Some(PhaseVerdict::AdvanceToM4) => {
            json!({"type": "ExecutionSucceeded", "executionSucceededEventDetails": {"output": outcome}})
        }
        _ => json!({"type": "ExecutionFailed", "executionFailedEventDetails": {"error": "M3.Hold", "cause": outcome}}),
    };
    // What a later phase wrote is in no mirror, and neither is the scenario index, which follows from the evidence.
    mirrored_of(world, tasks, event, |key| {
        !key.contains("/m4/") && !key.contains("/index/scenario/")
    })
    .await
}

/// The objects of the evidence bucket that `is_mirrored` chooses, `objects.json`, and a history that ends with `event`.
async fn mirrored_of(world: &World, tasks: &Tasks, event: Value, is_mirrored: impl Fn(&str) -> bool) -> Mirrored {
    let bucket = BucketName::parse(EVIDENCE).unwrap();
    let store = Store::Memory(world.store.clone());
    let (mut files, mut objects) = (BTreeMap::new(), Vec::new());
    let objects_there = world.store.dump(EVIDENCE).into_iter();
    for (key, bytes) in objects_there.filter(|(key, _)| is_mirrored(key)) {
        let read = store
            .read(&bucket, &S3Key::parse(&key).unwrap(), None, DOCUMENT_LIMIT)
            .await
            .unwrap();
        let Read::Found(object) = read else {
            panic!("{key} is gone")
        };
        objects.push(json!({
            "key": key, "version_id": object.version_id, "etag": object.etag,
            "sha256": Sha256Hex::of(&bytes), "bytes": bytes.len(),
        }));
        files.insert(key, bytes);
    }
    let history = |events: Value| to_document(&json!({"execution_arn": world.execution, "events": events})).unwrap();
    files.insert("objects.json".to_owned(), to_document(&Value::Array(objects)).unwrap());
    files.insert("execution_history.json".to_owned(), history(json!([&event])));
    let input = json!({"input": world.input.to_string()});
    let mut events = vec![json!({"type": "ExecutionStarted", "executionStartedEventDetails": input})];
    for (state, result) in tasks {
        let answer = StepResult {
            function_arn: Some("arn:aws:lambda:eu-west-2:123456789012:function:p1:1".to_owned()),
            ..result.clone()
        };
        let output = json!({"Payload": answer}).to_string();
        events.push(json!({"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": state}}));
        events.push(json!({"type": "TaskSucceeded", "taskSucceededEventDetails": {"output": output}}));
    }
    events.push(event);
    Mirrored {
        files,
        history: history(Value::Array(events)),
    }
}

impl Mirrored {
    /// The directory with the whole history.
    pub fn whole(mut self) -> Self {
        self.files
            .insert("execution_history.json".to_owned(), self.history.clone());
        self
    }

    /// Writes the directory anew.
    pub fn write(&self, name: &str) -> PathBuf {
        let dir = scratch().join(name);
        let _ = fs::remove_dir_all(&dir);
        for (path, bytes) in &self.files {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }
}
