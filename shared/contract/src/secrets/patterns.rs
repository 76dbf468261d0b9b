//! What the rules are made of.

use regex::Regex;

#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, and each is compiled by a test"
)]
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of the rules compiles")
}

/// Words of prose are no tokens: a token has a digit, or is long with capitals inside.
pub(super) fn looks_random(token: &str) -> bool {
    let inner_capital = token.bytes().skip(1).any(|byte| byte.is_ascii_uppercase());
    let lower = token.bytes().any(|byte| byte.is_ascii_lowercase());
    token.bytes().any(|byte| byte.is_ascii_digit()) || (token.len() >= 20 && inner_capital && lower)
}
