//! Shapes that give a secret away wherever it stands.
//!
//! Everything runs in time linear in the text. Patterns are ASCII only; what stands beside a match is looked at by hand, since
//! the regular expressions of this crate have no look-around.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::names::makes_secret;
use super::patterns::{looks_random, pattern};
use super::vendors;
use super::{REDACTED, SecretRule};

/// A secret in a text. It sorts by its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    /// Its first byte.
    pub(super) start: usize,
    /// The byte after its last.
    pub(super) end: usize,
    /// What gave it away.
    pub(super) rule: SecretRule,
}

/// Temporary and lasting keys of users, and keys of services. `AROA…` and its like are ids of roles and users, no secrets.
static ACCESS_KEY_ID: LazyLock<Regex> = LazyLock::new(|| pattern("(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"));

/// From the first line to the last, or to the end of the text: half a key is a secret too.
static PEM: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?s)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)",
    )
});

/// A token's header is a JSON object, and `{"` in Base64 is `eyJ`. An encrypted one has five parts.
static JWT: LazyLock<Regex> = LazyLock::new(|| pattern(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_.-]*"));

static BEARER: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i-u:bearer)[ \t]{1,8}([A-Za-z0-9._~+/=-]{8,})"));

static AUTHORIZATION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i-u:authorization)["']?[ \t]{0,8}[:=][ \t]{0,8}["']?(?i-u:basic|bearer|token|digest)[ \t]{1,8}([^ \t\r\n"'`]{8,})"#,
    )
});

/// What stands between `://` and the last `@` of the host part.
static URL_USER: LazyLock<Regex> = LazyLock::new(|| pattern(r#"://([^ \t\r\n/?#"'<>`@\[]*)@"#));
static URL_PASSWORD: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"://[^ \t\r\n/?#"'<>`:@\[]*:([^ \t\r\n/?#"'<>`]+)@"#));

/// Parameters of presigned and otherwise authorised URLs.
static URL_PARAMETER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"[?&;](?i-u:x-amz-signature|x-amz-security-token|x-amz-credential|signature|sig|access_token|id_token|refresh_token|token|api_key|apikey|password|passwd|pwd|secret|client_secret)=([^ \t\r\n&;"'<>`#]{8,})"#,
    )
});

/// `name = "value"`, `"name": "value"`, `name := 'value'`, in program text or JSON inside a string.
static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"([A-Za-z][A-Za-z0-9_.-]*)["']?[ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}(?:"([^"\r\n]{5,})"|'([^'\r\n]{5,})')"#)
});

/// `NAME=value`, as in an environment.
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| pattern(r#"([A-Za-z][A-Za-z0-9_.-]*)=([^ \t\r\n"'`&;,<]{5,})"#));

/// Other ways to say a name and its value, of which prose has some too: `name: value` and `name = value`, `--name value`,
/// `("NAME", "value")`, `<name>value</name>`, `name="NAME" value="value"`. Each with what a text without it can be passed over by.
static SAID: LazyLock<[(&[&str], Regex); 4]> = LazyLock::new(|| {
    let said = |marks: &'static [&'static str], text| (marks, pattern(text));
    [
        said(
            &[": ", "= ", ":\t", "=\t"],
            r#"([A-Za-z][A-Za-z0-9_.-]*)["']?[ \t]{0,8}[:=][ \t]{1,8}([^ \t\r\n"'`&;,<]{5,})"#,
        ),
        said(&["--"], r#"--([a-z][a-z0-9-]*)[ \t]{1,8}["']?([^ \t\r\n"'`<]{5,})"#),
        said(
            &["\"", "'"],
            r#"["']([A-Za-z][A-Za-z0-9_.-]*)["'](?:,|[ \t]{1,8}value=)[ \t]{0,8}["']([^"'\r\n]{5,})["']"#,
        ),
        said(
            &["</"],
            r"<([A-Za-z][A-Za-z0-9_.-]*)>[ \t\r\n]{0,40}([^ \t\r\n<]{5,})[ \t\r\n]{0,40}</",
        ),
    ]
});

/// `curl -u name:password`, and a line of a `.netrc`.
static LOGIN: LazyLock<[Regex; 2]> = LazyLock::new(|| {
    [
        pattern(
            r#"(?-u:\bcurl\b)[^\r\n]{0,400}[ \t](?:-u|--user)(?:=|[ \t]{0,8})["']?[^ \t\r\n"':$<]{0,200}:["']?([^ \t\r\n"'$<{\[]{4,})"#,
        ),
        pattern(r"(?-u:\blogin)[ \t]{1,8}[^ \t\r\n]{1,200}[ \t]{1,8}password[ \t]{1,8}([^ \t\r\n]{5,})"),
    ]
});

/// The signature of a shared access signature of Azure.
static SHARED_ACCESS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?-u:\b)sig=([A-Za-z0-9+/]{40,}(?:%[0-9A-Fa-f]{2}|=)*)"#));

/// A code span of a registry that declares a value.
static DECLARED: LazyLock<Regex> = LazyLock::new(|| pattern(r"`[ \t]*([A-Z][A-Z0-9_]*)[ \t]*=[ \t]*([^`\r\n]+)`"));

/// All secrets of a text by their shape, in the order of their starts. They may overlap.
pub(super) fn find(text: &str) -> Vec<Found> {
    let mut hits = Hits(Vec::new());
    // Most texts hold none of these marks, and are done with after a glance.
    if text.contains("-----BEGIN ") {
        hits.add(SecretRule::PemPrivateKey, PEM.find_iter(text).map(|hit| hit.range()));
    }
    if text.contains("eyJ") {
        let tokens = JWT.find_iter(text).map(|hit| hit.range());
        let is_whole = |range: &Range<usize>| !continues_before(text, range.start, is_base64_url);
        hits.add(SecretRule::Jwt, tokens.filter(is_whole));
    }
    if ["AKIA", "ASIA", "ABIA", "ACCA"]
        .iter()
        .any(|start| text.contains(start))
    {
        let ids = ACCESS_KEY_ID.find_iter(text).map(|hit| hit.range());
        let is_whole = |range: &Range<usize>| {
            !continues_before(text, range.start, is_alphanumeric) && !continues_after(text, range.end, is_alphanumeric)
        };
        hits.add(SecretRule::AwsAccessKeyId, ids.filter(is_whole));
    }
    hits.add(SecretRule::AwsSecretAccessKey, secret_access_keys(text));
    hits.add(SecretRule::VendorToken, vendors::find(text));
    if contains_word(text, "bearer") {
        hits.add(SecretRule::BearerToken, group(&BEARER, text, looks_random));
    }
    if contains_word(text, "authorization") {
        hits.add(SecretRule::BearerToken, group(&AUTHORIZATION, text, is_no_placeholder));
    }
    if text.contains("://") {
        let is_token = |user: &str| user.len() >= 16 && !user.contains(':') && looks_random(user);
        hits.add(
            SecretRule::UrlCredentials,
            group(&URL_PASSWORD, text, is_no_placeholder),
        );
        hits.add(SecretRule::UrlCredentials, group(&URL_USER, text, is_token));
        hits.add(
            SecretRule::UrlCredentials,
            group(&URL_PARAMETER, text, is_no_placeholder),
        );
    }
    if text.contains(['"', '\'']) {
        hits.add(SecretRule::SecretNamedValue, named_values(&QUOTED, text, true));
    }
    if text.contains('=') {
        hits.add(SecretRule::SecretNamedValue, named_values(&ASSIGNED, text, false));
    }
    let is_said = |marks: &[&str]| marks.iter().any(|mark| text.contains(mark));
    for (_, said) in SAID.iter().filter(|(marks, _)| is_said(marks)) {
        let values = named_values(said, text, true).filter(|range| looks_drawn(&text[range.clone()]));
        hits.add(SecretRule::SecretNamedValue, values);
    }
    if text.contains("login") || text.contains("curl") {
        for login in &*LOGIN {
            let is_password = |value: &str| is_no_placeholder(value) && looks_drawn(value);
            hits.add(SecretRule::SecretNamedValue, group(login, text, is_password));
        }
    }
    if text.contains("sig=") {
        hits.add(SecretRule::UrlCredentials, group(&SHARED_ACCESS, text, looks_random));
    }
    hits.0.sort_unstable();
    hits.0
}

struct Hits(Vec<Found>);

impl Hits {
    fn add(&mut self, rule: SecretRule, ranges: impl IntoIterator<Item = Range<usize>>) {
        self.0.extend(ranges.into_iter().map(|range| Found {
            start: range.start,
            end: range.end,
            rule,
        }));
    }
}

/// What the first group of a pattern matches, where it is accepted.
fn group<'a>(
    regex: &'a Regex,
    text: &'a str,
    accept: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = Range<usize>> + 'a {
    let hits = regex.captures_iter(text).filter_map(|captures| captures.get(1));
    hits.filter(move |hit| accept(hit.as_str())).map(|hit| hit.range())
}

/// The values that their names make secret. What a name was taken to say may be a name itself (`note: password: x`): the search goes
/// on within it, which stays linear, because no value holds what an operator ends with, but for the forms that `is_nested` is false for.
fn named_values<'a>(regex: &'a Regex, text: &'a str, is_nested: bool) -> impl Iterator<Item = Range<usize>> + 'a {
    let mut from = 0;
    let captured = std::iter::from_fn(move || {
        let captures = regex.captures_at(text, from)?;
        let value = captures.iter().skip(2).flatten().next()?;
        from = if is_nested { value.start() } else { value.end() };
        Some((captures.get(1)?.as_str(), value))
    });
    captured
        .filter(|(name, value)| makes_secret(name, value.as_str()))
        .map(|(_, value)| value.range())
}

/// A code span `KEY = value`.
pub(super) struct DeclaredValue<'a> {
    pub(super) start: usize,
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

/// All code spans `KEY = value` of a Markdown document, wherever they stand: a secret in a note is one too.
pub(super) fn declared_values(text: &str) -> impl Iterator<Item = DeclaredValue<'_>> {
    DECLARED.captures_iter(text).filter_map(|captures| {
        let (key, value) = (captures.get(1)?, captures.get(2)?);
        Some(DeclaredValue {
            start: key.start(),
            key: key.as_str(),
            value: value.as_str().trim(),
        })
    })
}

/// Whether a text holds a word in whatever case.
fn contains_word(text: &str, word: &str) -> bool {
    text.as_bytes()
        .windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

fn continues_before(text: &str, start: usize, belongs: fn(u8) -> bool) -> bool {
    start > 0 && belongs(text.as_bytes()[start - 1])
}

fn continues_after(text: &str, end: usize, belongs: fn(u8) -> bool) -> bool {
    text.as_bytes().get(end).is_some_and(|byte| belongs(*byte))
}

fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn is_base64_url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// What stands after a name in prose is a word. What was drawn, or thought up as a password, has digits, signs or capitals inside.
fn looks_drawn(value: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_punctuation() && !b"-_./:,()<>[]{}".contains(&byte);
    let has_letter = value.bytes().any(|byte| byte.is_ascii_alphabetic());
    let changes_case = value
        .as_bytes()
        .windows(2)
        .any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    has_letter && (changes_case || value.bytes().any(|byte| byte.is_ascii_digit() || is_sign(byte)))
}

/// `{password}`, `${PASSWORD}`, `$PASSWORD`, `***` and our own marks stand for a secret and are none.
fn is_no_placeholder(value: &str) -> bool {
    let is_token = (value.starts_with('{') || value.starts_with("${")) && value.ends_with('}');
    let is_variable = value
        .strip_prefix('$')
        .is_some_and(|name| name.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase()));
    let is_masked = value.bytes().all(|byte| byte == b'*') || value.starts_with(REDACTED);
    !is_token && !is_variable && !is_masked
}

/// A secret access key has no mark of its own: 40 characters of Base64 that are bounded by others, and that look random.
///
/// `=` bounds as well as it belongs: `AWS_SECRET_ACCESS_KEY=…` must be found, and so must 39 characters with padding.
fn secret_access_keys(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for run in runs(text, |byte| is_base64(byte) || byte == b'=').filter(|run| run.len() >= 40) {
        let parts = runs(&text[run.clone()], is_base64).map(|part| run.start + part.start..run.start + part.end);
        found.extend(parts.filter(|part| part.len() == 40 && *part != run));
        if run.len() == 40 {
            found.push(run);
        }
    }
    found.retain(|range| looks_like_secret_access_key(&text[range.clone()]));
    found
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'+'
}

/// The longest stretches of bytes that belong.
fn runs(text: &str, belongs: impl Fn(u8) -> bool) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes[at..].iter().position(|byte| belongs(*byte))?;
        at = bytes[start..]
            .iter()
            .position(|byte| !belongs(*byte))
            .map_or(bytes.len(), |length| start + length);
        Some(start..at)
    })
}

/// Upper case, lower case and digits, which leaves out hexadecimal digests; no path, and no name made of words.
fn looks_like_secret_access_key(token: &str) -> bool {
    let has = |belongs: fn(&u8) -> bool| token.as_bytes().iter().any(belongs);
    let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    let is_hex = token.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_mixed && !is_hex && !is_path(token) && !is_made_of_words(token)
}

/// The parts of a path are words: of one case, capitalised, or a few of these together, of five characters or more on
/// average. Those of a random text hardly ever all are.
fn is_path(token: &str) -> bool {
    let is_word = |part: &str| {
        let is_mixed =
            part.bytes().any(|byte| byte.is_ascii_uppercase()) && part.bytes().any(|byte| byte.is_ascii_lowercase());
        !is_mixed || changes(part) * 5 <= part.len()
    };
    token.contains('/') && token.split('/').all(is_word)
}

/// `FraudPlatformDevFullStepFunctionsRole123` changes between capitals, small letters and digits less than ten times; 40 random
/// characters do so seventeen times on average, and hardly ever fewer than ten.
fn is_made_of_words(token: &str) -> bool {
    changes(token) < 10
}

/// How often a text changes from one class of characters to another. A capital and the small letters after it are one word.
fn changes(token: &str) -> usize {
    let class = |byte: u8| match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let pairs = token.as_bytes().windows(2).map(|pair| (class(pair[0]), class(pair[1])));
    pairs.filter(|&(one, two)| one != two && (one, two) != (0, 1)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_compile() {
        for regex in [
            &ACCESS_KEY_ID,
            &PEM,
            &JWT,
            &BEARER,
            &AUTHORIZATION,
            &URL_USER,
            &URL_PASSWORD,
            &URL_PARAMETER,
            &QUOTED,
            &ASSIGNED,
            &DECLARED,
            &SHARED_ACCESS,
        ]
        .into_iter()
        .map(|regex| &**regex)
        .chain(SAID.iter().map(|(_, said)| said))
        .chain(&*LOGIN)
        {
            assert!(!regex.is_match(""));
        }
    }

    #[test]
    fn runs_are_the_longest() {
        let found: Vec<_> = runs("ab-c--def", is_alphanumeric).collect();
        assert_eq!(found, [0..2, 3..4, 6..9]);
        assert_eq!(runs("--", is_alphanumeric).count(), 0);
    }
}
