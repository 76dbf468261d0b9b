//! Text from evidence, from the engine or from a file is hostile until it is cleaned here.

/// Makes one line that is safe to print. Control and formatting characters become spaces or are removed, so that no text can move
/// the cursor, colour the terminal, reorder what is read, or add lines.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}') {
            if !line.ends_with(' ') {
                line.push(' ');
            }
        } else if !c.is_control() && !is_invisible(c) {
            line.push(c);
        }
    }
    line.trim().to_owned()
}

/// [`clean`], cut to at most `limit` characters with an ellipsis.
#[must_use]
pub fn brief(text: &str, limit: usize) -> String {
    let line = clean(text);
    if line.chars().count() <= limit {
        return line;
    }
    let mut cut: String = line.chars().take(limit.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Characters that change how their neighbours are shown without being seen: bidirectional overrides, joiners, tags.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A sentence about objects that are not P1's.
#[must_use]
pub fn foreign(count: u64, keys: &[String]) -> String {
    let named: Vec<String> = keys.iter().take(3).map(|key| brief(key, 120)).collect();
    let more = if count > named.len() as u64 { ", …" } else { "" };
    let objects = if count == 1 {
        "object that is"
    } else {
        "objects that are"
    };
    format!(
        "foreign: {count} {objects} not P1's, and no evidence: {}{more}",
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mred\u{7}\r\nnext\tx"), "a[31mred next x");
        assert_eq!(clean("\u{202e}abc\u{200b}\u{9b}2J"), "abc2J");
        assert_eq!(clean("plain, 日本語 … é"), "plain, 日本語 … é");
    }

    #[test]
    fn long_text_is_cut_at_characters() {
        assert_eq!(brief("日本語日本語", 4), "日本語…");
        assert_eq!(brief("abc", 3), "abc");
    }
}
