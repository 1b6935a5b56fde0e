//! From a prompt to a picture: text encoder, prior, decoder, Stage A, one step at a time.
//!
//! A [`Drawing`] is one picture under way. [`advance`] takes many of them one step further
//! in one batch, whatever step each is at, so that requests share the device from step to
//! step; a picture's noise comes from its own seed alone.

use image::RgbImage;
use tch::{Device, Kind, Tensor};

use crate::data::tokenizer::Tokenizer;
use crate::diffusion::{DdpmWuerstchenConfig, DdpmWuerstchenScheduler, Noise};
use crate::networks::clip::ClipTextModelWithProjection;
use crate::networks::paella_vq::PaellaVq;
use crate::networks::preference_attention::PreferenceAttention;
use crate::networks::stable_cascade_unet::{StableCascadeInput, StableCascadeUNet};
use crate::training::tensor_to_pictures;
use crate::weights::{Component, ModelFolder, WeightsError, read_config};

/// A prompt as the prior is given it.
pub struct TextCondition {
    /// `[1, n, d]`, the text encoder's token states.
    pub tokens: Tensor,
    /// `[1, 1, d]`, its projected state at the end of the text.
    pub pooled: Tensor,
}

/// How large the latents of a picture are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LatentSizes {
    /// Side of the picture in pixels.
    pub picture: i64,
    /// Side of the prior's latent.
    pub prior: i64,
    /// Side of the decoder's latent.
    pub decoder: i64,
}

/// The networks that draw.
pub struct Pipeline {
    /// Words to ids.
    pub tokenizer: Tokenizer,
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
    /// The noise schedule of both diffusions.
    pub scheduler: DdpmWuerstchenScheduler,
    /// Sizes of the latents.
    pub sizes: LatentSizes,
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
}

impl Pipeline {
    /// Loads all networks from a model folder; without a `preference_adapter` folder the
    /// pipeline draws the base model only.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the weights do not fit their configuration.
    pub fn load(
        folder: &ModelFolder,
        sizes: LatentSizes,
        kind: Kind,
        device: Device,
    ) -> Result<Self, PipelineError> {
        let text = ClipTextModelWithProjection::new;
        let (text_encoder, _) = folder.load(Component::TextEncoder, kind, device, text)?;
        let unet = StableCascadeUNet::new;
        let (prior, _) = folder.load(Component::Prior, kind, device, unet)?;
        let (decoder, _) = folder.load(Component::Decoder, kind, device, unet)?;
        let (vqgan, _) = folder.load(Component::Vqgan, kind, device, PaellaVq::new)?;
        let adapter = if folder.component(Component::PreferenceAdapter).exists() {
            let blocks = prior.attention_blocks();
            let build = |p: &_, c: _| PreferenceAttention::new(p, c, blocks);
            Some(
                folder
                    .load(Component::PreferenceAdapter, kind, device, build)?
                    .0,
            )
        } else {
            None
        };
        let scheduler: DdpmWuerstchenConfig = read_config(&folder.scheduler())?;
        Ok(Self {
            tokenizer: open_tokenizer(folder)?,
            text_encoder,
            prior,
            adapter,
            decoder,
            vqgan,
            scheduler: DdpmWuerstchenScheduler::new(scheduler),
            sizes,
            kind,
            device,
        })
    }

    /// Encodes texts together: tokens `[B, n, d]`, pooled `[B, 1, d]`.
    ///
    /// # Errors
    /// When the text encoder does not take the tokens.
    pub fn encode_texts<S: AsRef<str>>(&self, texts: &[S]) -> Result<TextCondition, PipelineError> {
        let failed = |e: &dyn std::fmt::Display| PipelineError::Text(e.to_string());
        let ids: Vec<Vec<i64>> = texts
            .iter()
            .map(|text| self.tokenizer.encode(text.as_ref(), true))
            .collect::<Result<_, _>>()
            .map_err(|e| failed(&e))?;
        let ids = self.text_encoder.config().pack(&ids, self.tokenizer.pad());
        let ids = ids.to_device(self.device);
        let output =
            tch::no_grad(|| self.text_encoder.forward(&ids, None)).map_err(|e| failed(&e))?;
        let tokens = output
            .hidden_states
            .last()
            .expect("embeddings are the first state");
        Ok(TextCondition {
            tokens: tokens.to_kind(self.kind),
            pooled: output.text_embeds.unsqueeze(1).to_kind(self.kind),
        })
    }

    /// The prior's prediction without guidance: `latents` `[B, c, h, w]`, `t` `[B]`,
    /// preference tokens `[B, n, d]` where there are any. `[B, c, h, w]`.
    pub fn prior_forward(
        &self,
        latents: &Tensor,
        t: &Tensor,
        text: &TextCondition,
        preference: Option<&Tensor>,
    ) -> Tensor {
        let batch = latents.size()[0];
        let channels = self.prior.config().clip_image_in_channels.unwrap_or(0);
        let no_image = Tensor::zeros([batch, 1, channels], (self.kind, self.device));
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
    /// `[B, c, h, w]`. `[B, 4, H, W]`.
    pub fn decoder_forward(&self, latents: &Tensor, t: &Tensor, prior_latents: &Tensor) -> Tensor {
        let pooled = self.decoder.config().clip_text_pooled_in_channels;
        let text = Tensor::zeros([latents.size()[0], 1, pooled], (self.kind, self.device));
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
        let scaled = latents.to_kind(self.kind) * self.vqgan.config().scale_factor;
        tensor_to_pictures(&self.vqgan.decode(&scaled))
    }
}

/// Opens the tokenizer of a model folder.
///
/// # Errors
/// When the file is missing or damaged.
pub fn open_tokenizer(folder: &ModelFolder) -> Result<Tokenizer, PipelineError> {
    let path = folder.tokenizer();
    Tokenizer::open(&path).map_err(|error| {
        PipelineError::Weights(WeightsError::Config {
            path,
            reason: error.to_string(),
        })
    })
}

/// What a picture is drawn from.
pub struct DrawingRequest {
    /// The encoded prompt.
    pub text: std::rc::Rc<TextCondition>,
    /// The encoded empty prompt, which guidance leads away from.
    pub no_text: std::rc::Rc<TextCondition>,
    /// Preference tokens `[1, n, d]`.
    pub preference: Option<Tensor>,
    /// Strength of the preference, 0 = off.
    pub strength: f64,
    /// Guidance scale, 1 = off.
    pub guidance: f64,
    /// Steps of the prior.
    pub steps: i64,
    /// Steps of the decoder.
    pub decoder_steps: i64,
    /// The picture's noise follows from it.
    pub seed: u64,
}

/// The state of one diffusion.
struct Diffusion {
    /// `[1, c, h, w]` f32.
    latent: Tensor,
    /// The picture that the last step expected at the end, like `latent`.
    expected: Tensor,
    timesteps: Vec<f32>,
    step: usize,
}

impl Diffusion {
    fn start(noise: &mut Noise, shape: [i64; 4], timesteps: &Tensor, device: Device) -> Self {
        let latent = noise.gaussian(&shape).to_device(device);
        Self {
            expected: latent.zeros_like(),
            latent,
            timesteps: Vec::<f32>::try_from(timesteps).expect("timesteps are f32 on the CPU"),
            step: 0,
        }
    }

    fn finished(&self) -> bool {
        self.step + 1 == self.timesteps.len()
    }
}

enum Phase {
    Prior(Diffusion),
    Decoder {
        diffusion: Diffusion,
        prior_latent: Tensor,
    },
    Done(Finished),
}

/// A finished picture.
pub struct Finished {
    /// The picture.
    pub picture: RgbImage,
    /// The prior's latent that it was decoded from, `[1, c, h, w]` f32.
    pub prior_latent: Tensor,
}

/// One picture under way.
pub struct Drawing {
    request: DrawingRequest,
    noise: Noise,
    phase: Phase,
}

/// How far a drawing is, to be shown.
pub enum View<'a> {
    /// The prior's expected latent, `[1, c, h, w]` f32.
    Prior(&'a Tensor),
    /// The decoder's expected latent, `[1, 4, H, W]` f32.
    Decoder(&'a Tensor),
    /// The finished picture.
    Done(&'a RgbImage),
}

impl Drawing {
    /// Starts a picture from noise.
    pub fn start(pipeline: &Pipeline, request: DrawingRequest) -> Self {
        let mut noise = Noise::new(request.seed);
        let side = pipeline.sizes.prior;
        let shape = [1, pipeline.prior.config().in_channels, side, side];
        let timesteps = pipeline.scheduler.timesteps(request.steps);
        let phase = Phase::Prior(Diffusion::start(
            &mut noise,
            shape,
            &timesteps,
            pipeline.device,
        ));
        Self {
            request,
            noise,
            phase,
        }
    }

    /// Steps done, of prior and decoder together.
    pub fn step(&self) -> i64 {
        match &self.phase {
            Phase::Prior(diffusion) => diffusion.step as i64,
            Phase::Decoder { diffusion, .. } => self.request.steps + diffusion.step as i64,
            Phase::Done(_) => self.steps(),
        }
    }

    /// Steps in all, of prior and decoder together.
    pub fn steps(&self) -> i64 {
        self.request.steps + self.request.decoder_steps
    }

    /// What there is to see.
    pub fn view(&self) -> View<'_> {
        match &self.phase {
            Phase::Prior(diffusion) => View::Prior(&diffusion.expected),
            Phase::Decoder { diffusion, .. } if diffusion.step > 0 => {
                View::Decoder(&diffusion.expected)
            }
            Phase::Decoder { prior_latent, .. } => View::Prior(prior_latent),
            Phase::Done(finished) => View::Done(&finished.picture),
        }
    }

    /// The finished picture, once all steps are done.
    pub fn into_finished(self) -> Option<Finished> {
        match self.phase {
            Phase::Done(finished) => Some(finished),
            _ => None,
        }
    }
}

/// Takes every drawing that is not done one step further: those at the prior in one batch,
/// those at the decoder in another.
pub fn advance(pipeline: &Pipeline, drawings: &mut [&mut Drawing]) {
    tch::no_grad(|| {
        let mut at_prior: Vec<&mut Drawing> = Vec::new();
        let mut at_decoder: Vec<&mut Drawing> = Vec::new();
        for drawing in drawings.iter_mut() {
            match drawing.phase {
                Phase::Prior(_) => at_prior.push(drawing),
                Phase::Decoder { .. } => at_decoder.push(drawing),
                Phase::Done(_) => {}
            }
        }
        if !at_prior.is_empty() {
            advance_prior(pipeline, &mut at_prior);
        }
        if !at_decoder.is_empty() {
            advance_decoder(pipeline, &mut at_decoder);
        }
    });
}

/// Draws all requests in one batch, to the end.
pub fn draw(pipeline: &Pipeline, requests: Vec<DrawingRequest>) -> Vec<Finished> {
    let mut drawings: Vec<Drawing> = requests
        .into_iter()
        .map(|request| Drawing::start(pipeline, request))
        .collect();
    while drawings.iter().any(|d| d.step() < d.steps()) {
        advance(pipeline, &mut drawings.iter_mut().collect::<Vec<_>>());
    }
    drawings
        .into_iter()
        .filter_map(Drawing::into_finished)
        .collect()
}

fn advance_prior(pipeline: &Pipeline, drawings: &mut [&mut Drawing]) {
    let diffusion = |d: &Drawing| match &d.phase {
        Phase::Prior(diffusion) => (
            diffusion.latent.shallow_clone(),
            diffusion.timesteps[diffusion.step],
        ),
        _ => unreachable!("only drawings at the prior come here"),
    };
    // 1. Every branch that a drawing needs becomes a row of one batch.
    let mut rows = Rows::default();
    let mut branches = Vec::with_capacity(drawings.len());
    for drawing in drawings.iter() {
        let (latent, t) = diffusion(drawing);
        let request = &drawing.request;
        let preference = request
            .preference
            .as_ref()
            .filter(|_| request.strength != 0.0);
        let with_text = request.guidance != 0.0;
        branches.push(Branches {
            unconditional: (request.guidance != 1.0)
                .then(|| rows.add(&latent, t, &request.no_text, None)),
            base: (with_text && (preference.is_none() || request.strength != 1.0))
                .then(|| rows.add(&latent, t, &request.text, None)),
            preferred: preference
                .filter(|_| with_text)
                .map(|p| rows.add(&latent, t, &request.text, Some(p))),
        });
    }
    let predicted = rows.predict(pipeline);
    // 2. Strength and guidance, each drawing by its own.
    let outputs: Vec<Tensor> = drawings
        .iter()
        .zip(&branches)
        .map(|(drawing, branches)| branches.combine(&predicted, &drawing.request))
        .collect();
    // 3. One step of the scheduler.
    step_all(
        pipeline,
        drawings,
        &Tensor::cat(&outputs, 0),
        |phase| match phase {
            Phase::Prior(diffusion) => Some(diffusion),
            _ => None,
        },
    );
    for drawing in drawings.iter_mut() {
        let Phase::Prior(diffusion) = &drawing.phase else {
            continue;
        };
        if !diffusion.finished() {
            continue;
        }
        let prior_latent = diffusion.latent.shallow_clone();
        let side = pipeline.sizes.decoder;
        let shape = [1, pipeline.decoder.config().in_channels, side, side];
        let timesteps = pipeline.scheduler.timesteps(drawing.request.decoder_steps);
        let diffusion = Diffusion::start(&mut drawing.noise, shape, &timesteps, pipeline.device);
        drawing.phase = Phase::Decoder {
            diffusion,
            prior_latent,
        };
    }
}

fn advance_decoder(pipeline: &Pipeline, drawings: &mut [&mut Drawing]) {
    let (mut latents, mut times, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
    for drawing in drawings.iter() {
        if let Phase::Decoder {
            diffusion,
            prior_latent,
        } = &drawing.phase
        {
            latents.push(&diffusion.latent);
            times.push(diffusion.timesteps[diffusion.step]);
            conditions.push(prior_latent);
        }
    }
    let t = Tensor::from_slice(&times).to_device(pipeline.device);
    let predicted = pipeline
        .decoder_forward(&Tensor::cat(&latents, 0), &t, &Tensor::cat(&conditions, 0))
        .to_kind(Kind::Float);
    step_all(pipeline, drawings, &predicted, |phase| match phase {
        Phase::Decoder { diffusion, .. } => Some(diffusion),
        _ => None,
    });
    let mut finished: Vec<(&mut Phase, Tensor, Tensor)> = drawings
        .iter_mut()
        .filter_map(|drawing| match &drawing.phase {
            Phase::Decoder {
                diffusion,
                prior_latent,
            } if diffusion.finished() => {
                let latent = diffusion.latent.shallow_clone();
                let prior_latent = prior_latent.shallow_clone();
                Some((&mut drawing.phase, latent, prior_latent))
            }
            _ => None,
        })
        .collect();
    if finished.is_empty() {
        return;
    }
    let latents: Vec<&Tensor> = finished.iter().map(|(_, latent, _)| latent).collect();
    let pictures = pipeline.decode(&Tensor::cat(&latents, 0));
    for ((phase, _, prior_latent), picture) in finished.iter_mut().zip(pictures) {
        **phase = Phase::Done(Finished {
            picture,
            prior_latent: prior_latent.shallow_clone(),
        });
    }
}

/// One scheduler step of every drawing, each with noise of its own, and what the prediction
/// says about the end: x̂₀ = (x − √(1−ᾱ)·ε)/√ᾱ.
fn step_all(
    pipeline: &Pipeline,
    drawings: &mut [&mut Drawing],
    predicted: &Tensor,
    diffusion_of: impl Fn(&mut Phase) -> Option<&mut Diffusion>,
) {
    let (mut latents, mut noises) = (Vec::new(), Vec::new());
    let (mut now, mut next) = (Vec::new(), Vec::new());
    for drawing in drawings.iter_mut() {
        let Some(diffusion) = diffusion_of(&mut drawing.phase) else {
            continue;
        };
        now.push(diffusion.timesteps[diffusion.step]);
        next.push(diffusion.timesteps[diffusion.step + 1]);
        latents.push(diffusion.latent.shallow_clone());
        let shape = diffusion.latent.size();
        noises.push(drawing.noise.gaussian(&shape).to_device(pipeline.device));
    }
    let scheduler = &pipeline.scheduler;
    let per_sample = |values: &[f32]| Tensor::from_slice(values).to_device(pipeline.device);
    let (t, latents) = (per_sample(&now), Tensor::cat(&latents, 0));
    // Guidance is linear, so it has been applied to whatever the network predicts.
    let predicted = &scheduler.epsilon(predicted, &latents, &t);
    let noises = Tensor::cat(&noises, 0);
    let stepped = scheduler.step(predicted, &t, &per_sample(&next), &latents, &noises);
    let alpha = scheduler.alpha_cumprod(&t).view([-1, 1, 1, 1]);
    let noise_share: Tensor = 1.0 - &alpha;
    let expected = (latents - noise_share.sqrt() * predicted) / alpha.sqrt();
    for (i, drawing) in drawings.iter_mut().enumerate() {
        if let Some(diffusion) = diffusion_of(&mut drawing.phase) {
            diffusion.latent = stepped.narrow(0, i as i64, 1);
            diffusion.expected = expected.narrow(0, i as i64, 1);
            diffusion.step += 1;
        }
    }
}

/// Rows of a prior batch under construction.
#[derive(Default)]
struct Rows {
    latents: Vec<Tensor>,
    times: Vec<f32>,
    tokens: Vec<Tensor>,
    pooled: Vec<Tensor>,
    preferences: Vec<Option<Tensor>>,
}

impl Rows {
    fn add(
        &mut self,
        latent: &Tensor,
        t: f32,
        text: &TextCondition,
        preference: Option<&Tensor>,
    ) -> usize {
        self.latents.push(latent.shallow_clone());
        self.times.push(t);
        self.tokens.push(text.tokens.shallow_clone());
        self.pooled.push(text.pooled.shallow_clone());
        self.preferences.push(preference.map(Tensor::shallow_clone));
        self.times.len() - 1
    }

    /// `[rows, c, h, w]` f32. Without any preference in the batch the preference branch is
    /// not run at all; rows without one get zero tokens, which add exactly nothing.
    fn predict(&self, pipeline: &Pipeline) -> Tensor {
        let preference = self.preferences.iter().flatten().next().map(|some| {
            let zero = some.zeros_like();
            let tokens: Vec<&Tensor> = self
                .preferences
                .iter()
                .map(|p| p.as_ref().unwrap_or(&zero))
                .collect();
            Tensor::cat(&tokens, 0)
        });
        let text = TextCondition {
            tokens: Tensor::cat(&self.tokens, 0),
            pooled: Tensor::cat(&self.pooled, 0),
        };
        let t = Tensor::from_slice(&self.times).to_device(pipeline.device);
        let latents = Tensor::cat(&self.latents, 0);
        pipeline
            .prior_forward(&latents, &t, &text, preference.as_ref())
            .to_kind(Kind::Float)
    }
}

/// Where a drawing's predictions stand in the batch.
struct Branches {
    unconditional: Option<usize>,
    base: Option<usize>,
    preferred: Option<usize>,
}

impl Branches {
    /// `ε_c = ε(c,0) + s·(ε(c,u) − ε(c,0))`, then `lerp(ε(∅,0), ε_c, g)`; `[1, c, h, w]`.
    fn combine(&self, predicted: &Tensor, request: &DrawingRequest) -> Tensor {
        let row = |i: usize| predicted.narrow(0, i as i64, 1);
        let conditional = match (self.base, self.preferred) {
            (Some(base), Some(preferred)) => {
                let base = row(base);
                &base + (row(preferred) - &base) * request.strength
            }
            (Some(only), None) | (None, Some(only)) => row(only),
            (None, None) => {
                return row(self
                    .unconditional
                    .expect("guidance 0 leaves the empty prompt"));
            }
        };
        match self.unconditional {
            None => conditional,
            Some(i) => row(i).lerp(&conditional, request.guidance),
        }
    }
}
