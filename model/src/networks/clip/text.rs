//! The CLIP text encoder with projection (Radford et al. 2021), as transformers'
//! `CLIPTextModelWithProjection`: its config.json and its tensor names.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::networks::NetworkError;
use crate::networks::attention::Mask;
use crate::networks::config::{Unread, check_divides, check_model_type, check_positive};
use crate::networks::layers::{LayerNorm, Linear};
use crate::networks::transformer::{Activation, Embedding, Transformer, TransformerConfig};
use crate::weights::{Params, WeightsError};

/// The fields of a CLIP text encoder's config.json, with transformers' defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipTextConfig {
    /// "clip_text_model".
    pub model_type: String,
    /// Number of tokens known.
    pub vocab_size: i64,
    /// Channels of the token states.
    pub hidden_size: i64,
    /// Channels inside the feed-forward.
    pub intermediate_size: i64,
    /// Channels of the projected embedding.
    pub projection_dim: i64,
    /// Number of layers.
    pub num_hidden_layers: i64,
    /// Attention heads.
    pub num_attention_heads: i64,
    /// The longest sequence.
    pub max_position_embeddings: i64,
    /// Nonlinearity of the feed-forward.
    pub hidden_act: Activation,
    /// Epsilon of the layer norms.
    pub layer_norm_eps: f64,
    /// The end-of-text token, where the sequence is pooled. 2 stands for the rule of older
    /// folders: the position of the highest token id.
    pub eos_token_id: i64,
    /// What shorter sequences are filled up with.
    pub pad_token_id: i64,
    /// The fields that are not named here.
    #[serde(flatten, skip_serializing)]
    pub unread: Unread,
}

impl Default for ClipTextConfig {
    fn default() -> Self {
        Self {
            model_type: "clip_text_model".into(),
            vocab_size: 49408,
            hidden_size: 512,
            intermediate_size: 2048,
            projection_dim: 512,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
            eos_token_id: 49407,
            pad_token_id: 1,
            unread: Unread::default(),
        }
    }
}

impl ClipTextConfig {
    /// Token ids of a batch of texts, start and end tokens included, as the encoder reads them:
    /// `[texts.len(), length]` i64 on the CPU. Longer texts are cut before their end token,
    /// shorter ones filled up with `pad`: the tokenizer's, which may be another than
    /// `pad_token_id`, as it is with the published CLIP; absent: `pad_token_id`.
    pub fn pack(&self, texts: &[Vec<i64>], pad: Option<i64>, length: i64) -> Tensor {
        let pad = pad.unwrap_or(self.pad_token_id);
        let length = length as usize;
        let mut packed = Vec::with_capacity(texts.len() * length);
        for ids in texts {
            match ids.len() > length {
                true => {
                    packed.extend_from_slice(&ids[..length - 1]);
                    packed.push(ids[ids.len() - 1]);
                }
                false => {
                    packed.extend_from_slice(ids);
                    packed.extend(std::iter::repeat_n(pad, length - ids.len()));
                }
            }
        }
        Tensor::from_slice(&packed).view([texts.len() as i64, length as i64])
    }

    /// Which tokens of [`Self::pack`] are of the texts: `[texts.len(), length]` i64 on the CPU, 1
    /// there and 0 where they were filled up.
    pub fn padding_mask(texts: &[Vec<i64>], length: i64) -> Tensor {
        let row = |ids: &Vec<i64>| {
            let given = ids.len() as i64;
            (0..length).map(move |i| i64::from(i < given))
        };
        let mask: Vec<i64> = texts.iter().flat_map(row).collect();
        Tensor::from_slice(&mask).view([-1, length])
    }

    /// As [`Self::pack`], cut after the longest text: `[texts.len(), n]`. Attention is causal, so
    /// states up to there, pooled ones among them, are the same.
    pub fn pack_tight(&self, texts: &[Vec<i64>]) -> Tensor {
        let longest = texts.iter().map(Vec::len).max().unwrap_or(1) as i64;
        let length = longest.min(self.max_position_embeddings);
        self.pack(texts, None, length)
    }

    fn validate(&self) -> Result<(), WeightsError> {
        let network = "the CLIP text encoder";
        self.unread.check(network)?;
        check_model_type(network, &self.model_type, "clip_text_model")?;
        let heads = ("num_attention_heads", self.num_attention_heads);
        let channels = ("hidden_size", self.hidden_size);
        check_positive(&[
            heads,
            channels,
            ("vocab_size", self.vocab_size),
            ("intermediate_size", self.intermediate_size),
            ("projection_dim", self.projection_dim),
            ("max_position_embeddings", self.max_position_embeddings),
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

/// What the text encoder says about a batch of captions.
#[derive(Debug)]
pub struct ClipTextOutput {
    /// The projected state at the end of the text, `[B, projection_dim]`.
    pub text_embeds: Tensor,
    /// The token states after the final norm, `[B, S, hidden_size]`.
    pub last_hidden_state: Tensor,
    /// The embeddings and each layer's output before the final norm: `num_hidden_layers + 1`
    /// tensors `[B, S, hidden_size]`. Stable Cascade takes the last one as its text tokens.
    pub hidden_states: Vec<Tensor>,
}

/// The CLIP text encoder with projection.
pub struct ClipTextModelWithProjection {
    token_embedding: Embedding,
    position_embedding: Embedding,
    encoder: Transformer,
    final_layer_norm: LayerNorm,
    text_projection: Linear,
    config: ClipTextConfig,
}

impl ClipTextModelWithProjection {
    /// Takes its parameters from `params` (`text_model.…`, `text_projection.weight`).
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn new(params: &Params, config: ClipTextConfig) -> Result<Self, WeightsError> {
        config.validate()?;
        let text = params.sub("text_model");
        let embeddings = text.sub("embeddings");
        let c = config.hidden_size;
        Ok(Self {
            token_embedding: Embedding::new(
                &embeddings.sub("token_embedding"),
                config.vocab_size,
                c,
            )?,
            position_embedding: Embedding::new(
                &embeddings.sub("position_embedding"),
                config.max_position_embeddings,
                c,
            )?,
            encoder: Transformer::new(&text.sub("encoder"), &config.transformer())?,
            final_layer_norm: LayerNorm::new(
                &text.sub("final_layer_norm"),
                c,
                config.layer_norm_eps,
            )?,
            text_projection: Linear::without_bias(
                &params.sub("text_projection"),
                c,
                config.projection_dim,
            )?,
            config,
        })
    }

    /// The configuration that the network was made with.
    pub fn config(&self) -> &ClipTextConfig {
        &self.config
    }

    /// Encodes captions. `input_ids` is `[B, S]` i64; `attention_mask`, `[B, S]`, is non-zero at
    /// real tokens (Stable Cascade passes it for both its text conditions).
    ///
    /// # Errors
    /// A sequence is longer than `max_position_embeddings`.
    pub fn forward(
        &self,
        input_ids: &Tensor,
        attention_mask: Option<&Tensor>,
    ) -> Result<ClipTextOutput, NetworkError> {
        let (_, length) = input_ids.size2()?;
        let most = self.config.max_position_embeddings;
        if length > most {
            return Err(NetworkError::TooLong {
                network: "CLIP text encoder",
                length,
                most,
            });
        }
        let positions = Tensor::arange(length, (Kind::Int64, input_ids.device()));
        let x =
            self.token_embedding.forward(input_ids) + self.position_embedding.forward(&positions);
        let mask = match attention_mask {
            None => Mask::Causal,
            Some(real) => {
                let causal =
                    Tensor::ones([length, length], (Kind::Bool, input_ids.device())).tril(0);
                let keys = real.not_equal(0).unsqueeze(1).unsqueeze(1);
                Mask::Allowed(causal.logical_and(&keys))
            }
        };
        let hidden_states = self.encoder.forward(&x, &mask);
        let last_hidden_state = self
            .final_layer_norm
            .forward(&hidden_states[hidden_states.len() - 1]);
        let pooled = last_hidden_state
            .gather(
                1,
                &self
                    .end_of_text(input_ids)
                    .view([-1, 1, 1])
                    .expand([-1, -1, self.config.hidden_size], false),
                false,
            )
            .squeeze_dim(1);
        Ok(ClipTextOutput {
            text_embeds: self.text_projection.forward(&pooled),
            last_hidden_state,
            hidden_states,
        })
    }

    /// The position pooled in each sequence, `[B]` i64.
    fn end_of_text(&self, input_ids: &Tensor) -> Tensor {
        if self.config.eos_token_id == 2 {
            input_ids.argmax(-1, false)
        } else {
            // argmax of a 0/1 row is its first 1.
            input_ids
                .eq(self.config.eos_token_id)
                .to_kind(Kind::Int)
                .argmax(-1, false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_before_their_end_token_and_filled_up_after_it() {
        let config = ClipTextConfig {
            max_position_embeddings: 4,
            pad_token_id: 2,
            ..ClipTextConfig::default()
        };
        let texts = [vec![0, 9, 1], vec![0, 5, 6, 7, 8, 1]];
        let expected = |pad| Tensor::from_slice(&[0i64, 9, 1, pad, 0, 5, 6, 1]).view([2, 4]);
        assert_eq!(config.pack(&texts, None, 4), expected(2));
        assert_eq!(config.pack(&texts, Some(3), 4), expected(3));
        let mask = Tensor::from_slice(&[1i64, 1, 1, 0, 1, 1, 1, 1]).view([2, 4]);
        assert_eq!(ClipTextConfig::padding_mask(&texts, 4), mask);
    }
}
