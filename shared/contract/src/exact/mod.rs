//! JSON values as others write them, without loss, and whether two of them say the same (contract section 5).
//!
//! `serde_json` reads a number with a point or an exponent as a 64-bit float. Here it stays what was written, so that
//! `12345678901234567890.1` is compared to the last digit, and evidence, which knows no floats, can hold it.

mod agreement;
mod decimal;
mod reading;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

pub use self::decimal::Decimal;
use crate::canonical::{MAX_INTEGER, pointer_segment};
use crate::parse_error::one_line;

/// How much of a value a message shows.
const SHOWN_CHARS: usize = 200;

/// A JSON value. A set is a list whose order says nothing, which only its writer's schema can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exact {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number.
    Number(Decimal),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Exact>),
    /// A list in no order.
    Set(Vec<Exact>),
    /// An object.
    Map(BTreeMap<String, Exact>),
}

/// A value as evidence holds it, where there are no floats and no sets: beside the value stand the places (JSON pointers) of the texts
/// that are numbers and of the lists that are sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The value: other numbers than integers within ±(2^53−1) are texts.
    pub value: Value,
    /// The texts that are numbers.
    pub numbers: Vec<String>,
    /// The lists that are sets.
    pub sets: Vec<String>,
}

impl Exact {
    /// The value as evidence holds it.
    #[must_use]
    pub fn written(&self) -> Written {
        let mut written = Written {
            value: Value::Null,
            numbers: Vec::new(),
            sets: Vec::new(),
        };
        written.value = self.write("", &mut written.numbers, &mut written.sets);
        written
    }

    fn write(&self, place: &str, numbers: &mut Vec<String>, sets: &mut Vec<String>) -> Value {
        let mut list = |items: &[Exact], sets: &mut Vec<String>| {
            let items = items.iter().enumerate();
            items
                .map(|(n, item)| item.write(&format!("{place}/{n}"), numbers, sets))
                .collect()
        };
        match self {
            Exact::Null => Value::Null,
            Exact::Flag(flag) => Value::Bool(*flag),
            Exact::Text(text) => Value::String(text.clone()),
            Exact::List(items) => list(items, sets),
            Exact::Set(items) => {
                sets.push(place.to_owned());
                list(items, sets)
            }
            Exact::Number(number) => {
                let text = number.to_string();
                match text.parse::<i64>() {
                    Ok(integer) if (-MAX_INTEGER..=MAX_INTEGER).contains(&integer) => Value::from(integer),
                    _ => {
                        numbers.push(place.to_owned());
                        Value::String(text)
                    }
                }
            }
            Exact::Map(map) => {
                let mut object = Map::new();
                for (key, item) in map {
                    let place = format!("{place}/{}", pointer_segment(key));
                    object.insert(key.clone(), item.write(&place, numbers, sets));
                }
                Value::Object(object)
            }
        }
    }

    /// The value that was written so. A place that holds something else than its list says is taken for what it holds.
    #[must_use]
    pub fn of_written(value: &Value, numbers: &[String], sets: &[String]) -> Self {
        let places = |list: &'_ [String]| list.iter().cloned().collect();
        Self::read_written("", value, &places(numbers), &places(sets))
    }

    fn read_written(place: &str, value: &Value, numbers: &BTreeSet<String>, sets: &BTreeSet<String>) -> Self {
        match value {
            Value::Null => Exact::Null,
            Value::Bool(flag) => Exact::Flag(*flag),
            Value::String(text) if numbers.contains(place) => {
                Decimal::parse(text).map_or_else(|| Exact::Text(text.clone()), Exact::Number)
            }
            Value::String(text) => Exact::Text(text.clone()),
            Value::Number(number) => {
                let text = number.to_string();
                Decimal::parse(&text).map_or(Exact::Text(text), Exact::Number)
            }
            Value::Array(items) => {
                let items = items
                    .iter()
                    .enumerate()
                    .map(|(n, item)| Self::read_written(&format!("{place}/{n}"), item, numbers, sets))
                    .collect();
                if sets.contains(place) {
                    Exact::Set(items)
                } else {
                    Exact::List(items)
                }
            }
            Value::Object(map) => Exact::Map(
                map.iter()
                    .map(|(key, item)| {
                        let place = format!("{place}/{}", pointer_segment(key));
                        (key.clone(), Self::read_written(&place, item, numbers, sets))
                    })
                    .collect(),
            ),
        }
    }

    /// The value for a message: JSON on one line, cut where it is long.
    #[must_use]
    pub fn shown(&self) -> String {
        one_line(&self.to_string(), SHOWN_CHARS)
    }
}

/// Compact JSON; numbers by what they are worth.
impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |text: &str| Value::from(text).to_string();
        match self {
            Exact::Null => f.write_str("null"),
            Exact::Flag(flag) => flag.fmt(f),
            Exact::Number(number) => number.fmt(f),
            Exact::Text(value) => f.write_str(&text(value)),
            Exact::List(items) | Exact::Set(items) => {
                f.write_str("[")?;
                for (n, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if n == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Exact::Map(map) => {
                f.write_str("{")?;
                for (n, (key, item)) in map.iter().enumerate() {
                    write!(f, "{}{}:{item}", if n == 0 { "" } else { "," }, text(key))?;
                }
                f.write_str("}")
            }
        }
    }
}
