//! What a run's evidence says, and whether it is intact: for whoever trusts no tool of ours, and for the tools.
//!
//! Evidence is bytes by key ([`EvidenceSet`]). Nothing here asks a disk, a network or a clock.

pub mod diff;
pub mod evidence_set;
pub mod findings;
pub mod history;
pub mod lineage;
pub mod object_versions;
pub mod text;
pub mod verify;

pub use evidence_set::EvidenceSet;
