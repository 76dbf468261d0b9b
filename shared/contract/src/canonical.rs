//! Canonical JSON `json_sorted_keys_v1` (contract section 4): byte for byte what Python 3 writes with
//! `json.dumps(x, sort_keys=True, separators=(",", ":"), ensure_ascii=True)`, for documents without floats.
//!
//! This is not RFC 8785: keys are sorted by code point and not by UTF-16 unit, and everything outside printable ASCII is
//! escaped. DEL (0x7f) is outside it for Python too.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Number, Value};

/// The largest integer, in absolute terms, that every JSON implementation reads exactly: 2^53 − 1.
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// A number with a fraction or an exponent: decimals travel as strings.
    #[error("the number at `{path}` is not an integer; write decimals as strings")]
    Float {
        /// JSON pointer of the number; empty for the whole document.
        path: String,
    },
    /// An integer that not every implementation reads exactly.
    #[error("the integer at `{path}` is beyond ±(2^53−1); write it as a string")]
    IntegerOutOfRange {
        /// JSON pointer of the number; empty for the whole document.
        path: String,
    },
    /// A Rust value that has no JSON form at all, such as a map with keys that are not strings.
    #[error("the value has no JSON form: {reason}")]
    NotJson {
        /// What the serializer said.
        reason: String,
    },
}

/// The canonical bytes of a JSON value.
///
/// # Errors
/// When it holds a float, or an integer beyond ±(2^53−1); the error names the place.
pub fn to_canonical(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    // Nearly every document fits, and a run writes some sixty of them.
    let mut out = Vec::with_capacity(4096);
    match write_value(value, &mut out) {
        Ok(()) => Ok(out),
        Err(mut refused) => {
            refused.path_backwards.reverse();
            let path = refused.path_backwards.concat();
            Err(if refused.is_float {
                CanonicalError::Float { path }
            } else {
                CanonicalError::IntegerOutOfRange { path }
            })
        }
    }
}

/// The canonical bytes and a final newline: how documents are stored.
///
/// # Errors
/// As [`to_canonical`].
pub fn to_document(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = to_canonical(value)?;
    out.push(b'\n');
    Ok(out)
}

/// The canonical bytes of anything that serializes to JSON.
///
/// Types that are serialized to evidence hold no floating-point fields: serde_json writes a NaN as `null`, which could not be
/// seen here any more.
///
/// # Errors
/// As [`to_canonical`], and when the value has no JSON form.
pub fn canonical_of<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    to_canonical(&json_of(value)?)
}

/// [`canonical_of`] and a final newline.
///
/// # Errors
/// As [`canonical_of`].
pub fn document_of<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    to_document(&json_of(value)?)
}

fn json_of<T: Serialize + ?Sized>(value: &T) -> Result<Value, CanonicalError> {
    serde_json::to_value(value).map_err(|error| CanonicalError::NotJson {
        reason: error.to_string(),
    })
}

/// A number that was refused. Its path is gathered on the way out, so that a good document pays nothing for it.
struct Refused {
    is_float: bool,
    path_backwards: Vec<String>,
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> Result<(), Refused> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_integer(number, out)?,
        Value::String(text) => write_string(text, out),
        Value::Array(items) => write_array(items, out)?,
        Value::Object(map) => write_object(map, out)?,
    }
    Ok(())
}

fn write_integer(number: &Number, out: &mut Vec<u8>) -> Result<(), Refused> {
    let refused = |is_float| Refused {
        is_float,
        path_backwards: Vec::new(),
    };
    if number.is_f64() {
        return Err(refused(true));
    }
    match number.as_i64() {
        Some(integer) if (-MAX_INTEGER..=MAX_INTEGER).contains(&integer) => {
            out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
            Ok(())
        }
        _ => Err(refused(false)),
    }
}

fn write_array(items: &[Value], out: &mut Vec<u8>) -> Result<(), Refused> {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_value(item, out).map_err(|refused| refused.below(&index.to_string()))?;
    }
    out.push(b']');
    Ok(())
}

/// Whether serde_json's map is sorted by itself. It is, unless some crate of the build turns on its `preserve_order`, which
/// must never change a digest.
static MAPS_ARE_SORTED: LazyLock<bool> = LazyLock::new(|| {
    let map: Map<String, Value> = ["b", "a"]
        .map(|key| (key.to_owned(), Value::Null))
        .into_iter()
        .collect();
    map.keys().is_sorted()
});

fn write_object(map: &Map<String, Value>, out: &mut Vec<u8>) -> Result<(), Refused> {
    out.push(b'{');
    if *MAPS_ARE_SORTED {
        write_entries(map.iter(), out)?;
    } else {
        // UTF-8 sorts as its code points do.
        let mut entries: Vec<(&String, &Value)> = map.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        write_entries(entries.into_iter(), out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_entries<'v>(entries: impl Iterator<Item = (&'v String, &'v Value)>, out: &mut Vec<u8>) -> Result<(), Refused> {
    for (index, (key, value)) in entries.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_string(key, out);
        out.push(b':');
        write_value(value, out).map_err(|refused| refused.below(key))?;
    }
    Ok(())
}

#[inline]
fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    // Nearly all text is printable ASCII, which is copied as it is. A loop without an early end is one that the compiler vectorises.
    if text.bytes().fold(true, |all, byte| all & is_written_as_it_is(byte)) {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_escaping(text, out);
    }
    out.push(b'"');
}

#[inline(never)]
fn write_escaping(text: &str, out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        let escaped = rest.bytes().position(|byte| !is_written_as_it_is(byte));
        let (plain, from_there) = rest.split_at(escaped.unwrap_or(rest.len()));
        out.extend_from_slice(plain.as_bytes());
        let mut chars = from_there.chars();
        let Some(c) = chars.next() else { break };
        write_escaped(c, out);
        rest = chars.as_str();
    }
}

fn is_written_as_it_is(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte) & (byte != b'"') & (byte != b'\\')
}

fn write_escaped(c: char, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let short: &[u8] = match c {
        '"' => b"\\\"",
        '\\' => b"\\\\",
        '\n' => b"\\n",
        '\r' => b"\\r",
        '\t' => b"\\t",
        '\u{c}' => b"\\f",
        '\u{8}' => b"\\b",
        _ => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let digit = |shift: u16| DIGITS[usize::from(*unit >> shift & 0xf)];
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
            return;
        }
    };
    out.extend_from_slice(short);
}

impl Refused {
    fn below(mut self, segment: &str) -> Self {
        self.path_backwards.push(format!("/{}", pointer_segment(segment)));
        self
    }
}

/// A key as a segment of a JSON pointer (RFC 6901).
pub(crate) fn pointer_segment(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> String {
        String::from_utf8(to_canonical(value).unwrap()).unwrap()
    }

    #[test]
    fn writes_as_python_does() {
        let cases = [
            (json!(null), "null"),
            (json!([true, false, [], {}]), "[true,false,[],{}]"),
            (json!({"b": 1, "a": -1, "": 0}), r#"{"":0,"a":-1,"b":1}"#),
            (json!("\"\\/\u{8}\u{c}\n\r\t"), r#""\"\\/\b\f\n\r\t""#),
            (json!("\u{0}\u{1f} ~\u{7f}\u{80}"), r#""\u0000\u001f ~\u007f\u0080""#),
            (
                json!("é€\u{2028}\u{feff}\u{ffff}"),
                r#""\u00e9\u20ac\u2028\ufeff\uffff""#,
            ),
            (json!("😀\u{10ffff}"), r#""\ud83d\ude00\udbff\udfff""#),
            (json!(MAX_INTEGER), "9007199254740991"),
            (json!(-MAX_INTEGER), "-9007199254740991"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(&value), expected);
        }
    }

    #[test]
    fn sorts_by_code_point_not_by_utf16_unit() {
        // U+FF61 is below U+10000 as a code point, and above its first surrogate 0xd800 as a unit.
        let sorted = text(&json!({"\u{10000}": 1, "\u{ff61}": 2, "a": 3}));
        assert_eq!(sorted, r#"{"a":3,"\uff61":2,"\ud800\udc00":1}"#);
    }

    #[test]
    fn does_not_normalise() {
        assert_ne!(text(&json!("\u{e9}")), text(&json!("e\u{301}")));
    }

    #[test]
    fn names_the_refused_number() {
        let float = to_canonical(&json!({"a/b": [0, {"~": 1.0}]})).unwrap_err();
        let path = "/a~1b/1/~0".to_owned();
        assert_eq!(float, CanonicalError::Float { path });
        let big = to_canonical(&json!([9_007_199_254_740_992_i64])).unwrap_err();
        assert_eq!(big, CanonicalError::IntegerOutOfRange { path: "/0".into() });
        let bigger = to_canonical(&json!(u64::MAX)).unwrap_err();
        assert_eq!(bigger, CanonicalError::IntegerOutOfRange { path: String::new() });
    }

    #[test]
    fn documents_end_with_one_newline() {
        assert_eq!(to_document(&json!([1])).unwrap(), b"[1]\n");
        assert_eq!(document_of(&("a", 1)).unwrap(), b"[\"a\",1]\n");
        assert_eq!(canonical_of("a").unwrap(), b"\"a\"");
        let no_json = std::collections::BTreeMap::from([(vec![1], 2)]);
        assert!(matches!(canonical_of(&no_json), Err(CanonicalError::NotJson { .. })));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-MAX_INTEGER..=MAX_INTEGER).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_back_as_itself_in_printable_ascii(value in any_value()) {
            let bytes = to_canonical(&value).unwrap();
            prop_assert!(bytes.iter().all(|byte| (b' '..=b'~').contains(byte)));
            let again: Value = serde_json::from_slice(&bytes).unwrap();
            prop_assert_eq!(&again, &value);
            prop_assert_eq!(to_canonical(&again).unwrap(), bytes);
        }
    }
}
