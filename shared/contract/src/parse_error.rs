//! What every parsed text of this crate has in common: one error, and the traits of a newtype over a string.

/// How much of a refused text a message shows.
const SHOWN_CHARS: usize = 80;

/// A text that does not have the shape its type promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{got}` is not {what}: expected {expected}")]
pub struct ParseError {
    /// What was to be parsed, with its article: `a platform run id`.
    pub what: &'static str,
    /// The refused text, escaped and cut to 80 characters.
    pub got: String,
    /// The shape that was expected.
    pub expected: &'static str,
}

impl ParseError {
    /// The error for `got`, which is escaped and shortened here.
    pub fn new(what: &'static str, got: &str, expected: &'static str) -> Self {
        Self {
            what,
            got: shown(got),
            expected,
        }
    }
}

/// The first 80 characters of a text, with control characters escaped: fit for a message on one line.
pub(crate) fn shown(text: &str) -> String {
    one_line(text, SHOWN_CHARS)
}

/// The first characters of a text, with control characters escaped: for the words of a reader that repeats what it refuses.
pub(crate) fn one_line(text: &str, most_chars: usize) -> String {
    let mut out: String = text.chars().take(most_chars).flat_map(shown_char).collect();
    if text.chars().nth(most_chars).is_some() {
        out.push('…');
    }
    out
}

fn shown_char(c: char) -> impl Iterator<Item = char> {
    // Quotes are left alone: only what could break or forge a line of a log is escaped.
    let escape =
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
    let escaped = escape.then(|| c.escape_default());
    let plain = (!escape).then_some(c);
    escaped.into_iter().flatten().chain(plain)
}

/// The conversions of a type that is written as a string by its `Display` and made only by its `parse`.
macro_rules! text_conversions {
    ($name:ident, pattern = $pattern:expr) => {
        impl ::std::str::FromStr for $name {
            type Err = $crate::parse_error::ParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::parse_error::ParseError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }

        impl ::schemars::JsonSchema for $name {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_id() -> ::std::borrow::Cow<'static, str> {
                concat!(module_path!(), "::", stringify!($name)).into()
            }

            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

/// A newtype over a string with a private field: `$check` decides what may get in.
macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, what = $what:expr, pattern = $pattern:expr, expected = $expected:expr, check = $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The regular expression of the shape, as the schemas have it.
            pub const PATTERN: &str = $pattern;

            #[doc = concat!("Parses ", $what, ".")]
            ///
            /// # Errors
            /// When the text does not have that shape; the message says which shape was expected.
            pub fn parse(text: &str) -> Result<Self, $crate::parse_error::ParseError> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err($crate::parse_error::ParseError::new($what, text, $expected))
                }
            }

            /// The text as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_ref())
            }
        }

        impl ::std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        $crate::parse_error::text_conversions!($name, pattern = $pattern);
    };
}

pub(crate) use {text_conversions, text_newtype};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_on_one_short_line() {
        let error = ParseError::new(
            "a thing",
            &format!("a\nb\u{1b}[31m{}", "x".repeat(500)),
            "something else",
        );
        let message = error.to_string();
        assert!(message.starts_with("`a\\nb\\u{1b}[31mxxx"), "{message}");
        assert!(
            message.ends_with("x…` is not a thing: expected something else"),
            "{message}"
        );
        assert!(message.chars().count() < 160, "{message}");
    }
}
