//! The U-Net of Stable Cascade, as Stage C (the prior) and as Stage B (the decoder), after
//! diffusers `models/unets/unet_stable_cascade.py`.

use tch::{Kind, Tensor};

use super::layers::{
    Conv2d, Conv2dOptions, ConvTranspose2d, Linear, channel_norm, channels_first, channels_last,
    plain_layer_norm, resize_bilinear,
};
use super::preference_attention::{PreferenceAttention, PreferenceCondition};
use crate::weights::{Init, Params, WeightsError};

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
    fn at(&self, level: usize) -> Option<T> {
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
        }
    }
}

impl StableCascadeUNetConfig {
    fn levels(&self) -> usize {
        self.block_out_channels.len()
    }

    /// How often the layers of `level` run: (down, up).
    fn repeats(&self, level: usize) -> (i64, i64) {
        let down = self.down_blocks_repeat_mappers.as_ref();
        let up = self.up_blocks_repeat_mappers.as_ref();
        (
            down.map_or(1, |r| r[level]),
            up.map_or(1, |r| r[self.levels() - 1 - level]),
        )
    }

    fn validate(&self) -> Result<(), WeightsError> {
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
}

fn config_error(reason: impl Into<String>) -> WeightsError {
    WeightsError::Config {
        path: "config.json".into(),
        reason: reason.into(),
    }
}

/// What the U-Net is given besides its weights. Batch size `B` throughout.
#[derive(Default)]
pub struct StableCascadeInput<'a> {
    /// Timestep in [0, 1], `[B]`.
    pub timestep_ratio: Option<&'a Tensor>,
    /// Pooled text, `[B, n, clip_text_pooled_in_channels]` (n is 1 as a rule).
    pub clip_text_pooled: Option<&'a Tensor>,
    /// Text tokens, `[B, n, clip_text_in_channels]`.
    pub clip_text: Option<&'a Tensor>,
    /// Image condition, `[B, n, clip_image_in_channels]`.
    pub clip_img: Option<&'a Tensor>,
    /// Stage C latent, `[B, effnet_in_channels, h, w]`.
    pub effnet: Option<&'a Tensor>,
    /// Pixel condition, `[B, pixel_mapper_in_channels, h, w]`; zeros where absent.
    pub pixels: Option<&'a Tensor>,
    /// Further timestep conditions by name (`sca`, `crp`), `[B]`; zeros where absent.
    pub timestep_conditions: Vec<(&'a str, &'a Tensor)>,
}

struct TimestepBlock {
    mapper: Linear,
    conditions: Vec<Linear>,
}

impl TimestepBlock {
    fn new(
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

    fn forward(&self, x: &Tensor, embedding: &Tensor) -> Tensor {
        let parts = embedding.chunk(self.conditions.len() as i64 + 1, 1);
        let mut scale_shift = self.mapper.forward(&parts[0]);
        for (mapper, part) in self.conditions.iter().zip(&parts[1..]) {
            scale_shift += mapper.forward(part);
        }
        let both = scale_shift.unsqueeze(-1).unsqueeze(-1).chunk(2, 1);
        both[1].addcmul(x, &(&both[0] + 1.0))
    }
}

struct ResBlock {
    depthwise: Conv2d,
    expand: Linear,
    gamma: Tensor,
    beta: Tensor,
    contract: Linear,
}

impl ResBlock {
    fn new(
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

    fn forward(&self, x: &Tensor, skip: Option<&Tensor>) -> Tensor {
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
        // Not torch's norm, which goes through its reductions one output at a time.
        let squares = x.square().sum_dim_intlist([1i64, 2].as_slice(), true, None);
        // A gradient of √0 would be infinite; reference values stay exact in f32.
        let norm = (squares + 1e-24).sqrt();
        let relative = &norm / (norm.mean_dim([-1i64].as_slice(), true, None) + 1e-6);
        // γ·x·relative + β + x with one pass over x, the largest tensor of the block.
        self.beta.addcmul(x, &(&self.gamma * relative + 1.0))
    }
}

struct AttentionBlock {
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
    fn new(
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

    fn forward(
        &self,
        x: &Tensor,
        condition: &Tensor,
        preference: Option<&PreferenceCondition>,
    ) -> Tensor {
        let (batch, channels, height, width) = size4(x);
        let normed = plain_layer_norm(&channels_last(x)).reshape([batch, height * width, channels]);
        let mut kv = self.kv_mapper.forward(condition);
        if self.self_attention {
            kv = Tensor::cat(&[&normed, &kv], 1);
        }
        let heads = |t: Tensor| split_heads(&t, self.heads);
        let query = heads(self.to_q.forward(&normed));
        let (key, value) = (heads(self.to_k.forward(&kv)), heads(self.to_v.forward(&kv)));
        let attended = attend(&query, &key, &value);
        let attended = match preference {
            None => attended,
            // Not in place: the backward pass of the attention needs its own output.
            Some(preference) => attended + preference.attend(self.index, &query),
        };
        let merged = attended
            .transpose(1, 2)
            .reshape([batch, height * width, channels]);
        let out = self
            .to_out
            .forward(&merged)
            .reshape([batch, height, width, channels]);
        x + channels_first(&out)
    }
}

fn size4(x: &Tensor) -> (i64, i64, i64, i64) {
    let size = x.size();
    (size[0], size[1], size[2], size[3])
}

/// `[B, n, heads·d]` to `[B, heads, n, d]`.
pub(super) fn split_heads(x: &Tensor, heads: i64) -> Tensor {
    let size = x.size();
    x.view([size[0], size[1], heads, size[2] / heads])
        .transpose(1, 2)
}

/// softmax(QKᵀ/√d)V over `[B, heads, n, d]`.
pub(super) fn attend(query: &Tensor, key: &Tensor, value: &Tensor) -> Tensor {
    let no_mask = None::<Tensor>;
    Tensor::scaled_dot_product_attention(query, key, value, no_mask, 0.0, false, None, false)
}

enum Block {
    Res(ResBlock),
    Timestep(TimestepBlock),
    Attention(AttentionBlock),
}

enum Resample {
    Same,
    StridedDown(Conv2d),
    StridedUp(ConvTranspose2d),
    /// 1×1 convolution and, where enabled, a bilinear change of resolution by this factor.
    Mapped {
        mapping: Conv2d,
        factor: Option<f64>,
        map_first: bool,
    },
}

impl Resample {
    fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Same => x.shallow_clone(),
            Self::StridedDown(conv) => conv.forward(&channel_norm(x)),
            Self::StridedUp(conv) => conv.forward(&channel_norm(x)),
            Self::Mapped {
                mapping,
                factor,
                map_first,
            } => {
                let x = channel_norm(x);
                let scale = |x: Tensor| match factor {
                    None => x,
                    Some(factor) => {
                        let (_, _, h, w) = size4(&x);
                        let scaled = |n: i64| (n as f64 * factor).floor() as i64;
                        resize_bilinear(&x, [scaled(h), scaled(w)])
                    }
                };
                match map_first {
                    true => scale(mapping.forward(&x)),
                    false => mapping.forward(&scale(x)),
                }
            }
        }
    }
}

struct Level {
    resample: Resample,
    blocks: Vec<Block>,
    /// 1×1 convolutions between repetitions of the blocks.
    repeat_mappers: Vec<Conv2d>,
}

/// Two 1×1 convolutions and a norm that bring a spatial condition to the first level.
struct SpatialMapper(Conv2d, Conv2d);

impl SpatialMapper {
    fn new(params: &Params, inputs: i64, channels: i64) -> Result<Self, WeightsError> {
        let options = Conv2dOptions {
            init: Init::Normal { std: 0.02 },
            ..Default::default()
        };
        Ok(Self(
            Conv2d::new(&params.sub(0), inputs, channels * 4, options)?,
            Conv2d::new(&params.sub(2), channels * 4, channels, options)?,
        ))
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        channel_norm(&self.1.forward(&self.0.forward(x).gelu("none")))
    }
}

/// The U-Net. Predicts the noise in a latent at a timestep.
pub struct StableCascadeUNet {
    config: StableCascadeUNetConfig,
    effnet_mapper: Option<SpatialMapper>,
    pixels_mapper: Option<SpatialMapper>,
    clip_txt_pooled_mapper: Linear,
    clip_txt_mapper: Option<Linear>,
    clip_img_mapper: Option<Linear>,
    embedding: Conv2d,
    down: Vec<Level>,
    up: Vec<Level>,
    head: Conv2d,
    attention_channels: Vec<(i64, i64)>,
}

impl StableCascadeUNet {
    /// Takes the parameters under diffusers' names.
    pub fn new(params: &Params, config: StableCascadeUNetConfig) -> Result<Self, WeightsError> {
        config.validate()?;
        let small = Init::Normal { std: 0.02 };
        let condition = config.conditioning_dim;
        let first = config.block_out_channels[0];
        let spread = condition * config.clip_seq;
        let spatial = |name: &str, channels: Option<i64>| {
            channels
                .map(|inputs| SpatialMapper::new(&params.sub(name), inputs, first))
                .transpose()
        };
        let mapper = |name: &str, inputs: Option<i64>, outputs: i64| {
            inputs
                .map(|inputs| Linear::init(&params.sub(name), inputs, outputs, small, true))
                .transpose()
        };
        let effnet_mapper = spatial("effnet_mapper", config.effnet_in_channels)?;
        let pixels_mapper = spatial("pixels_mapper", config.pixel_mapper_in_channels)?;
        let pooled = config.clip_text_pooled_in_channels;
        let clip_txt_pooled_mapper = Linear::init(
            &params.sub("clip_txt_pooled_mapper"),
            pooled,
            spread,
            small,
            true,
        )?;
        let clip_txt_mapper = mapper("clip_txt_mapper", config.clip_text_in_channels, condition)?;
        let clip_img_mapper = mapper("clip_img_mapper", config.clip_image_in_channels, spread)?;
        let patch = config.patch_size * config.patch_size;
        let input = Conv2dOptions {
            init: Init::Xavier { gain: 1.0 },
            ..Default::default()
        };
        let output = Conv2dOptions {
            init: Init::Const(0.0),
            ..Default::default()
        };
        let embedding = Conv2d::new(
            &params.sub("embedding.1"),
            config.in_channels * patch,
            first,
            input,
        )?;
        let head = Conv2d::new(
            &params.sub("clf.1"),
            first,
            config.out_channels * patch,
            output,
        )?;

        let mut builder = LevelBuilder {
            params,
            config: &config,
            attention_channels: Vec::new(),
        };
        let levels = config.levels();
        let down = (0..levels)
            .map(|l| builder.down(l))
            .collect::<Result<_, _>>()?;
        let up = (0..levels)
            .rev()
            .map(|l| builder.up(l))
            .collect::<Result<_, _>>()?;
        let attention_channels = builder.attention_channels;
        Ok(Self {
            effnet_mapper,
            pixels_mapper,
            clip_txt_pooled_mapper,
            clip_txt_mapper,
            clip_img_mapper,
            embedding,
            down,
            up,
            head,
            attention_channels,
            config,
        })
    }

    /// The configuration that the network was made with.
    pub fn config(&self) -> &StableCascadeUNetConfig {
        &self.config
    }

    /// (channels, heads) of every attention block in the order of running: what a
    /// [`PreferenceAttention`] for this network is made from.
    pub fn attention_blocks(&self) -> &[(i64, i64)] {
        &self.attention_channels
    }

    /// Predicts the noise in `sample` (`[B, in_channels, h, w]`): `[B, out_channels, h, w]`.
    ///
    /// `preference` adds attention to preference tokens in every attention block; without
    /// it the network is the reference's.
    ///
    /// # Panics
    /// Without `timestep_ratio` or `clip_text_pooled`, and on shapes that do not fit.
    pub fn forward(
        &self,
        sample: &Tensor,
        input: &StableCascadeInput,
        preference: Option<(&PreferenceAttention, &Tensor)>,
    ) -> Tensor {
        let ratio = input.timestep_ratio.expect("a U-Net call has a timestep");
        // 1. Conditions.
        let mut embedding = vec![self.timestep_embedding(ratio)];
        for name in &self.config.timestep_conditioning_type {
            let given = input.timestep_conditions.iter().find(|(n, _)| n == name);
            let value = given.map_or_else(|| ratio.zeros_like(), |(_, t)| t.shallow_clone());
            embedding.push(self.timestep_embedding(&value));
        }
        let embedding = Tensor::cat(&embedding, 1).to_kind(sample.kind());
        let condition = self.clip_embeddings(input);
        let preference = preference.map(|(adapter, tokens)| adapter.condition(tokens));
        let context = Context {
            embedding: &embedding,
            condition: &condition,
            preference: preference.as_ref(),
        };

        // 2. Into channels-last order once; every block keeps it.
        let patches = sample.pixel_unshuffle(self.config.patch_size);
        let patches = channels_first(&channels_last(&patches).contiguous());
        let mut x = channel_norm(&self.embedding.forward(&patches));
        let size = {
            let (_, _, h, w) = size4(&x);
            [h, w]
        };
        if let (Some(mapper), Some(effnet)) = (&self.effnet_mapper, input.effnet) {
            x += mapper.forward(&resize_bilinear(effnet, size));
        }
        if let Some(mapper) = &self.pixels_mapper {
            let channels = self.config.pixel_mapper_in_channels.unwrap_or(3);
            let zeros = || Tensor::zeros([x.size()[0], channels, 8, 8], (x.kind(), x.device()));
            let pixels = input.pixels.map_or_else(zeros, Tensor::shallow_clone);
            x = &x + resize_bilinear(&mapper.forward(&pixels), size);
        }

        // 3. Down, then up with a skip from the same level.
        let mut skips = Vec::with_capacity(self.down.len());
        for level in &self.down {
            x = level.resample.forward(&x);
            x = level.run(x, None, &context);
            skips.push(x.shallow_clone());
        }
        skips.pop();
        for (i, level) in self.up.iter().enumerate() {
            let skip = if i == 0 { None } else { skips.pop() };
            x = level.run(x, skip.as_ref(), &context);
            x = level.resample.forward(&x);
        }

        // 4. Out.
        let out = self.head.forward(&channel_norm(&x));
        out.contiguous().pixel_shuffle(self.config.patch_size)
    }

    /// Sinusoids of `ratio` (`[B]` in [0, 1]): `[B, timestep_ratio_embedding_dim]` f32.
    fn timestep_embedding(&self, ratio: &Tensor) -> Tensor {
        let dim = self.config.timestep_ratio_embedding_dim;
        let half = dim / 2;
        let step = 10000f64.ln() / (half - 1) as f64;
        let frequencies = (Tensor::arange(half, (Kind::Float, ratio.device())) * -step).exp();
        let angles = (ratio.to_kind(Kind::Float) * 10000.0).unsqueeze(1) * frequencies.unsqueeze(0);
        let embedding = Tensor::cat(&[angles.sin(), angles.cos()], 1);
        embedding.constant_pad_nd([0, dim % 2])
    }

    /// Text tokens, pooled text and image condition in one sequence. As in the reference,
    /// text tokens enter only together with an image condition (zeros where there is none).
    fn clip_embeddings(&self, input: &StableCascadeInput) -> Tensor {
        let seq = self.config.clip_seq;
        let spread = |mapper: &Linear, x: &Tensor| {
            let x = if x.dim() == 2 {
                x.unsqueeze(1)
            } else {
                x.shallow_clone()
            };
            let size = x.size();
            mapper.forward(&x).view([size[0], size[1] * seq, -1])
        };
        let pooled = input
            .clip_text_pooled
            .expect("a U-Net call has pooled text");
        let pooled = spread(&self.clip_txt_pooled_mapper, pooled);
        let tokens = match (
            &self.clip_txt_mapper,
            input.clip_text,
            &self.clip_img_mapper,
            input.clip_img,
        ) {
            (Some(text_mapper), Some(text), Some(image_mapper), Some(image)) => Tensor::cat(
                &[
                    text_mapper.forward(text),
                    pooled,
                    spread(image_mapper, image),
                ],
                1,
            ),
            _ => pooled,
        };
        // The reference's clip_norm is a plain layer norm with ε = 1e-6; then every block's
        // kv_mapper starts with the same SiLU, so it is applied once here.
        plain_layer_norm(&tokens).silu()
    }
}

/// What every block of one forward pass is given.
struct Context<'a> {
    embedding: &'a Tensor,
    condition: &'a Tensor,
    preference: Option<&'a PreferenceCondition>,
}

impl Level {
    fn run(&self, mut x: Tensor, skip: Option<&Tensor>, context: &Context) -> Tensor {
        for repetition in 0..=self.repeat_mappers.len() {
            for (i, block) in self.blocks.iter().enumerate() {
                x = match block {
                    Block::Res(block) => {
                        let skip = if i == 0 { skip } else { None };
                        if let Some(skip) = skip {
                            let (_, _, h, w) = size4(skip);
                            x = resize_bilinear(&x, [h, w]);
                        }
                        block.forward(&x, skip)
                    }
                    Block::Timestep(block) => block.forward(&x, context.embedding),
                    Block::Attention(block) => {
                        block.forward(&x, context.condition, context.preference)
                    }
                };
            }
            if let Some(mapper) = self.repeat_mappers.get(repetition) {
                x = mapper.forward(&x);
            }
        }
        x
    }
}

struct LevelBuilder<'a> {
    params: &'a Params,
    config: &'a StableCascadeUNetConfig,
    attention_channels: Vec<(i64, i64)>,
}

impl LevelBuilder<'_> {
    fn down(&mut self, level: usize) -> Result<Level, WeightsError> {
        let channels = &self.config.block_out_channels;
        let resample = if level == 0 {
            Resample::Same
        } else {
            let params = self.params.sub("down_downscalers").sub(level).sub(1);
            let (from, to) = (channels[level - 1], channels[level]);
            match &self.config.switch_level {
                Some(switch) => Resample::Mapped {
                    mapping: Conv2d::new(&params.sub("blocks.0"), from, to, mapping())?,
                    factor: switch[level - 1].then_some(0.5),
                    map_first: true,
                },
                None => {
                    let options = Conv2dOptions {
                        kernel: 2,
                        stride: 2,
                        ..mapping()
                    };
                    Resample::StridedDown(Conv2d::new(&params, from, to, options)?)
                }
            }
        };
        let layers = self.config.down_num_layers_per_block[level];
        let repeats = self.config.repeats(level).0;
        self.level("down", level, level, resample, layers, repeats)
    }

    fn up(&mut self, level: usize) -> Result<Level, WeightsError> {
        let levels = self.config.levels();
        let position = levels - 1 - level;
        let channels = &self.config.block_out_channels;
        let resample = if level == 0 {
            Resample::Same
        } else {
            let params = self.params.sub("up_upscalers").sub(position).sub(1);
            let (from, to) = (channels[level], channels[level - 1]);
            match &self.config.switch_level {
                Some(switch) => Resample::Mapped {
                    mapping: Conv2d::new(&params.sub("blocks.1"), from, to, mapping())?,
                    factor: switch[level - 1].then_some(2.0),
                    map_first: false,
                },
                None => Resample::StridedUp(ConvTranspose2d::new(&params, from, to, 2, 2, 0)?),
            }
        };
        let layers = self.config.up_num_layers_per_block[position];
        let repeats = self.config.repeats(level).1;
        self.level("up", level, position, resample, layers, repeats)
    }

    fn level(
        &mut self,
        way: &str,
        level: usize,
        position: usize,
        resample: Resample,
        layers: i64,
        repeats: i64,
    ) -> Result<Level, WeightsError> {
        let config = self.config;
        let channels = config.block_out_channels[level];
        let heads = config.num_attention_heads[level];
        let total: i64 = config
            .down_num_layers_per_block
            .iter()
            .chain(&config.up_num_layers_per_block)
            .sum();
        let self_attention = config.self_attn.at(level).expect("validated above");
        let blocks_at = self.params.sub(format!("{way}_blocks")).sub(position);
        let mut blocks = Vec::new();
        for _ in 0..layers {
            for kind in &config.block_types_per_layer[level] {
                let params = blocks_at.sub(blocks.len());
                let takes_skip = way == "up" && level + 1 < config.levels() && blocks.is_empty();
                let skip = if takes_skip { channels } else { 0 };
                blocks.push(match kind {
                    BlockType::Res => Block::Res(ResBlock::new(
                        &params,
                        channels,
                        skip,
                        config.kernel_size,
                        total,
                    )?),
                    BlockType::Timestep => {
                        Block::Timestep(TimestepBlock::new(&params, channels, config)?)
                    }
                    BlockType::Attention => {
                        let index = self.attention_channels.len();
                        self.attention_channels.push((channels, heads));
                        let condition = config.conditioning_dim;
                        Block::Attention(AttentionBlock::new(
                            &params,
                            channels,
                            condition,
                            heads,
                            self_attention,
                            index,
                        )?)
                    }
                });
            }
        }
        let mappers_at = self
            .params
            .sub(format!("{way}_repeat_mappers"))
            .sub(position);
        let repeat_mappers = (0..repeats - 1)
            .map(|i| Conv2d::new(&mappers_at.sub(i), channels, channels, mapping()))
            .collect::<Result<_, _>>()?;
        Ok(Level {
            resample,
            blocks,
            repeat_mappers,
        })
    }
}

fn mapping() -> Conv2dOptions {
    Conv2dOptions {
        init: Init::Xavier { gain: 1.0 },
        ..Default::default()
    }
}
