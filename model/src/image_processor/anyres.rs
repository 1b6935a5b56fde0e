//! LLaVA-OneVision's pictures: a single one whole and in tiles, several whole each.

use image::RgbImage;
use tch::{Kind, Tensor};

use super::{Filter, Range, height_and_width};
use crate::networks::llava_onevision::{Pictures, best_resolution};
use crate::training::bytes_to_tensor;

/// Makes [`Pictures`] of a conversation's pictures.
#[derive(Debug)]
pub struct AnyresProcessor {
    /// Side of what the vision tower reads, in pixels.
    pub(super) side: i64,
    pub(super) filter: Filter,
    pub(super) range: Range,
    /// What a picture that is not square is padded with, a byte a channel.
    pub(super) background: Vec<u8>,
    /// Heights and widths that a single picture may be fitted into.
    pub(super) grid_pinpoints: Vec<(i64, i64)>,
}

impl AnyresProcessor {
    /// The pictures of one conversation: `pixel_values` is `[n, tiles, 3, side, side]` f32 on the
    /// CPU, with one tile for each of several pictures.
    pub fn conversation(&self, pictures: &[&RgbImage]) -> Pictures {
        let pixels: Vec<Tensor> = pictures.iter().map(|p| bytes_to_tensor(&[p])).collect();
        let image_sizes = pixels.iter().map(height_and_width).collect();
        let tiles: Vec<Tensor> = match pixels.as_slice() {
            [single] => vec![self.whole_and_tiles(single)],
            several => several.iter().map(|pixels| self.whole(pixels)).collect(),
        };
        let ranged: Vec<Tensor> = tiles.iter().map(|tiles| self.range.apply(tiles)).collect();
        Pictures {
            pixel_values: Tensor::stack(&ranged, 0),
            image_sizes,
            batch_num_images: vec![pictures.len()],
        }
    }

    /// `[1, 3, h, w]` u8, padded to a square: `[1, 3, side, side]`.
    fn whole(&self, pixels: &Tensor) -> Tensor {
        let (height, width) = height_and_width(pixels);
        let longer = height.max(width);
        let square = Tensor::from_slice(&self.background)
            .view([1, 3, 1, 1])
            .expand([1, 3, longer, longer], false)
            .contiguous();
        square
            .narrow(2, (longer - height) / 2, height)
            .narrow(3, (longer - width) / 2, width)
            .copy_(pixels);
        self.filter.resize(&square, (self.side, self.side))
    }

    /// `[1, 3, h, w]` u8 stretched to a square, then the tiles of the grid that fits it best:
    /// `[1 + tiles, 3, side, side]`.
    fn whole_and_tiles(&self, pixels: &Tensor) -> Tensor {
        let (height, width) = height_and_width(pixels);
        let (rows, columns) = best_resolution((height, width), &self.grid_pinpoints);
        let fitted = fit((height, width), (rows, columns));
        let resized = self.filter.resize(pixels, fitted);
        let padded = Tensor::zeros([1, 3, rows, columns], (Kind::Uint8, tch::Device::Cpu));
        padded
            .narrow(2, (rows - fitted.0) / 2, fitted.0)
            .narrow(3, (columns - fitted.1) / 2, fitted.1)
            .copy_(&resized);
        let mut tiles = vec![self.to_side(pixels)];
        for row in padded.split(self.side, 2) {
            for tile in row.split(self.side, 3) {
                tiles.push(self.to_side(&tile));
            }
        }
        Tensor::cat(&tiles, 0)
    }

    fn to_side(&self, pixels: &Tensor) -> Tensor {
        self.filter.resize(pixels, (self.side, self.side))
    }
}

/// The height and width of a picture that is made as large as fits into another size.
fn fit((height, width): (i64, i64), (rows, columns): (i64, i64)) -> (i64, i64) {
    let (across, down) = (columns as f64 / width as f64, rows as f64 / height as f64);
    match across < down {
        true => (rows.min((height as f64 * across).ceil() as i64), columns),
        false => (rows, columns.min((width as f64 * down).ceil() as i64)),
    }
}
