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

/// Of each row: what lies at the key, what the first PUTs answer, and what becomes of a write of `{}`.
#[tokio::test]
async fn every_row_of_the_answer_table() {
    let unknown = |why: &str| PutAnswer::Unknown(why.to_owned());
    let created = |version: &str| PutAnswer::Created {
        version_id: Some(version.to_owned()),
    };
    let refused = PutAnswer::Refused("403 AccessDenied".to_owned());
    for (row, there, answers, expected) in [
        ("other bytes are never replaced", Some("theirs"), vec![], "Occupied"),
        (
            "a conflict is tried again",
            None,
            vec![PutAnswer::Conflict; 2],
            "Stored",
        ),
        ("lost after the write", Some("{}"), vec![unknown("timed out")], "Stored"),
        (
            "lost, and theirs",
            Some("theirs"),
            vec![unknown("timed out")],
            "Occupied",
        ),
        (
            "lost before the write",
            None,
            vec![unknown("connection lost")],
            "Stored",
        ),
        ("never learned", None, vec![unknown("503"); 4], "Inconclusive(\"503"),
        ("a refusal is not tried again", None, vec![refused], "Refused"),
        ("not there when read back", None, vec![created("gone")], "Vanished"),
        (
            "altered when read back",
            Some("[]"),
            vec![created("v000001")],
            "Altered",
        ),
    ] {
        let bench = bench();
        if let Some(bytes) = there {
            bench.memory.seed(BUCKET, KEY, bytes);
        }
        bench.memory.script(answers);
        let written = format!("{:?}", bench.create("{}").await);
        assert!(written.starts_with(expected), "{row}: {written}");
        let now = bench.memory.dump(BUCKET).remove(KEY);
        let left = there.or((expected == "Stored").then_some("{}"));
        assert_eq!(now.as_deref(), left.map(str::as_bytes), "{row}");
    }
}

#[tokio::test]
async fn what_may_not_be_read_is_inconclusive_and_neither_conflict_nor_pass() {
    let bench = bench();
    bench.memory.seed(BUCKET, KEY, "theirs");
    bench.memory.deny(BUCKET, KEY);
    assert!(matches!(bench.create("ours").await, Written::Inconclusive(_)));
}

#[tokio::test]
async fn versions_and_delete_markers_are_counted_and_foreign_keys_are_listed() {
    let bench = bench();
    let never = bench.store.versions_of(&bench.bucket, &bench.key).await.unwrap();
    assert_eq!(never.versions, 0);
    bench.create("{}").await;
    for foreign in ["a.json/", "a.json//x", "../a", "\u{1}"] {
        bench.memory.seed(BUCKET, &format!("evidence/{foreign}"), "theirs");
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
    let occupied = store.create(&bucket, &key, "a", b"[]").await;
    assert_eq!(occupied, Written::Occupied { found });
    let refused = store.create(&bucket, &other, "b", b"{}").await;
    assert!(matches!(refused, Written::Refused(_)), "{refused:?}");
    recording.note_ends([(other.clone(), Written::Vanished)].into());
    assert_eq!(store.create(&bucket, &other, "b", b"{}").await, Written::Vanished);
    // A stored object that the recording lacks is answered with its version.
    let stored = (other.clone(), Written::Stored(stored));
    recording.note_ends([stored, (key.clone(), Written::Vanished)].into());
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
    let found = store.read(&bucket, &key, Some("v7"), 10).await.unwrap();
    assert!(matches!(found, Read::Found(_)), "{found:?}");
    assert_eq!(store.read(&bucket, &key, Some("v8"), 10).await.unwrap(), Read::NotFound);
    assert!(store.list(&bucket, "evidence/", 1).await.is_err());
    assert!(store.list_versions(&bucket, "evidence/", 1).await.is_err());
    assert!(store.posture(&bucket).await.is_err());
}
