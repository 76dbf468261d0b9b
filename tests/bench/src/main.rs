//! `cargo p1 bench`: measures, prints the table, writes it where it was asked for.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use p1_bench::report::{Report, on_page};
use p1_bench::{BenchError, Options, measure};
use p1_local::Checkout;
use p1_local::progress::Lines;

#[tokio::main]
async fn main() -> ExitCode {
    // Also of a command line that cannot be parsed.
    let is_json = std::env::args_os().any(|argument| argument == "--json");
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            if !error.use_stderr() {
                return ExitCode::SUCCESS;
            }
            return failed(is_json, error.to_string().trim(), 2);
        }
    };
    let outcome = tokio::select! {
        outcome = run(&options) => outcome,
        _ = tokio::signal::ctrl_c() => Err(BenchError::wrong("measure", "stopped by Ctrl-C; what was started has been ended")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is closed there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            let status = if matches!(error, BenchError::Usage(_)) { 2 } else { 3 };
            failed(is_json, &error.to_string(), status)
        }
    }
}

/// Ends with `status`. With `--json`, standard output gets its one object.
fn failed(is_json: bool, why: &str, status: u8) -> ExitCode {
    if is_json {
        let object = serde_json::json!({"error": why, "exit_status": status});
        // If standard output cannot be written to, the status says it all.
        let _ = writeln!(std::io::stdout(), "{object}");
    }
    ExitCode::from(status)
}

async fn run(options: &Options) -> Result<(), BenchError> {
    let page = Checkout::default().root().join("docs/performance.md");
    if let Some(path) = &options.page_from {
        let text = std::fs::read_to_string(path)
            .map_err(|e| BenchError::Usage(format!("{} cannot be read: {e}", path.display())))?;
        let report: Report = serde_json::from_str(&text)
            .map_err(|e| BenchError::Usage(format!("{} is no report of this benchmark: {e}", path.display())))?;
        return write_page(&page, &report);
    }
    let report = measure(options, &Lines).await?;
    let json = |pretty| match pretty {
        true => serde_json::to_string_pretty(&report),
        false => serde_json::to_string(&report),
    };
    let failed = |e: serde_json::Error| BenchError::failed("render the report", &e);
    if let Some(path) = &options.out {
        write(path, &format!("{}\n", json(true).map_err(failed)?))?;
    }
    if options.page {
        write_page(&page, &report)?;
    }
    let text = match options.json {
        true => format!("{}\n", json(false).map_err(failed)?),
        false => report.table(),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(BenchError::failed("write to standard output", &error))
        }
        _ => Ok(()),
    }
}

fn write_page(path: &Path, report: &Report) -> Result<(), BenchError> {
    let page = std::fs::read_to_string(path).map_err(BenchError::io(format!("read {}", path.display())))?;
    let page = on_page(&page, report)
        .ok_or_else(|| BenchError::wrong(format!("change {}", path.display()), "it has no markers for the tables"))?;
    write(path, &page)
}

fn write(path: &Path, text: &str) -> Result<(), BenchError> {
    let operation = format!("write {}", path.display());
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(BenchError::io(&operation))?;
    }
    std::fs::write(path, text).map_err(BenchError::io(&operation))
}
