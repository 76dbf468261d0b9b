//! Input that nobody meant to write: any JSON, and valid documents with one thing broken. Every reader gives an answer, and a
//! refusal names the field on one short line.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod documents;
mod inputs;
mod ledger;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use p1_contract::ids::BucketName;
use proptest::prelude::*;
use serde_json::{Map, Number, Value};

/// The longest message that a person is asked to read.
const LONGEST_MESSAGE: usize = 2_000;

/// Names that some reader knows, so that random objects get past the first look.
static KNOWN_NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let inputs = inputs::valid_inputs();
    let mut places = Vec::new();
    for document in inputs.iter().chain([&inputs::valid_payload(&inputs[0])]) {
        walk(document, &mut Vec::new(), &mut places);
    }
    places.extend(["holder", "kind", "verdict"].map(|name| vec![name.to_owned()]));
    let names: BTreeSet<String> = places.into_iter().filter_map(|mut place| place.pop()).collect();
    names.into_iter().collect()
});

fn bucket() -> BucketName {
    BucketName::parse("fraud-platform-dev-full-evidence").unwrap()
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<String>(),
        2 => prop::sample::select(&KNOWN_NAMES[..]),
        1 => Just(String::new()),
        1 => Just("\n\u{1b}[31m\u{202e}`".to_owned()),
        1 => (1000_usize..40_000).prop_map(|n| "x".repeat(n)),
    ]
}

/// Any JSON value, floats and numbers beyond every limit included.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| Number::from_f64(n).map_or(Value::Null, Value::Number)),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any_text(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// One change of one place of a document. The place is any of its values, counted in the order of a walk.
#[derive(Debug, Clone)]
enum Change {
    /// Another value stands there.
    Replace(Value),
    /// It is gone.
    Remove,
    /// The object that stands there has one more field, or another value in that field.
    Insert(String, Value),
    /// The text that stands there has these characters in it, at some place.
    Tear(prop::sample::Index, String),
}

fn any_change() -> impl Strategy<Value = (prop::sample::Index, Change)> {
    let change = prop_oneof![
        any_json().prop_map(Change::Replace),
        Just(Change::Remove),
        (any_text(), any_json()).prop_map(|(key, value)| Change::Insert(key, value)),
        (any::<prop::sample::Index>(), any_text()).prop_map(|(at, text)| Change::Tear(at, text)),
    ];
    (any::<prop::sample::Index>(), change)
}

/// The document with that one change, and the place of the change as a JSON pointer; `None` where it changes nothing.
fn changed(document: &Value, at: prop::sample::Index, change: Change) -> Option<(Value, Vec<String>)> {
    let mut places = Vec::new();
    walk(document, &mut Vec::new(), &mut places);
    let mut place = at.get(&places).clone();
    let mut out = document.clone();
    match change {
        Change::Replace(value) => *find(&mut out, &place) = value,
        Change::Remove => {
            let (last, parent) = place.split_last()?;
            match find(&mut out, parent) {
                Value::Object(map) => drop(map.remove(last)),
                Value::Array(items) => drop(items.remove(last.parse().ok()?)),
                _ => return None,
            }
        }
        Change::Insert(key, value) => {
            find(&mut out, &place).as_object_mut()?.insert(key.clone(), value);
            place.push(key);
        }
        Change::Tear(at, with) => {
            let Value::String(text) = find(&mut out, &place) else {
                return None;
            };
            let starts: Vec<usize> = text
                .char_indices()
                .map(|(start, _)| start)
                .chain([text.len()])
                .collect();
            text.insert_str(*at.get(&starts), &with);
        }
    }
    (out != *document).then_some((out, place))
}

fn walk(value: &Value, place: &mut Vec<String>, places: &mut Vec<Vec<String>>) {
    places.push(place.clone());
    let mut below = |part: String, value: &Value| {
        place.push(part);
        walk(value, place, places);
        place.pop();
    };
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(n, item)| below(n.to_string(), item)),
        Value::Object(map) => map.iter().for_each(|(key, item)| below(key.clone(), item)),
        _ => {}
    }
}

fn find<'a>(document: &'a mut Value, place: &[String]) -> &'a mut Value {
    place.iter().fold(document, |value, part| match value {
        Value::Array(items) => &mut items[part.parse::<usize>().unwrap()],
        Value::Object(map) => map.get_mut(part).unwrap(),
        other => panic!("{other} holds nothing"),
    })
}

fn check_message(message: &str) -> Result<(), TestCaseError> {
    prop_assert!(
        !message.contains(char::is_control),
        "breaks a line of a log: {message:?}"
    );
    prop_assert!(
        message.len() <= LONGEST_MESSAGE,
        "{} bytes: {message:.300}…",
        message.len()
    );
    Ok(())
}

fn object(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Map<String, Value> {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
