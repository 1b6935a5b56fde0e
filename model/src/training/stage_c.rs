//! Stage C: the prior, a diffusion model of latents under text.

use std::path::Path;
use std::rc::Rc;

use tch::{Kind, Tensor};

use super::pictures::{PictureBank, Row, write_sheet};
use super::timesteps::timesteps;
use super::whitening::whitening;
use super::{Metrics, Stage, StepContext, TrainError};
use crate::data::artwork::Artwork;
use crate::data::captions::caption;
use crate::diffusion::Noise;
use crate::networks::latent_encoder::LatentEncoder;
use crate::pipeline::{DrawingRequest, Pipeline, TextCondition, draw};
use crate::weights::{Parameter, Params};

/// Share of captions replaced by the empty one, which makes guidance possible.
const DROP_TEXT: f32 = 0.1;
/// Half of the timesteps are above 0.75: only there do words change the picture, at 0.7 they
/// lower the loss by 1 %.
const LEAN: f32 = 2.0;
/// Pictures on a sample sheet.
const SAMPLES: usize = 32;

/// Captions that the text mappers' start is measured on.
const MEASURED_CAPTIONS: usize = 2048;

/// Where token states and the pooled state enter the prior.
const TEXT_MAPPERS: [&str; 2] = ["clip_txt_mapper", "clip_txt_pooled_mapper"];

/// Whether a parameter of the prior belongs to its text mappers.
pub(super) fn is_text_mapper(name: &str) -> bool {
    let of = |mapper: &&str| {
        name.strip_prefix(*mapper)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    TEXT_MAPPERS.iter().any(of)
}

/// The latents of every row of a picture bank.
pub(super) struct LatentBank {
    pub(super) rows: Vec<Row>,
    /// `[rows, c, h, w]` f32.
    pub(super) latents: Tensor,
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

    /// Latents of these rows, `[n, c, h, w]` f32.
    pub(super) fn batch(&self, rows: &[usize]) -> Tensor {
        let index: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let index = Tensor::from_slice(&index).to_device(self.latents.device());
        self.latents.index_select(0, &index)
    }
}

/// Trains the prior of a pipeline whose other networks are trained already.
pub(super) struct StageC {
    pub(super) pipeline: Pipeline,
    pub(super) text_params: Params,
    pub(super) train: LatentBank,
    pub(super) batch: usize,
    prior_params: Params,
    artwork: Artwork,
}

impl StageC {
    /// A stage over these latents; `prior_params` are those of `pipeline.prior`, `text_params`
    /// those of `pipeline.text_encoder`.
    pub(super) fn new(
        pipeline: Pipeline,
        prior_params: Params,
        text_params: Params,
        artwork: Artwork,
        train: LatentBank,
        batch: usize,
    ) -> Self {
        Self {
            pipeline,
            prior_params,
            text_params,
            artwork,
            train,
            batch,
        }
    }

    /// Sets the prior's two text mappers so that they whiten what the text encoder says; they
    /// are not trained after that.
    ///
    /// States of all texts share a component many times as large as that in which they differ.
    /// The norm behind the mappers keeps that proportion, so a prior whose mappers start at
    /// random learns to draw without listening: after 1,400 steps other words changed its
    /// prediction by 2 %. And where they train, Adam, whose steps are as large for every weight,
    /// moves the common part most and has it back within 500 steps.
    pub(super) fn whiten_text(&self) {
        let mut noise = Noise::new(0);
        let rows = noise.indices(MEASURED_CAPTIONS, self.train.rows.len());
        let (mut tokens, mut pooled) = (Vec::new(), Vec::new());
        for rows in rows.chunks(128) {
            let captions: Vec<String> = rows
                .iter()
                .map(|&row| self.caption(self.train.rows[row], &mut noise))
                .collect();
            let text = self.encode(&captions);
            tokens.push(text.tokens.flatten(0, 1));
            pooled.push(text.pooled.flatten(0, 1));
        }
        for (name, states) in TEXT_MAPPERS.into_iter().zip([tokens, pooled]) {
            let of_mapper = |part: &str| {
                let name = format!("{name}.{part}");
                let mut taken = self.prior_params.taken().into_iter();
                let found = taken.find(|parameter| parameter.name == name);
                found.expect("a prior under text has both mappers").tensor
            };
            let (mut weight, mut bias) = (of_mapper("weight"), of_mapper("bias"));
            let states = Tensor::cat(&states, 0).to_kind(Kind::Float);
            let (whitening, mean) = whitening(&states);
            let shape = weight.size();
            let start = noise.gaussian(&shape).to_device(states.device());
            let whitened = (start / (shape[1] as f64).sqrt()).matmul(&whitening);
            tch::no_grad(|| {
                bias.copy_(&-whitened.mv(&mean));
                weight.copy_(&whitened);
            });
        }
    }

    /// A caption of a row, another one each time.
    pub(super) fn caption(&self, row: Row, noise: &mut Noise) -> String {
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
        let mut trained = self.prior_params.taken();
        trained.retain(|parameter| !is_text_mapper(&parameter.name));
        trained
    }

    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
        let noise = &mut context.noise;
        let rows = noise.indices(self.batch, self.train.rows.len());
        let captions: Vec<String> = rows
            .iter()
            .map(|&r| match noise.unit() < DROP_TEXT {
                true => String::new(),
                false => self.caption(self.train.rows[r], noise),
            })
            .collect();
        let text = self.encode(&captions);
        let device = self.pipeline.device;
        let latents = self.train.batch(&rows);
        let t = Tensor::from_slice(&timesteps(self.batch, LEAN, noise)).to_device(device);
        let epsilon = latents.randn_like();
        let noised = self
            .pipeline
            .prior_scheduler
            .add_noise(&latents, &epsilon, &t);
        let wanted = self.pipeline.prior_scheduler.target(&latents, &epsilon, &t);
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
