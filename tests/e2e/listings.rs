//! `cargo p1 runs`: what is pinned, held and running on a real engine, and what somebody else put into the index.

use p1::ExitStatus;
use p1::args::{CommittedVerdict, RunsArgs};
use p1::bucket::verify::{Place, read};
use p1::commands::runs::{Listing, Run, State, list};
use p1::drive::target::Target;
use p1_audit::verify::{Standing, verify};
use p1_contract::artifacts::{IndexedObject, ScenarioIndexEntry};
use p1_contract::canonical;
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{Environment, ExecutionArn, PlatformRunId, S3Key, ScenarioRunId, Stamp};
use p1_contract::ledger::LedgerRecord;
use p1_tests::stage::{Ended, Stage, on_stage};

pub(crate) const ALL: RunsArgs = RunsArgs {
    scenario: None,
    digest: None,
    verdict: None,
    since: None,
    limit: 20,
    stack: None,
    json: false,
};

fn target(stage: &Stage) -> Target {
    Target::new(stage.platform.deployment(), &stage.platform.sdk_config(), true).unwrap()
}

pub(crate) async fn listed(stage: &Stage, args: &RunsArgs) -> Listing {
    list(args, &target(stage)).await.unwrap()
}

async fn of_scenario(stage: &Stage, scenario: &str) -> Listing {
    let args = RunsArgs {
        scenario: Some(scenario.to_owned()),
        ..ALL
    };
    listed(stage, &args).await
}

fn id(ended: &Ended, field: &str) -> String {
    ended.outcome()[field].as_str().unwrap().to_owned()
}

fn runs_of(listing: &Listing) -> Vec<(State, String)> {
    let id = |run: &Run| {
        run.platform_run_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    listing.runs.iter().map(|run| (run.state, id(run))).collect()
}

/// Waits until the second in which an execution started is over.
async fn after_the_second_of(ended: &Ended, stage: &Stage) {
    let start: jiff::Timestamp = stage.start_time(&ended.arn).await.parse().unwrap();
    let over = start + jiff::SignedDuration::from_secs(1);
    let left = over.duration_since(jiff::Timestamp::now());
    tokio::time::sleep(left.try_into().unwrap_or_default()).await;
}

/// Puts an object as somebody else would, at whatever key. Returns its version.
async fn put(stage: &Stage, key: &str, bytes: Vec<u8>) -> String {
    let request = stage.s3.put_object().bucket(stage.platform.evidence_bucket()).key(key);
    let stored = request.body(bytes.into()).send().await.unwrap();
    stored.version_id().unwrap().to_owned()
}

/// Takes such an object away again. The engine lists a control character as XML that no client reads, so a key that has one would
/// be in the way of the platform's next test.
async fn take_away(stage: &Stage, key: &str, version: &str) {
    let request = stage
        .s3
        .delete_object()
        .bucket(stage.platform.evidence_bucket())
        .key(key);
    let request = request.version_id(version).bypass_governance_retention(true);
    request.send().await.unwrap();
}

#[test]
fn a_pinned_run_is_listed_by_its_scenario_and_a_held_one_with_its_codes() {
    on_stage(async |stage| {
        let pinned = stage.run().await.expect_advance();
        let (run, scenario) = (id(&pinned, "platform_run_id"), id(&pinned, "scenario_run_id"));
        let by_scenario = of_scenario(stage, &scenario).await;
        assert_eq!(runs_of(&by_scenario), [(State::Pinned, run.clone())]);
        assert_eq!((by_scenario.pinned, by_scenario.more), (1, 0));
        assert_eq!(by_scenario.exit_status(), ExitStatus::Advance);

        // The entry is what the contract says: the evidence, by key and hash.
        let key = format!("evidence/dev_full/index/scenario/{scenario}/{run}.json");
        assert_eq!(stage.keys("evidence/dev_full/index/").await, std::slice::from_ref(&key));
        let bytes = stage.get(&key).await;
        let entry = ScenarioIndexEntry::parse(&bytes).unwrap();
        let summary = format!("{}m3_execution_summary.json", stage.folders(&pinned).await["M3.J"]);
        let root = format!("evidence/runs/{run}/");
        let mut named = vec![entry.m3_execution_summary.clone(), entry.commit.clone()];
        named.extend(entry.run_evidence.clone());
        let keys: Vec<&str> = named.iter().map(|object| object.key.as_str()).collect();
        let pack = keys[2].to_owned();
        assert!(pack.ends_with("/m4_handoff_pack.json"), "{pack}");
        let expected = [
            summary,
            format!("{root}ledger/000002.json"),
            pack.clone(),
            format!("{root}run.json"),
            format!("{root}run_pin/run_header.json"),
        ];
        assert_eq!(keys, expected);
        for object in &named {
            assert_eq!(
                object.sha256,
                Sha256Hex::of(&stage.get(object.key.as_str()).await),
                "{}",
                object.key
            );
        }
        let summary = stage.phase_summary(&pinned).await;
        assert_eq!(entry.config_digest.as_str(), summary["config_digest"]);
        assert_eq!(entry.execution.as_str(), pinned.arn);
        assert_eq!(entry.execution_stamp_utc.rfc3339(), summary["execution_stamp_utc"]);

        // A run of another scenario is not listed below this one, and a held run below none. It starts in a later second, since
        // `--since` tells no smaller ones apart.
        after_the_second_of(&pinned, stage).await;
        let other = stage
            .registry()
            .replace("\"card_events\":\"ts_utc\"", "\"card_events\":\"event_ts\"");
        assert_ne!(other, stage.registry());
        stage.put_registry(&other).await;
        let another = stage.run().await.expect_advance();
        let held = stage.held_run().await;
        assert_ne!(id(&another, "scenario_run_id"), scenario);
        assert_eq!(
            runs_of(&of_scenario(stage, &scenario).await),
            [(State::Pinned, run.clone())]
        );
        let (held, another) = (id(&held, "platform_run_id"), id(&another, "platform_run_id"));

        let all = listed(stage, &ALL).await;
        let states = [
            (State::Held, held.clone()),
            (State::Pinned, another.clone()),
            (State::Pinned, run.clone()),
        ];
        assert_eq!(runs_of(&all), states);
        let codes: Vec<String> = all.runs[0].blockers.iter().map(ToString::to_string).collect();
        assert_eq!(codes, ["M3F-B3"]);
        assert_eq!(
            all.runs[2].scenario_run_id.as_ref().map(ScenarioRunId::as_str),
            Some(scenario.as_str())
        );

        // Each filter, and the limit.
        let by = async |args: RunsArgs| runs_of(&listed(stage, &args).await);
        let digest = Some(entry.config_digest.to_string());
        let of_digest = by(RunsArgs { digest, ..ALL }).await;
        assert_eq!(of_digest, [(State::Held, held.clone()), (State::Pinned, run.clone())]);
        let verdict = Some(CommittedVerdict::Hold);
        assert_eq!(by(RunsArgs { verdict, ..ALL }).await, [(State::Held, held.clone())]);
        let minted = PlatformRunId::parse(&another).unwrap().stamp().unwrap();
        let since = Some(minted.rfc3339());
        assert_eq!(by(RunsArgs { since, ..ALL }).await, states[..2]);
        let two = listed(stage, &RunsArgs { limit: 2, ..ALL }).await;
        assert_eq!((runs_of(&two), two.more), (states[..2].to_vec(), 1));
    });
}

#[test]
fn what_somebody_else_put_into_the_index_is_not_pinned() {
    on_stage(async |stage| {
        let pinned = stage.run().await.expect_advance();
        let (run, scenario) = (id(&pinned, "platform_run_id"), id(&pinned, "scenario_run_id"));
        let key = format!("evidence/dev_full/index/scenario/{scenario}/{run}.json");
        let entry = ScenarioIndexEntry::parse(&stage.get(&key).await).unwrap();
        // The entry of a pinned run, told of another scenario; and one of a run that never was.
        let forged = ScenarioRunId::from_digest(&Sha256Hex::of(b"forged"));
        let elsewhere = ScenarioIndexEntry {
            scenario_run_id: forged.clone(),
            ..entry.clone()
        };
        let never = PlatformRunId::parse("platform_20200101T000000Z").unwrap();
        let commit = S3Key::parse(&never.ledger_key(2)).unwrap();
        let nobodys = ScenarioIndexEntry {
            platform_run_id: never.clone(),
            pinned_at_utc: never.stamp().unwrap(),
            commit: IndexedObject::new(&commit, &entry.commit.sha256),
            ..elsewhere.clone()
        };
        let environment = Environment::default();
        for planted in [&elsewhere, &nobodys] {
            put(
                stage,
                &planted.key(&environment),
                canonical::document_of(planted).unwrap(),
            )
            .await;
        }
        let folder = environment.scenario_index(&forged);
        let hostile = format!("{folder}no\u{1b}[31mrun.json");
        let hostile_version = put(stage, &hostile, b"{}\n".to_vec()).await;
        let copied = format!("{folder}platform_20200101T000001Z.json");
        put(stage, &copied, canonical::document_of(&entry).unwrap()).await;

        let listing = of_scenario(stage, forged.as_str()).await;
        take_away(stage, &hostile, &hostile_version).await;
        let unconfirmed = |run: &str| (State::Unconfirmed, run.to_owned());
        let expected = [
            unconfirmed(&run),
            unconfirmed("platform_20200101T000001Z"),
            unconfirmed("platform_20200101T000000Z"),
            unconfirmed(""),
        ];
        assert_eq!(runs_of(&listing), expected);
        let whys = [
            "another scenario or configuration",
            "the entry of another run",
            "the ledger has no record",
            "another shape",
        ];
        for (run, why) in listing.runs.iter().zip(whys) {
            let said = run.why.as_deref().unwrap();
            assert!(said.contains(why) && !said.contains('\u{1b}'), "{said}");
        }
        assert_eq!((listing.pinned, listing.exit_status()), (0, ExitStatus::Fault));
        // Its own scenario lists the run as before.
        assert_eq!(
            runs_of(&of_scenario(stage, &scenario).await),
            [(State::Pinned, run.clone())]
        );

        // `verify s3://…` holds the run's own entry against the evidence.
        let evidence = target(stage).evidence();
        let place = Place::Run(PlatformRunId::parse(&run).unwrap());
        let report = async || verify(&read(&evidence, &place).await.unwrap(), &[]);
        let intact = report().await;
        assert_eq!(
            (intact.standing, intact.findings.as_slice()),
            (Standing::Pinned, &[][..])
        );
        put(stage, &key, b"{}\n".to_vec()).await;
        let tampered = report().await;
        let found: Vec<_> = tampered
            .findings
            .iter()
            .map(|found| (found.subject.as_str(), found.detail.as_str()))
            .collect();
        let expected = [
            (key.as_str(), "has 2 versions: it was overwritten"),
            (
                key.as_str(),
                "is not the entry of the scenario index that the evidence gives",
            ),
        ];
        assert_eq!(
            (tampered.standing, found.as_slice()),
            (Standing::Tampered, &expected[..])
        );
    });
}

#[test]
fn a_run_without_a_verdict_is_told_by_its_holder() {
    on_stage(async |stage| {
        let ended = stage.run().await.expect_advance();
        let acquire = async |run: &str, sequence: u32, holder: &str| {
            let run = PlatformRunId::parse(run).unwrap();
            let holder = ExecutionArn::parse(holder).unwrap();
            let stamp = Stamp::parse("2026-11-22T12:17:01Z").unwrap();
            let record = LedgerRecord::acquired(&run, sequence, &holder, stamp);
            put(
                stage,
                &run.ledger_key(sequence),
                canonical::document_of(&record).unwrap(),
            )
            .await;
        };
        acquire("platform_20990101T000001Z", 1, &ended.arn).await;
        acquire("platform_20990101T000002Z", 1, &stage.execution_arn("nobody")).await;
        acquire("platform_20990101T000003Z", 2, &ended.arn).await;
        put(
            stage,
            "evidence/runs/platform_20990101T000004Z/m4/state.json",
            b"{}\n".to_vec(),
        )
        .await;
        let hostile = "evidence/runs/no\u{7}run/x";
        let hostile_version = put(stage, hostile, b"{}\n".to_vec()).await;
        let running = stage.begin("listed", &stage.operator_start().await).await;
        acquire("platform_20990101T000005Z", 1, &running).await;

        let since = Some("2099-01-01".to_owned());
        let listing = listed(stage, &RunsArgs { since, ..ALL }).await;
        take_away(stage, hostile, &hostile_version).await;
        let expected = [
            (State::Running, "platform_20990101T000005Z"),
            (State::NoLedger, "platform_20990101T000004Z"),
            (State::Unreadable, "platform_20990101T000003Z"),
            (State::Unknown, "platform_20990101T000002Z"),
            (State::Ended, "platform_20990101T000001Z"),
        ];
        assert_eq!(runs_of(&listing), expected.map(|(state, run)| (state, run.to_owned())));
        assert_eq!(listing.exit_status(), ExitStatus::Fault, "one cannot be read");
        let whys = listing.runs.iter().map(|run| run.why.clone().unwrap_or_default());
        let whys: Vec<String> = whys.collect();
        assert!(whys[2].contains("where record 1 of the ledger belongs"), "{whys:?}");
        assert!(whys[4].contains("SUCCEEDED"), "{whys:?}");
        stage.ended(&running).await;
    });
}
