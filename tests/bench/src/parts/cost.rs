//! CPU of a pinned run, all function processes together, beside that of the AWS CLI calls that it replaces: the same
//! documents, the same endpoint.

use std::path::{Path, PathBuf};
use std::time::Instant;

use p1_contract::step::Step;
use serde_json::{Value, json};
use tokio::process::Command;

use super::spread;
use crate::cpu;
use crate::deployment::{Deployment, Size};
use crate::error::BenchError;
use crate::fleet::{Fleet, Run};
use crate::meter::Meter;
use crate::report::{Goal, Row, Section};
use crate::setup::Setup;
use crate::stats::Pairs;

/// What the procedure is known to be: 13 probes, 44 uploads, 3 read-backs.
const CALLS: usize = 60;
const UPLOADS: usize = 44;

/// What a run or the procedure took.
#[derive(Debug, Clone, Copy)]
struct Taken {
    cpu: f64,
    wall: f64,
}

pub(super) async fn measure(setup: &Setup<'_>) -> Result<Section, BenchError> {
    let deployment = setup.deployment(Size::SAMPLE).await?;
    // Both sides go through the proxy, which counts the procedure's requests.
    let meter = Meter::before(deployment.s3_endpoint()).await?;
    let endpoint = meter.endpoint();
    let variables = deployment.variables(&endpoint);
    let binaries = setup.binaries().await?;
    let logs = setup.logs();
    let warm = Fleet::start(binaries, &variables, 1, &logs).await?;
    setup.progress.note("a run, whose documents are uploaded by hand");
    let reference = warm.run(&deployment, &deployment.begin()?, |_| {}).await?;
    let procedure = Procedure::of(setup, &deployment, &reference).await?;
    let by_hand = async |pair: usize| {
        let _ = meter.take();
        let taken = procedure.run(&deployment, &format!("pair-{pair}"), &endpoint).await?;
        Ok::<_, BenchError>((taken, meter.count()))
    };

    let mut cold_fleet = Fleet::start(binaries, &variables, 0, &logs).await?;
    let (mut cold, mut hot, mut wall) = (Pairs::default(), Pairs::default(), Pairs::default());
    let mut requests = 0;
    let first = usize::from(!setup.plan.warm_up_by_hand);
    for pair in first..=setup.plan.pairs_by_hand {
        setup.progress.note(&format!(
            "pair {pair} of {}, {CALLS} calls of the AWS CLI among it",
            setup.plan.pairs_by_hand
        ));
        let (ours, warmed, theirs);
        // Which side comes first changes from pair to pair.
        if pair % 2 == 0 {
            ours = cold_run(&mut cold_fleet, &deployment).await?;
            warmed = warm_run(&warm, &deployment).await?;
            (theirs, requests) = by_hand(pair).await?;
        } else {
            (theirs, requests) = by_hand(pair).await?;
            warmed = warm_run(&warm, &deployment).await?;
            ours = cold_run(&mut cold_fleet, &deployment).await?;
        }
        if pair > 0 {
            cold.push(ours.cpu, theirs.cpu);
            hot.push(warmed.cpu, theirs.cpu);
            wall.push(ours.wall, theirs.wall);
        }
    }

    let ratio = |pairs: &Pairs| {
        pairs
            .ratio()
            .ok_or_else(|| BenchError::wrong("measure cost", "there is no pair"))
    };
    let millis = |seconds: &[f64]| seconds.iter().map(|seconds| seconds * 1e3).collect::<Vec<f64>>();
    let rows = vec![
        Row::new("CPU of a run, every function cold ÷ by hand", ratio(&cold)?, "").with_goal(Goal::AtMost(0.01)),
        Row::new("CPU of a run, every function warm ÷ by hand", ratio(&hot)?, "").with_goal(Goal::AtMost(0.01)),
        Row::new("CPU of a run, cold", spread("a run", &millis(&cold.ours))?, "ms"),
        Row::new("CPU of a run, warm", spread("a run", &millis(&hot.ours))?, "ms"),
        Row::new("CPU by hand", spread("the procedure", &cold.theirs)?, "s"),
        Row::counted("CLI calls by hand", CALLS as f64, ""),
        Row::counted("AWS requests by hand", requests as f64, ""),
        Row::new("wall of a run, cold ÷ by hand (information)", ratio(&wall)?, ""),
        Row::new("wall of a run, cold (information)", spread("a run", &wall.ours)?, "s"),
        Row::new(
            "wall by hand (information)",
            spread("the procedure", &wall.theirs)?,
            "s",
        ),
    ];
    let details = json!({
        "unit": "CPU seconds, wall seconds", "cpu_cold": cold, "cpu_warm": hot, "wall": wall,
        "calls": CALLS, "requests": requests,
    });
    Ok(Section::new(
        "cost",
        "Cost: CPU of a pinned run beside the AWS CLI",
        rows,
        details,
    ))
}

/// A run whose functions all start for it: their init is part of what it takes.
async fn cold_run(fleet: &mut Fleet, deployment: &Deployment) -> Result<Taken, BenchError> {
    let begun = Instant::now();
    fleet.add().await?;
    fleet.run(deployment, &deployment.begin()?, |_| {}).await?;
    let taken = Taken {
        wall: begun.elapsed().as_secs_f64(),
        cpu: fleet.cpu()?.as_secs_f64(),
    };
    fleet.stop().await?;
    Ok(taken)
}

/// A run whose functions have run before.
async fn warm_run(fleet: &Fleet, deployment: &Deployment) -> Result<Taken, BenchError> {
    let before = fleet.cpu()?;
    let run = fleet.run(deployment, &deployment.begin()?, |_| {}).await?;
    Ok(Taken {
        wall: run.wall.as_secs_f64(),
        cpu: fleet.cpu()?.saturating_sub(before).as_secs_f64(),
    })
}

/// `tests/bench/by_hand.sh`, with the documents of a run.
struct Procedure {
    script: PathBuf,
    programs: PathBuf,
    files: PathBuf,
    at_once: usize,
    /// Step, key, file.
    uploads: Vec<(String, String, String)>,
    variables: Vec<(&'static str, String)>,
}

impl Procedure {
    /// Fetches the documents of a run: everything that it created but what only a machine keeps, which are observations,
    /// ledger records, the event's claim and M3.J's own summary.
    async fn of(setup: &Setup<'_>, deployment: &Deployment, run: &Run) -> Result<Self, BenchError> {
        let files = setup.directory.join("by_hand");
        std::fs::create_dir_all(&files).map_err(BenchError::io(format!("create {}", files.display())))?;
        let mut uploads = Vec::new();
        for one in &run.steps {
            let key = one.result["closure"]["key"].as_str().unwrap_or_default().to_owned();
            let summary = deployment.get(&key).await?;
            let listed: Value = serde_json::from_slice(&summary).unwrap_or_default();
            let artifacts = listed["artifacts"].as_array().into_iter().flatten();
            let mut keys: Vec<String> = artifacts
                .filter_map(|artifact| artifact["key"].as_str().map(str::to_owned))
                .filter(|key| !is_of_the_machine(key))
                .collect();
            if one.step != Step::PhaseVerdict {
                keys.push(key);
            }
            for key in keys {
                let file = format!("document-{:02}", uploads.len());
                let path = files.join(&file);
                std::fs::write(&path, deployment.get(&key).await?)
                    .map_err(BenchError::io(format!("write {}", path.display())))?;
                uploads.push((one.step.id().to_owned(), key, file));
            }
        }
        if uploads.len() != UPLOADS {
            let problem = format!("a run has {} documents for it, not {UPLOADS}", uploads.len());
            return Err(BenchError::wrong("prepare the procedure by hand", problem));
        }
        let (billing_bucket, billing_key) = deployment.billing();
        let variables = vec![
            ("BUCKET", deployment.evidence_bucket.clone()),
            ("RUN", run.platform_run_id.clone()),
            ("MACHINE", deployment.state_machine_arn()),
            ("ROLE", deployment.role_name().to_owned()),
            ("BILLING_BUCKET", billing_bucket),
            ("BILLING_KEY", billing_key),
        ];
        Ok(Procedure {
            script: setup.checkout.root().join("tests/bench/by_hand.sh"),
            programs: setup.programs().await?.clone(),
            files,
            at_once: setup.plan.uploads_at_once,
            uploads,
            variables,
        })
    }

    /// Runs it once, below a prefix of its own, since nothing is written twice.
    async fn run(&self, deployment: &Deployment, place: &str, endpoint: &str) -> Result<Taken, BenchError> {
        let operation = "run tests/bench/by_hand.sh";
        let below = |key: &str| format!("by_hand/{place}/{key}");
        let mut list = String::new();
        for (step, key, file) in &self.uploads {
            list.push_str(&format!("{step}\t{}\t{file}\n", below(key)));
        }
        write(&self.files.join("uploads.tsv"), list.as_bytes())?;
        let mut named = Vec::new();
        for (variable, name, ending) in [
            ("RUN_JSON", "run_json", "/run.json"),
            ("RUN_HEADER", "run_header", "run_header.json"),
            ("HANDOFF_PACK", "handoff_pack", "m4_handoff_pack.json"),
            ("SNAPSHOT", "snapshot", "m3d_orchestrator_entry_readiness_snapshot.json"),
        ] {
            let found = self.uploads.iter().find(|(_, key, _)| key.ends_with(ending));
            let (_, key, file) =
                found.ok_or_else(|| BenchError::wrong(operation, format!("no document ends with {ending}")))?;
            let bytes = std::fs::read(self.files.join(file)).map_err(BenchError::io(operation))?;
            write(&self.files.join(name), &bytes)?;
            named.push((variable, below(key)));
        }
        let run = self
            .variables
            .iter()
            .find(|(name, _)| *name == "RUN")
            .map_or("", |(_, run)| run);
        named.push(("RUN_ROOT", below(&format!("evidence/runs/{run}/"))));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut paths = vec![self.programs.clone()];
        paths.extend(std::env::split_paths(&path));
        let paths = std::env::join_paths(paths).map_err(|e| BenchError::failed(operation, &e))?;

        let before = cpu::of_ended_children()?;
        let begun = Instant::now();
        let mut command = Command::new("sh");
        command
            .arg(&self.script)
            .arg(&self.files)
            .env_clear()
            .envs(deployment.variables(endpoint))
            // The whole of it goes to one endpoint.
            .env_remove("AWS_ENDPOINT_URL_SFN")
            .envs(self.variables.iter().map(|(name, value)| (*name, value)))
            .envs(named)
            .env("PATH", paths)
            .env("HOME", &self.files)
            .env("AWS_PAGER", "")
            .env("AT_ONCE", self.at_once.to_string())
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = command.output().await.map_err(BenchError::io(operation))?;
        let taken = Taken {
            wall: begun.elapsed().as_secs_f64(),
            cpu: cpu::of_ended_children()?.saturating_sub(before).as_secs_f64(),
        };
        let calls = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() || calls != CALLS.to_string() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(BenchError::wrong(
                operation,
                format!("{calls} calls, {}: {said}", output.status),
            ));
        }
        Ok(taken)
    }
}

fn is_of_the_machine(key: &str) -> bool {
    key.ends_with("_observations.json") || key.contains("/ledger/") || key.contains("/_events/")
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BenchError> {
    std::fs::write(path, bytes).map_err(BenchError::io(format!("write {}", path.display())))
}
