use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use predilect_model::device::{DeviceChoice, DtypeChoice};
use predilect_model::engine::{DEFAULT_MAX_BATCH, EngineConfig, MemoryAdvice};
use predilect_model::weights::UNetSize;

use super::{LocateError, locate};

/// Which of the flags below ask for less memory.
pub const MEMORY_ADVICE: MemoryAdvice = MemoryAdvice {
    weights: "--dtype bf16, --lite, or another smaller model (the 0.5B LLaVA-OneVision)",
    work: "--dtype bf16, a smaller --max-batch, --offload, --lite or another smaller model, or \
           --device cpu",
};

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

    /// Take the lite networks of published models that have both sizes.
    #[arg(long, env = "PREDILECT_LITE", value_parser = FalseyValueParser::new())]
    pub lite: bool,

    /// Most pictures that are drawn at once: fewer need less memory.
    #[arg(
        long,
        env = "PREDILECT_MAX_BATCH",
        default_value_t = DEFAULT_MAX_BATCH as u16,
        value_name = "PICTURES",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub max_batch: u16,

    /// Keep the weights in the CPU's memory, and on the GPU only those of what is run: slower, and
    /// a GPU needs room for the largest network alone.
    #[arg(long, env = "PREDILECT_OFFLOAD", value_parser = FalseyValueParser::new())]
    pub offload: bool,

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

    /// What an engine is started with.
    ///
    /// # Errors
    /// When no folder of weights is given and none is found.
    pub fn engine(&self) -> Result<EngineConfig, LocateError> {
        Ok(EngineConfig {
            device: self.device,
            dtype: self.dtype,
            threads: self.threads,
            max_batch: self.max_batch.into(),
            offload: self.offload,
            unet_size: UNetSize::lite(self.lite),
            memory_advice: MEMORY_ADVICE,
            ..EngineConfig::new(self.model_dir()?)
        })
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
