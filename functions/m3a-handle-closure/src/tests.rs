//! What the tests of the two foreign documents share, and those of stack outputs, which `p1_contract` reads and M3.A was the first
//! to ask for.

pub(crate) mod hostile;
mod stack_outputs;
