//! What AWS answers, judged in one place for functions and tool alike.

mod answer;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Call, Cause, words};
