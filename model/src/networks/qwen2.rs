//! Qwen2 (Yang et al. 2024), as transformers' `Qwen2ForCausalLM`: rotary positions,
//! grouped-query attention, a key-value cache and greedy generation.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::attention::{Mask, attend, join_heads};
use super::config::{
    Unread, check_divides, check_model_type, check_positive, config_error, unsupported,
};
use super::layers::Linear;
use super::transformer::{Activation, Embedding};
use crate::weights::{Init, Params, WeightsError};

const NETWORK: &str = "Qwen2";

/// The fields of a Qwen2 config.json, with transformers' defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Qwen2Config {
    /// "qwen2".
    pub model_type: String,
    /// Number of tokens known.
    pub vocab_size: i64,
    /// Channels of the token states.
    pub hidden_size: i64,
    /// Channels inside the feed-forward.
    pub intermediate_size: i64,
    /// Number of layers.
    pub num_hidden_layers: i64,
    /// Query heads.
    pub num_attention_heads: i64,
    /// Key and value heads, each shared by a group of query heads; absent: as many as query heads.
    pub num_key_value_heads: Option<i64>,
    /// Channels of a head; absent: `hidden_size / num_attention_heads`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<i64>,
    /// Nonlinearity of the gated feed-forward.
    pub hidden_act: Activation,
    /// The longest sequence it was made for.
    pub max_position_embeddings: i64,
    /// Epsilon of the norms.
    pub rms_norm_eps: f64,
    /// Whether the output matrix is the token table.
    pub tie_word_embeddings: bool,
    /// Base of the rotary frequencies, as older folders give it; absent: 10 000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_theta: Option<f64>,
    /// Base and kind of the rotary positions, as newer folders give them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_parameters: Option<RopeParameters>,
    /// Scaling of the rotary positions; none is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<RopeParameters>,
    /// Whether attention is limited to a window; that is not built.
    pub use_sliding_window: bool,
    /// The window's length, with `use_sliding_window`.
    pub sliding_window: Option<i64>,
    /// The kind of every layer's attention; only `full_attention` is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_types: Option<Vec<String>>,
    /// The fields that are not named here.
    #[serde(flatten, skip_serializing)]
    pub unread: Unread,
}

/// How rotary positions are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RopeParameters {
    /// Base of the frequencies.
    pub rope_theta: Option<f64>,
    /// Kind of scaling; only `default`, which is none, is built.
    #[serde(alias = "type")]
    pub rope_type: Option<String>,
}

impl Default for Qwen2Config {
    fn default() -> Self {
        Self {
            model_type: "qwen2".into(),
            vocab_size: 151_936,
            hidden_size: 4096,
            intermediate_size: 22_016,
            num_hidden_layers: 32,
            num_attention_heads: 32,
            num_key_value_heads: Some(32),
            head_dim: None,
            hidden_act: Activation::Silu,
            max_position_embeddings: 32_768,
            rms_norm_eps: 1e-6,
            tie_word_embeddings: false,
            rope_theta: None,
            rope_parameters: None,
            rope_scaling: None,
            use_sliding_window: false,
            sliding_window: Some(4096),
            layer_types: None,
            unread: Unread::default(),
        }
    }
}

impl Qwen2Config {
    /// # Errors
    /// A field asks for something that is not built: sliding windows, or scaled rotary positions.
    pub(super) fn validate(&self) -> Result<(), WeightsError> {
        self.unread.check(NETWORK)?;
        check_model_type(NETWORK, &self.model_type, "qwen2")?;
        if self.use_sliding_window && self.sliding_window.is_some() {
            return Err(unsupported(NETWORK, "use_sliding_window", true));
        }
        if let Some(other) = self
            .layer_types
            .iter()
            .flatten()
            .find(|kind| *kind != "full_attention")
        {
            return Err(unsupported(NETWORK, "layer_types", other));
        }
        for (field, rope) in [
            ("rope_parameters", &self.rope_parameters),
            ("rope_scaling", &self.rope_scaling),
        ] {
            if let Some(kind) = rope.as_ref().and_then(|rope| rope.rope_type.as_ref())
                && kind != "default"
            {
                return Err(unsupported(NETWORK, field, kind));
            }
        }
        self.validate_sizes()
    }

    fn validate_sizes(&self) -> Result<(), WeightsError> {
        let heads = ("num_attention_heads", self.num_attention_heads);
        let groups = ("num_key_value_heads", self.key_value_heads());
        let channels = ("hidden_size", self.hidden_size);
        check_positive(&[
            heads,
            groups,
            channels,
            ("vocab_size", self.vocab_size),
            ("intermediate_size", self.intermediate_size),
        ])?;
        check_divides(groups, heads)?;
        // Rotary positions turn channels in pairs.
        let head = ("head_dim", self.head_dim());
        check_positive(&[head])?;
        match head.1 % 2 {
            0 => Ok(()),
            _ => Err(config_error(format!(
                "`head_dim` is {}, an even one is needed",
                head.1
            ))),
        }
    }

    fn rope_theta(&self) -> f64 {
        let nested = self
            .rope_parameters
            .as_ref()
            .and_then(|rope| rope.rope_theta);
        nested.or(self.rope_theta).unwrap_or(10_000.0)
    }

    fn key_value_heads(&self) -> i64 {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    fn head_dim(&self) -> i64 {
        self.head_dim
            .unwrap_or(self.hidden_size / self.num_attention_heads)
    }
}

/// The keys and values of the tokens already read, so that each is computed once.
#[derive(Debug)]
pub struct KeyValueCache {
    /// Per layer: keys and values, each `[B, key heads, tokens, head_dim]`.
    layers: Vec<Option<(Tensor, Tensor)>>,
}

impl KeyValueCache {
    /// An empty cache for one network.
    pub fn new(config: &Qwen2Config) -> Self {
        Self {
            layers: (0..config.num_hidden_layers).map(|_| None).collect(),
        }
    }

    /// Tokens held.
    pub fn len(&self) -> i64 {
        self.layers
            .first()
            .and_then(Option::as_ref)
            .map_or(0, |(keys, _)| keys.size()[2])
    }

    /// Whether no token is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// When greedy generation ends.
#[derive(Debug, Clone)]
pub struct GenerationLimits {
    /// The most tokens to generate.
    pub max_new_tokens: usize,
    /// Tokens that end a sequence; they are part of the answer.
    pub stop: Vec<i64>,
    /// What a sequence that has ended is filled up with while others go on.
    pub pad: i64,
    /// Makes tokens that the prompt or the answer has already less likely (Keskar et al., 2019):
    /// their logits are divided by it, negative ones multiplied; 1 leaves them as they are.
    pub repetition_penalty: f64,
}

/// A greedily generated continuation.
#[derive(Debug)]
pub struct Generation {
    /// The tokens, `[B, T]` i64, T ≤ `max_new_tokens`.
    pub tokens: Tensor,
    /// All hidden states at each sequence's last generated step, `[layers + 1, B, hidden]` in the
    /// parameters' dtype: the embedding, each layer's output, the last one after the final norm.
    ///
    /// The last step is the forward pass whose logits chose the last token, so the states sit at
    /// the position of the token *before* it (of the prompt's end, if one token was generated).
    /// For one sequence this is `generate(output_hidden_states=True).hidden_states[-1]` of
    /// transformers, at its last position.
    pub hidden_states: Tensor,
}

/// The Qwen2 language model.
pub struct Qwen2ForCausalLm {
    embed_tokens: Embedding,
    layers: Vec<DecoderLayer>,
    norm: RmsNorm,
    lm_head: Option<Linear>,
    inverse_frequencies: Tensor,
    config: Qwen2Config,
}

impl Qwen2ForCausalLm {
    /// Takes its parameters from `params` (`model.…`, and `lm_head.weight` if not tied).
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn new(params: &Params, config: Qwen2Config) -> Result<Self, WeightsError> {
        Self::from_parts(&params.sub("model"), &params.sub("lm_head"), config)
    }

    /// As [`Self::new`], with the decoder's and the output matrix's scopes given apart.
    ///
    /// # Errors
    /// A tensor is missing or of another shape.
    pub fn from_parts(
        model: &Params,
        lm_head: &Params,
        config: Qwen2Config,
    ) -> Result<Self, WeightsError> {
        config.validate()?;
        let c = config.hidden_size;
        let d = config.head_dim();
        let even = Tensor::arange_start_step(0, d, 2, (Kind::Float, model.device()));
        Ok(Self {
            embed_tokens: Embedding::new(&model.sub("embed_tokens"), config.vocab_size, c)?,
            layers: (0..config.num_hidden_layers)
                .map(|i| DecoderLayer::new(&model.sub("layers").sub(i), &config))
                .collect::<Result<_, _>>()?,
            norm: RmsNorm::new(&model.sub("norm"), c, config.rms_norm_eps)?,
            // Tied weights are as a rule stored once. Files that have both are taken at their
            // word: transformers unties them where they differ.
            lm_head: (!config.tie_word_embeddings || lm_head.stored("weight"))
                .then(|| Linear::without_bias(lm_head, c, config.vocab_size))
                .transpose()?,
            inverse_frequencies: Tensor::from(config.rope_theta())
                .to_kind(Kind::Float)
                .to_device(model.device())
                .pow(&(even / d as f64))
                .reciprocal(),
            config,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Qwen2Config {
        &self.config
    }

    /// Token ids `[B, S]` i64 to embeddings `[B, S, hidden_size]`.
    pub fn embed(&self, input_ids: &Tensor) -> Tensor {
        self.embed_tokens.forward(input_ids)
    }

    /// Reads embeddings and answers all hidden states: `num_hidden_layers + 1` tensors
    /// `[B, S, hidden_size]`, the last one after the final norm.
    ///
    /// `inputs` is `[B, S, hidden_size]`. `attention_mask`, `[B, P + S]`, is non-zero at real
    /// tokens, P being those in the cache. `position_ids`, `[B, S]` or `[1, S]` i64; absent: they
    /// count on from the cache.
    pub fn forward(
        &self,
        inputs: &Tensor,
        attention_mask: Option<&Tensor>,
        position_ids: Option<&Tensor>,
        mut cache: Option<&mut KeyValueCache>,
    ) -> Vec<Tensor> {
        let past = cache.as_ref().map_or(0, |cache| cache.len());
        let length = inputs.size()[1];
        let counted =
            Tensor::arange_start(past, past + length, (Kind::Int64, inputs.device())).unsqueeze(0);
        let rotation = self.rotation(position_ids.unwrap_or(&counted), inputs.kind());
        let mask = causal_mask(past, length, attention_mask, inputs.device());

        let mut states = vec![inputs.shallow_clone()];
        for (i, layer) in self.layers.iter().enumerate() {
            let slot = cache.as_mut().map(|cache| &mut cache.layers[i]);
            let next = layer.forward(&states[i], &rotation, &mask, slot);
            states.push(next);
        }
        if let Some(last) = states.last_mut() {
            *last = self.norm.forward(last);
        }
        states
    }

    /// Final hidden states `[…, hidden_size]` to next-token logits `[…, vocab_size]`.
    pub fn logits(&self, hidden: &Tensor) -> Tensor {
        match &self.lm_head {
            Some(head) => head.forward(hidden),
            None => hidden.linear(self.embed_tokens.table(), None::<&Tensor>),
        }
    }

    /// Continues each sequence with its most likely token, step by step.
    ///
    /// `inputs` is `[B, S, hidden_size]`, padded on the left, and `input_ids`, `[B, S]`, are the
    /// tokens that it stands for; `attention_mask`, `[B, S]`, is non-zero at real tokens. At least
    /// one token is generated.
    pub fn generate(
        &self,
        inputs: &Tensor,
        input_ids: &Tensor,
        attention_mask: &Tensor,
        limits: &GenerationLimits,
    ) -> Generation {
        let _no_grad = tch::no_grad_guard();
        let (batch, device) = (inputs.size()[0], inputs.device());
        let mut cache = KeyValueCache::new(&self.config);
        let mut mask = attention_mask.not_equal(0).to_kind(Kind::Int64);
        let mut positions = (mask.cumsum(-1, Kind::Int64) - 1).clamp_min(0);
        let mut running = Tensor::ones([batch], (Kind::Bool, device));
        let mut inputs = inputs.shallow_clone();
        let mut tokens: Vec<Tensor> = Vec::new();
        let mut last_step: Option<Tensor> = None;
        let mut repetition = Repetition::of(input_ids, self.config.vocab_size, limits);
        loop {
            let states = self.forward(&inputs, Some(&mask), Some(&positions), Some(&mut cache));
            let here: Vec<Tensor> = states.iter().map(|state| state.select(1, -1)).collect();
            let here = Tensor::stack(&here, 0);
            let logits = self.logits(&here.select(0, -1));
            let logits = match &repetition {
                Some(repetition) => repetition.discourage(&logits),
                None => logits,
            };
            let next = logits.argmax(-1, false);
            let next = next.where_self(&running, &Tensor::from(limits.pad).to_device(device));
            last_step = Some(match last_step {
                None => here,
                Some(before) => here.where_self(&running.view([1, -1, 1]), &before),
            });
            for &stop in &limits.stop {
                running = running.logical_and(&next.not_equal(stop));
            }
            if let Some(repetition) = &mut repetition {
                repetition.add(&next.unsqueeze(1));
            }
            inputs = self.embed(&next.unsqueeze(1));
            mask = Tensor::cat(
                &[&mask, &mask.new_ones([batch, 1], (Kind::Int64, device))],
                1,
            );
            positions = positions.narrow(1, -1, 1) + 1;
            tokens.push(next);
            if tokens.len() >= limits.max_new_tokens
                || !bool::try_from(running.any()).unwrap_or(false)
            {
                break;
            }
        }
        let hidden_states = last_step.expect("the loop runs at least once");
        Generation {
            tokens: Tensor::stack(&tokens, 1),
            hidden_states,
        }
    }

    /// Cosines and sines of the rotary angles, each `[B, 1, S, head_dim]`.
    fn rotation(&self, position_ids: &Tensor, kind: Kind) -> (Tensor, Tensor) {
        // Weights may have been moved since; these are no weight, and stay where they were made.
        let frequencies = self.inverse_frequencies.to_device(position_ids.device());
        let angles = position_ids.unsqueeze(-1).to_kind(Kind::Float) * frequencies;
        let angles = Tensor::cat(&[&angles, &angles], -1).unsqueeze(1);
        (angles.cos().to_kind(kind), angles.sin().to_kind(kind))
    }
}

/// The tokens that a penalty on repetition has seen.
struct Repetition {
    /// `[B, vocabulary]` bool.
    seen: Tensor,
    penalty: f64,
}

impl Repetition {
    /// Begins with the prompt, `[B, S]`; none where the limits ask for no penalty.
    fn of(input_ids: &Tensor, vocabulary: i64, limits: &GenerationLimits) -> Option<Self> {
        let (batch, device) = (input_ids.size()[0], input_ids.device());
        let mut found = (limits.repetition_penalty != 1.0).then(|| Self {
            seen: Tensor::zeros([batch, vocabulary], (Kind::Bool, device)),
            penalty: limits.repetition_penalty,
        })?;
        found.add(input_ids);
        Some(found)
    }

    /// Adds tokens `[B, n]`.
    fn add(&mut self, tokens: &Tensor) {
        let _ = self.seen.scatter_value_(1, tokens, 1);
    }

    /// Logits `[B, vocabulary]` with the penalty, f32.
    fn discourage(&self, logits: &Tensor) -> Tensor {
        let logits = logits.to_kind(Kind::Float);
        let less = (&logits * self.penalty).where_self(&logits.lt(0.0), &(&logits / self.penalty));
        less.where_self(&self.seen, &logits)
    }
}

/// What each query may see of the keys, those in the cache included.
fn causal_mask(
    past: i64,
    length: i64,
    attention_mask: Option<&Tensor>,
    device: tch::Device,
) -> Mask {
    match attention_mask {
        None if length == 1 => Mask::Full,
        None if past == 0 => Mask::Causal,
        _ => {
            let causal = Tensor::ones([length, past + length], (Kind::Bool, device)).tril(past);
            Mask::Allowed(match attention_mask {
                None => causal,
                Some(real) => causal.logical_and(&real.not_equal(0).unsqueeze(1).unsqueeze(1)),
            })
        }
    }
}

struct DecoderLayer {
    input_layernorm: RmsNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    post_attention_layernorm: RmsNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
    activation: Activation,
    head_dim: i64,
}

impl DecoderLayer {
    fn new(params: &Params, config: &Qwen2Config) -> Result<Self, WeightsError> {
        let c = config.hidden_size;
        let inner = config.intermediate_size;
        let query_width = config.num_attention_heads * config.head_dim();
        let key_width = config.key_value_heads() * config.head_dim();
        let attention = params.sub("self_attn");
        let mlp = params.sub("mlp");
        let norm = |name: &str| RmsNorm::new(&params.sub(name), c, config.rms_norm_eps);
        Ok(Self {
            input_layernorm: norm("input_layernorm")?,
            query: Linear::new(&attention.sub("q_proj"), c, query_width)?,
            key: Linear::new(&attention.sub("k_proj"), c, key_width)?,
            value: Linear::new(&attention.sub("v_proj"), c, key_width)?,
            out: Linear::without_bias(&attention.sub("o_proj"), query_width, c)?,
            post_attention_layernorm: norm("post_attention_layernorm")?,
            gate: Linear::without_bias(&mlp.sub("gate_proj"), c, inner)?,
            up: Linear::without_bias(&mlp.sub("up_proj"), c, inner)?,
            down: Linear::without_bias(&mlp.sub("down_proj"), inner, c)?,
            activation: config.hidden_act,
            head_dim: config.head_dim(),
        })
    }

    fn forward(
        &self,
        x: &Tensor,
        rotation: &(Tensor, Tensor),
        mask: &Mask,
        cache: Option<&mut Option<(Tensor, Tensor)>>,
    ) -> Tensor {
        let x = x + self.attend(&self.input_layernorm.forward(x), rotation, mask, cache);
        let normed = self.post_attention_layernorm.forward(&x);
        let gated = self.activation.apply(&self.gate.forward(&normed)) * self.up.forward(&normed);
        x + self.down.forward(&gated)
    }

    fn attend(
        &self,
        x: &Tensor,
        rotation: &(Tensor, Tensor),
        mask: &Mask,
        cache: Option<&mut Option<(Tensor, Tensor)>>,
    ) -> Tensor {
        let (batch, length) = (x.size()[0], x.size()[1]);
        let heads = |y: Tensor| y.view([batch, length, -1, self.head_dim]).transpose(1, 2);
        let query = rotate(&heads(self.query.forward(x)), rotation);
        let mut key = rotate(&heads(self.key.forward(x)), rotation);
        let mut value = heads(self.value.forward(x));
        if let Some(slot) = cache {
            if let Some((keys, values)) = slot.take() {
                key = Tensor::cat(&[keys, key], 2);
                value = Tensor::cat(&[values, value], 2);
            }
            *slot = Some((key.shallow_clone(), value.shallow_clone()));
        }
        let attended = attend(&query, &key, &value, mask);
        self.out.forward(&join_heads(&attended))
    }
}

/// Turns `[B, heads, S, d]` by the rotary angles, pairing channel i with channel i + d/2.
fn rotate(x: &Tensor, (cos, sin): &(Tensor, Tensor)) -> Tensor {
    let halves = x.chunk(2, -1);
    let turned = Tensor::cat(&[&-&halves[1], &halves[0]], -1);
    x * cos + turned * sin
}

/// Root-mean-square norm with a learned gain over the last dimension (Zhang and Sennrich 2019).
struct RmsNorm {
    weight: Tensor,
    eps: f64,
}

impl RmsNorm {
    fn new(params: &Params, channels: i64, eps: f64) -> Result<Self, WeightsError> {
        Ok(Self {
            weight: params.tensor("weight", &[channels], Init::Const(1.0))?,
            eps,
        })
    }

    /// `[…, channels]` to the same; the mean square is taken in f32, as in transformers.
    fn forward(&self, x: &Tensor) -> Tensor {
        let wide = x.to_kind(Kind::Float);
        let mean_square = wide.square().mean_dim(-1, true, Kind::Float);
        &self.weight * (wide * (mean_square + self.eps).rsqrt()).to_kind(x.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(config: &str) -> String {
        let config: Qwen2Config = serde_json::from_str(config).expect("a configuration");
        config.validate().expect_err("refused").to_string()
    }

    #[test]
    fn what_is_not_built_is_refused_by_name() {
        let windows = r#"{"use_sliding_window": true, "sliding_window": 128}"#;
        assert!(refusal(windows).contains("use_sliding_window"));
        let scaled = r#"{"rope_scaling": {"type": "yarn", "factor": 4.0}}"#;
        assert!(refusal(scaled).contains("rope_scaling"));
        assert!(refusal(r#"{"model_type": "llama"}"#).contains("model_type"));
        assert!(refusal(r#"{"logit_softcap": 30}"#).contains("logit_softcap"));
    }

    #[test]
    fn fields_that_change_nothing_are_accepted() {
        let config = r#"{"use_sliding_window": false, "sliding_window": 131072,
            "rope_theta": 1000000.0, "rope_scaling": null, "torch_dtype": "bfloat16"}"#;
        let config: Qwen2Config = serde_json::from_str(config).expect("a configuration");
        config.validate().expect("accepted");
        assert_eq!(config.rope_theta(), 1_000_000.0);
    }
}
