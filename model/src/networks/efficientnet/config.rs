//! The fields of an EfficientNet encoder's config.json.

use serde::{Deserialize, Serialize};

use crate::networks::config::{Unread, check_positive, config_error, unsupported};
use crate::weights::WeightsError;

/// The fields of an EfficientNet encoder's config.json, as diffusers' Würstchen examples name
/// them. The official release has no file: it is all defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EfficientNetEncoderConfig {
    /// Channels of the latent.
    pub c_latent: i64,
    /// Channels of the backbone's features.
    pub c_cond: i64,
    /// Which of torchvision's backbones; only "efficientnet_v2_s" is built.
    pub effnet: String,
    /// A backbone of other sizes, as torchvision's argument of this name; absent: that of
    /// `effnet`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inverted_residual_setting: Option<Vec<StageConfig>>,
    /// The fields that are not named here.
    #[serde(flatten, skip_serializing)]
    pub unread: Unread,
}

impl Default for EfficientNetEncoderConfig {
    fn default() -> Self {
        Self {
            c_latent: 16,
            c_cond: 1280,
            effnet: "efficientnet_v2_s".into(),
            inverted_residual_setting: None,
            unread: Unread::default(),
        }
    }
}

/// What a stage's blocks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlockKind {
    /// Expansion and spatial mixing in one convolution.
    #[serde(rename = "FusedMBConv")]
    Fused,
    /// Expansion, depthwise convolution, squeeze and excitation.
    #[serde(rename = "MBConv")]
    Depthwise,
}

/// One stage, with the names of torchvision's `FusedMBConvConfig` and `MBConvConfig`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageConfig {
    /// The kind of block.
    pub block: BlockKind,
    /// How many times as many channels a block has inside.
    pub expand_ratio: f64,
    /// Side of the spatial kernel.
    pub kernel: i64,
    /// Step of the first block's spatial convolution, 1 or 2.
    pub stride: i64,
    /// Channels before the stage.
    pub input_channels: i64,
    /// Channels after it.
    pub out_channels: i64,
    /// Blocks.
    pub num_layers: i64,
}

impl StageConfig {
    /// The `layer`-th block: only the first changes resolution and channels.
    pub(super) fn layer(&self, layer: i64) -> Self {
        match layer {
            0 => self.clone(),
            _ => Self {
                input_channels: self.out_channels,
                stride: 1,
                ..self.clone()
            },
        }
    }

    /// Channels inside a block: torchvision rounds to multiples of 8, never down by more than
    /// a tenth.
    pub(super) fn expanded(&self) -> i64 {
        let wanted = self.input_channels as f64 * self.expand_ratio;
        let rounded = ((wanted + 4.0) as i64 / 8 * 8).max(8);
        match (rounded as f64) < 0.9 * wanted {
            true => rounded + 8,
            false => rounded,
        }
    }

    fn validate(&self) -> Result<(), WeightsError> {
        check_positive(&[
            ("kernel", self.kernel),
            ("stride", self.stride),
            ("input_channels", self.input_channels),
            ("out_channels", self.out_channels),
            ("num_layers", self.num_layers),
        ])?;
        let odd = self.kernel % 2 == 1;
        match odd && self.stride <= 2 && self.expand_ratio > 0.0 {
            true => Ok(()),
            false => Err(config_error(
                "a stage of `inverted_residual_setting` needs an odd `kernel`, a `stride` of 1 or \
                 2 and an `expand_ratio` above 0",
            )),
        }
    }
}

impl EfficientNetEncoderConfig {
    /// The backbone's stages.
    ///
    /// # Errors
    /// A field asks for something that is not built.
    pub(super) fn stages(&self) -> Result<Vec<StageConfig>, WeightsError> {
        let network = "the EfficientNet encoder";
        self.unread.check(network)?;
        self.unread.check_class(network, "EfficientNetEncoder")?;
        check_positive(&[("c_latent", self.c_latent), ("c_cond", self.c_cond)])?;
        if self.effnet != "efficientnet_v2_s" {
            return Err(unsupported(network, "effnet", &self.effnet));
        }
        let stages = self
            .inverted_residual_setting
            .clone()
            .unwrap_or_else(efficientnet_v2_s);
        if stages.is_empty() {
            return Err(config_error("`inverted_residual_setting` has no stage"));
        }
        for stage in &stages {
            stage.validate()?;
        }
        Ok(stages)
    }
}

/// Table 4 of the paper.
fn efficientnet_v2_s() -> Vec<StageConfig> {
    use BlockKind::{Depthwise, Fused};
    [
        (Fused, 1.0, 1, 24, 24, 2),
        (Fused, 4.0, 2, 24, 48, 4),
        (Fused, 4.0, 2, 48, 64, 4),
        (Depthwise, 4.0, 2, 64, 128, 6),
        (Depthwise, 6.0, 1, 128, 160, 9),
        (Depthwise, 6.0, 2, 160, 256, 15),
    ]
    .map(
        |(block, expand_ratio, stride, input_channels, out_channels, num_layers)| StageConfig {
            block,
            expand_ratio,
            kernel: 3,
            stride,
            input_channels,
            out_channels,
            num_layers,
        },
    )
    .to_vec()
}
