//! Two doors to one thing apply the same rules: a start and a rerun, `cargo p1 run` and the execution that it would start. Both
//! doors get the same inputs from the same generator.

use std::collections::BTreeMap;
use std::path::PathBuf;

use p1::CliError;
use p1::args::RunArgs;
use p1::commands::run::check_input;
use p1::drive::preflight;
use p1_contract::blocker::Blocker;
use p1_contract::ids::{Environment, S3Key};
use p1_contract::request::{Mode, StepResult};
use p1_contract::step::Step;
use p1_runtime::Fault;
use p1_tests::drawn::{Drawn, Draws, input};
use p1_tests::runs::{ask_to_go_on, held_world};
use p1_tests::world::{ARTIFACTS, EVIDENCE, RECEIPT, REGISTRY, STACK, World, registry};
use serde_json::{Value, json};

const START: &str = "2026-02-23T17:43:07.250Z";
/// How many inputs each pair of doors gets.
const DRAWS: usize = 200;

fn give(world: &World, drawn: &Drawn) {
    world.store.seed(ARTIFACTS, REGISTRY, drawn.registry.clone());
    world.store.seed(ARTIFACTS, STACK, drawn.stack_outputs.clone());
}

/// What a door says: the step's codes, or the fault's name.
fn said(answer: &Result<StepResult, Fault>) -> Vec<String> {
    match answer {
        Ok(result) => result.blockers.iter().map(ToString::to_string).collect(),
        Err(fault) => vec![fault.name().to_owned()],
    }
}

async fn started(drawn: &Drawn) -> Result<StepResult, Fault> {
    let world = World::new();
    give(&world, drawn);
    world.try_step(&m3a_handle_closure::HandleClosure).await
}

/// What a rerun of a held run says. Its run keeps its digest and its scenario, so that a registry which gives others is drift.
async fn rerun(held: &(World, S3Key), drawn: &Drawn) -> Result<StepResult, Fault> {
    let (world, key) = held;
    let mut world = world.copy();
    give(&world, drawn);
    ask_to_go_on(&mut world, key, |_| {}).await
}

#[tokio::test]
async fn a_start_and_a_rerun_refuse_the_same_registries_and_stack_outputs() {
    let held = held_world(START, m3j_phase_verdict::Signer::Off).await;
    let drift = [
        Blocker::IdentityDrift.to_string(),
        Blocker::RerunPolicyInconsistent.to_string(),
    ];
    let (mut refused, mut drifted, mut differ) = (BTreeMap::<String, usize>::new(), 0, Vec::new());
    for drawn in Draws::of(14, &registry(), EVIDENCE).take(DRAWS) {
        let (start, again) = (said(&started(&drawn).await), said(&rerun(&held, &drawn).await));
        // A rerun alone can find drift, and looks no further then.
        let beyond_drift: Vec<&String> = again.iter().filter(|code| !drift.contains(code)).collect();
        let is_drift = beyond_drift.len() < again.len();
        let agree = if is_drift {
            beyond_drift.iter().all(|code| start.contains(code))
        } else {
            again == start
        };
        if !agree {
            differ.push(format!("{}: start {start:?}, rerun {again:?}", drawn.what));
        }
        drifted += usize::from(is_drift);
        for code in start {
            *refused.entry(code).or_default() += 1;
        }
    }
    println!(
        "start and rerun: {DRAWS} inputs, refused by the start: {refused:?}, drift to the rerun: {drifted}, differ: {}",
        differ.len()
    );
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    // The generator reaches what a start can say of these documents.
    for code in ["M3A-B1", "M3A-B2", "M3A-B6", "M3A-B8", "InvalidInput"] {
        assert!(refused.contains_key(code), "no draw gives {code}: {refused:?}");
    }
}

/// The files of a command line.
struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Files {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Whether `cargo p1 run` refuses this command line before it starts anything.
    fn refuses(args: &RunArgs) -> bool {
        let bucket = EVIDENCE;
        let checked =
            preflight::check(args).and_then(|inputs| check_input(args, &inputs, &Environment::default(), bucket));
        match checked {
            Ok(()) => false,
            Err(CliError::Usage(_)) => true,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Whether M3.A observed that it cannot read the stack outputs. What it reads and objects to is a verdict on the content.
fn could_not_read_outputs(world: &World) -> bool {
    let objects = world.store.dump(EVIDENCE);
    let (_, bytes) = objects
        .iter()
        .find(|(key, _)| key.ends_with("/m3a_observations.json"))
        .unwrap();
    let observations: Value = serde_json::from_slice(bytes).unwrap();
    !observations["observed"]["stack_outputs"][0]["unreadable"].is_null()
}

/// What the tool refuses of a registry or of stack outputs, an execution cannot read either; and the other way round.
#[tokio::test]
async fn run_refuses_the_documents_that_an_execution_cannot_read() {
    let files = Files::new();
    let (mut refused, mut differ) = (0, Vec::new());
    for drawn in Draws::of(41, &registry(), EVIDENCE).take(DRAWS) {
        let args = RunArgs {
            registry: Some(files.put("r.md", &drawn.registry)),
            stack_outputs: vec![files.put("s.json", &drawn.stack_outputs)],
            ..RunArgs::default()
        };
        let door = Files::refuses(&args);
        let world = World::new();
        give(&world, &drawn);
        let execution = match world.try_step(&m3a_handle_closure::HandleClosure).await {
            Ok(_) => could_not_read_outputs(&world),
            Err(fault) => fault.name() == "InvalidInput",
        };
        if door != execution {
            differ.push(format!("{}: run refuses {door}, the execution {execution}", drawn.what));
        }
        refused += usize::from(door);
    }
    println!(
        "run and execution: {DRAWS} documents, refused by both: {refused}, differ: {}",
        differ.len()
    );
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!((20..DRAWS).contains(&refused), "{refused}");
}

/// The forms of an execution input that `cargo p1 run --input` takes, and how the state machine asks about each.
fn forms(held: &Value) -> [(Value, Step, Mode); 3] {
    let event = json!({
        "version": "0", "id": "1", "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012",
        "time": "2026-02-23T17:43:07Z", "region": "eu-west-2", "resources": [],
        "detail": {"bucket": {"name": EVIDENCE}, "object": {"key": RECEIPT, "sequencer": "0A1B"}}
    });
    [
        (event, Step::HandleClosure, Mode::Step),
        (json!({"m2_handoff": {"key": RECEIPT}}), Step::HandleClosure, Mode::Step),
        (held.clone(), Step::RerunDiscipline, Mode::Admission),
    ]
}

#[tokio::test]
async fn run_refuses_the_inputs_that_an_execution_refuses() {
    let (world, key) = held_world(START, m3j_phase_verdict::Signer::Off).await;
    let mut asked = world.copy();
    ask_to_go_on(&mut asked, &key, |_| {}).await.unwrap();
    let rerun_input = asked.input;
    let files = Files::new();
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut refused, mut differ) = (0, Vec::new());
    for (valid, step, mode) in forms(&rerun_input) {
        for _ in 0..DRAWS {
            let (what, drawn) = input(&mut rng, &valid);
            let args = RunArgs {
                input: Some(files.put("in.json", drawn.to_string().as_bytes())),
                ..RunArgs::default()
            };
            let door = Files::refuses(&args);
            let mut world = world.copy();
            world.input = drawn;
            let payload = world.payload(step, mode).to_string();
            let harness = world.harness();
            // What the boundary and the parse of the input refuse. The verdicts that come later are no refusal of the input.
            let answer = match mode {
                Mode::Admission => m3g_rerun_discipline::handle(&harness, payload.as_bytes()).await,
                _ => world.try_step(&m3a_handle_closure::HandleClosure).await,
            };
            let execution = answer.is_err_and(|fault| fault.name() == "InvalidInput");
            if door != execution {
                differ.push(format!("{step} {what}: run refuses {door}, the execution {execution}"));
            }
            refused += usize::from(door);
        }
    }
    println!(
        "run and execution: {} inputs, refused by both: {refused}, differ: {}",
        3 * DRAWS,
        differ.len()
    );
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!((DRAWS / 2..2 * DRAWS).contains(&refused), "{refused}");
}
