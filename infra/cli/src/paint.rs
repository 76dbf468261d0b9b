//! Colour, where it helps: on a terminal, and only when nobody said `NO_COLOR`.

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

    /// Colour for a stream that is a terminal, unless the environment says otherwise.
    #[must_use]
    pub fn for_stream(is_terminal: bool) -> Self {
        let says = |name: &str| std::env::var_os(name);
        let unwanted =
            says("NO_COLOR").is_some_and(|value| !value.is_empty()) || says("TERM").is_some_and(|term| term == "dumb");
        Self {
            coloured: is_terminal && !unwanted,
        }
    }

    /// Something that passed.
    #[must_use]
    pub fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// Something that blocks.
    #[must_use]
    pub fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// A verdict in the colour of its pass.
    #[must_use]
    pub fn verdict(self, word: &str, pass: bool) -> String {
        if pass { self.green(word) } else { self.red(word) }
    }

    /// Something that leads the eye.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Something that can wait.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.coloured {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
