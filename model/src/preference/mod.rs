//! From choices between pictures to what the prior attends to.

pub mod pair_bank;
