//! Time and memory of a run over the size of its registry: CPU of all function processes, warm, and the most memory that any
//! of them held.

use std::collections::BTreeMap;

use p1_contract::step::Step;
use serde_json::{Value, json};

use super::spread;
use crate::deployment::{Deployment, Size};
use crate::error::BenchError;
use crate::fleet::Fleet;
use crate::orchestrator;
use crate::report::{Goal, Row, Section};
use crate::seaweed::Seaweed;
use crate::setup::Setup;
use crate::stats::exponent;

/// Of growth that is linear, with room for what is noise.
const LINEAR: f64 = 1.1;

/// What one size took.
struct Measured {
    size: usize,
    /// CPU milliseconds of each run.
    cpu: Vec<f64>,
    /// The most memory of a process, in MiB.
    memory: f64,
}

pub(super) async fn measure(setup: &Setup<'_>) -> Result<Section, BenchError> {
    let store = Seaweed::start(setup).await?;
    let machine = orchestrator::serve(&setup.profile).await?;
    let of_sample = sample_handles();
    let mut rows = Vec::new();
    let mut details = BTreeMap::new();
    let handles: Vec<Size> = (setup.plan.handles.iter())
        .map(|handles| Size {
            more_handles: handles.saturating_sub(of_sample),
            outputs: 10,
        })
        .collect();
    let outputs: Vec<Size> = (setup.plan.outputs.iter())
        .map(|outputs| Size {
            more_handles: 500_usize.saturating_sub(of_sample),
            outputs: *outputs,
        })
        .collect();
    let series = [
        ("handles", &setup.plan.handles, handles),
        ("required outputs", &setup.plan.outputs, outputs),
    ];
    for (what, numbers, sizes) in series {
        let mut points = Vec::new();
        for (number, size) in numbers.iter().zip(sizes) {
            setup.progress.note(&format!("{number} {what}"));
            let deployment = Deployment::make(store.endpoint(), &machine.endpoint(), &setup.profile, size).await?;
            points.push(at(setup, &deployment, *number).await?);
        }
        rows.extend(rows_of(what, &points)?);
        details.insert(what, describe(&points));
    }
    Ok(Section::new(
        "growth",
        "Growth: a run over the size of its registry",
        rows,
        json!({"unit": "CPU milliseconds a run, all functions warm; MiB of the largest process", "series": details}),
    ))
}

async fn at(setup: &Setup<'_>, deployment: &Deployment, size: usize) -> Result<Measured, BenchError> {
    let variables = deployment.variables(deployment.s3_endpoint());
    let mut fleet = Fleet::start(setup.binaries().await?, &variables, 1, &setup.logs()).await?;
    let mut cpu = Vec::new();
    for run in 0..=setup.plan.runs_of_a_size {
        let before = fleet.cpu()?;
        fleet.run(deployment, &deployment.begin()?, |_: Step| {}).await?;
        // The first is the warm-up.
        if run > 0 {
            cpu.push(fleet.cpu()?.saturating_sub(before).as_secs_f64() * 1e3);
        }
    }
    let memory = fleet.peak_memory()? as f64 / 1024.0 / 1024.0;
    fleet.stop().await?;
    Ok(Measured { size, cpu, memory })
}

fn rows_of(what: &str, points: &[Measured]) -> Result<Vec<Row>, BenchError> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Ok(Vec::new());
    };
    let mut rows = Vec::new();
    for point in [first, last] {
        let cpu = spread("a run", &point.cpu)?;
        rows.push(Row::new(format!("CPU of a run at {} {what}", point.size), cpu, "ms"));
        rows.push(Row::counted(
            format!("memory at {} {what}", point.size),
            point.memory,
            "MiB",
        ));
    }
    let cpu = points
        .iter()
        .map(|point| Ok((point.size as f64, spread("a run", &point.cpu)?.median)))
        .collect::<Result<Vec<_>, BenchError>>()?;
    let memory: Vec<(f64, f64)> = points.iter().map(|point| (point.size as f64, point.memory)).collect();
    for (name, series) in [("CPU", &cpu), ("memory", &memory)] {
        // What is constant flattens the small sizes, so the steepest pair of neighbours is what is held against the goal.
        let steps: Vec<f64> = series.windows(2).filter_map(exponent).collect();
        let steepest = steps.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let whole = exponent(series).ok_or_else(|| BenchError::wrong("measure growth", "one size has no exponent"))?;
        rows.push(Row::counted(
            format!("exponent of {name} over {what}, all sizes"),
            whole,
            "",
        ));
        let row = Row::counted(format!("exponent of {name} over {what}, steepest step"), steepest, "");
        rows.push(row.with_goal(Goal::AtMost(LINEAR)));
    }
    Ok(rows)
}

fn describe(points: &[Measured]) -> Value {
    let points = points
        .iter()
        .map(|point| json!({"size": point.size, "cpu_ms": point.cpu, "memory_mib": point.memory}));
    points.collect()
}

/// How many handles the sample registry declares.
fn sample_handles() -> usize {
    // Names in double braces stand inside quoted values: the template parses as the registry does.
    p1_contract::registry::parse(p1_local::sample::REGISTRY.as_bytes()).map_or(0, |registry| registry.len())
}
