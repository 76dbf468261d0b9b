//! The strict JSON parser on any bytes: always an answer, and what it accepts has one canonical form, which it reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p1_contract::canonical::to_canonical;
use p1_contract::exact::Exact;
use p1_contract::strict::{JsonError, Limits, parse_foreign, parse_strict};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let foreign = parse_foreign(bytes, Limits::DOCUMENT);
    keeps_every_digit(bytes, &foreign);
    if bytes.starts_with("\u{feff}".as_bytes()) {
        // The strict reader alone refuses a byte order mark.
        return;
    }
    match parse_strict(bytes, Limits::DOCUMENT) {
        Ok(value) => {
            assert_eq!(foreign.as_ref(), Ok(&value), "a looser reader reads something else");
            assert_eq!(
                serde_json::from_slice::<Value>(bytes).ok().as_ref(),
                Some(&value),
                "serde_json reads something else"
            );
            reads_back(&value);
        }
        Err(error) => {
            is_one_short_line(&error);
            // What the strict reader alone refuses is a number without a canonical form, never anything else.
            match &foreign {
                Ok(value) => assert!(to_canonical(value).is_err(), "{error}"),
                Err(error) => is_one_short_line(error),
            }
        }
    }
});

/// The exact reader reads what the other does, and numbers beyond a float.
fn keeps_every_digit(bytes: &[u8], foreign: &Result<Value, JsonError>) {
    match (Exact::parse(bytes, Limits::DOCUMENT), foreign) {
        (Ok(value), foreign) => {
            assert!(
                foreign.is_ok()
                    || foreign
                        .as_ref()
                        .is_err_and(|error| error.to_string().contains("out of range"))
            );
            let written = value.written();
            to_canonical(&written.value).expect("what is read exactly can stand in evidence");
            assert_eq!(
                Exact::of_written(&written.value, &written.numbers, &written.sets),
                value
            );
            assert!(value.agrees_with(&value));
        }
        (Err(error), foreign) => {
            is_one_short_line(&error);
            assert!(
                foreign.is_err() || error.to_string().contains("out of range"),
                "{error}"
            );
        }
    }
}

fn reads_back(value: &Value) {
    assert!(depth(value) <= Limits::DOCUMENT.max_depth, "deeper than the limit");
    let canonical = to_canonical(value).expect("what is read strictly has a canonical form");
    assert!(canonical.iter().all(|byte| (b' '..=b'~').contains(byte)));
    // Escaping makes text longer, so that canonical bytes may pass the limit on size; nothing here reaches it.
    let again = parse_strict(&canonical, Limits::DOCUMENT).expect("canonical bytes are read");
    assert_eq!(&again, value, "canonical bytes mean something else");
    assert_eq!(to_canonical(&again).as_ref(), Ok(&canonical), "two canonical forms");
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn is_one_short_line(error: &JsonError) {
    let message = error.to_string();
    assert!(
        !message.contains(char::is_control),
        "breaks a line of a log: {message:?}"
    );
    assert!(message.chars().count() < 1000, "{} characters", message.chars().count());
}
