//! Words for a POSIX shell.

use p1_audit::text;

/// A text in quotes.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A word that a shell takes as it is: in quotes only where it needs them.
pub(crate) fn word(text: &str) -> String {
    let word = text::clean(text);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.' | '=' | ':' | '+' | ',' | '@');
    if !word.is_empty() && word.chars().all(plain) {
        word
    } else {
        quoted(&word)
    }
}
