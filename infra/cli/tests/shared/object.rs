//! What a command prints with `--json`.

use serde_json::Value;

/// The one object that a command has printed, and nothing else.
pub(crate) fn object(text: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    assert!(
        value.is_object() && text.ends_with('\n') && text.lines().count() == 1,
        "{text:?}"
    );
    value
}
