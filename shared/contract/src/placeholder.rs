//! The family of texts that stand for a value still to come (contract section 3).

use serde_json::Value;

/// Words that stand for a value where they stand alone, in whatever case, or in capitals before a note.
const WORDS: [&str; 4] = ["TBD", "TODO", "FIXME", "CHANGE_ME"];

/// The placeholder that a registry promises to use, and that nothing real begins with.
const TO_PIN: &str = "TO_PIN";

/// Whether a text is a placeholder: `TO_PIN` (alone or with a note after it), `TBD`, `null`, `<anything>`, or nothing but white space.
pub(crate) fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("null") || (text.starts_with('<') && text.ends_with('>')) {
        return true;
    }
    begins_with(text, TO_PIN)
        || WORDS.iter().any(|word| {
            // `TODO: ask` is one, `todo-service` and `Todo list` are names.
            let note = text.strip_prefix(word);
            text.eq_ignore_ascii_case(word) || note.is_some_and(|rest| rest.starts_with(begins_a_note))
        })
}

/// Whether a text is `word` in any case, alone or followed by anything that is not part of a word.
pub(crate) fn begins_with(text: &str, word: &str) -> bool {
    let start = text.get(..word.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(word)) && !text[word.len()..].starts_with(is_part_of_a_word)
}

/// The first placeholder in the strings, keys and nulls of a value.
pub(crate) fn placeholder_in(value: &Value) -> Option<&str> {
    match value {
        Value::Null => Some("null"),
        Value::String(text) => is_placeholder(text).then_some(text.as_str()),
        Value::Array(items) => items.iter().find_map(placeholder_in),
        Value::Object(map) => map.iter().find_map(|(key, item)| {
            // A key may well be called `todo`.
            if begins_with(key.trim(), TO_PIN) || (key.starts_with('<') && key.ends_with('>')) {
                Some(key.as_str())
            } else {
                placeholder_in(item)
            }
        }),
        Value::Bool(_) | Value::Number(_) => None,
    }
}

fn is_part_of_a_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn begins_a_note(c: char) -> bool {
    c.is_whitespace() || "([{<:;,!?".contains(c)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_family_and_its_notes() {
        for text in [
            "TO_PIN",
            "to_pin",
            "To_Pin",
            " TO_PIN ",
            "<TO_PIN>",
            "TO_PIN (after M2.B)",
            "TO_PIN(after M2.B)",
            "TO_PIN: M2.B",
            "TO_PIN - later",
            "TO_PIN-later",
            "TO_PIN/x",
            "to_pin, see M2",
            "TO_PIN…",
            "TO_PIN\u{a0}later",
            "TBD",
            "tbd",
            "TODO",
            "Fixme",
            "CHANGE_ME",
            "change_me",
            "TBD (ask Ann)",
            "TODO: ask",
            "FIXME!",
            "null",
            "NULL",
            "",
            " ",
            "\t\u{a0}",
            "<bucket name>",
            "< >",
            "<>",
            "<account>-<region>",
        ] {
            assert!(is_placeholder(text), "{text:?}");
        }
        for text in [
            "TO_PIN_LATER",
            "TO_PINX",
            "TO_PIN2",
            "xTO_PIN",
            "PRE TO_PIN",
            "to_pinned",
            "todo-service",
            "Todo list",
            "todo.example",
            "TODOS",
            "TBDX",
            "nullable",
            "null-island",
            "none",
            "<a",
            "a>",
            "a<b>",
            "->",
            "0",
            "false",
            "TO-PIN-é",
            "éTO_PIN",
            "TO_PIé",
            "CHANGE_ME_PLEASE",
        ] {
            assert!(!is_placeholder(text), "{text:?}");
        }
    }

    #[test]
    fn it_is_found_inside() {
        for (value, found) in [
            (json!(["a", "TO_PIN"]), "TO_PIN"),
            (json!({"a": {"b": ["x", {"c": "tbd"}]}}), "tbd"),
            (json!({"<name>": 1}), "<name>"),
            (json!({"a": null}), "null"),
            (json!([[""]]), ""),
        ] {
            assert_eq!(placeholder_in(&value), Some(found), "{value}");
        }
        for value in [
            json!([]),
            json!({}),
            json!(["a", 0, false]),
            json!({"todo": "todo-x", "": 1}),
        ] {
            assert_eq!(placeholder_in(&value), None, "{value}");
        }
    }
}
