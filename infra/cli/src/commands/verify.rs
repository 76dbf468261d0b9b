//! `cargo p1 verify`: says what evidence proves, and lists everything that is wrong with it.

use std::path::Path;

use p1_audit::EvidenceSet;
use p1_audit::findings::Grade;
use p1_audit::text;
use p1_audit::verify::{Report, Signature, SignatureState, Standing, verify as judge};
use p1_contract::attestation::PublicKey;
use p1_contract::cause::chain;

use super::{say, say_document, say_no_evidence, say_refusal};
use crate::args::VerifyArgs;
use crate::aws;
use crate::bucket::evidence::Evidence;
use crate::bucket::verify::{BucketError, Place, read};
use crate::directory;
use crate::exit::{CliError, ExitStatus};
use crate::paint::Paint;
use crate::wrap::fitted;

/// Runs `cargo p1 verify`.
///
/// # Errors
/// Returns a fault if standard output cannot be written to.
pub async fn verify(args: &VerifyArgs) -> Result<ExitStatus, CliError> {
    let keys: Result<Vec<PublicKey>, String> = args.keys.iter().map(|path| read_key(path)).collect();
    let keys = match keys {
        Ok(keys) => keys,
        Err(why) => return say_no_evidence(args.json, &text::clean(&why)),
    };
    let set = match args.dir.to_str().filter(|place| place.starts_with("s3://")) {
        Some(place) => match of_bucket(place).await {
            Ok(set) => set,
            Err(error) if error.is_usage() => return say_no_evidence(args.json, &text::clean(&error.to_string())),
            // A refusal or a missing answer says nothing about the evidence.
            Err(error) => {
                let status = ExitStatus::Verified(Standing::Incomplete);
                return say_refusal(args.json, "INCOMPLETE", status, &text::clean(&error.to_string()));
            }
        },
        None => match directory::read(&args.dir) {
            Ok(set) => set,
            Err(error) => return say_no_evidence(args.json, &text::clean(&chain(&error))),
        },
    };
    let report = judge(&set, &keys);
    let status = ExitStatus::Verified(report.standing);
    let paint = if args.json {
        Paint::none()
    } else {
        Paint::of(&std::io::stdout())
    };
    for line in page(&report, paint) {
        say(&line)?;
    }
    if args.json {
        say_document(&report, status)?;
    }
    Ok(status)
}

/// The evidence of a run in its bucket, read with the user's own AWS settings.
async fn of_bucket(place: &str) -> Result<EvidenceSet, BucketError> {
    let what = text::brief(place, 200);
    let (bucket, place) = Place::parse(place)?;
    let config = aws::sdk_config(&what).await.map_err(BucketError::Settings)?;
    // Path style, because an endpoint that stands in for S3 has no host names for its buckets.
    let s3 = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(config.endpoint_url().is_some())
        .build();
    let evidence = Evidence {
        s3: aws_sdk_s3::Client::from_conf(s3),
        bucket,
    };
    read(&evidence, &place).await
}

/// Reads a public key. The error says why the file holds none.
pub(super) fn read_key(path: &Path) -> Result<PublicKey, String> {
    let named = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("failed to read the key {named}: {error}"))?;
    PublicKey::from_pem(&text).map_err(|error| format!("the key {named} cannot be used: {error}"))
}

/// The signature in words.
fn signature(signature: &Signature) -> String {
    let key = signature.keyid.as_deref().unwrap_or("that cannot be read");
    match signature.state {
        SignatureState::Unsigned => "UNSIGNED".to_owned(),
        SignatureState::Signed => format!("SIGNED by the key {key}; whose key it is, only --key FILE can tell"),
        SignatureState::Verified => format!("VERIFIED by the key {key}"),
        SignatureState::Invalid => format!("INVALID, by the key {key}"),
    }
}

fn page(report: &Report, paint: Paint) -> Vec<String> {
    let (word, meaning) = match report.standing {
        Standing::Pinned => ("PINNED", "the run is pinned, and its evidence is intact"),
        Standing::Admitted => (
            "ADMITTED",
            "a later phase was admitted to the run, and the evidence of it is intact",
        ),
        Standing::Refused => ("REFUSED", "a later phase was refused, and the evidence of it is intact"),
        Standing::Held => ("HELD", "the run is held, and its evidence is intact"),
        Standing::Tampered => (
            "TAMPERED",
            "the evidence was changed, or contradicts itself; do not rely on it",
        ),
        Standing::Incomplete => (
            "INCOMPLETE",
            "the evidence is not whole or could not be read, or no verdict was committed",
        ),
    };
    let sound = matches!(report.standing, Standing::Pinned | Standing::Admitted);
    let mut lines = vec![format!("{}  {meaning}", paint.verdict(word, sound)), String::new()];
    let run = &report.run;
    let none = || "none".to_owned();
    let ids = [
        ("verdict", report.verdict.clone().unwrap_or_else(none)),
        (
            "platform_run_id",
            run.platform_run_id.as_ref().map_or_else(none, ToString::to_string),
        ),
        (
            "scenario_run_id",
            run.scenario_run_id.as_ref().map_or_else(none, ToString::to_string),
        ),
        (
            "config_digest",
            run.config_digest.as_ref().map_or_else(none, ToString::to_string),
        ),
        ("signature", signature(&report.signature)),
    ];
    lines.extend(
        ids.iter()
            .map(|(name, value)| format!("  {name:<16}  {}", text::clean(value))),
    );
    let counts = report.counts;
    lines.push(format!(
        "  {:<16}  {} objects, {} hashes compared, {} closures walked; {} named, not mirrored",
        "checked", counts.objects, counts.hashes, counts.closures, counts.named_not_mirrored
    ));
    if report.foreign.count > 0 {
        lines.push(format!(
            "  {}",
            text::foreign(report.foreign.count, &report.foreign.keys)
        ));
    }
    if !report.findings.is_empty() {
        lines.push(String::new());
        let count = report.findings.len();
        let findings = if count == 1 {
            "finding:"
        } else {
            "findings, the first thing wrong first:"
        };
        lines.push(format!("{count} {findings}"));
    }
    for finding in &report.findings {
        let grade = match finding.grade {
            Grade::Tampered => "tampered",
            Grade::Incomplete => "incomplete",
        };
        lines.push(format!(
            "  {grade:<10}  {}: {}",
            text::clean(&finding.subject),
            text::brief(&finding.detail, 2000)
        ));
    }
    lines.iter().flat_map(|line| fitted(line)).collect()
}
