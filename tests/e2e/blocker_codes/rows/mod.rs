//! The table: a code, what is changed, and how.

mod from_publication;
mod phase_entry;
mod up_to_lock;

use std::pin::Pin;

use p1_contract::blocker::Blocker;
use p1_tests::stage::Stage;
use serde_json::Value;

pub(crate) type Work<'a, T = ()> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// One change of the valid example.
pub(crate) enum How {
    /// A text of the registry is another.
    Registry(&'static str, &'static str),
    /// The stack outputs are these, and a text of the registry is another.
    Outputs(fn() -> Value, &'static str, &'static str),
    /// The execution's input is another.
    Input(for<'a> fn(&'a Stage, &'a mut Value) -> Work<'a>),
    /// An object stands at the key of this file of the step.
    Squatter(&'static str),
    /// Every run id of the second is taken.
    RunIds,
    /// The step observed something else.
    Observed(fn(&mut Value)),
    /// M3.J observed something else, and wrote what follows.
    Concluded(fn(&mut Value)),
    /// After the hold of the first code, something was done below the run's root; then the run is resumed.
    Touched(Blocker, for<'a> fn(&'a Stage, String) -> Work<'a>),
    /// After the hold of the first code, the run is resumed, and its step observes something else.
    ResumedObserved(Blocker, fn(&mut Value)),
    /// After the hold of the first code, a rerun with another input: refused.
    Refused(Blocker, fn(&mut Value)),
    /// A later phase asks this of a run that was prepared for it: refused.
    Entered(for<'a> fn(&'a Stage) -> Work<'a, Value>),
    /// After the hold of the first code, a rerun on another registry: refused.
    Drifted(Blocker, &'static str, &'static str),
}

impl How {
    /// Whether a step adopts observations that were changed, instead of making them of a changed world.
    pub(crate) fn is_adopted(&self) -> bool {
        matches!(self, How::Observed(_) | How::Concluded(_) | How::ResumedObserved(..))
    }

    /// The row whose held run this one goes on with.
    pub(crate) fn after(&self) -> Option<Blocker> {
        match self {
            How::Touched(after, _)
            | How::ResumedObserved(after, _)
            | How::Refused(after, _)
            | How::Drifted(after, ..) => Some(*after),
            _ => None,
        }
    }
}

pub(crate) struct Row {
    pub(crate) code: Blocker,
    pub(crate) what: &'static str,
    pub(crate) how: How,
}

const fn row(code: Blocker, what: &'static str, how: How) -> Row {
    Row { code, what, how }
}

/// The whole table.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    up_to_lock::ROWS
        .iter()
        .chain(from_publication::ROWS)
        .chain(phase_entry::ROWS)
}

/// What looks like the id of an access key of AWS.
const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
