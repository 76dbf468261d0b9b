//! `object_versions.json`: what a bucket said about the keys of a run when it was mirrored.

use serde::{Deserialize, Serialize};

/// The largest number of foreign keys that are named. Further ones are only counted.
pub const MOST_NAMED: usize = 100;
/// How often a key was written and deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyHistory {
    /// The key.
    pub key: String,
    /// The number of its versions.
    pub versions: u32,
    /// The number of its delete markers.
    pub delete_markers: u32,
}

/// Objects that are not P1's. They are no evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Foreign {
    /// The number of foreign objects.
    pub count: u64,
    /// The first hundred of their keys, in order.
    pub keys: Vec<String>,
}

impl Foreign {
    /// Counts these keys and names the first of them.
    #[must_use]
    pub fn of(keys: &[String]) -> Self {
        Foreign {
            count: keys.len() as u64,
            keys: keys.iter().take(MOST_NAMED).cloned().collect(),
        }
    }
}

/// `object_versions.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectVersions {
    /// P1's own keys, in order.
    pub keys: Vec<KeyHistory>,
    /// Objects below the run's root that are not P1's.
    pub foreign: Foreign,
    /// Sequence numbers of ledger records whose holders left no evidence in the bucket.
    pub ghosts: Vec<u32>,
}

impl KeyHistory {
    /// The problems, in words. P1 writes a key once and never deletes it.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.delete_markers > 0 {
            problems.push(format!("has {} delete markers: it was deleted", self.delete_markers));
        }
        if self.versions > 1 {
            problems.push(format!("has {} versions: it was overwritten", self.versions));
        }
        problems
    }
}

/// The problem with ledger records whose holders left no evidence. Returns `None` if there are no such records.
#[must_use]
pub fn ghost_problem(ghosts: &[u32]) -> Option<String> {
    let (first, more) = ghosts.split_first()?;
    Some(format!(
        "record {first} of the ledger, and {} more, name holders of whom there is no evidence",
        more.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_objects_are_counted_and_the_first_are_named() {
        let keys: Vec<String> = (0..250).map(|number| format!("k{number:03}")).collect();
        let foreign = Foreign::of(&keys);
        assert_eq!((foreign.count, foreign.keys.len()), (250, MOST_NAMED));
        assert_eq!(foreign.keys[0], "k000");
    }
}
