//! The answer table of the contract's section 2, row by row.

use p1_contract::ids::{BucketName, S3Key};

use super::{MemoryStore, PutAnswer, Read, Store, Written};

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
    let versions = bench.store.list_versions(&bench.bucket, "evidence/").await.unwrap();
    assert_eq!((versions.len(), versions[0].versions), (1, 1));
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
async fn reads_are_bounded() {
    let bench = bench();
    bench.memory.seed(BUCKET, KEY, "12345");
    let read = bench.store.read(&bench.bucket, &bench.key, None, 4).await.unwrap();
    assert_eq!(read, Read::TooLarge(5));
}
