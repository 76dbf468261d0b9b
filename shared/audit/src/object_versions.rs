//! `object_versions.json`: what a bucket said of the keys of a run when it was mirrored.

use serde::{Deserialize, Serialize};

/// The most foreign keys that are named; the others are counted.
pub const MOST_NAMED: usize = 100;
/// The history of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyHistory {
    /// The key.
    pub key: String,
    /// How many versions it has.
    pub versions: u32,
    /// How many delete markers it has.
    pub delete_markers: u32,
}

/// Objects that are not P1's. They are no evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Foreign {
    /// How many there are.
    pub count: u64,
    /// Their keys in order, the first hundred.
    pub keys: Vec<String>,
}

impl Foreign {
    /// The objects with these keys, in their order.
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
    /// What lies below the run's root and is not P1's.
    pub foreign: Foreign,
    /// Records of the ledger by holders of whom there is no evidence in the bucket.
    pub ghosts: Vec<u32>,
}

impl KeyHistory {
    /// What is wrong with it, in words: P1 writes a key once and never deletes it.
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

/// What is said of records whose holders left no evidence.
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
