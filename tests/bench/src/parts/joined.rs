//! What it brings to ask for several things at once: wall of each step while every answer of S3 comes late, beside its wall
//! with the requests let through one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use p1_contract::step::Step;
use serde_json::json;

use super::spread;
use crate::deployment::Size;
use crate::error::BenchError;
use crate::fleet::Fleet;
use crate::meter::Meter;
use crate::report::{Goal, Row, Section};
use crate::setup::Setup;
use crate::stats::Pairs;

/// The steps with four artifacts or more in the contract's section 7. The others have less to join.
const FOUR_ARTIFACTS: [Step; 3] = [Step::RunPublication, Step::CostEnvelope, Step::PhaseVerdict];

pub(super) async fn measure(setup: &Setup<'_>) -> Result<Section, BenchError> {
    let deployment = setup.deployment(Size::SAMPLE).await?;
    let meter = Meter::before(deployment.s3_endpoint()).await?;
    let variables = deployment.variables(&meter.endpoint());
    let fleet = Fleet::start(setup.binaries().await?, &variables, 1, &setup.logs()).await?;
    meter.delay(Duration::from_millis(setup.plan.delay_ms));
    let mut steps: BTreeMap<Step, Pairs> = BTreeMap::new();
    let mut whole = Pairs::default();
    for pair in 0..=setup.plan.pairs {
        setup.progress.note(&format!("pair {pair} of {}", setup.plan.pairs));
        let mut walls = [Vec::new(), Vec::new()];
        // Which of the two comes first changes from pair to pair.
        for side in [pair % 2, (pair + 1) % 2] {
            meter.one_by_one(side == 1);
            let run = fleet.run(&deployment, &deployment.begin()?, |_| {}).await?;
            walls[side] = run.steps.iter().map(|one| (one.step, one.wall.as_secs_f64())).collect();
        }
        let _ = meter.take();
        if pair == 0 {
            continue;
        }
        let [joined, single] = walls;
        let total = |side: &[(Step, f64)]| side.iter().map(|(_, wall)| wall).sum::<f64>();
        whole.push(total(&joined), total(&single));
        for ((step, together), (_, apart)) in joined.into_iter().zip(single) {
            steps.entry(step).or_default().push(together, apart);
        }
    }

    let mut rows = vec![Row::new("a run", ratio(&whole)?, "")];
    let seconds: Vec<f64> = whole.ours.clone();
    rows.push(Row::new("a run, joined", spread("a run", &seconds)?, "s"));
    for (step, pairs) in &steps {
        let row = Row::new(format!("{step}"), ratio(pairs)?, "");
        rows.push(match FOUR_ARTIFACTS.contains(step) {
            true => row.with_goal(Goal::AtMost(0.55)),
            false => row,
        });
    }
    let steps: BTreeMap<&str, &Pairs> = steps.iter().map(|(step, pairs)| (step.id(), pairs)).collect();
    Ok(Section::new(
        "joined",
        "Joined I/O: wall ÷ wall with the requests one by one",
        rows,
        json!({"delay_ms": setup.plan.delay_ms, "unit": "seconds", "run": whole, "steps": steps}),
    ))
}

fn ratio(pairs: &Pairs) -> Result<crate::stats::Spread, BenchError> {
    pairs
        .ratio()
        .ok_or_else(|| BenchError::wrong("measure joined requests", "there is no pair"))
}
