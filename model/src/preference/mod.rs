//! From choices between pictures to what the prior attends to.

mod blend;
pub mod conversation;
pub mod embedding;
pub mod pair_bank;

pub use blend::blend;
