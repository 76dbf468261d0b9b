//! What `cargo p1 lint` says of a registry is what a run on it comes to.
#![expect(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

mod agreement;
mod hostile;
mod mutations;
mod next;
mod sarif;
mod scene;
mod starter;
