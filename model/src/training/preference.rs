//! Preference attention by user-conditioned Diffusion-DPO over many people at once (PPD,
//! arXiv 2501.06655; loss after Diffusion-DPO, arXiv 2311.12908).
//!
//! The reference model is the same network with the adapter off, so there is no second
//! copy. `L = −log σ(−β/2·[(‖ε−εθ(x⁺)‖² − ‖ε−ε₀(x⁺)‖²) − (the same for x⁻)])` with mean
//! squared errors, timestep and noise shared within a pair. x⁺ is what the person likes best
//! among all pictures of a prompt, x⁻ what they like least.

use std::path::Path;
use std::rc::Rc;

use image::RgbImage;
use rand::RngExt;
use tch::{Kind, Tensor};

use super::pictures::write_sheet;
use super::preference_people::EmbeddedPerson;
use super::preference_pool::PicturePool;
use super::timesteps::timesteps;
use super::whitening::{share_filter, whitening};
use super::{Metrics, Stage, StepContext, TrainError};
use crate::diffusion::Noise;
use crate::evaluation::choice_pool::Chosen;
use crate::networks::preference_attention::PreferenceAttention;
use crate::pipeline::{DrawingRequest, Pipeline, TextCondition, draw};
use crate::weights::{Parameter, Params};

/// Share of samples whose user condition is dropped. In its place stand the tokens of the
/// population, which so learn what everybody's choices together ask for: Diffusion-DPO
/// without a user, to compare with.
const DROP_PREFERENCE: f64 = 0.1;

/// Half of the timesteps are above 0.75, where a picture's style is decided, as in Stage C.
const LEAN: f32 = 2.0;

/// What preference attention is trained to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Rather the favourite than the other picture (Diffusion-DPO).
    Dpo,
    /// The favourite (supervised fine-tuning).
    Sft,
    /// Both: DPO keeps its margin by making the other picture unlikely, and the favourite's own
    /// error keeps it from paying for that with both.
    DpoSft,
}

/// Whether a parameter of the adapter belongs to what makes tokens of hidden states.
fn makes_tokens(name: &str) -> bool {
    name.starts_with("projection.") || name == "layer_embedding"
}

impl Objective {
    /// As it is written on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dpo => "dpo",
            Self::Sft => "sft",
            Self::DpoSft => "dpo-sft",
        }
    }
}

/// The networks and data of [`Preference`].
pub(super) struct PreferenceParts {
    /// The trained pipeline with the adapter to train.
    pub(super) pipeline: Pipeline,
    /// The adapter's parameters.
    pub(super) adapter_params: Params,
    /// Pictures to compare.
    pub(super) pool: PicturePool,
    /// People to train on, everyone followed by their opposite.
    pub(super) people: Vec<EmbeddedPerson>,
    /// People to measure on, everyone followed by their opposite.
    pub(super) held_out: Vec<EmbeddedPerson>,
    pub(super) objective: Objective,
    /// Strength of the pull towards the reference; larger stays nearer.
    pub(super) beta: f64,
    /// Pairs a step.
    pub(super) batch: usize,
    /// Prompts that everybody's pictures are drawn of when it is measured.
    pub(super) measured_prompts: usize,
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

    /// Sets the projection so that the tokens of these people's states lie around zero, and each
    /// direction counts by how much of it is taste; it is not trained after that.
    ///
    /// A hidden state is mostly the same whatever the choices were, and the keys and values of an
    /// adapter that starts from such states learn what suits everybody before what suits anyone:
    /// as with texts, see [`super::stage_c::StageC::whiten_text`]. What is left tells mostly which
    /// pictures were seen. Half of what lies between a person and their opposite, who saw the same,
    /// is what the answers said.
    pub(super) fn whiten_tokens(&self) {
        let device = self.parts.pipeline.device;
        let states: Vec<&Tensor> = self.parts.people.iter().map(|who| &who.hidden).collect();
        let states = PreferenceAttention::normalised(&Tensor::stack(&states, 0).to_device(device));
        let means = states.mean_dim([0i64].as_slice(), false, Kind::Float);
        let centred = &states - &means;
        let (whitening, _) = whitening(&centred.flatten(0, 1));
        let couples = centred.view([-1, 2, means.size()[0], means.size()[1]]);
        let tastes = (couples.select(1, 0) - couples.select(1, 1)).flatten(0, 1) / 2.0;
        let matrix = share_filter(&tastes.matmul(&whitening)).matmul(&whitening);
        for mut parameter in self.parts.adapter_params.taken() {
            let start = match parameter.name.as_str() {
                "projection.weight" => {
                    let shape = parameter.tensor.size();
                    let random = Noise::new(0).gaussian(&shape).to_device(device);
                    (random / (shape[1] as f64).sqrt()).matmul(&matrix)
                }
                "projection.bias" => parameter.tensor.zeros_like(),
                _ => continue,
            };
            tch::no_grad(|| parameter.tensor.copy_(&start));
        }
        let adapter = self.adapter();
        tch::no_grad(|| {
            let mut off_mean = adapter.layer_embedding().shallow_clone();
            off_mean.copy_(&-adapter.project(&means));
        });
    }

    fn adapter(&self) -> &PreferenceAttention {
        let adapter = self.parts.pipeline.adapter.as_ref();
        adapter.expect("the stage is made with an adapter")
    }

    /// Preference tokens of these hidden states `[layers + 1, hidden]`, `[B, n, d]`; those that
    /// are not kept (0 instead of 1) are the population's.
    fn tokens(&self, hidden: &[Tensor], kept: &[f32]) -> Tensor {
        let device = self.parts.pipeline.device;
        let own = self
            .adapter()
            .tokens(&Tensor::stack(hidden, 0).to_device(device));
        let kept = Tensor::from_slice(kept).to_device(device).view([-1, 1, 1]);
        let kept = kept.to_kind(own.kind());
        own * &kept + self.adapter().population() * (1.0 - &kept)
    }

    /// By how much the error under preference tokens `[B, n, d]` is above that of the reference,
    /// for these sides of the choices one after the other, `[sides · B]` f32. All sides of a
    /// choice have one timestep and one noise.
    fn errors_over_reference(
        &self,
        chosen: &[Chosen],
        sides: &[fn(&Chosen) -> usize],
        t: &[f32],
        tokens: &Tensor,
    ) -> Tensor {
        let parts = &self.parts;
        let repeated = |x: &Tensor| Tensor::cat(&vec![x; sides.len()], 0);
        let pictures: Vec<usize> = sides
            .iter()
            .flat_map(|side| chosen.iter().map(side))
            .collect();
        let latents = parts.pool.latents(&pictures);
        let t = repeated(&Tensor::from_slice(t).to_device(parts.pipeline.device));
        let epsilon = repeated(&latents.narrow(0, 0, chosen.len() as i64).randn_like());
        let noised = parts
            .pipeline
            .prior_scheduler
            .add_noise(&latents, &epsilon, &t);
        let wanted = parts
            .pipeline
            .prior_scheduler
            .target(&latents, &epsilon, &t);
        let of_texts = |part: fn(&TextCondition) -> &Tensor| {
            let all: Vec<&Tensor> = chosen
                .iter()
                .map(|chosen| part(&self.texts[chosen.prompt]))
                .collect();
            repeated(&Tensor::cat(&all, 0))
        };
        let text = TextCondition {
            tokens: of_texts(|text| &text.tokens),
            pooled: of_texts(|text| &text.pooled),
        };
        let policy = self.errors(&noised, &t, &text, Some(&repeated(tokens)), &wanted);
        let reference = tch::no_grad(|| self.errors(&noised, &t, &text, None, &wanted));
        policy - reference
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
        let mut trained = self.parts.adapter_params.taken();
        trained.retain(|parameter| !makes_tokens(&parameter.name));
        trained
    }

    fn fixed(&self) -> Vec<Parameter> {
        let mut fixed = self.parts.adapter_params.taken();
        fixed.retain(|parameter| makes_tokens(&parameter.name));
        fixed
    }

    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
        let parts = &self.parts;
        let rng = context.noise.rng();
        // 1. People, what they prefer, and how they are told to the network.
        let (mut chosen, mut hidden) = (Vec::new(), Vec::new());
        let mut kept = Vec::new();
        for _ in 0..parts.batch {
            let who = &parts.people[rng.random_range(0..parts.people.len())];
            chosen.push(parts.pool.choices.extremes(&who.person, rng));
            hidden.push(who.hidden.shallow_clone());
            kept.push(f32::from(u8::from(!rng.random_bool(DROP_PREFERENCE))));
        }
        let tokens = self.tokens(&hidden, &kept);
        // 2. Their errors, and those of the reference.
        let t = timesteps(parts.batch, LEAN, &mut context.noise);
        let sides: &[fn(&Chosen) -> usize] = match parts.objective {
            Objective::Sft => &[|c| c.preferred],
            Objective::Dpo | Objective::DpoSft => &[|c| c.preferred, |c| c.rejected],
        };
        let excess = self.errors_over_reference(&chosen, sides, &t, &tokens);
        // 3. The loss.
        let excess = excess.chunk(sides.len() as i64, 0);
        let favourite = excess[0].mean(Kind::Float);
        let mut metrics = vec![("favourite", favourite.shallow_clone())];
        // As much as DPO weighs it while it tells nothing yet: β/2 · σ(0).
        let sft = &favourite * (0.25 * parts.beta);
        let loss = match excess.get(1) {
            None => sft,
            Some(other) => {
                let margin = (other - &excess[0]) * (0.5 * parts.beta);
                let accuracy = margin.gt(0.0).to_kind(Kind::Float).mean(Kind::Float);
                metrics.push(("accuracy", accuracy));
                metrics.push(("margin", margin.mean(Kind::Float)));
                let dpo = -margin.log_sigmoid().mean(Kind::Float);
                match parts.objective {
                    Objective::DpoSft => dpo + sft,
                    Objective::Dpo | Objective::Sft => dpo,
                }
            }
        };
        (loss, metrics)
    }

    /// A sheet with a row a person: the same prompts and seeds without and with preference. All
    /// people are held out, and each is followed by the opposite.
    fn evaluate(&mut self, dir: &Path, step: u64) -> Result<Metrics, TrainError> {
        let parts = &self.parts;
        let columns = parts.measured_prompts;
        let pipeline = &parts.pipeline;
        let no_text = Rc::new(pipeline.encode_texts(&[""])?);
        let mut noise = Noise::new(11);
        let all = parts.pool.choices.prompts();
        let prompts: Vec<Rc<TextCondition>> = (0..columns)
            .map(|_| {
                Ok(Rc::new(
                    pipeline.encode_texts(&[&all[noise.below(all.len())]])?,
                ))
            })
            .collect::<Result<_, TrainError>>()?;
        let row = |person: Option<&EmbeddedPerson>| {
            let tokens = person.map(|p| {
                let hidden = p.hidden.to_device(pipeline.device);
                self.adapter().tokens(&hidden.unsqueeze(0))
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
            let finished = draw(pipeline, prompts.iter().enumerate().map(request).collect());
            finished.into_iter().map(|f| f.picture).collect::<Vec<_>>()
        };
        let base = row(None);
        let rows: Vec<Vec<RgbImage>> = parts.held_out.iter().map(|who| row(Some(who))).collect();
        let likes_better = |who: &EmbeddedPerson, own: &[RgbImage], other: &[RgbImage]| {
            let better = |(own, other)| who.person.utility(own) > who.person.utility(other);
            own.iter().zip(other).filter(|&pair| better(pair)).count()
        };
        let (mut over_base, mut over_opposite) = (0, 0);
        for (i, (who, own)) in parts.held_out.iter().zip(&rows).enumerate() {
            over_base += likes_better(who, own, &base);
            // Who stands at an even place has the opposite next, and the other way round.
            over_opposite += likes_better(who, own, &rows[i ^ 1]);
        }
        let sheet: Vec<RgbImage> = base.into_iter().chain(rows.into_iter().flatten()).collect();
        let drawn = (sheet.len() - columns).max(1) as f64;
        let path = dir.join(format!("sheet-{step:06}.png"));
        write_sheet(&path, &sheet, columns as u32)?;
        Ok(vec![
            ("wins_over_base", over_base as f64 / drawn),
            ("wins_over_opposite", over_opposite as f64 / drawn),
        ])
    }
}
