//! M3.I: the gate rollup.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CheckResult, RegisteredBlocker, artifact};
use crate::blocker::Blocker;
use crate::reference::ClosureRef;
use crate::step::Step;
use crate::verdict::RollupVerdict;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StepState {
    /// It closed with a pass.
    Green,
    /// It closed with blockers, or its evidence is not intact.
    Held,
    /// It did not run: never green.
    NotReached,
}

/// A step of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollupStep {
    /// The step.
    pub step: Step,
    /// Where it stands.
    pub state: StepState,
    /// Its closure, if it ran.
    pub closure: Option<ClosureRef>,
    /// What was checked of it.
    pub checks: Vec<CheckResult>,
    /// Its blockers.
    pub blockers: Vec<Blocker>,
}

/// A capability lane of the plan's section 4.1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CapabilityLane {
    /// The lane.
    pub lane: String,
    /// The steps that cover it.
    pub steps: Vec<Step>,
    /// The artifacts that are its evidence.
    pub evidence: Vec<String>,
    /// Whether every one of them is there, from a step that passed.
    pub covered: bool,
}

/// Steps by checks, and the capability lanes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateRollupMatrix {
    /// A row for each of M3.A … M3.H.
    pub steps: Vec<RollupStep>,
    /// The nine lanes.
    pub lanes: Vec<CapabilityLane>,
    /// Whether every row has every check.
    pub complete: bool,
}
artifact!(GateRollupMatrix, "m3i_gate_rollup_matrix");

/// The unresolved blockers, explicit even where there are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollupBlockerRegister {
    /// The blockers.
    pub unresolved_blockers: Vec<RegisteredBlocker>,
    /// How many.
    pub unresolved_count: u64,
}
artifact!(RollupBlockerRegister, "m3i_blocker_register");

/// The adjudication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct P1Verdict {
    /// The verdict.
    pub verdict: RollupVerdict,
    /// The codes that it rests on.
    pub unresolved_codes: Vec<Blocker>,
    /// The steps that did not run.
    pub not_reached: Vec<Step>,
    /// Whether building it twice gave the same bytes.
    pub reproducible: bool,
    /// Whether the phase may advance.
    pub overall_pass: bool,
}
artifact!(P1Verdict, "m3i_p1_verdict");
