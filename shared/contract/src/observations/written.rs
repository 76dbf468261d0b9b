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

    /// The end state in words, for a blocker's detail.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Written::Stored(_) => "stored".to_owned(),
            Written::Occupied { found } => format!("{OCCUPIED}{found})"),
            Written::Altered { found } => format!("{ALTERED}{found})"),
            Written::Vanished => VANISHED.to_owned(),
            Written::Refused(why) => format!("{REFUSED}{why}"),
            Written::Inconclusive(why) => format!("{INCONCLUSIVE}{why}"),
        }
    }

    /// The end state that [`Self::describe`] put into these words: of an object that was not stored, its blocker's detail is
    /// all that the evidence has. None for other words.
    #[must_use]
    pub fn from_description(words: &str) -> Option<Self> {
        let found = |prefix: &str| Sha256Hex::parse(words.strip_prefix(prefix)?.strip_suffix(')')?).ok();
        let why = |prefix: &str| words.strip_prefix(prefix).map(str::to_owned);
        None.or_else(|| found(OCCUPIED).map(|found| Written::Occupied { found }))
            .or_else(|| found(ALTERED).map(|found| Written::Altered { found }))
            .or_else(|| (words == VANISHED).then_some(Written::Vanished))
            .or_else(|| why(REFUSED).map(Written::Refused))
            .or_else(|| why(INCONCLUSIVE).map(Written::Inconclusive))
    }
}

const OCCUPIED: &str = "the key already holds other bytes (sha256 ";
const ALTERED: &str = "read back with other bytes (sha256 ";
const VANISHED: &str = "created, and not there when read back";
const REFUSED: &str = "the store refuses the write: ";
const INCONCLUSIVE: &str = "INCONCLUSIVE, whether it was written could not be learned: ";
