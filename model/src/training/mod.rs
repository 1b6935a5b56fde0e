//! Training: a stage says what one step is; the trainer does all else.

mod blocks;
mod captioned_latents;
mod clip;
mod fit_previewer;
mod identity;
mod judge;
mod optimizer;
mod pictures;
mod posterior;
mod preference;
mod preference_people;
mod preference_pool;
pub mod preset;
mod published;
mod recipe;
mod stage_a;
mod stage_b;
mod stage_c;
mod stage_c_text;
mod timesteps;
mod trainer;
mod vlm;
mod whitening;

pub use fit_previewer::{FitError, PREVIEW_PROMPTS, PreviewerFit, fit_previewer};
pub use identity::{Identity, Settings};
pub use optimizer::{Optimizer, OptimizerOptions};
pub use pictures::{
    PictureBank, Row, bytes_to_tensor, pictures_to_tensor, tensor_to_pictures, write_sheet,
};
pub use preference::Objective;
pub use published::PublishedTraining;
pub use recipe::{Outcome, Recipe};
pub use trainer::{Budget, Metrics, Stage, StepContext, TrainError, TrainOptions, export, train};
