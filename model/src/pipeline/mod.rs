//! From a prompt to a picture: text encoder, prior, decoder, Stage A, one step at a time.
//!
//! A [`Drawing`] is one picture under way. [`advance`] takes many of them one step further
//! in one batch, whatever step each is at, so that requests share the device from step to
//! step; a picture's noise comes from its own seed alone.

mod branches;
mod drawing;
mod prompt_reader;
mod sizes;

pub use drawing::{
    Drawing, DrawingRequest, Finished, NoiseSource, View, advance, draw, draw_sound,
};
pub use prompt_reader::PromptReader;
pub use sizes::{LatentScale, LatentSizes, SquareSizes};

use std::path::PathBuf;
use std::sync::Arc;

use image::RgbImage;
use tch::{Device, Kind, Tensor};

use crate::data::DataError;
use crate::data::tokenizer::Tokenizer;
use crate::diffusion::{DdpmWuerstchenScheduler, read_scheduler_config};
use crate::networks::NetworkError;
use crate::networks::clip::{ClipTextConfig, ClipTextModelWithProjection};
use crate::networks::paella_vq::{PaellaVq, PaellaVqConfig};
use crate::networks::preference_attention::{PreferenceAttention, PreferenceAttentionConfig};
use crate::networks::stable_cascade_unet::{
    StableCascadeInput, StableCascadeUNet, StableCascadeUNetConfig,
};
use crate::training::tensor_to_pictures;
use crate::weights::{Component, ModelCard, ModelFolder, Params, WeightsError};

/// A prompt as the prior is given it.
pub struct TextCondition {
    /// `[1, n, d]`, the text encoder's token states.
    pub tokens: Tensor,
    /// `[1, 1, d]`, its projected state at the end of the text.
    pub pooled: Tensor,
}

/// How a model's networks were trained to be told the prompt. What is left out is as with the
/// mini.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct PromptConditioning {
    /// Whether the text encoder's attention passes over what fills a short text up.
    pub mask_padding: bool,
    /// Whether the decoder is given the pooled text; zeros otherwise.
    pub decoder_text: bool,
    /// Whether guidance below 1 counts as 1, which is without. Otherwise it leads towards the
    /// empty prompt, which alone is drawn at 0.
    pub least_guidance_is_one: bool,
}

impl PromptConditioning {
    /// As diffusers' pipelines do it for the official networks.
    pub const OFFICIAL: Self = Self {
        mask_padding: true,
        decoder_text: true,
        least_guidance_is_one: true,
    };

    /// The guidance that the networks are used with where this one is asked for.
    pub fn guidance(&self, asked: f64) -> f64 {
        match self.least_guidance_is_one {
            true => asked.max(1.0),
            false => asked,
        }
    }
}

/// What of a pipeline is run together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The text encoder.
    Text,
    /// Stage C, and its preference attention.
    Prior,
    /// Stage B, and the small Stage A, which shows what Stage B is about.
    Decoder,
}

/// The networks that draw.
pub struct Pipeline {
    /// Words to ids.
    pub tokenizer: Arc<Tokenizer>,
    /// Text to conditions.
    pub text_encoder: ClipTextModelWithProjection,
    /// Stage C.
    pub prior: StableCascadeUNet,
    /// Preference attention of Stage C, where the model has one.
    pub adapter: Option<PreferenceAttention>,
    /// Stage B.
    pub decoder: StableCascadeUNet,
    /// Stage A.
    pub vqgan: PaellaVq,
    /// The noise schedule of the prior.
    pub prior_scheduler: DdpmWuerstchenScheduler,
    /// The noise schedule of the decoder.
    pub decoder_scheduler: DdpmWuerstchenScheduler,
    /// Sizes of the latents.
    pub sizes: LatentSizes,
    /// How the networks are told the prompt.
    pub prompt: PromptConditioning,
    /// dtype of the networks; latents between steps are f32.
    pub kind: Kind,
    /// Where the networks are.
    pub device: Device,
}

/// Why a prompt cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The text could not be encoded.
    #[error("the prompt could not be read: {0}")]
    Text(String),
    /// The folder's weights could not be loaded.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A network does not answer as it should.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Two networks cannot hand tensors to each other.
    #[error("{from} has {given} channels where {to} takes {taken}: they are of different models")]
    Mismatch {
        /// The network that gives.
        from: &'static str,
        /// Channels that it gives.
        given: i64,
        /// The network that takes.
        to: String,
        /// Channels that it takes.
        taken: i64,
    },
}

impl Pipeline {
    /// Loads all networks from a model folder; without a `preference_adapter` folder the
    /// pipeline draws the base model only.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the weights do not fit their configuration.
    pub fn load(
        folder: &ModelFolder,
        card: &ModelCard,
        kind: Kind,
        device: Device,
    ) -> Result<Self, PipelineError> {
        Ok(Self::load_apart(folder, card, kind, device, device)?.0)
    }

    /// As [`Self::load`], with the weights on a device of their own, and with them, a set for each
    /// stage: those of a stage must be on `device` when it is run.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_apart(
        folder: &ModelFolder,
        card: &ModelCard,
        kind: Kind,
        device: Device,
        weights: Device,
    ) -> Result<(Self, Vec<(Stage, Params)>), PipelineError> {
        let (mut pipeline, mut stages) =
            Self::load_base_apart(folder, card, kind, device, weights)?;
        let component = Component::PreferenceAdapter;
        if folder.component(component).exists() {
            let blocks = pipeline.prior.attention_blocks();
            let build = |params: &_, config: PreferenceAttentionConfig| {
                config.check_model(&card.name)?;
                PreferenceAttention::new(params, config, blocks)
            };
            let (adapter, params) = folder.load(component, kind, weights, build)?;
            stages.push((Stage::Prior, params));
            pipeline.adapter = Some(adapter);
        }
        Ok((pipeline, stages))
    }

    /// As [`Self::load`] without preference attention, whether or not the folder has one.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_base(
        folder: &ModelFolder,
        card: &ModelCard,
        kind: Kind,
        device: Device,
    ) -> Result<Self, PipelineError> {
        Ok(Self::load_base_apart(folder, card, kind, device, device)?.0)
    }

    fn load_base_apart(
        folder: &ModelFolder,
        card: &ModelCard,
        kind: Kind,
        device: Device,
        weights: Device,
    ) -> Result<(Self, Vec<(Stage, Params)>), PipelineError> {
        let text = ClipTextModelWithProjection::new;
        let (text_encoder, text_params) =
            folder.load(Component::TextEncoder, kind, weights, text)?;
        let unet = StableCascadeUNet::new;
        let (prior, prior_params) = folder.load(Component::Prior, kind, weights, unet)?;
        let (decoder, decoder_params) = folder.load(Component::Decoder, kind, weights, unet)?;
        let (vqgan, vqgan_params) = folder.load(Component::Vqgan, kind, weights, PaellaVq::new)?;
        let stages = vec![
            (Stage::Text, text_params),
            (Stage::Prior, prior_params),
            (Stage::Decoder, decoder_params),
            (Stage::Decoder, vqgan_params),
        ];
        check_channels(
            text_encoder.config(),
            prior.config(),
            decoder.config(),
            vqgan.config(),
            card.prompt,
        )?;
        let tokenizer = open_tokenizer(folder)?;
        tokenizer
            .check_table("the text encoder", text_encoder.config().vocab_size)
            .map_err(|error| words_error(folder.tokenizer(), error))?;
        let scheduler = |component| -> Result<_, WeightsError> {
            let config = read_scheduler_config(&folder.scheduler(component))?;
            Ok(DdpmWuerstchenScheduler::new(config))
        };
        let pipeline = Self {
            tokenizer,
            text_encoder,
            prior,
            adapter: None,
            decoder,
            vqgan,
            prior_scheduler: scheduler(Component::Prior)?,
            decoder_scheduler: scheduler(Component::Decoder)?,
            sizes: card.sizes.latents(),
            prompt: card.prompt,
            kind,
            device,
        };
        Ok((pipeline, stages))
    }

    /// Most tokens of a text, start and end included; longer ones are cut.
    fn text_length(&self) -> i64 {
        let longest = self.tokenizer.longest().unwrap_or(i64::MAX);
        longest.min(self.text_encoder.config().max_position_embeddings)
    }

    /// What tells how much of a prompt is read; it may go to another thread.
    pub fn prompt_reader(&self) -> PromptReader {
        let length = usize::try_from(self.text_length()).unwrap_or(0);
        PromptReader::new(self.tokenizer.clone(), length)
    }

    /// Encodes texts together: tokens `[B, n, d]`, pooled `[B, 1, d]`.
    ///
    /// # Errors
    /// When the text encoder does not take the tokens, or answers no finite numbers.
    pub fn encode_texts<S: AsRef<str>>(&self, texts: &[S]) -> Result<TextCondition, PipelineError> {
        let condition = tch::no_grad(|| self.encode_texts_with_gradient(texts))?;
        match all_finite(&condition.tokens) && all_finite(&condition.pooled) {
            true => Ok(condition),
            false => Err(NetworkError::NotFinite("the text encoder").into()),
        }
    }

    /// As [`Self::encode_texts`], for a training of the text encoder.
    pub(crate) fn encode_texts_with_gradient<S: AsRef<str>>(
        &self,
        texts: &[S],
    ) -> Result<TextCondition, PipelineError> {
        let failed = |e: &dyn std::fmt::Display| PipelineError::Text(e.to_string());
        let ids: Vec<Vec<i64>> = texts
            .iter()
            .map(|text| self.tokenizer.encode(text.as_ref(), true))
            .collect::<Result<_, _>>()
            .map_err(|e| failed(&e))?;
        let config = self.text_encoder.config();
        let length = self.text_length();
        let mask = self.prompt.mask_padding.then(|| {
            let mask = ClipTextConfig::padding_mask(&ids, length);
            mask.to_device(self.device)
        });
        let ids = config.pack(&ids, self.tokenizer.pad(), length);
        let ids = ids.to_device(self.device);
        let output = self.text_encoder.forward(&ids, mask.as_ref());
        let output = output.map_err(|e| failed(&e))?;
        let tokens = output
            .hidden_states
            .last()
            .expect("embeddings are the first state");
        Ok(TextCondition {
            tokens: tokens.to_kind(self.kind),
            pooled: output.text_embeds.unsqueeze(1).to_kind(self.kind),
        })
    }

    /// The prior's prediction without guidance: `latents` `[B, c, h, w]`, `t` `[B]`, texts one
    /// a sample or one for each `n` that follow one another, preference tokens `[B, n, d]` where there are any. `[B, c, h, w]`.
    pub fn prior_forward(
        &self,
        latents: &Tensor,
        t: &Tensor,
        text: &TextCondition,
        preference: Option<&Tensor>,
    ) -> Tensor {
        let texts = text.pooled.size()[0];
        let channels = self.prior.config().clip_image_in_channels.unwrap_or(0);
        let no_image = Tensor::zeros([texts, 1, channels], (self.kind, self.device));
        let input = StableCascadeInput {
            timestep_ratio: Some(t),
            clip_text_pooled: Some(&text.pooled),
            clip_text: Some(&text.tokens),
            // Text tokens enter only together with an image condition, so zeros stand for none.
            clip_img: Some(&no_image),
            ..Default::default()
        };
        let preference = self.adapter.as_ref().zip(preference);
        self.prior
            .forward(&latents.to_kind(self.kind), &input, preference)
    }

    /// The decoder's prediction: `latents` `[B, 4, H, W]`, `t` `[B]`, the prior's latents
    /// `[B, c, h, w]`, the pooled text `[B, 1, d]`. `[B, 4, H, W]`.
    pub fn decoder_forward(
        &self,
        latents: &Tensor,
        t: &Tensor,
        prior_latents: &Tensor,
        pooled: &Tensor,
    ) -> Tensor {
        let text = match self.prompt.decoder_text {
            true => pooled.shallow_clone(),
            false => {
                let channels = self.decoder.config().clip_text_pooled_in_channels;
                Tensor::zeros([latents.size()[0], 1, channels], (self.kind, self.device))
            }
        };
        let input = StableCascadeInput {
            timestep_ratio: Some(t),
            clip_text_pooled: Some(&text),
            effnet: Some(&prior_latents.to_kind(self.kind)),
            ..Default::default()
        };
        self.decoder
            .forward(&latents.to_kind(self.kind), &input, None)
    }

    /// Decoder latents `[B, 4, H, W]` to pictures.
    pub fn decode(&self, latents: &Tensor) -> Vec<RgbImage> {
        tensor_to_pictures(&self.decoded(latents))
    }

    /// As [`Self::decode`], the numbers that pictures are made of.
    fn decoded(&self, latents: &Tensor) -> Tensor {
        let scaled = latents.to_kind(self.kind) * self.vqgan.config().scale_factor;
        self.vqgan.decode(&scaled)
    }
}

/// Whether every number of a tensor is a finite one.
pub(crate) fn all_finite(tensor: &Tensor) -> bool {
    bool::try_from(tensor.isfinite().all()).unwrap_or(false)
}

/// Checks that what each network gives is as wide as what the next one takes.
fn check_channels(
    text: &ClipTextConfig,
    prior: &StableCascadeUNetConfig,
    decoder: &StableCascadeUNetConfig,
    stage_a: &PaellaVqConfig,
    prompt: PromptConditioning,
) -> Result<(), PipelineError> {
    let (tokens, pooled) = ("the text encoder's state", "the text encoder's projection");
    let decoder_pooled = decoder.clip_text_pooled_in_channels;
    let handed_over = [
        (
            tokens,
            text.hidden_size,
            "the prior",
            prior.clip_text_in_channels,
        ),
        (
            pooled,
            text.projection_dim,
            "the prior",
            Some(prior.clip_text_pooled_in_channels),
        ),
        (
            pooled,
            text.projection_dim,
            "the decoder",
            prompt.decoder_text.then_some(decoder_pooled),
        ),
        (
            "the prior's latent",
            prior.in_channels,
            "the decoder",
            decoder.effnet_in_channels,
        ),
        (
            "the decoder's latent",
            decoder.in_channels,
            "Stage A",
            Some(stage_a.latent_channels),
        ),
    ];
    for (from, given, to, taken) in handed_over {
        if let Some(taken) = taken
            && taken != given
        {
            return Err(PipelineError::Mismatch {
                from,
                given,
                to: to.to_owned(),
                taken,
            });
        }
    }
    Ok(())
}

/// Opens the tokenizer of a model folder.
///
/// # Errors
/// When the file is missing or damaged.
pub fn open_tokenizer(folder: &ModelFolder) -> Result<Arc<Tokenizer>, PipelineError> {
    let path = folder.tokenizer();
    let opened = Tokenizer::open(&path).map(Arc::new);
    opened.map_err(|error| words_error(path, error))
}

/// What is wrong with the tokenizer in `path`, with its file.
fn words_error(path: PathBuf, error: DataError) -> PipelineError {
    PipelineError::Weights(match error {
        DataError::Io { path, source } => WeightsError::Io { path, source },
        other => WeightsError::Config {
            path,
            reason: other.to_string(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_different_models_are_named() {
        let text = ClipTextConfig::default();
        let prior = StableCascadeUNetConfig {
            clip_text_in_channels: Some(text.hidden_size),
            clip_text_pooled_in_channels: text.projection_dim,
            ..Default::default()
        };
        let decoder = StableCascadeUNetConfig {
            in_channels: 4,
            effnet_in_channels: Some(prior.in_channels),
            clip_text_pooled_in_channels: text.projection_dim + 1,
            ..Default::default()
        };
        let stage_a = PaellaVqConfig::default();
        let check = |prompt| check_channels(&text, &prior, &decoder, &stage_a, prompt);
        assert!(check(PromptConditioning::default()).is_ok());
        let error = check(PromptConditioning::OFFICIAL).unwrap_err().to_string();
        assert!(error.contains("the decoder takes 513"), "{error}");
    }
}
