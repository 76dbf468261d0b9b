//! The pure rules of P1: ids, registry, canonical JSON, blockers, evidence. No AWS, no I/O.
//!
//! Everything that a verdict depends on is decided here or in a step's pure evaluation; the shell (`p1-runtime`)
//! reads, writes and asks.

pub mod artifacts;
pub mod attestation;
pub mod blocker;
pub mod canonical;
pub mod catalogue;
pub mod cause;
mod encoding;
pub mod evidence;
pub mod exact;
pub mod handles;
pub mod hash;
pub mod identity;
pub mod ids;
pub mod input;
pub mod ledger;
pub mod observations;
pub mod owner;
pub mod parse_error;
pub mod pattern;
mod placeholder;
pub mod reference;
pub mod registry;
pub mod request;
pub mod revision;
pub mod schema;
pub mod scope;
pub mod screen;
pub mod secrets;
pub mod settings;
pub mod stack_outputs;
pub mod step;
pub mod strict;
pub mod verdict;
pub mod written;
