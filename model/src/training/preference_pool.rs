//! The pictures that tastes are trained on: drawn by the base model, and artwork.
//!
//! What the model draws itself is what people will choose from. Artwork of one subject differs in
//! more ways than the model's pictures of one prompt, and is what good pictures look like.

use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use image::RgbImage;
use rand::seq::SliceRandom;
use tch::{Device, Kind, Tensor};

use super::TrainError;
use super::blocks::Blocks;
use super::identity::digest;
use super::pictures::{bytes_to_tensor, pictures_to_tensor, tensor_to_pictures};
use crate::data::artwork::Artwork;
use crate::data::captions::with_article;
use crate::data::split::Split;
use crate::diffusion::Noise;
use crate::evaluation::choice_pool::ChoicePool;
use crate::networks::latent_encoder::LatentEncoder;
use crate::pipeline::{DrawingRequest, Pipeline, draw_sound};

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

/// Prompts that are drawn together and kept in one file.
const BLOCK: usize = 8;

/// What a pool's pictures follow from.
fn origin(weights: &str, prompts: &[String], size: PoolSize) -> String {
    digest(format!("{weights}\n{size:?}\n{}", prompts.join("\n")))
}

/// Variants of a picture of the artwork: other backgrounds, places and sizes.
const VARIANTS: usize = 3;

impl PicturePool {
    /// Draws the pool by a pipeline whose weights have this hash. What the same weights drew
    /// before from the same prompts is taken from `dir`, where all that is drawn is kept; progress
    /// goes to standard error. `None` when `stop` was set meanwhile.
    pub(super) fn draw(
        (pipeline, weights): (&Pipeline, &str),
        prompts: Vec<String>,
        size: PoolSize,
        dir: &Path,
        stop: &AtomicBool,
    ) -> Result<Option<Self>, TrainError> {
        let blocks = Blocks::open(dir, &origin(weights, &prompts, size))?;
        if blocks.replaced {
            eprintln!("other weights or prompts than before, pictures are drawn anew");
        }
        let (mut latents, mut pictures) = (Vec::new(), Vec::new());
        for (number, block) in prompts.chunks(BLOCK).enumerate() {
            if let Some(kept) = blocks.read(number)? {
                latents.push(kept.tensor("latents", Device::Cpu)?);
                let pixels = kept.tensor("pixels", Device::Cpu)?;
                pictures.extend(tensor_to_pictures(&(pixels.to_kind(Kind::Float) / 255.0)));
                continue;
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let (of_block, drawn) = draw_block(pipeline, number, block, size)?;
            let pixels = bytes_to_tensor(&drawn.iter().collect::<Vec<_>>());
            blocks.write(number, &[("latents", &of_block), ("pixels", &pixels)])?;
            latents.push(of_block);
            pictures.extend(drawn);
            eprint!(
                "\rdrew {} of {} pictures to choose between",
                pictures.len(),
                prompts.len() * size.seeds
            );
        }
        eprintln!();
        Ok(Some(Self {
            choices: ChoicePool::new(prompts, pictures),
            latents: Tensor::cat(&latents, 0).to_device(pipeline.device),
        }))
    }

    /// Artwork of at most `size.prompts` training subjects under their names, `size.seeds`
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
            prompts.push(with_article(&artwork.subject_of(of_subject[0]).label));
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

/// Draws the pictures of one block of prompts: their latents on the CPU, and the pictures.
fn draw_block(
    pipeline: &Pipeline,
    number: usize,
    prompts: &[String],
    size: PoolSize,
) -> Result<(Tensor, Vec<RgbImage>), TrainError> {
    let no_text = Rc::new(pipeline.encode_texts(&[""])?);
    let mut requests = Vec::with_capacity(prompts.len() * size.seeds);
    for (i, prompt) in prompts.iter().enumerate() {
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
                seed: ((number * BLOCK + i) * size.seeds + seed) as u64,
            });
        }
    }
    let (mut latents, mut pictures) = (Vec::new(), Vec::new());
    for finished in draw_sound(pipeline, requests)? {
        latents.push(finished.prior_latent.to_device(Device::Cpu));
        pictures.push(finished.picture);
    }
    Ok((Tensor::cat(&latents, 0), pictures))
}
