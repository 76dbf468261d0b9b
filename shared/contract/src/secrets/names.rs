//! Names that make a value secret.

use super::references::{is_harmless, is_key_id, is_kind_of_authorization, is_name_of_secret};
use super::words::words_of;

/// The least characters of a value that counts: below it are words like `none` and `enabled`, unless letters stand beside digits or signs.
const MIN_CHARS: usize = 8;
const MIN_MIXED_CHARS: usize = 5;

/// Ends of the last word of names whose values are secret: `password`, and `pgpassword` too.
const ENDS: [&str; 16] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "pwd",
    "dbpass",
    "userpass",
    "secret",
    "token",
    "apikey",
    "apikeys",
    "accesskey",
    "privatekey",
    "secretkey",
    "credential",
    "authorization",
];

/// Last words of such names that other words end in too.
const LAST_WORDS: [&str; 6] = ["pass", "secrets", "tokens", "credentials", "creds", "psk"];

/// Words that make a `key` secret when they stand before it: `API_KEY` is, `PARTITION_KEY` is not.
const WORDS_BEFORE_KEY: [&str; 13] = [
    "api",
    "access",
    "private",
    "secret",
    "signing",
    "encryption",
    "account",
    "auth",
    "master",
    "license",
    "session",
    "hmac",
    "webhook",
];

/// Words after the name of a secret that leave it one: `SECRET_KEY_BASE`, `SecretString`.
const AFTER: [&str; 5] = ["base", "string", "plaintext", "current", "previous"];

/// Last words of names that say something about a secret, and are none themselves.
const ABOUT: [&str; 48] = [
    "type",
    "sensitive",
    "description",
    "name",
    "username",
    "user",
    "login",
    "id",
    "ids",
    "arn",
    "arns",
    "host",
    "hostname",
    "endpoint",
    "url",
    "uri",
    "port",
    "region",
    "account",
    "engine",
    "database",
    "dbname",
    "schema",
    "path",
    "key",
    "kind",
    "status",
    "state",
    "version",
    "place",
    "rule",
    "rules",
    "at",
    "date",
    "days",
    "expires",
    "expiry",
    "rotation",
    "enabled",
    "count",
    "length",
    "algorithm",
    "provider",
    "issuer",
    "audience",
    "scope",
    "email",
    "label",
];

/// What a name says of its value.
enum Names {
    /// A secret itself: `password`.
    Itself,
    /// A secret, or what it is called in a store of secrets: `secret`, `credentials`.
    ItselfOrItsName,
    /// A key, by the word before.
    Key(String),
    /// How somebody authorises, or with what.
    Authorization,
    /// Credentials in Base64, or how somebody authenticates: `auth`.
    Auth,
}

impl Names {
    fn of(words: &[String]) -> Option<Self> {
        let (last, before) = words.split_last()?;
        match last.as_str() {
            "key" | "keys" => {
                let before = before.last()?;
                WORDS_BEFORE_KEY
                    .contains(&before.as_str())
                    .then(|| Self::Key(before.clone()))
            }
            "auth" => Some(Self::Auth),
            "secret" | "secrets" | "credential" | "credentials" | "creds" => Some(Self::ItselfOrItsName),
            last if last.ends_with("authorization") => Some(Self::Authorization),
            last if LAST_WORDS.contains(&last) || ENDS.iter().any(|end| last.ends_with(end)) => Some(Self::Itself),
            last if AFTER.contains(&last) => Self::of(before),
            _ => None,
        }
    }
}

/// Whether a value is secret because of its name: the last words of the name say so, and the value is no setting, no placeholder, no
/// reference to a secret kept elsewhere and no digest under a digest's name.
pub(super) fn makes_secret(name: &str, value: &str) -> bool {
    let value = value.trim();
    let chars = value.chars().count();
    if chars < MIN_MIXED_CHARS || (chars < MIN_CHARS && !is_mixed(value)) || is_harmless(value) {
        return false;
    }
    let mut words = words_of(name);
    if matches!(words.last().map(String::as_str), Some("sha256" | "digest")) {
        // `token_sha256` may hold a digest, and nothing else.
        if is_digest(value) {
            return false;
        }
        words.pop();
    }
    let is_count = words.last().is_some_and(|last| last == "tokens") && value.bytes().all(|byte| byte.is_ascii_digit());
    match Names::of(&words) {
        // `max_tokens` counts.
        Some(Names::Itself) if is_count => false,
        Some(Names::Itself) => !is_name_of_secret(value, false),
        Some(Names::ItselfOrItsName) => !is_name_of_secret(value, true),
        // What key stores encrypt and sign with is named by its id.
        Some(Names::Key(before)) if before == "encryption" || before == "signing" => {
            !is_key_id(value) && !is_name_of_secret(value, false)
        }
        Some(Names::Key(_)) => !is_name_of_secret(value, false),
        Some(Names::Authorization) => !is_kind_of_authorization(value),
        Some(Names::Auth) => {
            chars >= 16 && value.bytes().all(is_base64) && value.bytes().any(|byte| byte.is_ascii_digit())
        }
        None => false,
    }
}

/// Whether what stands below `name` under `key` is judged by `name`: the value that Terraform writes, and all that a secret is made of.
pub(super) fn covers(name: &str, key: &str) -> bool {
    if key == "value" {
        return true;
    }
    let words = words_of(key);
    let is_about = words.last().is_some_and(|last| ABOUT.contains(&last.as_str()));
    !is_about && Names::of(&words).is_none() && Names::of(&words_of(name)).is_some()
}

/// Letters, and digits or signs that words do not hold.
fn is_mixed(value: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_punctuation() && !b"-_./:,()<>[]{}".contains(&byte);
    value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && value.bytes().any(|byte| byte.is_ascii_digit() || is_sign(byte))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte)
}

fn is_digest(value: &str) -> bool {
    value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_decide() {
        for name in [
            "password",
            "DB_PASSWORD",
            "dbPassword",
            "client-secret",
            "API_KEY",
            "apikey",
            "apiKey",
            "x.access_key",
            "SecretAccessKey",
            "private_key",
            "AWS_SECRET_ACCESS_KEY",
            "github_token",
            "credentials",
            "passwd",
            "aws.credential",
            "AUTHORIZATION",
            "token_sha256",
            "api_keys",
            "SecretString_secret",
        ] {
            assert!(makes_secret(name, "hunter2-hunter2"), "{name}");
        }
        for name in [
            "",
            "password_path",
            "SECRET_NAME",
            "token_arn",
            "PARTITION_KEY",
            "key",
            "sort_key",
            "tokenizer",
            "secretary",
            "s3_key",
            "REQUIRED_PLATFORM_RUN_ID_ENV_KEY",
            "no_plaintext_secrets_allowed",
            "access_key_id",
            "config_digest",
        ] {
            assert!(!makes_secret(name, "hunter2-hunter2"), "{name}");
        }
    }

    #[test]
    fn pointers_placeholders_and_digests_are_no_secrets() {
        for value in [
            "/fraud-platform/dev_full/aurora/password",
            "arn:aws:secretsmanager:eu-west-2:123456789012:secret:x",
            "s3://bucket/key/x",
            "TO_PIN",
            "short",
            "            ",
            "[REDACTED:secret-named-value]",
            "{db_password}",
            "${DB_PASSWORD}",
            "{{resolve:ssm:x}}",
        ] {
            assert!(!makes_secret("password", value), "{value}");
        }
        assert!(!makes_secret("token_sha256", &"a1".repeat(32)));
        assert!(!makes_secret("tokenDigest", &"a1".repeat(32)));
        assert!(makes_secret("token", &"a1".repeat(32)));
        assert!(makes_secret("token_sha256", &"z1".repeat(32)));
    }
}
