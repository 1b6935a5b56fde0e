use std::path::PathBuf;

use predilect_model::device::{DeviceChoice, DtypeChoice};

use super::{LocateError, locate};

/// What the server draws with.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Model")]
pub struct ModelConfig {
    /// Folder of the weights, or of the published models' repositories as they are on the hub
    /// [default: assets/mini of the working directory or the checkout].
    #[arg(long, env = "PREDILECT_MODEL_DIR", value_name = "FOLDER")]
    pub model_dir: Option<PathBuf>,

    /// Folder of the pair bank [default: assets/pairs of the working directory or the checkout].
    #[arg(long, env = "PREDILECT_PAIRS_DIR", value_name = "FOLDER")]
    pub pairs_dir: Option<PathBuf>,

    /// What to run on: auto (a GPU where there is one), cpu, cuda or cuda:NUMBER.
    #[arg(
        long,
        env = "PREDILECT_DEVICE",
        default_value = "auto",
        value_name = "DEVICE"
    )]
    pub device: DeviceChoice,

    /// What to compute in: auto (the faster one here), f32 or bf16.
    #[arg(
        long,
        env = "PREDILECT_DTYPE",
        default_value = "auto",
        value_name = "DTYPE"
    )]
    pub dtype: DtypeChoice,

    /// Threads of the model on a CPU [default: one for each core].
    #[arg(long, env = "PREDILECT_THREADS", value_parser = clap::value_parser!(i32).range(1..))]
    pub threads: Option<i32>,
}

impl ModelConfig {
    /// The folder of the weights.
    ///
    /// # Errors
    /// When none is given and none is found.
    pub fn model_dir(&self) -> Result<PathBuf, LocateError> {
        match &self.model_dir {
            Some(folder) => Ok(folder.clone()),
            None => locate::find("assets/mini", "model.json"),
        }
    }

    /// The folder of the pair bank.
    ///
    /// # Errors
    /// When none is given and none is found.
    pub fn pairs_dir(&self) -> Result<PathBuf, LocateError> {
        match &self.pairs_dir {
            Some(folder) => Ok(folder.clone()),
            None => locate::find("assets/pairs", "bank.json"),
        }
    }
}
