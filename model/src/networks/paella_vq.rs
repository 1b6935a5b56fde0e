//! Stage A: the VQ autoencoder of Paella (Rampas et al., 2022), after diffusers
//! `pipelines/deprecated/wuerstchen/modeling_paella_vq_model.py`.

use tch::Tensor;

use super::config::{Unread, check_positive, config_error};
use super::layers::{
    BatchNorm2d, BatchNormOptions, Conv2d, Conv2dOptions, ConvTranspose2d, Linear, channels_first,
    channels_last,
};
use crate::weights::{Init, Params, WeightsError};

/// `config.json`, with diffusers' field names and defaults.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct PaellaVqConfig {
    /// Channels of the picture.
    pub in_channels: i64,
    /// Channels of the reconstruction.
    pub out_channels: i64,
    /// Side of the square of pixels that becomes one position.
    pub up_down_scale_factor: i64,
    /// Resolutions; each further one halves.
    pub levels: u32,
    /// Blocks at the lowest resolution on the way up.
    pub bottleneck_blocks: usize,
    /// Channels at the lowest resolution; each higher one has half.
    pub embed_dim: i64,
    /// Channels of the latent.
    pub latent_channels: i64,
    /// Size of the codebook.
    pub num_vq_embeddings: i64,
    /// What a decoder's latent is multiplied by before `decode`.
    pub scale_factor: f64,
    /// The fields that are not named here.
    #[serde(flatten, skip_serializing)]
    pub unread: Unread,
}

impl Default for PaellaVqConfig {
    fn default() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            up_down_scale_factor: 2,
            levels: 2,
            bottleneck_blocks: 12,
            embed_dim: 384,
            latent_channels: 4,
            num_vq_embeddings: 8192,
            scale_factor: 0.3764,
            unread: Unread::default(),
        }
    }
}

impl PaellaVqConfig {
    /// Side of the square of pixels that one position of the latent becomes.
    pub fn pixels_per_position(&self) -> i64 {
        let halvings = 2i64.saturating_pow(self.levels.saturating_sub(1));
        self.up_down_scale_factor.saturating_mul(halvings)
    }

    fn validate(&self) -> Result<(), WeightsError> {
        let network = "Stage A";
        self.unread.check(network)?;
        self.unread.check_class(network, "PaellaVQModel")?;
        check_positive(&[
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("up_down_scale_factor", self.up_down_scale_factor),
            ("levels", self.levels.into()),
            ("embed_dim", self.embed_dim),
            ("latent_channels", self.latent_channels),
            ("num_vq_embeddings", self.num_vq_embeddings),
        ])?;
        // Every level above the lowest has half the channels of the one below.
        if self
            .embed_dim
            .checked_shr(self.levels - 1)
            .is_none_or(|first| first < 1)
        {
            return Err(config_error(format!(
                "`embed_dim` {} cannot be halved for {} `levels`",
                self.embed_dim, self.levels
            )));
        }
        Ok(())
    }
}

/// Depthwise and channelwise mixing, each modulated by three learned scalars.
struct MixingResidualBlock {
    depthwise: Conv2d,
    expand: Linear,
    contract: Linear,
    gammas: Tensor,
}

impl MixingResidualBlock {
    fn new(params: &Params, channels: i64) -> Result<Self, WeightsError> {
        let depthwise = Conv2dOptions {
            kernel: 3,
            groups: channels,
            ..Default::default()
        };
        let channelwise = params.sub("channelwise");
        Ok(Self {
            depthwise: Conv2d::new(&params.sub("depthwise.1"), channels, channels, depthwise)?,
            expand: Linear::new(&channelwise.sub(0), channels, channels * 4)?,
            contract: Linear::new(&channelwise.sub(2), channels * 4, channels)?,
            gammas: params.tensor("gammas", &[6], Init::Const(0.0))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let m: Vec<Tensor> = self.gammas.unbind(0);
        let channels = x.size()[1];
        // The scalars go into the norm as its weight and bias: no passes of their own.
        let modulated = |x: &Tensor, scale: &Tensor, shift: &Tensor| {
            let spread = |scalar: &Tensor| scalar.expand([channels], false).contiguous();
            let (weight, bias) = (spread(&(scale + 1.0)), spread(shift));
            channels_last(x).layer_norm([channels], Some(&weight), Some(&bias), 1e-6, true)
        };
        let padded = channels_first(&modulated(x, &m[0], &m[1])).replication_pad2d([1, 1, 1, 1]);
        let x = x.addcmul(&self.depthwise.forward(&padded), &m[2]);
        let mixed = self
            .expand
            .forward(&modulated(&x, &m[3], &m[4]))
            .gelu("none");
        x.addcmul(&channels_first(&self.contract.forward(&mixed)), &m[5])
    }
}

enum Layer {
    Mix(MixingResidualBlock),
    Conv(Conv2d),
    Up(ConvTranspose2d),
}

impl Layer {
    fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Mix(block) => block.forward(x),
            Self::Conv(conv) => conv.forward(x),
            Self::Up(conv) => conv.forward(x),
        }
    }
}

/// The autoencoder. Pictures are in [0, 1].
pub struct PaellaVq {
    config: PaellaVqConfig,
    in_block: Conv2d,
    down: Vec<Layer>,
    to_latent: Conv2d,
    latent_norm: BatchNorm2d,
    codebook: Tensor,
    up: Vec<Layer>,
    out_block: Conv2d,
}

impl PaellaVq {
    /// Takes the parameters under diffusers' names.
    pub fn new(params: &Params, config: PaellaVqConfig) -> Result<Self, WeightsError> {
        config.validate()?;
        let levels = config.levels as usize;
        let channels = |level: usize| config.embed_dim >> (levels - 1 - level);
        let patch = config.up_down_scale_factor * config.up_down_scale_factor;
        let plain = Conv2dOptions::default();
        let strided = Conv2dOptions {
            kernel: 4,
            stride: 2,
            padding: 1,
            ..plain
        };

        let in_block = Conv2d::new(
            &params.sub("in_block.1"),
            config.in_channels * patch,
            channels(0),
            plain,
        )?;
        let down_params = params.sub("down_blocks");
        let mut down = Vec::new();
        for level in 0..levels {
            if level > 0 {
                let at = down_params.sub(down.len());
                down.push(Layer::Conv(Conv2d::new(
                    &at,
                    channels(level - 1),
                    channels(level),
                    strided,
                )?));
            }
            let at = down_params.sub(down.len());
            down.push(Layer::Mix(MixingResidualBlock::new(&at, channels(level))?));
        }
        let last = down_params.sub(down.len());
        let latent = config.latent_channels;
        let unbiased = Conv2dOptions {
            bias: false,
            ..plain
        };
        let to_latent = Conv2d::new(&last.sub(0), config.embed_dim, latent, unbiased)?;
        let latent_norm = BatchNorm2d::new(&last.sub(1), latent, BatchNormOptions::default())?;
        let entries = config.num_vq_embeddings;
        let codebook = params.tensor(
            "vquantizer.embedding.weight",
            &[entries, latent],
            Init::Normal { std: 1.0 },
        )?;

        let up_params = params.sub("up_blocks");
        let mut up = vec![Layer::Conv(Conv2d::new(
            &up_params.sub("0.0"),
            latent,
            config.embed_dim,
            plain,
        )?)];
        for level in (0..levels).rev() {
            let blocks = if level == levels - 1 {
                config.bottleneck_blocks
            } else {
                1
            };
            for _ in 0..blocks {
                let at = up_params.sub(up.len());
                up.push(Layer::Mix(MixingResidualBlock::new(&at, channels(level))?));
            }
            if level > 0 {
                let at = up_params.sub(up.len());
                let conv =
                    ConvTranspose2d::new(&at, channels(level), channels(level - 1), 4, 2, 1)?;
                up.push(Layer::Up(conv));
            }
        }
        let out_block = Conv2d::new(
            &params.sub("out_block.0"),
            channels(0),
            config.out_channels * patch,
            plain,
        )?;
        Ok(Self {
            config,
            in_block,
            down,
            to_latent,
            latent_norm,
            codebook,
            up,
            out_block,
        })
    }

    /// The configuration that the network was made with.
    pub fn config(&self) -> &PaellaVqConfig {
        &self.config
    }

    /// Pictures `[B, 3, h, w]` in [0, 1] to latents `[B, latent_channels, h/4, w/4]` of
    /// about zero mean and unit variance (for the default two levels). `train` normalises
    /// by the batch's own statistics and updates the running ones.
    pub fn encode(&self, pictures: &Tensor, train: bool) -> Tensor {
        // Into channels-last order once; every block keeps it.
        let patches = pictures.pixel_unshuffle(self.config.up_down_scale_factor);
        let patches = channels_first(&channels_last(&patches).contiguous());
        let mut x = self.in_block.forward(&patches);
        for layer in &self.down {
            x = layer.forward(&x);
        }
        self.latent_norm.forward(&self.to_latent.forward(&x), train)
    }

    /// Latents `[B, latent_channels, h, w]` to pictures `[B, 3, 4h, 4w]`, not clamped.
    pub fn decode(&self, latents: &Tensor) -> Tensor {
        let mut x = channels_first(&channels_last(latents).contiguous());
        for layer in &self.up {
            x = layer.forward(&x);
        }
        let out = self.out_block.forward(&x);
        out.contiguous()
            .pixel_shuffle(self.config.up_down_scale_factor)
    }

    /// The nearest codebook entries of `latents` (`[B, latent_channels, h, w]`), same shape.
    pub fn quantize(&self, latents: &Tensor) -> Tensor {
        let flat = channels_last(latents).contiguous();
        let rows = flat.view([-1, self.config.latent_channels]);
        // |z − e|² without |z|², which is the same for every entry of a row.
        let distance = self
            .codebook
            .square()
            .sum_dim_intlist([1i64].as_slice(), false, None)
            - rows.matmul(&self.codebook.tr()) * 2.0;
        let nearest = self.codebook.index_select(0, &distance.argmin(1, false));
        channels_first(&nearest.view_as(&flat))
    }
}
