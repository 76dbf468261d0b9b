//! Documents as bytes: the two JSON readers on texts that are nearly JSON.

use p1_contract::canonical::to_canonical;
use p1_contract::strict::{JsonError, Limits, parse_foreign, parse_strict};
use proptest::prelude::*;

use super::{any_change, any_json, changed, check_message};

/// What JSON is made of, and what it is mistaken for.
const TOKENS: [&str; 28] = [
    "{", "}", "[", "]", ",", ":", "\"a\"", "\"b\"", "\"\"", "\"", "\\", "\\ud800", "\\udc00", "0", "-0", "1", "-1",
    "1.0", "1e9", "1e999", "true", "null", "NaN", " ", "\n", "\u{feff}", "/* */", "é",
];

/// What makes two readers disagree: another spelling of a key, and numbers beyond their types.
const EDGES: [&str; 4] = [
    "\"\\u0061\"",
    "9007199254740991",
    "9007199254740992",
    "18446744073709551616",
];

fn any_token() -> impl Strategy<Value = &'static str> {
    prop_oneof![7 => prop::sample::select(&TOKENS[..]), 1 => prop::sample::select(&EDGES[..])]
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let foreign = parse_foreign(bytes, Limits::DOCUMENT);
    match parse_strict(bytes, Limits::DOCUMENT) {
        Ok(value) => {
            prop_assert_eq!(foreign.as_ref(), Ok(&value));
            let canonical = to_canonical(&value).unwrap();
            // Escapes make a text up to six times as long.
            if canonical.len() <= Limits::DOCUMENT.max_bytes {
                prop_assert_eq!(parse_strict(&canonical, Limits::DOCUMENT), Ok(value));
            }
        }
        Err(error) => {
            check_message(&error.to_string())?;
            if let Ok(value) = foreign {
                // A byte order mark is passed over where others write, and refused where we do.
                let bare = bytes.strip_prefix("\u{feff}".as_bytes());
                let without = bare.map(|bare| parse_strict(bare, Limits::DOCUMENT));
                prop_assert!(to_canonical(&value).is_err() || without == Some(Ok(value)), "{error}");
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn token_soup_gets_an_answer(tokens in prop::collection::vec(any_token(), 0..40)) {
        check(tokens.concat().as_bytes())?;
    }

    #[test]
    fn any_document_and_any_cut_of_it_gets_an_answer(value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let text = serde_json::to_string_pretty(&value).unwrap().into_bytes();
        check(&text)?;
        let at = at.index(text.len());
        check(&text[..at])?;
        let mut flipped = text;
        flipped[at] = byte;
        check(&flipped)?;
    }

    #[test]
    fn two_documents_have_the_same_canonical_bytes_only_when_they_are_the_same(value in any_json(), (at, change) in any_change()) {
        let Some((other, _)) = changed(&value, at, change) else { return Ok(()) };
        if let (Ok(one), Ok(two)) = (to_canonical(&value), to_canonical(&other)) {
            prop_assert_ne!(one, two);
        }
    }

    #[test]
    fn no_limit_is_passed(value in any_json(), max_bytes in 0_usize..200, max_depth in 0_usize..5) {
        let text = value.to_string().into_bytes();
        let result = parse_foreign(&text, Limits { max_bytes, max_depth });
        if text.len() > max_bytes {
            prop_assert_eq!(result, Err(JsonError::TooLarge { bytes: text.len(), limit: max_bytes }));
        } else if let Ok(value) = result {
            prop_assert!(depth(&value) <= max_depth);
        }
    }
}

fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
