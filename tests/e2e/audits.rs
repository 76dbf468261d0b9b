//! What an auditor does with a run on the real engine: verify it where it lies, mirror it, verify and replay the mirror.

use aws_sdk_s3::primitives::ByteStream;
use p1::bucket::evidence::Evidence;
use p1::bucket::verify::{BucketError, Place, read};
use p1_audit::findings::Grade;
use p1_audit::verify::Standing;
use p1_contract::ids::BucketName;
use p1_tests::directories::verify;
use p1_tests::stage::{Ended, on_stage};
use serde_json::json;

use crate::aws_failures::proxy::{Plan, Proxy, Scope, Wrong};
use crate::mirrors::{audit, audit_by, expect_valid, mirrored, replayed, run_root};

fn last_summary(ended: &Ended) -> String {
    ended.outcome()["closure"]["key"].as_str().unwrap().to_owned()
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
        let held = stage.held_run().await;
        assert_eq!(audit(stage, &run_root(&held)).await.standing, Standing::Held);
        let dir = mirrored(stage, &held, "held").await;
        assert_eq!(verify(&dir, &[]).standing, Standing::Held);
        assert_eq!(replayed(&dir).await[0].len(), 8);

        let resumed = stage.start(&stage.rerun_input(&held).await).await.expect_advance();
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
        let refused = audit_by(stage, &stage.s3, &folders["M3.A"])
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains("M3.J folder leads on"), "{refused}");
        let dir = mirrored(stage, &held, "held-at-once").await;
        assert_eq!(verify(&dir, &[]).standing, Standing::Held);
        assert_eq!(replayed(&dir).await, [["M3.A", "M3.I", "M3.J"]]);
    });
}

/// The latest version of the key has the right bytes; only the bucket's list of versions shows what happened.
#[test]
fn a_second_version_of_a_key_is_tampering() {
    on_stage(async |stage| {
        let ended = stage.run().await.expect_advance();
        let folders = stage.folders(&ended).await;
        let key = format!("{}m3c_run_config_digest_snapshot.json", folders["M3.C"]);
        let bytes = stage.get(&key).await;
        for body in [&b"foreign"[..], &bytes] {
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

/// A refused or failed read proves nothing about the evidence: the report is incomplete, and says what to do.
#[test]
fn evidence_that_cannot_be_read_is_named_and_is_incomplete() {
    on_stage(async |stage| {
        let ended = stage.run().await.expect_advance();
        let root = run_root(&ended);
        for place in [
            "evidence/runs/platform_20200101T000000Z/",
            "evidence/dev_full/run_control/m3j_20200101T000000Z_0123456789ab/",
        ] {
            let error = audit_by(stage, &stage.s3, place).await.unwrap_err();
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
            let result = audit_by(stage, &through, &root).await;
            let Some(struck) = proxy.struck() else { break };
            refused += 1;
            let text = match result {
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
            assert!(text.contains(remedy), "{struck}: {text}");
            call += 3;
        }
        assert!(refused > 20, "{refused}");
        proxy.plan(None);
        assert_eq!(
            audit_by(stage, &through, &root).await.unwrap().standing,
            Standing::Pinned
        );

        let closed = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let error = audit_by(stage, &client(&format!("http://{closed}")), &root)
            .await
            .unwrap_err();
        assert!(matches!(&error, BucketError::Unread(_)), "{error}");
    });
}
