//! What became of a create-only write.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hash::Sha256Hex;
use crate::reference::ArtifactRef;

/// The end state of a create-only write: never the path to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// The key holds our bytes, in this version.
    Stored(ArtifactRef),
    /// The key holds other bytes.
    Occupied {
        /// Their hash.
        found: Sha256Hex,
    },
    /// What was read back is not what was written.
    Altered {
        /// The hash of what was read.
        found: Sha256Hex,
    },
    /// It was created, and is not there any more.
    Vanished,
    /// The store refuses the write.
    Refused(String),
    /// Whether it was written could not be learned.
    Inconclusive(String),
}

impl Written {
    /// The stored artifact, if it is stored.
    #[must_use]
    pub fn stored(&self) -> Option<&ArtifactRef> {
        match self {
            Written::Stored(artifact) => Some(artifact),
            _ => None,
        }
    }

    /// Why nothing of ours is stored; none where it is.
    #[must_use]
    pub fn failure(&self) -> Option<WriteFailure> {
        Some(match self.clone() {
            Written::Stored(_) => return None,
            Written::Occupied { found } => WriteFailure::Occupied { found },
            Written::Altered { found } => WriteFailure::Altered { found },
            Written::Vanished => WriteFailure::Vanished,
            Written::Refused(why) => WriteFailure::Refused(why),
            Written::Inconclusive(why) => WriteFailure::Inconclusive(why),
        })
    }

    /// The end state in words, for a blocker's detail.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Written::Stored(_) => "stored".to_owned(),
            Written::Occupied { found } => format!("the key already holds other bytes (sha256 {found})"),
            Written::Altered { found } => format!("read back with other bytes (sha256 {found})"),
            Written::Vanished => "created, and not there when read back".to_owned(),
            Written::Refused(why) => format!("the store refuses the write: {why}"),
            Written::Inconclusive(why) => format!("INCONCLUSIVE, whether it was written could not be learned: {why}"),
        }
    }
}

/// The end state of a create-only write after which nothing of ours is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WriteFailure {
    /// The key holds other bytes.
    Occupied {
        /// Their hash.
        found: Sha256Hex,
    },
    /// What was read back is not what was written.
    Altered {
        /// The hash of what was read.
        found: Sha256Hex,
    },
    /// It was created, and is not there any more.
    Vanished,
    /// The store refuses the write.
    Refused(String),
    /// Whether it was written could not be learned.
    Inconclusive(String),
}

impl From<WriteFailure> for Written {
    fn from(failure: WriteFailure) -> Self {
        match failure {
            WriteFailure::Occupied { found } => Written::Occupied { found },
            WriteFailure::Altered { found } => Written::Altered { found },
            WriteFailure::Vanished => Written::Vanished,
            WriteFailure::Refused(why) => Written::Refused(why),
            WriteFailure::Inconclusive(why) => Written::Inconclusive(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_the_end_state_that_it_came_from() {
        let found = Sha256Hex::of(b"theirs");
        for written in [
            Written::Occupied { found: found.clone() },
            Written::Altered { found },
            Written::Vanished,
            Written::Refused("may not be written".to_owned()),
            Written::Inconclusive("no answer".to_owned()),
        ] {
            let failure = written.failure().unwrap();
            let [one, other] = [serde_json::to_value(&failure), serde_json::to_value(&written)];
            assert_eq!(one.unwrap(), other.unwrap());
            assert_eq!(Written::from(failure), written);
        }
    }
}
