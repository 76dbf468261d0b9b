//! Colour for terminals. The environment (`NO_COLOR`, `CLICOLOR`, `TERM=dumb`) can turn it off.

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    coloured: bool,
}

impl Paint {
    /// No colour.
    #[must_use]
    pub fn none() -> Self {
        Self { coloured: false }
    }

    /// Colour for text that is written to this stream.
    #[must_use]
    pub fn of(stream: &impl RawStream) -> Self {
        Self {
            coloured: AutoStream::choice(stream) != ColorChoice::Never,
        }
    }

    /// Marks something that passed.
    #[must_use]
    pub fn green(self, text: &str) -> String {
        self.wrap(AnsiColor::Green.on_default(), text)
    }

    /// Marks something that blocks.
    #[must_use]
    pub fn red(self, text: &str) -> String {
        self.wrap(AnsiColor::Red.on_default(), text)
    }

    /// Colours a verdict by whether it is a pass.
    #[must_use]
    pub fn verdict(self, word: &str, pass: bool) -> String {
        if pass { self.green(word) } else { self.red(word) }
    }

    /// Emphasises text.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.wrap(Style::new().bold(), text)
    }

    /// Marks text as less important.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.wrap(Style::new().dimmed(), text)
    }

    fn wrap(self, style: Style, text: &str) -> String {
        if self.coloured {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}
