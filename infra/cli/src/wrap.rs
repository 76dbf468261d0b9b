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

/// All lines of a page, each [`fitted`].
#[must_use]
pub fn fitted_all(lines: &[String]) -> Vec<String> {
    lines
        .iter()
        .flat_map(|text| text.lines().flat_map(fitted).chain(text.is_empty().then(String::new)))
        .collect()
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

/// One line as lines of at most [`COLUMNS`] characters. What follows a label (two spaces after a word end it) stays in its column,
/// unless a word of it is too long for that; then it stands below the label.
#[must_use]
pub fn fitted(line: &str) -> Vec<String> {
    if line.chars().count() <= COLUMNS {
        return vec![line.to_owned()];
    }
    let indent = line.len() - line.trim_start_matches(' ').len();
    let gap = line[indent..].find("  ").map(|at| indent + at);
    let column = gap.map(|at| line.len() - line[at..].trim_start_matches(' ').len());
    let (label, column, text) = match column {
        Some(column) => (&line[..column], column, &line[column..]),
        None => (&line[..indent], indent, &line[indent..]),
    };
    let longest = text
        .split(' ')
        .map(|word| word.chars().count())
        .max()
        .unwrap_or_default();
    if gap.is_some() && column + longest > COLUMNS {
        let below = indent + 2;
        let mut lines = vec![label.trim_end().to_owned()];
        lines.extend(
            wrapped(text, below)
                .iter()
                .map(|line| format!("{}{line}", " ".repeat(below))),
        );
        return lines;
    }
    hanging(label, text, column)
}

/// [`wrapped`], with `label` before the first line and the indentation before the others.
#[must_use]
pub fn hanging(label: &str, text: &str, indent: usize) -> Vec<String> {
    let indentation = " ".repeat(indent);
    let before = |at: usize| if at == 0 { label } else { &indentation };
    let lines = wrapped(text, indent).into_iter().enumerate();
    lines.map(|(at, line)| format!("{}{line}", before(at))).collect()
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
        let lines = fitted(&format!("  0  {}", "word ".repeat(20)));
        assert!(
            lines.len() == 2 && lines[0].starts_with("  0  word") && lines[1].starts_with("     word"),
            "{lines:?}"
        );
    }

    #[test]
    fn a_long_key_stays_whole() {
        let key = "k".repeat(100);
        assert_eq!(block(&format!("a {key} b"), 2), format!("  a\n  {key}\n  b\n"));
    }
}
