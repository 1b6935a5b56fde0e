//! A model folder in the hub's layout: a folder a network, each with its `config.json`.

use std::fs::File;
use std::path::{Path, PathBuf};

use tch::{Device, Kind};

use super::{Checkpoint, Params, WeightsError, read_config};
use crate::diffusion::DdpmWuerstchenConfig;
use crate::pipeline::LatentSizes;

/// The networks of a model folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component {
    /// Stage C.
    Prior,
    /// Stage B.
    Decoder,
    /// Stage A.
    Vqgan,
    /// CLIP text encoder with projection.
    TextEncoder,
    /// Encoder of pictures to Stage C latents.
    LatentEncoder,
    /// SigLIP image tower with the projection that the text tower was trained against.
    ImageEncoder,
    /// LLaVA-OneVision.
    Vlm,
    /// Preference attention of the prior.
    PreferenceAdapter,
    /// Linear map from Stage C latents to previews.
    Previewer,
    /// Classifier of subject and style; judges, never trains.
    Judge,
}

impl Component {
    /// All of them, in the order of training.
    pub const ALL: [Self; 10] = [
        Self::Judge,
        Self::TextEncoder,
        Self::ImageEncoder,
        Self::Vqgan,
        Self::LatentEncoder,
        Self::Previewer,
        Self::Decoder,
        Self::Prior,
        Self::Vlm,
        Self::PreferenceAdapter,
    ];

    /// The folder's name.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Prior => "prior",
            Self::Decoder => "decoder",
            Self::Vqgan => "vqgan",
            Self::TextEncoder => "text_encoder",
            Self::LatentEncoder => "latent_encoder",
            Self::ImageEncoder => "image_encoder",
            Self::Vlm => "vlm",
            Self::PreferenceAdapter => "preference_adapter",
            Self::Previewer => "previewer",
            Self::Judge => "judge",
        }
    }

    /// The weights file without its ending: diffusers and transformers differ.
    pub fn stem(self) -> &'static str {
        match self {
            Self::Prior | Self::Decoder | Self::Vqgan => "diffusion_pytorch_model",
            _ => "model",
        }
    }
}

/// `model.json`: what the networks' own configurations do not say.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ModelCard {
    /// The model's name.
    pub name: String,
    /// Sizes of pictures and latents.
    pub sizes: LatentSizes,
    /// Steps of the prior where a request names none.
    pub default_steps: u32,
    /// Most steps of the prior.
    pub max_steps: u32,
    /// Steps of the decoder.
    pub decoder_steps: u32,
    /// Guidance where a request names none.
    pub default_guidance: f32,
    /// Longest prompt, in characters.
    pub max_prompt_chars: usize,
}

/// A folder with the networks of one model.
#[derive(Debug, Clone)]
pub struct ModelFolder(PathBuf);

impl ModelFolder {
    /// Names the folder; nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder of one network.
    pub fn component(&self, component: Component) -> PathBuf {
        self.0.join(component.folder())
    }

    /// The file that a network's weights are written to.
    pub fn weights_file(&self, component: Component) -> PathBuf {
        let name = format!("{}.safetensors", component.stem());
        self.component(component).join(name)
    }

    /// `tokenizer/tokenizer.json`.
    pub fn tokenizer(&self) -> PathBuf {
        self.0.join("tokenizer").join("tokenizer.json")
    }

    /// `scheduler/scheduler_config.json`.
    pub fn scheduler(&self) -> PathBuf {
        self.0.join("scheduler").join("scheduler_config.json")
    }

    /// The configuration of a network.
    ///
    /// # Errors
    /// When the file is missing or does not parse.
    pub fn config<C: serde::de::DeserializeOwned>(
        &self,
        component: Component,
    ) -> Result<C, WeightsError> {
        read_config(&self.component(component).join("config.json"))
    }

    /// The model's name and limits.
    ///
    /// # Errors
    /// When `model.json` is missing or does not parse.
    pub fn card(&self) -> Result<ModelCard, WeightsError> {
        read_config(&self.0.join("model.json"))
    }

    /// Writes `model.json` and `scheduler/scheduler_config.json`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_card(
        &self,
        card: &ModelCard,
        schedule: &DdpmWuerstchenConfig,
    ) -> Result<(), WeightsError> {
        write_json(&self.0.join("model.json"), card)?;
        write_json(&self.scheduler(), schedule)
    }

    /// The networks whose folder is there.
    pub fn components(&self) -> impl Iterator<Item = Component> {
        let there = |c: &Component| self.component(*c).join("config.json").exists();
        Component::ALL.into_iter().filter(there)
    }

    /// How many numbers all networks have, from the files' headers.
    ///
    /// # Errors
    /// When a file is missing or damaged.
    pub fn parameters(&self) -> Result<u64, WeightsError> {
        let mut count = 0;
        for component in self.components() {
            let files =
                Checkpoint::open_in(&self.component(component), component.stem(), Kind::Float)?;
            count += files.parameters();
        }
        Ok(count)
    }

    /// SHA-256 (hexadecimal) over the weights of what draws and reads taste, in a fixed
    /// order: a profile or a picture bears it, and means something to this model alone.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn hash(&self) -> Result<String, WeightsError> {
        use sha2::{Digest, Sha256};
        let mut hasher = Sha256::new();
        let counts = |c: &Component| !matches!(c, Component::Judge | Component::ImageEncoder);
        for component in self.components().filter(counts) {
            for path in weight_files(&self.component(component))? {
                let io = |source| WeightsError::Io {
                    path: path.clone(),
                    source,
                };
                hasher.update(component.folder().as_bytes());
                std::io::copy(
                    &mut File::open(&path).map_err(io)?,
                    &mut Writer(&mut hasher),
                )
                .map_err(io)?;
            }
        }
        Ok(hasher
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }

    /// A network from its configuration and weights, all of which it must use.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the weights do not fit the configuration.
    pub fn load<C, N>(
        &self,
        component: Component,
        kind: Kind,
        device: Device,
        build: impl FnOnce(&Params, C) -> Result<N, WeightsError>,
    ) -> Result<(N, Params), WeightsError>
    where
        C: serde::de::DeserializeOwned,
    {
        let config = self.config(component)?;
        let files = Checkpoint::open_in(&self.component(component), component.stem(), kind)?;
        files.network(config, kind, device, build)
    }
}

/// The safetensors files of a folder, in the order of their names.
fn weight_files(dir: &Path) -> Result<Vec<PathBuf>, WeightsError> {
    let io = |source| WeightsError::Io {
        path: dir.into(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|e| e == "safetensors") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), WeightsError> {
    let io = |source| WeightsError::Io {
        path: path.into(),
        source,
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(io)?;
    }
    let mut text = serde_json::to_string_pretty(value).map_err(|e| WeightsError::Config {
        path: path.into(),
        reason: e.to_string(),
    })?;
    text.push('\n');
    std::fs::write(path, text).map_err(io)
}

/// Feeds what is written to a hash.
struct Writer<'a>(&'a mut sha2::Sha256);

impl std::io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        sha2::Digest::update(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
