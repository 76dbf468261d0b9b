//! Drives one P1 execution and shows it: preflight, seed, start, follow, mirror, report.

pub mod deployed;
mod executions;
pub mod find;
pub mod follow;
pub mod mirror;
pub mod page;
pub mod preflight;
pub mod report;
pub mod sample_platform;
pub mod screen;
pub mod seed;
pub mod stack_outputs;
pub mod start;
pub mod target;
pub mod verdict;

#[cfg(test)]
mod answers;
#[cfg(test)]
pub(crate) mod engine_events;
#[cfg(test)]
mod tests;
