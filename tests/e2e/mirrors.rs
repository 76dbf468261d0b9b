//! Runs as an auditor looks at them: verified where they lie, mirrored as `cargo p1 run --out` does, replayed from the mirror.

use std::path::{Path, PathBuf};
use std::process::Command;

use p1::bucket::chain::Chain;
use p1::bucket::evidence::Evidence;
use p1::bucket::verify::{BucketError, Place, read};
use p1::drive::follow::follow;
use p1::drive::mirror::{Mirror, Wanted, mirror};
use p1::drive::screen::Screen;
use p1::drive::target::Target;
use p1_audit::verify::Report;
use p1_contract::ids::BucketName;
use p1_replay::{InputSource, Standing as Replayed};
use p1_tests::directories::replay;
use p1_tests::stage::{Ended, Stage};

/// The folder that all objects of a run lie below.
pub(crate) fn run_root(ended: &Ended) -> String {
    let run = ended.outcome()["platform_run_id"].as_str().unwrap().to_owned();
    format!("evidence/runs/{run}/")
}

/// The evidence bucket, read by this client.
pub(crate) fn evidence(stage: &Stage, s3: &aws_sdk_s3::Client) -> Evidence {
    Evidence {
        s3: s3.clone(),
        bucket: BucketName::parse(stage.platform.evidence_bucket()).unwrap(),
    }
}

/// What `cargo p1 verify s3://…` finds at this key or prefix of the evidence bucket, read by this client.
pub(crate) async fn audit_by(stage: &Stage, s3: &aws_sdk_s3::Client, key: &str) -> Result<Report, BucketError> {
    let (bucket, place) = Place::parse(&format!("s3://{}/{key}", stage.platform.evidence_bucket()))?;
    assert_eq!(bucket.as_str(), stage.platform.evidence_bucket());
    let set = read(&evidence(stage, s3), &place).await?;
    Ok(p1_audit::verify::verify(&set, &[]))
}

/// What `cargo p1 verify s3://…` finds at this key or prefix of the evidence bucket.
pub(crate) async fn audit(stage: &Stage, key: &str) -> Report {
    audit_by(stage, &stage.s3, key).await.unwrap()
}

/// Mirrors an execution into a new directory, history and all; gives what the mirror says of it, and the directory.
pub(crate) async fn mirror_of(
    stage: &Stage,
    ended: &Ended,
    name: &str,
    receipt_key: Option<&str>,
) -> (Mirror, PathBuf) {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("mirror-{name}"));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let target = Target::new(stage.platform.deployment(), &stage.platform.sdk_config(), true).unwrap();
    let execution = follow(&target, &ended.arn, &Screen::new()).await.unwrap();
    let (evidence, run) = (target.evidence(), execution.history.run());
    let mut closures = execution.history.closures();
    if let Some(run) = &run {
        closures.extend(evidence.committed(run).await.unwrap());
    }
    let chain = Chain::read(&evidence, closures).await;
    let wanted = Wanted {
        execution: Some((&ended.arn, &execution.events)),
        chain: &chain,
        run: run.as_ref(),
        receipt_key,
    };
    let mut mirror = mirror(&evidence, &wanted, &dir).await.unwrap();
    mirror.problems.extend(chain.problems.iter().cloned());
    (mirror, dir)
}

/// Mirrors an execution of which all evidence is there and untouched.
pub(crate) async fn mirrored(stage: &Stage, ended: &Ended, name: &str) -> PathBuf {
    let (mirror, dir) = mirror_of(stage, ended, name, None).await;
    assert_eq!(mirror.problems, Vec::<String>::new());
    dir
}

/// The exit status that `verify.py` gives this directory.
pub(crate) fn second_implementation(dir: &Path) -> Option<i32> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verify/verify.py");
    let output = Command::new("python3").arg(script).arg(dir).output().unwrap();
    output.status.code()
}

/// Every document of these mirrors is valid by its schema, says a validator that is not ours; gives their number.
pub(crate) fn expect_valid(stage: &Stage, dirs: &[PathBuf]) -> usize {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas/validate.py");
    let output = stage.python().arg(script).args(dirs).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.split(' ').next().unwrap().parse().unwrap()
}

/// The steps of each replayed execution; everything was equal.
pub(crate) async fn replayed(dir: &Path) -> Vec<Vec<String>> {
    let report = replay(dir).await;
    assert_eq!(report.standing, Replayed::Equal, "{report:#?}");
    // The engine's history is of one of them; a run may have been resumed before it was mirrored, and after.
    let from_history = report
        .executions
        .iter()
        .filter(|execution| execution.input == InputSource::ExecutionHistory);
    assert_eq!(from_history.count(), 1);
    let steps = |steps: &[p1_replay::StepReport]| steps.iter().map(|step| step.step.to_string()).collect();
    report
        .executions
        .iter()
        .map(|execution| steps(&execution.steps))
        .collect()
}
