//! The judge: a small residual network that names the subject and the style of a picture.
//!
//! It is of another architecture and seed than all networks it judges, and it is never a
//! condition, a perceptual loss, a reward or a filter in their training.
use image::RgbImage;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::drawing::EvaluationError;
use crate::networks::layers::{Conv2d, Conv2dOptions, Linear, channels_first, channels_last};
use crate::training::pictures_to_tensor;
use crate::weights::{Component, Init, ModelFolder, Params, WeightsError};

/// Share of a batch's statistics in the running ones after it.
const MOMENTUM: f64 = 0.05;

/// `config.json` of the judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeConfig {
    /// Side of the pictures it looks at; others are averaged down to it.
    pub input_size: i64,
    /// Channels of each level: the first has a quarter of the picture's side, each further one
    /// half of that before.
    pub channels: Vec<i64>,
    /// Channels that are kept of each position of the last level.
    pub position_channels: i64,
    /// Size of the summary that both verdicts are read from.
    pub summary: i64,
    /// Codes of the subjects, in the order of the classes.
    pub subjects: Vec<String>,
    /// Ids of the styles, in the order of the classes.
    pub styles: Vec<String>,
}

/// Class scores of a batch.
pub struct Verdicts {
    /// `[B, summary]`, what both are read from.
    pub summary: Tensor,
    /// `[B, subjects]` logits.
    pub subjects: Tensor,
    /// `[B, styles]` logits.
    pub styles: Tensor,
}

/// The network.
///
/// What is where decides what a sticker shows, so positions are kept up to the summary; with
/// their mean in its place a like network hardly learned (docs/TRAINING.md).
pub struct Judge {
    config: JudgeConfig,
    kind: Kind,
    levels: Vec<Level>,
    norm: BatchNorm,
    position: Conv2d,
    summary: Linear,
    summary_norm: BatchNorm,
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
        for (i, &channels) in config.channels.iter().enumerate() {
            levels.push(Level::new(&params.sub("levels").sub(i), inputs, channels)?);
            inputs = channels;
        }
        let side = config.input_size >> (config.channels.len() + 1);
        let kept = config.position_channels;
        let linear = |name: &str, inputs: i64, outputs: usize| {
            Linear::new(&params.sub(name), inputs, outputs as i64)
        };
        Ok(Self {
            norm: BatchNorm::new(&params.sub("norm"), inputs)?,
            position: Conv2d::new(&params.sub("position"), inputs, kept, Default::default())?,
            summary: linear("summary", kept * side * side, config.summary as usize)?,
            summary_norm: BatchNorm::new(&params.sub("summary_norm"), config.summary)?,
            subject_head: linear("subject_head", config.summary, config.subjects.len())?,
            style_head: linear("style_head", config.summary, config.styles.len())?,
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

    /// `[B, 3, n·s, n·s]` in [0, 1], s the input size, to logits. `train` normalises by the batch
    /// and updates the running statistics.
    pub fn forward(&self, pictures: &Tensor, train: bool) -> Verdicts {
        let fold = (pictures.size()[2] / self.config.input_size).max(1);
        let mut x = pictures.to_kind(self.kind) * 2.0 - 1.0;
        if fold > 1 {
            x = x.avg_pool2d([fold; 2], [fold; 2], [0, 0], false, true, None::<i64>);
        }
        x = channels_first(&channels_last(&x).contiguous());
        for level in &self.levels {
            x = level.forward(&x, train);
        }
        let positions = self.position.forward(&self.norm.forward(&x, train).silu());
        let summary = self.summary.forward(&positions.flatten(1, -1));
        let summary = self.summary_norm.forward(&summary, train);
        Verdicts {
            summary: summary.to_kind(Kind::Float),
            subjects: self.subject_head.forward(&summary).to_kind(Kind::Float),
            styles: self.style_head.forward(&summary).to_kind(Kind::Float),
        }
    }

    /// Codes of the `count` likeliest subjects of each picture, likeliest first.
    pub fn subjects_of(&self, pictures: &[RgbImage], count: usize) -> Vec<Vec<&str>> {
        let code = |class: i64| self.config.subjects[class as usize].as_str();
        let named = |verdicts: Verdicts| {
            let (_, best) = verdicts.subjects.topk(count as i64, 1, true, true);
            let best = Vec::<Vec<i64>>::try_from(best).expect("classes are whole numbers");
            best.into_iter()
                .map(|row| row.into_iter().map(code).collect())
        };
        self.verdicts(pictures).flat_map(named).collect()
    }

    /// The likeliest style of each picture, as a place in the configuration's list.
    pub fn styles_of(&self, pictures: &[RgbImage]) -> Vec<usize> {
        let named = |verdicts: Verdicts| {
            let best = Vec::<i64>::try_from(verdicts.styles.argmax(1, false));
            let best = best.expect("classes are whole numbers");
            best.into_iter().map(|class| class as usize)
        };
        self.verdicts(pictures).flat_map(named).collect()
    }

    /// What the verdicts of each picture are read from, `[pictures, summary]` f32.
    ///
    /// # Panics
    /// Without pictures.
    pub fn features(&self, pictures: &[RgbImage]) -> Tensor {
        let summaries = self.verdicts(pictures).map(|verdicts| verdicts.summary);
        Tensor::cat(&summaries.collect::<Vec<_>>(), 0)
    }

    /// The verdicts on these pictures, some at a time.
    fn verdicts(&self, pictures: &[RgbImage]) -> impl Iterator<Item = Verdicts> {
        pictures.chunks(64).map(|block| {
            let block: Vec<&RgbImage> = block.iter().collect();
            let device = self.subject_head.weight.device();
            let block = pictures_to_tensor(&block).to_device(device);
            tch::no_grad(|| self.forward(&block, false))
        })
    }
}

/// Halves the side (the first quarters it), then a residual block of two convolutions.
struct Level {
    norm: Option<BatchNorm>,
    down: Conv2d,
    norms: [BatchNorm; 2],
    convs: [Conv2d; 2],
}

impl Level {
    fn new(params: &Params, inputs: i64, channels: i64) -> Result<Self, WeightsError> {
        let first = inputs == 3;
        let side = if first { 4 } else { 2 };
        let patch = Conv2dOptions {
            kernel: side,
            stride: side,
            ..Default::default()
        };
        let conv = |name: &str, init: Init| {
            let options = Conv2dOptions {
                kernel: 3,
                padding: 1,
                init,
                ..Default::default()
            };
            Conv2d::new(&params.sub(name), channels, channels, options)
        };
        let norm = |name: &str, channels| BatchNorm::new(&params.sub(name), channels);
        // He et al. (2015) for the first; the block starts as the identity.
        let he = (2.0 / (channels * 9) as f64).sqrt();
        Ok(Self {
            norm: (!first).then(|| norm("norm", inputs)).transpose()?,
            down: Conv2d::new(&params.sub("down"), inputs, channels, patch)?,
            norms: [norm("norm1", channels)?, norm("norm2", channels)?],
            convs: [
                conv("conv1", Init::Normal { std: he })?,
                conv("conv2", Init::Const(0.0))?,
            ],
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let x = match &self.norm {
            Some(norm) => self.down.forward(&norm.forward(x, train)),
            None => self.down.forward(x),
        };
        let inner = self.norms.iter().zip(&self.convs);
        inner.fold(x.shallow_clone(), |y, (norm, conv)| {
            conv.forward(&norm.forward(&y, train).silu())
        }) + x
    }
}

struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm {
    fn new(params: &Params, channels: i64) -> Result<Self, WeightsError> {
        let (zero, one) = (Init::Const(0.0), Init::Const(1.0));
        Ok(Self {
            weight: params.tensor("weight", &[channels], one)?,
            bias: params.tensor("bias", &[channels], zero)?,
            running_mean: params.buffer("running_mean", &[channels], zero)?,
            running_var: params.buffer("running_var", &[channels], one)?,
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        x.batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            train,
            MOMENTUM,
            1e-5,
            false,
        )
    }
}
