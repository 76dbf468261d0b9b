//! Whose a closure is: one of the ten steps', or the admission's of a rerun, which M3.G's function does.

use std::borrow::Borrow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::parse_error::ParseError;
use crate::step::Step;

/// The state that admits a rerun.
pub const ADMIT_RERUN: &str = "Admit rerun";

/// What a function can be invoked for, and whose a closure is. Owners are in the order of their ids, which maps of closures keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", inline)]
pub enum Owner {
    /// The admission.
    Admission,
    /// A step.
    Step(Step),
}

impl Owner {
    /// All of them: the steps in their order, then the admission, as a chain has them.
    pub fn all() -> impl Iterator<Item = Self> {
        Step::ALL.into_iter().map(Self::Step).chain([Self::Admission])
    }

    /// The owner that a Task state is run for.
    #[must_use]
    pub fn of_state(state: &str) -> Option<Self> {
        Self::all().find(|owner| owner.state() == state)
    }

    /// The owner of this id, `M3.A` … `M3.J` or `ADMISSION`: the `step` of a closure.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        Self::all().find(|owner| owner.id() == id)
    }

    /// `M3.A` … `M3.J`, or `ADMISSION`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Step(step) => step.id(),
            Self::Admission => "ADMISSION",
        }
    }

    /// The step whose function is invoked.
    #[must_use]
    pub const fn step(self) -> Step {
        match self {
            Self::Step(step) => step,
            Self::Admission => Step::RerunDiscipline,
        }
    }

    /// The step that it is; none for the admission.
    #[must_use]
    pub fn as_step(self) -> Option<Step> {
        (self != Self::Admission).then_some(self.step())
    }

    /// The name of its Task state.
    #[must_use]
    pub fn state(self) -> String {
        match self {
            Self::Step(step) => step.state_name(),
            Self::Admission => ADMIT_RERUN.to_owned(),
        }
    }

    /// The name of its closing summary.
    #[must_use]
    pub fn summary_name(self) -> String {
        match self {
            Self::Step(step) => format!("{}_execution_summary", step.prefix()),
            Self::Admission => "m3g_admission_summary".to_owned(),
        }
    }

    /// The name of its observations.
    #[must_use]
    pub fn observations_name(self) -> String {
        match self {
            Self::Step(step) => format!("{}_observations", step.prefix()),
            Self::Admission => "m3g_admission_observations".to_owned(),
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
        Self::from_id(&id).ok_or_else(|| ParseError::new("the owner of a closure", &id, "M3.A … M3.J or ADMISSION"))
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
        assert_eq!(Owner::all().count(), 11);
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
