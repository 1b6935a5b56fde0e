//! The judge: a small residual network that names the subject and the style of a picture.
//!
//! It is of another architecture and seed than all networks it judges, and it is never a
//! condition, a perceptual loss, a reward or a filter in their training.
use image::RgbImage;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::drawing::EvaluationError;
use crate::networks::layers::{Conv2d, Conv2dOptions, Linear};
use crate::training::pictures_to_tensor;
use crate::weights::{Component, Init, ModelFolder, Params, WeightsError};

/// Channels that one group of a norm spans.
const GROUP: i64 = 16;

/// `config.json` of the judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeConfig {
    /// Side of the pictures it looks at; others are averaged down to it.
    pub input_size: i64,
    /// Channels of each level; each level halves the side.
    pub channels: Vec<i64>,
    /// Residual blocks of each level.
    pub blocks: Vec<i64>,
    /// Codes of the subjects, in the order of the classes.
    pub subjects: Vec<String>,
    /// Ids of the styles, in the order of the classes.
    pub styles: Vec<String>,
}

/// Class scores of a batch.
pub struct Verdicts {
    /// `[B, subjects]` logits.
    pub subjects: Tensor,
    /// `[B, styles]` logits.
    pub styles: Tensor,
}

/// The network.
pub struct Judge {
    config: JudgeConfig,
    kind: Kind,
    levels: Vec<Level>,
    norm: GroupNorm,
    subject_head: Linear,
    style_head: Linear,
}

impl Judge {
    /// Takes the network's parameters.
    ///
    /// # Errors
    /// When the weights do not fit the configuration.
    pub fn new(params: &Params, config: JudgeConfig) -> Result<Self, WeightsError> {
        let mut inputs = 3;
        let mut levels = Vec::new();
        for (i, (&channels, &blocks)) in config.channels.iter().zip(&config.blocks).enumerate() {
            levels.push(Level::new(
                &params.sub("levels").sub(i),
                inputs,
                channels,
                blocks,
            )?);
            inputs = channels;
        }
        Ok(Self {
            norm: GroupNorm::new(&params.sub("norm"), inputs)?,
            subject_head: Linear::new(
                &params.sub("subject_head"),
                inputs,
                config.subjects.len() as i64,
            )?,
            style_head: Linear::new(
                &params.sub("style_head"),
                inputs,
                config.styles.len() as i64,
            )?,
            kind: params.kind(),
            levels,
            config,
        })
    }

    /// Reads the judge of a model folder, in f32 on the CPU.
    ///
    /// # Errors
    /// When the folder has no judge, or a damaged one.
    pub fn open(folder: &ModelFolder) -> Result<Self, EvaluationError> {
        let loaded = folder.load(Component::Judge, Kind::Float, Device::Cpu, Self::new);
        loaded
            .map(|(judge, _)| judge)
            .map_err(EvaluationError::Judge)
    }

    /// The configuration.
    pub fn config(&self) -> &JudgeConfig {
        &self.config
    }

    /// `[B, 3, n·s, n·s]` in [0, 1], s the input size, to logits.
    pub fn forward(&self, pictures: &Tensor) -> Verdicts {
        let fold = (pictures.size()[2] / self.config.input_size).max(1);
        let mut x = pictures.to_kind(self.kind) * 2.0 - 1.0;
        if fold > 1 {
            x = x.avg_pool2d([fold; 2], [fold; 2], [0, 0], false, true, None::<i64>);
        }
        for level in &self.levels {
            x = level.forward(&x);
        }
        let pooled = self
            .norm
            .forward(&x)
            .silu()
            .mean_dim([2, 3].as_slice(), false, self.kind);
        Verdicts {
            subjects: self.subject_head.forward(&pooled).to_kind(Kind::Float),
            styles: self.style_head.forward(&pooled).to_kind(Kind::Float),
        }
    }

    /// Codes of the `count` likeliest subjects of each picture, likeliest first.
    pub fn subjects_of(&self, pictures: &[RgbImage], count: usize) -> Vec<Vec<&str>> {
        let mut named = Vec::with_capacity(pictures.len());
        for chunk in pictures.chunks(64) {
            let references: Vec<&RgbImage> = chunk.iter().collect();
            let device = self.subject_head.weight.device();
            let batch = pictures_to_tensor(&references).to_device(device);
            let logits = tch::no_grad(|| self.forward(&batch).subjects);
            let (_, best) = logits.topk(count as i64, 1, true, true);
            for row in 0..chunk.len() as i64 {
                let class = |rank: usize| best.int64_value(&[row, rank as i64]) as usize;
                named.push(
                    (0..count)
                        .map(|rank| self.config.subjects[class(rank)].as_str())
                        .collect(),
                );
            }
        }
        named
    }
}

struct Level {
    down: Conv2d,
    blocks: Vec<Block>,
}

impl Level {
    fn new(params: &Params, inputs: i64, channels: i64, blocks: i64) -> Result<Self, WeightsError> {
        let options = Conv2dOptions {
            kernel: 4,
            stride: 2,
            padding: 1,
            ..Default::default()
        };
        Ok(Self {
            down: Conv2d::new(&params.sub("down"), inputs, channels, options)?,
            blocks: (0..blocks)
                .map(|i| Block::new(&params.sub("blocks").sub(i), channels))
                .collect::<Result<_, _>>()?,
        })
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        self.blocks
            .iter()
            .fold(self.down.forward(x), |x, block| block.forward(&x))
    }
}

struct Block {
    norms: [GroupNorm; 2],
    convs: [Conv2d; 2],
}

impl Block {
    fn new(params: &Params, channels: i64) -> Result<Self, WeightsError> {
        let options = Conv2dOptions {
            kernel: 3,
            padding: 1,
            ..Default::default()
        };
        let conv = |name: &str| Conv2d::new(&params.sub(name), channels, channels, options);
        let norm = |name: &str| GroupNorm::new(&params.sub(name), channels);
        Ok(Self {
            norms: [norm("norm1")?, norm("norm2")?],
            convs: [conv("conv1")?, conv("conv2")?],
        })
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let inner = self.norms.iter().zip(&self.convs);
        x + inner.fold(x.shallow_clone(), |y, (norm, conv)| {
            conv.forward(&norm.forward(&y).silu())
        })
    }
}

struct GroupNorm {
    groups: i64,
    weight: Tensor,
    bias: Tensor,
}

impl GroupNorm {
    fn new(params: &Params, channels: i64) -> Result<Self, WeightsError> {
        Ok(Self {
            groups: (channels / GROUP).max(1),
            weight: params.tensor("weight", &[channels], Init::Const(1.0))?,
            bias: params.tensor("bias", &[channels], Init::Const(0.0))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        x.group_norm(
            self.groups,
            Some(&self.weight),
            Some(&self.bias),
            1e-5,
            true,
        )
    }
}
