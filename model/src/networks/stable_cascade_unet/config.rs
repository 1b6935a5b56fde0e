//! The fields of a Stable Cascade U-Net's config.json.

use crate::networks::config::{Unread, check_positive, config_error};
use crate::weights::WeightsError;

/// One value for all levels, or one a level.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum PerLevel<T> {
    /// The same for every level.
    All(T),
    /// One for each level.
    Each(Vec<T>),
}

impl<T: Clone> PerLevel<T> {
    pub(super) fn at(&self, level: usize) -> Option<T> {
        match self {
            Self::All(value) => Some(value.clone()),
            Self::Each(values) => values.get(level).cloned(),
        }
    }
}

/// The kinds of block that a layer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum BlockType {
    /// Depthwise convolution and a channel mixer with global response normalisation.
    #[serde(rename = "SDCascadeResBlock")]
    Res,
    /// Scale and shift by the timestep.
    #[serde(rename = "SDCascadeTimestepBlock")]
    Timestep,
    /// Attention to the picture's and the condition's tokens together.
    #[serde(rename = "SDCascadeAttnBlock")]
    Attention,
}

/// `config.json`, with diffusers' field names and defaults.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct StableCascadeUNetConfig {
    /// Channels of the noisy input.
    pub in_channels: i64,
    /// Channels of the prediction.
    pub out_channels: i64,
    /// Size of one timestep embedding.
    pub timestep_ratio_embedding_dim: i64,
    /// Side of the square of pixels that becomes one position.
    pub patch_size: i64,
    /// Size of a condition token.
    pub conditioning_dim: i64,
    /// Channels of each level.
    pub block_out_channels: Vec<i64>,
    /// Attention heads of each level; anything where the level has no attention.
    pub num_attention_heads: Vec<i64>,
    /// Layers of each level on the way down.
    pub down_num_layers_per_block: Vec<i64>,
    /// Layers of each level on the way up, the lowest first.
    pub up_num_layers_per_block: Vec<i64>,
    /// How often a level's layers run on the way down, with 1×1 convolutions between.
    pub down_blocks_repeat_mappers: Option<Vec<i64>>,
    /// The same on the way up, the lowest first.
    pub up_blocks_repeat_mappers: Option<Vec<i64>>,
    /// Block types of a layer, for each level.
    pub block_types_per_layer: Vec<Vec<BlockType>>,
    /// Size of a text token; `None` where the text comes pooled only.
    pub clip_text_in_channels: Option<i64>,
    /// Size of the pooled text.
    pub clip_text_pooled_in_channels: i64,
    /// Size of the image condition.
    pub clip_image_in_channels: Option<i64>,
    /// Tokens that a pooled condition is spread over.
    pub clip_seq: i64,
    /// Channels of the Stage C latent that a decoder is conditioned on.
    pub effnet_in_channels: Option<i64>,
    /// Channels of the pixel condition.
    pub pixel_mapper_in_channels: Option<i64>,
    /// Side of the depthwise kernels.
    pub kernel_size: i64,
    /// Dropout of each level; no effect outside training, and none is applied here.
    pub dropout: PerLevel<f64>,
    /// Whether attention sees the picture's own tokens.
    pub self_attn: PerLevel<bool>,
    /// Further conditions of the timestep blocks.
    pub timestep_conditioning_type: Vec<String>,
    /// Whether each step between levels changes the resolution by bilinear resizing;
    /// `None` uses strided convolutions.
    pub switch_level: Option<Vec<bool>>,
    /// The fields that are not named here.
    #[serde(flatten, skip_serializing)]
    pub unread: Unread,
}

impl Default for StableCascadeUNetConfig {
    fn default() -> Self {
        let layer = vec![BlockType::Res, BlockType::Timestep, BlockType::Attention];
        Self {
            in_channels: 16,
            out_channels: 16,
            timestep_ratio_embedding_dim: 64,
            patch_size: 1,
            conditioning_dim: 2048,
            block_out_channels: vec![2048, 2048],
            num_attention_heads: vec![32, 32],
            down_num_layers_per_block: vec![8, 24],
            up_num_layers_per_block: vec![24, 8],
            down_blocks_repeat_mappers: Some(vec![1, 1]),
            up_blocks_repeat_mappers: Some(vec![1, 1]),
            block_types_per_layer: vec![layer.clone(), layer],
            clip_text_in_channels: None,
            clip_text_pooled_in_channels: 1280,
            clip_image_in_channels: None,
            clip_seq: 4,
            effnet_in_channels: None,
            pixel_mapper_in_channels: None,
            kernel_size: 3,
            dropout: PerLevel::All(0.1),
            self_attn: PerLevel::All(true),
            timestep_conditioning_type: vec!["sca".into(), "crp".into()],
            switch_level: None,
            unread: Unread::default(),
        }
    }
}

impl StableCascadeUNetConfig {
    pub(super) fn levels(&self) -> usize {
        self.block_out_channels.len()
    }

    /// How often the layers of `level` run: (down, up).
    pub(super) fn repeats(&self, level: usize) -> (i64, i64) {
        let down = self.down_blocks_repeat_mappers.as_ref();
        let up = self.up_blocks_repeat_mappers.as_ref();
        (
            down.map_or(1, |r| r[level]),
            up.map_or(1, |r| r[self.levels() - 1 - level]),
        )
    }

    pub(super) fn validate(&self) -> Result<(), WeightsError> {
        let network = "the Stable Cascade U-Net";
        self.unread.check(network)?;
        self.unread.check_class(network, "StableCascadeUNet")?;
        let levels = self.levels();
        let repeats = |r: &Option<Vec<i64>>| r.as_ref().map_or(levels, Vec::len);
        let lengths = [
            ("num_attention_heads", self.num_attention_heads.len()),
            (
                "down_num_layers_per_block",
                self.down_num_layers_per_block.len(),
            ),
            (
                "up_num_layers_per_block",
                self.up_num_layers_per_block.len(),
            ),
            ("block_types_per_layer", self.block_types_per_layer.len()),
            (
                "down_blocks_repeat_mappers",
                repeats(&self.down_blocks_repeat_mappers),
            ),
            (
                "up_blocks_repeat_mappers",
                repeats(&self.up_blocks_repeat_mappers),
            ),
        ];
        for (field, length) in lengths {
            if length != levels {
                return Err(config_error(format!(
                    "`{field}` has {length} entries for {levels} levels of `block_out_channels`"
                )));
            }
        }
        self.validate_sizes()?;
        if self
            .switch_level
            .as_ref()
            .is_some_and(|s| s.len() + 1 < levels)
        {
            return Err(config_error(
                "`switch_level` is shorter than the steps between levels",
            ));
        }
        for level in 0..levels {
            let (channels, heads) = (
                self.block_out_channels[level],
                self.num_attention_heads[level],
            );
            let attends = self.block_types_per_layer[level].contains(&BlockType::Attention);
            if attends && (heads < 1 || channels % heads != 0) {
                return Err(config_error(format!(
                    "`num_attention_heads` {heads} does not divide {channels} channels at level {level}"
                )));
            }
            if self.self_attn.at(level).is_none() {
                return Err(config_error("`self_attn` has too few entries"));
            }
        }
        Ok(())
    }
    /// Checks every number on its own; the lists have one entry a level.
    fn validate_sizes(&self) -> Result<(), WeightsError> {
        let lists: [(&'static str, &[i64]); 4] = [
            ("block_out_channels", &self.block_out_channels),
            (
                "down_blocks_repeat_mappers",
                self.down_blocks_repeat_mappers.as_deref().unwrap_or(&[]),
            ),
            (
                "up_blocks_repeat_mappers",
                self.up_blocks_repeat_mappers.as_deref().unwrap_or(&[]),
            ),
            ("block_out_channels", &[self.levels() as i64]),
        ];
        let optional = [
            ("clip_text_in_channels", self.clip_text_in_channels),
            ("clip_image_in_channels", self.clip_image_in_channels),
            ("effnet_in_channels", self.effnet_in_channels),
            ("pixel_mapper_in_channels", self.pixel_mapper_in_channels),
        ];
        let mut sizes = vec![
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("patch_size", self.patch_size),
            ("conditioning_dim", self.conditioning_dim),
            (
                "clip_text_pooled_in_channels",
                self.clip_text_pooled_in_channels,
            ),
            ("clip_seq", self.clip_seq),
            ("kernel_size", self.kernel_size),
        ];
        sizes.extend(
            optional
                .iter()
                .filter_map(|&(field, size)| Some((field, size?))),
        );
        for (field, list) in lists {
            sizes.extend(list.iter().map(|&size| (field, size)));
        }
        check_positive(&sizes)?;
        if self.kernel_size % 2 == 0 {
            return Err(config_error(format!(
                "`kernel_size` is {}, an odd one keeps a block's resolution",
                self.kernel_size
            )));
        }
        // The frequencies are spread over half the embedding, and one alone has no spread.
        if self.timestep_ratio_embedding_dim < 4 {
            return Err(config_error(format!(
                "`timestep_ratio_embedding_dim` is {}, at least 4 is needed",
                self.timestep_ratio_embedding_dim
            )));
        }
        Ok(())
    }
}
