//! CPU time until a function asks for its first event, beside that of a handler that does nothing; and sizes of the zips.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use p1_contract::step::Step;
use serde_json::json;
use zip::write::SimpleFileOptions;

use super::spread;
use crate::error::BenchError;
use crate::fleet::of_step;
use crate::host::Function;
use crate::report::{Goal, Row, Section};
use crate::setup::Setup;

/// Of what is deployed, in bytes.
const MOST_BYTES: f64 = 5.0 * 1024.0 * 1024.0;

pub(super) async fn measure(setup: &Setup<'_>) -> Result<Section, BenchError> {
    let binaries = setup.binaries().await?;
    let empty = setup.worker("empty-handler").await?;
    // Nothing is asked of anybody before the first event: at a plain endpoint a function makes no connection ahead.
    let variables = variables();
    let logs = setup.logs();
    let mut empty = Function::new("empty-handler", empty, &variables, &logs).await?;
    let mut functions = Vec::new();
    for step in Step::ALL {
        let (package, binary) = of_step(binaries, step)?;
        functions.push((step, Function::new(package, binary, &variables, &logs).await?));
    }

    let mut of_empty = Vec::new();
    let mut used: BTreeMap<Step, Vec<f64>> = BTreeMap::new();
    for round in 0..=setup.plan.spawns {
        setup.progress.note(&format!("round {round} of {}", setup.plan.spawns));
        // Round by round, each of them once. The first brings the binaries into memory, and does not count.
        let base = spawn(&mut empty).await?;
        for (step, function) in &mut functions {
            let millis = spawn(function).await?;
            if round > 0 {
                used.entry(*step).or_default().push(millis);
            }
        }
        if round > 0 {
            of_empty.push(base);
        }
    }

    let mut rows = vec![Row::new("empty handler", spread("the empty handler", &of_empty)?, "ms")];
    for (step, millis) in &used {
        let ratios: Vec<f64> = millis.iter().zip(&of_empty).map(|(ours, base)| ours / base).collect();
        let ratio = spread(step.id(), &ratios)?;
        rows.push(Row::new(format!("{step} ÷ empty handler"), ratio, "").with_goal(Goal::AtMost(2.0)));
    }
    if setup.release {
        let mut largest: f64 = 0.0;
        for step in Step::ALL {
            largest = largest.max(zipped(of_step(binaries, step)?.1)? as f64);
        }
        let name = "largest zip";
        let row = Row::counted(name, largest / 1024.0 / 1024.0, "MiB");
        rows.push(row.with_goal(Goal::AtMost(MOST_BYTES / 1024.0 / 1024.0)));
    }
    let used: BTreeMap<&str, &Vec<f64>> = used.iter().map(|(step, millis)| (step.id(), millis)).collect();
    Ok(Section::new(
        "init",
        "Init: CPU to the first event",
        rows,
        json!({"unit": "CPU milliseconds a spawn", "empty_handler": of_empty, "functions": used}),
    ))
}

/// CPU milliseconds until the process of a function waits for work.
async fn spawn(function: &mut Function) -> Result<f64, BenchError> {
    let used = function.start().await?;
    function.stop().await?;
    Ok(used.as_secs_f64() * 1e3)
}

fn variables() -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_REGION", "eu-west-2"),
        ("AWS_DEFAULT_REGION", "eu-west-2"),
        ("AWS_ACCESS_KEY_ID", "123456789012"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// How many bytes the zip of a binary has, packed as `cargo lambda build --output-format zip` does: deflate, usual level.
fn zipped(binary: &Path) -> Result<u64, BenchError> {
    let operation = || format!("pack {}", binary.display());
    let bytes = std::fs::read(binary).map_err(BenchError::io(operation()))?;
    let packed = || -> zip::result::ZipResult<u64> {
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        writer.start_file("bootstrap", options.unix_permissions(0o755))?;
        writer.write_all(&bytes)?;
        Ok(writer.finish()?.into_inner().len() as u64)
    };
    packed().map_err(|e| BenchError::failed(operation(), &e))
}
