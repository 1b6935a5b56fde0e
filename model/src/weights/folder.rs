//! A model folder in the hub's layout: a folder a network, each with its `config.json`.

use std::fs::File;
use std::path::{Path, PathBuf};

use tch::{Device, Kind};

use super::{Checkpoint, HubLayout, Params, UNetSize, WeightsError, files, read_config};
use crate::data::tokenizer::TOKENIZER_FILE;
use crate::diffusion::DdpmWuerstchenConfig;
use crate::pipeline::{PromptConditioning, SquareSizes};

/// What a folder of this program's own is known by.
const CARD_FILE: &str = "model.json";

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
    /// Those that a picture for nobody is drawn by.
    pub const DRAWING: [Self; 4] = [Self::TextEncoder, Self::Prior, Self::Decoder, Self::Vqgan];

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
    pub sizes: SquareSizes,
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
    /// How the networks are told the prompt.
    #[serde(default)]
    pub prompt: PromptConditioning,
}

/// A folder with the networks of one model: either this program's own, with `model.json` and a
/// folder for each network, or one with the repositories of the published models.
#[derive(Debug, Clone)]
pub struct ModelFolder {
    path: PathBuf,
    hub: Option<HubLayout>,
    headers_only: bool,
}

impl ModelFolder {
    /// Names a folder of this program's own; nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            hub: None,
            headers_only: false,
        }
    }

    /// Names a folder of either kind: without a `model.json` it is searched for the published
    /// models' repositories, of whose U-Nets those of `size` are taken.
    ///
    /// # Errors
    /// A repository is missing, or there are several of a kind, or a size is asked for of a folder
    /// of this program's own, which has one.
    pub fn open(path: impl Into<PathBuf>, size: UNetSize) -> Result<Self, WeightsError> {
        let own = Self::new(path);
        let hub = match (Self::is_own(&own.path), size) {
            (true, UNetSize::Largest) => None,
            (true, UNetSize::Lite) => {
                return Err(WeightsError::Layout {
                    folder: own.path,
                    reason: "it has a model.json, so it is a model of Predilect's own, which has \
                             one size: leave --lite (PREDILECT_LITE) out"
                        .into(),
                });
            }
            (false, size) => Some(HubLayout::find(&own.path, size)?),
        };
        Ok(Self { hub, ..own })
    }

    /// Whether a folder is one of this program's own.
    pub fn is_own(path: &Path) -> bool {
        path.join(CARD_FILE).exists()
    }

    /// The same folder, whose networks are checked against the weights' headers when they are
    /// loaded, and have no weights that mean anything.
    #[must_use]
    pub fn headers_only(&self) -> Self {
        Self {
            headers_only: true,
            ..self.clone()
        }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the published models' parts are, if it is a folder of those.
    pub fn hub(&self) -> Option<&HubLayout> {
        self.hub.as_ref()
    }

    /// The folder of one network. What the published models lack is at the same place in both
    /// kinds; the preference adapter of a lite prior is beside the full one's.
    pub fn component(&self, component: Component) -> PathBuf {
        let published = self.hub.as_ref().and_then(|hub| hub.component(component));
        published.unwrap_or_else(|| self.path.join(component.folder()))
    }

    /// The file that a network's weights are written to.
    pub fn weights_file(&self, component: Component) -> PathBuf {
        let name = format!("{}.safetensors", component.stem());
        self.component(component).join(name)
    }

    /// The tokenizer.json of the prompts.
    pub fn tokenizer(&self) -> PathBuf {
        let published = self.hub.as_ref().map(HubLayout::tokenizer);
        let folder = published.unwrap_or_else(|| self.path.join("tokenizer"));
        folder.join(TOKENIZER_FILE)
    }

    /// The scheduler_config.json of the prior or of the decoder.
    pub fn scheduler(&self, component: Component) -> PathBuf {
        let published = self.hub.as_ref().map(|hub| hub.scheduler(component));
        let folder = published.unwrap_or_else(|| self.path.join("scheduler"));
        folder.join("scheduler_config.json")
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
    /// When `model.json`, or what it is made from, is missing or does not parse.
    pub fn card(&self) -> Result<ModelCard, WeightsError> {
        match &self.hub {
            Some(hub) => hub.card(),
            None => read_config(&self.path.join(CARD_FILE)),
        }
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
        write_json(&self.path.join(CARD_FILE), card)?;
        write_json(&self.scheduler(Component::Prior), schedule)
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
        self.components().map(|c| self.parameters_of(c)).sum()
    }

    /// How many numbers these networks have together, from the files' headers.
    ///
    /// # Errors
    /// When a file is missing or damaged.
    pub fn parameters_of_all(&self, components: &[Component]) -> Result<u64, WeightsError> {
        components.iter().map(|&c| self.parameters_of(c)).sum()
    }

    /// How many numbers a network has, from the files' headers.
    ///
    /// # Errors
    /// When a file is missing or damaged.
    pub fn parameters_of(&self, component: Component) -> Result<u64, WeightsError> {
        let dir = self.component(component);
        Ok(Checkpoint::open_in(&dir, component.stem(), Kind::Float)?.parameters())
    }

    /// SHA-256 (hexadecimal) over the weights of what draws and reads taste: a profile or a picture
    /// bears it, and means something to this model alone. Whatever shows or judges pictures leaves
    /// it as it is.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn hash(&self) -> Result<String, WeightsError> {
        let tastes = [Component::Vlm, Component::PreferenceAdapter];
        self.hash_of(|c| Component::DRAWING.contains(&c) || tastes.contains(&c))
    }

    /// The same over the weights that draw a picture for nobody's taste: what they drew stays what
    /// they draw, whatever reads choices and follows them.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn drawing_hash(&self) -> Result<String, WeightsError> {
        self.hash_of(|component| Component::DRAWING.contains(&component))
    }

    /// SHA-256 (hexadecimal) over the weights of the networks that are there and `counts` names,
    /// in a fixed order. Of several variants of the same weights the smaller one stands for all.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn hash_of(&self, counts: impl Fn(Component) -> bool) -> Result<String, WeightsError> {
        use sha2::{Digest, Sha256};
        let mut hasher = Sha256::new();
        for component in self.components().filter(|&c| counts(c)) {
            let dir = self.component(component);
            for path in files::find(&dir, component.stem(), Kind::BFloat16)? {
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

    /// Parameters of these files, or what their headers say of them.
    pub(crate) fn params(&self, files: Checkpoint, kind: Kind, device: Device) -> Params {
        match self.headers_only {
            true => Params::headers(files),
            false => Params::load(files, kind, device),
        }
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
        let dir = self.component(component);
        let files = Checkpoint::open_in(&dir, component.stem(), kind)?;
        let params = self.params(files, kind, device);
        let network = params.network(config, build);
        let network = network.map_err(|error| error.about(&dir))?;
        Ok((network, params))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::mini;

    /// Changes the last number of a network's weights.
    fn change(folder: &ModelFolder, component: Component) {
        let file = folder.weights_file(component);
        let mut bytes = std::fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(file, bytes).unwrap();
    }

    #[test]
    fn a_profile_bears_the_hash_of_what_draws_and_reads_and_of_nothing_that_shows() {
        let dir = tempfile::tempdir().unwrap();
        mini::write_random(dir.path(), 1).unwrap();
        let folder = ModelFolder::new(dir.path());
        let hashes = || (folder.hash().unwrap(), folder.drawing_hash().unwrap());
        let (whole, drawing) = hashes();
        change(&folder, Component::Previewer);
        assert_eq!(
            hashes(),
            (whole.clone(), drawing.clone()),
            "another previewer"
        );
        for component in [Component::Vlm, Component::PreferenceAdapter] {
            change(&folder, component);
            assert_ne!(folder.hash().unwrap(), whole, "{component:?}");
            assert_eq!(folder.drawing_hash().unwrap(), drawing, "{component:?}");
            change(&folder, component);
        }
        assert_eq!(folder.hash().unwrap(), whole);
        for component in Component::DRAWING {
            change(&folder, component);
            let (other, other_drawing) = hashes();
            assert!(other != whole && other_drawing != drawing, "{component:?}");
            change(&folder, component);
        }
    }

    #[test]
    fn a_model_of_this_programs_own_has_one_size() {
        let dir = tempfile::tempdir().unwrap();
        mini::write_random(dir.path(), 1).unwrap();
        assert!(ModelFolder::open(dir.path(), UNetSize::Largest).is_ok());
        let error = ModelFolder::open(dir.path(), UNetSize::Lite).unwrap_err();
        assert!(error.to_string().contains("leave --lite"), "{error}");
    }
}
