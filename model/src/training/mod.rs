//! Training: a stage says what one step is; the trainer does all else.

mod optimizer;
mod trainer;

pub use optimizer::{Optimizer, OptimizerOptions};
pub use trainer::{Metrics, Stage, StepContext, TrainError, TrainOptions, export, train};
