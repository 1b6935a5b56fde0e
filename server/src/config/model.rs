use std::path::PathBuf;

use predilect_model::engine::DeviceChoice;

use super::{LocateError, locate};

/// What the server draws with.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Model")]
pub struct ModelConfig {
    /// Folder of the weights [default: assets/mini of the working directory or the checkout].
    #[arg(long, env = "PREDILECT_MODEL_DIR", value_name = "FOLDER")]
    pub model_dir: Option<PathBuf>,

    /// Folder of the pair bank [default: assets/pairs of the working directory or the checkout].
    #[arg(long, env = "PREDILECT_PAIRS_DIR", value_name = "FOLDER")]
    pub pairs_dir: Option<PathBuf>,

    /// What to run on: auto (a GPU where there is one), cpu, cuda or cuda:NUMBER.
    #[arg(long, env = "PREDILECT_DEVICE", default_value = "auto", value_parser = parse_device)]
    pub device: DeviceChoice,

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

fn parse_device(text: &str) -> Result<DeviceChoice, String> {
    match text.split_once(':') {
        None if text == "auto" => Ok(DeviceChoice::Auto),
        None if text == "cpu" => Ok(DeviceChoice::Cpu),
        None if text == "cuda" => Ok(DeviceChoice::Cuda(0)),
        Some(("cuda", number)) => number
            .parse()
            .map(DeviceChoice::Cuda)
            .map_err(|_| format!("after cuda: comes the GPU's number, not {number:?}")),
        _ => Err("must be auto, cpu, cuda or cuda:NUMBER".into()),
    }
}
