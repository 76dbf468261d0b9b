//! Reading JSON that came from outside: bounded in size and depth, without duplicate keys, and in the formats that we own
//! without floats (contract section 2). A byte order mark before somebody else's document is passed over (section 5).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::canonical::MAX_INTEGER;
use crate::encoding::{other_encoding, without_mark};
use crate::parse_error::shown;

/// How large and how deep a document may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes.
    pub max_bytes: usize,
    /// The most objects and lists inside each other; at most 120, where serde_json has its own limit.
    pub max_depth: usize,
}

impl Limits {
    /// Any JSON document that a step reads: 1 MiB, 32 levels.
    pub const DOCUMENT: Self = Self {
        max_bytes: 1 << 20,
        max_depth: 32,
    };
}

/// Why bytes are not an acceptable JSON document. Messages never show a value, only keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More bytes than the limit.
    #[error("the document has {bytes} bytes, more than the {limit} allowed")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// Text, but not UTF-8.
    #[error("the document is {encoding}, not UTF-8; save it as UTF-8 (in PowerShell with `Out-File -Encoding utf8`)")]
    OtherEncoding {
        /// The encoding's name.
        encoding: &'static str,
    },
    /// Not text at all.
    #[error("the document is not UTF-8 from byte {offset} on")]
    NotUtf8 {
        /// Where the first wrong byte is.
        offset: usize,
    },
    /// Not JSON, or JSON that is refused; the reason ends with line and column.
    #[error("the document is refused: {reason}")]
    Refused {
        /// What is wrong and where.
        reason: String,
    },
}

/// Reads a document of a format that we own. Refused are duplicate keys, floats (`1.0`, `1e3` and `-0` too), integers
/// beyond ±(2^53−1), lone surrogates, more depth or bytes than the limits, invalid UTF-8 and anything after the value.
///
/// # Errors
/// Says what is wrong and where.
pub fn parse_strict(bytes: &[u8], limits: Limits) -> Result<Value, JsonError> {
    parse(bytes, limits, Numbers::ExactIntegers)
}

/// Reads a document of somebody else's format: as [`parse_strict`], but with any number, and with a byte order mark before it
/// if its writer put one there.
///
/// # Errors
/// Says what is wrong and where.
pub fn parse_foreign(bytes: &[u8], limits: Limits) -> Result<Value, JsonError> {
    parse(bytes, limits, Numbers::Any)
}

/// The text of a document within the limits.
pub(crate) fn text_of(bytes: &[u8], limits: Limits) -> Result<&str, JsonError> {
    if bytes.len() > limits.max_bytes {
        return Err(JsonError::TooLarge {
            bytes: bytes.len(),
            limit: limits.max_bytes,
        });
    }
    if let Some(encoding) = other_encoding(bytes) {
        return Err(JsonError::OtherEncoding { encoding });
    }
    std::str::from_utf8(bytes).map_err(|error| JsonError::NotUtf8 {
        offset: error.valid_up_to(),
    })
}

fn parse(bytes: &[u8], limits: Limits, numbers: Numbers) -> Result<Value, JsonError> {
    let text = text_of(bytes, limits)?;
    let text = match numbers {
        Numbers::ExactIntegers => text,
        Numbers::Any => without_mark(text),
    };
    let refused = |error: serde_json::Error| JsonError::Refused {
        reason: error.to_string(),
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Node {
        depth_left: limits.max_depth,
        limits,
        numbers,
    }
    .deserialize(&mut reader)
    .map_err(refused)?;
    reader.end().map_err(refused)?;
    Ok(value)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    ExactIntegers,
    Any,
}

/// One value of the document, and how much deeper it may go.
#[derive(Clone, Copy)]
struct Node {
    depth_left: usize,
    limits: Limits,
    numbers: Numbers,
}

impl Node {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(E::custom(format_args!(
                "more than {} levels deep",
                self.limits.max_depth
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if self.numbers == Numbers::Any || value >= -MAX_INTEGER {
            Ok(Value::from(value))
        } else {
            Err(E::custom("an integer beyond ±(2^53−1)"))
        }
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if self.numbers == Numbers::Any || value <= MAX_INTEGER.unsigned_abs() {
            Ok(Value::from(value))
        } else {
            Err(E::custom("an integer beyond ±(2^53−1)"))
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        // Integers beyond 64 bits and `-0` arrive here too: neither survives as the number that was written.
        if self.numbers == Numbers::ExactIntegers {
            return Err(E::custom("a number that is not an integer within ±(2^53−1)"));
        }
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!(
                    "the key `{}` is there twice",
                    shown(&key)
                )));
            }
            map.insert(key, entries.next_value_seed(below)?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn strict(text: &str) -> Result<Value, String> {
        parse_strict(text.as_bytes(), Limits::DOCUMENT).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_ordinary_documents() {
        let text = r#" {"a": [1, -2, "x\u00e9\ud83d\ude00", true, null], "": {}} "#;
        assert_eq!(strict(text), Ok(json!({"a": [1, -2, "xé😀", true, null], "": {}})));
        assert_eq!(strict("9007199254740991"), Ok(json!(MAX_INTEGER)));
        assert_eq!(strict("-9007199254740991"), Ok(json!(-MAX_INTEGER)));
    }

    #[test]
    fn refuses_what_two_readers_could_read_differently() {
        let cases = [
            (r#"{"a":1,"a":1}"#, "the key `a` is there twice"),
            (r#"{"a":1,"\u0061":1}"#, "the key `a` is there twice"),
            (r#"[{"b":{"x":1,"x":2}}]"#, "the key `x` is there twice"),
            ("1.0", "not an integer"),
            ("1e3", "not an integer"),
            ("-0", "not an integer"),
            ("9007199254740992", "beyond"),
            ("-9007199254740992", "beyond"),
            ("123456789012345678901234567890", "not an integer"),
            ("1e999", "out of range"),
            ("NaN", "expected value"),
            (r#""\ud800""#, "hex escape"),
            (r#""\udc00""#, "surrogate"),
            (r#""\ud800\u0041""#, "surrogate"),
            ("{} {}", "trailing characters"),
            ("[1,]", "trailing comma"),
            ("\u{feff}{}", "expected value"),
            ("", "EOF"),
            ("\"a\nb\"", "control character"),
            ("01", "invalid number"),
        ];
        for (text, expected) in cases {
            let error = strict(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(error.contains("line "), "{text}: {error}");
        }
    }

    #[test]
    fn says_where() {
        let error = strict("{\n  \"a\": 1,\n  \"a\": 2\n}").unwrap_err();
        assert!(error.contains("line 3"), "{error}");
    }

    #[test]
    fn counts_levels_and_bytes() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(strict(&nested(32)).is_ok());
        assert!(strict(&nested(33)).unwrap_err().contains("more than 32 levels deep"));
        let objects = "{\"a\":".repeat(33) + "1" + &"}".repeat(33);
        assert!(strict(&objects).unwrap_err().contains("32 levels"));
        assert!(strict(&"[".repeat(1 << 20)).is_err());
        let limits = Limits {
            max_bytes: 3,
            max_depth: 1,
        };
        assert!(parse_strict(b"[1]", limits).is_ok());
        let too_large = JsonError::TooLarge { bytes: 4, limit: 3 };
        assert_eq!(parse_strict(b"[12]", limits), Err(too_large));
        assert_eq!(parse_strict(b"\"\xff\"", limits), Err(JsonError::NotUtf8 { offset: 1 }));
    }

    #[test]
    fn foreign_documents_may_hold_any_number() {
        let foreign = |text: &str| parse_foreign(text.as_bytes(), Limits::DOCUMENT);
        assert_eq!(foreign("[1.5,18446744073709551615]"), Ok(json!([1.5, u64::MAX])));
        assert!(foreign(r#"{"a":1,"a":1.5}"#).is_err());
        assert!(foreign(&"[".repeat(40)).is_err());
    }

    #[test]
    fn a_mark_before_somebody_elses_document_is_passed_over_and_utf16_is_named() {
        let foreign = |bytes: &[u8]| parse_foreign(bytes, Limits::DOCUMENT);
        assert_eq!(foreign("\u{feff}{\"a\":1}\r\n".as_bytes()), Ok(json!({"a": 1})));
        assert!(foreign("\u{feff}\u{feff}{}".as_bytes()).is_err());
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            let bytes: Vec<u8> = "{\"a\":1}".encode_utf16().flat_map(order).collect();
            for parse in [parse_foreign, parse_strict] {
                let message = parse(&bytes, Limits::DOCUMENT).unwrap_err().to_string();
                assert!(
                    message.contains("UTF-16") && message.contains("save it as UTF-8"),
                    "{message}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_agrees_with_serde(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = parse_foreign(&bytes, Limits::DOCUMENT) {
                let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
                prop_assert_eq!(value, serde_json::from_slice::<Value>(bytes).unwrap());
            }
        }

        #[test]
        fn reads_canonical_bytes_back(text in any::<String>(), n in -MAX_INTEGER..=MAX_INTEGER) {
            let value = json!({text.clone(): [n, text]});
            let bytes = crate::canonical::to_canonical(&value).unwrap();
            prop_assert_eq!(parse_strict(&bytes, Limits::DOCUMENT).unwrap(), value);
        }
    }
}
