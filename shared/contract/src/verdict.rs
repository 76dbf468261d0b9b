//! The vocabulary of verdicts, and the adjudication of M3.I as a pure function (contract section 7).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blocker::{Blocker, Severity};

/// The verdict of the phase (M3.J).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PhaseVerdict {
    /// The run is pinned: M4 may start.
    #[serde(rename = "ADVANCE_TO_M4")]
    AdvanceToM4,
    /// The run is held.
    #[serde(rename = "HOLD_M3")]
    HoldM3,
}

impl PhaseVerdict {
    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            PhaseVerdict::AdvanceToM4 => "ADVANCE_TO_M4",
            PhaseVerdict::HoldM3 => "HOLD_M3",
        }
    }
}

/// The adjudication of the rollup (M3.I).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RollupVerdict {
    /// Every step passed.
    #[serde(rename = "ADVANCE_TO_M3J")]
    AdvanceToM3J,
    /// Something is to be mended, then the run resumed.
    #[serde(rename = "HOLD_REMEDIATE")]
    HoldRemediate,
    /// The run cannot be resumed; only a new start is offered.
    #[serde(rename = "NO_GO_RESET_REQUIRED")]
    NoGoResetRequired,
}

impl RollupVerdict {
    /// The wire name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RollupVerdict::AdvanceToM3J => "ADVANCE_TO_M3J",
            RollupVerdict::HoldRemediate => "HOLD_REMEDIATE",
            RollupVerdict::NoGoResetRequired => "NO_GO_RESET_REQUIRED",
        }
    }
}

/// The verdict over the unresolved blockers, given whether every gated step ran.
///
/// Any no-go blocker means no-go; any other blocker, or a step that was not reached, means remediate.
#[must_use]
pub fn adjudicate(unresolved: &[Blocker], all_steps_ran: bool) -> RollupVerdict {
    if unresolved.iter().any(|blocker| blocker.severity() == Severity::S1) {
        RollupVerdict::NoGoResetRequired
    } else if unresolved.is_empty() && all_steps_ran {
        RollupVerdict::AdvanceToM3J
    } else {
        RollupVerdict::HoldRemediate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjudication_is_fail_closed() {
        assert_eq!(adjudicate(&[], true), RollupVerdict::AdvanceToM3J);
        assert_eq!(adjudicate(&[], false), RollupVerdict::HoldRemediate);
        let mendable = [Blocker::HandleMissing];
        assert_eq!(adjudicate(&mendable, true), RollupVerdict::HoldRemediate);
        let no_go = [Blocker::HandleMissing, Blocker::DestructiveMutation];
        assert_eq!(adjudicate(&no_go, true), RollupVerdict::NoGoResetRequired);
        assert_eq!(adjudicate(&no_go, false), RollupVerdict::NoGoResetRequired);
    }
}
