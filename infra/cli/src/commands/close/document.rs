//! A document that people keep, and a closure note at its end. What the document is written in stays as it is: UTF-8 or UTF-16, with
//! or without a byte order mark, lines that end with LF or CRLF.

use std::fmt::Write as _;

/// The document cannot be appended to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwritable {
    /// It begins with the mark of UTF-16, and is not whole UTF-16.
    #[error("it begins as UTF-16 and is not whole UTF-16; save it anew")]
    Utf16,
    /// It has no mark, and is not UTF-8.
    #[error("it is not UTF-8, and has no mark of UTF-16; save it as UTF-8")]
    Utf8,
}

/// The byte order mark.
const MARK: char = '\u{feff}';

/// How a document's text is stored.
#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Utf16(fn(u16) -> [u8; 2], fn([u8; 2]) -> u16),
}

impl Encoding {
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0xff, 0xfe, ..] => Self::Utf16(u16::to_le_bytes, u16::from_le_bytes),
            [0xfe, 0xff, ..] => Self::Utf16(u16::to_be_bytes, u16::from_be_bytes),
            _ => Self::Utf8,
        }
    }

    fn decode(self, bytes: &[u8]) -> Result<String, Unwritable> {
        match self {
            Self::Utf8 => String::from_utf8(bytes.to_vec()).map_err(|_| Unwritable::Utf8),
            Self::Utf16(_, read) => {
                let (units, rest) = bytes.as_chunks::<2>();
                let units: Vec<u16> = units.iter().map(|unit| read(*unit)).collect();
                let text = String::from_utf16(&units).ok().filter(|_| rest.is_empty());
                text.ok_or(Unwritable::Utf16)
            }
        }
    }

    fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf16(write, _) => text.encode_utf16().flat_map(write).collect(),
        }
    }
}

/// A document with a note.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Noted {
    /// The number of the line with the note's marker, from 1.
    pub(super) line: usize,
    /// The new content. `None` if the document has the note already.
    pub(super) content: Option<Vec<u8>>,
}

/// Puts `note` at the end of the document, below a line with `marker`, unless such a line is there already.
pub(super) fn append(document: &[u8], marker: &str, note: &str) -> Result<Noted, Unwritable> {
    let encoding = Encoding::of(document);
    let text = encoding.decode(document)?;
    if let Some(at) = text
        .lines()
        .position(|line| line.trim_start_matches(MARK).trim() == marker)
    {
        return Ok(Noted {
            line: at + 1,
            content: None,
        });
    }
    let newline = match text.split_once('\n') {
        Some((first, _)) if first.ends_with('\r') => "\r\n",
        _ => "\n",
    };
    let mut added = String::new();
    let is_empty = text.trim_start_matches(MARK).is_empty();
    if !is_empty {
        if !text.ends_with('\n') {
            added.push_str(newline);
        }
        added.push_str(newline);
    }
    let line = text.matches('\n').count() + added.matches('\n').count() + 1;
    for part in std::iter::once(marker).chain(note.lines()) {
        // Writing to a String cannot fail.
        let _ = write!(added, "{part}{newline}");
    }
    let mut content = document.to_vec();
    content.extend(encoding.encode(&added));
    Ok(Noted {
        line,
        content: Some(content),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: &str = "<!-- p1-closure: run -->";
    const NOTE: &str = "## closed\n\n- it is é\n";

    fn utf16(text: &str, write: fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(write).collect()
    }

    #[test]
    fn a_document_stays_what_it_is_and_gets_a_note_once() {
        for (text, expected, line) in [
            ("", "<!-- p1-closure: run -->\n## closed\n\n- it is é\n", 1),
            ("# D\n", "# D\n\n<!-- p1-closure: run -->\n## closed\n\n- it is é\n", 3),
            ("# D", "# D\n\n<!-- p1-closure: run -->\n## closed\n\n- it is é\n", 3),
            (
                "# D\r\nx\r\n",
                "# D\r\nx\r\n\r\n<!-- p1-closure: run -->\r\n## closed\r\n\r\n- it is é\r\n",
                4,
            ),
        ] {
            let encodings: [fn(&str) -> Vec<u8>; 4] = [
                |text| text.as_bytes().to_vec(),
                |text| format!("\u{feff}{text}").into_bytes(),
                |text| utf16(text, u16::to_le_bytes),
                |text| utf16(text, u16::to_be_bytes),
            ];
            for encode in encodings {
                let noted = append(&encode(text), MARKER, NOTE).unwrap();
                let content = noted.content.unwrap();
                assert_eq!((noted.line, &content), (line, &encode(expected)), "{text:?}");
                let again = append(&content, MARKER, NOTE).unwrap();
                assert_eq!(again, Noted { line, content: None }, "{text:?}");
            }
        }
    }

    #[test]
    fn what_is_no_text_is_not_touched() {
        assert_eq!(append(b"\xff\xfe\x41", MARKER, NOTE), Err(Unwritable::Utf16));
        assert_eq!(append(b"\xfe\xff\xd8\x00", MARKER, NOTE), Err(Unwritable::Utf16));
        assert_eq!(append(b"caf\xe9", MARKER, NOTE), Err(Unwritable::Utf8));
    }
}
