//! A valid advance and a valid hold have no blockers; each test breaks one thing and expects one code.

mod codes;
mod defects;
mod history;
mod indexing;
mod platform;
mod replay;
mod sealing;
mod verdicts;
