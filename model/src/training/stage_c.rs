//! Stage C: the prior, a diffusion model of latents under text.

use std::path::Path;
use std::rc::Rc;

use tch::{Kind, Tensor};

use super::pictures::{PictureBank, Row, write_sheet};
use super::{Metrics, Stage, StepContext, TrainError};
use crate::data::artwork::Artwork;
use crate::data::captions::caption;
use crate::diffusion::Noise;
use crate::networks::latent_encoder::LatentEncoder;
use crate::pipeline::{DrawingRequest, Pipeline, TextCondition, draw};
use crate::weights::{Parameter, Params};

/// Share of captions replaced by the empty one, which makes guidance possible.
const DROP_TEXT: f32 = 0.1;
/// Pictures on a sample sheet.
const SAMPLES: usize = 32;

/// The latents of every row of a picture bank.
pub(super) struct LatentBank {
    rows: Vec<Row>,
    /// `[rows, c, h, w]` f32.
    latents: Tensor,
}

impl LatentBank {
    /// Encodes a bank of pictures.
    pub(super) fn encode(encoder: &LatentEncoder, pictures: &PictureBank, kind: Kind) -> Self {
        let all: Vec<usize> = (0..pictures.len()).collect();
        let encode = |rows: &[usize]| {
            let latents = encoder.encode(&pictures.batch(rows, kind), false);
            latents.to_kind(Kind::Float)
        };
        let blocks: Vec<Tensor> = tch::no_grad(|| all.chunks(128).map(encode).collect());
        Self {
            rows: all.iter().map(|&i| pictures.row(i)).collect(),
            latents: Tensor::cat(&blocks, 0),
        }
    }
}

/// Trains the prior of a pipeline whose other networks are trained already.
pub(super) struct StageC {
    pipeline: Pipeline,
    prior_params: Params,
    artwork: Artwork,
    train: LatentBank,
    batch: usize,
}

impl StageC {
    /// A stage over these latents; `prior_params` are those of `pipeline.prior`.
    pub(super) fn new(
        pipeline: Pipeline,
        prior_params: Params,
        artwork: Artwork,
        train: LatentBank,
        batch: usize,
    ) -> Self {
        Self {
            pipeline,
            prior_params,
            artwork,
            train,
            batch,
        }
    }

    fn caption(&self, row: Row, noise: &mut Noise) -> String {
        if noise.unit() < DROP_TEXT {
            return String::new();
        }
        let subject = self.artwork.subject_of(row.picture);
        let style = self.artwork.style_of(row.picture);
        caption(subject, style, &row.variant, noise.rng())
    }

    fn encode(&self, texts: &[String]) -> TextCondition {
        let encoded = self.pipeline.encode_texts(texts);
        encoded.expect("byte-level tokens exist for every text, packed to fit")
    }
}

impl Stage for StageC {
    fn name(&self) -> &'static str {
        "stage-c"
    }

    fn parameters(&self) -> Vec<Parameter> {
        self.prior_params.taken()
    }

    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
        let noise = &mut context.noise;
        let rows = noise.indices(self.batch, self.train.rows.len());
        let captions: Vec<String> = rows
            .iter()
            .map(|&r| self.caption(self.train.rows[r], noise))
            .collect();
        let text = self.encode(&captions);
        let device = self.pipeline.device;
        let index: Vec<i64> = rows.iter().map(|&r| r as i64).collect();
        let latents = self
            .train
            .latents
            .index_select(0, &Tensor::from_slice(&index).to_device(device));
        // Timesteps spread evenly over the batch: less variance than independent draws.
        let offset = noise.unit();
        let t: Vec<f32> = (0..self.batch)
            .map(|i| ((i as f32 + offset) / self.batch as f32).min(1.0))
            .collect();
        let t = Tensor::from_slice(&t).to_device(device);
        let epsilon = latents.randn_like();
        let noised = self.pipeline.scheduler.add_noise(&latents, &epsilon, &t);
        let wanted = self.pipeline.scheduler.target(&latents, &epsilon, &t);
        let predicted = self.pipeline.prior_forward(&noised, &t, &text, None);
        let predicted = predicted.to_kind(Kind::Float);
        (
            predicted.mse_loss(&wanted, tch::Reduction::Mean),
            Vec::new(),
        )
    }

    fn evaluate(&mut self, dir: &Path, step: u64) -> Result<Metrics, TrainError> {
        let subjects = self.artwork.subjects();
        let mut noise = Noise::new(7);
        let shown = noise.indices(SAMPLES, self.train.rows.len());
        let label = |row: &usize| {
            let picture = self.train.rows[*row].picture;
            let subject = self.artwork.picture(picture).subject;
            subjects[subject].label.as_str()
        };
        let prompts: Vec<&str> = shown.iter().map(label).collect();
        let no_text = Rc::new(self.encode(&[String::new()]));
        let requests = prompts
            .iter()
            .enumerate()
            .map(|(seed, prompt)| DrawingRequest {
                text: Rc::new(self.encode(&[(*prompt).to_owned()])),
                no_text: no_text.clone(),
                preference: None,
                strength: 0.0,
                guidance: 4.0,
                steps: 20,
                decoder_steps: 10,
                seed: seed as u64,
            })
            .collect();
        let finished = draw(&self.pipeline, requests);
        let pictures: Vec<_> = finished.into_iter().map(|f| f.picture).collect();
        write_sheet(&dir.join(format!("sheet-{step:06}.png")), &pictures, 8)?;
        let list = prompts.join("\n");
        let path = dir.join("sheet-prompts.txt");
        std::fs::write(&path, list).map_err(|source| TrainError::Io { path, source })?;
        Ok(Vec::new())
    }
}
