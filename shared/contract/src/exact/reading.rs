//! Reads a document of somebody else's without rounding its numbers.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Decimal, Exact};
use crate::encoding::without_mark;
use crate::parse_error::shown;
use crate::strict::{JsonError, Limits, text_of};

impl Exact {
    /// Reads a JSON document: bounded in size and depth, without duplicate keys and lone surrogates, with numbers of any length. A
    /// byte order mark before it is passed over.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn parse(bytes: &[u8], limits: Limits) -> Result<Self, JsonError> {
        let text = without_mark(text_of(bytes, limits)?);
        let raw: &RawValue = serde_json::from_str(text).map_err(|error| JsonError::Refused {
            reason: error.to_string(),
        })?;
        Document { text, limits }.node(raw, limits.max_depth)
    }
}

struct Document<'a> {
    text: &'a str,
    limits: Limits,
}

impl<'a> Document<'a> {
    /// One value. What is raw has the grammar of JSON already; what grammar does not say is looked at here.
    fn node(&self, raw: &'a RawValue, depth_left: usize) -> Result<Exact, JsonError> {
        let text = raw.get();
        let serde = |error: serde_json::Error| {
            // The parser of a part knows its place in the part alone.
            let message = error.to_string();
            let what = message
                .rsplit_once(" at line ")
                .map_or(message.as_str(), |(what, _)| what);
            self.refused(raw, what)
        };
        match text.as_bytes().first() {
            Some(b'{') => {
                let depth_left = self.below(raw, depth_left)?;
                let members: Members<'a> = serde_json::from_str(text).map_err(serde)?;
                let members = members.0.into_iter();
                members
                    .map(|(key, member)| Ok((key, self.node(member, depth_left)?)))
                    .collect::<Result<_, _>>()
                    .map(Exact::Map)
            }
            Some(b'[') => {
                let depth_left = self.below(raw, depth_left)?;
                let items: Vec<&'a RawValue> = serde_json::from_str(text).map_err(serde)?;
                let items = items.into_iter();
                items
                    .map(|item| self.node(item, depth_left))
                    .collect::<Result<_, _>>()
                    .map(Exact::List)
            }
            Some(b'"') => serde_json::from_str(text).map(Exact::Text).map_err(serde),
            Some(b'n') => Ok(Exact::Null),
            Some(b't' | b'f') => Ok(Exact::Flag(text == "true")),
            _ => Decimal::parse(text)
                .map(Exact::Number)
                .ok_or_else(|| self.refused(raw, "a number out of range")),
        }
    }

    fn below(&self, raw: &RawValue, depth_left: usize) -> Result<usize, JsonError> {
        depth_left
            .checked_sub(1)
            .ok_or_else(|| self.refused(raw, &format!("more than {} levels deep", self.limits.max_depth)))
    }

    fn refused(&self, raw: &RawValue, what: &str) -> JsonError {
        // A raw value is a part of the text, so the distance of their beginnings is its place.
        let start = (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let before = self.text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        JsonError::Refused {
            reason: format!("{what} at line {line} column {column}"),
        }
    }
}

/// The members of an object, each key once.
struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = BTreeMap<String, &'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some(key) = entries.next_key::<String>()? {
                    let value = entries.next_value()?;
                    let twice = format!("the key `{}` is there twice", shown(&key));
                    if members.insert(key, value).is_some() {
                        return Err(A::Error::custom(twice));
                    }
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Reader).map(Members)
    }
}
