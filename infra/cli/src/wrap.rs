//! Text for 80 columns.

/// The width of everything that is printed for people. It is the same on every terminal and in every log.
pub const COLUMNS: usize = 80;

/// Breaks `text` between words, so that each line has at most [`COLUMNS`] characters after an indentation of `indent`. A word that
/// is longer than a line stays whole: it may be a key that somebody copies.
#[must_use]
pub fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let width = COLUMNS.saturating_sub(indent);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// [`wrapped`], with the indentation before each line and a newline after it.
#[must_use]
pub fn block(text: &str, indent: usize) -> String {
    let indentation = " ".repeat(indent);
    wrapped(text, indent)
        .iter()
        .map(|line| format!("{indentation}{line}\n"))
        .collect()
}

/// One line as lines of at most [`COLUMNS`] characters. Those after the first are indented by two more than the first.
#[must_use]
pub fn fitted(line: &str) -> Vec<String> {
    if line.chars().count() <= COLUMNS {
        return vec![line.to_owned()];
    }
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let lines = wrapped(line, indent + 2).into_iter().enumerate();
    lines
        .map(|(at, line)| format!("{}{line}", " ".repeat(if at == 0 { indent } else { indent + 2 })))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_no_word_is_lost() {
        let text = "one two three ".repeat(30);
        let lines = wrapped(&text, 10);
        assert!(lines.iter().all(|line| line.len() <= 70), "{lines:?}");
        assert_eq!(lines.join(" "), text.trim());
        assert_eq!(wrapped("", 4), Vec::<String>::new());
    }

    #[test]
    fn a_line_that_fits_stays_as_it_is() {
        assert_eq!(fitted("  a    b"), ["  a    b"]);
        let digest = "d".repeat(70);
        assert_eq!(
            fitted(&format!("  config_digest     {digest}")),
            ["  config_digest".to_owned(), format!("    {digest}")]
        );
    }

    #[test]
    fn a_long_key_stays_whole() {
        let key = "k".repeat(100);
        assert_eq!(block(&format!("a {key} b"), 2), format!("  a\n  {key}\n  b\n"));
    }
}
