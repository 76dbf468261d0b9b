//! How much is printed, and in colour or not. The command line sets it once, before a command runs.

use std::sync::atomic::{AtomicU8, Ordering};

const QUIET: u8 = 1;
const VERBOSE: u8 = 2;

static LEVEL: AtomicU8 = AtomicU8::new(0);

/// Sets what the command line says.
pub fn set(color: clap::ColorChoice, quiet: bool, verbose: bool) {
    let choice = match color {
        clap::ColorChoice::Auto => anstream::ColorChoice::Auto,
        clap::ColorChoice::Always => anstream::ColorChoice::AlwaysAnsi,
        clap::ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
    let level = match (quiet, verbose) {
        (true, _) => QUIET,
        (false, true) => VERBOSE,
        (false, false) => 0,
    };
    LEVEL.store(level, Ordering::Relaxed);
}

/// Whether progress is left out.
#[must_use]
pub fn is_quiet() -> bool {
    LEVEL.load(Ordering::Relaxed) == QUIET
}

/// Whether progress is told in full.
#[must_use]
pub fn is_verbose() -> bool {
    LEVEL.load(Ordering::Relaxed) == VERBOSE
}
