//! The first difference between two versions of an object.

use p1_audit::text;
use serde::Serialize;
use serde_json::Value;

/// The number of characters of a value that are shown.
const SHOWN: usize = 160;

/// The first place at which the recorded and the recomputed bytes differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The artifact's name, or the file's.
    pub artifact: String,
    /// Its key.
    pub key: String,
    /// A JSON pointer (RFC 6901). It is empty for the whole document, and `line N` for text.
    pub pointer: String,
    /// The shortened value in the directory. `None` if the directory has no value there.
    pub recorded: Option<String>,
    /// The shortened value that the step gives. `None` if the step gives no value there.
    pub recomputed: Option<String>,
}

impl Difference {
    /// The difference between two documents with different bytes.
    #[must_use]
    pub fn of_bytes(artifact: &str, key: &str, recorded: &[u8], recomputed: &[u8]) -> Self {
        let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
        match (json(recorded), json(recomputed)) {
            (Some(recorded), Some(recomputed)) => Self::of_values(artifact, key, &recorded, &recomputed),
            _ => Self::of_lines(artifact, key, recorded, recomputed),
        }
    }

    /// The difference between two values. If the values are equal, the difference says that only their bytes differ.
    #[must_use]
    pub fn of_values(artifact: &str, key: &str, recorded: &Value, recomputed: &Value) -> Self {
        let (pointer, recorded, recomputed) = match first(recorded, recomputed) {
            Some((pointer, recorded, recomputed)) => (pointer, recorded.map(show), recomputed.map(show)),
            None => {
                let words = |what: &str| Some(format!("the same values, {what}"));
                (
                    String::new(),
                    words("not in canonical bytes"),
                    words("in canonical bytes"),
                )
            }
        };
        Self {
            artifact: artifact.to_owned(),
            key: key.to_owned(),
            pointer,
            recorded,
            recomputed,
        }
    }

    fn of_lines(artifact: &str, key: &str, recorded: &[u8], recomputed: &[u8]) -> Self {
        let (recorded, recomputed) = (String::from_utf8_lossy(recorded), String::from_utf8_lossy(recomputed));
        let (mut here, mut there) = (recorded.split('\n'), recomputed.split('\n'));
        let mut line = 1;
        let (recorded, recomputed) = loop {
            match (here.next(), there.next()) {
                (Some(one), Some(other)) if one == other => line += 1,
                (one, other) => break (one, other),
            }
        };
        let show = |text: &str| text::brief(text, SHOWN);
        Self {
            artifact: artifact.to_owned(),
            key: key.to_owned(),
            pointer: format!("line {line}"),
            recorded: recorded.map(show),
            recomputed: recomputed.map(show),
        }
    }
}

fn show(value: &Value) -> String {
    text::brief(&value.to_string(), SHOWN)
}

type Place<'a> = (String, Option<&'a Value>, Option<&'a Value>);

/// The first place, in order of keys and positions, at which two values differ.
fn first<'a>(one: &'a Value, other: &'a Value) -> Option<Place<'a>> {
    if one == other {
        return None;
    }
    let below = |part: &str, place: Place<'a>| {
        let part = part.replace('~', "~0").replace('/', "~1");
        (format!("/{part}{}", place.0), place.1, place.2)
    };
    let children: Vec<(String, Option<&Value>, Option<&Value>)> = match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            keys.into_iter()
                .map(|key| (key.clone(), one.get(key), other.get(key)))
                .collect()
        }
        (Value::Array(one), Value::Array(other)) => (0..one.len().max(other.len()))
            .map(|n| (n.to_string(), one.get(n), other.get(n)))
            .collect(),
        _ => return Some((String::new(), Some(one), Some(other))),
    };
    children.into_iter().find_map(|(part, one, other)| {
        let place = match (one, other) {
            (Some(one), Some(other)) => first(one, other)?,
            _ => (String::new(), one, other),
        };
        Some(below(&part, place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointer(one: &Value, other: &Value) -> (String, Option<String>, Option<String>) {
        let bytes = |value: &Value| value.to_string().into_bytes();
        let found = Difference::of_bytes("a", "k", &bytes(one), &bytes(other));
        (found.pointer, found.recorded, found.recomputed)
    }

    #[test]
    fn the_first_place_is_named() {
        let some = |text: &str| Some(text.to_owned());
        let one = json!({"a": [1, {"b/c": 2}], "z": 1});
        for (other, expected) in [
            (
                json!({"a": [1, {"b/c": 3}], "z": 2}),
                ("/a/1/b~1c", some("2"), some("3")),
            ),
            (json!({"a": [1, {"b/c": 2}, 4], "z": 1}), ("/a/2", None, some("4"))),
            (json!({"a": [1, {"b/c": 2}]}), ("/z", some("1"), None)),
            (json!([]), ("", some(r#"{"a":[1,{"b/c":2}],"z":1}"#), some("[]"))),
        ] {
            let (pointer, recorded, recomputed) = pointer(&one, &other);
            assert_eq!((pointer.as_str(), recorded, recomputed), expected, "{other}");
        }
    }

    #[test]
    fn bytes_that_part_without_values_that_do_are_said_to() {
        let found = Difference::of_bytes("a", "k", b"{\"a\": 1}\n", b"{\"a\":1}\n");
        assert_eq!(found.pointer, "");
        assert!(found.recorded.unwrap().contains("not in canonical bytes"));
    }

    #[test]
    fn texts_part_at_a_line_and_stay_text() {
        let found = Difference::of_bytes("note", "k", b"# a\nb\x1b[31m\n", b"# a\nc\n");
        assert_eq!(
            (
                found.pointer.as_str(),
                found.recorded.as_deref(),
                found.recomputed.as_deref()
            ),
            ("line 2", Some("b[31m"), Some("c"))
        );
        assert_eq!(Difference::of_bytes("note", "k", b"a", b"a\nb").pointer, "line 2");
    }
}
