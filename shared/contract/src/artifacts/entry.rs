//! The answer to a later phase that asks whether a run may be worked on (contract section 5, form 4).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CheckResult, DurableReference, artifact};
use crate::ids::PlatformRunId;
use crate::input::PhaseEntry;

/// The answer. The triplet stands in the header, as far as the run's committed summary gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseEntryReceipt {
    /// What the phase asked with.
    pub asked: PhaseEntry,
    /// The checks.
    pub checks: Vec<CheckResult>,
    /// The evidence that the answer rests on, as far as it was found: the COMMITTED record, the phase summary, the receipt for
    /// M4, the handoff pack and what that refers to.
    pub references: Vec<DurableReference>,
    /// The variables that scope a runtime to the run, with their values; none where the phase is refused.
    pub environment: BTreeMap<String, PlatformRunId>,
    /// Whether the phase may work on the run.
    pub admitted: bool,
}
artifact!(PhaseEntryReceipt, "m3j_phase_entry");
