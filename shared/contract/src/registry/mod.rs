//! The handles registry: a Markdown document, the single authority for named values of the platform (contract section 3).

mod near_miss;
mod parse;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use self::near_miss::NearMiss;
use self::value::Declared;
pub use self::value::HandleValue;
use crate::ids::HandleKey;
use crate::parse_error::shown;

/// The only handle whose value is followed: it names the handle whose value it takes.
pub const SYMBOLIC_HANDLE: &str = "SR_READY_COMMIT_STATE_MACHINE";

/// How many values of a contradiction are kept.
const MAX_SHOWN_VALUES: usize = 8;

/// Why a document is no registry. All of these are faults, not blockers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// It is text in another encoding.
    #[error(
        "the handles registry is {encoding}, not UTF-8; save it as UTF-8 (in PowerShell with `Out-File -Encoding utf8`)"
    )]
    OtherEncoding {
        /// The encoding's name.
        encoding: &'static str,
    },
    /// It is not text.
    #[error("the handles registry is not UTF-8 from byte {offset} on; save it as UTF-8")]
    NotUtf8 {
        /// Where the first wrong byte is.
        offset: usize,
    },
    /// It is larger than 4 MiB.
    #[error("the handles registry has {bytes} bytes, more than the {} allowed", parse::MAX_BYTES)]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// It nests its lists and quotes deeper than anybody writes.
    #[error("line {line} of the handles registry is nested too deeply to be read; flatten its lists and quotes")]
    TooDeep {
        /// The first such line, counted from 1.
        line: usize,
    },
    /// It declares nothing.
    #[error("the handles registry declares no handle; declare one with a list item like * `KEY = \"value\"`")]
    NoHandles,
}

/// What a registry says about one handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The key is nowhere declared.
    Missing,
    /// It is declared without a usable value.
    Unresolved {
        /// What is wrong with it.
        reason: String,
    },
    /// Its value is a placeholder such as `TO_PIN`, or holds one.
    Placeholder {
        /// Which, and where.
        reason: String,
    },
    /// It is declared with different values.
    Contradiction {
        /// The first eight of them as written, shortened.
        values: Vec<String>,
    },
    /// It has this value.
    Resolved(HandleValue),
}

impl Reading {
    /// The value, when there is one.
    pub fn value(&self) -> Option<&HandleValue> {
        match self {
            Self::Resolved(value) => Some(value),
            _ => None,
        }
    }
}

/// All handles of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    handles: BTreeMap<HandleKey, Handle>,
    near_misses: BTreeMap<HandleKey, NearMiss>,
}

/// One handle, however often it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Handle {
    /// The line of its first declaration.
    line: usize,
    /// What its declarations say, as written and as read: each different value once, and at most eight.
    said: Vec<Saying>,
}

/// One value of a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Saying {
    line: usize,
    raw: String,
    declared: Declared,
}

/// Where a registry declares a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The handle.
    pub key: HandleKey,
    /// The line, counted from 1.
    pub line: usize,
    /// The bytes of the code span, with its backticks.
    pub span: Range<usize>,
    /// Whether something follows the equals sign.
    pub has_value: bool,
}

/// Every declaration of a registry, in the order of the document. A handle stands here as often as it is declared.
///
/// # Errors
/// As [`parse`], except that it may declare nothing.
pub fn places(bytes: &[u8]) -> Result<Vec<Place>, RegistryError> {
    let text = parse::text_of(bytes)?;
    parse::check_nesting(text)?;
    // The text begins behind the byte order mark.
    let start = bytes.len() - text.len();
    let (declarations, _) = parse::declarations(text);
    let place = |declaration: parse::Declaration| Place {
        key: declaration.key,
        line: declaration.line,
        span: declaration.span.start + start..declaration.span.end + start,
        has_value: declaration.value.is_some(),
    };
    Ok(declarations.into_iter().map(place).collect())
}

/// Reads a registry. Runs in time linear in its size, whatever it holds.
///
/// # Errors
/// When it is not UTF-8, larger than 4 MiB, nested absurdly deep, or declares no handle.
pub fn parse(bytes: &[u8]) -> Result<Registry, RegistryError> {
    let text = parse::text_of(bytes)?;
    parse::check_nesting(text)?;
    let mut handles: BTreeMap<HandleKey, Handle> = BTreeMap::new();
    let (declarations, hidden) = parse::declarations(text);
    for declaration in declarations {
        let line = declaration.line;
        let handle = handles
            .entry(declaration.key)
            .or_insert_with(|| Handle { line, said: Vec::new() });
        if let Some((raw, declared)) = declaration.value {
            handle.add(Saying { line, raw, declared });
        }
    }
    if handles.is_empty() {
        return Err(RegistryError::NoHandles);
    }
    let mut near_misses = near_miss::near_misses(text, &hidden);
    near_misses.retain(|key, _| !handles.contains_key(key));
    Ok(Registry { handles, near_misses })
}

impl Registry {
    /// What the registry says about this handle. Of all handles [`SYMBOLIC_HANDLE`] alone is followed, one step.
    pub fn get(&self, key: &str) -> Reading {
        let own = self.get_unfollowed(key);
        match own {
            Reading::Resolved(value) if key == SYMBOLIC_HANDLE => self.follow(&value),
            other => other,
        }
    }

    /// What stands beside the key itself; nothing is followed.
    fn get_unfollowed(&self, key: &str) -> Reading {
        self.handles.get(key).map_or(Reading::Missing, Handle::reading)
    }

    fn follow(&self, value: &HandleValue) -> Reading {
        let unresolved = |reason: String| Reading::Unresolved { reason };
        let Some(target) = value.as_text().and_then(|text| HandleKey::parse(text).ok()) else {
            return unresolved("its value is not the key of another handle".into());
        };
        if target.as_str() == SYMBOLIC_HANDLE {
            return unresolved("it names itself".into());
        }
        match self.get_unfollowed(target.as_str()) {
            Reading::Missing => unresolved(format!("it names {target}, which the registry does not declare")),
            Reading::Unresolved { reason } => unresolved(format!("it names {target}, which is unresolved: {reason}")),
            other => other,
        }
    }

    /// Where a line looks like the declaration of a key that is not declared, and why it is none.
    pub fn why_missing(&self, key: &str) -> Option<String> {
        let NearMiss { line, why, .. } = self.near_misses.get(key)?;
        Some(format!(
            "line {line} looks like its declaration, but {why}; a declaration is a list item (* or -) that begins with the code \
             span `{key} = value`"
        ))
    }

    /// The line that [`Registry::why_missing`] names.
    pub fn line_of_near_miss(&self, key: &str) -> Option<usize> {
        self.near_misses.get(key).map(|miss| miss.line)
    }

    /// The handles that are declared with different values, in order of their keys.
    pub fn contradictions(&self) -> Vec<HandleKey> {
        self.handles
            .iter()
            .filter(|(_, handle)| handle.said.len() > 1)
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// The keys of all handles, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &HandleKey> {
        self.handles.keys()
    }

    /// How many handles it declares, each counted once.
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// Whether it declares none, which [`parse`] refuses.
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }

    /// The line of the handle's first declaration, counted from 1.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        self.handles.get(key).map(|handle| handle.line)
    }
}

impl Handle {
    fn add(&mut self, saying: Saying) {
        let is_known = self
            .said
            .iter()
            .any(|known| known.raw == saying.raw || known.declared.says_the_same(&saying.declared));
        if !is_known && self.said.len() < MAX_SHOWN_VALUES {
            self.said.push(saying);
        }
    }

    fn reading(&self) -> Reading {
        match self.said.as_slice() {
            [] => Reading::Unresolved {
                reason: format!("line {} declares it without a value", self.line),
            },
            [only] => match &only.declared {
                Declared::Value(value) => Reading::Resolved(value.clone()),
                Declared::Placeholder { text } => Reading::Placeholder {
                    reason: format!("line {} still holds the placeholder `{}`", only.line, shown(text)),
                },
                Declared::Malformed { reason } => Reading::Unresolved {
                    reason: format!("line {}: {reason}", only.line),
                },
            },
            several => Reading::Contradiction {
                values: several.iter().map(|saying| shown(&saying.raw)).collect(),
            },
        }
    }
}
