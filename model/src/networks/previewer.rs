//! A linear map from Stage C latents to small pictures, to be looked at while drawing.

use tch::{Kind, Tensor};

use super::layers::{channels_first, channels_last};
use crate::weights::{Init, Params, WeightsError};

/// `config.json`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PreviewerConfig {
    /// Channels of the latent.
    pub latent_channels: i64,
    /// Side of the square of pixels that one position of the latent becomes.
    pub patch_size: i64,
}

/// The map.
pub struct Previewer {
    config: PreviewerConfig,
    /// `[latent_channels + 1, 3·patch²]`; the last row is the constant.
    weight: Tensor,
}

impl Previewer {
    /// Takes its one parameter.
    pub fn new(params: &Params, config: PreviewerConfig) -> Result<Self, WeightsError> {
        let shape = [config.latent_channels + 1, outputs(&config)];
        let weight = params.tensor("weight", &shape, Init::Const(0.0))?;
        Ok(Self { config, weight })
    }

    /// From weights that [`Self::fit`] gave.
    pub fn from_weight(config: PreviewerConfig, weight: &Tensor) -> Self {
        Self {
            config,
            weight: weight.shallow_clone(),
        }
    }

    /// The configuration that it was made with.
    pub fn config(&self) -> &PreviewerConfig {
        &self.config
    }

    /// The least-squares fit of `pictures` (`[n, 3, H, W]` in [0, 1]) by `latents`
    /// (`[n, c, h, w]`), both f32: the weights under their names.
    pub fn fit(config: &PreviewerConfig, latents: &Tensor, pictures: &Tensor) -> Tensor {
        let size = latents.size();
        let side = [size[2] * config.patch_size, size[3] * config.patch_size];
        let small = pictures
            .adaptive_avg_pool2d(side)
            .pixel_unshuffle(config.patch_size);
        let rows = |t: &Tensor, columns: i64| channels_last(t).reshape([-1, columns]);
        let inputs = with_constant(&rows(latents, config.latent_channels));
        let outputs = rows(&small, outputs(config));
        // Normal equations with a little ridge: latents are few and well conditioned.
        let gram = inputs.tr().matmul(&inputs);
        let ridge = Tensor::eye(gram.size()[0], (Kind::Float, gram.device())) * 1e-3;
        (gram + ridge)
            .inverse()
            .matmul(&inputs.tr().matmul(&outputs))
    }

    /// Latents `[B, c, h, w]` to pictures `[B, 3, patch·h, patch·w]` in about [0, 1].
    pub fn forward(&self, latents: &Tensor) -> Tensor {
        let rows = channels_last(&latents.to_kind(self.weight.kind()));
        let pixels = with_constant(&rows).matmul(&self.weight);
        channels_first(&pixels)
            .contiguous()
            .pixel_shuffle(self.config.patch_size)
    }
}

fn outputs(config: &PreviewerConfig) -> i64 {
    3 * config.patch_size * config.patch_size
}

/// `[…, c]` to `[…, c + 1]` with ones.
fn with_constant(rows: &Tensor) -> Tensor {
    let ones = rows.narrow(-1, 0, 1).ones_like();
    Tensor::cat(&[rows, &ones], -1)
}
