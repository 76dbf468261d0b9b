//! A held run goes on: by the input that its own summary offers.

use std::path::PathBuf;

use p1::args::ResumeArgs;
use p1::commands::resume;
use p1::commands::runs::State;
use p1::drive::target::Target;
use p1_audit::lineage::Kind;
use p1_audit::verify::Standing;
use p1_contract::blocker::Blocker;
use p1_contract::step::Step;
use p1_replay::Standing as Replayed;
use p1_tests::directories::{replay, verify, verify_and_replay};
use p1_tests::filled_in;
use p1_tests::stage::{Ended, Stage, on_stage};
use serde_json::{Value, json};

use crate::listings::{ALL, listed};
use crate::mirrors::{audit, mirrored, run_root, second_implementation};

#[test]
fn a_mended_run_goes_on_to_advance_under_its_own_id() {
    on_stage(async |stage| {
        let held = stage.held_run().await;
        let resumed = stage.start(&stage.rerun_input(&held).await).await.expect_advance();
        assert_eq!(resumed.outcome()["platform_run_id"], held.outcome()["platform_run_id"]);
        assert_eq!(resumed.outcome()["config_digest"], held.outcome()["config_digest"]);
        // M3.A … M3.E are the first attempt's; the admission and all after it the second's.
        let (results, _) = stage.answers(&resumed.arn).await;
        assert_eq!(results.len(), 1 + Step::ALL.len() - 5);
        let run = resumed.outcome()["platform_run_id"].as_str().unwrap().to_owned();
        let mut kinds = Vec::new();
        for key in stage.keys(&format!("evidence/runs/{run}/ledger/")).await {
            let record = stage.json(&key).await;
            kinds.push((record["kind"].clone(), record["verdict"].clone()));
        }
        let (acquired, committed) = (json!("ACQUIRED"), json!("COMMITTED"));
        assert_eq!(
            kinds,
            [
                (acquired.clone(), Value::Null),
                (committed.clone(), json!("HOLD_M3")),
                (acquired, Value::Null),
                (committed, json!("ADVANCE_TO_M4")),
            ]
        );
        stage.expect_single_versions(&format!("evidence/runs/{run}/")).await;
    });
}

/// The tool says so before it starts anything; the orchestrator would refuse, too.
#[test]
fn nothing_follows_an_advance() {
    on_stage(async |stage| {
        let held = stage.held_run().await;
        let input = stage.rerun_input(&held).await;
        let target = Target::new(stage.platform.deployment(), &stage.platform.sdk_config(), true).unwrap();
        let args = ResumeArgs {
            held: input["resume"]["held"]["key"].as_str().unwrap().to_owned(),
            only: false,
            reset: PathBuf::new(),
            actor: None,
            registry: None,
            stack: None,
            out: None,
            json: false,
        };
        let reset = &input["resume"]["reset"];
        assert_eq!(resume::input(&args, reset.clone(), &target).await.unwrap(), input);
        stage.start(&input).await.expect_advance();
        let refused = resume::input(&args, reset.clone(), &target).await.unwrap_err();
        assert!(
            refused.to_string().contains("nothing can follow an advance"),
            "{refused}"
        );
        let refused = stage.start(&input).await;
        assert_eq!(refused.error, "M3.RerunRefused", "{refused:?}");
        let codes = refused.outcome()["blockers"].clone();
        let codes: Vec<&str> = codes.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let sentence = format!("Refused rerun: {}", codes.join(", "));
        expect_intact(stage, &refused, "refused-after-an-advance", &sentence).await;
    });
}

#[test]
fn a_rerun_without_a_mended_cause_holds_again_and_a_drifted_one_is_refused() {
    on_stage(async |stage| {
        let good = stage.registry();
        stage.put_broken_registry().await;
        let held = stage.run().await.expect_hold(&["M3F-B3"]);
        let again = stage
            .start(&stage.rerun_input(&held).await)
            .await
            .expect_hold(&["M3F-B3"]);
        // Another engine run is another configuration: a rerun must not smuggle it in.
        let drifted = good.replace("ORACLE_ENGINE_RUN_ID = \"", "ORACLE_ENGINE_RUN_ID = \"x");
        stage.put_registry(&drifted).await;
        let refused = stage.start(&stage.rerun_input(&again).await).await;
        assert_eq!(refused.error, "M3.RerunRefused", "{refused:?}");
        assert_eq!(refused.outcome()["blockers"], json!(["M3G-B2"]));
        expect_intact(stage, &refused, "refused", "Refused rerun: M3G-B2").await;
        // The first hold is not the last any more.
        stage.put_registry(&good).await;
        let stale = stage.start(&stage.rerun_input(&held).await).await;
        assert_eq!(stale.outcome()["blockers"], json!(["M3G-B1"]), "{stale:?}");
        stage.start(&stage.rerun_input(&again).await).await.expect_advance();
    });
}

/// A start and a resume ask the same of a registry: one that contradicts the stack is pinned by neither.
#[test]
fn a_rerun_is_refused_while_stack_outputs_contradict_the_registry() {
    on_stage(async |stage| {
        let held = stage.held_run().await;
        let contradiction = json!({"oracle_store_bucket": {"value": "another-bucket"}});
        stage.put_stack_outputs(Some(&contradiction)).await;
        let refused = stage.start(&stage.rerun_input(&held).await).await;
        assert_eq!(refused.error, "M3.RerunRefused", "{refused:?}");
        assert_eq!(refused.outcome()["blockers"], json!(["M3A-B6"]));
        stage.seed().await;
        stage.start(&stage.rerun_input(&held).await).await.expect_advance();
    });
}

/// The console's page of a failed execution has what to paste; nobody has to open the evidence.
#[test]
fn the_cause_of_a_hold_holds_the_input_to_go_on_with() {
    on_stage(async |stage| {
        let held = stage.held_run().await;
        assert!(held.cause.len() <= 32_768, "{}", held.cause.len());
        let next = held.outcome()["next"].clone();
        let mut summary = stage.phase_summary(&held).await["next_action"].take();
        assert!(summary.as_object_mut().unwrap().remove("remedies").is_some());
        assert_eq!(next, summary);
        // What only a person can say is refused until it is said.
        let refused = stage.start(&next["rerun_input"]).await;
        assert_eq!(refused.outcome()["blockers"], json!(["M3G-B5"]), "{refused:?}");
        stage.start(&filled_in(&next["rerun_input"])).await.expect_advance();
    });
}

/// A run that M3.A held has nothing to go on with: it starts anew from its receipt.
#[test]
fn the_cause_of_an_early_hold_holds_the_input_to_start_anew_with() {
    on_stage(async |stage| {
        let good = stage.registry();
        let broken = good.replace(
            "CONFIG_DIGEST_FIELD = \"config_digest\"",
            "CONFIG_DIGEST_FIELD = \"TO_PIN\"",
        );
        assert_ne!(broken, good);
        stage.put_registry(&broken).await;
        let held = stage.run().await.expect_hold(&["M3A-B2"]);
        stage.put_registry(&good).await;
        let event: Value = serde_json::from_str(&stage.input(&held.arn).await).unwrap();
        let next = held.outcome()["next"].clone();
        let start_input = json!({"m2_handoff": {"key": event["detail"]["object"]["key"]}});
        assert_eq!(next, json!({"action": "START_ANEW", "start_input": start_input}));
        stage.start(&next["start_input"]).await.expect_advance();
    });
}

/// Where the closing summary of an execution without a verdict lies.
fn folder(ended: &Ended) -> String {
    let key = ended.outcome()["closure"]["key"].as_str().unwrap().to_owned();
    key.rsplit_once('/').unwrap().0.to_owned() + "/"
}

/// The execution says what it is and is intact, in its mirror and in the bucket, to both verifiers; and with any other byte it is not.
async fn expect_intact(stage: &Stage, ended: &Ended, name: &str, sentence: &str) {
    let dir = mirrored(stage, ended, name).await;
    let report = verify_and_replay(&dir, &[]).await.report;
    assert_eq!(report.standing, Standing::Intact, "{name}: {:?}", report.findings);
    assert_eq!(report.execution.to_string(), sentence);
    assert_eq!(second_implementation(&dir), Some(1), "{name}");
    // The ledger may name executions that this one did not read.
    assert_ne!(replay(&dir).await.standing, Replayed::Differs, "{name}");
    let in_bucket = audit(stage, &folder(ended)).await;
    assert_eq!(in_bucket.standing, Standing::Intact, "{name}: {:?}", in_bucket.findings);
    assert_eq!(
        (in_bucket.execution, in_bucket.counts),
        (report.execution, report.counts),
        "{name}"
    );
    assert_eq!(in_bucket.run, report.run, "{name}");
    let own = ended.outcome()["closure"]["key"].as_str().unwrap().to_owned();
    let sha256 = ended.outcome()["closure"]["sha256"].as_str().unwrap().to_owned();
    for file in [own.as_str(), "execution_history.json", "objects.json"] {
        let path = dir.join(file);
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        // Of the history, its end counts.
        let at = text.rfind(&sha256).unwrap_or(bytes.len() / 2);
        let mut changed = bytes.clone();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        std::fs::write(&path, changed).unwrap();
        let report = verify(&dir, &[]);
        assert_eq!(
            report.standing,
            Standing::Tampered,
            "{name} {file}: {:?}",
            report.findings
        );
        assert_eq!(second_implementation(&dir), Some(2), "{name} {file}");
        std::fs::write(&path, bytes).unwrap();
    }
    std::fs::remove_file(dir.join(&own)).unwrap();
    let report = verify(&dir, &[]);
    assert_eq!(report.standing, Standing::Incomplete, "{name}: {:?}", report.findings);
    assert_eq!(second_implementation(&dir), Some(3), "{name}");
}

/// Nor does it leave the earlier input as it was: the hold says so, and how to go on.
#[test]
fn a_single_state_commits_nothing_and_the_run_goes_on_from_it() {
    on_stage(async |stage| {
        let held = stage.held_run().await;
        let next = held.outcome()["next"].clone();
        let single = stage.start(&filled_in(&next["only_input"])).await;
        let outcome = single.outcome();
        assert_eq!(
            (&outcome["outcome"], &outcome["overall_pass"]),
            (&json!("SINGLE_STATE"), &json!(true)),
            "{single:?}"
        );
        expect_intact(stage, &single, "single-state", "One state alone: M3.F, PASS").await;
        // Its admission leads to it, too.
        let summary = stage.json(outcome["closure"]["key"].as_str().unwrap()).await;
        let mut upstream = summary["upstream"].as_array().unwrap().iter();
        let admission = upstream.find(|closure| closure["step"] == "ADMISSION").unwrap();
        let report = audit(stage, admission["key"].as_str().unwrap()).await;
        assert_eq!(report.standing, Standing::Intact, "{:?}", report.findings);
        let run = held.outcome()["platform_run_id"].as_str().unwrap().to_owned();
        let records = stage.keys(&format!("evidence/runs/{run}/ledger/")).await;
        assert_eq!(records.len(), 3);
        assert_eq!(stage.json(&records[2]).await["kind"], "ACQUIRED");
        // It stays in the list of what is held, with its codes.
        let stands = listed(stage, &ALL).await.runs.remove(0);
        assert_eq!(
            (stands.state, stands.blockers),
            (State::Held, vec![Blocker::from_code("M3F-B3").unwrap()])
        );

        let effect = next["only_effect"].as_str().unwrap();
        assert!(effect.contains("rerun_input is refused after it (M3G-B1)"), "{effect}");
        let mut input = filled_in(&next["rerun_input"]);
        let refused = stage.start(&input).await;
        assert_eq!(refused.outcome()["blockers"], json!(["M3G-B1"]), "{refused:?}");
        expect_intact(stage, &refused, "refused-after-one", "Refused rerun: M3G-B1").await;
        for field in ["key", "version_id", "sha256"] {
            input["resume"]["held"][field] = outcome["closure"][field].clone();
        }
        let resumed = stage.start(&input).await.expect_advance();
        assert_eq!(resumed.outcome()["platform_run_id"], run.as_str());
        // What came later does not change what it is of.
        expect_intact(stage, &single, "single-state-later", "One state alone: M3.F, PASS").await;
        let report = audit(stage, &run_root(&resumed)).await;
        assert_eq!(
            (report.standing, report.execution.kind),
            (Standing::Pinned, Kind::Resume),
            "{:?}",
            report.findings
        );
    });
}

/// Held at M3.F and, once that is mended, at M3.H: the register of the execution that advances lists both, and says of each which
/// closure raised it and which resolved it.
#[test]
fn a_run_that_was_resumed_twice_lists_what_was_resolved() {
    on_stage(async |stage| {
        let (good, scope) = (stage.registry(), "COST_CAPTURE_SCOPE = \"");
        let first = stage.held_run().await;
        stage
            .put_registry(&good.replace(scope, "COST_CAPTURE_SCOPE = \"TO_PIN\"` `x = \""))
            .await;
        let input = stage.rerun_input(&first).await;
        let second = stage.start(&input).await.expect_hold(&["M3H-B1"]);
        stage.put_registry(&good).await;
        let third = stage.start(&stage.rerun_input(&second).await).await.expect_advance();

        let closure = async |ended: &Ended, step: &str| {
            let summary = stage.phase_summary(ended).await;
            let closures = summary["closures"].as_array().unwrap().clone();
            closures.into_iter().find(|closure| closure["step"] == step).unwrap()
        };
        let folder = &stage.folders(&third).await["M3.I"];
        let register = stage.json(&format!("{folder}m3i_blocker_register.json")).await;
        assert_eq!(register["unresolved_count"], 0);
        let listed = register["resolved_blockers"].as_array().unwrap().clone();
        let expected = [
            ("M3F-B3", closure(&first, "M3.F").await, closure(&third, "M3.F").await),
            ("M3H-B1", closure(&second, "M3.H").await, closure(&third, "M3.H").await),
        ];
        assert_eq!(listed.len(), expected.len(), "{listed:#?}");
        for (resolved, (code, raised_by, resolved_by)) in listed.iter().zip(expected) {
            assert_eq!(resolved["code"], code);
            assert_eq!(
                (&resolved["raised_by"], &resolved["resolved_by"]),
                (&raised_by, &resolved_by)
            );
        }
        // The phase began with the first execution.
        let run = third.outcome()["platform_run_id"].as_str().unwrap().to_owned();
        let folder = &stage.folders(&third).await["M3.H"];
        let receipt = stage.json(&format!("{folder}phase_cost_outcome_receipt.json")).await;
        let start = receipt["phase_window_start_utc"]
            .as_str()
            .unwrap()
            .replace(['-', ':'], "");
        assert!(run.contains(&start), "{run} was minted at {start}");

        let report = audit(stage, &run_root(&third)).await;
        assert_eq!(report.standing, Standing::Pinned, "{:?}", report.findings);
        let dir = mirrored(stage, &third, "resumed-twice").await;
        let offline = verify(&dir, &[]);
        assert_eq!(offline.standing, Standing::Pinned, "{:?}", offline.findings);
    });
}
