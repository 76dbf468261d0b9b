//! A bucket that others fill too: steps, a rerun's admission and `verify s3://…`, over the number of other runs in the bucket and of
//! foreign objects below the run's root. Each must stay flat or grow in proportion.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt;
use p1_contract::ids::Stamp;
use p1_contract::request::Mode;
use p1_contract::step::Step;
use serde_json::{Value, json};
use tokio::process::Command;

use super::spread;
use crate::cpu;
use crate::deployment::{Deployment, Execution, Size};
use crate::error::BenchError;
use crate::fleet::Fleet;
use crate::orchestrator;
use crate::report::{Goal, Row, Section};
use crate::seaweed::Seaweed;
use crate::setup::Setup;
use crate::stats::exponent;

/// Of growth that is linear, with room for what is noise.
const LINEAR: f64 = 1.1;
/// Objects that are put at once.
const AT_ONCE: usize = 32;
/// How often the memory of a program that ends by itself is read.
const GLANCE: Duration = Duration::from_millis(2);
/// What makes M3.H hold, and what mends it.
const BREACH: (&str, &str) = ("BUDGET_ALERT_2_USD = 175`", "BUDGET_ALERT_2_USD = 100`");

/// What is measured at each size.
const MEASURED: [&str; 5] = ["M3.B", "M3.G", "admission of a rerun", "M3.I", "verify s3://…"];

/// What one size took: for each of [`MEASURED`], the CPU milliseconds of each run.
struct Point {
    size: usize,
    cpu: BTreeMap<&'static str, Vec<f64>>,
    /// The most memory of a function's process and of `verify`, in MiB.
    memory: [f64; 2],
}

/// What the sizes of a series count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crowd {
    OtherRuns,
    ForeignObjects,
}

impl Crowd {
    fn name(self) -> &'static str {
        match self {
            Crowd::OtherRuns => "other runs",
            Crowd::ForeignObjects => "foreign objects",
        }
    }
}

pub(super) async fn measure(setup: &Setup<'_>) -> Result<Section, BenchError> {
    let store = Seaweed::start(setup).await?;
    let machine = orchestrator::serve(&setup.profile).await?;
    let verify = setup.worker("p1").await?;
    let mut rows = Vec::new();
    let mut details = BTreeMap::new();
    let series = [
        (Crowd::OtherRuns, &setup.plan.other_runs),
        (Crowd::ForeignObjects, &setup.plan.foreign_objects),
    ];
    for (crowd, sizes) in series {
        let deployment = Deployment::make(store.endpoint(), &machine.endpoint(), &setup.profile, Size::SAMPLE).await?;
        let variables = deployment.variables(deployment.s3_endpoint());
        let mut points = Vec::new();
        let mut there = 0;
        for size in sizes.iter().copied() {
            setup.progress.note(&format!("{size} {}", crowd.name()));
            if crowd == Crowd::OtherRuns {
                plant(&deployment, (there..size).flat_map(objects_of_a_run)).await?;
                there = size;
            }
            let mut fleet = Fleet::start(setup.binaries().await?, &variables, 1, &setup.logs()).await?;
            let bench = Bench {
                deployment: &deployment,
                fleet: &fleet,
                verify,
                variables: &variables,
                foreign: if crowd == Crowd::ForeignObjects { size } else { 0 },
            };
            let mut point = Point {
                size,
                cpu: BTreeMap::new(),
                memory: [0.0; 2],
            };
            // The first is the warm-up.
            for run in 0..=setup.plan.runs_of_a_size {
                bench.run(&mut point, run > 0).await?;
            }
            point.memory[0] = fleet.peak_memory()? as f64 / 1024.0 / 1024.0;
            fleet.stop().await?;
            points.push(point);
        }
        rows.extend(rows_of(crowd.name(), &points)?);
        details.insert(crowd.name(), describe(&points));
    }
    Ok(Section::new(
        "crowd",
        "Growth: a bucket with other runs, and a run with foreign objects",
        rows,
        json!({"unit": "CPU milliseconds, all functions warm; MiB", "series": details}),
    ))
}

/// What a run below another root leaves there. Its documents need not be right: nobody who looks at one run reads another's.
fn objects_of_a_run(number: usize) -> Vec<String> {
    let root = format!(
        "evidence/runs/platform_{:08}T{:06}Z/",
        20_200_101 + number / 86_400,
        number % 86_400
    );
    let names = [
        "run.json",
        "run_pin/run_header.json",
        "ledger/000001.json",
        "ledger/000002.json",
    ];
    names.iter().map(|name| format!("{root}{name}")).collect()
}

async fn plant(deployment: &Deployment, keys: impl Iterator<Item = String>) -> Result<(), BenchError> {
    let puts = keys.map(|key| async move { deployment.put_evidence(&key, b"{}\n".to_vec()).await });
    let mut puts = futures_util::stream::iter(puts).buffer_unordered(AT_ONCE);
    while let Some(put) = puts.next().await {
        put?;
    }
    Ok(())
}

struct Bench<'b> {
    deployment: &'b Deployment,
    fleet: &'b Fleet,
    verify: &'b PathBuf,
    variables: &'b [(String, String)],
    /// Foreign objects below the run's root.
    foreign: usize,
}

impl Bench<'_> {
    async fn plant_below(&self, run: &str) -> Result<(), BenchError> {
        let keys = (0..self.foreign).map(|number| format!("evidence/runs/{run}/m4/{number:05}.json"));
        plant(self.deployment, keys).await
    }

    /// Takes a run to a hold at M3.H and, by a rerun, to its advance; then verifies it where it lies.
    async fn run(&self, point: &mut Point, counts: bool) -> Result<(), BenchError> {
        // The later of the two start times is the rerun's.
        let (mut rerun, first) = (self.deployment.begin()?, self.deployment.begin()?);
        self.deployment.put_registry(Some(BREACH)).await?;
        let stamp = Stamp::from_rfc3339_floor(&first.start_time)
            .map_err(|error| BenchError::failed("read a start time", &error))?;
        // Somebody else is below the first id already: M3.B looks, and takes the next.
        self.plant_below(&format!("platform_{}", stamp.compact())).await?;
        let mut took = |what: &'static str, cpu: Duration| {
            if counts {
                point.cpu.entry(what).or_default().push(cpu.as_secs_f64() * 1e3);
            }
        };
        let mut closures = json!({});
        let mut last = Value::Null;
        let holding = Step::ALL.iter().copied().filter(|step| *step <= Step::CostEnvelope);
        for step in holding.chain([Step::GateRollup, Step::PhaseVerdict]) {
            let (result, cpu) = self.step(step, Mode::Step, &first, &closures).await?;
            closures[step.id()] = result["closure"].clone();
            match step {
                Step::RunIdentity => {
                    took("M3.B", cpu);
                    self.plant_below(text(&result, "/run/platform_run_id")?).await?;
                }
                Step::RerunDiscipline => took("M3.G", cpu),
                _ => {}
            }
            last = result;
        }
        rerun.input = self.rerun_input(&last).await?;
        self.deployment.put_registry(None).await?;
        let (admitted, cpu) = self
            .step(Step::RerunDiscipline, Mode::Admission, &rerun, &json!({}))
            .await?;
        took("admission of a rerun", cpu);
        let mut closures = admitted["closures"].clone();
        for step in [Step::CostEnvelope, Step::GateRollup, Step::PhaseVerdict] {
            let (result, cpu) = self.step(step, Mode::Step, &rerun, &closures).await?;
            closures[step.id()] = result["closure"].clone();
            if step == Step::GateRollup {
                took("M3.I", cpu);
            }
            last = result;
        }
        if last["verdict"] != "ADVANCE_TO_M4" {
            return Err(BenchError::wrong("resume a run", format!("it ended with {last}")));
        }
        let (cpu, memory) = self.verify(text(&last, "/run/platform_run_id")?).await?;
        took("verify s3://…", cpu);
        point.memory[1] = point.memory[1].max(memory);
        Ok(())
    }

    /// A step, and the CPU time of its function.
    async fn step(
        &self,
        step: Step,
        mode: Mode,
        execution: &Execution,
        closures: &Value,
    ) -> Result<(Value, Duration), BenchError> {
        let before = self.fleet.cpu_of(step)?;
        let result = self
            .fleet
            .step(self.deployment, execution, step, mode, closures)
            .await?;
        Ok((result, self.fleet.cpu_of(step)?.saturating_sub(before)))
    }

    /// The input with which the held run goes on, as its phase summary has it.
    async fn rerun_input(&self, held: &Value) -> Result<Value, BenchError> {
        let key = text(held, "/closure/key")?;
        let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        let bytes = self
            .deployment
            .get(&format!("{folder}/m3_execution_summary.json"))
            .await?;
        let summary: Value =
            serde_json::from_slice(&bytes).map_err(|error| BenchError::failed("read the phase summary", &error))?;
        let mut input = summary["next_action"]["rerun_input"].clone();
        if input["resume"]["held"].is_null() {
            return Err(BenchError::wrong(
                "hold a run at M3.H",
                format!("its summary offers {}", summary["next_action"]),
            ));
        }
        input["resume"]["reset"]["actor"] = json!("bench");
        input["resume"]["reset"]["at_utc"] = json!("2026-01-01T00:00:00Z");
        Ok(input)
    }

    /// `p1 verify` of the run in its bucket: CPU time, and the most memory in MiB.
    async fn verify(&self, run: &str) -> Result<(Duration, f64), BenchError> {
        let operation = || format!("verify {run}");
        let before = cpu::of_ended_children()?;
        let mut child = Command::new(self.verify)
            .arg("verify")
            .arg(format!("s3://{}/evidence/runs/{run}/", self.deployment.evidence_bucket))
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(BenchError::io(operation()))?;
        let pid = child.id().unwrap_or_default();
        let mut most = 0;
        while child.try_wait().map_err(BenchError::io(operation()))?.is_none() {
            // It may have ended in between; what was read before counts.
            most = cpu::peak_memory(pid).map_or(most, |bytes| bytes.max(most));
            tokio::time::sleep(GLANCE).await;
        }
        let output = child.wait_with_output().await.map_err(BenchError::io(operation()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            return Err(BenchError::wrong(operation(), said));
        }
        Ok((
            cpu::of_ended_children()?.saturating_sub(before),
            most as f64 / 1024.0 / 1024.0,
        ))
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> Result<&'v str, BenchError> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.ok_or_else(|| BenchError::wrong(format!("read {pointer}"), format!("it is missing in {value}")))
}

fn rows_of(what: &str, points: &[Point]) -> Result<Vec<Row>, BenchError> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Ok(Vec::new());
    };
    let median = |point: &Point, name: &str| {
        let none = Vec::new();
        Ok::<_, BenchError>(spread(name, point.cpu.get(name).unwrap_or(&none))?.median)
    };
    let mut rows = Vec::new();
    for name in MEASURED {
        for point in [first, last] {
            let cpu = spread(name, point.cpu.get(name).map_or(&[][..], Vec::as_slice))?;
            rows.push(Row::new(format!("{name} at {} {what}: CPU", point.size), cpu, "ms"));
        }
        let series = points
            .iter()
            .map(|point| Ok((point.size as f64, median(point, name)?)))
            .collect::<Result<Vec<_>, BenchError>>()?;
        rows.push(steepest(&format!("CPU of {name} over {what}"), &series));
    }
    for (place, name) in ["a function", "verify s3://…"].into_iter().enumerate() {
        let series: Vec<(f64, f64)> = points
            .iter()
            .map(|point| (point.size as f64, point.memory[place]))
            .collect();
        for point in [first, last] {
            let row = format!("{name} at {} {what}: memory", point.size);
            rows.push(Row::counted(row, point.memory[place], "MiB"));
        }
        rows.push(steepest(&format!("memory of {name} over {what}"), &series));
    }
    Ok(rows)
}

/// The steepest pair of neighbours: what is constant would flatten an exponent over all sizes.
fn steepest(name: &str, series: &[(f64, f64)]) -> Row {
    let steps = series.windows(2).filter_map(exponent);
    let steepest = steps.fold(f64::NEG_INFINITY, f64::max);
    Row::counted(format!("exponent of {name}, steepest step"), steepest, "").with_goal(Goal::AtMost(LINEAR))
}

fn describe(points: &[Point]) -> Value {
    let points = points
        .iter()
        .map(|point| json!({"size": point.size, "cpu_ms": point.cpu, "memory_mib": point.memory}));
    points.collect()
}
