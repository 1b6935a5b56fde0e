//! How large the latents of a picture are.

use serde::{Deserialize, Serialize};

/// Heights and widths of a picture's latents, in positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatentSizes {
    /// Of the prior's latent.
    pub prior: [i64; 2],
    /// Of the decoder's latent.
    pub decoder: [i64; 2],
}

/// Sides of a square picture and of its latents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SquareSizes {
    /// Side of the picture in pixels.
    pub picture: i64,
    /// Side of the prior's latent.
    pub prior: i64,
    /// Side of the decoder's latent.
    pub decoder: i64,
}

impl SquareSizes {
    /// The latents' heights and widths.
    pub fn latents(&self) -> LatentSizes {
        LatentSizes {
            prior: [self.prior; 2],
            decoder: [self.decoder; 2],
        }
    }
}

/// How a picture's size gives those of its latents: the settings of diffusers'
/// `StableCascadePriorPipeline` and `StableCascadeDecoderPipeline`, with their names and defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatentScale {
    /// Pixels that a position of the prior's latent stands for.
    pub resolution_multiple: f64,
    /// Positions of the decoder's latent for one of the prior's.
    pub latent_dim_scale: f64,
}

impl Default for LatentScale {
    fn default() -> Self {
        Self {
            resolution_multiple: 42.67,
            latent_dim_scale: 10.67,
        }
    }
}

impl LatentScale {
    /// The latents of a picture of this height and width in pixels: the prior's size is rounded
    /// up, the decoder's down.
    pub fn latents(&self, height: i64, width: i64) -> LatentSizes {
        let prior =
            [height, width].map(|pixels| (pixels as f64 / self.resolution_multiple).ceil() as i64);
        let decoder = prior.map(|positions| (positions as f64 * self.latent_dim_scale) as i64);
        LatentSizes { prior, decoder }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_sizes_are_those_of_diffusers() {
        let scale = LatentScale::default();
        let square = scale.latents(1024, 1024);
        assert_eq!((square.prior, square.decoder), ([24; 2], [256; 2]));
        let wide = scale.latents(768, 1536);
        assert_eq!((wide.prior, wide.decoder), ([18, 36], [192, 384]));
        let odd = scale.latents(150, 43);
        assert_eq!((odd.prior, odd.decoder), ([4, 2], [42, 21]));
    }
}
