//! Preference attention: a second attention, to preference tokens, beside the fused
//! attention of every block of Stage C (PPD, arXiv 2501.06655, after IP-Adapter).
//!
//! Both share the query; the outputs add up before the output projection:
//! `softmax(QKᵀ/√d)V + softmax(QK'ᵀ/√d)V'` with `K' = uW'k`, `V' = uW'v`. `W'v` starts at
//! zero, so an untrained adapter leaves the network exactly as it was; zero tokens do so
//! always, because neither projection has a bias.

use tch::{Kind, Tensor};

use super::attention::{Mask, attend, split_heads};
use super::config::config_error;
use super::layers::{Linear, plain_layer_norm};
use crate::weights::{Init, Params, WeightsError};

/// `config.json` of an adapter.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PreferenceAttentionConfig {
    /// Size of one hidden state of the vision-language model.
    pub embedding_dim: i64,
    /// Hidden states of one preference embedding: its layers and the token embedding.
    pub embedding_layers: i64,
    /// Size of a preference token.
    pub token_dim: i64,
    /// The published model that it was trained for, full or lite; the mini's says none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_for: Option<String>,
}

impl PreferenceAttentionConfig {
    /// Checks that it was trained for the model of this name, as far as it says.
    ///
    /// # Errors
    /// It was trained for another one.
    pub(crate) fn check_model(&self, name: &str) -> Result<(), WeightsError> {
        match &self.trained_for {
            Some(other) if other != name => Err(config_error(format!(
                "`trained_for`: this preference attention was trained for {other}, and the model \
                 is {name}: take that model, or train one for this"
            ))),
            _ => Ok(()),
        }
    }
}

struct BlockProjections {
    heads: i64,
    to_k: Linear,
    to_v: Linear,
}

/// The adapter: one projection shared by all blocks, and W'k, W'v for each.
pub struct PreferenceAttention {
    projection: Linear,
    /// Tells the layers of the embedding apart, `[embedding_layers, token_dim]`.
    layer_embedding: Tensor,
    /// The tokens of everybody at once, `[embedding_layers, token_dim]`.
    population: Tensor,
    blocks: Vec<BlockProjections>,
    config: PreferenceAttentionConfig,
}

impl PreferenceAttention {
    /// Takes the parameters for attention blocks of these (channels, heads), in the order
    /// of running.
    pub fn new(
        params: &Params,
        config: PreferenceAttentionConfig,
        attention_blocks: &[(i64, i64)],
    ) -> Result<Self, WeightsError> {
        let token = config.token_dim;
        let projection = Linear::new(&params.sub("projection"), config.embedding_dim, token)?;
        let shape = [config.embedding_layers, token];
        let layer_embedding =
            params.tensor("layer_embedding", &shape, Init::Normal { std: 0.02 })?;
        let population = params.tensor("population", &shape, Init::Normal { std: 0.02 })?;
        let blocks = attention_blocks
            .iter()
            .enumerate()
            .map(|(i, &(channels, heads))| {
                let block = params.sub("blocks").sub(i);
                let zero = Init::Const(0.0);
                Ok(BlockProjections {
                    heads,
                    to_k: Linear::without_bias(&block.sub("to_k"), token, channels)?,
                    to_v: Linear::init(&block.sub("to_v"), token, channels, zero, false)?,
                })
            })
            .collect::<Result<_, WeightsError>>()?;
        Ok(Self {
            projection,
            layer_embedding,
            population,
            blocks,
            config,
        })
    }

    /// The configuration that the adapter was made with.
    pub fn config(&self) -> &PreferenceAttentionConfig {
        &self.config
    }

    /// Preference tokens of hidden states `[B, embedding_layers, embedding_dim]`:
    /// `[B, embedding_layers, token_dim]`. Blending is linear in what this returns.
    pub fn tokens(&self, hidden: &Tensor) -> Tensor {
        self.project(&Self::normalised(hidden)) + &self.layer_embedding
    }

    /// Hidden states as they are projected, f32: those of different layers differ in scale by
    /// orders of magnitude.
    pub(crate) fn normalised(hidden: &Tensor) -> Tensor {
        plain_layer_norm(&hidden.to_kind(Kind::Float))
    }

    /// The projection alone of [`Self::normalised`] states `[…, embedding_dim]`.
    pub(crate) fn project(&self, normalised: &Tensor) -> Tensor {
        let kind = self.projection.weight.kind();
        self.projection.forward(&normalised.to_kind(kind))
    }

    /// What is added to the tokens of each layer, `[embedding_layers, token_dim]`.
    pub(crate) fn layer_embedding(&self) -> &Tensor {
        &self.layer_embedding
    }

    /// The learned tokens of the population as a whole, `[1, embedding_layers, token_dim]`:
    /// with them the adapter is a Diffusion-DPO of all people together, which no user
    /// condition tells apart.
    pub fn population(&self) -> Tensor {
        self.population.unsqueeze(0)
    }

    /// Keys and values of every block for preference tokens `[B, n, token_dim]`; a sample
    /// whose tokens are all zero is left as it is without preference.
    pub fn condition(&self, tokens: &Tensor) -> PreferenceCondition {
        let block = |block: &BlockProjections| {
            let heads = |linear: &Linear| split_heads(&linear.forward(tokens), block.heads);
            (heads(&block.to_k), heads(&block.to_v))
        };
        PreferenceCondition {
            keys_values: self.blocks.iter().map(block).collect(),
        }
    }
}

/// The preference keys and values of one forward pass, `[B, heads, n, d]` each.
pub struct PreferenceCondition {
    keys_values: Vec<(Tensor, Tensor)>,
}

impl PreferenceCondition {
    /// What attention block `index` adds for its queries `[B, heads, n, d]`.
    pub(super) fn attend(&self, index: usize, query: &Tensor) -> Tensor {
        let (key, value) = &self.keys_values[index];
        attend(query, key, value, &Mask::Full)
    }
}
