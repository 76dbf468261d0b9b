//! Values under a secret's name that are none: settings, dates, masks, and names, paths and ids of secrets kept elsewhere.

use super::REDACTED;
use super::words::words_of;
use crate::placeholder::is_placeholder;

/// What begins the path of a file, of a parameter or of an alias.
const PATHS: [&str; 8] = ["/", "./", "../", "~/", "file://", "file:", "alias/", "ssm:"];

/// What begins the address of an object.
const OBJECTS: [&str; 2] = ["s3://", "gs://"];

/// Services that keep secrets of their own in Secrets Manager, as their names begin: `rds!db-…`.
const MANAGED_BY: [&str; 8] = [
    "rds",
    "redshift",
    "events",
    "ecs-sc",
    "appflow",
    "databrew",
    "dms",
    "sqlworkbench",
];

/// Words of settings that people also choose for a password: alone they say nothing.
const CHOSEN: [&str; 12] = [
    "terraform",
    "anonymous",
    "kerberos",
    "vault",
    "user",
    "container",
    "environment",
    "metadata",
    "identity",
    "legacy",
    "monthly",
    "deprecated",
];

/// What Terraform prints where it hides a value, and what standards call ways to authenticate.
const FIXED: [&str; 10] = [
    "(sensitive value)",
    "(known after apply)",
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "client_credentials",
    "secretsmanager",
    "secrets-manager",
    "parameter-store",
];

/// Words of settings: a value that is made of them says how something is done, and holds no secret.
const SETTINGS: &str = " required optional enabled disabled active inactive federated none null true false yes no on off default \
    defaults standard custom managed unmanaged self aws iam azure gcp external internal automatic automatically auto manual manually always \
    never unused unset undefined empty hidden sensitive redacted masked omitted encrypted unencrypted plaintext inherited imported \
    generated provided unspecified unknown not applicable available supported allowed denied allow deny permitted forbidden rotated rotation \
    rotating daily weekly monthly yearly hourly instance profile role assume assumed workload identity environment metadata container sso \
    oidc saml oauth oauth2 jwt basic bearer digest kerberos ntlm mtls cognito user pool pools opaque vault terraform and or by with in of the \
    deprecated legacy anonymous authenticated passwordless interactive strict lax permissive mandatory readonly \
    read only write ";

/// Words that names of secrets are made of.
const OF_SECRETS: [&str; 26] = [
    "secret",
    "secrets",
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "pwd",
    "token",
    "tokens",
    "credential",
    "credentials",
    "creds",
    "cred",
    "key",
    "keys",
    "apikey",
    "auth",
    "oauth",
    "login",
    "cert",
    "certificate",
    "ssh",
    "rsa",
    "tls",
    "jwt",
    "webhook",
];

/// Words that nobody names a secret with, but writes into an invented one.
const OF_INVENTED: [&str; 10] = [
    "super", "my", "your", "top", "very", "is", "this", "test", "sample", "some",
];

/// Ends of file names that keys and their like are kept under.
const FILES: [&str; 14] = [
    ".pem", ".key", ".pub", ".p12", ".pfx", ".jks", ".crt", ".cer", ".json", ".txt", ".yaml", ".yml", ".env", ".gpg",
];

/// Whether a value, whatever it stands under, is no secret by itself.
pub(super) fn is_harmless(value: &str) -> bool {
    is_left_open(value)
        || value.starts_with(REDACTED)
        || is_pointer(value)
        || FIXED.iter().any(|fixed| value.eq_ignore_ascii_case(fixed))
        || is_template(value)
        || is_mask(value)
        || is_date(value)
        || is_setting(value)
        || is_windows_path(value)
        || is_file_name(value)
}

/// A placeholder, alone or with a note after it that is set off: `TBD (after M2.B)`.
fn is_left_open(value: &str) -> bool {
    let word = value.split([' ', '\t', '(']).next().unwrap_or_default();
    let is_plain = word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    is_placeholder(value) && (is_plain || value.starts_with(['<', '‹']))
}

/// The path, the ARN or the address of what is kept elsewhere, or a template that names it. What begins like one and goes on
/// like a secret is none.
fn is_pointer(value: &str) -> bool {
    let after = |starts: &[&str]| starts.iter().find_map(|start| value.strip_prefix(start));
    if let Some(path) = after(&PATHS) {
        return words_of_name(path.trim_matches('/')).is_some() || is_file_name(path);
    }
    if let Some(address) = after(&OBJECTS) {
        return !address.contains(['?', ' ', '#']);
    }
    if value.starts_with("arn:") {
        let parts: Vec<&str> = value.splitn(6, ':').collect();
        return parts.len() == 6 && parts[1].starts_with("aws") && !value.contains(' ');
    }
    (value.starts_with("${") && value.ends_with('}')) || (value.starts_with("{{") && value.ends_with("}}"))
}

/// `{db_password}` and `%DB_PASSWORD%` and `$DB_PASSWORD`: to be filled in later.
fn is_template(value: &str) -> bool {
    let is_name =
        |inner: &str| !inner.is_empty() && inner.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
    let between = |open, close| value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    // An invented password can begin with a dollar sign: a variable's name has more than one word.
    let is_variable =
        |name: &str| is_name(name) && name.contains('_') && !name.bytes().any(|byte| byte.is_ascii_lowercase());
    between("{", "}").is_some_and(is_name)
        || between("%", "%").is_some_and(is_name)
        || value.strip_prefix('$').is_some_and(is_variable)
}

/// `********` and `xxxxxxxx`.
fn is_mask(value: &str) -> bool {
    let mut chars = value.chars();
    chars
        .next()
        .is_some_and(|first| "*xX#•.-".contains(first) && chars.all(|c| c == first))
}

/// `2026-11-28`, alone or with a time of day.
fn is_date(value: &str) -> bool {
    let Some((date, time)) = value.split_at_checked(10) else {
        return false;
    };
    let is_digit = |at: usize, byte: u8| {
        if at == 4 || at == 7 {
            byte == b'-'
        } else {
            byte.is_ascii_digit()
        }
    };
    date.bytes().enumerate().all(|(at, byte)| is_digit(at, byte))
        && (time.is_empty() || time.starts_with(['T', ' ']))
        && time
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"T :.Z+-".contains(&byte))
}

fn is_setting(value: &str) -> bool {
    let words = value.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_- .,".contains(&byte))
        && words.iter().all(|word| SETTINGS.contains(&format!(" {word} ")))
        && !words.iter().all(|word| CHOSEN.contains(&word.as_str()))
}

fn is_windows_path(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.len() > 3 && bytes[0].is_ascii_alphabetic() && bytes[1..].starts_with(b":\\")
}

fn is_file_name(value: &str) -> bool {
    let stem = FILES.iter().find_map(|end| value.strip_suffix(end));
    stem.is_some_and(|stem| words_of_name(stem).is_some())
}

/// Whether the value under a way to authorise is the name of one: `AWS_IAM`, `CUSTOM_JWT`.
pub(super) fn is_kind_of_authorization(value: &str) -> bool {
    let words: Vec<&str> = value.split(['_', '-', ' ']).collect();
    let is_known = |word: &str| is_upper(word) || SETTINGS.contains(&format!(" {} ", word.to_ascii_lowercase()));
    value
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || b"_- ".contains(&byte))
        && words.iter().all(|word| word.len() <= 14 && is_of_one_case(word))
        && words.first().is_some_and(|word| is_known(word))
}

/// Whether a value is the name or the path of a secret, as secret stores have them. Under a name that ends in `secret` or `credentials` a name is
/// usual; under `password` or `token` the secret itself is, so that only a path counts there.
pub(super) fn is_name_of_secret(value: &str, is_usual: bool) -> bool {
    let (scheme, path) = value.split_once("://").unwrap_or(("", value));
    let (is_managed, path) = match path.split_once('!') {
        // Services name the secrets that they manage themselves: `rds!db-…`.
        Some((service, name)) if MANAGED_BY.contains(&service) && !name.is_empty() => (true, name),
        _ => (false, path),
    };
    let segments = path.split('/').filter(|segment| !segment.is_empty()).count();
    let Some(words) = words_of_name(path) else {
        return false;
    };
    let is_of_secret = words.iter().any(|word| OF_SECRETS.contains(&word.as_str()));
    if !is_usual {
        return (segments >= 2 && is_of_secret) || segments >= 3;
    }
    let is_invented = words.iter().any(|word| OF_INVENTED.contains(&word.as_str()));
    is_managed || segments >= 2 || !scheme.is_empty() || (words.len() >= 2 && is_of_secret && !is_invented)
}

/// Whether a value is the id of a key in a key store: a UUID, or a multi-region key's.
pub(super) fn is_key_id(value: &str) -> bool {
    let is_hex = |text: &str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_uuid(value) || value.strip_prefix("mrk-").is_some_and(is_hex)
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The words that a name or a path is made of, in lower case; none where a part of it is no word. Words have letters of one case or a few
/// capitalised parts, and a number at their end: `db-01`, `eu-west-2`, `dbCredentials`. A path may hold a UUID, and end with the six characters that Secrets
/// Manager puts after a name.
fn words_of_name(path: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let segments: Vec<&str> = path.split('/').collect();
    for (at, segment) in segments.iter().enumerate() {
        let is_last = at + 1 == segments.len() && at > 0;
        let uuid = segment.len().checked_sub(36).and_then(|start| segment.get(start..));
        let named = match uuid {
            Some(uuid) if is_uuid(uuid) => &segment[..segment.len() - 36],
            _ => segment,
        };
        let named = match named.rsplit_once('-') {
            Some((name, suffix))
                if is_last && suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
            {
                name
            }
            _ => named,
        };
        for word in named
            .split(['-', '_', '.', '@', ':', '#'])
            .filter(|word| !word.is_empty())
        {
            words.extend(parts_of_word(word)?);
        }
    }
    (!words.is_empty() || path.contains('-')).then_some(words)
}

fn parts_of_word(word: &str) -> Option<Vec<String>> {
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = word.len() - letters.len();
    let is_plain =
        word.bytes().all(|byte| byte.is_ascii_alphanumeric()) && letters.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !is_plain || letters.len() > 24 || digits > if letters.is_empty() { 12 } else { 3 } {
        return None;
    }
    if is_of_one_case(letters) {
        return Some(vec![letters.to_ascii_lowercase()]);
    }
    let parts = words_of(letters);
    (parts.len() <= 4 && parts.iter().all(|part| part.len() >= 2) && letters.len() >= parts.len() * 3).then_some(parts)
}

fn is_upper(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// `db`, `DB` or `Db`.
fn is_of_one_case(word: &str) -> bool {
    let rest = word.get(1..).unwrap_or_default();
    let is_lower = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
    is_lower(rest) || word.bytes().all(|byte| byte.is_ascii_uppercase())
}
