//! `cargo p1 lint`: names every blocker that a registry would hold a run by, and what is wrong with a deployed stack.

mod page;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use p1_contract::ids::{Environment, IamPrincipalArn, Stamp};
use p1_lint::stack::{StackReport, StackStanding};
use p1_lint::{Deployed, Document, Inputs, Report, Standing, sarif};
use p1_runtime::store::{DOCUMENT_LIMIT, REGISTRY_LIMIT};
use serde_json::{Value, json};

use super::{say, say_object};
use crate::args::{LintArgs, LintFormat};
use crate::exit::{CliError, ExitStatus};
use crate::named::{Named, parsed, shown};
use crate::paint::Paint;

/// What is known of a deployed stack: its names, for the registry, and what AWS says of it.
#[derive(Debug)]
pub struct Stack {
    /// Its bucket, machine and role.
    pub deployed: Deployed,
    /// Its environment.
    pub environment: Environment,
    /// Its outputs, as the registry is compared with them. `None` if its functions read none.
    pub outputs: Option<Document>,
    /// What is wrong with it.
    pub report: StackReport,
}

/// Runs `cargo p1 lint`.
///
/// # Errors
/// Returns [`CliError::Usage`] if an option or a file is not usable, and a fault if AWS does not answer at all or standard output cannot be
/// written to. With `--json`, standard output has the error too.
pub async fn lint(args: &LintArgs) -> Result<ExitStatus, CliError> {
    match judged(args).await {
        Ok((report, stack)) => print(args, report.as_ref(), stack.as_ref()),
        Err(error) => {
            if args.format() == LintFormat::Json {
                let status = error.exit_status().code();
                let standing = if matches!(error, CliError::Usage(_)) {
                    "USAGE"
                } else {
                    "FAULT"
                };
                say_object(&json!({"standing": standing, "error": error.to_string(), "exit_status": status}))?;
            }
            Err(error)
        }
    }
}

/// Judges what the command line names. Nothing is asked if a file cannot be read.
async fn judged(args: &LintArgs) -> Result<(Option<Report>, Option<StackReport>), CliError> {
    let own = inputs(args, None)?;
    let stack = stack(args).await?;
    let inputs = match &stack {
        Some(stack) => inputs(args, Some(stack))?,
        None => own,
    };
    let report = match &inputs {
        Some(inputs) => Some(p1_lint::lint(inputs).await),
        None => None,
    };
    Ok((report, stack.map(|stack| stack.report)))
}

#[cfg(feature = "operator")]
async fn stack(args: &LintArgs) -> Result<Option<Stack>, CliError> {
    use crate::drive::screen::Screen;
    use crate::drive::target::Target;

    let Some(name) = &args.stack else { return Ok(None) };
    let config = crate::aws::sdk_config("--stack").await?;
    let deployment = super::deployment::stack_on_aws(name, &config).await?;
    let target = Target::new(&deployment, &config, false)?;
    let cloudformation = aws_sdk_cloudformation::Client::new(&config);
    let screen = Screen::new();
    ask(&deployment, &target, &cloudformation, &screen).await.map(Some)
}

#[cfg(not(feature = "operator"))]
#[expect(clippy::unused_async, reason = "the operator's build asks AWS here")]
async fn stack(_: &LintArgs) -> Result<Option<Stack>, CliError> {
    Ok(None)
}

/// Asks AWS about a stack, and judges the answers.
///
/// # Errors
/// Returns a fault if the stack's outputs are not usable.
#[cfg(feature = "operator")]
pub async fn ask(
    deployment: &p1_local::Deployment,
    target: &crate::drive::target::Target,
    cloudformation: &aws_sdk_cloudformation::Client,
    screen: &crate::drive::screen::Screen,
) -> Result<Stack, CliError> {
    let facts = crate::drive::deployed::facts(deployment, target, cloudformation, screen).await;
    let outputs = (!target.stack_outputs.is_empty()).then(|| Document {
        name: format!("outputs of the stack {}", p1_audit::text::clean(&deployment.stack)),
        bytes: target.own_outputs.clone(),
    });
    Ok(Stack {
        deployed: Deployed {
            evidence_bucket: Some(target.evidence_bucket.clone()),
            state_machine: Some(target.state_machine.clone()),
            role: Some(target.role_arn.clone()),
        },
        environment: target.environment.clone(),
        outputs,
        report: p1_lint::stack::judge(&facts),
    })
}

/// Prints the reports in the format that is asked for.
///
/// # Errors
/// Returns a fault if they cannot be written.
pub fn print(args: &LintArgs, report: Option<&Report>, stack: Option<&StackReport>) -> Result<ExitStatus, CliError> {
    let status = status(report, stack);
    match args.format() {
        LintFormat::Json => say_object(&object(report, stack, status)?)?,
        LintFormat::Sarif => say(&sarif(report, stack).map_err(|error| CliError::failed("write SARIF", &error))?)?,
        LintFormat::Text => {
            let paint = Paint::of(&std::io::stdout());
            let of_documents = report.map(|report| page::of_documents(report, paint));
            let of_stack = stack.map(|stack| page::of_stack(stack, paint));
            let pages: Vec<Vec<String>> = of_documents.into_iter().chain(of_stack).collect();
            for line in pages.join(&String::new()) {
                say(&line)?;
            }
        }
    }
    Ok(status)
}

/// The object of `--json`: the report on the documents, and the stack's as `stack`.
fn object(report: Option<&Report>, stack: Option<&StackReport>, status: ExitStatus) -> Result<Value, CliError> {
    let failed = |error| CliError::failed("render the report", &error);
    let mut object = match report {
        Some(report) => serde_json::to_value(report).map_err(failed)?,
        None => json!({}),
    };
    if let Some(stack) = stack {
        object["stack"] = serde_json::to_value(stack).map_err(failed)?;
    }
    object["exit_status"] = json!(status.code());
    Ok(object)
}

/// Something that is known to be wrong comes before something that is not known.
fn status(report: Option<&Report>, stack: Option<&StackReport>) -> ExitStatus {
    let of_documents = report.map_or(ExitStatus::Advance, |report| {
        match (report.standing, &report.no_verdict) {
            (Standing::Clean, None) => ExitStatus::Advance,
            (Standing::NoVerdict, Some(none)) if none.fault == "InvalidInput" => ExitStatus::Usage,
            (Standing::Held, _) => ExitStatus::Hold,
            _ => ExitStatus::Fault,
        }
    });
    let of_stack = stack.map_or(ExitStatus::Advance, |stack| match stack.standing {
        StackStanding::AsDeployed => ExitStatus::Advance,
        StackStanding::Wrong => ExitStatus::Hold,
        StackStanding::NotLearned => ExitStatus::Fault,
    });
    [ExitStatus::Usage, ExitStatus::Hold, ExitStatus::Fault]
        .into_iter()
        .find(|status| [of_documents, of_stack].contains(status))
        .unwrap_or(ExitStatus::Advance)
}

/// Reads what the command line names. What it does not name is the stack's. `None` without a registry.
fn inputs(args: &LintArgs, stack: Option<&Stack>) -> Result<Option<Inputs>, CliError> {
    let own = stack.map(|stack| stack.deployed.clone()).unwrap_or_default();
    let role = parsed::<IamPrincipalArn>("--role", args.role.as_deref())?;
    let deployed = Deployed {
        evidence_bucket: parsed("--evidence-bucket", args.evidence_bucket.as_deref())?.or(own.evidence_bucket),
        state_machine: parsed("--state-machine", args.state_machine.as_deref())?.or(own.state_machine),
        role: role.map(|role| role.to_string()).or(own.role),
    };
    let environment: Option<Environment> = parsed("--environment", args.environment.as_deref())?;
    let environment = match (environment, stack) {
        (Some(given), Some(stack)) if given != stack.environment => {
            return Err(CliError::usage(format!(
                "--environment: {given} is not the stack's, which is {}; leave it out",
                stack.environment
            )));
        }
        (Some(given), _) => given,
        (None, Some(stack)) => stack.environment.clone(),
        (None, None) => Environment::default(),
    };
    let document = |option: &str, path: &PathBuf| document(option, path, DOCUMENT_LIMIT);
    let stack_outputs = args.stack_outputs.iter().map(|path| document("--stack-outputs", path));
    let mut stack_outputs: Vec<Document> = stack_outputs.collect::<Result<_, _>>()?;
    if stack_outputs.is_empty() {
        stack_outputs.extend(stack.and_then(|stack| stack.outputs.clone()));
    }
    let optional = |option: &str, path: &Option<PathBuf>| path.as_ref().map(|path| document(option, path)).transpose();
    let now = Timestamp::now().to_string();
    let Some(registry) = &args.registry else {
        return Ok(None);
    };
    Ok(Some(Inputs {
        registry: self::document("REGISTRY", registry, REGISTRY_LIMIT)?,
        stack_outputs,
        m2_receipt: optional("--m2-receipt", &args.m2_receipt)?,
        billing: optional("--billing", &args.billing)?,
        environment,
        deployed,
        at: Stamp::from_rfc3339_floor(&now).map_err(|error| CliError::fault(error.to_string()))?,
    }))
}

/// A file, by its path as it was given.
fn document(option: &str, path: &Path, limit: u64) -> Result<Document, CliError> {
    let bytes = Named { option, path }.read(limit, "that a step reads")?;
    let name = shown(path);
    Ok(Document { name, bytes })
}
