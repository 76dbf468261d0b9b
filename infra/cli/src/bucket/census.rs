//! What a bucket says about the keys of a run, beyond the objects themselves: which keys were overwritten or deleted, which
//! objects below the run's root are not P1's, and which holders of the ledger left no evidence.
//!
//! `cargo p1 verify s3://…` judges by it, and a mirror stores it as `object_versions.json`.

use std::collections::{BTreeMap, BTreeSet};

use p1_audit::object_versions::KeyHistory;
use p1_contract::ids::{Environment, PhaseExecutionId, PlatformRunId, below_run_control};
use p1_contract::ledger::{LedgerKind, LedgerRecord};
use p1_contract::owner::Owner;
use p1_contract::step::Step;

use crate::bucket::chain::Chain;
use crate::bucket::evidence::{ENOUGH_SILENCE, Evidence, ReadError, Version};

/// The largest number of holders that are looked up, in addition to those whose closures were reached.
const MOST_ASKED: usize = 100;

/// What a bucket says about the keys of a run.
#[derive(Debug, Default)]
pub struct Census {
    /// The versions and delete markers of P1's own keys, the latest first, by key.
    pub versions: BTreeMap<String, Vec<Version>>,
    /// The keys below the run's root that are not P1's, in order.
    pub foreign: Vec<String>,
    /// The prefixes that could not be listed.
    pub unlisted: Vec<(String, ReadError)>,
}

impl Census {
    /// Takes the census of the objects that `chain` names, of the folders of its closures, of `folders`, and of the run's root.
    pub async fn take(evidence: &Evidence, chain: &Chain, run: Option<&PlatformRunId>, folders: &[String]) -> Self {
        let mut census = Self::default();
        let root = run.map(PlatformRunId::run_root);
        let ledger = run.map(PlatformRunId::ledger_prefix);
        let named: BTreeSet<&str> = chain.listed.iter().map(|listed| listed.key.as_str()).collect();
        let mut prefixes: BTreeSet<String> = chain.folders.iter().chain(folders).cloned().collect();
        prefixes.extend(ledger.clone());
        // Other writers also use the run's root, and the places of an event's claim and of the day's cost answer. There, each key
        // is looked up on its own. M2's receipt and other inputs are left out, because their owners may write them again.
        let in_ledger = |key: &str| ledger.as_ref().is_some_and(|ledger| key.starts_with(ledger));
        let below = |key: &str| root.as_ref().is_some_and(|root| key.starts_with(root)) && !in_ledger(key);
        let beside = |key: &str| below_run_control(key).is_some_and(|rest| rest.starts_with('_'));
        prefixes.extend(
            named
                .iter()
                .filter(|key| below(key) || beside(key))
                .map(|key| (*key).to_owned()),
        );
        for prefix in prefixes {
            // Whoever had no answer in a minute waits as long for each of the twenty others.
            let silence: usize = census.unlisted.iter().map(|(_, error)| error.silence()).sum();
            if silence >= ENOUGH_SILENCE {
                let why = ReadError::not_asked("list the versions of", &evidence.bucket, &prefix);
                census.unlisted.push((prefix, why));
                continue;
            }
            let is_key = !prefix.ends_with('/');
            match evidence.versions(&prefix).await {
                Ok(found) => {
                    for version in found.into_iter().filter(|version| !is_key || version.key == prefix) {
                        // Consoles create such a key for a folder.
                        if version.key.ends_with('/') {
                            census.foreign.push(version.key);
                        } else {
                            census.versions.entry(version.key.clone()).or_default().push(version);
                        }
                    }
                }
                Err(error) => census.unlisted.push((prefix, error)),
            }
        }
        if let Some(root) = root {
            match evidence.keys(&root).await {
                Ok(keys) => {
                    let is_own = |key: &str| named.contains(key) || in_ledger(key);
                    census.foreign.extend(keys.into_iter().filter(|key| !is_own(key)));
                }
                Err(error) => census.unlisted.push((root, error)),
            }
        }
        census.foreign.sort();
        census.foreign.dedup();
        census
    }

    /// The history of every key of P1.
    #[must_use]
    pub fn histories(&self) -> Vec<KeyHistory> {
        self.versions
            .iter()
            .map(|(key, versions)| history(key, versions))
            .collect()
    }
}

/// The history of a key with these versions.
pub(super) fn history(key: &str, versions: &[Version]) -> KeyHistory {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let delete_markers = versions.iter().filter(|version| version.is_delete_marker).count();
    KeyHistory {
        key: key.to_owned(),
        versions: count(versions.len() - delete_markers),
        delete_markers: count(delete_markers),
    }
}

/// The ACQUIRED records of executions that left nothing in the bucket: no closure of theirs was reached, and the folder that a
/// holder writes into first does not exist. A holder that was stopped between its record and its observations also leaves such a
/// record. The record therefore shows that evidence is missing, not that it was changed. Where nothing says in which environment the
/// run was pinned, nothing is known of its holders either, and none is named.
///
/// # Errors
/// Fails if S3 does not answer, or refuses.
pub async fn ghosts(
    evidence: &Evidence,
    chain: &Chain,
    ledger: impl IntoIterator<Item = LedgerRecord>,
) -> Result<Vec<u32>, ReadError> {
    let mut reached = chain.folders.iter();
    let Some((environment, _)) = reached.find_map(|folder| Environment::of_key(folder)) else {
        return Ok(Vec::new());
    };
    let mut ghosts = Vec::new();
    let mut asked = 0;
    for record in ledger {
        let folder = |owner: Owner| {
            let stamp = record.holder_stamp_utc;
            environment.phase_folder(&PhaseExecutionId::derive(owner, stamp, record.holder.as_str()))
        };
        let is_reached = Owner::all().any(|owner| chain.folders.contains(&folder(owner)));
        if record.kind != LedgerKind::Acquired || is_reached || asked == MOST_ASKED {
            continue;
        }
        asked += 1;
        let first = if record.sequence == 1 {
            folder(Step::HandleClosure.into())
        } else {
            folder(Owner::Admission)
        };
        if evidence.is_empty(&first).await? {
            ghosts.push(record.sequence);
        }
    }
    Ok(ghosts)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The versions of a key, the latest first: each with its id, and whether it is a delete marker.
    pub(in crate::bucket) fn versions(key: &str, of_key: &[(&str, bool)]) -> (String, Vec<Version>) {
        let version = |(id, is_delete_marker): &(&str, bool)| Version {
            key: key.to_owned(),
            version_id: Some((*id).to_owned()),
            is_delete_marker: *is_delete_marker,
        };
        (key.to_owned(), of_key.iter().map(version).collect())
    }

    #[test]
    fn a_second_version_and_a_delete_marker_are_problems() {
        let census = Census {
            versions: BTreeMap::from([
                versions("a", &[("1", false)]),
                versions("b", &[("2", false), ("1", false)]),
                versions("c", &[("2", true), ("1", false)]),
            ]),
            ..Census::default()
        };
        let found = census.histories();
        let found: Vec<(&str, String)> = found
            .iter()
            .map(|history| (history.key.as_str(), history.problems().join("; ")))
            .collect();
        let expected = [
            ("a", ""),
            ("b", "has 2 versions: it was overwritten"),
            ("c", "has 1 delete markers: it was deleted"),
        ];
        assert_eq!(found, expected.map(|(key, problems)| (key, problems.to_owned())));
    }
}
