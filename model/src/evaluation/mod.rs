//! Measuring pictures, simulating people, and judging what the model draws.

pub mod axes;
pub mod population;
pub mod taste;
