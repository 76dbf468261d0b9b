//! The ten steps of P1, in the order in which the state machine runs them (contract section 7).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of M3.A … M3.J: one Lambda function, one Task state, one closure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Step {
    /// Authority and handle closure.
    #[serde(rename = "M3.A")]
    HandleClosure,
    /// Run identity.
    #[serde(rename = "M3.B")]
    RunIdentity,
    /// Config payload and digest.
    #[serde(rename = "M3.C")]
    ConfigDigest,
    /// Orchestrator entry and run lock.
    #[serde(rename = "M3.D")]
    OrchestratorReadiness,
    /// Durable run evidence.
    #[serde(rename = "M3.E")]
    RunPublication,
    /// Runtime scope and M4 handoff.
    #[serde(rename = "M3.F")]
    M4Handoff,
    /// Rerun and reset discipline.
    #[serde(rename = "M3.G")]
    RerunDiscipline,
    /// Cost envelope and outcome.
    #[serde(rename = "M3.H")]
    CostEnvelope,
    /// Gate rollup.
    #[serde(rename = "M3.I")]
    GateRollup,
    /// Verdict and M4 entry marker.
    #[serde(rename = "M3.J")]
    PhaseVerdict,
}

impl Step {
    /// All steps, in the order of their execution.
    pub const ALL: [Step; 10] = [
        Step::HandleClosure,
        Step::RunIdentity,
        Step::ConfigDigest,
        Step::OrchestratorReadiness,
        Step::RunPublication,
        Step::M4Handoff,
        Step::RerunDiscipline,
        Step::CostEnvelope,
        Step::GateRollup,
        Step::PhaseVerdict,
    ];

    /// The steps whose gates decide (A–H); M3.I rolls them up and M3.J closes the phase.
    pub const GATED: [Step; 8] = [
        Step::HandleClosure,
        Step::RunIdentity,
        Step::ConfigDigest,
        Step::OrchestratorReadiness,
        Step::RunPublication,
        Step::M4Handoff,
        Step::RerunDiscipline,
        Step::CostEnvelope,
    ];

    /// Of each step: the wire name, the prefix of ids and artifact names, and what it is called beside its number.
    const NAMES: [[&str; 3]; 10] = [
        ["M3.A", "m3a", "Handle closure"],
        ["M3.B", "m3b", "Run identity"],
        ["M3.C", "m3c", "Config digest"],
        ["M3.D", "m3d", "Orchestrator readiness"],
        ["M3.E", "m3e", "Run publication"],
        ["M3.F", "m3f", "M4 handoff"],
        ["M3.G", "m3g", "Rerun discipline"],
        ["M3.H", "m3h", "Cost envelope"],
        ["M3.I", "m3i", "Gate rollup"],
        ["M3.J", "m3j", "Phase verdict"],
    ];

    /// The wire name, `M3.A` … `M3.J`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        Self::NAMES[self as usize][0]
    }

    /// What the step is called beside its number.
    #[must_use]
    pub const fn title(self) -> &'static str {
        Self::NAMES[self as usize][2]
    }

    /// The name of the step's Task state in the state machine, such as `M3.A Handle closure`.
    #[must_use]
    pub fn state_name(self) -> String {
        format!("{} {}", self.id(), self.title())
    }

    /// The prefix of the step's phase execution ids and artifact names, `m3a` … `m3j`.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        Self::NAMES[self as usize][1]
    }

    /// The gate that a pass of this step opens, such as `M3.A_READY`.
    #[must_use]
    pub fn ready_gate(self) -> String {
        format!("{}_READY", self.id())
    }

    /// The step whose wire name is `id`, if there is one.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Step> {
        Step::ALL.into_iter().find(|step| step.id() == id)
    }

    /// The step after this one, `None` after M3.J.
    #[must_use]
    pub fn next(self) -> Option<Step> {
        Step::ALL.into_iter().find(|step| *step > self)
    }

    /// The steps before this one, in order.
    pub fn before(self) -> impl Iterator<Item = Step> {
        Step::ALL.into_iter().filter(move |step| *step < self)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_names_prefixes_and_serde_agree() {
        for (n, step) in Step::ALL.into_iter().enumerate() {
            let letter = char::from(b'A' + u8::try_from(n).unwrap());
            assert_eq!(step.id(), format!("M3.{letter}"));
            assert_eq!(step.prefix(), format!("m3{}", letter.to_ascii_lowercase()));
            assert_eq!(serde_json::to_value(step).unwrap(), step.id());
            assert_eq!(Step::from_id(step.id()), Some(step));
            assert_eq!(step.before().count(), n);
        }
        assert_eq!(Step::HandleClosure.next(), Some(Step::RunIdentity));
        assert_eq!(Step::PhaseVerdict.next(), None);
    }
}
