//! `cargo p1 verify`: says what evidence proves, and lists everything that is wrong with it.

use std::path::PathBuf;

use p1_audit::EvidenceSet;
use p1_audit::findings::Grade;
use p1_audit::text;
use p1_audit::verify::{Report, Signature, SignatureState, Standing};
use p1_contract::attestation::PublicKey;
use p1_contract::cause::chain;
use p1_replay::{Recomputed, Replay, Verified, verify as judge};

use super::{say_no_evidence, say_refusal, say_report};
use crate::args::VerifyArgs;
use crate::aws;
use crate::bucket::evidence::Evidence;
use crate::bucket::verify::{BucketError, Place, read};
use crate::directory;
use crate::exit::{CliError, ExitStatus};
use crate::paint::Paint;

/// Runs `cargo p1 verify`.
///
/// # Errors
/// Returns a fault if standard output cannot be written to.
pub async fn verify(args: &VerifyArgs) -> Result<ExitStatus, CliError> {
    let keys = match read_keys(&args.keys) {
        Ok(keys) => keys,
        Err(why) => return say_no_evidence(args.json, &why),
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
    let verified = judge(&set, &keys, !args.no_replay).await;
    let status = ExitStatus::Verified(verified.report.standing);
    say_report(&verified, args.json, status, |paint| page(&verified, paint))
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

/// Reads public keys. The error says why a file holds none.
pub(super) fn read_keys(paths: &[PathBuf]) -> Result<Vec<PublicKey>, String> {
    let read = |path: &PathBuf| {
        let named = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("failed to read the key {named}: {error}"))?;
        PublicKey::from_pem(&text).map_err(|error| format!("the key {named} cannot be used: {error}"))
    };
    let keys: Result<_, String> = paths.iter().map(read).collect();
    keys.map_err(|why| text::clean(&why))
}

/// The signature in words.
fn signature(signature: &Signature) -> String {
    let key = signature.keyid.as_deref().unwrap_or("that cannot be read");
    match signature.state {
        SignatureState::Unsigned => "UNSIGNED".to_owned(),
        SignatureState::Signed => format!("SIGNED by the key {key}; to check whose key it is, give --key FILE"),
        SignatureState::Verified => format!("VERIFIED by the key {key}"),
        SignatureState::OtherKey => format!("OTHER_KEY: valid by the key {key}, which --key does not name"),
        SignatureState::Contradicted => {
            format!("CONTRADICTED: valid by the key {key}, beside evidence that is not what it was")
        }
        SignatureState::Invalid => format!("INVALID, by the key {key}"),
    }
}

/// The number of things that were not computed again that are named in words. `--json` has more of them.
const NAMED: usize = 5;

/// How far the evidence was computed again, in words.
pub(super) fn again(replay: &Replay) -> Vec<String> {
    let counts = replay.counts;
    let row = |text: String| format!("  {:<16}  {text}", "");
    let first = |text: String| format!("  {:<16}  {text}", "computed again");
    if let (Recomputed::LeftOut, Some(reason)) = (replay.standing, &replay.reason) {
        return vec![first(format!("nothing: {reason}"))];
    }
    let differ = match counts.different {
        0 => String::new(),
        different => format!("; {different} are other ones"),
    };
    let mut lines = vec![first(format!(
        "{} objects of {} steps are the same{differ}",
        counts.equal, counts.steps
    ))];
    let rest = [
        (counts.from_outside, "from outside P1"),
        (counts.sidecars, "signature files"),
        (counts.missing, "that cannot be"),
    ];
    let rest = rest.iter().filter(|(count, _)| *count > 0);
    let rest: String = rest.map(|(count, what)| format!(", {count} {what}")).collect();
    lines.push(row(format!(
        "not computed again: the observations, which are the steps' input{rest}"
    )));
    lines.extend(replay.missing.iter().take(NAMED).map(|missing| {
        let subject = text::brief(&missing.subject, 200);
        row(format!("  {subject}: {}", text::brief(&missing.reason, 300)))
    }));
    if let Some(more) = counts.missing.checked_sub(NAMED).filter(|more| *more > 0) {
        lines.push(row(format!("  and {more} more")));
    }
    lines
}

/// The word of a standing.
pub(super) fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Pinned => "PINNED",
        Standing::Admitted => "ADMITTED",
        Standing::Intact => "INTACT",
        Standing::Refused => "REFUSED",
        Standing::Held => "HELD",
        Standing::Tampered => "TAMPERED",
        Standing::OtherKey => "OTHER_KEY",
        Standing::Incomplete => "INCOMPLETE",
    }
}

/// The first lines: the standing, and what the execution is if that is no run with a verdict.
pub(super) fn head(report: &Report, paint: Paint) -> Vec<String> {
    let (sound, meaning) = match report.standing {
        Standing::Pinned => (true, "the run is pinned, and its evidence is intact"),
        Standing::Admitted => (
            true,
            "a later phase was admitted to the run, and the evidence of it is intact",
        ),
        Standing::Intact => (true, "the execution needed no verdict, and its evidence is intact"),
        Standing::Refused => (false, "a later phase was refused, and the evidence of it is intact"),
        Standing::Held => (false, "the run is held, and its evidence is intact"),
        Standing::Tampered => (
            false,
            "the evidence was changed, or contradicts itself; do not rely on it",
        ),
        Standing::OtherKey => (
            false,
            "a verdict is signed by none of the given keys; nothing shows that the evidence was changed",
        ),
        Standing::Incomplete => (
            false,
            "the evidence is not whole or could not be read, or no verdict was committed",
        ),
    };
    let word = paint.verdict(word(report.standing), sound);
    let mut lines = vec![format!("{word}  {meaning}"), String::new()];
    if let Some(what) = report.execution.without_verdict() {
        lines.push(format!("  {:<16}  {}", "execution", text::clean(&what)));
    }
    lines
}

fn page(verified: &Verified, paint: Paint) -> Vec<String> {
    let Verified { report, replay } = verified;
    let mut lines = head(report, paint);
    let run = &report.run;
    let ids = [
        ("verdict", report.verdict.clone()),
        ("platform_run_id", run.platform_run_id.as_ref().map(ToString::to_string)),
        ("scenario_run_id", run.scenario_run_id.as_ref().map(ToString::to_string)),
        ("config_digest", run.config_digest.as_ref().map(ToString::to_string)),
        ("signature", Some(signature(&report.signature))),
    ];
    for (name, value) in ids {
        let value = text::clean(value.as_deref().unwrap_or("none"));
        lines.push(format!("  {name:<16}  {value}"));
    }
    let counts = report.counts;
    lines.push(format!(
        "  {:<16}  {} objects, {} hashes compared, {} closures walked; {} more are named and lie elsewhere",
        "checked", counts.objects, counts.hashes, counts.closures, counts.named_not_mirrored
    ));
    lines.extend(again(replay));
    if report.foreign.count > 0 {
        let foreign = text::foreign(report.foreign.count, &report.foreign.keys);
        lines.push(format!("  {foreign}"));
    }
    if !report.findings.is_empty() {
        let findings = match report.findings.len() {
            1 => "1 finding:".to_owned(),
            count => format!("{count} findings; begin with the first:"),
        };
        lines.extend([String::new(), findings]);
    }
    for finding in &report.findings {
        let grade = match finding.grade {
            Grade::Tampered => "tampered",
            Grade::OtherKey => "other key",
            Grade::Incomplete => "incomplete",
        };
        lines.push(format!(
            "  {grade:<10}  {}: {}",
            text::clean(&finding.subject),
            text::brief(&finding.detail, 2000)
        ));
    }
    lines
}
