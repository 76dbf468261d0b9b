//! A run's evidence in its bucket: reading it, and what the bucket says of its keys. Nothing here writes.

pub mod census;
pub mod evidence;
pub mod verify;
