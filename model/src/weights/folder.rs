//! A model folder in the hub's layout: a folder a network, each with its `config.json`.

use std::path::{Path, PathBuf};

use tch::{Device, Kind};

use super::{Checkpoint, Params, WeightsError, read_config};

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
    /// Classifier of subject and style; judges, never trains.
    Judge,
}

impl Component {
    /// All of them, in the order of training.
    pub const ALL: [Self; 9] = [
        Self::Judge,
        Self::TextEncoder,
        Self::ImageEncoder,
        Self::Vqgan,
        Self::LatentEncoder,
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
        let files = Checkpoint::open_in(&self.component(component), component.stem())?;
        let params = Params::load(files, kind, device);
        let network = build(&params, config)?;
        // torch counts batches in every batch norm; nothing reads the count.
        params.finish(|name| name.ends_with("num_batches_tracked"))?;
        Ok((network, params))
    }
}
