//! Pictures as the reference's processors hand them to the networks: transformers'
//! `CLIPImageProcessor`, `SiglipImageProcessor` and `LlavaOnevisionImageProcessor`, driven by
//! their preprocessor_config.json.
//!
//! Resizing works on bytes, as the reference's does, so that the same pixels come out.

mod anyres;
mod config;

pub use anyres::AnyresProcessor;

use std::path::Path;

use image::RgbImage;
use tch::{Kind, Tensor};

use crate::training::bytes_to_tensor;
use crate::weights::WeightsError;

/// A folder's processor.
#[derive(Debug)]
pub enum ImageProcessor {
    /// Of CLIP or SigLIP: a picture is one tensor.
    Single(SingleProcessor),
    /// Of LLaVA-OneVision: what becomes of a picture depends on how many there are.
    Anyres(AnyresProcessor),
}

impl ImageProcessor {
    /// Reads the preprocessor_config.json of `dir`, or what its processor_config.json says of
    /// pictures.
    ///
    /// # Errors
    /// Neither is there, a field does not parse, or it asks for something that is not built.
    pub fn open(dir: &Path) -> Result<Self, WeightsError> {
        config::read(dir)
    }

    /// The file in `dir` that [`Self::open`] reads, where there is one.
    pub fn file(dir: &Path) -> Option<std::path::PathBuf> {
        config::file(dir)
    }
}

/// Resizes, cuts out the middle, and brings into the network's range.
#[derive(Debug)]
pub struct SingleProcessor {
    resize: Option<(Size, Filter)>,
    crop: Option<(i64, i64)>,
    range: Range,
}

impl SingleProcessor {
    /// A picture as `[3, height, width]` f32 on the CPU.
    pub fn process(&self, picture: &RgbImage) -> Tensor {
        let mut pixels = bytes_to_tensor(&[picture]);
        if let Some((size, filter)) = self.resize {
            pixels = filter.resize(&pixels, size.of(height_and_width(&pixels)));
        }
        if let Some(size) = self.crop {
            pixels = center_crop(&pixels, size);
        }
        self.range.apply(&pixels).squeeze_dim(0)
    }
}

/// What a picture is resized to.
#[derive(Debug, Clone, Copy)]
enum Size {
    /// The shorter side to this, the longer in proportion.
    ShortestEdge(i64),
    /// This height and width, whatever the picture's proportions.
    Exact(i64, i64),
}

impl Size {
    fn of(self, (height, width): (i64, i64)) -> (i64, i64) {
        match self {
            Self::Exact(height, width) => (height, width),
            Self::ShortestEdge(edge) => {
                // In whole numbers, as the reference: `edge · long` is not rounded before.
                let longer = |short: i64, long: i64| (edge * long) as f64 / short as f64;
                match width <= height {
                    true => (longer(width, height) as i64, edge),
                    false => (edge, longer(height, width) as i64),
                }
            }
        }
    }
}

/// How pixels between pixels are made; both kinds look at more pixels where a picture shrinks.
#[derive(Debug, Clone, Copy)]
enum Filter {
    Bilinear,
    Bicubic,
}

impl Filter {
    /// `[n, 3, h, w]` u8 to this height and width.
    fn resize(self, pixels: &Tensor, (height, width): (i64, i64)) -> Tensor {
        if height_and_width(pixels) == (height, width) {
            return pixels.shallow_clone();
        }
        let size = [height, width];
        match self {
            Self::Bilinear => pixels.internal_upsample_bilinear2d_aa(size, false, None, None),
            Self::Bicubic => pixels.internal_upsample_bicubic2d_aa(size, false, None, None),
        }
    }
}

/// How bytes become the numbers that a network reads.
#[derive(Debug)]
struct Range {
    /// What every byte is multiplied by.
    rescale: Option<f64>,
    /// Mean and deviation of each channel, `[3]` f32 each, after rescaling.
    normalise: Option<(Tensor, Tensor)>,
}

impl Range {
    /// `[n, 3, h, w]` u8 to f32.
    fn apply(&self, pixels: &Tensor) -> Tensor {
        let pixels = pixels.to_kind(Kind::Float);
        match (&self.normalise, self.rescale) {
            (None, None) => pixels,
            (None, Some(factor)) => pixels * factor,
            (Some((mean, std)), factor) => {
                // The factor goes into mean and deviation, as it does in the reference.
                let scale = 1.0 / factor.unwrap_or(1.0);
                let spread = |channels: &Tensor| (channels * scale).view([-1, 1, 1]);
                (pixels - spread(mean)) / spread(std)
            }
        }
    }
}

fn height_and_width(pixels: &Tensor) -> (i64, i64) {
    let size = pixels.size();
    (size[size.len() - 2], size[size.len() - 1])
}

/// The middle of `[n, 3, h, w]`; what is too small is first padded with black.
fn center_crop(pixels: &Tensor, (height, width): (i64, i64)) -> Tensor {
    let (given_height, given_width) = height_and_width(pixels);
    let missing = |wanted: i64, given: i64| (wanted - given).max(0);
    let (rows, columns) = (missing(height, given_height), missing(width, given_width));
    let padded = pixels.constant_pad_nd([
        columns / 2,
        columns - columns / 2,
        rows / 2,
        rows - rows / 2,
    ]);
    let (given_height, given_width) = height_and_width(&padded);
    padded
        .narrow(2, (given_height - height) / 2, height)
        .narrow(3, (given_width - width) / 2, width)
}
