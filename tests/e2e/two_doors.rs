//! Two doors to one thing apply the same rules: a directory and the bucket that it mirrors, a platform that was just started and
//! one that runs have used. Both doors get the same inputs from the same generator.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use fastrand::Rng;
use p1::ExitStatus;
use p1::drive::preflight::{Inputs, OracleFile};
use p1::drive::seed::{self, Unnamed};
use p1::drive::target::Target;
use p1_audit::verify::{Report, Standing};
use p1_contract::ids::{BucketName, S3Key};
use p1_tests::directories::verify;
use p1_tests::drawn::Draws;
use p1_tests::stage::{Ended, Stage, beside_stage, on_stage};
use serde_json::json;

use crate::mirrors::{audit, mirror_of, run_root, second_implementation};

/// How many attacks a run is put to.
const ATTACKS: usize = 14;
/// How many runs a platform has seen before the one that is compared.
const SEEDS: usize = 20;

/// One attack on the bucket: what it is, and the version or marker that undoes it when it is deleted.
struct Attack {
    what: String,
    key: String,
    version: String,
}

async fn attack(stage: &Stage, rng: &mut Rng, root: &str) -> Attack {
    let bucket = stage.platform.evidence_bucket();
    let keys = stage.keys("evidence/").await;
    let key = keys[rng.usize(..keys.len())].clone();
    let folder = key.rsplit_once('/').unwrap().0.to_owned();
    let odd = [
        "m4/state.json",
        "m4//x",
        ".DS_Store",
        "run.json.bak",
        "ledger/000009.json",
        "ledger/notes",
    ];
    let (what, key, bytes) = match rng.usize(..6) {
        0 => ("the same bytes again", key.clone(), Some(stage.get(&key).await)),
        1 => ("other bytes", key, Some(b"{}\n".to_vec())),
        2 | 3 => ("hidden", key, None),
        4 => (
            "foreign, below the run's root",
            format!("{root}{}", odd[rng.usize(..odd.len())]),
            Some(b"foreign".to_vec()),
        ),
        _ => (
            "foreign, beside evidence",
            format!("{folder}/foreign.json"),
            Some(b"{}".to_vec()),
        ),
    };
    let version = match bytes {
        Some(bytes) => {
            let request = stage.s3.put_object().bucket(bucket).key(&key);
            let answer = request.body(ByteStream::from(bytes)).send().await.unwrap();
            answer.version_id
        }
        None => {
            stage
                .s3
                .delete_object()
                .bucket(bucket)
                .key(&key)
                .send()
                .await
                .unwrap()
                .version_id
        }
    };
    Attack {
        what: what.to_owned(),
        key,
        version: version.unwrap(),
    }
}

async fn undo(stage: &Stage, attack: &Attack) {
    let request = stage.s3.delete_object().bucket(stage.platform.evidence_bucket());
    let request = request.key(&attack.key).version_id(&attack.version);
    request.bypass_governance_retention(true).send().await.unwrap();
}

/// What a report comes to: its standing, and what its findings are about.
fn said(report: &Report) -> (Standing, BTreeSet<String>) {
    let subjects = report.findings.iter().map(|finding| finding.subject.clone());
    (report.standing, subjects.collect())
}

/// Puts a run to attacks, one at a time. The bucket, its mirror and the second implementation say the same of each.
async fn attacked(stage: &Stage, ended: &Ended, intact: Standing, seed: u64) -> String {
    let root = run_root(ended);
    assert_eq!(audit(stage, &root).await.standing, intact);
    let mut rng = Rng::with_seed(seed);
    let (mut standings, mut differ) = (BTreeMap::<String, usize>::new(), Vec::new());
    for _ in 0..ATTACKS {
        let attack = attack(stage, &mut rng, &root).await;
        let bucket = said(&audit(stage, &root).await);
        let (_, dir) = mirror_of(stage, ended, "attacked", None).await;
        let directory = said(&verify(&dir, &[]));
        let second = second_implementation(&dir);
        let status = i32::from(ExitStatus::Verified(bucket.0).code());
        if bucket != directory || second != Some(status) {
            let Attack { what, key, .. } = &attack;
            differ.push(format!(
                "{what}: {key}: bucket {bucket:?}, directory {directory:?}, verify.py {second:?}"
            ));
        }
        *standings.entry(format!("{:?}", bucket.0)).or_default() += 1;
        undo(stage, &attack).await;
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(standings.contains_key("Tampered"), "{standings:?}");
    assert_eq!(audit(stage, &root).await.standing, intact, "an attack was not undone");
    format!("directory and bucket: {ATTACKS} attacks on a run that is {intact:?}, the same of all: {standings:?}")
}

#[test]
fn a_directory_and_its_bucket_say_the_same_of_every_attack() {
    on_stage(async |stage| {
        let advanced = stage.run().await.expect_advance();
        println!("{}", attacked(stage, &advanced, Standing::Pinned, 1).await);
    });
    on_stage(async |stage| {
        let held = stage.held_run().await;
        println!("{}", attacked(stage, &held, Standing::Held, 2).await);
    });
}

/// The stack's places, in buckets that no run has used.
async fn fresh(stage: &Stage, target: &Target, name: &str) -> Target {
    let mut fresh = target.clone();
    let mut buckets = Vec::new();
    for role in ["inputs", "objects"] {
        let bucket = format!("two-doors-{name}-{role}");
        let region = BucketLocationConstraint::from(stage.platform.region());
        let place = CreateBucketConfiguration::builder().location_constraint(region).build();
        let request = stage.s3.create_bucket().bucket(&bucket);
        request.create_bucket_configuration(place).send().await.unwrap();
        buckets.push(BucketName::parse(&bucket).unwrap());
    }
    let places = fresh.stack_outputs.iter_mut().chain(fresh.billing.as_mut());
    for place in places.chain([&mut fresh.registry]) {
        place.bucket = buckets[0].clone();
    }
    fresh.object_store_bucket = Some(buckets[1].clone());
    fresh
}

/// Every object that a run could read, by bucket's role and key.
async fn visible(target: &Target) -> BTreeMap<String, Vec<u8>> {
    let mut objects = BTreeMap::new();
    let buckets = [&target.registry.bucket, target.object_store_bucket.as_ref().unwrap()];
    for (role, bucket) in buckets.into_iter().enumerate() {
        let listed = target
            .s3
            .list_objects_v2()
            .bucket(bucket.as_str())
            .send()
            .await
            .unwrap();
        for key in listed.contents().iter().filter_map(|object| object.key()) {
            let request = target.s3.get_object().bucket(bucket.as_str()).key(key);
            let body = request.send().await.unwrap().body.collect().await.unwrap();
            objects.insert(format!("{role}:{key}"), body.to_vec());
        }
    }
    objects
}

async fn seeded(target: &Target, inputs: &Inputs) -> Result<(), String> {
    let unnamed = Unnamed::of(target, inputs).await.unwrap();
    let plan =
        seed::plan(target, inputs, unnamed, jiff::civil::date(2026, 11, 29)).map_err(|error| error.to_string())?;
    seed::upload(&target.s3, &plan).await.unwrap();
    Ok(())
}

/// What earlier runs were given is not seen by a run on the same platform: it reads what it names and the sample's rest.
#[test]
fn a_used_platform_gives_a_run_what_a_new_one_gives() {
    beside_stage(async |stage| {
        let target = Target::new(stage.platform.deployment(), &stage.platform.sdk_config(), true).unwrap();
        let used = fresh(stage, &target, "used").await;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("manifest.json");
        std::fs::write(&file, "{}").unwrap();
        let mut rng = Rng::with_seed(5);
        for (number, drawn) in Draws::of(23, &stage.registry(), "test-evidence")
            .take(SEEDS)
            .enumerate()
        {
            let mut inputs = Inputs::default();
            if rng.bool() {
                inputs.registry = Some(drawn.registry);
            }
            if rng.bool() {
                inputs.stack_outputs = vec![drawn.stack_outputs];
            }
            if rng.bool() {
                inputs.billing = Some(format!("{{\"n\": {number}}}").into_bytes());
            }
            if rng.bool() {
                let key = S3Key::parse(&format!("oracle/{number}.json")).unwrap();
                inputs.oracle = Some(vec![OracleFile {
                    key,
                    path: file.clone(),
                }]);
            }
            let new = fresh(stage, &target, &number.to_string()).await;
            assert_eq!(
                seeded(&used, &inputs).await,
                seeded(&new, &inputs).await,
                "{}",
                drawn.what
            );
            let (used, new) = (visible(&used).await, visible(&new).await);
            assert_eq!(
                used.keys().collect::<Vec<_>>(),
                new.keys().collect::<Vec<_>>(),
                "{}: {number}",
                drawn.what
            );
            assert!(used == new, "{}: {number}: the bytes of an object differ", drawn.what);
        }
        println!("a new platform and a used one: {SEEDS} runs, each with the same inputs on both");

        // With an execution input, nothing of the sample takes the place of what is there.
        let before = visible(&used).await;
        let rerun = Inputs {
            input: Some(json!({"resume": {}})),
            ..Inputs::default()
        };
        seeded(&used, &rerun).await.unwrap();
        assert!(
            visible(&used).await == before,
            "an execution input changed the platform's inputs"
        );
        let new = fresh(stage, &target, "with-input").await;
        seeded(&new, &rerun).await.unwrap();
        assert!(
            !visible(&new).await.is_empty(),
            "a platform without a registry got none"
        );
    });
}
