//! What a function can be invoked for: one of the ten steps, or the admission of a rerun, which M3.G's function does.

use crate::evidence::{ADMISSION_OBSERVATIONS, ADMISSION_SUMMARY, observations_name, summary_name};
use crate::reference::ADMISSION;
use crate::request::Mode;
use crate::step::Step;

/// The state that admits a rerun.
pub const ADMIT_RERUN: &str = "Admit rerun";

/// What a function can be invoked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// A step.
    Step(Step),
    /// The admission of a rerun.
    Admission,
}

impl Duty {
    /// All of them: the steps in their order, then the admission.
    pub fn all() -> impl Iterator<Item = Self> {
        Step::ALL.into_iter().map(Self::Step).chain([Self::Admission])
    }

    /// The duty that a Task state runs.
    #[must_use]
    pub fn of_state(state: &str) -> Option<Self> {
        let step = Step::ALL.into_iter().find(|step| step.state_name() == state);
        step.map(Self::Step)
            .or_else(|| (state == ADMIT_RERUN).then_some(Self::Admission))
    }

    /// The duty of this id, `M3.A` … `M3.J` or `ADMISSION`: the `step` of a closure.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Step::from_id(id)
            .map(Self::Step)
            .or_else(|| (id == ADMISSION).then_some(Self::Admission))
    }

    /// `M3.A` … `M3.J`, or `ADMISSION`.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Step(step) => step.id(),
            Self::Admission => ADMISSION,
        }
    }

    /// The step whose function is invoked.
    #[must_use]
    pub fn step(self) -> Step {
        match self {
            Self::Step(step) => step,
            Self::Admission => Step::RerunDiscipline,
        }
    }

    /// The name of its Task state.
    #[must_use]
    pub fn state(self) -> String {
        match self {
            Self::Step(step) => step.state_name(),
            Self::Admission => ADMIT_RERUN.to_owned(),
        }
    }

    /// The `mode` of its payload.
    #[must_use]
    pub fn mode(self) -> Mode {
        match self {
            Self::Step(_) => Mode::Step,
            Self::Admission => Mode::Admission,
        }
    }

    /// The name of its closing summary.
    #[must_use]
    pub fn summary_name(self) -> String {
        match self {
            Self::Step(step) => summary_name(step),
            Self::Admission => ADMISSION_SUMMARY.to_owned(),
        }
    }

    /// The name of its observations.
    #[must_use]
    pub fn observations_name(self) -> String {
        match self {
            Self::Step(step) => observations_name(step),
            Self::Admission => ADMISSION_OBSERVATIONS.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_states_name_one_duty_each() {
        assert_eq!(Duty::all().count(), 11);
        for duty in Duty::all() {
            assert_eq!(Duty::from_id(duty.id()), Some(duty));
            assert_eq!(Duty::of_state(&duty.state()), Some(duty));
        }
        assert_eq!((Duty::from_id("M3.K"), Duty::of_state("Wait")), (None, None));
    }
}
