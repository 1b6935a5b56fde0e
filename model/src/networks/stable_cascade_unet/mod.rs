//! The U-Net of Stable Cascade, as Stage C (the prior) and as Stage B (the decoder), after
//! diffusers `models/unets/unet_stable_cascade.py`.

mod blocks;
mod config;
mod levels;

pub use config::{BlockType, PerLevel, StableCascadeUNetConfig};

use tch::{Kind, Tensor};

use super::layers::{
    Conv2d, Conv2dOptions, Linear, channel_norm, channels_first, channels_last, plain_layer_norm,
    resize_bilinear, size4,
};
use super::preference_attention::PreferenceAttention;
use crate::weights::{Init, Params, WeightsError};
use levels::{Context, Level, LevelBuilder};

/// What the U-Net is given besides its weights. Batch size `B` throughout; text and image
/// conditions may also be fewer, one for every `n` samples that follow one another.
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
        // The product first, in the ratio's own dtype, as the reference has it.
        let positions = (ratio * 10000.0).to_kind(Kind::Float);
        let angles = positions.unsqueeze(1) * frequencies.unsqueeze(0);
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

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::diffusion::Noise;

    #[test]
    fn one_text_serves_the_samples_that_follow_one_another() {
        let config = crate::training::preset::stage_c();
        let params = Params::random(1, Kind::Float, Device::Cpu);
        let network = StableCascadeUNet::new(&params, config.clone()).unwrap();
        // Untrained, its last layer is zero.
        for mut parameter in params.taken() {
            let random = Noise::new(2).uniform(&parameter.tensor.size()) * 0.1;
            tch::no_grad(|| parameter.tensor.copy_(&random));
        }
        let mut noise = Noise::new(3);
        let sample = noise.gaussian(&[6, config.in_channels, 4, 4]);
        let ratio = noise.uniform(&[6]).abs();
        let texts = config.clip_text_pooled_in_channels;
        let (tokens, pooled) = (
            noise.gaussian(&[2, 5, texts]),
            noise.gaussian(&[2, 1, texts]),
        );
        let image = Tensor::zeros([2, 1, texts], (Kind::Float, Device::Cpu));
        let predict = |text: fn(&Tensor) -> Tensor| {
            let input = StableCascadeInput {
                timestep_ratio: Some(&ratio),
                clip_text_pooled: Some(&text(&pooled)),
                clip_text: Some(&text(&tokens)),
                clip_img: Some(&text(&image)),
                ..Default::default()
            };
            network.forward(&sample, &input, None)
        };
        let once = predict(Tensor::shallow_clone);
        let each = predict(|x| x.repeat_interleave_self_int(3, Some(0), None));
        let off = (&once - &each).abs().max().double_value(&[]);
        assert!(off < 1e-4, "{off}");
        let other = predict(|x| x.flip([0]).repeat_interleave_self_int(3, Some(0), None));
        assert!((&once - other).abs().max().double_value(&[]) > 1e-3);
    }
}
