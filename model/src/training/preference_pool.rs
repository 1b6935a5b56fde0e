//! The pictures that tastes are trained on: drawn by the base model, and artwork.
//!
//! What the model draws itself is what people will choose from. Artwork of one subject differs in
//! more ways than the model's pictures of one prompt, and is what good pictures look like.

use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use image::RgbImage;
use rand::seq::SliceRandom;
use sha2::{Digest, Sha256};
use tch::{Device, Kind, Tensor};

use super::TrainError;
use super::pictures::{bytes_to_tensor, pictures_to_tensor, tensor_to_pictures};
use crate::data::artwork::Artwork;
use crate::data::split::Split;
use crate::diffusion::Noise;
use crate::evaluation::choice_pool::ChoicePool;
use crate::networks::latent_encoder::LatentEncoder;
use crate::pipeline::{DrawingRequest, Pipeline, draw};
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

/// Pictures of many prompts, equally many of each, with their latents.
pub(super) struct PicturePool {
    /// What people choose between.
    pub(super) choices: ChoicePool,
    /// `[pictures, c, h, w]` f32.
    latents: Tensor,
}

/// The tensor of a pool's file that says what drew it.
const ORIGIN: &str = "origin";

/// What a pool's pictures follow from, as a SHA-256 `[32]` u8.
fn origin(weights: &str, prompts: &[String], size: PoolSize) -> Tensor {
    let mut hasher = Sha256::new();
    hasher.update(format!("{weights}\n{size:?}\n{}", prompts.join("\n")));
    Tensor::from_slice(&hasher.finalize()[..])
}

/// Variants of a picture of the artwork: other backgrounds, places and sizes.
const VARIANTS: usize = 3;

impl PicturePool {
    /// Draws the pool by a pipeline whose weights have this hash, or takes it from `file` where
    /// the same weights drew it before from the same prompts; progress goes to standard error.
    /// `None` when `stop` was set meanwhile.
    pub(super) fn draw(
        (pipeline, weights): (&Pipeline, &str),
        prompts: Vec<String>,
        size: PoolSize,
        file: &Path,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, TrainError> {
        let origin = origin(weights, &prompts, size);
        if file.exists() {
            let checkpoint = Checkpoint::open(&[file.to_owned()])?;
            if checkpoint.names().any(|name| name == ORIGIN)
                && checkpoint.tensor(ORIGIN, Device::Cpu)? == origin
            {
                return Self::read(&checkpoint, prompts, pipeline.device).map(Some);
            }
            eprintln!("other weights or prompts than before, pictures are drawn anew");
        }
        let no_text = Rc::new(pipeline.encode_texts(&[""])?);
        let (mut latents, mut pictures) = (Vec::new(), Vec::new());
        for (done, block) in prompts.chunks(8).enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
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
                "\rdrew {} of {} pictures to choose between",
                pictures.len(),
                prompts.len() * size.seeds
            );
        }
        eprintln!();
        let references: Vec<&RgbImage> = pictures.iter().collect();
        let pixels = bytes_to_tensor(&references);
        let latents = Tensor::cat(&latents, 0);
        let tensors = [
            ("latents", &latents),
            ("pixels", &pixels),
            (ORIGIN, &origin),
        ];
        save(file, tensors)?;
        Ok(Some(Self {
            choices: ChoicePool::new(prompts, pictures),
            latents: latents.to_device(pipeline.device),
        }))
    }

    fn read(
        checkpoint: &Checkpoint,
        prompts: Vec<String>,
        device: Device,
    ) -> Result<Self, TrainError> {
        let latents = checkpoint.tensor("latents", device)?;
        let pixels = checkpoint.tensor("pixels", Device::Cpu)?;
        // Not all at once: as floats they are four times as large.
        let pictures = pixels.split(64, 0).into_iter();
        let pictures = pictures
            .flat_map(|block| tensor_to_pictures(&(block.to_kind(Kind::Float) / 255.0)))
            .collect();
        Ok(Self {
            choices: ChoicePool::new(prompts, pictures),
            latents,
        })
    }

    /// Artwork of at most `size.prompts` training subjects under their labels, `size.seeds`
    /// pictures of each: different styles first, then other variants of them.
    ///
    /// # Errors
    /// When no subject has as many.
    pub(super) fn of_artwork(
        artwork: &Artwork,
        encoder: &LatentEncoder,
        size: PoolSize,
        noise: &mut Noise,
        (kind, device): (Kind, Device),
    ) -> Result<Self, TrainError> {
        let mut by_subject = vec![Vec::new(); artwork.subjects().len()];
        for picture in artwork.pictures_of(Split::Train) {
            by_subject[artwork.picture(picture).subject].push(picture);
        }
        by_subject.retain(|pictures| pictures.len() * VARIANTS >= size.seeds);
        if by_subject.is_empty() {
            let least = size.seeds.div_ceil(VARIANTS);
            return Err(TrainError::Missing(format!(
                "no training subject has {least} pictures to choose between"
            )));
        }
        by_subject.shuffle(noise.rng());
        by_subject.truncate(size.prompts);
        let (mut prompts, mut pictures) = (Vec::new(), Vec::new());
        for mut of_subject in by_subject {
            of_subject.shuffle(noise.rng());
            prompts.push(artwork.subject_of(of_subject[0]).label.clone());
            let first = noise.below(VARIANTS);
            for i in 0..size.seeds {
                let picture = of_subject[i % of_subject.len()];
                // One further in each round, so that no picture comes twice alike.
                let variant = (first + i + i / of_subject.len()) % VARIANTS;
                pictures.push(artwork.variant(picture, variant as u64).0);
            }
        }
        let encode = |block: &[RgbImage]| {
            let block: Vec<&RgbImage> = block.iter().collect();
            let block = pictures_to_tensor(&block).to_device(device).to_kind(kind);
            encoder.encode(&block, false).to_kind(Kind::Float)
        };
        let latents: Vec<Tensor> = tch::no_grad(|| pictures.chunks(64).map(encode).collect());
        Ok(Self {
            latents: Tensor::cat(&latents, 0),
            choices: ChoicePool::new(prompts, pictures),
        })
    }

    /// The prompts of both, each with its own pictures; both have as many of each prompt.
    pub(super) fn join(self, other: Self) -> Self {
        Self {
            latents: Tensor::cat(&[self.latents, other.latents], 0),
            choices: self.choices.join(other.choices),
        }
    }

    /// Latents of these pictures, `[n, c, h, w]` f32.
    pub(super) fn latents(&self, pictures: &[usize]) -> Tensor {
        let index: Vec<i64> = pictures.iter().map(|&i| i as i64).collect();
        let index = Tensor::from_slice(&index).to_device(self.latents.device());
        self.latents.index_select(0, &index)
    }
}
