//! What the prior's latents can say: pictures through the latent encoder and back through Stage B
//! and Stage A.

use image::RgbImage;
use tch::{Device, Kind, Tensor};

use super::drawing::EvaluationError;
use crate::diffusion::{DdpmWuerstchenScheduler, Noise, read_scheduler_config, sample};
use crate::networks::latent_encoder::LatentEncoder;
use crate::networks::paella_vq::PaellaVq;
use crate::networks::stable_cascade_unet::{StableCascadeInput, StableCascadeUNet};
use crate::training::{pictures_to_tensor, tensor_to_pictures};
use crate::weights::{Component, ModelFolder};

/// Pictures that pass together.
const BATCH: usize = 16;

/// Encodes pictures to the prior's latents and draws them from these alone, in f32 on the CPU.
///
/// # Errors
/// When the folder lacks one of the networks, or one is damaged.
pub fn reconstruct(
    folder: &ModelFolder,
    pictures: &[RgbImage],
    seed: u64,
) -> Result<Vec<RgbImage>, EvaluationError> {
    let (kind, cpu) = (Kind::Float, Device::Cpu);
    let (encoder, _) = folder.load(Component::LatentEncoder, kind, cpu, LatentEncoder::new)?;
    let (decoder, _) = folder.load(Component::Decoder, kind, cpu, StableCascadeUNet::new)?;
    let (vqgan, _) = folder.load(Component::Vqgan, kind, cpu, PaellaVq::new)?;
    let config = read_scheduler_config(&folder.scheduler(Component::Decoder))?;
    let scheduler = DdpmWuerstchenScheduler::new(config);
    let card = folder.card()?;
    let side = card.sizes.decoder;
    let mut noise = Noise::new(seed);
    let mut passed = Vec::with_capacity(pictures.len());
    for chunk in pictures.chunks(BATCH) {
        let chunk: Vec<&RgbImage> = chunk.iter().collect();
        let count = chunk.len() as i64;
        passed.extend(tch::no_grad(|| {
            let latents = encoder.encode(&pictures_to_tensor(&chunk), false);
            let pooled = decoder.config().clip_text_pooled_in_channels;
            let no_text = Tensor::zeros([count, 1, pooled], (kind, cpu));
            let predict = |noised: &Tensor, t: &Tensor| {
                let input = StableCascadeInput {
                    timestep_ratio: Some(t),
                    clip_text_pooled: Some(&no_text),
                    effnet: Some(&latents),
                    ..Default::default()
                };
                decoder.forward(noised, &input, None)
            };
            let shape = [count, decoder.config().in_channels, side, side];
            let steps = i64::from(card.decoder_steps);
            let drawn = sample(&scheduler, &shape, steps, &mut noise, cpu, predict);
            tensor_to_pictures(&vqgan.decode(&(drawn * vqgan.config().scale_factor)))
        }));
    }
    Ok(passed)
}
