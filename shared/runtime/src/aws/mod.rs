//! AWS's answers, judged in one place for the functions and the tool.

mod answer;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Call, Cause, words};
