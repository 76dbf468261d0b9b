//! Evidence that was overwritten or deleted after it was written, by another client on a bucket without a policy. A reference to a
//! key and version is still true then, so a reader that relies on an object also asks for the history of its key. Each test has a
//! run of its own.

use aws_sdk_s3::primitives::ByteStream;
use futures_util::StreamExt;
use p1_audit::object_versions::Foreign;
use p1_audit::verify::Standing;
use p1_contract::canonical::to_document;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{PlatformRunId, Stamp};
use p1_contract::ledger::LedgerRecord;
use p1_contract::step::Step;
use p1_tests::directories::verify;
use p1_tests::stage::{Ended, Stage, on_stage};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::faulted_executions::{folder, stamp};
use crate::mirrors::{audit, evidence, mirror_of, run_root};
use crate::processes;

/// The alerts do not rise: M3.H holds.
const BREACH: (&str, &str) = (
    "`DEV_FULL_BUDGET_ALERT_2_USD = 175`",
    "`DEV_FULL_BUDGET_ALERT_2_USD = 100`",
);

/// A run that M3.H holds, with the registry mended since, and the input to go on with.
struct HeldRun<'s> {
    stage: &'s Stage,
    ended: Ended,
    input: Value,
    root: String,
}

impl<'s> HeldRun<'s> {
    async fn new(stage: &'s Stage) -> Self {
        let good = stage.registry();
        assert!(good.contains(BREACH.0));
        stage.put_registry(&good.replace(BREACH.0, BREACH.1)).await;
        let ended = stage.run().await.expect_hold(&["M3H-B5"]);
        stage.put_registry(&good).await;
        let input = stage.rerun_input(&ended).await;
        let root = run_root(&ended);
        HeldRun {
            stage,
            ended,
            input,
            root,
        }
    }

    fn run(&self) -> PlatformRunId {
        self.ended.outcome()["platform_run_id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// The rerun is refused with this code on this key, and has written nothing to the run.
    async fn expect_refused(&self, input: &Value, code: &str, key: &str) {
        let before = versions(self.stage, &self.root).await;
        let refused = self.stage.start(input).await;
        assert_eq!(refused.error, "M3.RerunRefused", "{key}: {refused:?}");
        let codes = refused.outcome()["blockers"].clone();
        assert!(codes.as_array().unwrap().contains(&json!(code)), "{key}: {codes}");
        let summary = refused.outcome()["closure"]["key"].as_str().unwrap().to_owned();
        let summary = self.stage.json(&summary).await;
        let named = summary["blockers"].as_array().unwrap().iter().any(|blocker| {
            let text = |field: &str| blocker[field].as_str().unwrap().to_owned();
            blocker["code"] == json!(code) && format!("{} {}", text("subject"), text("detail")).contains(key)
        });
        assert!(named, "{key} is not named: {}", summary["blockers"]);
        assert_eq!(
            versions(self.stage, &self.root).await,
            before,
            "{key}: the run was written to"
        );
    }
}

async fn overwrite(stage: &Stage, key: &str, bytes: Vec<u8>) -> String {
    let request = stage.s3.put_object().bucket(stage.platform.evidence_bucket()).key(key);
    let answer = request.body(ByteStream::from(bytes)).send().await.unwrap();
    answer.version_id().unwrap_or_default().to_owned()
}

async fn hide(stage: &Stage, key: &str) {
    let request = stage.s3.delete_object().bucket(stage.platform.evidence_bucket());
    request.key(key).send().await.unwrap();
}

/// How many versions and delete markers every key below a prefix has.
async fn versions(stage: &Stage, prefix: &str) -> Vec<(String, usize)> {
    let found = evidence(stage, &stage.s3).versions(prefix).await.unwrap();
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for version in found {
        *counts.entry(version.key).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// The bucket says that it was tampered with, and so do the mirror, its verdict and the directory; each names the key.
async fn expect_tampered(stage: &Stage, ended: &Ended, key: &str, name: &str) {
    let report = audit(stage, &run_root(ended)).await;
    assert_eq!(report.standing, Standing::Tampered, "{key}: {:?}", report.findings);
    assert!(
        report.findings.iter().any(|finding| finding.subject == key),
        "{:?}",
        report.findings
    );
    let (mirror, dir) = mirror_of(stage, ended, name, None).await;
    assert!(
        mirror.problems.iter().any(|problem| problem.contains(key)),
        "{:?}",
        mirror.problems
    );
    let offline = verify(&dir, &[]);
    assert_eq!(offline.standing, Standing::Tampered, "{key}: {:?}", offline.findings);
    assert!(
        offline.findings.iter().any(|finding| finding.subject == key),
        "{:?}",
        offline.findings
    );
}

/// The summary of the step that held, forged as a pass, in a second version at its own key.
#[test]
fn a_forged_version_of_the_held_summary_is_refused() {
    on_stage(async |stage| {
        let held = HeldRun::new(stage).await;
        let key = held.input["resume"]["held"]["key"].as_str().unwrap().to_owned();
        let mut forged = stage.json(&key).await;
        forged["overall_pass"] = json!(true);
        forged["blockers"] = json!([]);
        forged["blocker_count"] = json!(0);
        forged["next_gate"] = json!("M3.H_READY");
        let bytes = to_document(&forged).unwrap();
        let mut input = held.input.clone();
        input["resume"]["held"]["sha256"] = json!(Sha256Hex::of(&bytes));
        input["resume"]["held"]["version_id"] = json!(overwrite(stage, &key, bytes).await);
        held.expect_refused(&input, "M3G-B1", &key).await;
        held.expect_refused(&input, "M3G-B3", &key).await;
        // The input names the true version; its key was overwritten all the same.
        held.expect_refused(&held.input, "M3G-B3", &key).await;
        expect_tampered(stage, &held.ended, &key, "forged").await;
    });
}

#[test]
fn a_run_whose_evidence_was_overwritten_or_hidden_is_not_resumed() {
    on_stage(async |stage| {
        for (name, hidden, code) in [
            ("run.json", false, "M3G-B3"),
            ("run_pin/run_header.json", false, "M3G-B3"),
            ("run.json", true, "M3G-B3"),
            ("ledger/000001.json", false, "M3D-B4"),
            ("ledger/000001.json", true, "M3D-B4"),
            ("ledger/000002.json", true, "M3D-B4"),
        ] {
            let held = HeldRun::new(stage).await;
            let key = format!("{}{name}", held.root);
            if hidden {
                hide(stage, &key).await;
            } else {
                // The same bytes: what is at the key reads as before.
                overwrite(stage, &key, stage.get(&key).await).await;
            }
            held.expect_refused(&held.input, code, &key).await;
            assert_eq!(stage.exists(&key).await, !hidden, "{key} was written again");
            expect_tampered(stage, &held.ended, &key, "hidden").await;
        }
    });
}

/// Evidence is overwritten while the run is under way, after M3.G has looked: M3.J looks again before it commits.
#[test]
fn evidence_overwritten_before_the_commit_is_a_no_go() {
    on_stage(async |stage| {
        // The engine ends functions that were idle for some minutes: after this, M3.H has a process to be stopped.
        let start = stage.operator_start().await;
        for (number, name) in ["run.json", "run_pin/run_header.json", "m3c_run_config_payload.json"]
            .iter()
            .enumerate()
        {
            let stopped = processes::of_function(stage, Step::CostEnvelope);
            assert!(!stopped.is_empty(), "no process of M3.H is up");
            processes::signal(&stopped, Signal::STOP);
            let arn = stage.begin(&format!("overwritten-{number}"), &start).await;
            let stamp = stamp(stage, &arn).await;
            let guard = folder(&arn, stamp, Step::RerunDiscipline);
            stage.await_object(&format!("{guard}m3g_execution_summary.json")).await;
            let run = stage.answers(&arn).await.0[1]["run"]["platform_run_id"].clone();
            let key = if name.starts_with("m3c") {
                format!("{}{name}", folder(&arn, stamp, Step::ConfigDigest))
            } else {
                format!("evidence/runs/{}/{name}", run.as_str().unwrap())
            };
            overwrite(stage, &key, b"foreign".to_vec()).await;
            processes::signal(&stopped, Signal::CONT);
            let ended = stage.ended(&arn).await.expect_hold(&["M3J-B2"]);
            let summary = stage.phase_summary(&ended).await;
            let blockers = summary["unresolved_blockers"].as_array().unwrap();
            assert!(
                blockers.iter().any(|blocker| blocker["subject"] == json!(key)),
                "{blockers:?}"
            );
            assert_eq!(summary["next_action"]["action"], "START_ANEW");
            println!("M3J-B2 {key}");
            expect_tampered(stage, &ended, &key, "before-the-commit").await;
        }
    });
}

/// The history says that the run advanced, and the bucket that its evidence was overwritten: the tool reports what the bucket says.
#[test]
fn an_advance_whose_evidence_was_overwritten_is_tampered() {
    on_stage(async |stage| {
        let ended = stage.run().await.expect_advance();
        let (mirror, dir) = mirror_of(stage, &ended, "advance", None).await;
        assert_eq!(mirror.problems, Vec::<String>::new());
        assert_eq!(verify(&dir, &[]).standing, Standing::Pinned);
        for (name, hidden) in [("ledger/000002.json", true), ("run.json", false), ("run.json", true)] {
            let ended = stage.run().await.expect_advance();
            let key = format!("{}{name}", run_root(&ended));
            if hidden {
                hide(stage, &key).await;
            } else {
                overwrite(stage, &key, b"foreign".to_vec()).await;
            }
            expect_tampered(stage, &ended, &key, "advance").await;
        }
    });
}

/// Names that later phases, consoles and strangers give their objects below the run's root.
const ODD: [&str; 9] = [
    "",
    "m4/",
    "m4//state.json",
    "m4/../state.json",
    "m4/./x",
    "m4/a b+c%20d.json",
    "m4/é\u{202e}.json",
    ".DS_Store",
    "run.json.bak",
];

#[test]
fn foreign_objects_below_a_runs_root_fault_nothing_and_end_no_mirror() {
    on_stage(async |stage| {
        let held = HeldRun::new(stage).await;
        for odd in ODD {
            for bytes in ["foreign", "foreign, again"] {
                overwrite(stage, &format!("{}{odd}", held.root), bytes.as_bytes().to_vec()).await;
            }
        }
        let (stage_ref, root) = (stage, held.root.clone());
        let many = (0..10_000).map(|number| {
            let key = format!("{root}m4/state/{number:05}.json");
            async move {
                overwrite(stage_ref, &key, b"{}".to_vec()).await;
            }
        });
        futures_util::stream::iter(many)
            .buffer_unordered(64)
            .collect::<Vec<()>>()
            .await;

        let resumed = stage.start(&held.input).await.expect_advance();
        let report = audit(stage, &held.root).await;
        assert_eq!(report.standing, Standing::Pinned, "{:?}", report.findings);
        let expected = 10_000 + ODD.len() as u64;
        assert_eq!((report.foreign.count, report.foreign.keys.len()), (expected, 100));
        let (mirror, dir) = mirror_of(stage, &resumed, "foreign", None).await;
        assert_eq!(mirror.problems, Vec::<String>::new());
        assert_eq!(mirror.foreign.count, expected);
        let offline = verify(&dir, &[]);
        assert_eq!(offline.standing, Standing::Pinned, "{:?}", offline.findings);
        assert_eq!((offline.foreign.count, offline.counts), (expected, report.counts));
        assert_ne!(offline.foreign, Foreign::default());
    });
}

/// A rerun refuses the same registries as a start.
#[test]
fn a_registry_that_a_start_would_refuse_is_not_pinned_by_a_rerun() {
    on_stage(async |stage| {
        let held = HeldRun::new(stage).await;
        let good = stage.registry();
        for (planted, code, named) in [
            ("\nThe key is AKIAIOSFODNN7EXAMPLE.\n", "M3A-B8", "registry:line"),
            ("* `SOMEBODYS = 1`\n* `SOMEBODYS = 2`\n", "M3A-B6", "SOMEBODYS"),
        ] {
            stage.put_registry(&format!("{good}{planted}")).await;
            held.expect_refused(&held.input, code, named).await;
        }
        stage.put_registry(&good).await;
        stage.start(&held.input).await.expect_advance();
    });
}

/// The name of an execution stands in all of its evidence, so this one is refused before it reserves a run.
#[test]
fn an_execution_whose_name_looks_like_a_secret_reserves_nothing() {
    on_stage(async |stage| {
        let start = stage.operator_start().await;
        let runs = stage.keys("evidence/runs/").await.len();
        let arn = stage.begin("AKIAIOSFODNN7EXAMPLE", &start).await;
        let ended = stage.ended(&arn).await;
        assert_eq!(ended.error, "InvalidInput", "{ended:?}");
        assert!(ended.cause.contains("another name"), "{ended:?}");
        assert_eq!(stage.answers(&arn).await.1, 1, "InvalidInput is not retried");
        assert_eq!(stage.keys("evidence/runs/").await.len(), runs);
    });
}

/// Records of the ledger that no execution wrote: the run goes on, and is not reported as intact.
#[test]
fn a_thousand_records_of_no_execution_hold_no_run_and_leave_it_incomplete() {
    on_stage(async |stage| {
        let held = HeldRun::new(stage).await;
        let (run, machine) = (held.run(), stage.execution_arn("ghost"));
        let time = Stamp::from_rfc3339_floor("2026-01-01T00:00:00Z").unwrap();
        let (stage_ref, run_ref, machine) = (stage, &run, machine.as_str());
        let ghosts = (3..=1_002).map(|sequence| async move {
            let holder = format!("{machine}-{sequence}").parse().unwrap();
            let record = LedgerRecord::acquired(run_ref, sequence, &holder, time);
            let bytes = p1_contract::canonical::document_of(&record).unwrap();
            overwrite(stage_ref, &run_ref.ledger_key(sequence), bytes).await;
        });
        futures_util::stream::iter(ghosts)
            .buffer_unordered(64)
            .collect::<Vec<()>>()
            .await;
        assert_eq!(audit(stage, &held.root).await.standing, Standing::Incomplete);
        let resumed = stage.start(&held.input).await.expect_advance();
        let report = audit(stage, &held.root).await;
        assert_eq!(report.standing, Standing::Incomplete, "{:?}", report.findings);
        assert!(
            report.findings[0].detail.contains("no evidence"),
            "{:?}",
            report.findings
        );
        let (mirror, dir) = mirror_of(stage, &resumed, "ghosts", None).await;
        assert_eq!(mirror.problems.len(), 1, "{:?}", mirror.problems);
        assert_eq!(verify(&dir, &[]).standing, Standing::Incomplete);

        // A record whose holder is an execution of another state machine.
        let held = HeldRun::new(stage).await;
        let run = held.run();
        let elsewhere = machine
            .replace(stage.platform.account(), "000000000000")
            .parse()
            .unwrap();
        let record = LedgerRecord::acquired(&run, 3, &elsewhere, time);
        let bytes = p1_contract::canonical::document_of(&record).unwrap();
        overwrite(stage, &run.ledger_key(3), bytes).await;
        held.expect_refused(&held.input, "M3D-B4", "another state machine")
            .await;
        assert_eq!(audit(stage, &held.root).await.standing, Standing::Tampered);
    });
}
