//! Tests the answer table of the contract's section 2, row by row.

use p1_contract::hash::Sha256Hex;
use p1_contract::ids::{BucketName, S3Key};
use p1_contract::observations::Written;

use super::{MemoryStore, Object, PutAnswer, Read, RecordedStore, Store};

const BUCKET: &str = "evidence";
const KEY: &str = "evidence/a.json";

struct Bench {
    memory: MemoryStore,
    store: Store,
    bucket: BucketName,
    key: S3Key,
}

fn bench() -> Bench {
    let memory = MemoryStore::with_buckets(&[BUCKET]);
    Bench {
        store: Store::Memory(memory.clone()),
        memory,
        bucket: BucketName::parse(BUCKET).unwrap(),
        key: S3Key::parse(KEY).unwrap(),
    }
}

impl Bench {
    async fn create(&self, bytes: &str) -> Written {
        self.store.create(&self.bucket, &self.key, "a", bytes.as_bytes()).await
    }
}

#[tokio::test]
async fn created_and_read_back_is_stored() {
    let bench = bench();
    let Written::Stored(artifact) = bench.create("{}").await else {
        panic!("not stored")
    };
    assert_eq!((artifact.bytes, artifact.version_id.as_deref()), (2, Some("v000001")));
}

#[tokio::test]
async fn written_twice_is_one_version_and_success() {
    let bench = bench();
    let first = bench.create("{}").await;
    assert_eq!(bench.create("{}").await, first);
    let versions = bench.store.list_versions(&bench.bucket, "evidence/", 9).await.unwrap();
    assert_eq!((versions.counts.len(), versions.counts[0].versions), (1, 1));
}

#[tokio::test]
async fn other_bytes_are_never_replaced() {
    let bench = bench();
    bench.memory.seed(BUCKET, KEY, "theirs");
    assert!(matches!(bench.create("ours").await, Written::Occupied { .. }));
    assert_eq!(bench.memory.dump(BUCKET)[KEY], b"theirs");
}

#[tokio::test]
async fn a_conflict_is_tried_again() {
    let bench = bench();
    bench.memory.script(vec![PutAnswer::Conflict, PutAnswer::Conflict]);
    assert!(bench.create("{}").await.stored().is_some());
}

#[tokio::test]
async fn a_lost_answer_after_the_write_is_recognised_by_the_bytes() {
    let bench = bench();
    bench.memory.seed(BUCKET, KEY, "{}");
    bench.memory.script(vec![PutAnswer::Unknown("timed out".to_owned())]);
    assert!(bench.create("{}").await.stored().is_some());
}

#[tokio::test]
async fn a_lost_answer_to_somebody_elses_write_is_a_conflict() {
    let bench = bench();
    bench.memory.seed(BUCKET, KEY, "theirs");
    bench.memory.script(vec![PutAnswer::Unknown("timed out".to_owned())]);
    assert!(matches!(bench.create("ours").await, Written::Occupied { .. }));
}

#[tokio::test]
async fn a_lost_answer_before_the_write_is_tried_again() {
    let bench = bench();
    bench
        .memory
        .script(vec![PutAnswer::Unknown("connection lost".to_owned())]);
    assert!(bench.create("{}").await.stored().is_some());
}

#[tokio::test]
async fn what_cannot_be_learned_is_inconclusive_and_neither_conflict_nor_pass() {
    let bench = bench();
    bench
        .memory
        .script(vec![PutAnswer::Unknown("503 SlowDown".to_owned()); 4]);
    let written = bench.create("{}").await;
    assert!(
        matches!(&written, Written::Inconclusive(why) if why.contains("503")),
        "{written:?}"
    );

    let bench = self::bench();
    bench.memory.seed(BUCKET, KEY, "theirs");
    bench.memory.deny(BUCKET, KEY);
    assert!(matches!(bench.create("ours").await, Written::Inconclusive(_)));
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let bench = bench();
    bench
        .memory
        .script(vec![PutAnswer::Refused("403 AccessDenied".to_owned())]);
    assert!(matches!(bench.create("{}").await, Written::Refused(_)));
    assert!(bench.memory.dump(BUCKET).is_empty());
}

#[tokio::test]
async fn an_object_that_is_not_there_when_read_back_has_vanished() {
    let bench = bench();
    bench.memory.script(vec![PutAnswer::Created {
        version_id: Some("gone".to_owned()),
    }]);
    assert_eq!(bench.create("{}").await, Written::Vanished);
}

#[tokio::test]
async fn what_is_read_back_with_other_bytes_is_altered() {
    let bench = bench();
    let version = bench.memory.seed(BUCKET, KEY, "[]");
    bench.memory.script(vec![PutAnswer::Created {
        version_id: Some(version),
    }]);
    assert!(matches!(bench.create("{}").await, Written::Altered { .. }));
}

#[tokio::test]
async fn versions_and_delete_markers_are_counted_and_foreign_keys_are_listed() {
    let bench = bench();
    assert_eq!(
        bench
            .store
            .versions_of(&bench.bucket, &bench.key)
            .await
            .unwrap()
            .versions,
        0
    );
    bench.create("{}").await;
    for foreign in [
        "evidence/a.json/",
        "evidence/a.json//x",
        "evidence/../a",
        "evidence/\u{1}",
    ] {
        bench.memory.seed(BUCKET, foreign, "theirs");
    }
    let once = bench.store.versions_of(&bench.bucket, &bench.key).await.unwrap();
    assert_eq!((once.versions, once.rewritten()), (1, None));
    bench.memory.seed(BUCKET, KEY, "[]");
    bench.memory.delete(BUCKET, KEY);
    let read = bench.store.read(&bench.bucket, &bench.key, None, 9).await.unwrap();
    assert_eq!(read, Read::NotFound);
    let twice = bench.store.versions_of(&bench.bucket, &bench.key).await.unwrap();
    assert_eq!((twice.versions, twice.delete_markers), (2, 1));
    assert!(twice.rewritten().is_some());
    let listed = bench.store.list(&bench.bucket, "evidence/", 9).await.unwrap();
    assert_eq!(listed.len(), 4, "{listed:?}");
    let versions = bench.store.list_versions(&bench.bucket, "evidence/", 2).await.unwrap();
    assert_eq!((versions.counts.len(), versions.complete), (2, false));
}

#[tokio::test]
async fn reads_are_bounded() {
    let bench = bench();
    bench.memory.seed(BUCKET, KEY, "12345");
    let read = bench.store.read(&bench.bucket, &bench.key, None, 4).await.unwrap();
    assert_eq!(read, Read::TooLarge(5));
}

#[tokio::test]
async fn a_recording_answers_what_became_of_a_write_and_is_never_written_to() {
    let (bucket, key) = (BucketName::parse(BUCKET).unwrap(), S3Key::parse(KEY).unwrap());
    let other = S3Key::parse("evidence/b.json").unwrap();
    let object = Object {
        bytes: b"{}".to_vec(),
        version_id: Some("v7".to_owned()),
        etag: "e7".to_owned(),
    };
    let recording = RecordedStore::new(bucket.clone(), [(key.clone(), object)].into());
    let store = Store::Recorded(recording.clone());
    let Written::Stored(stored) = store.create(&bucket, &key, "a", b"{}").await else {
        panic!("not as recorded")
    };
    assert_eq!((stored.version_id.as_deref(), stored.etag.as_str()), (Some("v7"), "e7"));
    let found = Sha256Hex::of(b"{}");
    assert_eq!(
        store.create(&bucket, &key, "a", b"[]").await,
        Written::Occupied { found }
    );
    assert!(matches!(
        store.create(&bucket, &other, "b", b"{}").await,
        Written::Refused(_)
    ));
    recording.note_ends([(other.clone(), Written::Vanished)].into());
    assert_eq!(store.create(&bucket, &other, "b", b"{}").await, Written::Vanished);
    // A stored object that the recording lacks is answered with its version.
    recording.note_ends(
        [
            (other.clone(), Written::Stored(stored)),
            (key.clone(), Written::Vanished),
        ]
        .into(),
    );
    let Written::Stored(lost) = store.create(&bucket, &other, "b", b"[1]").await else {
        panic!("not as noted")
    };
    let expected = (Some("v7"), Sha256Hex::of(b"[1]"), "evidence/b.json");
    assert_eq!((lost.version_id.as_deref(), lost.sha256, lost.key.as_str()), expected);
    assert_eq!(store.create(&bucket, &key, "a", b"{}").await, Written::Vanished);
    let names: Vec<String> = recording.take_creations().into_iter().map(|made| made.name).collect();
    assert_eq!(names, ["a", "a", "b", "b", "b", "a"]);
    assert!(recording.take_creations().is_empty());

    assert_eq!(store.read(&bucket, &other, None, 10).await.unwrap(), Read::NotFound);
    assert!(matches!(
        store.read(&bucket, &key, Some("v7"), 10).await.unwrap(),
        Read::Found(_)
    ));
    assert_eq!(store.read(&bucket, &key, Some("v8"), 10).await.unwrap(), Read::NotFound);
    assert!(store.list(&bucket, "evidence/", 1).await.is_err());
    assert!(store.list_versions(&bucket, "evidence/", 1).await.is_err());
    assert!(store.posture(&bucket).await.is_err());
}
