//! Names of handles, buckets and objects.

use crate::parse_error::{ParseError, text_conversions, text_newtype};

text_newtype! {
    /// The key of a handle in the registry, of at most 128 characters.
    HandleKey,
    what = "a handle key",
    pattern = "^[A-Z][A-Z0-9_]{0,127}$",
    expected = "a capital letter, then capital letters, digits and underscores, at most 128 in all",
    check = is_handle_key
}

fn is_handle_key(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 128
        && bytes.next().is_some_and(|first| first.is_ascii_uppercase())
        && bytes.all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

text_newtype! {
    /// The key of an object: relative, of at most 1,024 bytes, without empty parts, `.` and `..`.
    S3Key,
    what = "an object key",
    pattern = r"^[^/\x00-\x1f\x7f]+(/[^/\x00-\x1f\x7f]+)*$",
    expected = "1 to 1,024 bytes of parts joined by single slashes, none of them `.` or `..`, without control characters",
    check = is_s3_key
}

fn is_s3_key(text: &str) -> bool {
    (1..=1024).contains(&text.len())
        && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !text.chars().any(char::is_control)
}

text_newtype! {
    /// The name of a general purpose bucket.
    BucketName,
    what = "a bucket name",
    pattern = "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
    expected = "3 to 63 lower-case letters, digits, dots and hyphens that begin and end with a letter or digit",
    check = is_bucket_name
}

fn is_bucket_name(text: &str) -> bool {
    let is_alphanumeric = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let bytes = text.as_bytes();
    let looks_like_an_ip_address = text.bytes().filter(|byte| *byte == b'.').count() == 3
        && text.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
    (3..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|byte| is_alphanumeric(byte) || matches!(byte, b'.' | b'-'))
        && bytes.first().is_some_and(is_alphanumeric)
        && bytes.last().is_some_and(is_alphanumeric)
        && !text.contains("..")
        && !looks_like_an_ip_address
}

text_newtype! {
    /// The name by which metrics tell deployments apart.
    DeploymentName,
    what = "a deployment's name",
    pattern = "^[a-zA-Z0-9_-]{1,64}$",
    expected = "1 to 64 letters, digits, `-` and `_`",
    check = is_deployment_name
}

fn is_deployment_name(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(is_fit)
}

/// An object's address, `s3://bucket/key`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct S3Uri {
    /// The bucket.
    pub bucket: BucketName,
    /// The key in it.
    pub key: S3Key,
}

impl S3Uri {
    /// Parses `s3://bucket/key`.
    ///
    /// # Errors
    /// When the scheme, the bucket or the key has another shape.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let parts = text.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        let parsed = parts.and_then(|(bucket, key)| {
            Some(Self {
                bucket: BucketName::parse(bucket).ok()?,
                key: S3Key::parse(key).ok()?,
            })
        });
        parsed.ok_or_else(|| ParseError::new("an object's URI", text, "s3://bucket/key"))
    }
}

impl std::fmt::Display for S3Uri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

text_conversions!(
    S3Uri,
    pattern = r"^s3://[a-z0-9.-]{3,63}/[^/\x00-\x1f\x7f]+(/[^/\x00-\x1f\x7f]+)*$"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn handle_keys() {
        for good in ["A", "S3_EVIDENCE_BUCKET", "X9", &"A".repeat(128)] {
            assert!(HandleKey::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "_A", "9A", "A-B", "A B", "É", &"A".repeat(129)] {
            assert!(HandleKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn object_keys() {
        for good in [
            "a",
            "evidence/runs/x/run.json",
            "a b/c=d",
            "é/..a/b..",
            &"k".repeat(1024),
        ] {
            assert!(S3Key::parse(good).is_ok(), "{good}");
        }
        let (long, longer) = ("k".repeat(1025), "é".repeat(513));
        for bad in [
            "", "/a", "a/", "a//b", "a/../b", "..", "./a", "a/.", "a\nb", "a\u{7f}", &long, &longer,
        ] {
            assert!(S3Key::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bucket_names() {
        for good in ["fraud-platform-dev-full-evidence", "a.b", "123"] {
            assert!(BucketName::parse(good).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "ab", "Abc", "-abc", "abc-", "a..b", "1.2.3.4", "a_b", "a/b", &long] {
            assert!(BucketName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn uris() {
        let uri = S3Uri::parse("s3://bucket/a/b.json").unwrap();
        assert_eq!((uri.bucket.as_str(), uri.key.as_str()), ("bucket", "a/b.json"));
        assert_eq!(uri.to_string(), "s3://bucket/a/b.json");
        assert_eq!(serde_json::to_string(&uri).unwrap(), "\"s3://bucket/a/b.json\"");
        for bad in [
            "",
            "s3://",
            "s3://bucket",
            "s3://bucket/",
            "s3:///key",
            "S3://bucket/key",
            "https://bucket/key",
            "s3://bucket//key",
        ] {
            assert!(S3Uri::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn keys_and_uris_survive_being_written(text in any::<String>(), bucket in "[a-z]{3,10}") {
            if let Ok(key) = S3Key::parse(&text) {
                prop_assert!(!key.as_str().split('/').any(|part| part.is_empty() || part == ".."));
                let uri = S3Uri { bucket: BucketName::parse(&bucket).unwrap(), key };
                prop_assert_eq!(S3Uri::parse(&uri.to_string()).unwrap(), uri);
            }
            let _ = (HandleKey::parse(&text), BucketName::parse(&text), S3Uri::parse(&text));
        }
    }
}
