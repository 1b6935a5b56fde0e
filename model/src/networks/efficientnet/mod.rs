//! The encoder of pictures to Stage C latents that Stable Cascade was trained with:
//! EfficientNetV2-S (Tan and Le, 2021) and a 1×1 map, after torchvision
//! `models/efficientnet.py` and the original release's `modules/effnet.py`.

mod blocks;
mod config;

pub use config::{BlockKind, EfficientNetEncoderConfig, StageConfig};

use tch::Tensor;

use super::layers::{BatchNorm2d, BatchNormOptions, Conv2d, Conv2dOptions};
use crate::weights::{Params, WeightsError};
use blocks::{ConvNorm, InvertedResidual};

/// The encoder: torchvision's `features`, then a 1×1 convolution and a batch norm without
/// scale and shift, so that latents have zero mean and unit variance per channel.
pub struct EfficientNetEncoder {
    stem: ConvNorm,
    blocks: Vec<InvertedResidual>,
    last: ConvNorm,
    mapper: Conv2d,
    norm: BatchNorm2d,
    config: EfficientNetEncoderConfig,
}

impl EfficientNetEncoder {
    /// Takes its parameters from `params` (`backbone.…` as torchvision's `features`, `mapper.…`).
    ///
    /// # Errors
    /// The configuration asks for something that is not built; a tensor is missing or of
    /// another shape.
    pub fn new(params: &Params, config: EfficientNetEncoderConfig) -> Result<Self, WeightsError> {
        let stages = config.stages()?;
        let backbone = params.sub("backbone");
        let first = stages[0].input_channels;
        let halved = Conv2dOptions {
            kernel: 3,
            stride: 2,
            ..Default::default()
        };
        let stem = ConvNorm::new(&backbone.sub(0), 3, first, halved, true)?;
        let mut blocks = Vec::new();
        for (i, stage) in stages.iter().enumerate() {
            for layer in 0..stage.num_layers {
                let at = backbone.sub(i + 1).sub(layer).sub("block");
                blocks.push(InvertedResidual::new(&at, &stage.layer(layer))?);
            }
        }
        let channels = stages[stages.len() - 1].out_channels;
        let plain = Conv2dOptions::default();
        let last_at = backbone.sub(stages.len() + 1);
        let mapper = Conv2dOptions {
            bias: false,
            ..plain
        };
        let norm = BatchNormOptions {
            affine: false,
            ..Default::default()
        };
        Ok(Self {
            stem,
            blocks,
            last: ConvNorm::new(&last_at, channels, config.c_cond, plain, true)?,
            mapper: Conv2d::new(
                &params.sub("mapper.0"),
                config.c_cond,
                config.c_latent,
                mapper,
            )?,
            norm: BatchNorm2d::new(&params.sub("mapper.1"), config.c_latent, norm)?,
            config,
        })
    }

    /// The configuration that the network was made with.
    pub fn config(&self) -> &EfficientNetEncoderConfig {
        &self.config
    }

    /// Pictures `[B, 3, h, w]`, normalised by ImageNet's mean and deviation, in the parameters'
    /// dtype, to latents `[B, c_latent, h/32, w/32]` (each halving rounds up).
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = self.stem.forward(x);
        for block in &self.blocks {
            x = block.forward(&x);
        }
        let features = self.last.forward(&x);
        self.norm.forward(&self.mapper.forward(&features), false)
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn the_official_backbone_has_the_tensors_of_torchvisions_efficientnet_v2_s() {
        let params = Params::random(1, Kind::Float, Device::Cpu);
        EfficientNetEncoder::new(&params, EfficientNetEncoderConfig::default()).unwrap();
        let backbone: Vec<_> = params
            .taken()
            .into_iter()
            .filter_map(|p| Some((p.name.strip_prefix("backbone.")?.to_owned(), p)))
            .collect();
        let trained = backbone.iter().filter(|(_, p)| p.trainable);
        let trained: usize = trained.map(|(_, p)| p.tensor.numel()).sum();
        assert_eq!(trained, 20_177_488);
        // Of torchvision 0.26's state_dict without the counts of batches: "name shape", sorted.
        let named = |(name, p): &(String, _)| {
            let p: &crate::weights::Parameter = p;
            format!("{name} {:?}", p.tensor.size())
        };
        let mut lines: Vec<String> = backbone.iter().map(named).collect();
        lines.sort();
        let digest = Sha256::digest(lines.join("\n"));
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            digest,
            "da24701abf071c41b8a3694e7282bcfb3f826a6f4b4985353a9f1a199bb8582f"
        );
    }
}
