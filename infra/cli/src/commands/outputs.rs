//! `cargo p1 outputs`: prints a stack's outputs in the form of `terraform output -json`, for other tools that use them.

use std::io::Write;
use std::path::Path;

use p1_contract::ids::S3Uri;
use serde_json::json;

use super::deployment::{Code, work_on};
use super::{say, say_object};
use crate::args::OutputsArgs;
use crate::atomic;
use crate::drive::screen::Screen;
use crate::drive::seed;
use crate::drive::target::Target;
use crate::exit::{CliError, ExitStatus};
use crate::named::shown;

/// The root of the evidence in every bucket.
const EVIDENCE: &str = "evidence/";

/// Runs `cargo p1 outputs`.
///
/// # Errors
/// Returns [`CliError::Usage`] if the destination may not be written, if the stack does not exist, or if no local platform is up.
/// Returns [`CliError::Fault`] if the outputs cannot be read or written.
pub async fn outputs(args: OutputsArgs) -> Result<ExitStatus, CliError> {
    let to = args.upload.as_deref().map(destination).transpose()?;
    let work = async |target: &Target| {
        deliver(target, args.out.as_deref(), to.as_ref(), args.json).await?;
        Ok(ExitStatus::Advance)
    };
    work_on(args.stack.as_deref(), Code::AsDeployed, &Screen::new(), work).await
}

/// Writes the outputs to a file or to S3. If neither is given, prints them. With `is_json`, prints one object with both: what they are,
/// and where they were written.
///
/// # Errors
/// Returns [`CliError::Fault`] if they cannot be written.
pub async fn deliver(target: &Target, out: Option<&Path>, to: Option<&S3Uri>, is_json: bool) -> Result<(), CliError> {
    let document = &target.own_outputs;
    let mut object = json!({"exit_status": ExitStatus::Advance.code()});
    if let Some(path) = out {
        atomic::write(path, document)?;
        let path = shown(path);
        if !is_json {
            say(&format!("stack outputs: {path}"))?;
        }
        object["file"] = json!(path);
    }
    if let Some(to) = to {
        let is_new = seed::put(&target.s3, "stack outputs", to, document.clone()).await?;
        let state = if is_new { "a new version" } else { "unchanged" };
        if !is_json {
            say(&format!("stack outputs: {to}, {state}"))?;
        }
        object["uri"] = json!(to.to_string());
        object["state"] = json!(state);
    }
    if is_json {
        object["outputs"] = serde_json::from_slice(document)
            .map_err(|error| CliError::failed("read the stack's outputs as JSON", &error))?;
        return say_object(&object);
    }
    if out.is_none() && to.is_none() {
        let written = std::io::stdout().write_all(document);
        written.map_err(|error| CliError::failed("write to standard output", &error))?;
    }
    Ok(())
}

/// The destination of an upload. It must not lie among evidence, which is never replaced.
fn destination(uri: &str) -> Result<S3Uri, CliError> {
    let to = S3Uri::parse(uri).map_err(|error| CliError::usage(format!("--upload: {error}")))?;
    if to.key.as_str().starts_with(EVIDENCE) {
        return Err(CliError::usage(format!(
            "--upload {to}: the key lies below {EVIDENCE}, and evidence is never replaced; give one outside, such as s3://{}/p1/stack_outputs.json",
            to.bucket
        )));
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::target::tests::target;
    use crate::scratch::{Scratch, says};

    #[test]
    fn nothing_is_uploaded_among_evidence() {
        for bad in [
            "s3://bucket/evidence/x.json",
            "s3://other-bucket/evidence/runs/outputs.json",
            "s3://bucket",
            "bucket/key",
            "s3://bucket/a/../evidence/x",
            "",
        ] {
            assert!(matches!(destination(bad), Err(CliError::Usage(_))), "{bad}");
        }
        let error = destination("s3://bucket/evidence/x.json").unwrap_err().to_string();
        says(&error, &["never replaced", "s3://bucket/p1/stack_outputs.json"]);
        for good in [
            "s3://bucket/p1/stack_outputs.json",
            "s3://bucket/evidence.json",
            "s3://bucket/a/evidence/x",
        ] {
            assert_eq!(destination(good).unwrap().to_string(), good);
        }
    }

    #[tokio::test]
    async fn a_file_gets_the_same_bytes_each_time() {
        let scratch = Scratch::new();
        let (target, path) = (target(false), scratch.path("deep/outputs.json"));
        for _ in 0..2 {
            deliver(&target, Some(&path), None, false).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), target.own_outputs);
        }
    }
}
