//! Requests to S3 of one run, counted at a proxy, beside the fewest that it can do with; and how many of them in sequence.

use std::collections::BTreeMap;
use std::time::Duration;

use p1_contract::step::Step;
use serde_json::{Value, json};

use super::minimum::{self, Facts};
use crate::deployment::{Deployment, Size};
use crate::error::BenchError;
use crate::fleet::{Fleet, Run};
use crate::meter::{Exchange, Meter, rounds};
use crate::report::{Goal, Row, Section};
use crate::setup::Setup;

/// A run, and what each step asked of S3.
struct Metered {
    run: Run,
    exchanges: BTreeMap<Step, Vec<Exchange>>,
}

pub(super) async fn measure(setup: &Setup<'_>) -> Result<Section, BenchError> {
    let deployment = setup.deployment(Size::SAMPLE).await?;
    let meter = Meter::before(deployment.s3_endpoint()).await?;
    let variables = deployment.variables(&meter.endpoint());
    let fleet = Fleet::start(setup.binaries().await?, &variables, 1, &setup.logs()).await?;
    // Requests are counted as they are; rounds with an answer so late that what is asked at once overlaps for certain.
    setup.progress.note("a run to warm up, and a run to count");
    metered(&fleet, &deployment, &meter).await?;
    let counted = metered(&fleet, &deployment, &meter).await?;
    meter.delay(Duration::from_millis(setup.plan.delay_ms));
    setup.progress.note("a run with late answers");
    let late = metered(&fleet, &deployment, &meter).await?;

    let mut rows = Vec::new();
    let mut details = serde_json::Map::new();
    let (mut all, mut fewest, mut sequence, mut listed) = (0, 0, 0, 0);
    for step in Step::ALL {
        let exchanges = counted.exchanges.get(&step).map_or(&[][..], Vec::as_slice);
        let created = created(&deployment, &counted.run, step).await?;
        let facts = Facts {
            created: created + 1,
            stack_outputs: 1,
            manifests: deployment.size.outputs,
            ledger_records: 1,
            listed,
        };
        let least = minimum::requests(step, &facts);
        let in_sequence = late.exchanges.get(&step).map_or(0, |exchanges| rounds(exchanges));
        if Step::GATED.contains(&step) {
            listed += created;
        }
        let name = format!("{step}: requests ÷ the fewest ({} ÷ {least})", exchanges.len());
        rows.push(Row::counted(name, exchanges.len() as f64 / least as f64, ""));
        rows.push(Row::counted(
            format!("{step}: rounds in sequence"),
            in_sequence as f64,
            "",
        ));
        all += exchanges.len();
        fewest += least;
        sequence += in_sequence;
        let details_of_step = json!({
            "requests": exchanges.len(), "fewest": least, "created": facts.created, "rounds": in_sequence,
            "read_more_than_once": repeated(exchanges),
            "asked": exchanges.iter().map(asked).collect::<Vec<_>>(),
        });
        details.insert(step.id().to_owned(), details_of_step);
    }
    let name = format!("a run: requests ÷ the fewest ({all} ÷ {fewest})");
    rows.insert(
        0,
        Row::counted(name, all as f64 / fewest as f64, "").with_goal(Goal::AtMost(1.10)),
    );
    rows.insert(1, Row::counted("a run: rounds in sequence", sequence as f64, ""));
    Ok(Section::new(
        "requests",
        "Requests to S3 of one run",
        rows,
        Value::Object(details),
    ))
}

async fn metered(fleet: &Fleet, deployment: &Deployment, meter: &Meter) -> Result<Metered, BenchError> {
    let _ = meter.take();
    let mut exchanges = BTreeMap::new();
    let execution = deployment.begin()?;
    let run = fleet
        .run(deployment, &execution, |step| {
            exchanges.insert(step, meter.take());
        })
        .await?;
    Ok(Metered { run, exchanges })
}

/// How many objects the summary of a step lists.
async fn created(deployment: &Deployment, run: &Run, step: Step) -> Result<usize, BenchError> {
    let operation = || format!("read the closure of {step}");
    let closure = run.steps.iter().find(|one| one.step == step);
    let key = closure.and_then(|one| one.result["closure"]["key"].as_str());
    let key = key.ok_or_else(|| BenchError::wrong(operation(), "the result has none"))?;
    let summary: Value =
        serde_json::from_slice(&deployment.get(key).await?).map_err(|e| BenchError::failed(operation(), &e))?;
    let artifacts = summary["artifacts"].as_array().map(Vec::len);
    artifacts.ok_or_else(|| BenchError::wrong(operation(), "it lists no artifacts"))
}

/// A request in words, with the status of its answer.
fn asked(exchange: &Exchange) -> String {
    format!("{} {} {}", exchange.method, exchange.path, exchange.status)
}

/// The same question asked again within one step, and how often.
fn repeated(exchanges: &[Exchange]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in exchanges {
        *counts.entry(format!("{} {}", one.method, one.path)).or_insert(0) += 1;
    }
    counts.retain(|_, count| *count > 1);
    counts
}
