//! `cargo p1 fetch`: the mirror of an execution that the tool did not start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_sdk_sfn::config::Credentials;
use p1::args::FetchArgs;
use p1::commands::fetch::of;
use p1::directory;
use p1::drive::screen::Screen;
use p1::drive::target::Target;
use p1::{CliError, ExitStatus};
use p1_audit::verify::{Standing, verify};
use p1_tests::directories::replay;
use p1_tests::stage::{Stage, files, on_stage};

fn target(stage: &Stage) -> Target {
    Target::new(stage.platform.deployment(), &stage.platform.sdk_config(), true).unwrap()
}

/// Fetches into a new directory.
async fn fetch(target: &Target, what: &str, name: &str) -> (Result<ExitStatus, CliError>, PathBuf) {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fetch-{name}"));
    let _ = std::fs::remove_dir_all(&dir);
    let args = FetchArgs {
        what: what.to_owned(),
        out: dir.clone(),
        stack: None,
        json: false,
    };
    (of(&args, target, &Screen::new()).await, dir)
}

fn standing(dir: &Path) -> Standing {
    let report = verify(&directory::read(dir).unwrap(), &[]);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    report.standing
}

fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let relative = |path: PathBuf| {
        (
            path.strip_prefix(dir).unwrap().to_owned(),
            std::fs::read(&path).unwrap(),
        )
    };
    files(dir).into_iter().map(relative).collect()
}

#[test]
fn an_execution_that_an_event_started_is_mirrored_whole_by_whatever_name() {
    on_stage(async |stage| {
        let ended = stage.run().await.expect_advance();
        let run = ended.outcome()["platform_run_id"].as_str().unwrap().to_owned();
        let phase = stage.folders(&ended).await["M3.J"].clone();
        let bucket = stage.platform.evidence_bucket();
        let phase_id = phase.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
        let names = [
            ended.arn.clone(),
            ended.arn.rsplit(':').next().unwrap().to_owned(),
            run.clone(),
            phase_id.clone(),
            format!("s3://{bucket}/evidence/runs/{run}/"),
            format!("s3://{bucket}/evidence/dev_full/run_control/{phase_id}/"),
        ];
        let target = target(stage);
        let mut mirrors = Vec::new();
        for (n, what) in names.iter().enumerate() {
            let (status, dir) = fetch(&target, what, &format!("advance-{n}")).await;
            assert_eq!(status.unwrap(), ExitStatus::Advance, "{what}");
            mirrors.push(dir);
        }
        assert_eq!(standing(&mirrors[0]), Standing::Pinned);
        assert_eq!(replay(&mirrors[0]).await.standing, p1_replay::Standing::Equal);
        for other in &mirrors[1..] {
            assert!(
                contents(other) == contents(&mirrors[0]),
                "{} is another mirror",
                other.display()
            );
        }

        // A run whose execution Step Functions has forgotten: here, one that another account asks for.
        let sfn = aws_sdk_sfn::config::Builder::from(&stage.platform.sdk_config())
            .credentials_provider(Credentials::new("999999999999", "x", None, None, "another account"))
            .build();
        let forgetful = Target {
            sfn: aws_sdk_sfn::Client::from_conf(sfn),
            ..target.clone()
        };
        let (status, dir) = fetch(&forgetful, &run, "forgotten").await;
        assert_eq!(
            status.unwrap(),
            ExitStatus::Fault,
            "without the history it is not whole"
        );
        let report = verify(&directory::read(&dir).unwrap(), &[]);
        let subjects: Vec<&str> = report.findings.iter().map(|finding| finding.subject.as_str()).collect();
        assert_eq!(
            (report.standing, subjects),
            (Standing::Incomplete, vec!["execution_history.json"])
        );
        let mut whole = contents(&mirrors[0]);
        whole.remove(Path::new("execution_history.json"));
        assert!(contents(&dir) == whole, "without its history it is another mirror");

        for (what, named) in [
            (ended.arn.as_str(), "does not know"),
            ("platform_20200101T000000Z", "no record"),
            ("m3j_20200101T000000Z_0123456789ab", "no execution"),
            ("nobody", "does not know"),
        ] {
            let (status, dir) = fetch(&forgetful, what, "nothing").await;
            match status {
                Err(CliError::Usage(message)) => assert!(message.contains(named), "{what}: {message}"),
                other => panic!("{what}: {other:?}"),
            }
            assert!(!dir.exists(), "{what} left a directory");
        }
    });
}

#[test]
fn a_run_held_before_it_had_an_id_is_mirrored_too() {
    on_stage(async |stage| {
        stage.put_broken_registry().await;
        let ended = stage.run().await;
        let target = target(stage);
        let (status, dir) = fetch(&target, &ended.arn, "held").await;
        assert_eq!(
            status.unwrap(),
            ExitStatus::Advance,
            "a hold is mirrored as whole as an advance"
        );
        assert_eq!(standing(&dir), Standing::Held);
    });
}
