//! What a user sees while the platform is being set up.

use std::io::Write;
use std::time::Duration;

/// Receives the phases of a longer job. Implementations write to standard error; standard output is for results.
pub trait Progress: Send + Sync {
    /// A phase begins, for example "building ten functions".
    fn begin(&self, phase: &str);
    /// Something within the phase is worth a line.
    fn note(&self, text: &str);
    /// The latest phase has ended after `took`.
    fn done(&self, phase: &str, took: Duration);
}

/// Prints nothing. Tests use it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _phase: &str) {}
    fn note(&self, _text: &str) {}
    fn done(&self, _phase: &str, _took: Duration) {}
}

/// Prints plain lines on standard error: one when a phase begins, and one when it has ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lines;

impl Lines {
    fn write(text: &str) {
        // A closed standard error does not stop the work.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

impl Progress for Lines {
    fn begin(&self, phase: &str) {
        Self::write(&format!("{phase} …"));
    }

    fn note(&self, text: &str) {
        Self::write(&format!("  {text}"));
    }

    fn done(&self, phase: &str, took: Duration) {
        Self::write(&format!("{phase}: done in {:.1} s", took.as_secs_f64()));
    }
}
