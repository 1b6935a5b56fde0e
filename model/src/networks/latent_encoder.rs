//! The mini's encoder of pictures to Stage C latents: a small ConvNeXt-like network in the
//! place of Stable Cascade's EfficientNetV2-S. Like it, it ends in a batch norm without
//! scale and shift, so that latents have zero mean and unit variance per channel.

use tch::Tensor;

use super::layers::{
    BatchNorm2d, BatchNormOptions, Conv2d, Conv2dOptions, Linear, channels_first, channels_last,
    plain_layer_norm,
};
use crate::weights::{Params, WeightsError};

/// `config.json`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LatentEncoderConfig {
    /// Channels of each resolution; the first is a quarter of the picture's, each further
    /// one half of that before.
    pub channels: Vec<i64>,
    /// Blocks at each resolution.
    pub blocks: Vec<usize>,
    /// Channels of the latent.
    pub latent_channels: i64,
}

struct Block {
    depthwise: Conv2d,
    expand: Linear,
    contract: Linear,
}

impl Block {
    fn new(params: &Params, channels: i64) -> Result<Self, WeightsError> {
        let depthwise = Conv2dOptions {
            kernel: 3,
            padding: 1,
            groups: channels,
            ..Default::default()
        };
        Ok(Self {
            depthwise: Conv2d::new(&params.sub("depthwise"), channels, channels, depthwise)?,
            expand: Linear::new(&params.sub("expand"), channels, channels * 4)?,
            contract: Linear::new(&params.sub("contract"), channels * 4, channels)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let y = plain_layer_norm(&channels_last(&self.depthwise.forward(x)));
        let y = self.contract.forward(&self.expand.forward(&y).gelu("none"));
        x + channels_first(&y)
    }
}

struct Level {
    down: Conv2d,
    blocks: Vec<Block>,
}

/// The encoder.
pub struct LatentEncoder {
    config: LatentEncoderConfig,
    levels: Vec<Level>,
    mapper: Conv2d,
    norm: BatchNorm2d,
}

impl LatentEncoder {
    /// Takes the parameters.
    pub fn new(params: &Params, config: LatentEncoderConfig) -> Result<Self, WeightsError> {
        let mut levels = Vec::with_capacity(config.channels.len());
        let mut inputs = 3;
        for (i, (&channels, &count)) in config.channels.iter().zip(&config.blocks).enumerate() {
            let level = params.sub("levels").sub(i);
            let side = if i == 0 { 4 } else { 2 };
            let patch = Conv2dOptions {
                kernel: side,
                stride: side,
                ..Default::default()
            };
            levels.push(Level {
                down: Conv2d::new(&level.sub("down"), inputs, channels, patch)?,
                blocks: (0..count)
                    .map(|b| Block::new(&level.sub("blocks").sub(b), channels))
                    .collect::<Result<_, _>>()?,
            });
            inputs = channels;
        }
        let latent = config.latent_channels;
        let unbiased = Conv2dOptions {
            bias: false,
            ..Default::default()
        };
        let norm = BatchNormOptions {
            momentum: 0.05,
            affine: false,
            ..Default::default()
        };
        Ok(Self {
            mapper: Conv2d::new(&params.sub("mapper.0"), inputs, latent, unbiased)?,
            norm: BatchNorm2d::new(&params.sub("mapper.1"), latent, norm)?,
            levels,
            config,
        })
    }

    /// The configuration that the network was made with.
    pub fn config(&self) -> &LatentEncoderConfig {
        &self.config
    }

    /// Pictures `[B, 3, h, w]` in [0, 1] to latents `[B, latent_channels, h/32, w/32]` for
    /// four levels. `train` normalises by the batch and updates the running statistics.
    pub fn encode(&self, pictures: &Tensor, train: bool) -> Tensor {
        let mut x = channels_first(&channels_last(&(pictures * 2.0 - 1.0)).contiguous());
        for level in &self.levels {
            x = level.down.forward(&x);
            for block in &level.blocks {
                x = block.forward(&x);
            }
        }
        self.norm.forward(&self.mapper.forward(&x), train)
    }
}
