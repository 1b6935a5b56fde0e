//! What preference attention is trained on: pictures that the base model drew, and the
//! embeddings of simulated people who chose among them.

use std::path::Path;
use std::rc::Rc;

use image::RgbImage;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::TrainError;
use super::pictures::{pictures_to_tensor, tensor_to_pictures};
use crate::evaluation::axes::{AxisValues, measure};
use crate::evaluation::population::{Choice, Person};
use crate::pipeline::{DrawingRequest, Pipeline, draw};
use crate::preference::conversation::{PAIRS, PreferencePair};
use crate::weights::{Checkpoint, save};

/// How many pictures are drawn, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct PoolSize {
    pub(super) prompts: usize,
    /// Seeds of each prompt.
    pub(super) seeds: usize,
    pub(super) steps: i64,
    pub(super) decoder_steps: i64,
    pub(super) guidance: f64,
}

/// Pictures of many prompts, several seeds each, with the latents they were decoded from.
pub(super) struct PicturePool {
    prompts: Vec<String>,
    seeds: usize,
    /// `[prompts · seeds, c, h, w]` f32.
    latents: Tensor,
    pictures: Vec<RgbImage>,
    axes: Vec<AxisValues>,
}

impl PicturePool {
    /// Draws the pool, or takes it from `file` where it was drawn before from the same
    /// prompts; progress goes to standard error.
    pub(super) fn draw(
        pipeline: &Pipeline,
        prompts: Vec<String>,
        size: PoolSize,
        file: &Path,
    ) -> Result<Self, TrainError> {
        if file.exists() {
            return Self::open(prompts, size.seeds, file, pipeline.device);
        }
        let no_text = Rc::new(pipeline.encode_texts(&[""])?);
        let (mut latents, mut pictures) = (Vec::new(), Vec::new());
        for (done, block) in prompts.chunks(8).enumerate() {
            let mut requests = Vec::with_capacity(block.len() * size.seeds);
            for (i, prompt) in block.iter().enumerate() {
                let text = Rc::new(pipeline.encode_texts(&[prompt])?);
                for seed in 0..size.seeds {
                    requests.push(DrawingRequest {
                        text: text.clone(),
                        no_text: no_text.clone(),
                        preference: None,
                        strength: 0.0,
                        guidance: size.guidance,
                        steps: size.steps,
                        decoder_steps: size.decoder_steps,
                        seed: ((done * 8 + i) * size.seeds + seed) as u64,
                    });
                }
            }
            for finished in draw(pipeline, requests) {
                latents.push(finished.prior_latent.to_device(Device::Cpu));
                pictures.push(finished.picture);
            }
            eprint!(
                "\rpreference: drew {} of {} pictures",
                pictures.len(),
                prompts.len() * size.seeds
            );
        }
        eprintln!();
        let references: Vec<&RgbImage> = pictures.iter().collect();
        let pixels = (pictures_to_tensor(&references) * 255.0)
            .round()
            .to_kind(Kind::Uint8);
        let latents = Tensor::cat(&latents, 0);
        save(file, [("latents", &latents), ("pixels", &pixels)])?;
        Ok(Self::new(
            prompts,
            size.seeds,
            latents.to_device(pipeline.device),
            pictures,
        ))
    }

    fn open(
        prompts: Vec<String>,
        seeds: usize,
        file: &Path,
        device: Device,
    ) -> Result<Self, TrainError> {
        let checkpoint = Checkpoint::open(&[file.to_owned()])?;
        let latents = checkpoint.tensor("latents", device)?;
        let pixels = checkpoint.tensor("pixels", Device::Cpu)?;
        let pictures = tensor_to_pictures(&(pixels.to_kind(Kind::Float) / 255.0));
        if pictures.len() != prompts.len() * seeds {
            let file = file.display();
            return Err(TrainError::Missing(format!(
                "{file} holds {} pictures for {} prompts: remove it to draw them anew",
                pictures.len(),
                prompts.len()
            )));
        }
        Ok(Self::new(prompts, seeds, latents, pictures))
    }

    fn new(prompts: Vec<String>, seeds: usize, latents: Tensor, pictures: Vec<RgbImage>) -> Self {
        let axes = pictures.iter().map(|p| measure(p).normalised()).collect();
        Self {
            prompts,
            seeds,
            latents,
            pictures,
            axes,
        }
    }

    pub(super) fn prompts(&self) -> &[String] {
        &self.prompts
    }

    /// Latents of these pictures, `[n, c, h, w]` f32.
    pub(super) fn latents(&self, pictures: &[usize]) -> Tensor {
        let index: Vec<i64> = pictures.iter().map(|&i| i as i64).collect();
        let index = Tensor::from_slice(&index).to_device(self.latents.device());
        self.latents.index_select(0, &index)
    }

    /// A pair of pictures of one prompt that `person` does not find equal: the prompt and
    /// the pictures, the chosen one first. The label is the choice, never the taste.
    pub(super) fn choose(&self, person: &Person, rng: &mut ChaCha8Rng) -> ChosenPair {
        loop {
            let prompt = rng.random_range(0..self.prompts.len());
            let left = prompt * self.seeds + rng.random_range(0..self.seeds);
            let right = prompt * self.seeds + rng.random_range(0..self.seeds);
            if left == right {
                continue;
            }
            let choice = person.choose_measured(&self.axes[left], &self.axes[right], rng);
            let (preferred, rejected) = match choice {
                Choice::Left => (left, right),
                Choice::Right => (right, left),
                Choice::Tie => continue,
            };
            return ChosenPair {
                prompt,
                preferred,
                rejected,
            };
        }
    }

    /// Four choices of a person.
    pub(super) fn choices(&self, person: &Person, rng: &mut ChaCha8Rng) -> Vec<PreferencePair> {
        (0..PAIRS)
            .map(|_| {
                let pair = self.choose(person, rng);
                PreferencePair {
                    caption: self.prompts[pair.prompt].clone(),
                    preferred: self.pictures[pair.preferred].clone(),
                    rejected: self.pictures[pair.rejected].clone(),
                }
            })
            .collect()
    }
}

/// A choice between two pictures of the pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChosenPair {
    pub(super) prompt: usize,
    pub(super) preferred: usize,
    pub(super) rejected: usize,
}
