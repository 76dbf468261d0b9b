//! Text of evidence on a page. It is always shown as text, has a limited length, and invisible characters in it are made visible.

use maud::{Markup, Render, html};
use p1_audit::text::is_invisible;
use p1_contract::hash::Sha256Hex;

/// The largest number of characters of one value that a page shows.
const LIMIT: usize = 2_000;

/// Text from evidence. It reaches the page only through [`Render`], which escapes it, or through [`Text::plain`], which the
/// page's builder escapes.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text {
    kept: String,
    more: usize,
}

impl Text {
    /// Takes at most 2,000 characters and counts the others.
    pub(crate) fn new(text: &str) -> Self {
        let end = text.char_indices().nth(LIMIT).map_or(text.len(), |(end, _)| end);
        let (kept, rest) = text.split_at(end);
        Text {
            kept: kept.to_owned(),
            more: rest.chars().count(),
        }
    }

    /// One string for a title or an attribute. Invisible characters are written as `\u{…}`.
    pub(crate) fn plain(&self) -> String {
        let mut plain = String::with_capacity(self.kept.len());
        for c in self.kept.chars() {
            if hidden(c) {
                plain.extend(c.escape_unicode());
            } else {
                plain.push(c);
            }
        }
        if self.more > 0 {
            plain.push('…');
        }
        plain
    }

    /// Whether it is a SHA-256.
    pub(crate) fn is_digest(&self) -> bool {
        self.more == 0 && Sha256Hex::parse(&self.kept).is_ok()
    }

    /// The text, if it can be pasted into a shell unchanged. Returns `None` if a shell would interpret a part of it.
    pub(crate) fn for_shell(&self) -> Option<&str> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.' | '=' | ':');
        let usable = self.more == 0 && !self.kept.is_empty() && !self.kept.starts_with('-');
        (usable && self.kept.chars().all(plain)).then_some(&self.kept)
    }
}

impl<T: AsRef<str>> From<T> for Text {
    fn from(text: T) -> Self {
        Text::new(text.as_ref())
    }
}

/// The text is isolated from its surroundings, so that right-to-left text reorders only itself.
impl Render for Text {
    fn render(&self) -> Markup {
        html! {
            bdi {
                @for run in runs(&self.kept) {
                    @match run {
                        Run::Seen(text) => (text),
                        Run::Slash => { "/" wbr; },
                        Run::Hidden(c) => span.hidden-character { (code_point(c)) },
                    }
                }
                @if self.more > 0 {
                    span.cut { "… " (self.more) " more characters" }
                }
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Run<'a> {
    Seen(&'a str),
    /// A slash. A key may be broken after it.
    Slash,
    Hidden(char),
}

fn runs(text: &str) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let mut rest = text;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| *c == '/' || hidden(*c)) {
        if at > 0 {
            runs.push(Run::Seen(&rest[..at]));
        }
        runs.push(if c == '/' { Run::Slash } else { Run::Hidden(c) });
        rest = &rest[at + c.len_utf8()..];
    }
    if !rest.is_empty() {
        runs.push(Run::Seen(rest));
    }
    runs
}

fn code_point(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

/// Characters without a visible shape: control characters, all kinds of line breaks, the characters of [`is_invisible`],
/// variation selectors and fillers.
fn hidden(c: char) -> bool {
    c.is_control()
        || is_invisible(c)
        || matches!(c,
            '\u{2028}' | '\u{2029}' | '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Text::new(text).render().into_string()
    }

    #[test]
    fn markup_stays_text() {
        assert_eq!(
            shown("<script>alert('1')</script>"),
            "<bdi>&lt;script&gt;alert('1')&lt;/<wbr>script&gt;</bdi>"
        );
        assert_eq!(
            shown("\"><svg onload=x> &amp;"),
            "<bdi>&quot;&gt;&lt;svg onload=x&gt; &amp;amp;</bdi>"
        );
        let attribute = html! { a title=(Text::new("\" onfocus=\"x").plain()) {} }.into_string();
        assert_eq!(attribute, "<a title=\"&quot; onfocus=&quot;x\"></a>");
    }

    #[test]
    fn what_would_not_be_seen_is_shown() {
        assert_eq!(
            shown("a\u{202e}b\nc\u{0}"),
            "<bdi>a<span class=\"hidden-character\">U+202E</span>b<span class=\"hidden-character\">U+000A</span>c\
             <span class=\"hidden-character\">U+0000</span></bdi>"
        );
        assert_eq!(Text::new("a\u{202e}b\u{fe0f}").plain(), "a\\u{202e}b\\u{fe0f}");
        assert_eq!(shown("日本語 é שלום"), "<bdi>日本語 é שלום</bdi>");
    }

    #[test]
    fn length_is_bounded_and_the_rest_is_counted() {
        let long = Text::new(&"語".repeat(LIMIT + 3));
        assert_eq!(long.plain().chars().count(), LIMIT + 1);
        assert!(long.render().into_string().contains("… 3 more characters"));
        assert_eq!(Text::new(&"x".repeat(LIMIT)).plain(), "x".repeat(LIMIT));
    }

    #[test]
    fn only_plain_words_reach_a_shell() {
        assert_eq!(
            Text::new("evidence/a_b-1.json").for_shell(),
            Some("evidence/a_b-1.json")
        );
        for hostile in [
            "",
            "-rf",
            "a b",
            "a;b",
            "$(x)",
            "`x`",
            "a'b",
            "a\nb",
            "a\u{202e}",
            "é",
            "~/x",
            "a*",
        ] {
            assert_eq!(Text::new(hostile).for_shell(), None, "{hostile:?}");
        }
    }
}
