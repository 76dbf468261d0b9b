//! Names that make a value secret.

use super::references::{is_harmless, is_key_id, is_kind_of_authorization, is_name_of_secret};
use super::words::words_of;

/// The least characters of a value that counts: below it are words like `none` and `enabled`.
const MIN_CHARS: usize = 8;

/// Last words of names whose values are secret.
const LAST_WORDS: [&str; 18] = [
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "secrets",
    "token",
    "tokens",
    "apikey",
    "apikeys",
    "accesskey",
    "privatekey",
    "secretkey",
    "credential",
    "credentials",
    "authorization",
    "secretaccesskey",
];

/// Words that make a `key` secret when they stand before it: `API_KEY` is, `PARTITION_KEY` is not.
const WORDS_BEFORE_KEY: [&str; 6] = ["api", "access", "private", "secret", "signing", "encryption"];

/// Whether a value is secret because of its name: the last words of the name say so, and the value is no setting, no placeholder, no
/// reference to a secret kept elsewhere and no digest under a digest's name.
pub(super) fn makes_secret(name: &str, value: &str) -> bool {
    let value = value.trim();
    if value.chars().count() < MIN_CHARS || is_harmless(value) {
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
    match words.as_slice() {
        [.., before, last] if last == "key" || last == "keys" => match before.as_str() {
            // What key stores encrypt and sign with is named by its id.
            "encryption" | "signing" if is_key_id(value) => false,
            before => WORDS_BEFORE_KEY.contains(&before) && !is_name_of_secret(value, false),
        },
        [.., last] => match last.as_str() {
            "authorization" => !is_kind_of_authorization(value),
            "secret" | "secrets" | "credential" | "credentials" => !is_name_of_secret(value, true),
            last => LAST_WORDS.contains(&last) && !is_name_of_secret(value, false),
        },
        [] => false,
    }
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
