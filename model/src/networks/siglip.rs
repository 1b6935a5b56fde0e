//! The SigLIP vision tower (Zhai et al. 2023), as transformers' `SiglipVisionModel`.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::NetworkError;
use super::attention::{Mask, attend_side_by_side};
use super::config::{Unread, check_divides, check_model_type, check_positive};
use super::layers::{Conv2d, Conv2dOptions, LayerNorm, Linear};
use super::transformer::{Activation, Embedding, Mlp, Transformer, TransformerConfig};
use crate::weights::{Init, Params, WeightsError};

/// The fields of a SigLIP vision tower's config.json, with transformers' defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SiglipVisionConfig {
    /// "siglip_vision_model".
    pub model_type: String,
    /// Channels of the patch states.
    pub hidden_size: i64,
    /// Channels inside the feed-forward.
    pub intermediate_size: i64,
    /// Number of layers.
    pub num_hidden_layers: i64,
    /// Attention heads.
    pub num_attention_heads: i64,
    /// Channels of the picture.
    pub num_channels: i64,
    /// Side of the square picture it was trained on, in pixels.
    pub image_size: i64,
    /// Side of a square patch, in pixels.
    pub patch_size: i64,
    /// Nonlinearity of the feed-forward.
    pub hidden_act: Activation,
    /// Epsilon of the layer norms.
    pub layer_norm_eps: f64,
    /// Whether it has the attention-pooling head.
    pub vision_use_head: bool,
    /// The fields that are not named here.
    #[serde(flatten, skip_serializing)]
    pub unread: Unread,
}

impl Default for SiglipVisionConfig {
    fn default() -> Self {
        Self {
            model_type: "siglip_vision_model".into(),
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 16,
            hidden_act: Activation::GeluTanh,
            layer_norm_eps: 1e-6,
            vision_use_head: true,
            unread: Unread::default(),
        }
    }
}

impl SiglipVisionConfig {
    /// # Errors
    /// A field asks for something that is not built.
    pub(super) fn validate(&self) -> Result<(), WeightsError> {
        let network = "the SigLIP vision tower";
        // Of the text tower that it was trained with.
        let unread = self.unread.without(&["projection_dim", "vocab_size"]);
        unread.check(network)?;
        check_model_type(network, &self.model_type, "siglip_vision_model")?;
        let heads = ("num_attention_heads", self.num_attention_heads);
        let channels = ("hidden_size", self.hidden_size);
        check_positive(&[
            heads,
            channels,
            ("intermediate_size", self.intermediate_size),
            ("num_channels", self.num_channels),
            ("patch_size", self.patch_size),
            ("image_size", self.image_size),
        ])?;
        check_divides(heads, channels)
    }

    /// Patches along one side of the square picture it was trained on.
    pub fn patches_per_side(&self) -> i64 {
        self.image_size / self.patch_size
    }

    fn transformer(&self) -> TransformerConfig {
        TransformerConfig {
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            activation: self.hidden_act,
            layer_norm_eps: self.layer_norm_eps,
        }
    }
}

/// Where the position embeddings of a picture come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// The trained grid; the picture has exactly its patches.
    Trained,
    /// The trained grid, bicubically stretched to the picture's (`interpolate_pos_encoding`).
    Interpolated,
}

/// What the vision tower says about a batch of pictures.
#[derive(Debug)]
pub struct SiglipVisionOutput {
    /// The patch states after the final norm, `[B, patches, hidden_size]`.
    pub last_hidden_state: Tensor,
    /// The pooled picture, `[B, hidden_size]`; only with `vision_use_head`.
    pub pooler_output: Option<Tensor>,
    /// The embeddings and each layer's output before the final norm: `num_hidden_layers + 1`
    /// tensors `[B, patches, hidden_size]`.
    pub hidden_states: Vec<Tensor>,
}

/// The SigLIP vision tower.
pub struct SiglipVisionModel {
    patch_embedding: Conv2d,
    position_embedding: Embedding,
    encoder: Transformer,
    post_layernorm: LayerNorm,
    head: Option<PoolingHead>,
    config: SiglipVisionConfig,
}

impl SiglipVisionModel {
    /// Takes its parameters from `params`, under either of the names in use: `embeddings.…`, or
    /// `vision_model.embeddings.…` as folders had it before.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn new(params: &Params, config: SiglipVisionConfig) -> Result<Self, WeightsError> {
        config.validate()?;
        let params = match params.contains("embeddings") {
            true => params.clone(),
            false => params.sub("vision_model"),
        };
        let embeddings = params.sub("embeddings");
        let c = config.hidden_size;
        let head = config
            .vision_use_head
            .then(|| PoolingHead::new(&params.sub("head"), &config))
            .transpose()?;
        Ok(Self {
            patch_embedding: Conv2d::new(
                &embeddings.sub("patch_embedding"),
                config.num_channels,
                c,
                Conv2dOptions {
                    kernel: config.patch_size,
                    stride: config.patch_size,
                    ..Conv2dOptions::default()
                },
            )?,
            position_embedding: Embedding::new(
                &embeddings.sub("position_embedding"),
                config.patches_per_side().pow(2),
                c,
            )?,
            encoder: Transformer::new(&params.sub("encoder"), &config.transformer())?,
            post_layernorm: LayerNorm::new(
                &params.sub("post_layernorm"),
                c,
                config.layer_norm_eps,
            )?,
            head,
            config,
        })
    }

    /// The configuration that the network was made with.
    pub fn config(&self) -> &SiglipVisionConfig {
        &self.config
    }

    /// Pictures `[B, 3, h, w]` in [0, 1], of any size and dtype, as the tower reads them:
    /// `[B, 3, image_size, image_size]` in [-1, 1], resized bicubically with antialiasing as
    /// transformers' SigLIP processor does.
    pub fn preprocess(&self, pictures: &Tensor) -> Tensor {
        let side = self.config.image_size;
        let resized = match pictures.size()[2..] == [side, side] {
            true => pictures.shallow_clone(),
            // In f32: the antialiased kernels do not take bf16 on every device.
            false => pictures
                .to_kind(Kind::Float)
                .internal_upsample_bicubic2d_aa([side, side], false, None, None)
                .clamp(0.0, 1.0),
        };
        let kind = self.position_embedding.table().kind();
        (resized * 2.0 - 1.0).to_kind(kind)
    }

    /// Reads pictures `[B, num_channels, H, W]`, normalised as the folder's
    /// preprocessor_config.json says, in the parameters' dtype. Pixels past the last whole patch
    /// are left out.
    ///
    /// # Errors
    /// With [`Positions::Trained`] the picture has another number of patches than the tower
    /// was trained on.
    pub fn forward(
        &self,
        pixel_values: &Tensor,
        positions: Positions,
    ) -> Result<SiglipVisionOutput, NetworkError> {
        let (_, _, height, width) = pixel_values.size4()?;
        let x = self
            .patch_embedding
            .forward(pixel_values)
            .flatten(2, 3)
            .transpose(1, 2);
        let x = &x + self.positions(height, width, positions)?.to_kind(x.kind());
        let hidden_states = self.encoder.forward(&x, &Mask::Full);
        let last_hidden_state = self
            .post_layernorm
            .forward(&hidden_states[hidden_states.len() - 1]);
        let pooler_output = self
            .head
            .as_ref()
            .map(|head| head.forward(&last_hidden_state));
        Ok(SiglipVisionOutput {
            last_hidden_state,
            pooler_output,
            hidden_states,
        })
    }

    /// `[1, patches, hidden_size]` for a picture of this size in pixels.
    fn positions(
        &self,
        height: i64,
        width: i64,
        positions: Positions,
    ) -> Result<Tensor, NetworkError> {
        let (rows, columns) = (
            height / self.config.patch_size,
            width / self.config.patch_size,
        );
        let side = self.config.patches_per_side();
        let trained = self.position_embedding.table().unsqueeze(0);
        let same_count = rows * columns == side * side;
        match positions {
            Positions::Trained if same_count => Ok(trained),
            Positions::Trained => Err(NetworkError::PictureSize {
                height,
                width,
                side: self.config.image_size,
            }),
            Positions::Interpolated if same_count && height == width => Ok(trained),
            Positions::Interpolated => Ok(trained
                .view([1, side, side, self.config.hidden_size])
                .permute([0, 3, 1, 2])
                .upsample_bicubic2d([rows, columns], false, None, None)
                .flatten(2, 3)
                .transpose(1, 2)),
        }
    }
}

/// Attention pooling: one learned query over the patches, then a residual feed-forward.
struct PoolingHead {
    probe: Tensor,
    in_proj_weight: Tensor,
    in_proj_bias: Tensor,
    out: Linear,
    norm: LayerNorm,
    mlp: Mlp,
    heads: i64,
}

impl PoolingHead {
    fn new(params: &Params, config: &SiglipVisionConfig) -> Result<Self, WeightsError> {
        let c = config.hidden_size;
        let attention = params.sub("attention");
        Ok(Self {
            probe: params.tensor(
                "probe",
                &[1, 1, c],
                Init::Normal {
                    std: 1.0 / (c as f64).sqrt(),
                },
            )?,
            in_proj_weight: attention.tensor(
                "in_proj_weight",
                &[3 * c, c],
                Init::Normal {
                    std: 1.0 / (c as f64).sqrt(),
                },
            )?,
            in_proj_bias: attention.tensor("in_proj_bias", &[3 * c], Init::Const(0.0))?,
            out: Linear::new(&attention.sub("out_proj"), c, c)?,
            norm: LayerNorm::new(&params.sub("layernorm"), c, config.layer_norm_eps)?,
            mlp: Mlp::new(&params.sub("mlp"), &config.transformer())?,
            heads: config.num_attention_heads,
        })
    }

    /// `[B, patches, c]` to `[B, c]`.
    fn forward(&self, states: &Tensor) -> Tensor {
        let (batch, _, c) = (states.size()[0], states.size()[1], states.size()[2]);
        let weights = self.in_proj_weight.chunk(3, 0);
        let biases = self.in_proj_bias.chunk(3, 0);
        let probe = self.probe.expand([batch, 1, c], false);
        let attended = attend_side_by_side(
            &probe.linear(&weights[0], Some(&biases[0])),
            &states.linear(&weights[1], Some(&biases[1])),
            &states.linear(&weights[2], Some(&biases[2])),
            self.heads,
            &Mask::Full,
        );
        let x = self.out.forward(&attended);
        (&x + self.mlp.forward(&self.norm.forward(&x))).squeeze_dim(1)
    }
}
