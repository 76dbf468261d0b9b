//! A run's evidence in its bucket: reading it, and what the bucket says about its keys. This module writes nothing.

pub mod census;
pub mod chain;
pub mod evidence;
pub mod ledger;
mod rerun;
pub mod scenario;
pub mod verify;
