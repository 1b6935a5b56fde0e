//! Stage A: the autoencoder from pictures to 4-channel latents at a quarter of their side.

use std::path::Path;

use tch::{Kind, Tensor};

use super::pictures::{PictureBank, tensor_to_pictures, write_sheet};
use super::{Metrics, Stage, StepContext, TrainError};
use crate::diffusion::Noise;
use crate::networks::paella_vq::PaellaVq;
use crate::weights::{Parameter, Params};

/// Standard deviation of the noise that the decoder learns to bear: Stage B's latents are
/// never exact.
const LATENT_NOISE: f64 = 0.05;

/// Trains a [`PaellaVq`] on reconstruction and on its codebook.
pub(super) struct StageA {
    /// The network.
    pub(super) network: PaellaVq,
    /// Its parameters.
    pub(super) params: Params,
    /// Pictures to train on.
    pub(super) train: PictureBank,
    /// Pictures to measure on.
    pub(super) held_out: PictureBank,
    /// Samples a step.
    pub(super) batch: usize,
}

impl Stage for StageA {
    fn name(&self) -> &'static str {
        "stage-a"
    }

    fn parameters(&self) -> Vec<Parameter> {
        self.params.taken()
    }

    fn loss(&mut self, context: &mut StepContext) -> (Tensor, Vec<(&'static str, Tensor)>) {
        let noise = &mut context.noise;
        let rows = noise.indices(self.batch, self.train.len());
        let pictures = self.train.batch(&rows, self.params.kind());
        let latents = self.network.encode(&pictures, true);
        let quantized = self.network.quantize(&latents);
        let f32 = |t: &Tensor| t.to_kind(Kind::Float);
        let codebook = f32(&quantized).mse_loss(&f32(&latents.detach()), tch::Reduction::Mean);
        let commitment = f32(&latents).mse_loss(&f32(&quantized.detach()), tch::Reduction::Mean);
        // Half of the batch goes through the codebook (straight through for the gradient),
        // half through noise: the official model is used with continuous latents, too.
        let straight_through = &latents + (&quantized - &latents).detach();
        let disturbed = &latents + latents.randn_like() * LATENT_NOISE;
        let half = self.batch as i64 / 2;
        let kept = Tensor::cat(
            &[
                straight_through.narrow(0, 0, half),
                disturbed.narrow(0, half, self.batch as i64 - half),
            ],
            0,
        );
        let difference = f32(&self.network.decode(&kept)) - f32(&pictures);
        let absolute = difference.abs().mean(Kind::Float);
        let squared = difference.square().mean(Kind::Float);
        let edges = edge_difference(&difference);
        let loss = &absolute + &squared * 5.0 + &edges + (codebook + commitment * 0.25) * 0.05;
        (loss, vec![("l1", absolute), ("mse", squared)])
    }

    fn evaluate(&mut self, dir: &Path, step: u64) -> Result<Metrics, TrainError> {
        let mut squared = 0.0;
        let mut count = 0;
        let mut latents = Vec::new();
        for start in (0..self.held_out.len().min(256)).step_by(32) {
            let rows: Vec<usize> = (start..self.held_out.len().min(start + 32)).collect();
            let pictures = self.held_out.batch(&rows, self.params.kind());
            let encoded = self.network.encode(&pictures, false);
            let decoded = self.network.decode(&encoded).clamp(0.0, 1.0);
            let difference = decoded.to_kind(Kind::Float) - pictures.to_kind(Kind::Float);
            squared += difference.square().mean(Kind::Float).double_value(&[]) * rows.len() as f64;
            count += rows.len();
            latents.push(encoded.to_kind(Kind::Float));
            if start == 0 {
                let mut sheet = tensor_to_pictures(&pictures.narrow(0, 0, 16));
                sheet.extend(tensor_to_pictures(&decoded.narrow(0, 0, 16)));
                write_sheet(&dir.join(format!("sheet-{step:06}.png")), &sheet, 16)?;
            }
        }
        let psnr = -10.0 * (squared / count as f64).log10();
        let std = Tensor::cat(&latents, 0).std(true).double_value(&[]);
        Ok(vec![("psnr_db", psnr), ("latent_std", std)])
    }
}

/// Mean absolute difference of horizontal and vertical neighbours: sharp edges matter more
/// in line drawings than their few pixels weigh.
fn edge_difference(difference: &Tensor) -> Tensor {
    let size = difference.size();
    let step = |dim: i64| {
        let n = size[dim as usize] - 1;
        (difference.narrow(dim, 1, n) - difference.narrow(dim, 0, n))
            .abs()
            .mean(Kind::Float)
    };
    step(2) + step(3)
}

/// Standard deviation of the encoder's latents over `pictures`: what makes
/// `scale_factor` give latents of unit variance.
pub(super) fn latent_std(network: &PaellaVq, pictures: &PictureBank, kind: Kind) -> f64 {
    let rows = Noise::new(0).indices(256, pictures.len());
    let latents = tch::no_grad(|| network.encode(&pictures.batch(&rows, kind), false));
    latents.to_kind(Kind::Float).std(true).double_value(&[])
}
