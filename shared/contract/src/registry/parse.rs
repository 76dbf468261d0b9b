//! Finds the declarations in the Markdown of a registry.
//!
//! A Markdown parser finds the code spans; nothing here guesses with patterns what a fence, a comment or a quote is.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::RegistryError;
use super::value::{Declared, parse_value};
use crate::encoding::{other_encoding, without_mark};
use crate::ids::HandleKey;

/// The largest registry that is read: 4 MiB.
pub(super) const MAX_BYTES: usize = 4 << 20;

/// One declaration in the order of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declaration {
    /// The line of the span, counted from 1.
    pub(super) line: usize,
    /// The bytes of the span, with its backticks.
    pub(super) span: Range<usize>,
    /// The handle.
    pub(super) key: HandleKey,
    /// What stands after the equals sign and what it means; `None` when there is nothing.
    pub(super) value: Option<(String, Declared)>,
}

/// A block in which nothing is a declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hidden {
    /// Its bytes.
    pub(super) range: Range<usize>,
    /// What it is, as a clause.
    pub(super) what: &'static str,
}

/// The text of a registry, without a byte order mark.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, RegistryError> {
    if bytes.len() > MAX_BYTES {
        return Err(RegistryError::TooLarge { bytes: bytes.len() });
    }
    if let Some(encoding) = other_encoding(bytes) {
        return Err(RegistryError::OtherEncoding { encoding });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| RegistryError::NotUtf8 {
        offset: error.valid_up_to(),
    })?;
    Ok(without_mark(text))
}

/// All declarations of a registry, and the blocks that hide what looks like one.
pub(super) fn declarations(text: &str) -> (Vec<Declaration>, Vec<Hidden>) {
    let (mut found, mut hidden) = (Vec::new(), Vec::new());
    let mut lines = LineCounter {
        text,
        offset: 0,
        line: 1,
    };
    // Which of the lists around the current event are bulleted, innermost last.
    let mut bulleted = Vec::new();
    let mut quotes = 0_usize;
    let mut at_start_of_item = false;
    for (event, range) in Parser::new_ext(text, Options::empty()).into_offset_iter() {
        match event {
            Event::Start(Tag::List(first_number)) => {
                // All items of a list have the same bullet; white space may stand before the first.
                let bullet = text
                    .get(range.clone())
                    .and_then(|list| list.trim_start().chars().next());
                bulleted.push(first_number.is_none() && matches!(bullet, Some('*' | '-')));
            }
            Event::End(TagEnd::List(_)) => {
                bulleted.pop();
            }
            Event::Start(Tag::BlockQuote(_)) => quotes += 1,
            Event::End(TagEnd::BlockQuote(_)) => quotes = quotes.saturating_sub(1),
            Event::Start(Tag::CodeBlock(_)) => hidden.push(Hidden {
                range: range.clone(),
                what: "it stands in a code block",
            }),
            Event::Start(Tag::HtmlBlock) => hidden.push(Hidden {
                range: range.clone(),
                what: "it stands in HTML or a comment",
            }),
            _ => {}
        }
        match event {
            Event::Start(Tag::Item) => at_start_of_item = quotes == 0 && bulleted.last() == Some(&true),
            // Items that blank lines set apart hold paragraphs.
            Event::Start(Tag::Paragraph) => {}
            Event::Code(span) if at_start_of_item => {
                at_start_of_item = false;
                found.extend(declaration(&span).map(|(key, value)| Declaration {
                    line: lines.at(range.start),
                    span: range.clone(),
                    key,
                    value,
                }));
            }
            _ => at_start_of_item = false,
        }
    }
    (found, hidden)
}

/// `KEY = value` or `KEY`; anything else declares nothing.
fn declaration(span: &str) -> Option<(HandleKey, Option<(String, Declared)>)> {
    let (key, value) = span
        .split_once('=')
        .map_or((span, ""), |(key, value)| (key, value.trim()));
    let key = HandleKey::parse(key.trim()).ok()?;
    let value = (!value.is_empty()).then(|| (value.to_owned(), parse_value(value)));
    Some((key, value))
}

/// Turns growing offsets into line numbers, reading the text once.
struct LineCounter<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
}

impl LineCounter<'_> {
    fn at(&mut self, offset: usize) -> usize {
        let passed = self.text.as_bytes().get(self.offset..offset).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.offset = offset.max(self.offset);
        self.line
    }
}

/// How many lists and quotes may be open at once.
const MAX_NESTING: usize = 128;

/// Refuses nesting beyond all use. A Markdown parser walks all open lists and quotes on each line that continues a paragraph
/// lazily, so that a line of a million `>` followed by a million short lines would take it hours; all else it does is linear.
pub(super) fn check_nesting(text: &str) -> Result<(), RegistryError> {
    // A carriage return alone ends a line too.
    let mut start = 0;
    for line in text.split(['\n', '\r']) {
        if most_containers(line.as_bytes()) > MAX_NESTING {
            let mut lines = LineCounter {
                text,
                offset: 0,
                line: 1,
            };
            return Err(RegistryError::TooDeep { line: lines.at(start) });
        }
        start += line.len() + 1;
    }
    Ok(())
}

/// The most containers that can be open after this line: those it opens with its own markers, and those it keeps open, each
/// of which needs two columns of white space or a marker of its own.
fn most_containers(line: &[u8]) -> usize {
    let (mut markers, mut columns, mut at) = (0, 0, 0);
    let ends_here = |at: usize| matches!(line.get(at), None | Some(b' ' | b'\t' | b'\r'));
    loop {
        let digits = line[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        match line.get(at + digits) {
            Some(b' ') if digits == 0 => columns += 1,
            Some(b'\t') if digits == 0 => columns += 4,
            Some(b'>') if digits == 0 => markers += 1,
            Some(b'*' | b'-' | b'+') if digits == 0 && ends_here(at + 1) => markers += 1,
            Some(b'.' | b')') if digits > 0 && ends_here(at + digits + 1) => markers += 1,
            _ => break,
        }
        at += digits + 1;
    }
    // A line of one bullet repeated is a rule across the page.
    let bullets: Vec<u8> = line
        .trim_ascii()
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .take(MAX_NESTING)
        .collect();
    let is_rule = at >= line.len()
        && matches!(bullets.first(), Some(b'*' | b'-'))
        && bullets.iter().all(|byte| *byte == bullets[0]);
    if markers == 0 || is_rule {
        0
    } else {
        markers + columns / 2
    }
}
