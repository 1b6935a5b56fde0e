//! Pictures under way: [`advance`] takes any number of them one step further.

use image::RgbImage;
use tch::{Device, Kind, Tensor};

use super::branches::{Branches, Rows};
use super::{Pipeline, PipelineError, Stage, TextCondition, all_finite};
use crate::diffusion::{DdpmWuerstchenScheduler, Noise};
use crate::networks::NetworkError;
use crate::training::tensor_to_pictures;

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
    /// Guidance scale, 1 = off; [`super::PromptConditioning`] says what less is.
    pub guidance: f64,
    /// Steps of the prior.
    pub steps: i64,
    /// Steps of the decoder.
    pub decoder_steps: i64,
    /// The picture's noise follows from it.
    pub seed: u64,
}

/// Gives standard normal tensors, f32, of the shapes that it is asked for one after the other:
/// where a diffusion starts, then what each of its steps adds; the prior first.
pub type NoiseSource = Box<dyn FnMut(&[i64]) -> Tensor>;

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
    /// From noise of `channels` and this height and width.
    fn start(
        noise: &mut NoiseSource,
        channels: i64,
        [height, width]: [i64; 2],
        timesteps: &Tensor,
        device: Device,
    ) -> Self {
        let latent = noise(&[1, channels, height, width]).to_device(device);
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
    noise: NoiseSource,
    phase: Phase,
    /// The network whose answer had other than finite numbers first.
    lost: Option<&'static str>,
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
    /// Starts a picture from the noise of its seed.
    pub fn start(pipeline: &Pipeline, request: DrawingRequest) -> Self {
        let mut noise = Noise::new(request.seed);
        let source = Box::new(move |shape: &[i64]| noise.gaussian(shape));
        Self::start_from(pipeline, request, source)
    }

    /// Starts a picture from noise that is given; the request's seed is passed over.
    pub fn start_from(
        pipeline: &Pipeline,
        request: DrawingRequest,
        mut noise: NoiseSource,
    ) -> Self {
        let phase = Phase::Prior(Diffusion::start(
            &mut noise,
            pipeline.prior.config().in_channels,
            pipeline.sizes.prior,
            &pipeline.prior_scheduler.timesteps(request.steps),
            pipeline.device,
        ));
        Self {
            request,
            noise,
            phase,
            lost: None,
        }
    }

    /// Checks that there is something to see: once an answer was other than finite numbers, what
    /// follows is black.
    ///
    /// # Errors
    /// The network whose answer it was.
    pub fn check(&self) -> Result<(), NetworkError> {
        match self.lost {
            None => Ok(()),
            Some(network) => Err(NetworkError::NotFinite(network)),
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

    /// What its next step is run by; nothing when it is done.
    pub fn stage(&self) -> Option<Stage> {
        match &self.phase {
            Phase::Prior(_) => Some(Stage::Prior),
            Phase::Decoder { .. } => Some(Stage::Decoder),
            Phase::Done(_) => None,
        }
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

    /// The noised latent that the next step starts from, `[1, c, h, w]` f32; none when done.
    pub fn latent(&self) -> Option<&Tensor> {
        match &self.phase {
            Phase::Prior(diffusion) | Phase::Decoder { diffusion, .. } => Some(&diffusion.latent),
            Phase::Done(_) => None,
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

/// Positions of the decoder's latents, of all pictures together, that [`draw`] takes at once: eight
/// pictures of 1024 pixels, hundreds of the mini's.
const POSITIONS_AT_ONCE: i64 = 8 * 256 * 256;

/// Draws all requests to the end, in as few batches as their size allows.
///
/// # Errors
/// As [`Drawing::check`].
pub fn draw_sound(
    pipeline: &Pipeline,
    requests: Vec<DrawingRequest>,
) -> Result<Vec<Finished>, PipelineError> {
    let drawings = draw_to_the_end(pipeline, requests);
    drawings.iter().try_for_each(Drawing::check)?;
    Ok(finished(drawings))
}

/// As [`draw_sound`], whatever becomes of the pictures: those of a network that is in training may
/// be black.
pub fn draw(pipeline: &Pipeline, requests: Vec<DrawingRequest>) -> Vec<Finished> {
    finished(draw_to_the_end(pipeline, requests))
}

fn finished(drawings: Vec<Drawing>) -> Vec<Finished> {
    drawings
        .into_iter()
        .filter_map(Drawing::into_finished)
        .collect()
}

fn draw_to_the_end(pipeline: &Pipeline, requests: Vec<DrawingRequest>) -> Vec<Drawing> {
    let positions: i64 = pipeline.sizes.decoder.iter().product();
    let at_once = (POSITIONS_AT_ONCE / positions).max(1) as usize;
    let mut drawings: Vec<Drawing> = requests
        .into_iter()
        .map(|request| Drawing::start(pipeline, request))
        .collect();
    for together in drawings.chunks_mut(at_once) {
        while together.iter().any(|d| d.step() < d.steps()) {
            advance(pipeline, &mut together.iter_mut().collect::<Vec<_>>());
        }
    }
    drawings
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
        let guidance = pipeline.prompt.guidance(request.guidance);
        let with_text = guidance != 0.0;
        branches.push(Branches {
            guidance,
            unconditional: (guidance != 1.0).then(|| rows.add(&latent, t, &request.no_text, None)),
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
        .map(|(drawing, branches)| branches.combine(&predicted, drawing.request.strength))
        .collect();
    // 3. One step of the scheduler.
    step_all(
        "the prior",
        &pipeline.prior_scheduler,
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
        let steps = drawing.request.decoder_steps;
        let diffusion = Diffusion::start(
            &mut drawing.noise,
            pipeline.decoder.config().in_channels,
            pipeline.sizes.decoder,
            &pipeline.decoder_scheduler.timesteps(steps),
            pipeline.device,
        );
        drawing.phase = Phase::Decoder {
            diffusion,
            prior_latent,
        };
    }
}

fn advance_decoder(pipeline: &Pipeline, drawings: &mut [&mut Drawing]) {
    let (mut latents, mut times) = (Vec::new(), Vec::new());
    let (mut conditions, mut pooled) = (Vec::new(), Vec::new());
    for drawing in drawings.iter() {
        if let Phase::Decoder {
            diffusion,
            prior_latent,
        } = &drawing.phase
        {
            latents.push(&diffusion.latent);
            times.push(diffusion.timesteps[diffusion.step]);
            conditions.push(prior_latent);
            pooled.push(&drawing.request.text.pooled);
        }
    }
    let t = Tensor::from_slice(&times).to_device(pipeline.device);
    let latents = Tensor::cat(&latents, 0);
    let (conditions, pooled) = (Tensor::cat(&conditions, 0), Tensor::cat(&pooled, 0));
    let predicted = pipeline
        .decoder_forward(&latents, &t, &conditions, &pooled)
        .to_kind(Kind::Float);
    step_all(
        "the decoder",
        &pipeline.decoder_scheduler,
        drawings,
        &predicted,
        |phase| match phase {
            Phase::Decoder { diffusion, .. } => Some(diffusion),
            _ => None,
        },
    );
    let mut finished: Vec<(&mut Drawing, Tensor, Tensor)> = drawings
        .iter_mut()
        .filter_map(|drawing| match &drawing.phase {
            Phase::Decoder {
                diffusion,
                prior_latent,
            } if diffusion.finished() => {
                let latent = diffusion.latent.shallow_clone();
                let prior_latent = prior_latent.shallow_clone();
                Some((&mut **drawing, latent, prior_latent))
            }
            _ => None,
        })
        .collect();
    if finished.is_empty() {
        return;
    }
    let latents: Vec<&Tensor> = finished.iter().map(|(_, latent, _)| latent).collect();
    let decoded = pipeline.decoded(&Tensor::cat(&latents, 0));
    let pictures = tensor_to_pictures(&decoded);
    for (i, ((drawing, _, prior_latent), picture)) in finished.iter_mut().zip(pictures).enumerate()
    {
        if !all_finite(&decoded.narrow(0, i as i64, 1)) {
            drawing.lost.get_or_insert("Stage A");
        }
        drawing.phase = Phase::Done(Finished {
            picture,
            prior_latent: prior_latent.shallow_clone(),
        });
    }
}

/// One scheduler step of every drawing, each with noise of its own, and what the prediction
/// says about the end: x̂₀ = (x − √(1−ᾱ)·ε)/√ᾱ.
fn step_all(
    network: &'static str,
    scheduler: &DdpmWuerstchenScheduler,
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
        noises.push((drawing.noise)(&shape).to_device(predicted.device()));
    }
    let per_sample = |values: &[f32]| Tensor::from_slice(values).to_device(predicted.device());
    let (t, latents) = (per_sample(&now), Tensor::cat(&latents, 0));
    // Guidance is linear, so it has been applied to whatever the network predicts.
    let predicted = &scheduler.epsilon(predicted, &latents, &t);
    let noises = Tensor::cat(&noises, 0);
    let stepped = scheduler.step(predicted, &t, &per_sample(&next), &latents, &noises);
    let alpha = scheduler.alpha_cumprod(&t).view([-1, 1, 1, 1]);
    let noise_share: Tensor = 1.0 - &alpha;
    let expected = (latents - noise_share.sqrt() * predicted) / alpha.sqrt();
    // One look for all: of a GPU every look waits until it is done.
    let all_sound = all_finite(&stepped);
    for (i, drawing) in drawings.iter_mut().enumerate() {
        if let Some(diffusion) = diffusion_of(&mut drawing.phase) {
            if !all_sound && !all_finite(&stepped.narrow(0, i as i64, 1)) {
                drawing.lost.get_or_insert(network);
            }
            diffusion.latent = stepped.narrow(0, i as i64, 1);
            diffusion.expected = expected.narrow(0, i as i64, 1);
            diffusion.step += 1;
        }
    }
}
