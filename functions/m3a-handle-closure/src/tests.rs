//! What the tests of the two foreign documents share, and the tests of stack outputs, which `p1_contract` reads.

pub(crate) mod hostile;
mod stack_outputs;
