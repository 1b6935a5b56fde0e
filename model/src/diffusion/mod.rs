//! The diffusion process: noise, schedule, guidance.

mod noise;
mod sample;
mod scheduler;

pub use noise::Noise;
pub use sample::sample;
pub use scheduler::{
    DdpmWuerstchenConfig, DdpmWuerstchenScheduler, PredictionType, read_scheduler_config,
};
