//! The encoding of documents that others write: UTF-8, with or without a byte order mark.
//!
//! Windows tools write UTF-16 where nobody asked for it. It is refused by its name, with the way to mend it, instead of with
//! what a JSON parser thinks of its second byte.

/// How many bytes are looked at: enough to meet the ASCII characters that every JSON document and every registry has.
const SAMPLE: usize = 1024;

/// The name of the encoding of a document that is plainly not UTF-8: by its byte order mark, or because every second byte of its
/// ASCII characters is zero.
pub(crate) fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    const UTF_16_LE: &str = "UTF-16 (little-endian)";
    const UTF_16_BE: &str = "UTF-16 (big-endian)";
    const UTF_32: &str = "UTF-32";
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some(UTF_32),
        [0xff, 0xfe, ..] => return Some(UTF_16_LE),
        [0xfe, 0xff, ..] => return Some(UTF_16_BE),
        _ => {}
    }
    let sample = &bytes[..bytes.len().min(SAMPLE) & !1];
    let zeros_at = |parity: usize| sample.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let (first, second, pairs) = (zeros_at(0), zeros_at(1), sample.len() / 2);
    // A stray zero is no sign: a quarter of the pairs is.
    if pairs == 0 || (first + second) * 4 < pairs {
        None
    } else if first * 4 >= pairs && second * 4 >= pairs {
        Some(UTF_32)
    } else if second > first {
        Some(UTF_16_LE)
    } else {
        Some(UTF_16_BE)
    }
}

/// A text without the byte order mark that it may begin with.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_not_utf8_with_and_without_a_mark() {
        for text in [
            "{\"a\": 1}",
            "[]",
            "* `A = \"é€😀\"`\n",
            "{\"名前\":\"値\"}",
            "\u{feff}{}",
        ] {
            let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> { text.encode_utf16().flat_map(bytes).collect() };
            for (bytes, order) in [(utf16(u16::to_le_bytes), "little"), (utf16(u16::to_be_bytes), "big")] {
                let named = format!("UTF-16 ({order}-endian)");
                assert_eq!(other_encoding(&bytes), Some(named.as_str()), "{text}");
            }
            let utf32: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
            assert_eq!(other_encoding(&utf32), Some("UTF-32"), "{text}");
            assert_eq!(other_encoding(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_stray_zero_and_other_bytes_are_no_sign() {
        for bytes in [
            &b""[..],
            b"{",
            b"\0{\"a\": \"bcdefghi\"}",
            b"\xff{\"a\":1}",
            b"\xef\xbb\xbf{}",
        ] {
            assert_eq!(other_encoding(bytes), None, "{bytes:?}");
        }
    }
}
