//! Whose a closure is: one of the ten steps', the admission's of a rerun, which M3.G's function does, or the entry's of a later
//! phase, which M3.J's function does.

use std::borrow::Borrow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::parse_error::ParseError;
use crate::step::Step;

/// The state that admits a rerun.
pub const ADMIT_RERUN: &str = "Admit rerun";

/// The state that admits a later phase.
pub const ADMIT_PHASE: &str = "Admit phase";

/// What a function can be invoked for, and whose a closure is. Owners are in the order of their ids, which maps of closures keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", inline)]
pub enum Owner {
    /// The admission.
    Admission,
    /// The entry of a later phase. Nothing in a run's chain rests on it.
    Entry,
    /// A step.
    Step(Step),
}

impl Owner {
    /// All of them: the steps in their order, then the admission, as a chain has them, then the entry.
    pub fn all() -> impl Iterator<Item = Self> {
        Step::ALL
            .into_iter()
            .map(Self::Step)
            .chain([Self::Admission, Self::Entry])
    }

    /// The owner that a Task state is run for.
    #[must_use]
    pub fn of_state(state: &str) -> Option<Self> {
        Self::all().find(|owner| owner.state() == state)
    }

    /// The owner of this id, `M3.A` … `M3.J`, `ADMISSION` or `ENTRY`: the `step` of a closure.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::all().find(|owner| owner.id() == id)
    }

    /// `M3.A` … `M3.J`, `ADMISSION` or `ENTRY`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Step(step) => step.id(),
            Self::Admission => "ADMISSION",
            Self::Entry => "ENTRY",
        }
    }

    /// The step whose function is invoked.
    #[must_use]
    pub const fn step(self) -> Step {
        match self {
            Self::Step(step) => step,
            Self::Admission => Step::RerunDiscipline,
            Self::Entry => Step::PhaseVerdict,
        }
    }

    /// The step that it is; none for the admission and the entry.
    #[must_use]
    pub const fn as_step(self) -> Option<Step> {
        match self {
            Self::Step(step) => Some(step),
            Self::Admission | Self::Entry => None,
        }
    }

    /// The name of its Task state.
    #[must_use]
    pub fn state(self) -> String {
        match self {
            Self::Step(step) => step.state_name(),
            Self::Admission => ADMIT_RERUN.to_owned(),
            Self::Entry => ADMIT_PHASE.to_owned(),
        }
    }

    /// The name of its closing summary.
    #[must_use]
    pub fn summary_name(self) -> String {
        match self {
            Self::Step(step) => format!("{}_execution_summary", step.prefix()),
            Self::Admission => "m3g_admission_summary".to_owned(),
            Self::Entry => "m3j_entry_summary".to_owned(),
        }
    }

    /// The name of its observations.
    #[must_use]
    pub fn observations_name(self) -> String {
        match self {
            Self::Step(step) => format!("{}_observations", step.prefix()),
            Self::Admission => "m3g_admission_observations".to_owned(),
            Self::Entry => "m3j_entry_observations".to_owned(),
        }
    }
}

impl From<Step> for Owner {
    fn from(step: Step) -> Self {
        Self::Step(step)
    }
}

impl PartialEq<Step> for Owner {
    fn eq(&self, step: &Step) -> bool {
        *self == Self::Step(*step)
    }
}

impl TryFrom<String> for Owner {
    type Error = ParseError;

    fn try_from(id: String) -> Result<Self, ParseError> {
        Self::from_id(&id)
            .ok_or_else(|| ParseError::new("the owner of a closure", &id, "M3.A … M3.J, ADMISSION or ENTRY"))
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> String {
        owner.id().to_owned()
    }
}

impl Borrow<str> for Owner {
    fn borrow(&self) -> &str {
        self.id()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_states_name_one_owner_each() {
        assert_eq!(Owner::all().count(), 12);
        for owner in Owner::all() {
            assert_eq!(Owner::from_id(owner.id()), Some(owner));
            assert_eq!(Owner::of_state(&owner.state()), Some(owner));
            assert_eq!(serde_json::to_value(owner).unwrap(), owner.id());
        }
        assert_eq!((Owner::from_id("M3.K"), Owner::of_state("Wait")), (None, None));
        assert!(serde_json::from_str::<Owner>("\"M3.K\"").is_err());
        let mut owners: Vec<Owner> = Owner::all().collect();
        owners.sort();
        assert!(owners.is_sorted_by_key(|owner| owner.id()));
    }
}
