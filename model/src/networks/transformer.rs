//! The pre-norm transformer that CLIP and SigLIP share, with the reference's tensor names
//! (`layers.N.{layer_norm1,self_attn.{q,k,v,out}_proj,layer_norm2,mlp.{fc1,fc2}}`).

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::attention::{Mask, attend_side_by_side};
use super::layers::{LayerNorm, Linear};
use crate::weights::{Init, Params, WeightsError};

/// A nonlinearity, by the names of transformers' `ACT2FN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// Exact GELU.
    #[serde(rename = "gelu")]
    Gelu,
    /// GELU by its tanh approximation.
    #[serde(rename = "gelu_pytorch_tanh", alias = "gelu_new")]
    GeluTanh,
    /// `x · σ(1.702 x)`.
    #[serde(rename = "quick_gelu")]
    QuickGelu,
    /// `x · σ(x)`.
    #[serde(rename = "silu", alias = "swish")]
    Silu,
    /// `max(x, 0)`.
    #[serde(rename = "relu")]
    Relu,
}

impl Activation {
    /// Element by element, in the input's shape and dtype.
    pub fn apply(self, x: &Tensor) -> Tensor {
        match self {
            Self::Gelu => x.gelu("none"),
            Self::GeluTanh => x.gelu("tanh"),
            Self::QuickGelu => x * (x * 1.702).sigmoid(),
            Self::Silu => x.silu(),
            Self::Relu => x.relu(),
        }
    }
}

/// A table of learned vectors.
pub struct Embedding {
    weight: Tensor,
}

impl Embedding {
    /// Takes `weight [count, channels]`.
    ///
    /// # Errors
    /// The tensor is missing or of another shape.
    pub fn new(params: &Params, count: i64, channels: i64) -> Result<Self, WeightsError> {
        let init = Init::Normal { std: 0.02 };
        Ok(Self {
            weight: params.tensor("weight", &[count, channels], init)?,
        })
    }

    /// Indices `[…]` i64 to `[…, channels]`.
    pub fn forward(&self, indices: &Tensor) -> Tensor {
        Tensor::embedding(&self.weight, indices, -1, false, false)
    }

    /// The whole table, `[count, channels]`.
    pub fn table(&self) -> &Tensor {
        &self.weight
    }
}

/// The sizes of a [`Transformer`].
#[derive(Debug, Clone, Copy)]
pub struct TransformerConfig {
    /// Channels of the residual stream.
    pub hidden_size: i64,
    /// Channels inside the feed-forward.
    pub intermediate_size: i64,
    /// Number of layers.
    pub num_hidden_layers: i64,
    /// Attention heads; they divide `hidden_size`.
    pub num_attention_heads: i64,
    /// Nonlinearity of the feed-forward.
    pub activation: Activation,
    /// Epsilon of every layer norm.
    pub layer_norm_eps: f64,
}

/// A stack of pre-norm layers without a final norm.
pub struct Transformer {
    layers: Vec<Layer>,
}

impl Transformer {
    /// Takes its parameters from `params` (`layers.N.…`).
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn new(params: &Params, config: &TransformerConfig) -> Result<Self, WeightsError> {
        let layers = (0..config.num_hidden_layers)
            .map(|i| Layer::new(&params.sub("layers").sub(i), config))
            .collect::<Result<_, _>>()?;
        Ok(Self { layers })
    }

    /// All hidden states: the input and each layer's output, `num_hidden_layers + 1` tensors
    /// `[B, S, hidden_size]`, in the input's dtype.
    pub fn forward(&self, x: &Tensor, mask: &Mask) -> Vec<Tensor> {
        let mut states = vec![x.shallow_clone()];
        for layer in &self.layers {
            let next = layer.forward(&states[states.len() - 1], mask);
            states.push(next);
        }
        states
    }
}

struct Layer {
    norm1: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: LayerNorm,
    mlp: Mlp,
    heads: i64,
}

impl Layer {
    fn new(params: &Params, config: &TransformerConfig) -> Result<Self, WeightsError> {
        let c = config.hidden_size;
        let attention = params.sub("self_attn");
        Ok(Self {
            norm1: LayerNorm::new(&params.sub("layer_norm1"), c, config.layer_norm_eps)?,
            query: Linear::new(&attention.sub("q_proj"), c, c)?,
            key: Linear::new(&attention.sub("k_proj"), c, c)?,
            value: Linear::new(&attention.sub("v_proj"), c, c)?,
            out: Linear::new(&attention.sub("out_proj"), c, c)?,
            norm2: LayerNorm::new(&params.sub("layer_norm2"), c, config.layer_norm_eps)?,
            mlp: Mlp::new(&params.sub("mlp"), config)?,
            heads: config.num_attention_heads,
        })
    }

    fn forward(&self, x: &Tensor, mask: &Mask) -> Tensor {
        let normed = self.norm1.forward(x);
        let attended = attend_side_by_side(
            &self.query.forward(&normed),
            &self.key.forward(&normed),
            &self.value.forward(&normed),
            self.heads,
            mask,
        );
        let x = x + self.out.forward(&attended);
        &x + self.mlp.forward(&self.norm2.forward(&x))
    }
}

/// Two linear maps with a nonlinearity between (`fc1`, `fc2`).
pub struct Mlp {
    fc1: Linear,
    fc2: Linear,
    activation: Activation,
}

impl Mlp {
    /// Takes `fc1.*` and `fc2.*` from `params`.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn new(params: &Params, config: &TransformerConfig) -> Result<Self, WeightsError> {
        let (c, inner) = (config.hidden_size, config.intermediate_size);
        Ok(Self {
            fc1: Linear::new(&params.sub("fc1"), c, inner)?,
            fc2: Linear::new(&params.sub("fc2"), inner, c)?,
            activation: config.activation,
        })
    }

    /// `[…, hidden_size]` to `[…, hidden_size]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.fc2
            .forward(&self.activation.apply(&self.fc1.forward(x)))
    }
}
