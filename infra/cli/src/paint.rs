//! Colour, where it helps: on a terminal, and unless the environment (`NO_COLOR`, `CLICOLOR`, `TERM=dumb`) asks for none.

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

    /// Colour for what is written to this stream.
    #[must_use]
    pub fn of(stream: &impl RawStream) -> Self {
        Self {
            coloured: AutoStream::choice(stream) != ColorChoice::Never,
        }
    }

    /// Something that passed.
    #[must_use]
    pub fn green(self, text: &str) -> String {
        self.wrap(AnsiColor::Green.on_default(), text)
    }

    /// Something that blocks.
    #[must_use]
    pub fn red(self, text: &str) -> String {
        self.wrap(AnsiColor::Red.on_default(), text)
    }

    /// A verdict in the colour of its pass.
    #[must_use]
    pub fn verdict(self, word: &str, pass: bool) -> String {
        if pass { self.green(word) } else { self.red(word) }
    }

    /// Something that leads the eye.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.wrap(Style::new().bold(), text)
    }

    /// Something that can wait.
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
