//! What the evidence bucket holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use p1_contract::hash::Sha256Hex;
use serde_json::Value;

use super::{Ended, PATIENCE, POLL, Stage};
use crate::scratch;

impl Stage {
    /// The bytes of an object of the evidence bucket.
    pub async fn get(&self, key: &str) -> Vec<u8> {
        let request = self.s3.get_object().bucket(self.platform.evidence_bucket()).key(key);
        let answer = request.send().await.unwrap_or_else(|e| panic!("{key}: {e:?}"));
        answer.body.collect().await.unwrap().to_vec()
    }

    /// The document at a key of the evidence bucket.
    pub async fn json(&self, key: &str) -> Value {
        serde_json::from_slice(&self.get(key).await).unwrap()
    }

    /// The keys of the evidence bucket that begin with `prefix`.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let request = self
            .s3
            .list_objects_v2()
            .bucket(self.platform.evidence_bucket())
            .prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(
                page.unwrap()
                    .contents()
                    .iter()
                    .filter_map(|object| object.key().map(str::to_owned)),
            );
        }
        keys
    }

    /// Whether an object is there.
    pub async fn exists(&self, key: &str) -> bool {
        let request = self.s3.head_object().bucket(self.platform.evidence_bucket()).key(key);
        request.send().await.is_ok()
    }

    /// Waits until an object is there.
    pub async fn await_object(&self, key: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !self.exists(key).await {
            assert!(tokio::time::Instant::now() < deadline, "{key} does not come");
            tokio::time::sleep(POLL).await;
        }
    }

    /// The versions of every object below a prefix of the evidence bucket; none of them was deleted.
    pub async fn versions(&self, prefix: &str) -> BTreeMap<String, Vec<String>> {
        self.versions_in(self.platform.evidence_bucket(), prefix).await
    }

    /// The version ids below `prefix`, by key.
    pub async fn versions_in(&self, bucket: &str, prefix: &str) -> BTreeMap<String, Vec<String>> {
        let mut versions = BTreeMap::<String, Vec<String>>::new();
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            let request = self.s3.list_object_versions().bucket(bucket).prefix(prefix);
            let request = request.set_key_marker(key_marker).set_version_id_marker(version_marker);
            let answer = request.send().await.unwrap();
            assert!(answer.delete_markers().is_empty(), "{:?}", answer.delete_markers());
            for version in answer.versions() {
                let (key, id) = (version.key().unwrap(), version.version_id().unwrap());
                versions.entry(key.to_owned()).or_default().push(id.to_owned());
            }
            if answer.is_truncated() != Some(true) {
                return versions;
            }
            key_marker = answer.next_key_marker().map(str::to_owned);
            version_marker = answer.next_version_id_marker().map(str::to_owned);
        }
    }

    /// Every object below the prefix has one version, none was deleted, and there is one at least.
    pub async fn expect_single_versions(&self, prefix: &str) {
        let versions = self.versions(prefix).await;
        assert!(!versions.is_empty(), "{prefix}");
        for (key, versions) in versions {
            assert_eq!(versions.len(), 1, "{key} has several versions");
        }
    }

    /// The folders of an execution's steps: wire name → folder.
    pub async fn folders(&self, ended: &Ended) -> BTreeMap<String, String> {
        let summary = self.phase_summary(ended).await;
        let closures = summary["closures"].as_array().unwrap().iter();
        let folder = |key: &str| key.rsplit_once('/').unwrap().0.to_owned() + "/";
        let mut folders: BTreeMap<String, String> = closures
            .map(|c| {
                (
                    c["step"].as_str().unwrap().to_owned(),
                    folder(c["key"].as_str().unwrap()),
                )
            })
            .collect();
        folders.insert(
            "M3.J".to_owned(),
            folder(ended.outcome()["closure"]["key"].as_str().unwrap()),
        );
        folders
    }

    /// The phase summary of an execution that ended with a verdict.
    pub async fn phase_summary(&self, ended: &Ended) -> Value {
        let key = ended.outcome()["closure"]["key"].as_str().unwrap().to_owned();
        self.json(&key.replace("m3j_execution_summary", "m3_execution_summary"))
            .await
    }

    /// Copies every object below the folders and the run's root into a new directory below the build folder.
    pub async fn mirror(&self, ended: &Ended, name: &str) -> PathBuf {
        let dir = scratch().join(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).unwrap();
        }
        let mut prefixes: Vec<String> = self.folders(ended).await.into_values().collect();
        if let Some(run) = ended.outcome()["platform_run_id"].as_str() {
            prefixes.push(format!("evidence/runs/{run}/"));
        }
        for prefix in prefixes {
            for key in self.keys(&prefix).await {
                let path = dir.join(&key);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, self.get(&key).await).unwrap();
            }
        }
        dir
    }

    /// Empties the evidence bucket, with all versions of its objects. For each question about versions the engine looks through
    /// all that it has, of which the tests of a whole run would leave tens of thousands.
    pub(super) async fn empty_evidence(&self) {
        let bucket = self.platform.evidence_bucket();
        loop {
            let page = self.s3.list_object_versions().bucket(bucket).send().await.unwrap();
            let versions = page
                .versions()
                .iter()
                .map(|version| (version.key(), version.version_id()));
            let markers = page
                .delete_markers()
                .iter()
                .map(|marker| (marker.key(), marker.version_id()));
            let objects: Vec<_> = versions
                .chain(markers)
                .map(|(key, version)| {
                    let object = ObjectIdentifier::builder().set_key(key.map(str::to_owned));
                    object.set_version_id(version.map(str::to_owned)).build().unwrap()
                })
                .collect();
            if objects.is_empty() {
                return;
            }
            let delete = Delete::builder()
                .quiet(true)
                .set_objects(Some(objects))
                .build()
                .unwrap();
            // The template has S3 retain evidence; whoever may, may still delete it.
            let request = self.s3.delete_objects().bucket(bucket).delete(delete);
            let request = request.bypass_governance_retention(true);
            let answer = request.send().await.unwrap();
            assert!(answer.errors().is_empty(), "{:?}", answer.errors());
        }
    }
}

/// Every summary of a mirrored run lists objects with the hashes that they have.
pub fn expect_listed_hashes(dir: &Path) -> usize {
    let mut checked = 0;
    for path in files(dir) {
        if !path.to_string_lossy().ends_with("_execution_summary.json") || path.ends_with("m3_execution_summary.json") {
            continue;
        }
        let summary: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for artifact in summary["artifacts"]
            .as_array()
            .unwrap_or_else(|| panic!("{}", path.display()))
        {
            let key = artifact["key"].as_str().unwrap();
            if key.contains("/_events/") {
                continue;
            }
            let bytes = std::fs::read(dir.join(key)).unwrap_or_else(|e| panic!("{key}: {e}"));
            assert_eq!(artifact["sha256"], Sha256Hex::of(&bytes).to_string(), "{key}");
            checked += 1;
        }
    }
    checked
}

/// All files below a directory.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
