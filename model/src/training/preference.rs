//! Preference attention by user-conditioned Diffusion-DPO over many people at once (PPD,
//! arXiv 2501.06655; loss after Diffusion-DPO, arXiv 2311.12908).
//!
//! The reference model is the same network with the adapter off, so there is no second
//! copy. `L = −log σ(−β/2·[(‖ε−εθ(x⁺)‖² − ‖ε−ε₀(x⁺)‖²) − (the same for x⁻)])` with mean
//! squared errors, timestep and noise shared within a pair.

use std::path::Path;
use std::rc::Rc;

use rand::RngExt;
use tch::{Kind, Tensor};

use super::pictures::write_sheet;
use super::preference_pool::PicturePool;
use super::{Metrics, Stage, StepContext, TrainError};
use crate::diffusion::Noise;
use crate::evaluation::population::Person;
use crate::pipeline::{DrawingRequest, Pipeline, TextCondition, draw};
use crate::weights::{Parameter, Params};

/// Share of samples whose user condition is dropped. In its place stand the tokens of the
/// population, which so learn what everybody's choices together ask for: Diffusion-DPO
/// without a user, to compare with.
const DROP_PREFERENCE: f64 = 0.1;

/// One embedding of one person.
pub(super) struct EmbeddedPerson {
    pub(super) person: Person,
    /// `[layers + 1, hidden]` f32 on the CPU.
    pub(super) hidden: Tensor,
}

/// The networks and data of [`Preference`].
pub(super) struct PreferenceParts {
    /// The trained pipeline with the adapter to train.
    pub(super) pipeline: Pipeline,
    /// The adapter's parameters.
    pub(super) adapter_params: Params,
    /// Pictures to compare.
    pub(super) pool: PicturePool,
    /// People to train on.
    pub(super) people: Vec<EmbeddedPerson>,
    /// Strength of the pull towards the reference; larger stays nearer.
    pub(super) beta: f64,
    /// Pairs a step.
    pub(super) batch: usize,
}

/// Trains preference attention; everything else stays as it is.
pub(super) struct Preference {
    parts: PreferenceParts,
    /// The encoded prompts of the pool, in its order.
    texts: Vec<TextCondition>,
}

impl Preference {
    pub(super) fn new(parts: PreferenceParts) -> Result<Self, TrainError> {
        let prompts = parts.pool.choices.prompts();
        let encode = |prompt: &String| parts.pipeline.encode_texts(&[prompt]);
        let texts = prompts.iter().map(encode).collect::<Result<_, _>>()?;
        Ok(Self { parts, texts })
    }

    /// Mean squared error of each sample's prediction, `[B]` f32.
    fn errors(
        &self,
        noised: &Tensor,
        t: &Tensor,
        text: &TextCondition,
        preference: Option<&Tensor>,
        wanted: &Tensor,
    ) -> Tensor {
        let predicted = self
            .parts
            .pipeline
            .prior_forward(noised, t, text, preference);
        (predicted.to_kind(Kind::Float) - wanted).square().mean_dim(
            [1i64, 2, 3].as_slice(),
            false,
            Kind::Float,
        )
    }
}

impl Stage for Preference {
    fn name(&self) -> &'static str {
        "preference"
    }

    fn parameters(&self) -> Vec<Parameter> {
        self.parts.adapter_params.taken()
    }

    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
        let parts = &self.parts;
        let device = parts.pipeline.device;
        let rng = context.noise.rng();
        // 1. People, their choices, and how they are told to the network.
        let (mut preferred, mut rejected, mut texts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut hidden, mut kept) = (Vec::new(), Vec::new());
        for _ in 0..parts.batch {
            let who = &parts.people[rng.random_range(0..parts.people.len())];
            let pair = parts.pool.choices.choose(&who.person, rng);
            preferred.push(pair.preferred);
            rejected.push(pair.rejected);
            texts.push(&self.texts[pair.prompt]);
            hidden.push(who.hidden.shallow_clone());
            kept.push(f32::from(u8::from(!rng.random_bool(DROP_PREFERENCE))));
        }
        let hidden = Tensor::stack(&hidden, 0).to_device(device);
        let kept = Tensor::from_slice(&kept).to_device(device).view([-1, 1, 1]);
        let adapter = parts
            .pipeline
            .adapter
            .as_ref()
            .expect("the stage is made with an adapter");
        let tokens = adapter.tokens(&hidden);
        let kept = kept.to_kind(tokens.kind());
        let tokens = &tokens * &kept + adapter.population() * (1.0 - &kept);
        // 2. Both pictures of a pair under one timestep and one noise.
        let t: Vec<f32> = (0..parts.batch).map(|_| context.noise.unit()).collect();
        let t = Tensor::from_slice(&t).to_device(device);
        let winners = parts.pool.latents(&preferred);
        let losers = parts.pool.latents(&rejected);
        let epsilon = winners.randn_like();
        let twice = |x: &Tensor| Tensor::cat(&[x, x], 0);
        let (t, epsilon) = (twice(&t), twice(&epsilon));
        let latents = Tensor::cat(&[winners, losers], 0);
        let noised = parts.pipeline.scheduler.add_noise(&latents, &epsilon, &t);
        let wanted = parts.pipeline.scheduler.target(&latents, &epsilon, &t);
        let of_texts = |part: fn(&TextCondition) -> &Tensor| {
            let all: Vec<&Tensor> = texts.iter().map(|text| part(text)).collect();
            twice(&Tensor::cat(&all, 0))
        };
        let text = TextCondition {
            tokens: of_texts(|text| &text.tokens),
            pooled: of_texts(|text| &text.pooled),
        };
        // 3. The loss.
        let policy = self.errors(&noised, &t, &text, Some(&twice(&tokens)), &wanted);
        let reference = tch::no_grad(|| self.errors(&noised, &t, &text, None, &wanted));
        let halves = (policy - reference).chunk(2, 0);
        let margin = (&halves[1] - &halves[0]) * (0.5 * parts.beta);
        let loss = -margin.log_sigmoid().mean(Kind::Float);
        let accuracy = margin.gt(0.0).to_kind(Kind::Float).mean(Kind::Float);
        (
            loss,
            vec![("accuracy", accuracy), ("margin", margin.mean(Kind::Float))],
        )
    }

    /// A sheet with a row a person: the same prompts and seeds without and with preference.
    fn evaluate(&mut self, dir: &Path, step: u64) -> Result<Metrics, TrainError> {
        const COLUMNS: usize = 8;
        let parts = &self.parts;
        let no_text = Rc::new(parts.pipeline.encode_texts(&[""])?);
        let adapter = parts
            .pipeline
            .adapter
            .as_ref()
            .expect("the stage is made with an adapter");
        let mut noise = Noise::new(11);
        let prompts: Vec<Rc<TextCondition>> = (0..COLUMNS)
            .map(|_| {
                let prompt =
                    &parts.pool.choices.prompts()[noise.below(parts.pool.choices.prompts().len())];
                Ok(Rc::new(parts.pipeline.encode_texts(&[prompt])?))
            })
            .collect::<Result<_, TrainError>>()?;
        let row = |person: Option<&EmbeddedPerson>| {
            let tokens = person.map(|p| {
                let hidden = p.hidden.to_device(parts.pipeline.device);
                adapter.tokens(&hidden.unsqueeze(0))
            });
            let request = |(seed, text): (usize, &Rc<TextCondition>)| DrawingRequest {
                text: text.clone(),
                no_text: no_text.clone(),
                preference: tokens.as_ref().map(Tensor::shallow_clone),
                strength: 1.0,
                guidance: 4.0,
                steps: 20,
                decoder_steps: 10,
                seed: seed as u64,
            };
            draw(
                &parts.pipeline,
                prompts.iter().enumerate().map(request).collect(),
            )
        };
        let mut pictures: Vec<_> = row(None).into_iter().map(|f| f.picture).collect();
        let mut gains = Vec::new();
        for who in parts.people.iter().take(7) {
            for (i, finished) in row(Some(who)).into_iter().enumerate() {
                let gain = who.person.utility(&finished.picture) - who.person.utility(&pictures[i]);
                gains.push(f64::from(u8::from(gain > 0.0)));
                pictures.push(finished.picture);
            }
        }
        write_sheet(
            &dir.join(format!("sheet-{step:06}.png")),
            &pictures,
            COLUMNS as u32,
        )?;
        let wins = gains.iter().sum::<f64>() / gains.len().max(1) as f64;
        Ok(vec![("wins_over_base", wins)])
    }
}
