//! Canonical bytes and SHA-256 of one JSON document, over and over, on this process's CPU time.
//!
//! `digest-worker FILE ITERATIONS` prints one JSON object: `bytes` (canonical), `sha256`, `iterations`, and nanoseconds of CPU
//! for `built` (from a built value to its digest), `parsed` (from the file's text to its digest), and `hash` (the canonical
//! bytes' digest alone).

use std::hint::black_box;
use std::process::ExitCode;

use p1_contract::canonical::to_canonical;
use p1_contract::hash::Sha256Hex;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

fn main() -> ExitCode {
    match measure() {
        Ok(result) => {
            // A reader that is gone does not want it.
            let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{result}\n"));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("error: {problem}\n"));
            ExitCode::from(2)
        }
    }
}

fn measure() -> Result<Value, String> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(iterations)) = (arguments.next(), arguments.next()) else {
        return Err("usage: digest-worker FILE ITERATIONS".to_owned());
    };
    let iterations: u32 = iterations.parse().map_err(|e| format!("{iterations}: {e}"))?;
    let text = std::fs::read(&file).map_err(|e| format!("read {file}: {e}"))?;
    let value: Value = serde_json::from_slice(&text).map_err(|e| format!("parse {file}: {e}"))?;
    let canonical = |value: &Value| to_canonical(value).map_err(|e| format!("{file}: {e}"));
    let bytes = canonical(&value)?;
    let sha256 = Sha256Hex::of(&bytes);

    let built = timed(iterations, || Ok(Sha256Hex::of(&canonical(black_box(&value))?)))?;
    let parsed = timed(iterations, || {
        let value: Value = serde_json::from_slice(black_box(&text)).map_err(|e| e.to_string())?;
        Ok(Sha256Hex::of(&canonical(&value)?))
    })?;
    let hash = timed(iterations, || Ok(Sha256Hex::of(black_box(&bytes))))?;
    Ok(json!({
        "bytes": bytes.len(), "sha256": sha256.as_str(), "iterations": iterations,
        "built": built, "parsed": parsed, "hash": hash,
    }))
}

/// CPU nanoseconds of all iterations, after one that brings the memory that they use.
fn timed(iterations: u32, mut work: impl FnMut() -> Result<Sha256Hex, String>) -> Result<u64, String> {
    black_box(work()?);
    let begun = cpu();
    for _ in 0..iterations {
        black_box(work()?);
    }
    Ok(cpu().saturating_sub(begun))
}

/// What this process has used, in nanoseconds.
fn cpu() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let whole = u64::try_from(time.tv_sec).unwrap_or(0);
    whole * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
