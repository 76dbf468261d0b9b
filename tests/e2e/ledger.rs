//! A run has one holder at a time, and one verdict: the ledger is the fence (contract section 4).

use std::collections::BTreeMap;
use std::sync::Arc;

use p1_contract::ids::{PlatformRunId, Stamp};
use p1_contract::observations::ExecutionAnswer;
use p1_contract::reference::ObjectRef;
use p1_contract::request::StepInput;
use p1_contract::step::Step;
use p1_contract::verdict::PhaseVerdict;
use p1_runtime::run_ledger::{self, Acquired, Committed};
use p1_runtime::{FixedAnswers, Harness, Orchestrator, StepContext};
use p1_tests::stage::{Stage, beside_stage, on_stage};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::aws_failures::step_bench::Bench;
use crate::faulted_executions::{folder, resume_input, stamp};
use crate::processes;

const RACES: usize = 200;

/// An execution of the bench that works on runs.
struct Worker {
    harness: Harness,
    input: StepInput,
}

impl Worker {
    fn named(bench: &mut Bench<'_>, name: &str) -> Self {
        let input = bench.input.clone();
        bench.begin(name, input);
        let harness = bench.direct();
        let input = harness.request(&bench.payload("M3.A")).unwrap().input;
        Worker { harness, input }
    }

    /// Lets Step Functions answer that the other worker's execution has this status.
    fn when_holder_is(mut self, holder: &Worker, status: &str) -> Self {
        let answer = ExecutionAnswer::Found {
            status: status.to_owned(),
        };
        let answers = FixedAnswers {
            executions: BTreeMap::from([(holder.input.execution.to_string(), answer)]),
            ..FixedAnswers::default()
        };
        self.harness.orchestrator = Orchestrator::Fixed(Arc::new(answers));
        self
    }

    fn context(&self) -> StepContext<'_> {
        self.harness.context(&self.input, Step::PhaseVerdict)
    }

    async fn acquire(&self, run: &PlatformRunId) -> Acquired {
        run_ledger::acquire(&self.context(), run).await.unwrap()
    }

    async fn commit(&self, run: &PlatformRunId, verdict: PhaseVerdict) -> Committed {
        let summary = self.summary();
        run_ledger::commit(&self.context(), run, verdict, &summary)
            .await
            .unwrap()
    }

    /// A reference to a phase summary; the ledger does not read it.
    fn summary(&self) -> ObjectRef {
        let bucket = self.input.settings.evidence_bucket.clone();
        let key = format!(
            "{}m3_execution_summary.json",
            self.input
                .settings
                .environment
                .phase_folder(&self.input.phase_execution_id(Step::PhaseVerdict))
        );
        ObjectRef {
            bucket,
            key: key.parse().unwrap(),
            version_id: Some("v".to_owned()),
            sha256: p1_contract::hash::Sha256Hex::of(b""),
            bytes: 0,
        }
    }
}

/// The id of the n-th run of the races, in a time when there were no others.
fn run_number(number: usize) -> PlatformRunId {
    let second = 1_000_000_000 + i64::try_from(number).unwrap();
    let time = jiff::Timestamp::new(second, 0).unwrap().to_string();
    PlatformRunId::mint(Stamp::from_rfc3339_floor(&time).unwrap(), 0).unwrap()
}

/// The holder commits while a successor, whose Step Functions says that the holder has ended, acquires: one of them gets the record.
#[test]
fn a_committer_and_a_successor_never_both_win() {
    beside_stage(async |stage| {
        let mut bench = Bench::new(stage, "p1-ledger-races").await;
        let holder = Arc::new(Worker::named(&mut bench, "holder"));
        let successor = Arc::new(Worker::named(&mut bench, "successor").when_holder_is(&holder, "ABORTED"));
        let (mut committed, mut acquired, mut double) = (0, 0, 0);
        for number in 0..RACES {
            let run = run_number(number);
            assert!(run_ledger::reserve(&holder.context(), &run).await.unwrap());
            let verdict = if number % 2 == 0 {
                PhaseVerdict::AdvanceToM4
            } else {
                PhaseVerdict::HoldM3
            };
            let start = Arc::new(Barrier::new(2));
            let commit = tokio::spawn({
                let (holder, run, start) = (Arc::clone(&holder), run.clone(), Arc::clone(&start));
                async move {
                    start.wait().await;
                    holder.commit(&run, verdict).await
                }
            });
            let acquire = tokio::spawn({
                let (successor, run) = (Arc::clone(&successor), run.clone());
                async move {
                    start.wait().await;
                    successor.acquire(&run).await
                }
            });
            let (commit, acquire) = (commit.await.unwrap(), acquire.await.unwrap());
            let holder_won = matches!(commit, Committed::Done(_));
            let successor_won = acquire == Acquired::Ours(2);
            committed += usize::from(holder_won);
            acquired += usize::from(successor_won);
            double += usize::from(holder_won && successor_won);
            assert!(holder_won || successor_won, "{run}: {commit:?} {acquire:?}");
            assert!(holder_won || matches!(commit, Committed::Lost(_)), "{run}: {commit:?}");
            // A committed hold may be followed, which is no race any more; a committed advance by nothing.
            let follows = acquire == Acquired::Ours(3) && verdict == PhaseVerdict::HoldM3;
            let refused = matches!(acquire, Acquired::Refused(_));
            assert!(successor_won || refused || follows, "{run}: {acquire:?}");

            // The loser of a race that the successor won comes too late with any verdict.
            if successor_won {
                assert!(
                    matches!(holder.commit(&run, verdict).await, Committed::Lost(_)),
                    "{run}"
                );
                let own = successor.commit(&run, PhaseVerdict::AdvanceToM4).await;
                assert!(matches!(own, Committed::Done(_)), "{run}: {own:?}");
            }
            let ledger = run_ledger::read(&holder.context(), &run).await.unwrap();
            let verdicts = ledger.unwrap_or_else(|why| panic!("{run}: {why}"));
            assert_eq!(
                verdicts
                    .records()
                    .iter()
                    .filter(|record| record.verdict.is_some())
                    .count(),
                1
            );
        }
        for (key, versions) in bench.version_counts().await {
            assert_eq!(versions, 1, "{key}");
        }
        println!("races run / double winners: {RACES} / {double} ({committed} committed, {acquired} acquired)");
        assert_eq!(double, 0);
    });
}

#[test]
fn a_successor_waits_until_the_holder_has_surely_ended() {
    beside_stage(async |stage| {
        let mut bench = Bench::new(stage, "p1-ledger-holders").await;
        let holder = Worker::named(&mut bench, "holder");
        for (number, (status, free)) in [
            ("RUNNING", false),
            ("PENDING_REDRIVE", false),
            ("FAILED", true),
            ("TIMED_OUT", true),
            ("ABORTED", true),
            ("SUCCEEDED", true),
        ]
        .into_iter()
        .enumerate()
        {
            let run = run_number(number);
            assert!(run_ledger::reserve(&holder.context(), &run).await.unwrap());
            let next = Worker::named(&mut bench, "next").when_holder_is(&holder, status);
            let acquired = next.acquire(&run).await;
            assert_eq!(acquired == Acquired::Ours(2), free, "{status}: {acquired:?}");
        }
    });
}

/// The codes of a refused rerun.
async fn refusal(stage: &Stage, input: &Value) -> Vec<String> {
    let ended = stage.start(input).await;
    assert_eq!(ended.error, "M3.RerunRefused", "{ended:?}");
    let blockers = ended.outcome()["blockers"].clone();
    serde_json::from_value(blockers).unwrap()
}

/// A run whose holder still runs, stopped in the middle, is nobody else's. Once it is aborted the run goes on, and once
/// its advance is committed nothing follows.
#[test]
fn a_running_holder_keeps_its_run_and_an_aborted_one_gives_it_up() {
    on_stage(async |stage| {
        // The engine ends functions that were idle for some minutes: after this, M3.H has a process to be stopped.
        stage.run().await.expect_advance();
        let start = stage.operator_start().await;
        let stopped = processes::of_function(stage, Step::CostEnvelope);
        assert!(!stopped.is_empty(), "no process of M3.H is up");
        processes::signal(&stopped, Signal::STOP);
        let arn = stage.begin("stopped-holder", &start).await;
        let closed = folder(&arn, stamp(stage, &arn).await, Step::RerunDiscipline);
        stage.await_object(&format!("{closed}m3g_execution_summary.json")).await;
        let input = resume_input(stage, &closed, Step::RerunDiscipline).await;
        let run = stage.answers(&arn).await.0[1]["run"]["platform_run_id"].clone();

        let refused = refusal(stage, &input).await;
        assert!(refused.contains(&"M3D-B4".to_owned()), "{refused:?}");

        stage.sfn.stop_execution().execution_arn(&arn).send().await.unwrap();
        // An abort does not end the invocation that is under way: M3.H closes, and nothing follows it. (If its process were
        // killed, the engine would try the Task of the aborted execution again, at a moment that nobody knows.)
        processes::signal(&stopped, Signal::CONT);
        let closed = folder(&arn, stamp(stage, &arn).await, Step::CostEnvelope);
        stage.await_object(&format!("{closed}m3h_execution_summary.json")).await;
        let input = resume_input(stage, &closed, Step::CostEnvelope).await;
        let resumed = stage.start(&input).await.expect_advance();
        assert_eq!(resumed.outcome()["platform_run_id"], run);

        let refused = refusal(stage, &input).await;
        assert!(refused.contains(&"M3D-B4".to_owned()), "{refused:?}");
        let run = run.as_str().unwrap();
        let records = stage.keys(&format!("evidence/runs/{run}/ledger/")).await;
        assert_eq!(records.len(), 3, "{records:?}");
        stage.expect_single_versions(&format!("evidence/runs/{run}/")).await;
    });
}

#[test]
fn of_two_reruns_at_the_same_moment_one_acquires() {
    on_stage(async |stage| {
        let held = stage.held_run().await;
        let input = stage.rerun_input(&held).await;
        let (one, other) = tokio::join!(stage.start(&input), stage.start(&input));
        let (winner, loser) = if one.error.is_empty() {
            (one, other)
        } else {
            (other, one)
        };
        let winner = winner.expect_advance();
        assert_eq!(loser.error, "M3.RerunRefused", "{loser:?}");
        let codes = loser.outcome()["blockers"].clone();
        assert!(codes.as_array().unwrap().contains(&json!("M3D-B4")), "{codes}");
        let run = winner.outcome()["platform_run_id"].as_str().unwrap().to_owned();
        let records = stage.keys(&format!("evidence/runs/{run}/ledger/")).await;
        assert_eq!(records.len(), 4, "{records:?}");
        println!("reruns at the same moment: 2, acquired: 1, refused with {codes}");
    });
}
