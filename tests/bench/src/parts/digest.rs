//! Canonical bytes with SHA-256, on CPU time: bytes a second beside openssl's SHA-256 alone, and beside Python's
//! `json.dumps` with hashlib.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use super::spread;
use crate::error::BenchError;
use crate::report::{Goal, Row, Section};
use crate::setup::Setup;
use crate::stats::Pairs;

/// What a worker says, ours or Python's.
#[derive(Debug, Deserialize)]
struct Digested {
    sha256: String,
    iterations: f64,
    built: f64,
    parsed: f64,
    #[serde(default)]
    bytes: f64,
    #[serde(default)]
    hash: f64,
}

pub(super) async fn measure(setup: &Setup<'_>) -> Result<Section, BenchError> {
    let worker = setup.worker("digest-worker").await?;
    let python = setup.programs().await?.join("python");
    let script = setup.checkout.root().join("tests/bench/python_digest.py");
    let (mut rows, mut details) = (Vec::new(), Vec::new());
    for &(size, iterations) in &setup.plan.documents {
        let file = setup.directory.join(format!("document-{size}.json"));
        std::fs::write(&file, document(size).to_string())
            .map_err(BenchError::io(format!("write {}", file.display())))?;
        let label = label(size);
        setup.progress.note(&format!("documents of {label}"));
        let (mut openssl, mut theirs, mut parsed) = (Pairs::default(), Pairs::default(), Pairs::default());
        let (mut hash, mut bytes) = (Vec::new(), 0.0);
        for pair in 0..=setup.plan.pairs {
            let ours = digested(worker, None, &file, iterations).await?;
            let reference = openssl_bytes_per_second(ours.bytes).await?;
            let other = digested(&python, Some(&script), &file, iterations).await?;
            if ours.sha256 != other.sha256 {
                let detail = format!("ours is {}, Python's {}", ours.sha256, other.sha256);
                return Err(BenchError::wrong(format!("digest a document of {label}"), detail));
            }
            if pair == 0 {
                continue;
            }
            bytes = ours.bytes;
            let per_second = |nanos: f64| ours.bytes * ours.iterations / nanos * 1e9;
            openssl.push(per_second(ours.built), reference);
            theirs.push(per_second(ours.built), per_second(other.built));
            parsed.push(per_second(ours.parsed), per_second(other.parsed));
            hash.push(per_second(ours.hash) / reference);
        }
        let ratio = |name: String, pairs: &Pairs| {
            let ratio = pairs
                .ratio()
                .ok_or_else(|| BenchError::wrong("digest", "there is no pair"))?;
            Ok::<_, BenchError>(Row::new(name, ratio, ""))
        };
        let mut beside_openssl = ratio(format!("{label}, built value ÷ openssl's SHA-256"), &openssl)?;
        if size == 100 << 10 {
            beside_openssl = beside_openssl.with_goal(Goal::AtLeast(0.3));
        }
        rows.push(beside_openssl);
        rows.push(ratio(format!("{label}, built value ÷ Python"), &theirs)?.with_goal(Goal::AtLeast(5.0)));
        rows.push(ratio(format!("{label}, parsed text ÷ Python"), &parsed)?);
        rows.push(Row::new(
            format!("{label}, our SHA-256 alone ÷ openssl's"),
            spread("the hash", &hash)?,
            "",
        ));
        details.push(json!({
            "document": label, "canonical_bytes": bytes, "unit": "bytes a CPU second",
            "ours_built": openssl.ours, "openssl": openssl.theirs, "python_built": theirs.theirs,
            "ours_parsed": parsed.ours, "python_parsed": parsed.theirs,
        }));
    }
    Ok(Section::new(
        "digest",
        "Digest: canonical bytes with SHA-256, bytes a CPU second",
        rows,
        Value::Array(details),
    ))
}

fn label(size: usize) -> String {
    match size {
        size if size >= 1 << 20 => format!("{} MB", size >> 20),
        size => format!("{} KB", size >> 10),
    }
}

async fn digested(program: &Path, script: Option<&Path>, file: &Path, count: u32) -> Result<Digested, BenchError> {
    let mut command = Command::new(program);
    command.args(script).arg(file).arg(count.to_string());
    let text = output(command).await?;
    serde_json::from_str(&text).map_err(|e| BenchError::failed(format!("read what {} says", program.display()), &e))
}

/// What openssl hashes in a CPU second, in blocks of this size.
async fn openssl_bytes_per_second(block: f64) -> Result<f64, BenchError> {
    let mut command = Command::new("openssl");
    let block = format!("{block:.0}");
    command.args(["speed", "-mr", "-seconds", "1", "-bytes", &block, "sha256"]);
    let text = output(command).await?;
    // The result's line: `+F:<number>:sha256:<bytes a second>`.
    let result = text.lines().find(|line| line.starts_with("+F:"));
    result
        .and_then(|line| line.rsplit(':').next()?.parse().ok())
        .ok_or_else(|| BenchError::wrong("read what openssl speed says", text))
}

async fn output(mut command: Command) -> Result<String, BenchError> {
    let operation = format!("run {}", command.as_std().get_program().to_string_lossy());
    let output = command
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|e| BenchError::failed(&operation, &e))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(BenchError::wrong(operation, String::from_utf8_lossy(&output.stderr)))
}

/// A document of about this many bytes that looks like evidence: references to objects, texts, small numbers, here and there
/// a letter that is not ASCII.
fn document(size: usize) -> Value {
    let entry = |number: usize| {
        let digest = format!(
            "{:064x}",
            (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        );
        json!({
            "name": "m3b_run_identity_seed",
            "bucket": "fraud-platform-dev-full-evidence",
            "key": format!("evidence/dev_full/run_control/m3b_20261122T132227Z_{}/m3b_run_identity_seed.json", &digest[..12]),
            "version_id": &digest[..32],
            "sha256": digest,
            "bytes": number % 5_000,
            "present": !number.is_multiple_of(7),
            "detail": if number.is_multiple_of(16) { "the key already holds other bytes — « é »" } else { "unchanged" },
        })
    };
    let one = entry(1).to_string().len() + 1;
    let entries: Vec<Value> = (0..(size / one).max(1)).map(entry).collect();
    json!({"artifact": "bench_document", "entries": entries, "schema_version": 1})
}
