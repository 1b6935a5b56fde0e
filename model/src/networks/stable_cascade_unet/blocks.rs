//! The three kinds of block that a level is made of.

use tch::{Kind, Tensor};

use super::config::StableCascadeUNetConfig;
use crate::networks::attention::{Mask, attend, join_heads, split_heads};
use crate::networks::layers::{
    Conv2d, Conv2dOptions, Linear, channels_first, channels_last, plain_layer_norm, size4,
};
use crate::networks::preference_attention::PreferenceCondition;
use crate::weights::{Init, Params, WeightsError};

/// Whether several steps over `x` may become one. With the few digits of bf16 what the reference
/// rounds in between shows in the result, so there every step is its own.
fn steps_merge(x: &Tensor) -> bool {
    x.kind() == Kind::Float
}

pub(super) struct TimestepBlock {
    mapper: Linear,
    conditions: Vec<Linear>,
}

impl TimestepBlock {
    pub(super) fn new(
        params: &Params,
        channels: i64,
        config: &StableCascadeUNetConfig,
    ) -> Result<Self, WeightsError> {
        let embedding = config.timestep_ratio_embedding_dim;
        let linear = |name: &str| {
            let start = Init::Const(0.0);
            Linear::init(&params.sub(name), embedding, channels * 2, start, true)
        };
        let names = &config.timestep_conditioning_type;
        Ok(Self {
            mapper: linear("mapper")?,
            conditions: names
                .iter()
                .map(|name| linear(&format!("mapper_{name}")))
                .collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor, embedding: &Tensor) -> Tensor {
        let parts = embedding.chunk(self.conditions.len() as i64 + 1, 1);
        let mut scale_shift = self.mapper.forward(&parts[0]);
        for (mapper, part) in self.conditions.iter().zip(&parts[1..]) {
            scale_shift += mapper.forward(part);
        }
        let both = scale_shift.unsqueeze(-1).unsqueeze(-1).chunk(2, 1);
        let (factor, shift) = (&both[0] + 1.0, &both[1]);
        match steps_merge(x) {
            true => shift.addcmul(x, &factor),
            false => x * factor + shift,
        }
    }
}

pub(super) struct ResBlock {
    depthwise: Conv2d,
    expand: Linear,
    gamma: Tensor,
    beta: Tensor,
    contract: Linear,
}

impl ResBlock {
    pub(super) fn new(
        params: &Params,
        channels: i64,
        skip: i64,
        kernel: i64,
        layers: i64,
    ) -> Result<Self, WeightsError> {
        let depthwise = Conv2dOptions {
            kernel,
            padding: kernel / 2,
            groups: channels,
            init: Init::Xavier { gain: 1.0 },
            ..Default::default()
        };
        let channelwise = params.sub("channelwise");
        let response = channelwise.sub(2);
        let grn = [1, 1, 1, channels * 4];
        let xavier = |gain| Init::Xavier { gain };
        // The last mixer starts smaller the deeper the network is, as the original does.
        let small = xavier((1.0 / layers as f64).sqrt());
        Ok(Self {
            depthwise: Conv2d::new(&params.sub("depthwise"), channels, channels, depthwise)?,
            expand: Linear::init(
                &channelwise.sub(0),
                channels + skip,
                channels * 4,
                xavier(1.0),
                true,
            )?,
            gamma: response.tensor("gamma", &grn, Init::Const(0.0))?,
            beta: response.tensor("beta", &grn, Init::Const(0.0))?,
            contract: Linear::init(&channelwise.sub(4), channels * 4, channels, small, true)?,
        })
    }

    pub(super) fn forward(&self, x: &Tensor, skip: Option<&Tensor>) -> Tensor {
        let mut y = plain_layer_norm(&channels_last(&self.depthwise.forward(x)));
        if let Some(skip) = skip {
            y = Tensor::cat(&[y, channels_last(skip)], -1);
        }
        let y = self.expand.forward(&y).gelu("none");
        let y = self.contract.forward(&self.global_response_norm(&y));
        x + channels_first(&y)
    }

    /// Global response normalisation over `[B, h, w, c]` (ConvNeXt V2, Woo et al., 2023).
    fn global_response_norm(&self, x: &Tensor) -> Tensor {
        let (wide, over) = (x.to_kind(Kind::Float), [1i64, 2]);
        // Not torch's norm, which goes through its reductions one output at a time.
        let squares = wide.square().sum_dim_intlist(over.as_slice(), true, None);
        // A gradient of √0 would be infinite; reference values stay exact in f32.
        let norm = (squares + 1e-24).sqrt().to_kind(x.kind());
        let relative = &norm / (norm.mean_dim([-1i64].as_slice(), true, None) + 1e-6);
        match steps_merge(x) {
            // γ·x·relative + β + x with one pass over x, the largest tensor of the block.
            true => self.beta.addcmul(x, &(&self.gamma * relative + 1.0)),
            false => &self.gamma * (x * relative) + &self.beta + x,
        }
    }
}

/// `[b, …]` to `[rows, …]`, each row as often as `b` goes into `rows`, one after the other.
fn repeat_rows(x: &Tensor, rows: i64) -> Tensor {
    let size = x.size();
    let mut repeated = size.clone();
    repeated.insert(1, rows / size[0]);
    let mut merged = size;
    merged[0] = rows;
    x.unsqueeze(1).expand(&repeated, false).reshape(&merged)
}

pub(super) struct AttentionBlock {
    self_attention: bool,
    heads: i64,
    kv_mapper: Linear,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    /// This block's place among all attention blocks, in the order of running.
    index: usize,
}

impl AttentionBlock {
    pub(super) fn new(
        params: &Params,
        channels: i64,
        condition: i64,
        heads: i64,
        self_attention: bool,
        index: usize,
    ) -> Result<Self, WeightsError> {
        let attention = params.sub("attention");
        let xavier = Init::Xavier { gain: 1.0 };
        let linear =
            |name: &str| Linear::init(&attention.sub(name), channels, channels, xavier, true);
        Ok(Self {
            self_attention,
            heads,
            kv_mapper: Linear::init(
                &params.sub("kv_mapper").sub(1),
                condition,
                channels,
                xavier,
                true,
            )?,
            to_q: linear("to_q")?,
            to_k: linear("to_k")?,
            to_v: linear("to_v")?,
            to_out: linear("to_out.0")?,
            index,
        })
    }

    pub(super) fn forward(
        &self,
        x: &Tensor,
        condition: &Tensor,
        preference: Option<&PreferenceCondition>,
    ) -> Tensor {
        let (batch, channels, height, width) = size4(x);
        let normed = plain_layer_norm(&channels_last(x)).reshape([batch, height * width, channels]);
        let kv = self.kv_mapper.forward(condition);
        let heads = |t: Tensor| split_heads(&t, self.heads);
        // As the reference has it of picture and condition in one sequence; apart, what is the
        // same for several samples is done once.
        let project = |linear: &Linear| {
            let shared = repeat_rows(&linear.forward(&kv), batch);
            heads(match self.self_attention {
                true => Tensor::cat(&[linear.forward(&normed), shared], 1),
                false => shared,
            })
        };
        let query = heads(self.to_q.forward(&normed));
        let (key, value) = (project(&self.to_k), project(&self.to_v));
        let attended = attend(&query, &key, &value, &Mask::Full);
        let attended = match preference {
            None => attended,
            // Not in place: the backward pass of the attention needs its own output.
            Some(preference) => attended + preference.attend(self.index, &query),
        };
        let out = self
            .to_out
            .forward(&join_heads(&attended))
            .reshape([batch, height, width, channels]);
        x + channels_first(&out)
    }
}
