//! Measuring pictures, simulating people, and judging what the model draws.

pub mod axes;
pub mod blend;
pub mod ceiling;
pub mod choice_pool;
pub mod drawing;
pub mod judge;
pub mod jury;
pub mod kid;
pub mod mirror;
pub mod next_pair;
pub mod pairs;
pub mod pictures;
pub mod population;
pub mod reconstruction;
pub mod taste;
pub mod variety;
pub mod winrate;
pub mod wordings;
