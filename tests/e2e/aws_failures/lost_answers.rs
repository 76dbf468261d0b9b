//! Each call of each step to S3 goes wrong in turn, in every way that the contract's answer table knows.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use p1_contract::blocker::Blocker;
use p1_contract::request::StepResult;
use p1_contract::step::Step;
use p1_runtime::Harness;
use p1_tests::filled_in;
use p1_tests::stage::{Stage, beside_stage};
use serde_json::{Value, json};

use super::proxy::{Plan, Proxy, Scope, Wrong};
use super::step_bench::{Bench, Patience, Snapshot};

/// What can befall a write.
const WRITES: [(Wrong, Scope); 8] = [
    (Wrong::AnswerLost, Scope::Once),
    (Wrong::AnswerLost, Scope::Always),
    (Wrong::Reset, Scope::Always),
    (Wrong::Unavailable, Scope::Always),
    (Wrong::Late, Scope::Always),
    (Wrong::Conflict, Scope::Once),
    (Wrong::Refused, Scope::Once),
    (Wrong::Unwritten, Scope::Once),
];

/// What can befall a read.
const READS: [(Wrong, Scope); 6] = [
    (Wrong::Reset, Scope::Once),
    (Wrong::Reset, Scope::Always),
    (Wrong::Unavailable, Scope::Always),
    (Wrong::Late, Scope::Always),
    (Wrong::BreaksOff, Scope::Once),
    (Wrong::Refused, Scope::Once),
];

/// Whether every fault befalls every read: `P1_THOROUGH`.
fn thorough() -> bool {
    std::env::var_os("P1_THOROUGH").is_some()
}

/// How a step that met a fault ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Survived {
    /// With the closure that it has without the fault.
    Closed,
    /// As without the fault, and the evidence says what could not be read.
    Noted,
    /// With a fault, after which the identical payload gave that closure.
    Redriven,
    /// With a blocker that says what could not be published or read.
    Held,
}

/// Blockers that say that something is there which is not ours, or is not what we wrote.
const CONFLICTS: [Blocker; 6] = [
    Blocker::RunEvidenceAlreadyExists,
    Blocker::RunEvidenceReadback,
    Blocker::HandoffReadback,
    Blocker::RunLockNotOurs,
    Blocker::RunIdExhausted,
    Blocker::DestructiveMutation,
];

struct Bout<'b, 'a> {
    bench: &'b Bench<'a>,
    proxy: &'b Proxy,
    /// The functions' clients without the proxy.
    direct: Harness,
    owner: &'static str,
    before: Snapshot,
    /// What the step writes and answers when nothing goes wrong.
    clean: BTreeMap<String, String>,
}

impl Bout<'_, '_> {
    /// One fault; none when the step makes no such call.
    async fn survive(&self, plan: Plan) -> Option<Survived> {
        let patience = if plan.wrong == Wrong::Late {
            Patience::Impatient
        } else {
            Patience::AsDeployed
        };
        let harness = self.bench.harness(&self.proxy.endpoint(), patience);
        self.proxy.plan(Some(plan));
        let outcome = self.bench.invoke(&harness, self.owner).await;
        let struck = self.proxy.struck()?;
        let what = format!("{} {plan:?} at {struck}: {outcome:?}", self.owner);
        let again = self.bench.invoke(&self.direct, self.owner).await;
        let after = self.bench.snapshot().await;
        let survived = match outcome {
            Ok(result) if result.overall_pass == self.passes() => {
                assert_eq!(again.as_ref().ok(), Some(&result), "{what}");
                let written = self.bench.written(&self.before, &after, &result).await;
                if written == self.clean {
                    Survived::Closed
                } else {
                    // M3.H passes without an artifact that is no proof of spend; M3.I is the one that reads them all.
                    let noted = written.values().any(|text| text.contains("may not be read"));
                    assert!(
                        plan.wrong == Wrong::Refused && noted,
                        "{what}\n{written:?}\n{:?}",
                        self.clean
                    );
                    Survived::Noted
                }
            }
            Ok(result) => {
                self.expect_honest_hold(&plan, &result, &what).await;
                // Nobody turns the hold into a pass by asking again.
                match again {
                    Ok(again) => assert_eq!(again, result, "{what}"),
                    Err(fault) => assert_eq!(fault.name(), "Internal", "{what}: {fault}"),
                }
                // It panics where an object has two versions.
                self.bench.written(&self.before, &after, &result).await;
                Survived::Held
            }
            Err(fault) => {
                let refused = plan.wrong == Wrong::Refused && fault.name() == "Internal";
                assert!(fault.name() == "Transient" || refused, "{what}");
                let again = again.unwrap_or_else(|fault| panic!("{what}, then {fault}"));
                let mut written = self.bench.written(&self.before, &after, &again).await;
                if self.owner == "ADMISSION" {
                    forget_own_record(&mut written);
                }
                assert_eq!(written, self.clean, "{what}");
                Survived::Redriven
            }
        };
        self.bench.restore(&self.before, &after).await;
        Some(survived)
    }

    fn passes(&self) -> bool {
        self.clean["result"].contains("\"overall_pass\":true")
    }

    /// A hold says what could not be stored or read, never that somebody else was there.
    async fn expect_honest_hold(&self, plan: &Plan, result: &StepResult, what: &str) {
        assert!(!result.overall_pass, "{what}");
        let summary = self.bench.json(result.closure.as_ref().unwrap().key.as_str()).await;
        let what = format!("{what}\n{}", summary["blockers"]);
        let denied = plan.wrong == Wrong::Refused;
        for blocker in summary["blockers"].as_array().unwrap() {
            let code = Blocker::from_code(blocker["code"].as_str().unwrap()).unwrap();
            let unreadable = denied && blocker["detail"].as_str().unwrap().contains("be read");
            assert!(!CONFLICTS.contains(&code) || unreadable, "{what}");
        }
        let step = Step::from_id(self.owner).unwrap_or(Step::RerunDiscipline);
        let publishing = [
            Blocker::publish_failed(step),
            Blocker::set_incomplete(step),
            Blocker::RunEvidenceWriteFailed,
        ];
        assert!(
            denied || result.blockers.iter().all(|code| publishing.contains(code)),
            "{what}"
        );
    }
}

/// An admission that died between acquiring the ledger and storing its observations is seen by the next attempt, which
/// observes the record as its own. Nothing else follows from that.
fn forget_own_record(written: &mut BTreeMap<String, String>) {
    for (key, text) in written {
        if key.ends_with("/m3g_admission_observations.json") {
            *text = text.replace(r#""lock":"ours","records":3"#, r#""lock":"free","records":2"#);
        }
    }
}

type Counts = BTreeMap<(Wrong, Survived), usize>;

/// Lets everything go wrong for one step, and counts how it ended.
async fn strike(bench: &Bench<'_>, proxy: &Proxy, owner: &'static str, write: bool) -> Counts {
    let before = bench.snapshot().await;
    proxy.plan(None);
    let result = bench
        .invoke(&bench.harness(&proxy.endpoint(), Patience::AsDeployed), owner)
        .await
        .unwrap();
    let after = bench.snapshot().await;
    let clean = bench.written(&before, &after, &result).await;
    bench.restore(&before, &after).await;
    let bout = Bout {
        bench,
        proxy,
        direct: bench.direct(),
        owner,
        before,
        clean,
    };
    let mut counts = Counts::new();
    let all = if write { &WRITES[..] } else { &READS[..] };
    let faults: Vec<_> = all.iter().collect();
    'calls: for call in 0.. {
        // Reads are many: each meets one fault, and every fault meets reads of every step; unless all are wanted.
        let (skip, take) = if write || thorough() {
            (0, faults.len())
        } else {
            (call % faults.len(), 1)
        };
        for &&(wrong, scope) in faults.iter().skip(skip).take(take) {
            let plan = Plan {
                write,
                call,
                wrong,
                scope,
            };
            let Some(survived) = bout.survive(plan).await else {
                assert!(call > 0, "{owner} makes no call that {wrong:?} could befall");
                break 'calls;
            };
            *counts.entry((wrong, survived)).or_default() += 1;
        }
    }
    bench.restore(&bout.before, &bench.snapshot().await).await;
    counts
}

/// Which owners meet the faults in one bucket; the others run before them without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The admission of a rerun, and the steps up to the run's publication.
    First,
    /// The steps after it.
    Second,
}

impl Part {
    fn of(step: Step) -> Self {
        if step <= Step::RunPublication {
            Part::First
        } else {
            Part::Second
        }
    }
}

/// The owners of this part.
async fn strike_all(stage: &Stage, bucket: &str, write: bool, part: Part) -> Counts {
    let proxy = Proxy::before(stage.platform.endpoint()).await;
    let mut bench = Bench::new(stage, bucket).await;
    let mut total = Counts::new();
    let mut add = |counts: Counts| {
        for (key, n) in counts {
            *total.entry(key).or_default() += n;
        }
    };
    if part == Part::First {
        let event = bench.input.clone();
        let rerun = held_run(&mut bench).await;
        bench.begin("resumed", rerun);
        add(strike(&bench, &proxy, "ADMISSION", write).await);
        bench.begin("first", event);
    }
    for step in Step::ALL {
        if Part::of(step) == part {
            add(strike(&bench, &proxy, step.id(), write).await);
        }
        assert!(bench.step(step.id()).await.overall_pass, "{step}");
    }
    total
}

/// A run that M3.F holds, and the input with which it goes on.
async fn held_run(bench: &mut Bench<'_>) -> Value {
    let start = json!({"m2_handoff": {"key": bench.input["detail"]["object"]["key"]}});
    bench.begin("held", start);
    bench
        .put_registry(|text| text.replace("runtime_lane,trace_id\"", "trace_id\""))
        .await;
    for step in Step::ALL {
        if ![Step::RerunDiscipline, Step::CostEnvelope].contains(&step) {
            bench.step(step.id()).await;
        }
    }
    bench.put_registry(|text| text).await;
    let key = bench.closures["M3.J"].key.as_str();
    let summary = bench
        .json(&key.replace("m3j_execution_summary", "m3_execution_summary"))
        .await;
    assert_eq!(summary["next_action"]["action"], "RESUME", "{summary}");
    filled_in(&summary["next_action"]["rerun_input"])
}

#[test]
fn whatever_befalls_a_call_to_s3_the_step_ends_truthfully() {
    beside_stage(async |stage| {
        let mut total = Counts::new();
        for counts in join_all([
            strike_all(stage, "p1-lost-writes-1", true, Part::First),
            strike_all(stage, "p1-lost-writes-2", true, Part::Second),
            strike_all(stage, "p1-lost-reads-1", false, Part::First),
            strike_all(stage, "p1-lost-reads-2", false, Part::Second),
        ])
        .await
        {
            for (key, n) in counts {
                *total.entry(key).or_default() += n;
            }
        }
        for ((wrong, survived), n) in &total {
            println!("{wrong:?} {survived:?}: {n}");
        }
        let injected: usize = total.values().sum();
        // A fault that is not survived fails the test before this line.
        println!("faults injected / survived: {injected} / {injected}");
    });
}
