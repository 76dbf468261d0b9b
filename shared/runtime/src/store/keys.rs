//! The keys in a listing. They can be any text that S3 accepts, ours or not.

use aws_sdk_s3::types::EncodingType;
use percent_encoding::percent_decode_str;

/// Decodes a key from a listing. S3 percent-encodes keys on request, because XML cannot carry every character.
#[must_use]
pub fn decoded(key: &str, encoding: Option<&EncodingType>) -> String {
    if encoding != Some(&EncodingType::Url) {
        return key.to_owned();
    }
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_key_is_decoded_and_another_is_left_alone() {
        let url = Some(&EncodingType::Url);
        for (encoded, key) in [
            ("evidence/runs/a", "evidence/runs/a"),
            ("a+b%2Bc%20d", "a b+c d"),
            ("x%01%0A/%2e%2E/%C3%A9", "x\u{1}\n/../é"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
        ] {
            assert_eq!(decoded(encoded, url), key);
        }
        assert_eq!(decoded("a+b%2Bc", None), "a+b%2Bc");
    }
}
