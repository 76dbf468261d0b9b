//! The registry parser on any bytes: always an answer, and what it resolves it resolves again from its own writing.
#![no_main]

use std::fmt::Write as _;

use libfuzzer_sys::fuzz_target;
use p1_contract::canonical::to_canonical;
use p1_contract::registry::{self, HandleValue, Reading, Registry, SYMBOLIC_HANDLE};

fuzz_target!(|bytes: &[u8]| {
    match registry::parse(bytes) {
        Ok(registry) => {
            places_are_declarations(&registry, bytes);
            answers_for_every_key(&registry, bytes);
            reads_its_own_writing(&registry);
        }
        Err(error) => {
            let message = error.to_string();
            assert!(
                !message.contains(char::is_control),
                "breaks a line of a log: {message:?}"
            );
        }
    }
});

fn answers_for_every_key(registry: &Registry, bytes: &[u8]) {
    assert!(!registry.is_empty() && registry.keys().count() == registry.len());
    let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
    let contradictions = registry.contradictions();
    for key in registry.keys() {
        let line = registry.line_of(key.as_str()).expect("a declared handle has a line");
        assert!((1..=lines).contains(&line), "line {line} of {lines}");
        let reading = registry.get(key.as_str());
        assert_ne!(reading, Reading::Missing, "{key} is declared");
        if key.as_str() != SYMBOLIC_HANDLE {
            let contradicts = matches!(reading, Reading::Contradiction { .. });
            assert_eq!(contradicts, contradictions.contains(key), "{key}");
        }
        match reading {
            Reading::Contradiction { values } => assert!((2..=8).contains(&values.len()), "{key}: {values:?}"),
            Reading::Resolved(value) => {
                to_canonical(&value.to_json()).expect("a resolved value can stand in evidence");
            }
            Reading::Missing | Reading::Unresolved { .. } | Reading::Placeholder { .. } => {}
        }
    }
}

/// Every handle stands where its places say, and nowhere else.
fn places_are_declarations(registry: &Registry, bytes: &[u8]) {
    let places = registry::places(bytes).expect("what is read has places");
    let mut end = 0;
    for place in &places {
        assert!(
            registry
                .line_of(place.key.as_str())
                .is_some_and(|first| first <= place.line)
        );
        assert!(place.span.start >= end, "places overlap");
        end = place.span.end;
        let span = &bytes[place.span.clone()];
        assert!(span.starts_with(b"`") && span.ends_with(b"`"), "{span:?}");
    }
    for key in registry.keys() {
        assert!(places.iter().any(|place| place.key == *key), "{key} has no place");
    }
}

/// The resolved handles, written as a registry, are the same handles with the same values.
fn reads_its_own_writing(registry: &Registry) {
    let mut resolved = Vec::new();
    let mut document = String::new();
    for key in registry.keys().filter(|key| key.as_str() != SYMBOLIC_HANDLE) {
        if let Reading::Resolved(value) = registry.get(key.as_str()) {
            writeln!(document, "* `{key} = {}`", written(&value)).expect("a string takes all text");
            resolved.push((key, value));
        }
    }
    if resolved.is_empty() {
        return;
    }
    let again = registry::parse(document.as_bytes()).expect("a registry of our own writing is read");
    assert_eq!(again.len(), resolved.len());
    for (key, value) in resolved {
        assert_eq!(again.get(key.as_str()), Reading::Resolved(value), "{key}");
    }
}

fn written(value: &HandleValue) -> String {
    match value {
        HandleValue::Decimal(text) | HandleValue::Word(text) => text.clone(),
        other => {
            let json = to_canonical(&other.to_json()).expect("a resolved value can stand in evidence");
            // A backtick would end the span; in JSON it can stand nowhere but inside a string.
            String::from_utf8(json)
                .expect("canonical bytes are ASCII")
                .replace('`', "\\u0060")
        }
    }
}
