//! Faults are not verdicts: whatever S3 does to a step, the step ends with its true verdict or with a fault after which
//! the identical payload completes the same run (contract section 2).

mod lost_answers;
pub(crate) mod proxy;
pub(crate) mod step_bench;
