//! Stage B with the latent encoder: a diffusion decoder from Stage C latents to Stage A's.

use std::path::Path;

use tch::{Kind, Tensor};

use super::pictures::{PictureBank, tensor_to_pictures, write_sheet};
use super::timesteps::timesteps;
use super::{Metrics, Stage, StepContext, TrainError};
use crate::diffusion::{DdpmWuerstchenScheduler, Noise, sample};
use crate::networks::latent_encoder::LatentEncoder;
use crate::networks::paella_vq::PaellaVq;
use crate::networks::stable_cascade_unet::{StableCascadeInput, StableCascadeUNet};
use crate::weights::{Parameter, Params};

/// Share of samples whose condition is dropped, so that guidance on it is possible.
const DROP_CONDITION: f32 = 0.05;
/// Share of samples whose condition is noised: Stage C's latents are never exact.
const NOISE_CONDITION: f32 = 0.3;
/// Largest standard deviation of that noise.
const CONDITION_NOISE: f64 = 0.3;

/// The networks and data of [`StageB`].
pub(super) struct StageBParts {
    /// The decoder.
    pub(super) decoder: StableCascadeUNet,
    /// The decoder's parameters.
    pub(super) decoder_params: Params,
    /// The encoder to Stage C latents.
    pub(super) encoder: LatentEncoder,
    /// The encoder's parameters; `None` when it is trained already and stays.
    pub(super) encoder_params: Option<Params>,
    /// Stage A, trained.
    pub(super) autoencoder: PaellaVq,
    /// The noise schedule.
    pub(super) scheduler: DdpmWuerstchenScheduler,
    /// Pictures to train on.
    pub(super) train: PictureBank,
    /// Pictures to measure on.
    pub(super) held_out: PictureBank,
    /// Samples a step.
    pub(super) batch: usize,
}

/// Trains the decoder and, while `encoder_params` are given, the encoder with it.
pub(super) struct StageB {
    parts: StageBParts,
    /// Stage A latents of all training pictures, of unit variance, `[rows, 4, h/4, w/4]`.
    targets: Tensor,
    /// Their Stage C latents, where the encoder that gives them stays as it is.
    conditions: Option<Tensor>,
}

impl StageB {
    /// A stage over these networks and pictures; encodes all of them once.
    pub(super) fn new(parts: StageBParts) -> Self {
        let kind = parts.decoder_params.kind();
        let of_all = |encode: &dyn Fn(&Tensor) -> Tensor| {
            let rows: Vec<usize> = (0..parts.train.len()).collect();
            let encode = |rows: &[usize]| encode(&parts.train.batch(rows, kind));
            let blocks: Vec<Tensor> = tch::no_grad(|| rows.chunks(64).map(encode).collect());
            Tensor::cat(&blocks, 0)
        };
        let targets = of_all(&|pictures| targets(&parts.autoencoder, pictures));
        let conditions = match parts.encoder_params {
            Some(_) => None,
            None => Some(of_all(&|pictures| parts.encoder.encode(pictures, false))),
        };
        Self {
            parts,
            targets,
            conditions,
        }
    }

    /// The pictures trained on.
    pub(super) fn train_pictures(&self) -> &PictureBank {
        &self.parts.train
    }

    fn kind(&self) -> Kind {
        self.parts.decoder_params.kind()
    }

    fn predict(&self, noised: &Tensor, t: &Tensor, condition: &Tensor) -> Tensor {
        let config = self.parts.decoder.config();
        let batch = noised.size()[0];
        let text = Tensor::zeros(
            [batch, 1, config.clip_text_pooled_in_channels],
            (self.kind(), noised.device()),
        );
        let input = StableCascadeInput {
            timestep_ratio: Some(t),
            clip_text_pooled: Some(&text),
            effnet: Some(condition),
            ..Default::default()
        };
        self.parts.decoder.forward(noised, &input, None)
    }
}

/// Stage A latents of unit variance, `[B, 4, h/4, w/4]`.
fn targets(autoencoder: &PaellaVq, pictures: &Tensor) -> Tensor {
    let encoded = tch::no_grad(|| autoencoder.encode(pictures, false));
    encoded / autoencoder.config().scale_factor
}

/// Five in eight timesteps are above one half: at high noise the decoder has nothing but its
/// condition to go by, and only there does the encoder learn what to keep.
const LEAN: f32 = 1.5;

impl Stage for StageB {
    fn name(&self) -> &'static str {
        "stage-b"
    }

    fn parameters(&self) -> Vec<Parameter> {
        let mut all = self.parts.decoder_params.taken_as("decoder");
        if let Some(params) = &self.parts.encoder_params {
            all.extend(params.taken_as("latent_encoder"));
        }
        all
    }

    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
        let noise = &mut context.noise;
        let batch = self.parts.batch as i64;
        let rows = noise.indices(self.parts.batch, self.parts.train.len());
        let device = self.targets.device();
        let index: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let index = Tensor::from_slice(&index).to_device(device);
        let condition = match &self.conditions {
            Some(known) => known.index_select(0, &index),
            None => {
                let pictures = self.parts.train.batch(&rows, self.kind());
                self.parts.encoder.encode(&pictures, true)
            }
        };
        let factors: Vec<f32> = (0..batch)
            .map(|_| {
                if noise.unit() < DROP_CONDITION {
                    0.0
                } else {
                    1.0
                }
            })
            .collect();
        let noise_levels: Vec<f32> = (0..batch)
            .map(|_| {
                if noise.unit() < NOISE_CONDITION {
                    noise.unit()
                } else {
                    0.0
                }
            })
            .collect();
        let per_sample = |values: &[f32]| {
            Tensor::from_slice(values)
                .to_device(device)
                .to_kind(self.kind())
                .view([-1, 1, 1, 1])
        };
        let condition = (&condition
            + condition.randn_like() * per_sample(&noise_levels) * CONDITION_NOISE)
            * per_sample(&factors);

        let target = self.targets.index_select(0, &index);
        let epsilon = target.randn_like();
        let t = Tensor::from_slice(&timesteps(self.parts.batch, LEAN, noise)).to_device(device);
        let scheduler = &self.parts.scheduler;
        let noised = scheduler.add_noise(&target, &epsilon, &t);
        let wanted = scheduler.target(&target, &epsilon, &t).to_kind(Kind::Float);
        let predicted = self.predict(&noised, &t, &condition).to_kind(Kind::Float);
        let loss = predicted.mse_loss(&wanted, tch::Reduction::Mean);
        (loss, Vec::new())
    }

    fn evaluate(&mut self, dir: &Path, step: u64) -> Result<Metrics, TrainError> {
        let rows: Vec<usize> = (0..self.parts.held_out.len().min(32)).collect();
        let pictures = self.parts.held_out.batch(&rows, self.kind());
        let condition = self.parts.encoder.encode(&pictures, false);
        let shape = targets(&self.parts.autoencoder, &pictures).size();
        let latents = sample(
            &self.parts.scheduler,
            &shape,
            10,
            &mut Noise::new(0),
            pictures.device(),
            |noised, t| self.predict(&noised.to_kind(self.kind()), t, &condition),
        );
        let scaled = latents.to_kind(self.kind()) * self.parts.autoencoder.config().scale_factor;
        let decoded = self
            .parts
            .autoencoder
            .decode(&scaled)
            .clamp(0.0, 1.0)
            .to_kind(Kind::Float);
        let mse = (&decoded - pictures.to_kind(Kind::Float))
            .square()
            .mean(Kind::Float);
        let mut sheet = tensor_to_pictures(&pictures.narrow(0, 0, 16));
        sheet.extend(tensor_to_pictures(&decoded.narrow(0, 0, 16)));
        write_sheet(&dir.join(format!("sheet-{step:06}.png")), &sheet, 16)?;
        Ok(vec![("psnr_db", -10.0 * mse.log10().double_value(&[]))])
    }
}
