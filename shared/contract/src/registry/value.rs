//! The value of a handle, as a registry writes it after the equals sign.

use serde_json::{Map, Number, Value};

use crate::ids::UsdAmount;
use crate::placeholder::{is_placeholder, placeholder_in};
use crate::strict::{Limits, parse_strict};

/// The value of a resolved handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandleValue {
    /// `"text"`, never empty.
    Text(String),
    /// `300`, within ±(2^53−1).
    Integer(i64),
    /// `0.25`, as it was written.
    Decimal(String),
    /// `true` or `false`.
    Flag(bool),
    /// `["a","b"]`, without floats.
    List(Vec<Value>),
    /// `{"a":"b"}`, without floats and duplicate keys.
    Map(Map<String, Value>),
    /// A bare word: `eu-west-2`.
    Word(String),
}

impl HandleValue {
    /// The value as JSON; decimals become strings.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) | Self::Decimal(text) | Self::Word(text) => Value::String(text.clone()),
            Self::Integer(integer) => Value::Number(Number::from(*integer)),
            Self::Flag(flag) => Value::Bool(*flag),
            Self::List(items) => Value::Array(items.clone()),
            Self::Map(map) => Value::Object(map.clone()),
        }
    }

    /// The text of a string or a bare word.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Word(text) => Some(text),
            _ => None,
        }
    }

    /// The integer.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            _ => None,
        }
    }

    /// `true` or `false`.
    pub fn as_flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The items of a list that holds strings only.
    pub fn as_str_list(&self) -> Option<Vec<&str>> {
        self.as_list()?.iter().map(Value::as_str).collect()
    }

    /// The map.
    pub fn as_map(&self) -> Option<&Map<String, Value>> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// An integer, a decimal, or a text that is one, as an amount of money.
    pub fn as_usd(&self) -> Option<UsdAmount> {
        match self {
            Self::Integer(integer) => UsdAmount::from_integer(*integer).ok(),
            Self::Decimal(text) | Self::Text(text) => UsdAmount::parse(text).ok(),
            _ => None,
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
            Ok(Value::String(text)) => Declared::Value(HandleValue::Text(text)),
            Ok(Value::Array(items)) => Declared::Value(HandleValue::List(items)),
            Ok(Value::Object(map)) => Declared::Value(HandleValue::Map(map)),
            Ok(_) => malformed("the value is neither a string, a list nor a map".into()),
            Err(error) => malformed(format!("the value is not JSON: {error}")),
        },
        _ => parse_bare(text),
    }
}

fn parse_bare(text: &str) -> Declared {
    let malformed = |reason: &str| Declared::Malformed { reason: reason.into() };
    match text {
        "true" => return Declared::Value(HandleValue::Flag(true)),
        "false" => return Declared::Value(HandleValue::Flag(false)),
        _ => {}
    }
    match number_places(text) {
        Some(0) => match text.parse::<i64>() {
            Ok(integer) if integer.abs_diff(0) <= crate::canonical::MAX_INTEGER.unsigned_abs() => {
                Declared::Value(HandleValue::Integer(integer))
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
        assert_eq!(value(r#""a \"b\" = c""#), HandleValue::Text("a \"b\" = c".into()));
        assert_eq!(value("300"), HandleValue::Integer(300));
        assert_eq!(
            value("-9007199254740991"),
            HandleValue::Integer(-crate::canonical::MAX_INTEGER)
        );
        assert_eq!(value("0.50"), HandleValue::Decimal("0.50".into()));
        assert_eq!(value("true"), HandleValue::Flag(true));
        assert_eq!(value("eu-west-2"), HandleValue::Word("eu-west-2".into()));
        assert_eq!(value("012345678901"), HandleValue::Word("012345678901".into()));
        assert_eq!(
            value("evidence/runs/{platform_run_id}/"),
            HandleValue::Word("evidence/runs/{platform_run_id}/".into())
        );
        assert_eq!(value(r#"["a", 1]"#).to_json(), json!(["a", 1]));
        assert_eq!(value(r#"{"a": {"b": [1]}}"#).as_map().unwrap()["a"], json!({"b": [1]}));
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
        assert_eq!(value("[]").as_list(), Some(&[][..]));
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
    fn accessors_answer_for_their_kind_only() {
        assert_eq!(value(r#"["a","b"]"#).as_str_list(), Some(vec!["a", "b"]));
        assert_eq!(value(r#"["a",1]"#).as_str_list(), None);
        assert_eq!(
            (value("true").as_flag(), value("\"true\"").as_flag()),
            (Some(true), None)
        );
        assert_eq!((value("1").as_integer(), value("1.0").as_integer()), (Some(1), None));
        assert_eq!(value("1").as_text(), None);
        assert_eq!(value("300").as_usd(), value("300.00").as_usd());
        assert_eq!(value("\"12.5\"").as_usd(), value("12.50").as_usd());
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
