//! Levels: blocks at one resolution, the way there, and how often they run.

use tch::Tensor;

use super::blocks::{AttentionBlock, ResBlock, TimestepBlock};
use super::config::{BlockType, StableCascadeUNetConfig};
use crate::networks::layers::{
    Conv2d, Conv2dOptions, ConvTranspose2d, channel_norm, resize_bilinear, size4,
};
use crate::networks::preference_attention::PreferenceCondition;
use crate::weights::{Init, Params, WeightsError};

enum Block {
    Res(ResBlock),
    Timestep(TimestepBlock),
    Attention(AttentionBlock),
}

pub(super) enum Resample {
    Same,
    StridedDown(Conv2d),
    StridedUp(ConvTranspose2d),
    /// 1×1 convolution and, where enabled, a bilinear change of resolution by this factor.
    Mapped {
        mapping: Conv2d,
        factor: Option<f64>,
        map_first: bool,
    },
}

impl Resample {
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Same => x.shallow_clone(),
            Self::StridedDown(conv) => conv.forward(&channel_norm(x)),
            Self::StridedUp(conv) => conv.forward(&channel_norm(x)),
            Self::Mapped {
                mapping,
                factor,
                map_first,
            } => {
                let x = channel_norm(x);
                let scale = |x: Tensor| match factor {
                    None => x,
                    Some(factor) => {
                        let (_, _, h, w) = size4(&x);
                        let scaled = |n: i64| (n as f64 * factor).floor() as i64;
                        resize_bilinear(&x, [scaled(h), scaled(w)])
                    }
                };
                match map_first {
                    true => scale(mapping.forward(&x)),
                    false => mapping.forward(&scale(x)),
                }
            }
        }
    }
}

pub(super) struct Level {
    pub(super) resample: Resample,
    blocks: Vec<Block>,
    /// 1×1 convolutions between repetitions of the blocks.
    repeat_mappers: Vec<Conv2d>,
}

/// What every block of one forward pass is given.
pub(super) struct Context<'a> {
    pub(super) embedding: &'a Tensor,
    pub(super) condition: &'a Tensor,
    pub(super) preference: Option<&'a PreferenceCondition>,
}

impl Level {
    pub(super) fn run(&self, mut x: Tensor, skip: Option<&Tensor>, context: &Context) -> Tensor {
        for repetition in 0..=self.repeat_mappers.len() {
            for (i, block) in self.blocks.iter().enumerate() {
                x = match block {
                    Block::Res(block) => {
                        let skip = if i == 0 { skip } else { None };
                        if let Some(skip) = skip {
                            let (_, _, h, w) = size4(skip);
                            x = resize_bilinear(&x, [h, w]);
                        }
                        block.forward(&x, skip)
                    }
                    Block::Timestep(block) => block.forward(&x, context.embedding),
                    Block::Attention(block) => {
                        block.forward(&x, context.condition, context.preference)
                    }
                };
            }
            if let Some(mapper) = self.repeat_mappers.get(repetition) {
                x = mapper.forward(&x);
            }
        }
        x
    }
}

pub(super) struct LevelBuilder<'a> {
    pub(super) params: &'a Params,
    pub(super) config: &'a StableCascadeUNetConfig,
    pub(super) attention_channels: Vec<(i64, i64)>,
}

impl LevelBuilder<'_> {
    pub(super) fn down(&mut self, level: usize) -> Result<Level, WeightsError> {
        let channels = &self.config.block_out_channels;
        let resample = if level == 0 {
            Resample::Same
        } else {
            let params = self.params.sub("down_downscalers").sub(level).sub(1);
            let (from, to) = (channels[level - 1], channels[level]);
            match &self.config.switch_level {
                Some(switch) => Resample::Mapped {
                    mapping: Conv2d::new(&params.sub("blocks.0"), from, to, mapping())?,
                    factor: switch[level - 1].then_some(0.5),
                    map_first: true,
                },
                None => {
                    let options = Conv2dOptions {
                        kernel: 2,
                        stride: 2,
                        ..mapping()
                    };
                    Resample::StridedDown(Conv2d::new(&params, from, to, options)?)
                }
            }
        };
        let layers = self.config.down_num_layers_per_block[level];
        let repeats = self.config.repeats(level).0;
        self.level("down", level, level, resample, layers, repeats)
    }

    pub(super) fn up(&mut self, level: usize) -> Result<Level, WeightsError> {
        let levels = self.config.levels();
        let position = levels - 1 - level;
        let channels = &self.config.block_out_channels;
        let resample = if level == 0 {
            Resample::Same
        } else {
            let params = self.params.sub("up_upscalers").sub(position).sub(1);
            let (from, to) = (channels[level], channels[level - 1]);
            match &self.config.switch_level {
                Some(switch) => Resample::Mapped {
                    mapping: Conv2d::new(&params.sub("blocks.1"), from, to, mapping())?,
                    factor: switch[level - 1].then_some(2.0),
                    map_first: false,
                },
                None => Resample::StridedUp(ConvTranspose2d::new(&params, from, to, 2, 2, 0)?),
            }
        };
        let layers = self.config.up_num_layers_per_block[position];
        let repeats = self.config.repeats(level).1;
        self.level("up", level, position, resample, layers, repeats)
    }

    fn level(
        &mut self,
        way: &str,
        level: usize,
        position: usize,
        resample: Resample,
        layers: i64,
        repeats: i64,
    ) -> Result<Level, WeightsError> {
        let config = self.config;
        let channels = config.block_out_channels[level];
        let heads = config.num_attention_heads[level];
        let total: i64 = config
            .down_num_layers_per_block
            .iter()
            .chain(&config.up_num_layers_per_block)
            .sum();
        let self_attention = config.self_attn.at(level).expect("validated above");
        let blocks_at = self.params.sub(format!("{way}_blocks")).sub(position);
        let mut blocks = Vec::new();
        for _ in 0..layers {
            for kind in &config.block_types_per_layer[level] {
                let params = blocks_at.sub(blocks.len());
                let takes_skip = way == "up" && level + 1 < config.levels() && blocks.is_empty();
                let skip = if takes_skip { channels } else { 0 };
                blocks.push(match kind {
                    BlockType::Res => Block::Res(ResBlock::new(
                        &params,
                        channels,
                        skip,
                        config.kernel_size,
                        total,
                    )?),
                    BlockType::Timestep => {
                        Block::Timestep(TimestepBlock::new(&params, channels, config)?)
                    }
                    BlockType::Attention => {
                        let index = self.attention_channels.len();
                        self.attention_channels.push((channels, heads));
                        let condition = config.conditioning_dim;
                        Block::Attention(AttentionBlock::new(
                            &params,
                            channels,
                            condition,
                            heads,
                            self_attention,
                            index,
                        )?)
                    }
                });
            }
        }
        let mappers_at = self
            .params
            .sub(format!("{way}_repeat_mappers"))
            .sub(position);
        let repeat_mappers = (0..repeats - 1)
            .map(|i| Conv2d::new(&mappers_at.sub(i), channels, channels, mapping()))
            .collect::<Result<_, _>>()?;
        Ok(Level {
            resample,
            blocks,
            repeat_mappers,
        })
    }
}

fn mapping() -> Conv2dOptions {
    Conv2dOptions {
        init: Init::Xavier { gain: 1.0 },
        ..Default::default()
    }
}
