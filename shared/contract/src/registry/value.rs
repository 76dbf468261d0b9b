//! The value of a handle, as a registry writes it after the equals sign.

use serde_json::Value;

use crate::placeholder::{is_placeholder, placeholder_in};
use crate::strict::{Limits, parse_strict};

/// The value of a resolved handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandleValue {
    /// `"text"`, never empty; an integer within ±(2^53−1); a flag; a list or a map without floats and duplicate keys.
    Json(Value),
    /// `0.25`, as it was written.
    Decimal(String),
    /// A bare word: `eu-west-2`.
    Word(String),
}

impl HandleValue {
    /// The value as JSON; decimals become strings.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Json(value) => value.clone(),
            Self::Decimal(text) | Self::Word(text) => Value::String(text.clone()),
        }
    }

    /// The text of a string or a bare word.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Json(value) => value.as_str(),
            Self::Word(text) => Some(text),
            Self::Decimal(_) => None,
        }
    }
}

/// What one declaration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Declared {
    /// A value.
    Value(HandleValue),
    /// A placeholder, such as `TO_PIN`, quoted or bare, or a list or a map that holds one.
    Placeholder {
        /// The placeholder itself.
        text: String,
    },
    /// Something else after the equals sign.
    Malformed {
        /// Why it is no value.
        reason: String,
    },
}

impl Declared {
    /// Whether two declarations of one key say the same. `"USD"` and `USD` do; `1.5` and `1.50` do not, nor do `1` and `"1"`.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Value(one), Self::Value(two)) => {
                one == two || one.as_text().is_some_and(|text| two.as_text() == Some(text))
            }
            (Self::Placeholder { .. }, Self::Placeholder { .. }) => true,
            _ => false,
        }
    }
}

/// Reads what stands after the equals sign, trimmed and not empty.
pub(super) fn parse_value(text: &str) -> Declared {
    let malformed = |reason: String| Declared::Malformed { reason };
    let placeholder = |text: &str| Declared::Placeholder { text: text.to_owned() };
    match text.as_bytes().first() {
        _ if is_placeholder(text) => placeholder(text),
        Some(b'"' | b'[' | b'{') => match parse_strict(text.as_bytes(), Limits::DOCUMENT) {
            Ok(ref value) if let Some(found) = placeholder_in(value) => placeholder(found),
            Ok(value) => Declared::Value(HandleValue::Json(value)),
            Err(error) => malformed(format!("the value is not JSON: {error}")),
        },
        _ => parse_bare(text),
    }
}

fn parse_bare(text: &str) -> Declared {
    let malformed = |reason: &str| Declared::Malformed { reason: reason.into() };
    if let Ok(flag) = text.parse::<bool>() {
        return Declared::Value(HandleValue::Json(Value::Bool(flag)));
    }
    match number_places(text) {
        Some(0) => match text.parse::<i64>() {
            Ok(integer) if integer.abs_diff(0) <= crate::canonical::MAX_INTEGER.unsigned_abs() => {
                Declared::Value(HandleValue::Json(Value::from(integer)))
            }
            _ => malformed("the integer is beyond ±(2^53−1); write it as a string"),
        },
        Some(_) => Declared::Value(HandleValue::Decimal(text.to_owned())),
        None if text.starts_with(['“', '”', '„', '«', '‘', '’']) => {
            malformed("the value stands in typographic quotes; put it in plain double quotes (\")")
        }
        None if is_word(text) => Declared::Value(HandleValue::Word(text.to_owned())),
        None => malformed("the value is no string, number, flag, list, map or single word; put text in double quotes"),
    }
}

/// The decimal places of a number without superfluous zeros in front; `None` when it is no such number.
fn number_places(text: &str) -> Option<usize> {
    let magnitude = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = magnitude
        .split_once('.')
        .map_or((magnitude, None), |(whole, rest)| (whole, Some(rest)));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) || !fraction.is_none_or(is_digits) {
        return None;
    }
    Some(fraction.map_or(0, str::len))
}

/// One word: nothing that could be the torn part of a string, a list or an expression.
fn is_word(text: &str) -> bool {
    let starts_well = |c: char| c.is_alphanumeric() || "_-./{$*+<".contains(c);
    let ends_a_word = |c: char| c.is_whitespace() || c.is_control() || "\"'`".contains(c);
    text.starts_with(starts_well) && !text.contains(ends_a_word)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> HandleValue {
        match parse_value(text) {
            Declared::Value(value) => value,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn reads_each_kind() {
        for (text, read) in [
            (r#""a \"b\" = c""#, json!("a \"b\" = c")),
            ("300", json!(300)),
            ("-9007199254740991", json!(-crate::canonical::MAX_INTEGER)),
            ("true", json!(true)),
            (r#"["a", 1]"#, json!(["a", 1])),
            (r#"{"a": {"b": [1]}}"#, json!({"a": {"b": [1]}})),
        ] {
            assert_eq!(value(text), HandleValue::Json(read));
        }
        assert_eq!(value("0.50"), HandleValue::Decimal("0.50".into()));
        for word in ["eu-west-2", "012345678901", "evidence/runs/{platform_run_id}/"] {
            assert_eq!(value(word), HandleValue::Word(word.into()));
        }
    }

    #[test]
    fn placeholders_are_quoted_bare_and_inside() {
        for (text, found) in [
            ("\"TO_PIN\"", "TO_PIN"),
            ("TO_PIN", "TO_PIN"),
            ("\"TO_PIN (after M2.B)\"", "TO_PIN (after M2.B)"),
            ("TO_PIN (after M2.B)", "TO_PIN (after M2.B)"),
            ("<bucket name>", "<bucket name>"),
            ("null", "null"),
            ("\"\"", ""),
            ("\"  \"", "  "),
            ("[\"a\",\"TO_PIN\"]", "TO_PIN"),
            ("{\"a\":{\"b\":null}}", "null"),
            ("{\"a\":[\"<x>\"]}", "<x>"),
        ] {
            assert_eq!(
                parse_value(text),
                Declared::Placeholder { text: found.into() },
                "{text}"
            );
        }
        assert_eq!(value("\"TO_PIN_LATER\"").as_text(), Some("TO_PIN_LATER"));
        assert_eq!(value("[]").to_json(), json!([]));
    }

    #[test]
    fn refuses_what_is_no_value() {
        for text in [
            "\"open",
            "\"a\" -> b",
            "[1.5]",
            "[1",
            r#"{"a":1,"a":2}"#,
            "{platform_run_id}",
            "two words",
            "'quoted'",
            "“quoted”",
            "9007199254740992",
            "99999999999999999999",
            "= 1",
            "a\"b",
            ",",
            "]",
        ] {
            assert!(matches!(parse_value(text), Declared::Malformed { .. }), "{text}");
        }
    }

    #[test]
    fn texts_and_words_are_texts_and_decimals_become_some() {
        assert_eq!(value("\"true\"").as_text(), Some("true"));
        assert_eq!((value("1").as_text(), value("1.0").as_text()), (None, None));
        assert_eq!(value("1.25").to_json(), json!("1.25"));
    }

    #[test]
    fn knows_when_two_say_the_same() {
        let same = |one: &str, two: &str| parse_value(one).says_the_same(&parse_value(two));
        assert!(same("\"USD\"", "USD") && same("[1, 2]", "[1,2]") && same("TO_PIN", "\"TBD\""));
        assert!(same(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#));
        assert!(!same("1", "\"1\"") && !same("1.5", "1.50") && !same("[1,2]", "[2,1]") && !same("\"TO_PIN\"", "\"x\""));
    }
}
