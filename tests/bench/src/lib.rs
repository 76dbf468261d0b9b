//! What a pinned run costs, how fast it is and how it grows: `cargo p1 bench` (docs/performance.md).
//!
//! Every comparison runs both sides alternately, after a warm-up, and gives median and spread. Nothing here asserts a time.

pub mod args;
pub mod beat;
pub mod cpu;
pub mod deployment;
pub mod error;
pub mod fleet;
pub mod host;
pub mod http;
pub mod machine;
pub mod meter;
pub mod orchestrator;
pub mod parts;
pub mod plan;
pub mod proxy;
pub mod report;
pub mod seaweed;
pub mod setup;
pub mod stats;

pub use args::{Options, measure};
pub use error::BenchError;
