//! Finds secrets before they are published, and takes them out (contract section 6, "Secret safety").
//!
//! A hit names the place and the rule, never the value. Two kinds of rule work together: *shapes*, which give a secret away
//! wherever it stands, and *names*, which say that whatever stands beside them is secret.

mod names;
mod patterns;
mod references;
mod shapes;

#[cfg(test)]
mod planted;
#[cfg(test)]
mod terraform_outputs;
#[cfg(test)]
mod tests;
mod vendors;
mod words;

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use crate::canonical::pointer_segment;

/// What gave a secret away.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum SecretRule {
    /// An access key id of AWS: `AKIA…`, `ASIA…`.
    AwsAccessKeyId,
    /// 40 characters that look like a secret access key of AWS.
    AwsSecretAccessKey,
    /// A private key in PEM.
    PemPrivateKey,
    /// A JSON Web Token, signed or encrypted.
    Jwt,
    /// A token that its vendor marks, such as `ghp_…` or `dapi…`.
    VendorToken,
    /// A token after `Bearer`, or credentials after `Authorization:`.
    BearerToken,
    /// A URL with a password, a token or a signature in it.
    UrlCredentials,
    /// A value under a name like `password`.
    SecretNamedValue,
}

impl SecretRule {
    /// The name as evidence has it: `aws-access-key-id` …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwsAccessKeyId => "aws-access-key-id",
            Self::AwsSecretAccessKey => "aws-secret-access-key",
            Self::PemPrivateKey => "pem-private-key",
            Self::Jwt => "jwt",
            Self::VendorToken => "vendor-token",
            Self::BearerToken => "bearer-token",
            Self::UrlCredentials => "url-credentials",
            Self::SecretNamedValue => "secret-named-value",
        }
    }

    fn mark(self) -> String {
        format!("{REDACTED}{}]", self.as_str())
    }
}

impl fmt::Display for SecretRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a secret was found, and what gave it away. It never holds the secret.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct SecretHit {
    /// The place: a JSON pointer, or a document and its line. Secrets in the pointer's own keys are redacted.
    pub place: String,
    /// The rule.
    pub rule: SecretRule,
}

/// What every redaction begins with. Text that begins so is never a secret again.
const REDACTED: &str = "[REDACTED:";

/// The version of the rules, which evidence names. It is raised when a rule finds more, or less, than before in
/// evidence of a release that is in use.
pub const RULES_VERSION: u64 = 1;

/// How many strings a scan of the value looks at: its keys and its texts. Redaction does not change it.
#[must_use]
pub fn count_strings(value: &Value) -> u64 {
    match value {
        Value::String(_) => 1,
        Value::Array(items) => items.iter().map(count_strings).sum(),
        Value::Object(map) => map.values().map(|item| 1 + count_strings(item)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// Names the document in the place of each hit.
#[must_use]
pub fn named(document: &str, hits: Vec<SecretHit>) -> Vec<SecretHit> {
    hits.into_iter()
        .map(|hit| SecretHit {
            place: format!("{document}{}", hit.place),
            ..hit
        })
        .collect()
}

/// The secrets in one text, each rule once.
pub fn scan_text(place: &str, text: &str) -> Vec<SecretHit> {
    let rules: BTreeSet<SecretRule> = shapes::find(text).into_iter().map(|found| found.rule).collect();
    rules
        .into_iter()
        .map(|rule| SecretHit {
            place: place.to_owned(),
            rule,
        })
        .collect()
}

/// The text with each secret replaced by `[REDACTED:rule]`; `None` when it holds none.
pub fn redact_text(text: &str) -> Option<String> {
    let found = shapes::find(text);
    if found.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for secret in found {
        if secret.end <= done {
            continue;
        }
        // Two rules that overlap leave nothing of their union.
        if secret.start >= done {
            out.push_str(&text[done..secret.start]);
            out.push_str(&secret.rule.mark());
        }
        done = secret.end;
    }
    out.push_str(&text[done..]);
    Some(out)
}

/// The secrets in the strings and keys of a JSON value. A place is a JSON pointer; the value itself is the empty one.
pub fn scan_value(value: &Value) -> Vec<SecretHit> {
    let mut hits = BTreeSet::new();
    scan_node(value, "", None, &mut hits);
    hits.into_iter().collect()
}

fn scan_node(value: &Value, place: &str, name: Option<&str>, hits: &mut BTreeSet<SecretHit>) {
    match value {
        Value::String(text) => {
            hits.extend(scan_text(place, text));
            if is_secret_named(name, text) {
                hits.insert(SecretHit {
                    place: place.to_owned(),
                    rule: SecretRule::SecretNamedValue,
                });
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                scan_node(item, &format!("{place}/{index}"), name, hits);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                let place = format!("{place}/{}", pointer_segment(redact_text(key).as_ref().unwrap_or(key)));
                hits.extend(scan_text(&place, key));
                scan_node(item, &place, Some(name_below(name, key)), hits);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Takes the secrets out of the strings and keys of a JSON value, and says which there were.
pub fn redact_value(value: &mut Value) -> Vec<SecretHit> {
    let hits = scan_value(value);
    if !hits.is_empty() {
        redact_node(value, None);
    }
    hits
}

fn redact_node(value: &mut Value, name: Option<&str>) {
    match value {
        Value::String(text) if is_secret_named(name, text) => *text = SecretRule::SecretNamedValue.mark(),
        Value::String(text) => {
            if let Some(redacted) = redact_text(text) {
                *text = redacted;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact_node(item, name)),
        Value::Object(map) => {
            let mut redacted = Map::new();
            for (key, mut item) in std::mem::take(map) {
                redact_node(&mut item, Some(name_below(name, &key)));
                let mut new_key = redact_text(&key).unwrap_or(key);
                // Different secrets may leave the same text.
                while redacted.contains_key(&new_key) {
                    new_key.push('+');
                }
                redacted.insert(new_key, item);
            }
            *map = redacted;
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The name that the value of `key` goes by: `{"db_password": {"value": "…"}}`, as Terraform writes outputs, is a password, and so is
/// whatever else stands below that name.
fn name_below<'a>(name: Option<&'a str>, key: &'a str) -> &'a str {
    name.filter(|name| names::covers(name, key)).unwrap_or(key)
}

fn is_secret_named(name: Option<&str>, text: &str) -> bool {
    name.is_some_and(|name| names::makes_secret(name, text))
}

/// The secrets in a Markdown document, such as the registry: by shape anywhere, and by the names of declared handles. A place
/// is `name:line 12`.
pub fn scan_document(name: &str, text: &str) -> Vec<SecretHit> {
    let mut starts: Vec<(usize, SecretRule)> = shapes::find(text)
        .iter()
        .map(|found| (found.start, found.rule))
        .collect();
    starts.extend(declared_secrets(text).map(|start| (start, SecretRule::SecretNamedValue)));
    starts.sort_unstable();

    let mut hits = Vec::new();
    let (mut line, mut counted) = (1, 0);
    for (start, rule) in starts {
        line += text.as_bytes()[counted..start]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        counted = start;
        hits.push(SecretHit {
            place: format!("{name}:line {line}"),
            rule,
        });
    }
    hits.dedup();
    hits
}

/// Where code spans `KEY = value` begin whose key makes their value secret.
fn declared_secrets(text: &str) -> impl Iterator<Item = usize> {
    shapes::declared_values(text).filter_map(|declared| {
        let secret = match serde_json::from_str::<Value>(declared.value) {
            Ok(value) => {
                let mut hits = BTreeSet::new();
                scan_node(&value, "", Some(declared.key), &mut hits);
                hits.iter().any(|hit| hit.rule == SecretRule::SecretNamedValue)
            }
            Err(_) => names::makes_secret(declared.key, declared.value),
        };
        secret.then_some(declared.start)
    })
}
