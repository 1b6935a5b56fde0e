//! The CLIP vision encoder with projection, as transformers' `CLIPVisionModelWithProjection`:
//! its config.json and its tensor names.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::networks::NetworkError;
use crate::networks::attention::Mask;
use crate::networks::config::{Unread, check_divides, check_model_type, check_positive};
use crate::networks::layers::{Conv2d, Conv2dOptions, LayerNorm, Linear};
use crate::networks::transformer::{Activation, Embedding, Transformer, TransformerConfig};
use crate::weights::{Init, Params, WeightsError};

/// The fields of a CLIP vision encoder's config.json, with transformers' defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipVisionConfig {
    /// "clip_vision_model".
    pub model_type: String,
    /// Channels of the patch states.
    pub hidden_size: i64,
    /// Channels inside the feed-forward.
    pub intermediate_size: i64,
    /// Channels of the projected embedding.
    pub projection_dim: i64,
    /// Number of layers.
    pub num_hidden_layers: i64,
    /// Attention heads.
    pub num_attention_heads: i64,
    /// Channels of the picture.
    pub num_channels: i64,
    /// Side of the square picture, in pixels.
    pub image_size: i64,
    /// Side of a square patch, in pixels.
    pub patch_size: i64,
    /// Nonlinearity of the feed-forward.
    pub hidden_act: Activation,
    /// Epsilon of the layer norms.
    pub layer_norm_eps: f64,
    /// The fields that are not named here.
    #[serde(flatten, skip_serializing)]
    pub unread: Unread,
}

impl Default for ClipVisionConfig {
    fn default() -> Self {
        Self {
            model_type: "clip_vision_model".into(),
            hidden_size: 768,
            intermediate_size: 3072,
            projection_dim: 512,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
            unread: Unread::default(),
        }
    }
}

impl ClipVisionConfig {
    fn validate(&self) -> Result<(), WeightsError> {
        let network = "the CLIP vision encoder";
        self.unread.check(network)?;
        check_model_type(network, &self.model_type, "clip_vision_model")?;
        let heads = ("num_attention_heads", self.num_attention_heads);
        let channels = ("hidden_size", self.hidden_size);
        check_positive(&[
            heads,
            channels,
            ("intermediate_size", self.intermediate_size),
            ("projection_dim", self.projection_dim),
            ("num_channels", self.num_channels),
            ("image_size", self.image_size),
            ("patch_size", self.patch_size),
        ])?;
        check_divides(heads, channels)
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

/// What the vision encoder says about a batch of pictures.
#[derive(Debug)]
pub struct ClipVisionOutput {
    /// The projected class state, `[B, projection_dim]`: Stable Cascade's image condition.
    pub image_embeds: Tensor,
    /// The last layer's output, `[B, 1 + patches, hidden_size]`; as in transformers, the final
    /// norm is applied to the class state alone, on the way to `image_embeds`.
    pub last_hidden_state: Tensor,
    /// The normed embeddings and each layer's output: `num_hidden_layers + 1` tensors
    /// `[B, 1 + patches, hidden_size]`.
    pub hidden_states: Vec<Tensor>,
}

/// The CLIP vision encoder with projection.
pub struct ClipVisionModelWithProjection {
    class_embedding: Tensor,
    patch_embedding: Conv2d,
    position_embedding: Embedding,
    pre_layernorm: LayerNorm,
    encoder: Transformer,
    post_layernorm: LayerNorm,
    visual_projection: Linear,
    config: ClipVisionConfig,
}

impl ClipVisionModelWithProjection {
    /// Takes its parameters from `params` (`vision_model.…`, `visual_projection.weight`).
    ///
    /// # Errors
    /// The configuration asks for something that is not built; a tensor is missing or of
    /// another shape.
    pub fn new(params: &Params, config: ClipVisionConfig) -> Result<Self, WeightsError> {
        config.validate()?;
        let vision = params.sub("vision_model");
        let embeddings = vision.sub("embeddings");
        let (c, eps) = (config.hidden_size, config.layer_norm_eps);
        let patches = Conv2dOptions {
            kernel: config.patch_size,
            stride: config.patch_size,
            bias: false,
            ..Conv2dOptions::default()
        };
        let positions = (config.image_size / config.patch_size).pow(2) + 1;
        Ok(Self {
            class_embedding: embeddings.tensor(
                "class_embedding",
                &[c],
                Init::Normal { std: 0.02 },
            )?,
            patch_embedding: Conv2d::new(
                &embeddings.sub("patch_embedding"),
                config.num_channels,
                c,
                patches,
            )?,
            position_embedding: Embedding::new(
                &embeddings.sub("position_embedding"),
                positions,
                c,
            )?,
            // The name is misspelt in the reference, and so in every file.
            pre_layernorm: LayerNorm::new(&vision.sub("pre_layrnorm"), c, eps)?,
            encoder: Transformer::new(&vision.sub("encoder"), &config.transformer())?,
            post_layernorm: LayerNorm::new(&vision.sub("post_layernorm"), c, eps)?,
            visual_projection: Linear::without_bias(
                &params.sub("visual_projection"),
                c,
                config.projection_dim,
            )?,
            config,
        })
    }

    /// The configuration that the network was made with.
    pub fn config(&self) -> &ClipVisionConfig {
        &self.config
    }

    /// Encodes pictures `[B, num_channels, image_size, image_size]`, normalised as the folder's
    /// preprocessor_config.json says, in the parameters' dtype.
    ///
    /// # Errors
    /// The pictures have another size.
    pub fn forward(&self, pixel_values: &Tensor) -> Result<ClipVisionOutput, NetworkError> {
        let (batch, _, height, width) = pixel_values.size4()?;
        let side = self.config.image_size;
        if height != side || width != side {
            return Err(NetworkError::PictureSize {
                height,
                width,
                side,
            });
        }
        let patches = self
            .patch_embedding
            .forward(pixel_values)
            .flatten(2, 3)
            .transpose(1, 2);
        let class = self
            .class_embedding
            .expand([batch, 1, self.config.hidden_size], false);
        let positions = self.position_embedding.table();
        let x = Tensor::cat(&[class, patches], 1) + positions;
        let hidden_states = self
            .encoder
            .forward(&self.pre_layernorm.forward(&x), &Mask::Full);
        let last_hidden_state = hidden_states[hidden_states.len() - 1].shallow_clone();
        let pooled = self.post_layernorm.forward(&last_hidden_state.select(1, 0));
        Ok(ClipVisionOutput {
            image_embeds: self.visual_projection.forward(&pooled),
            last_hidden_state,
            hidden_states,
        })
    }
}
