//! Many runs at once: on the local platform through its state machine, and on the functions alone against SeaweedFS, where the
//! local engine is not what is measured.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sfn::types::ExecutionStatus;
use futures_util::future::join_all;
use p1_contract::ids::S3Uri;
use p1_contract::step::Step;
use p1_local::Platform;
use p1_local::sample::{self, Names};
use serde_json::{Value, json};

use crate::deployment::{Deployment, Size};
use crate::error::BenchError;
use crate::fleet::Fleet;
use crate::orchestrator;
use crate::report::{Goal, Row, Section};
use crate::seaweed::Seaweed;
use crate::setup::Setup;
use crate::stats::{Spread, percentile};

/// A second has 21 run ids: starts of the state machine keep below that.
const BETWEEN_STARTS: Duration = Duration::from_millis(60);
/// How long an execution may take before it is given up: a guard against a hang.
const PATIENCE: Duration = Duration::from_secs(600);

/// What became of some runs at once.
struct Batch {
    wall: f64,
    /// Seconds of each run that advanced.
    seconds: Vec<f64>,
    runs: BTreeSet<String>,
    /// Of those that did not advance, in words.
    failures: Vec<String>,
}

/// What became of all runs in one place.
#[derive(Default)]
struct Total {
    begun: usize,
    failures: usize,
    runs: BTreeSet<String>,
}

pub(super) async fn measure(setup: &Setup<'_>) -> Result<Section, BenchError> {
    let mut rows = Vec::new();
    let mut details = Vec::new();
    let platform = setup.platform().await?;
    let input = seed(platform).await?;
    let most = setup.plan.at_once.iter().copied().max().unwrap_or(1);
    // A function of the engine starts when it is first needed: what is measured are warm ones, as far as eight at once warm them.
    let _ = on_the_platform(platform, &input, most.min(8)).await?;
    let mut total = Total::default();
    for &count in &setup.plan.at_once {
        setup.progress.note(&format!("{count} at once on the local platform"));
        let batch = on_the_platform(platform, &input, count).await?;
        rows.extend(total.count("local platform", count, &batch)?);
        details.push(batch.describe("local platform", count));
    }
    rows.extend(total.rows("local platform"));
    let store = Seaweed::start(setup).await?;
    let machine = orchestrator::serve(&setup.profile).await?;
    let deployment = Deployment::make(store.endpoint(), &machine.endpoint(), &setup.profile, Size::SAMPLE).await?;
    let variables = deployment.variables(deployment.s3_endpoint());
    let processes = setup.plan.processes.min(most);
    let fleet = Fleet::start(setup.binaries().await?, &variables, processes, &setup.logs()).await?;
    let _ = on_the_functions(&fleet, &deployment, processes).await?;
    let mut total = Total::default();
    for &count in &setup.plan.at_once {
        setup.progress.note(&format!("{count} at once on the functions alone"));
        let before = fleet.cpu()?;
        let batch = on_the_functions(&fleet, &deployment, count).await?;
        let cpu = fleet.cpu()?.saturating_sub(before).as_secs_f64() * 1e3 / count as f64;
        rows.extend(total.count("functions on SeaweedFS", count, &batch)?);
        let name = format!("functions on SeaweedFS, {count} at once: CPU of a run");
        rows.push(Row::counted(name, cpu, "ms"));
        details.push(batch.describe("functions on SeaweedFS", count));
    }
    rows.extend(total.rows("functions on SeaweedFS"));
    Ok(Section::new(
        "scale",
        "Scale: runs at once",
        rows,
        json!({"processes_of_each_function": processes, "batches": details}),
    ))
}

impl Total {
    /// Counts a batch, and gives its rows: throughput, and how long a run took.
    fn count(&mut self, place: &str, count: usize, batch: &Batch) -> Result<Vec<Row>, BenchError> {
        self.begun += count;
        self.failures += batch.failures.len();
        self.runs.extend(batch.runs.iter().cloned());
        let share = |share: f64| {
            percentile(&batch.seconds, share).ok_or_else(|| {
                let operation = format!("measure {count} at once on the {place}");
                BenchError::wrong(operation, batch.failures.join("; "))
            })
        };
        let spread = Spread {
            median: share(0.5)?,
            low: share(0.0)?,
            high: share(1.0)?,
            count: batch.seconds.len(),
        };
        let name = |what: &str| format!("{place}, {count} at once: {what}");
        let throughput = batch.seconds.len() as f64 / batch.wall;
        Ok(vec![
            Row::counted(name("runs a second"), throughput, ""),
            Row::new(name("a run, p50"), spread, "s"),
            Row::counted(name("a run, p95"), share(0.95)?, "s"),
        ])
    }

    fn rows(&self, place: &str) -> [Row; 2] {
        let name = |what: &str| format!("{place}, all {} runs: {what}", self.begun);
        let failures = Row::counted(name("failures"), self.failures as f64, "");
        let distinct = Row::counted(name("distinct run ids"), self.runs.len() as f64, "");
        [
            failures.with_goal(Goal::AtMost(0.0)),
            distinct.with_goal(Goal::AtLeast(self.begun as f64)),
        ]
    }
}

/// Runs that all begin together, through the functions alone.
async fn on_the_functions(fleet: &Fleet, deployment: &Deployment, count: usize) -> Result<Batch, BenchError> {
    let executions = (0..count)
        .map(|_| deployment.begin())
        .collect::<Result<Vec<_>, BenchError>>()?;
    let begun = Instant::now();
    let runs = executions
        .iter()
        .map(|execution| fleet.run(deployment, execution, |_: Step| {}));
    let ended = join_all(runs).await;
    let mut batch = Batch::of(begun.elapsed());
    for run in ended {
        batch.add(
            run.map(|run| (run.platform_run_id, run.wall.as_secs_f64()))
                .map_err(|error| error.to_string()),
        );
    }
    Ok(batch)
}

impl Batch {
    fn describe(&self, place: &str, count: usize) -> Value {
        json!({
            "place": place, "at_once": count, "wall": self.wall, "seconds": self.seconds,
            "distinct_run_ids": self.runs.len(), "failures": self.failures,
        })
    }

    fn of(wall: Duration) -> Self {
        Batch {
            wall: wall.as_secs_f64(),
            seconds: Vec::new(),
            runs: BTreeSet::new(),
            failures: Vec::new(),
        }
    }

    fn add(&mut self, run: Result<(String, f64), String>) {
        match run {
            Ok((id, seconds)) => {
                self.runs.insert(id);
                self.seconds.push(seconds);
            }
            Err(why) => self.failures.push(why),
        }
    }
}

/// Puts the sample platform's inputs where the deployed functions look, and gives an operator's start.
async fn seed(platform: &Platform) -> Result<Value, BenchError> {
    let profile = platform.profile();
    let names = Names {
        environment: profile.environment.clone(),
        account: profile.account.clone(),
        region: profile.region.clone(),
        evidence_bucket: platform.evidence_bucket().to_owned(),
        object_store_bucket: platform.object_store_bucket().to_owned(),
        artifacts_bucket: platform.artifacts_bucket().to_owned(),
        state_machine: profile.state_machine_name.clone(),
        state_machine_role: profile.state_machine_role_name.clone(),
    };
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let outputs = json!({"p1_handle_materialization": {
        "sensitive": false, "value": {"S3_EVIDENCE_BUCKET": names.evidence_bucket}
    }});
    let mut inputs = vec![
        (platform.registry_uri().to_owned(), sample::registry(&names)),
        (platform.billing_artifact_uri().to_owned(), sample::billing(today)),
    ];
    for uri in platform.stack_outputs_uris() {
        inputs.push((uri.clone(), outputs.to_string().into_bytes()));
    }
    let store = &names.object_store_bucket;
    inputs.extend(Deployment::sample_manifests().map(|(key, bytes)| (format!("s3://{store}/{key}"), bytes)));
    let receipt = Deployment::receipt();
    inputs.push((format!("s3://{}/{}", names.evidence_bucket, receipt.0), receipt.1));
    let config = aws_sdk_s3::config::Builder::from(&platform.sdk_config()).force_path_style(true);
    let s3 = aws_sdk_s3::Client::from_conf(config.build());
    for (uri, bytes) in inputs {
        let operation = || format!("put {uri}");
        let place: S3Uri = uri.parse().map_err(|e| BenchError::failed(operation(), &e))?;
        let request = s3.put_object().bucket(place.bucket.as_str()).key(place.key.as_str());
        let sent = request.body(ByteStream::from(bytes)).send().await;
        sent.map_err(|e| BenchError::failed(operation(), &e))?;
    }
    Ok(json!({"m2_handoff": {"key": receipt.0}}))
}

/// Runs that all are under way together, through the state machine.
async fn on_the_platform(platform: &Platform, input: &Value, count: usize) -> Result<Batch, BenchError> {
    let sfn = aws_sdk_sfn::Client::new(&platform.sdk_config());
    let input: Arc<str> = input.to_string().into();
    let begun = Instant::now();
    let runs = (0..count).map(|number| {
        let (sfn, input) = (sfn.clone(), Arc::clone(&input));
        async move {
            tokio::time::sleep(BETWEEN_STARTS * u32::try_from(number).unwrap_or(u32::MAX)).await;
            let start = sfn.start_execution().state_machine_arn(platform.state_machine_arn());
            let started = start
                .input(input.as_ref())
                .send()
                .await
                .map_err(|e| p1_contract::cause::chain(&e))?;
            ended(&sfn, started.execution_arn()).await
        }
    });
    let runs = join_all(runs).await;
    let mut batch = Batch::of(begun.elapsed());
    for run in runs {
        batch.add(run);
    }
    Ok(batch)
}

/// The run id and seconds of an execution that advanced; in words how another one ended.
async fn ended(sfn: &aws_sdk_sfn::Client, arn: &str) -> Result<(String, f64), String> {
    let begun = Instant::now();
    loop {
        let answer = sfn.describe_execution().execution_arn(arn).send().await;
        let answer = answer.map_err(|e| p1_contract::cause::chain(&e))?;
        if *answer.status() != ExecutionStatus::Running {
            let output: Value = serde_json::from_str(answer.output().unwrap_or_default()).unwrap_or_default();
            let took = begun.elapsed().as_secs_f64();
            return match (output["verdict"].as_str(), output["platform_run_id"].as_str()) {
                (Some("ADVANCE_TO_M4"), Some(run)) => Ok((run.to_owned(), took)),
                _ => Err(format!(
                    "{arn}: {} {}",
                    answer.status(),
                    answer.cause().unwrap_or_default()
                )),
            };
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("{arn} does not end"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
