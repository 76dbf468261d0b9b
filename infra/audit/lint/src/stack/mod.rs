//! Judges a deployed stack by what AWS says of it: facts in, findings out.
//!
//! Most of what is judged here no step can see, because no step's role may ask for it: where the bucket's events go, what its
//! policy denies, how long it keeps what it has, who may do what. What is not learned is said, and is never taken for right.

mod bucket;
mod facts;
mod orchestrator;
mod policy;
mod report;
#[cfg(test)]
mod tests;

pub use facts::{Alias, Asked, Bucket, COMPARED, Comparison, Difference, Encryption, Facts, Lock, Machine, Resource};
pub use report::{NotLearned, Rule, StackFinding, StackReport, StackStanding};

/// Judges a stack.
#[must_use]
pub fn judge(facts: &Facts) -> StackReport {
    let mut report = StackReport::new(&facts.stack);
    bucket::judge(facts, &mut report);
    orchestrator::judge(facts, &mut report);
    report
}
