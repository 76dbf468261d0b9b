//! Evidence directories as `cargo p1 run` mirrors them, made by the real steps on a store in memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use p1_contract::canonical::to_document;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, S3Key};
use p1_contract::request::StepResult;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::ExecutionAnswer;
use p1_runtime::store::{DOCUMENT_LIMIT, Read, Store};
use serde_json::{Value, json};

use crate::world::{EVIDENCE, RECEIPT, World};

const BROKEN: (&str, &str) = ("runtime_lane,trace_id\"", "trace_id\"");

/// A run that has ended, as its mirror shows it.
pub(crate) struct Mirrored {
    /// Every file, by its path in the directory.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// Takes the run from `first` to its verdict, as the gates do.
async fn close(world: &mut World, first: Step) -> StepResult {
    // Boxed: the futures of all ten steps are too large to lie on a test's stack together.
    for step in Step::GATED.into_iter().filter(|step| *step >= first) {
        if !Box::pin(world.run(step)).await.overall_pass {
            break;
        }
    }
    Box::pin(world.run(Step::GateRollup)).await;
    Box::pin(world.run(Step::PhaseVerdict)).await
}

fn at(start_time: &str) -> World {
    let mut world = World::new();
    world.start_time = start_time.to_owned();
    world
}

/// A run from the event of its receipt to its advance.
pub(crate) async fn advanced(start_time: &str) -> Mirrored {
    let mut world = at(start_time);
    world.input = json!({
        "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012",
        "time": "2026-02-23T17:43:07Z", "region": "eu-west-2", "resources": [],
        "detail": {"bucket": {"name": EVIDENCE}, "object": {"key": RECEIPT, "sequencer": "0A1B"}}
    });
    let result = close(&mut world, Step::HandleClosure).await;
    assert_eq!(result.committed, Some(true), "{:?}", result.blockers);
    mirrored(&world, &result).await
}

/// A run that M3.F holds.
pub(crate) async fn held(start_time: &str) -> Mirrored {
    let mut world = at(start_time);
    world.edit_registry(BROKEN.0, BROKEN.1);
    let result = close(&mut world, Step::HandleClosure).await;
    assert_eq!(result.verdict, Some(PhaseVerdict::HoldM3));
    mirrored(&world, &result).await
}

/// A run that M3.A holds, before it has an id or a ledger.
pub(crate) async fn held_at_once(start_time: &str) -> Mirrored {
    let mut world = at(start_time);
    world.edit_registry(
        "CONFIG_DIGEST_FIELD = \"config_digest\"",
        "CONFIG_DIGEST_FIELD = \"TO_PIN\"",
    );
    let result = close(&mut world, Step::HandleClosure).await;
    assert_eq!(result.committed, Some(false));
    mirrored(&world, &result).await
}

/// A run that M3.F held, mended, admitted and advanced.
pub(crate) async fn resumed(start_time: &str) -> Mirrored {
    let mut world = at(start_time);
    world.edit_registry(BROKEN.0, BROKEN.1);
    let held = close(&mut world, Step::HandleClosure).await;
    world.edit_registry(BROKEN.1, BROKEN.0);
    let first = world.execution.clone();
    let folder = held
        .closure
        .as_ref()
        .unwrap()
        .key
        .as_str()
        .rsplit_once('/')
        .unwrap()
        .0
        .to_owned();
    let bytes = &world.store.dump(EVIDENCE)[&format!("{folder}/m3_execution_summary.json")];
    let summary: Value = serde_json::from_slice(bytes).unwrap();
    world.input = summary["next_action"]["rerun_input"].clone();
    let status = "FAILED".to_owned();
    world
        .executions
        .insert(first.clone(), ExecutionAnswer::Found { status });
    world.execution = first.replace("run-1", "run-2");
    world.start_time = "2026-02-25T08:00:00Z".to_owned();
    world.closures.clear();
    let payload = world.payload(Step::RerunDiscipline, "ADMISSION").to_string();
    let harness = world.harness();
    let result = Box::pin(m3g_rerun_discipline::handle(&harness, payload.as_bytes())).await;
    let result = result.unwrap_or_else(|fault| panic!("admission: {fault}"));
    assert_eq!(result.resume_at, Some(Step::M4Handoff), "{}", world.blockers(&result));
    world.closures = result.closures.unwrap();
    let result = close(&mut world, Step::M4Handoff).await;
    assert_eq!(result.committed, Some(true), "{:?}", result.blockers);
    mirrored(&world, &result).await
}

/// The evidence bucket, `objects.json` and the engine's last word.
async fn mirrored(world: &World, result: &StepResult) -> Mirrored {
    let bucket = BucketName::parse(EVIDENCE).unwrap();
    let store = Store::Memory(world.store.clone());
    let (mut files, mut objects) = (BTreeMap::new(), Vec::new());
    for (key, bytes) in world.store.dump(EVIDENCE) {
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
    let outcome = json!({"outcome": "VERDICT", "verdict": result.verdict, "closure": result.closure}).to_string();
    let event = match result.verdict {
        Some(PhaseVerdict::AdvanceToM4) => {
            json!({"type": "ExecutionSucceeded", "executionSucceededEventDetails": {"output": outcome}})
        }
        _ => json!({"type": "ExecutionFailed", "executionFailedEventDetails": {"error": "M3.Hold", "cause": outcome}}),
    };
    let history = json!({"execution_arn": world.execution, "events": [event]});
    files.insert("objects.json".to_owned(), to_document(&Value::Array(objects)).unwrap());
    files.insert("execution_history.json".to_owned(), to_document(&history).unwrap());
    Mirrored { files }
}

impl Mirrored {
    /// Writes the directory anew.
    pub(crate) fn write(&self, name: &str) -> PathBuf {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("verify-{name}"));
        let _ = fs::remove_dir_all(&dir);
        for (path, bytes) in &self.files {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }
}
