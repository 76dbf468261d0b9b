//! M3.I: the gate rollup.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CheckResult, RegisteredBlocker, artifact};
use crate::blocker::{Blocker, Finding, Severity};
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

/// How many reruns of a run are followed back for the blockers that it was held by.
pub const MOST_RERUNS: usize = 100;

/// A closure of M3.A … M3.H, with the blockers that its summary names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClosureBlockers {
    /// The closure.
    pub closure: ClosureRef,
    /// Its blockers; none of a pass.
    pub blockers: Vec<Finding>,
}

/// A blocker that an earlier execution of the run was held by, and that the chain no longer has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolvedBlocker {
    /// The wire code.
    pub code: Blocker,
    /// No-go or remediate.
    pub severity: Severity,
    /// The code of the phase plan.
    pub phase_code: String,
    /// What it was about.
    pub subject: String,
    /// What was seen then.
    pub detail: String,
    /// The closure that was held by it.
    pub raised_by: ClosureRef,
    /// The closure of the same step that the chain has now, and that does not have the blocker.
    pub resolved_by: ClosureRef,
}

impl ResolvedBlocker {
    /// The most that a register lists.
    const MOST: usize = 300;

    /// The blockers of earlier `holds`, oldest first, that the closures of `chain` no longer have: another closure of the same
    /// step is there, and names no blocker of that code and subject. Of more than 300 the latest are listed.
    #[must_use]
    pub fn of(holds: &[ClosureBlockers], chain: &[ClosureBlockers]) -> Vec<Self> {
        let mut all: Vec<Self> = holds.iter().flat_map(|hold| Self::of_one(hold, chain)).collect();
        let surplus = all.len().saturating_sub(Self::MOST);
        all.drain(..surplus);
        all
    }

    fn of_one(hold: &ClosureBlockers, chain: &[ClosureBlockers]) -> Vec<Self> {
        let now = chain.iter().find(|now| now.closure.step == hold.closure.step);
        let Some(now) = now.filter(|now| now.closure != hold.closure) else {
            return Vec::new();
        };
        let stands = |past: &Finding| {
            let mut standing = now.blockers.iter();
            standing.any(|finding| (finding.code, &finding.subject) == (past.code, &past.subject))
        };
        let resolved = hold.blockers.iter().filter(|past| !stands(past));
        resolved
            .map(|past| ResolvedBlocker {
                code: past.code,
                severity: past.code.severity(),
                phase_code: past.code.phase_code().to_owned(),
                subject: past.subject.clone(),
                detail: past.detail.clone(),
                raised_by: hold.closure.clone(),
                resolved_by: now.closure.clone(),
            })
            .collect()
    }
}

/// The unresolved blockers, explicit even where there are none, and those that were resolved on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollupBlockerRegister {
    /// The blockers.
    pub unresolved_blockers: Vec<RegisteredBlocker>,
    /// How many.
    pub unresolved_count: u64,
    /// The blockers that earlier executions of this run were held by at M3.A … M3.H and that the chain no longer has, oldest
    /// first. Of a run that was resumed more than 100 times, those of the last 100. Evidence of revision 1 does not say them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_blockers: Option<Vec<ResolvedBlocker>>,
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
