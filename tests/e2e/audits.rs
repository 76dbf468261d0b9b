//! What an auditor does with a run on the real engine: verify it where it lies, mirror it, verify and replay the mirror.

use std::path::PathBuf;

use aws_sdk_s3::primitives::ByteStream;
use p1::bucket::evidence::{Chain, Evidence};
use p1::bucket::verify::{BucketError, Place, read};
use p1::drive::follow::follow;
use p1::drive::mirror::{Wanted, mirror};
use p1::drive::screen::Screen;
use p1::drive::target::Target;
use p1_audit::findings::Grade;
use p1_audit::verify::{Report, Standing};
use p1_contract::ids::BucketName;
use p1_replay::{InputSource, Standing as Replayed};
use p1_tests::directories::{replay, verify};
use p1_tests::stage::{Ended, Stage, on_stage};
use serde_json::json;

use crate::faults::proxy::{Plan, Proxy, Scope, Wrong};

/// The evidence bucket, read by this client.
fn evidence(stage: &Stage, s3: &aws_sdk_s3::Client) -> Evidence {
    Evidence {
        s3: s3.clone(),
        bucket: BucketName::parse(stage.platform.evidence_bucket()).unwrap(),
    }
}

/// Checks what lies at this key or prefix of the evidence bucket.
async fn audited(stage: &Stage, s3: &aws_sdk_s3::Client, key: &str) -> Result<Report, BucketError> {
    let (bucket, place) = Place::parse(&format!("s3://{}/{key}", stage.platform.evidence_bucket()))?;
    assert_eq!(bucket.as_str(), stage.platform.evidence_bucket());
    read(&evidence(stage, s3), &place)
        .await
        .map(|set| p1_audit::verify::verify(&set, &[]))
}

async fn audit(stage: &Stage, key: &str) -> Report {
    audited(stage, &stage.s3, key).await.unwrap()
}

fn run_root(ended: &Ended) -> String {
    format!(
        "evidence/runs/{}/",
        ended.outcome()["platform_run_id"].as_str().unwrap()
    )
}

fn last_summary(ended: &Ended) -> String {
    ended.outcome()["closure"]["key"].as_str().unwrap().to_owned()
}

/// The mirror as `cargo p1 run --out` writes it, history and all.
pub(crate) async fn mirrored(stage: &Stage, ended: &Ended, name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("audit-{name}"));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let target = Target::new(stage.platform.deployment(), &stage.platform.sdk_config(), true).unwrap();
    let execution = follow(&target, &ended.arn, &Screen::new()).await.unwrap();
    let (evidence, run) = (target.evidence(), execution.history.ids().platform_run_id);
    let mut closures = execution.history.closures();
    if let Some(run) = &run {
        closures.extend(evidence.committed(run).await.unwrap());
    }
    let chain = Chain::read(&evidence, closures).await;
    assert_eq!(chain.problems, Vec::<String>::new());
    let wanted = Wanted {
        execution_arn: &ended.arn,
        events: &execution.events,
        chain: &chain,
        run: run.as_ref(),
        receipt_key: None,
    };
    assert_eq!(
        mirror(&evidence, &wanted, &dir).await.unwrap().problems,
        Vec::<String>::new()
    );
    dir
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
pub(crate) async fn replayed(dir: &std::path::Path) -> Vec<Vec<String>> {
    let report = replay(dir).await;
    assert_eq!(report.standing, Replayed::Equal, "{report:#?}");
    // The engine's history tells of one of them; a run may have been resumed before it was mirrored, and after.
    let told = report
        .executions
        .iter()
        .filter(|execution| execution.input == InputSource::ExecutionHistory);
    assert_eq!(told.count(), 1);
    let steps = |steps: &[p1_replay::StepReport]| steps.iter().map(|step| step.step.to_string()).collect();
    report
        .executions
        .iter()
        .map(|execution| steps(&execution.steps))
        .collect()
}

fn rerun_input(summary: &serde_json::Value) -> serde_json::Value {
    summary["next_action"]["rerun_input"].clone()
}

#[test]
fn a_run_is_verified_in_its_bucket_and_in_its_mirror_and_replays() {
    on_stage(async |stage| {
        let ended = stage.run().await.expect_advance();
        let report = audit(stage, &run_root(&ended)).await;
        assert_eq!(report.standing, Standing::Pinned, "{:?}", report.findings);
        let last = last_summary(&ended);
        let folder = last.rsplit_once('/').unwrap().0;
        for place in [
            last.as_str(),
            folder,
            &last.replace("m3j_execution_summary", "m3_execution_summary"),
            &stage.folders(&ended).await["M3.E"],
        ] {
            let again = audit(stage, place).await;
            assert_eq!(
                (again.standing, again.counts),
                (Standing::Pinned, report.counts),
                "{place}"
            );
        }
        let dir = mirrored(stage, &ended, "advance").await;
        let offline = verify(&dir, &[]);
        assert_eq!(offline.standing, Standing::Pinned, "{:?}", offline.findings);
        assert_eq!((offline.counts, offline.run), (report.counts, report.run));
        let steps = replayed(&dir).await;
        assert_eq!((steps.len(), steps[0].len()), (1, 10));
        assert!(expect_valid(stage, &[dir]) > 45);
    });
}

#[test]
fn a_held_and_resumed_run_is_verified_by_each_of_its_verdicts_and_replays_as_a_whole() {
    on_stage(async |stage| {
        let good = stage.registry();
        let broken = good.replace("runtime_lane,trace_id\"", "trace_id\"");
        stage.put_registry(&broken).await;
        let held = stage.run().await.expect_hold(&["M3F-B3"]);
        assert_eq!(audit(stage, &run_root(&held)).await.standing, Standing::Held);
        let dir = mirrored(stage, &held, "held").await;
        assert_eq!(verify(&dir, &[]).standing, Standing::Held);
        assert_eq!(replayed(&dir).await[0].len(), 8);

        stage.put_registry(&good).await;
        let resumed = stage
            .start(&rerun_input(&stage.phase_summary(&held).await))
            .await
            .expect_advance();
        let report = audit(stage, &run_root(&resumed)).await;
        assert_eq!(report.standing, Standing::Pinned, "{:?}", report.findings);
        assert_eq!(audit(stage, &last_summary(&resumed)).await.standing, Standing::Pinned);
        let first = audit(stage, &last_summary(&held)).await;
        assert_eq!(first.standing, Standing::Held, "{:?}", first.findings);
        let dir = mirrored(stage, &resumed, "resumed").await;
        assert_eq!(verify(&dir, &[]).standing, Standing::Pinned);
        let steps = replayed(&dir).await;
        assert_eq!((steps[0].len(), steps[1].len()), (8, 6), "{steps:?}");
        assert_eq!(steps[1][0], "ADMISSION");
        assert!(expect_valid(stage, &[dir]) > 60);
    });
}

#[test]
fn a_run_that_was_held_before_it_had_an_id_is_found_by_its_last_folder() {
    on_stage(async |stage| {
        let broken = stage
            .registry()
            .replace("CONFIG_DIGEST_ALGO = \"sha256\"", "CONFIG_DIGEST_ALGO = \"TO_PIN\"");
        stage.put_registry(&broken).await;
        let held = stage.run().await.expect_hold(&["M3A-B2"]);
        let report = audit(stage, &last_summary(&held)).await;
        assert_eq!(report.standing, Standing::Held, "{:?}", report.findings);
        let folders = stage.folders(&held).await;
        let refused = audited(stage, &stage.s3, &folders["M3.A"])
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains("M3.J folder leads on"), "{refused}");
        let dir = mirrored(stage, &held, "held-at-once").await;
        assert_eq!(verify(&dir, &[]).standing, Standing::Held);
        assert_eq!(replayed(&dir).await, [["M3.A", "M3.I", "M3.J"]]);
    });
}

/// Only the bucket knows: the latest version of the key is what it was.
#[test]
fn a_second_version_of_a_key_is_tampering() {
    on_stage(async |stage| {
        let ended = stage.run().await.expect_advance();
        let folders = stage.folders(&ended).await;
        let key = format!("{}m3c_run_config_digest_snapshot.json", folders["M3.C"]);
        let bytes = stage.get(&key).await;
        for body in [&b"theirs"[..], &bytes] {
            let request = stage.s3.put_object().bucket(stage.platform.evidence_bucket()).key(&key);
            request.body(ByteStream::from(body.to_vec())).send().await.unwrap();
        }
        for place in [run_root(&ended), last_summary(&ended)] {
            let report = audit(stage, &place).await;
            assert_eq!(report.standing, Standing::Tampered);
            let found: Vec<(&str, &str)> = report
                .findings
                .iter()
                .map(|f| (f.subject.as_str(), f.detail.as_str()))
                .collect();
            assert_eq!(found, [(key.as_str(), "has 3 versions: it was overwritten")]);
        }
    });
}

/// What may not be read says nothing of the evidence; neither does what gives no answer.
#[test]
fn what_cannot_be_read_is_named_and_is_no_tampering() {
    on_stage(async |stage| {
        let ended = stage.run().await.expect_advance();
        let root = run_root(&ended);
        for place in [
            "evidence/runs/platform_20200101T000000Z/",
            "evidence/dev_full/run_control/m3j_20200101T000000Z_0123456789ab/",
        ] {
            let error = audited(stage, &stage.s3, place).await.unwrap_err();
            assert!(matches!(&error, BucketError::NoEvidence { .. }), "{error}");
        }
        let (_, place) = Place::parse(&format!("s3://bucket/{root}")).unwrap();
        let nowhere = Evidence {
            s3: stage.s3.clone(),
            bucket: BucketName::parse("no-such-bucket-at-all").unwrap(),
        };
        let error = read(&nowhere, &place).await.unwrap_err();
        assert!(
            matches!(&error, BucketError::Unread(unread) if unread.is_no_bucket()),
            "{error}"
        );

        let proxy = Proxy::before(stage.platform.endpoint()).await;
        let client = |endpoint: &str| {
            let config = aws_sdk_s3::config::Builder::from(&stage.platform.sdk_config())
                .endpoint_url(endpoint)
                .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
                .force_path_style(true);
            aws_sdk_s3::Client::from_conf(config.build())
        };
        let through = client(&proxy.endpoint());
        let (mut refused, mut call) = (0, 0);
        loop {
            proxy.plan(Some(Plan {
                write: false,
                call,
                wrong: if call % 2 == 0 { Wrong::Refused } else { Wrong::Reset },
                scope: Scope::Always,
            }));
            let said = audited(stage, &through, &root).await;
            let Some(struck) = proxy.struck() else { break };
            refused += 1;
            let words = match said {
                Err(BucketError::Unread(error)) => error.to_string(),
                Err(error) => panic!("{struck}: {error}"),
                Ok(report) => {
                    assert_eq!(report.standing, Standing::Incomplete, "{struck}: {:?}", report.findings);
                    assert!(report.findings.iter().all(|finding| finding.grade == Grade::Incomplete));
                    json!(report.findings).to_string()
                }
            };
            let remedy = if call % 2 == 0 {
                "s3:GetObjectVersion"
            } else {
                "AWS_ENDPOINT_URL"
            };
            assert!(words.contains(remedy), "{struck}: {words}");
            call += 3;
        }
        assert!(refused > 20, "{refused}");
        proxy.plan(None);
        assert_eq!(
            audited(stage, &through, &root).await.unwrap().standing,
            Standing::Pinned
        );

        let closed = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let error = audited(stage, &client(&format!("http://{closed}")), &root)
            .await
            .unwrap_err();
        assert!(matches!(&error, BucketError::Unread(_)), "{error}");
    });
}
