//! `cargo p1 init`: writes a registry and the documents beside it to start from.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use p1_audit::text;
use p1_contract::ids::Environment;
use p1_local::Profile;
use p1_local::sample::{self, Names};
use serde_json::json;

use super::{say, say_object};
use crate::args::InitArgs;
use crate::drive::stack_outputs;
use crate::exit::{CliError, ExitStatus};
use crate::named::{parsed, shown};
use crate::shell;

/// The files, by name.
pub const FILES: [&str; 5] = [
    "handles.registry.md",
    "stack-outputs.json",
    "billing.json",
    "m2_receipt.json",
    "platform.json",
];

/// Runs `cargo p1 init`.
///
/// # Errors
/// Returns [`CliError::Usage`] if an option is malformed or a file exists already; nothing was written then. Returns a fault if a
/// file cannot be written.
pub fn init(args: &InitArgs) -> Result<ExitStatus, CliError> {
    let profile = profile(args)?;
    let contents = contents(&profile, Timestamp::now())?;
    let there: Vec<&str> = FILES
        .into_iter()
        .filter(|name| args.dir.join(name).symlink_metadata().is_ok())
        .collect();
    if !there.is_empty() {
        return Err(CliError::usage(format!(
            "{} has {} already, and nothing is overwritten; name another directory, or move them away",
            shown(&args.dir),
            there.join(", ")
        )));
    }
    fs::create_dir_all(&args.dir).map_err(|error| CliError::failed(&format!("make {}", shown(&args.dir)), &error))?;
    for (name, bytes) in FILES.into_iter().zip(contents) {
        let path = args.dir.join(name);
        let failed = |error: std::io::Error| CliError::failed(&format!("write {}", shown(&path)), &error);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        if !args.json {
            say(&format!("wrote {}", shown(&path)))?;
        }
    }
    let next = next(&args.dir, &profile);
    if args.json {
        say_object(&json!({
            "dir": shown(&args.dir),
            "files": FILES,
            "next": next,
            "exit_status": ExitStatus::Advance.code(),
        }))?;
        return Ok(ExitStatus::Advance);
    }
    say("\nnext: edit the registry, and judge it before each run")?;
    for command in next {
        // A quoted word may hold what looks like an option.
        let broken = if command.contains('\'') {
            command
        } else {
            command.replace(" --", " \\\n    --")
        };
        say(&format!("  {broken}"))?;
    }
    Ok(ExitStatus::Advance)
}

/// The local platform's default profile, with what the command line says instead.
fn profile(args: &InitArgs) -> Result<Profile, CliError> {
    let mut profile = Profile::load(None)?;
    let default = slug(&profile.environment);
    if let Some(environment) = parsed("--environment", args.environment.as_deref())? {
        profile.environment = environment;
        let own = slug(&profile.environment);
        for name in [
            &mut profile.stack_name,
            &mut profile.evidence_bucket,
            &mut profile.object_store_bucket,
            &mut profile.artifacts_bucket,
            &mut profile.state_machine_name,
            &mut profile.state_machine_role_name,
        ] {
            *name = name.replace(&default, &own);
        }
    }
    if let Some(account) = &args.account {
        profile.account.clone_from(account);
    }
    if let Some(region) = &args.region {
        profile.region.clone_from(region);
    }
    let unfit = |why: String| CliError::usage(format!("the platform's names do not fit: {}", text::clean(&why)));
    profile.check().map_err(unfit)?;
    Ok(profile)
}

/// An environment as names of buckets and roles hold it.
fn slug(environment: &Environment) -> String {
    environment.as_str().replace('_', "-")
}

/// The bytes of [`FILES`], in their order.
fn contents(profile: &Profile, now: Timestamp) -> Result<[Vec<u8>; 5], CliError> {
    let names = Names {
        environment: profile.environment.clone(),
        account: profile.account.clone(),
        region: profile.region.clone(),
        evidence_bucket: profile.evidence_bucket.clone(),
        object_store_bucket: profile.object_store_bucket.clone(),
        artifacts_bucket: profile.artifacts_bucket.clone(),
        state_machine: profile.state_machine_name.clone(),
        state_machine_role: profile.state_machine_role_name.clone(),
    };
    let role = format!(
        "arn:aws:iam::{}:role/{}",
        profile.account, profile.state_machine_role_name
    );
    let outputs = [
        ("ArtifactsBucket", &profile.artifacts_bucket),
        ("EvidenceBucket", &profile.evidence_bucket),
        ("ObjectStoreBucket", &profile.object_store_bucket),
        ("Region", &profile.region),
        ("StateMachineName", &profile.state_machine_name),
        ("StateMachineRoleArn", &role),
    ];
    let outputs: BTreeMap<String, String> = outputs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect();
    let mut platform =
        serde_json::to_vec_pretty(profile).map_err(|error| CliError::failed("write the profile as JSON", &error))?;
    platform.push(b'\n');
    Ok([
        sample::registry(&names),
        stack_outputs::document(&outputs)?,
        sample::billing(now.to_zoned(TimeZone::UTC).date()),
        sample::m2_receipt(&now.strftime("%Y%m%dT%H%M%SZ").to_string()),
        platform,
    ])
}

/// The commands that come next.
fn next(dir: &Path, profile: &Profile) -> [String; 2] {
    let file = |name: &str| shell::word(&dir.join(name).display().to_string());
    let [registry, outputs, billing, receipt, platform] = FILES.map(file);
    let documents = format!("--stack-outputs {outputs} --billing {billing} --m2-receipt {receipt}");
    let environment = match &profile.environment {
        environment if *environment == Environment::default() => String::new(),
        environment => format!(" --environment {environment}"),
    };
    [
        format!("cargo p1 lint {registry} {documents}{environment}"),
        format!("cargo p1 run --platform {platform} --registry {registry} {documents}"),
    ]
}
