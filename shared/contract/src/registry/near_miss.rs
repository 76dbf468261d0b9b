//! Lines that look like a declaration and are none: behind a check box, in bold, in a table (contract section 3).
//!
//! Nothing is read from them. They tell whoever misses a handle where to look.

use std::collections::BTreeMap;
use std::ops::Range;

use super::parse::Hidden;
use crate::ids::HandleKey;

/// A line that looks like the declaration of a handle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NearMiss {
    /// The line, counted from 1.
    pub(super) line: usize,
    /// Why it declares nothing.
    pub(super) why: String,
    likeness: Likeness,
}

/// How much a line looks like a declaration, most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// A person takes it for one.
    Deliberate,
    /// It has the words of one in another place.
    Elsewhere,
    /// It is prose or an example.
    Mention,
}

/// The line that looks most like a declaration of each key, the first where several do.
pub(super) fn near_misses(text: &str, hidden: &[Hidden]) -> BTreeMap<HandleKey, NearMiss> {
    let mut found: BTreeMap<HandleKey, NearMiss> = BTreeMap::new();
    let (mut start, mut blocks) = (0, hidden.iter().peekable());
    for (number, line) in text.split('\n').enumerate() {
        while blocks.peek().is_some_and(|block| block.range.end <= start) {
            blocks.next();
        }
        let block = blocks
            .peek()
            .filter(|block| block.range.start < start + line.len().max(1));
        if let Some((key, at)) = candidate(line) {
            let (why, likeness) = match block {
                Some(block) => (block.what.to_owned(), Likeness::Mention),
                None => reason(line, &at),
            };
            let miss = NearMiss {
                line: number + 1,
                why,
                likeness,
            };
            match found.get_mut(&key) {
                Some(known) if known.likeness <= miss.likeness => {}
                Some(known) => *known = miss,
                None => {
                    found.insert(key, miss);
                }
            }
        }
        start += line.len() + 1;
    }
    found
}

/// The first key of a line that an equals sign or a colon follows, or that fills a code span or a cell of a table.
fn candidate(line: &str) -> Option<(HandleKey, Range<usize>)> {
    let is_row = line.trim_start().starts_with('|');
    let mut rest = 0;
    while let Some(start) = line[rest..].find(|c: char| c.is_ascii_alphabetic()) {
        let start = rest + start;
        let length = line[start..]
            .bytes()
            .take_while(|byte| *byte == b'_' || byte.is_ascii_alphanumeric())
            .count();
        let end = start + length;
        let word = &line[start..end];
        let is_key = word.contains('_') || !word.bytes().any(|byte| byte.is_ascii_lowercase());
        let is_decoration = |c: char| is_odd_space(c) || " \t*`\\\"'”".contains(c);
        let next = line[end..].trim_start_matches(is_decoration).chars().next();
        let fills_span = line[..start].ends_with('`') && line[end..].starts_with('`');
        let fills_cell = is_row && next == Some('|');
        if is_key && (matches!(next, Some('=' | '＝' | ':')) || fills_span || fills_cell) {
            return HandleKey::parse(&word.to_ascii_uppercase())
                .ok()
                .map(|key| (key, start..end));
        }
        rest = end;
    }
    None
}

/// Why a line outside all blocks does not declare the key at this place.
fn reason(line: &str, at: &Range<usize>) -> (String, Likeness) {
    use Likeness::{Deliberate, Elsewhere, Mention};
    let said = |why: &str, likeness| (why.to_owned(), likeness);
    let before = &line[..at.start];
    if let Some(space) = before.chars().find(|c| is_odd_space(*c)) {
        let why = format!("{} (U+{:04X}) stands before it", name_of(space), u32::from(space));
        return (why, Deliberate);
    }
    if line.trim_start().starts_with('|') {
        return said("it stands in a table", Deliberate);
    }
    let start = before.trim_start();
    let item = match bullet(start) {
        Bullet::Good(item) => item,
        Bullet::Bad(why) => return said(why, Deliberate),
        Bullet::None if start.starts_with('>') => return said("it stands in a quote", Elsewhere),
        Bullet::None if start.starts_with('#') => return said("it stands in a heading", Elsewhere),
        Bullet::None if start.is_empty() || start.bytes().all(|byte| b"`*_ \t".contains(&byte)) => {
            return said("it is no list item", Elsewhere);
        }
        Bullet::None => return said("it stands in prose", Mention),
    };
    let after = &line[at.end..];
    let is_box = ["[ ]", "[x]", "[X]", "[]", "[-]"]
        .iter()
        .any(|open| item.starts_with(open));
    if is_box {
        return said("it stands behind a check box", Deliberate);
    }
    match item.trim_end() {
        "`" if line[at.clone()].bytes().any(|byte| byte.is_ascii_lowercase()) => {
            said("its key is not in upper case", Deliberate)
        }
        "`" if !after.contains('`') => said("its code span is not closed", Deliberate),
        "`" if !after.trim_start().starts_with('=') => {
            said("no equals sign follows the key in its code span", Deliberate)
        }
        "" => said("it is not in a code span", Deliberate),
        marks if marks.bytes().all(|byte| b"*_~`".contains(&byte)) => said("it is set in bold or italic", Deliberate),
        marks if marks.starts_with(['"', '\'', '“', '‘', '´']) => {
            said("it is in quotes, not in a code span", Deliberate)
        }
        marks if marks.starts_with(['[', '!', '<', '#', '>']) => {
            said("its code span stands inside something else", Elsewhere)
        }
        marks if marks.starts_with('`') => said("its code span does not begin with the key", Elsewhere),
        _ => said("other text stands before it", Mention),
    }
}

enum Bullet<'a> {
    /// `* ` or `- `, and what follows it on the line.
    Good(&'a str),
    /// Something that a person takes for a bullet.
    Bad(&'static str),
    None,
}

fn bullet(start: &str) -> Bullet<'_> {
    let digits = start.bytes().take_while(u8::is_ascii_digit).count();
    let is_numbered = digits > 0 && start[digits..].starts_with(['.', ')']);
    let mut chars = start.chars();
    match (chars.next(), chars.next()) {
        _ if is_numbered => Bullet::Bad("its list is numbered"),
        (Some('*' | '-'), Some(' ' | '\t')) => Bullet::Good(start[1..].trim_start_matches([' ', '\t'])),
        (Some('+'), _) => Bullet::Bad("its bullet is +"),
        (Some('•' | '◦' | '‣' | '·' | '–' | '—' | '●' | '○' | '▪' | '−' | '∙'), _) => {
            Bullet::Bad("its bullet is neither * nor -")
        }
        (Some('*' | '-'), Some('`')) => Bullet::Bad("no space stands after its bullet"),
        _ => Bullet::None,
    }
}

/// White space that Markdown takes for a letter, and marks that nobody sees.
fn is_odd_space(c: char) -> bool {
    (c.is_whitespace() && !c.is_ascii()) || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
}

fn name_of(c: char) -> &'static str {
    match c {
        '\u{a0}' | '\u{202f}' => "a no-break space",
        c if c.is_whitespace() => "a space that is none in Markdown",
        _ => "an invisible character",
    }
}

#[cfg(test)]
mod tests {
    use crate::registry::parse;

    fn why(line: &str) -> String {
        let text = format!("* `OTHER = 1`\n\n# A heading ends the list\n\n{line}\n");
        parse(text.as_bytes())
            .unwrap()
            .why_missing("FIELD_X")
            .unwrap_or_default()
    }

    #[test]
    fn each_near_miss_is_named_with_its_line_and_reason() {
        for (line, reason) in [
            ("* [ ] `FIELD_X = \"a\"`", "behind a check box"),
            ("* [x] `FIELD_X = \"a\"`", "behind a check box"),
            ("- [X] `FIELD_X`", "behind a check box"),
            ("*\u{a0}`FIELD_X = \"a\"`", "a no-break space (U+00A0)"),
            ("* \u{a0}`FIELD_X = \"a\"`", "a no-break space (U+00A0)"),
            ("\u{a0}* `FIELD_X = \"a\"`", "a no-break space (U+00A0)"),
            ("*\u{2003}`FIELD_X = \"a\"`", "(U+2003)"),
            ("* \u{200b}`FIELD_X = \"a\"`", "an invisible character (U+200B)"),
            ("* **`FIELD_X = \"a\"`**", "bold or italic"),
            ("* _`FIELD_X = \"a\"`_", "bold or italic"),
            ("* `**FIELD_X** = \"a\"`", "bold or italic"),
            ("* **FIELD_X** = \"a\"", "bold or italic"),
            ("* ~~`FIELD_X = \"a\"`~~", "bold or italic"),
            ("| FIELD_X | \"a\" |", "in a table"),
            ("| `FIELD_X` | `a` |", "in a table"),
            ("| `FIELD_X = \"a\"` |", "in a table"),
            ("| 1 | **FIELD_X** | a |", "in a table"),
            ("+ `FIELD_X = \"a\"`", "its bullet is +"),
            ("1. `FIELD_X = \"a\"`", "its list is numbered"),
            ("2) `FIELD_X = \"a\"`", "its list is numbered"),
            ("• `FIELD_X = \"a\"`", "neither * nor -"),
            ("– `FIELD_X = \"a\"`", "neither * nor -"),
            ("*`FIELD_X = \"a\"`", "no space stands after its bullet"),
            ("`FIELD_X = \"a\"`", "no list item"),
            ("FIELD_X = \"a\"", "no list item"),
            ("FIELD_X: a", "no list item"),
            ("* FIELD_X = \"a\"", "not in a code span"),
            ("* `FIELD_X = \"a\"", "is not closed"),
            ("* \"FIELD_X = a\"", "in quotes"),
            ("* `FIELD_X: \"a\"`", "no equals sign"),
            ("* `field_x = \"a\"`", "not in upper case"),
            ("* `Field_X = \"a\"`", "not in upper case"),
            ("* `export FIELD_X=a`", "does not begin with the key"),
            ("* [`FIELD_X = \"a\"`](x)", "inside something else"),
            ("* see `FIELD_X = \"a\"`", "other text stands before it"),
            ("> * `FIELD_X = \"a\"`", "in a quote"),
            ("## `FIELD_X = \"a\"`", "in a heading"),
            ("Set `FIELD_X = \"a\"` here.", "in prose"),
            ("```\n* `FIELD_X = \"a\"`\n```", "in a code block"),
            ("    * `FIELD_X = \"a\"`", "in a code block"),
            ("<!--\n* `FIELD_X = \"a\"`\n-->", "in HTML or a comment"),
            ("<div>\n* `FIELD_X = \"a\"`\n</div>", "in HTML or a comment"),
        ] {
            let said = why(line);
            let number = if line.contains('\n') { 6 } else { 5 };
            assert!(
                said.contains(reason) && said.contains(&format!("line {number} ")),
                "{line}: {said:?}"
            );
        }
    }

    #[test]
    fn all_else_is_not_taken_for_one() {
        for line in [
            "",
            "see FIELD_X for its name",
            "* `FIELD_Y = 1`",
            "FIELD_X",
            "* `OTHER = \"FIELD_X\"`",
            "MY_FIELD_X = 1",
        ] {
            assert_eq!(why(line), "", "{line}");
        }
    }

    #[test]
    fn the_likest_line_is_named() {
        let said = why("Set `FIELD_X = 1` below.\n\n```\nFIELD_X = 1\n```\n\n* [ ] `FIELD_X = 1`\n* **`FIELD_X = 1`**");
        assert!(said.contains("line 11 ") && said.contains("check box"), "{said}");
    }

    #[test]
    fn a_declared_handle_misses_nothing() {
        let registry = parse(b"* `A = 1`\n* [ ] `A = 2`\n").unwrap();
        assert_eq!(registry.why_missing("A"), None);
        assert_eq!(registry.contradictions(), []);
    }

    #[test]
    fn lines_are_counted_as_they_end() {
        let registry = parse("\u{feff}* `B = 1`\r\n\r\n* [ ] `A_B = 2`\r\n".as_bytes()).unwrap();
        assert!(registry.why_missing("A_B").unwrap().contains("line 3 "));
    }
}
