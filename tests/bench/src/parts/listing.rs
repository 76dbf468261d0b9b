//! `cargo p1 runs`: requests and time over the number of pinned runs in the bucket. By its scenario, a run must be found by the same
//! requests in a bucket of any size.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use futures_util::StreamExt;
use p1::args::RunsArgs;
use p1::commands::runs::{Listing, list};
use p1::drive::target::Target;
use p1_contract::artifacts::{CommitPosture, IndexedObject, PhaseSummary, Pinned, ScenarioIndexEntry};
use p1_contract::canonical;
use p1_contract::evidence::{Body, Document, Header, Triplet};
use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, Environment, ExecutionArn, PhaseExecutionId, PlatformRunId, S3Key, ScenarioRunId};
use p1_contract::ledger::LedgerRecord;
use p1_contract::reference::ObjectRef;
use p1_contract::step::Step;
use p1_contract::verdict::{PhaseVerdict, RollupVerdict};
use serde_json::json;

use super::spread;
use crate::deployment::{Deployment, Size};
use crate::error::BenchError;
use crate::report::{Goal, Row, Section};
use crate::seaweed::Seaweed;
use crate::setup::Setup;

/// Runs that are planted at once.
const AT_ONCE: usize = 16;
/// The requests by which one pinned run of a scenario is found: the list; its entry, its commit and its phase summary.
const FEWEST: f64 = 4.0;

/// How many requests were sent, each further try among them. SeaweedFS checks signatures, so that no proxy can stand before it.
#[derive(Debug, Clone, Default)]
struct Sent(Arc<AtomicUsize>);

impl Intercept for Sent {
    fn name(&self) -> &'static str {
        "count requests"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

pub(super) async fn measure(setup: &Setup<'_>) -> Result<Section, BenchError> {
    let store = Seaweed::start(setup).await?;
    // Nothing is asked of Step Functions: every run is pinned.
    let nobody = "http://127.0.0.1:9";
    let deployment = Deployment::make(store.endpoint(), nobody, &setup.profile, Size::SAMPLE).await?;
    let mut target = deployment.target(store.endpoint())?;
    let sent = Sent::default();
    let config = target.s3.config().to_builder().interceptor(sent.clone()).build();
    target.s3 = Client::from_conf(config);
    let (mut rows, mut details, mut there) = (Vec::new(), Vec::new(), 0);
    for size in setup.plan.listed_runs.iter().copied() {
        setup.progress.note(&format!("{size} pinned runs"));
        plant(&deployment, &target, there..size).await?;
        there = size;
        let asked = scenario(size / 2);
        let by_scenario = RunsArgs {
            scenario: Some(asked.to_string()),
            ..latest()
        };
        for (name, args, shown, fewest) in [
            ("runs --scenario", by_scenario, 1, Some(FEWEST)),
            ("runs", latest(), size.min(latest().limit), None),
        ] {
            let (mut took, mut requests) = (Vec::new(), Vec::new());
            // The first is the warm-up.
            for pair in 0..=setup.plan.pairs {
                sent.0.store(0, Ordering::Relaxed);
                let began = Instant::now();
                let listing = list(&args, &target).await.map_err(|e| BenchError::failed(name, &e))?;
                let elapsed = began.elapsed().as_secs_f64() * 1e3;
                expect(name, &listing, shown)?;
                if pair > 0 {
                    took.push(elapsed);
                    requests.push(sent.0.load(Ordering::Relaxed) as f64);
                }
            }
            let row = Row::new(
                format!("{name} at {size} pinned runs: requests to S3"),
                spread(name, &requests)?,
                "",
            );
            rows.push(match fewest {
                Some(fewest) => row.with_goal(Goal::AtMost(fewest)),
                None => row,
            });
            let wall = format!("{name} at {size} pinned runs: wall (information)");
            rows.push(Row::new(wall, spread(name, &took)?, "ms"));
            details.push(json!({"command": name, "runs": size, "requests": requests, "wall_ms": took}));
        }
    }
    Ok(Section::new(
        "runs",
        "Finding runs: a bucket with many pinned runs",
        rows,
        json!({"series": details}),
    ))
}

/// The latest runs, as the command lists them without options.
fn latest() -> RunsArgs {
    RunsArgs {
        scenario: None,
        digest: None,
        verdict: None,
        since: None,
        limit: 20,
        stack: None,
        json: false,
    }
}

/// A list that is wrong measures nothing.
fn expect(name: &str, listing: &Listing, shown: usize) -> Result<(), BenchError> {
    if (listing.runs.len(), listing.pinned) == (shown, shown) {
        return Ok(());
    }
    let found = format!(
        "{} runs, {} of them pinned: {:?}",
        listing.runs.len(),
        listing.pinned,
        listing.runs.first()
    );
    Err(BenchError::wrong(
        name,
        format!("{shown} pinned runs were expected, and it lists {found}"),
    ))
}

fn scenario(number: usize) -> ScenarioRunId {
    ScenarioRunId::from_digest(&Sha256Hex::of(format!("scenario {number}").as_bytes()))
}

async fn plant(deployment: &Deployment, target: &Target, numbers: std::ops::Range<usize>) -> Result<(), BenchError> {
    let runs = numbers.map(|number| async move {
        for (key, bytes) in objects(target, number)? {
            deployment.put_evidence(&key, bytes).await?;
        }
        Ok::<(), BenchError>(())
    });
    let mut runs = futures_util::stream::iter(runs).buffer_unordered(AT_ONCE);
    while let Some(planted) = runs.next().await {
        planted?;
    }
    Ok(())
}

/// What `runs` reads of a pinned run, each of a scenario of its own: ledger, phase summary, entry of the index.
fn objects(target: &Target, number: usize) -> Result<Vec<(String, Vec<u8>)>, BenchError> {
    let failed = |error: &(dyn std::error::Error + 'static)| BenchError::failed("plant a run", error);
    let (day, second) = (1 + number / 86_400, number % 86_400);
    let clock = format!("{:02}{:02}{:02}", second / 3_600, second / 60 % 60, second % 60);
    let run = PlatformRunId::parse(&format!("platform_202001{day:02}T{clock}Z")).map_err(|e| failed(&e))?;
    let stamp = run
        .stamp()
        .ok_or_else(|| BenchError::wrong("plant a run", "its id has no stamp"))?;
    let machine = target
        .state_machine
        .as_str()
        .replacen(":stateMachine:", ":execution:", 1);
    let execution = ExecutionArn::parse(&format!("{machine}:planted-{number}")).map_err(|e| failed(&e))?;
    let ids = Triplet {
        platform_run_id: run.clone(),
        scenario_run_id: scenario(number),
        config_digest: Sha256Hex::of(b"one configuration"),
    };
    let environment = Environment::default();
    let phase = PhaseExecutionId::derive(Step::PhaseVerdict, stamp, execution.as_str());
    let summary = Document {
        header: Header::new(
            PhaseSummary::NAME,
            Step::PhaseVerdict,
            phase.clone(),
            &ids.clone().into(),
        ),
        body: PhaseSummary {
            verdict: PhaseVerdict::AdvanceToM4,
            adjudication: Some(RollupVerdict::AdvanceToM3J),
            commit: CommitPosture::ToBeCommitted,
            execution_stamp_utc: stamp,
            closures: Vec::new(),
            not_reached: Vec::new(),
            unresolved_blockers: Vec::new(),
            completion_checklist: Vec::new(),
            next_action: None,
            overall_pass: true,
            next_gate: Some("M4_READY".to_owned()),
            m4_entry_ready: Some(true),
            blocker_count: Some(0),
            blockers: Some(Vec::new()),
        },
    };
    let summary_bytes = summary.render().map_err(|e| failed(&e))?;
    let summary_key = format!("{}{}.json", environment.phase_folder(&phase), PhaseSummary::NAME);
    let named = ObjectRef {
        bucket: BucketName::parse(target.evidence_bucket.as_str()).map_err(|e| failed(&e))?,
        key: S3Key::parse(&summary_key).map_err(|e| failed(&e))?,
        version_id: None,
        sha256: Sha256Hex::of(&summary_bytes),
        bytes: summary_bytes.len() as u64,
    };
    let acquired = LedgerRecord::acquired(&run, 1, &execution, stamp);
    let committed = LedgerRecord::committed(&run, 2, &execution, stamp, PhaseVerdict::AdvanceToM4, named.clone());
    let committed_bytes = canonical::document_of(&committed).map_err(|e| failed(&e))?;
    let commit = S3Key::parse(&run.ledger_key(2)).map_err(|e| failed(&e))?;
    let pinned = Pinned {
        execution,
        execution_stamp_utc: stamp,
        m3_execution_summary: IndexedObject::new(&named.key, &named.sha256),
        commit: IndexedObject::new(&commit, &Sha256Hex::of(&committed_bytes)),
        run_evidence: Vec::new(),
    };
    let entry =
        ScenarioIndexEntry::new(ids, pinned).ok_or_else(|| BenchError::wrong("plant a run", "its id has no stamp"))?;
    Ok(vec![
        (
            run.ledger_key(1),
            canonical::document_of(&acquired).map_err(|e| failed(&e))?,
        ),
        (commit.to_string(), committed_bytes),
        (summary_key, summary_bytes),
        (
            entry.key(&environment),
            canonical::document_of(&entry).map_err(|e| failed(&e))?,
        ),
    ])
}
