//! Every blocker code, raised through the state machine by one change of the valid example.
//!
//! A row changes one thing: a handle, an output, the input, an object that stands in the way, or one fact of the
//! observations that a step adopts. The execution must end with exactly the row's code and complete evidence of why.

mod expect;
mod gate;
mod internal;
mod linted;
mod lossy;
mod rows;
mod steps;

use std::collections::BTreeSet;

use futures_util::future::join_all;
use gate::{Example, Gate, Inputs, Reserved};
use p1_contract::blocker::Blocker;
use p1_tests::filled_in;
use p1_tests::stage::{Ended, Stage, on_stage};
use rows::{How, Row};
use serde_json::{Value, json};

use crate::mirrors;

/// What all rows depart from.
pub(crate) struct Scene<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) gate: Gate<'a>,
    pub(crate) example: Example,
    pub(crate) input: Value,
    pub(crate) inputs: Inputs,
}

impl<'a> Scene<'a> {
    /// The valid example, which advances.
    async fn set(stage: &'a Stage, series: &'static str) -> Self {
        let ended = stage.run().await.expect_advance();
        let event: Value = serde_json::from_str(&stage.input(&ended.arn).await).unwrap();
        Scene {
            stage,
            gate: Gate::new(stage, series),
            example: Example::of(stage, &ended).await,
            input: json!({"m2_handoff": {"key": event["detail"]["object"]["key"]}}),
            inputs: Inputs {
                registry: stage.registry(),
                outputs: None,
            },
        }
    }

    /// Runs a row that needs no run before it.
    async fn run(&self, row: &Row) -> Ended {
        let (mut input, mut inputs) = (self.input.clone(), self.inputs.clone());
        match &row.how {
            How::Registry(from, to) => inputs.registry = replaced(&inputs.registry, from, to),
            How::Outputs(outputs, from, to) => {
                inputs.outputs = Some(outputs());
                inputs.registry = replaced(&inputs.registry, from, to);
            }
            How::Input(change) => change(self.stage, &mut input).await,
            _ => {}
        }
        let arn = self
            .gate
            .start(&input, &inputs, async |planned| {
                match &row.how {
                    How::Squatter(file) => planned.squat(row.code.step(), file).await,
                    How::RunIds => {
                        planned.take_every_run_id().await;
                        return Reserved::Seconds;
                    }
                    How::Observed(change) => planned.observe(row.code.step(), &self.example, change).await,
                    How::Concluded(change) => steps::conclude(planned, &self.example, *change).await,
                    _ => {}
                }
                Reserved::Own
            })
            .await;
        self.stage.ended(&arn).await
    }

    /// Runs a row that goes on with a held run.
    async fn resume(&self, row: &Row, held: &Ended) -> Ended {
        let mut inputs = self.inputs.clone();
        let summary = self.stage.phase_summary(held).await;
        let mut input = filled_in(&summary["next_action"]["rerun_input"]);
        assert!(input.is_object(), "{}: {}", row.code, summary["next_action"]);
        match &row.how {
            How::Refused(_, change) => change(&mut input),
            How::Drifted(_, from, to) => inputs.registry = replaced(&inputs.registry, from, to),
            _ => {}
        }
        let run = held.outcome()["platform_run_id"].as_str().unwrap().to_owned();
        let arn = self
            .gate
            .start(&input, &inputs, async |planned| {
                match &row.how {
                    How::Touched(_, touch) => touch(self.stage, format!("evidence/runs/{run}/")).await,
                    How::ResumedObserved(_, change) => {
                        let example = Example::of(self.stage, held).await;
                        planned.observe(row.code.step(), &example, change).await;
                    }
                    _ => {}
                }
                Reserved::Own
            })
            .await;
        self.stage.ended(&arn).await
    }
}

fn replaced(registry: &str, from: &str, to: &str) -> String {
    assert!(registry.contains(from), "the registry holds no {from}");
    registry.replace(from, to)
}

#[test]
fn every_code_has_a_row() {
    let rows = rows::all().map(|row| row.code).chain(lossy::codes());
    let mut covered = BTreeSet::new();
    for code in rows {
        assert!(!code.is_internal(), "{code} is internal: it has no row");
        assert!(covered.insert(code), "{code} has two rows");
    }
    let taxonomy: BTreeSet<Blocker> = Blocker::ALL
        .iter()
        .copied()
        .filter(|code| !code.is_internal())
        .collect();
    let missing: Vec<_> = taxonomy.difference(&covered).map(|code| code.code()).collect();
    assert!(missing.is_empty(), "codes without a row: {missing:?}");
    internal::expect_a_test_for_each();
    let adopted = rows::all().filter(|row| row.how.is_adopted()).count();
    println!(
        "codes covered / codes in the taxonomy: {} / {}, through the state machine: {} by a change of inputs or evidence, {} \
         by changed observations that a step adopts, {} by objects that S3 loses or alters",
        covered.len(),
        taxonomy.len(),
        rows::all().count() - adopted,
        adopted,
        lossy::codes().count(),
    );
    println!(
        "internal codes, each by a test of its step's own: {}",
        Blocker::ALL.len() - taxonomy.len()
    );
}

#[test]
fn every_code_holds_the_run_with_complete_evidence() {
    on_stage(async |stage| {
        let scene = Scene::set(stage, "codes").await;
        let (entries, rows): (Vec<&Row>, Vec<&Row>) = rows::all().partition(|row| matches!(row.how, How::Entered(_)));
        let (first, second): (Vec<&Row>, Vec<&Row>) = rows.into_iter().partition(|row| row.how.after().is_none());
        let held = join_all(first.iter().map(|row| scene.run(row))).await;
        let linted = linted::expect_agreement(&scene, first.iter().copied().zip(&held)).await;
        println!("runs of the engine that are held by exactly what lint names: {linted}");
        let resumed = second.iter().map(|row| {
            let after = row.how.after().unwrap();
            let source = first.iter().position(|row| row.code == after).unwrap();
            scene.resume(row, &held[source])
        });
        let again = join_all(resumed).await;
        for (row, ended) in first.iter().zip(&held).chain(second.iter().zip(&again)) {
            println!(
                "{} {}: {} {}",
                row.code,
                row.what,
                ended.error,
                ended.outcome()["blockers"]
            );
            match row.how {
                How::Refused(..) | How::Drifted(..) => expect::refused(stage, row, ended).await,
                _ => expect::held(stage, row, ended).await,
            }
        }
        // Each pins a run of its own, by the valid inputs.
        stage.put_registry(&scene.inputs.registry).await;
        stage.put_stack_outputs(None).await;
        for row in entries {
            let How::Entered(prepare) = row.how else { continue };
            let ended = stage.start(&prepare(stage).await).await;
            println!(
                "{} {}: {} {}",
                row.code,
                row.what,
                ended.error,
                ended.outcome()["blockers"]
            );
            expect::entry_refused(stage, row, &ended).await;
        }
        println!("codes raised through the state machine: {}", rows::all().count());

        // What the engine ran replays to the same bytes, and every document of it is valid: but for runs whose observations or
        // whose evidence a row has changed.
        let mut dirs = Vec::new();
        for (row, ended) in first.iter().zip(&held).chain(second.iter().zip(&again)) {
            let is_changed = |how: &How| how.is_adopted() || matches!(how, How::Touched(..));
            let mut later = second.iter().filter(|later| later.how.after() == Some(row.code));
            if is_changed(&row.how) || later.any(|later| is_changed(&later.how)) {
                continue;
            }
            let dir = mirrors::mirrored(stage, ended, row.code.code()).await;
            mirrors::replayed(&dir).await;
            if let How::Squatter(file) = row.how {
                let squatters = p1_tests::stage::files(&dir)
                    .into_iter()
                    .filter(|path| path.ends_with(file));
                squatters.for_each(|path| std::fs::remove_file(path).unwrap());
            }
            dirs.push(dir);
        }
        let documents = mirrors::expect_valid(stage, &dirs);
        println!(
            "executions replayed to the same bytes: {}, with {documents} valid documents",
            dirs.len()
        );
        dirs.iter().for_each(|dir| std::fs::remove_dir_all(dir).unwrap());
    });
}
