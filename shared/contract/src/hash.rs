//! SHA-256 digests as lower-case hexadecimal text, the only digest that P1 writes.

use sha2::{Digest, Sha256};

use crate::parse_error::text_newtype;

text_newtype! {
    /// A SHA-256 digest: 64 lower-case hexadecimal digits.
    Sha256Hex,
    what = "a SHA-256 digest",
    pattern = "^[0-9a-f]{64}$",
    expected = "64 lower-case hexadecimal digits",
    check = |text| text.len() == 64 && is_lower_hex(text)
}

impl Sha256Hex {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digest = Sha256::digest(bytes);
        let mut text = String::with_capacity(64);
        for byte in digest {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 0x0f)]));
        }
        Self(text)
    }

    /// The 32 bytes of the digest, as S3's checksum headers want them.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        let nibble = |digit: u8| {
            if digit.is_ascii_digit() {
                digit - b'0'
            } else {
                digit - b'a' + 10
            }
        };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(self.0.as_bytes().chunks_exact(2)) {
            *byte = nibble(pair[0]) << 4 | nibble(pair[1]);
        }
        bytes
    }

    /// The first `n` hexadecimal digits; all 64 when `n` is more.
    pub fn first(&self, n: usize) -> &str {
        &self.0[..n.min(self.0.len())]
    }
}

/// Whether a text consists of lower-case hexadecimal digits alone.
pub(crate) fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_published_vectors() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256Hex::of(b"").as_str(), empty);
        assert_eq!(Sha256Hex::of(b"abc").as_str(), abc);
        assert_eq!(Sha256Hex::of(b"abc").first(12), "ba7816bf8f01");
        assert_eq!(Sha256Hex::of(b"abc").first(100), abc);
    }

    #[test]
    fn refuses_other_texts() {
        let [upper, other, short, long] = [("A", 64), ("g", 64), ("a", 63), ("a", 65)].map(|(c, n)| c.repeat(n));
        for text in ["", "abc", &upper, &other, &short, &long] {
            assert!(Sha256Hex::parse(text).is_err(), "{text}");
            assert!(serde_json::from_value::<Sha256Hex>(serde_json::json!(text)).is_err());
        }
        let good = "0123456789abcdef".repeat(4);
        let written = serde_json::to_value(Sha256Hex::parse(&good).unwrap()).unwrap();
        assert_eq!(written, serde_json::json!(good));
    }
}
