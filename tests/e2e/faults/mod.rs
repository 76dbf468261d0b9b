//! Faults are not verdicts: whatever S3 does to a step, the step ends with its true verdict or with a fault after which
//! the identical payload completes the same run (contract section 2).

pub(crate) mod bench;
pub(crate) mod executions;
mod lost_answers;
pub(crate) mod proxy;
