//! The diffusion process: noise, schedule, guidance.

mod noise;
mod scheduler;

pub use noise::Noise;
pub use scheduler::{DdpmWuerstchenConfig, DdpmWuerstchenScheduler, PredictionType};
