//! `cargo p1 lint`: names every blocker that a registry would hold a run by.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use jiff::Timestamp;
use p1_audit::text;
use p1_contract::blocker::{Blocker, Severity};
use p1_contract::ids::{BucketName, Environment, IamPrincipalArn, Stamp, StateMachineArn};
use p1_lint::{Deployed, Document, Found, Hold, Inputs, Report, Standing, sarif};
use p1_runtime::store::{DOCUMENT_LIMIT, REGISTRY_LIMIT};
use serde_json::json;

use super::{say, say_document};
use crate::args::{LintArgs, LintFormat};
use crate::exit::{CliError, ExitStatus};
use crate::paint::Paint;

/// Runs `cargo p1 lint`.
///
/// # Errors
/// Returns [`CliError::Usage`] if an option or a file is not usable, and a fault if standard output cannot be written to. With
/// `--json`, standard output has the error too.
pub async fn lint(args: &LintArgs) -> Result<ExitStatus, CliError> {
    let inputs = match inputs(args) {
        Ok(inputs) => inputs,
        Err(error) => {
            if args.format() == LintFormat::Json {
                let status = error.exit_status().code();
                say(&json!({"standing": "USAGE", "error": error.to_string(), "exit_status": status}).to_string())?;
            }
            return Err(error);
        }
    };
    let report = p1_lint::lint(&inputs).await;
    let status = status(&report);
    match args.format() {
        LintFormat::Json => say_document(&report, status)?,
        LintFormat::Sarif => say(&sarif(&report).map_err(|error| CliError::failed("write SARIF", &error))?)?,
        LintFormat::Text => {
            for line in page(&report, Paint::of(&std::io::stdout())) {
                say(&line)?;
            }
        }
    }
    Ok(status)
}

fn status(report: &Report) -> ExitStatus {
    match (report.standing, &report.no_verdict) {
        (Standing::Clean, None) => ExitStatus::Advance,
        (Standing::NoVerdict, Some(none)) if none.fault == "InvalidInput" => ExitStatus::Usage,
        (Standing::Held, _) => ExitStatus::Hold,
        _ => ExitStatus::Fault,
    }
}

/// Reads what the command line names.
fn inputs(args: &LintArgs) -> Result<Inputs, CliError> {
    let refuse = |option: &str, why: String| CliError::usage(format!("{option}: {}", text::clean(&why)));
    let deployed = Deployed {
        evidence_bucket: args
            .evidence_bucket
            .as_deref()
            .map(BucketName::parse)
            .transpose()
            .map_err(|error| refuse("--evidence-bucket", error.to_string()))?,
        state_machine: args
            .state_machine
            .as_deref()
            .map(StateMachineArn::parse)
            .transpose()
            .map_err(|error| refuse("--state-machine", error.to_string()))?,
        role: args
            .role
            .as_deref()
            .map(IamPrincipalArn::parse)
            .transpose()
            .map_err(|error| refuse("--role", error.to_string()))?
            .map(|role| role.to_string()),
    };
    let now = Timestamp::now().to_string();
    Ok(Inputs {
        registry: document("REGISTRY", &args.registry, REGISTRY_LIMIT)?,
        stack_outputs: args
            .stack_outputs
            .iter()
            .map(|path| document("--stack-outputs", path, DOCUMENT_LIMIT))
            .collect::<Result<_, _>>()?,
        m2_receipt: args
            .m2_receipt
            .as_deref()
            .map(|path| document("--m2-receipt", path, DOCUMENT_LIMIT))
            .transpose()?,
        billing: args
            .billing
            .as_deref()
            .map(|path| document("--billing", path, DOCUMENT_LIMIT))
            .transpose()?,
        environment: Environment::parse(&args.environment)
            .map_err(|error| refuse("--environment", error.to_string()))?,
        deployed,
        at: Stamp::from_rfc3339_floor(&now).map_err(|error| CliError::fault(error.to_string()))?,
    })
}

/// A file, by its path as it was given. One of a byte more than the steps read is read no further: a step says so.
fn document(option: &str, path: &Path, limit: u64) -> Result<Document, CliError> {
    let name = text::clean(&path.display().to_string());
    let refuse = |why: &str| CliError::usage(format!("{option} {name}: {why}"));
    let size = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Err(refuse("is a directory; name a file")),
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(refuse("there is no such file; check the path"));
        }
        Err(error) => {
            return Err(refuse(&format!(
                "cannot be read ({error}); give a file that you can read"
            )));
        }
    };
    if size > limit {
        return Err(refuse(&format!(
            "has {size} bytes, more than the {limit} that a step reads; give a smaller file"
        )));
    }
    let bytes =
        fs::read(path).map_err(|error| refuse(&format!("cannot be read ({error}); give a file that you can read")))?;
    Ok(Document { name, bytes })
}

fn page(report: &Report, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let first = report.holds.first();
    lines.push(match (first, &report.no_verdict) {
        (Some(hold), _) => format!(
            "{}  a run would be held at {}, by {}",
            paint.verdict("HELD", false),
            hold.step,
            codes(&hold.codes)
        ),
        (None, Some(none)) => format!(
            "{}  a run would fault at {}, and reach no verdict",
            paint.verdict("NO VERDICT", false),
            none.step
        ),
        (None, None) => format!(
            "{}  no step would block a run for what {} says",
            paint.verdict("CLEAN", true),
            text::clean(&report.registry)
        ),
    });
    for (index, hold) in report.holds.iter().enumerate() {
        let next = if index == 0 {
            ""
        } else {
            ", once what is above is mended"
        };
        lines.extend([String::new(), format!("{}{next}", paint.bold(&hold.step.state_name()))]);
        lines.extend(hold.codes.iter().flat_map(|code| of_code(hold, *code, paint)));
    }
    if let Some(none) = &report.no_verdict {
        let next = if first.is_none() {
            ""
        } else {
            ", once what is above is mended"
        };
        lines.extend([
            String::new(),
            format!("{}{next}", paint.bold(&none.step.state_name())),
            format!("  {} {}", none.fault, text::brief(&none.error, 600)),
        ]);
    }
    if first.is_some() {
        let count = match report.count() {
            1 => "1 finding".to_owned(),
            count => format!("{count} findings"),
        };
        lines.extend([String::new(), count]);
    }
    lines
}

fn codes(codes: &[Blocker]) -> String {
    codes.iter().map(|code| code.code()).collect::<Vec<_>>().join(", ")
}

/// The findings of one code, with its remedy once.
fn of_code(hold: &Hold, code: Blocker, paint: Paint) -> Vec<String> {
    let severity = match code.severity() {
        Severity::S1 => "S1",
        Severity::S2 => "S2",
    };
    let mut lines = vec![format!("  {} {severity}  {}", paint.red(code.code()), code.rule())];
    for found in hold.findings.iter().filter(|found| found.code == code) {
        lines.push(format!("    {}{}", place(found), text::clean(&found.subject)));
        lines.push(format!("      {}", text::brief(&found.detail, 600)));
    }
    lines.push(format!("    {} {}", paint.bold("to mend:"), code.remedy()));
    lines
}

/// `registry.md:12: `, as compilers write it, so that editors find the line.
fn place(found: &Found) -> String {
    match (&found.document, found.line) {
        (Some(document), Some(line)) => {
            let others: String = found.other_lines.iter().map(|line| format!(",{line}")).collect();
            format!("{}:{line}{others}: ", text::clean(document))
        }
        (Some(document), None) => format!("{}: ", text::clean(document)),
        (None, _) => String::new(),
    }
}
