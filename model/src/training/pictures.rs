//! The artwork as tensors on the training device, and tensors as sheets to look at.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::RgbImage;
use tch::{Device, Kind, Tensor};

use super::TrainError;
use crate::data::artwork::Artwork;
use crate::data::variant::Variant;

/// Where a row of a [`PictureBank`] comes from.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The picture's place in the artwork set.
    pub picture: usize,
    /// What was changed in it.
    pub variant: Variant,
}

/// Pictures and variants of them, held as u8 on the device: a batch is one gather there.
pub struct PictureBank {
    rows: Vec<Row>,
    /// `[rows, 3, h, w]` u8.
    pixels: Tensor,
}

impl PictureBank {
    /// Draws variants 0..`variants` (0 is the plain picture) of these pictures.
    pub fn draw(artwork: &Artwork, pictures: &[usize], variants: u64, device: Device) -> Self {
        let count = pictures.len() * variants as usize;
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut drawn: Vec<(usize, RgbImage, Row)> = std::thread::scope(|scope| {
            let worker = || {
                let mut mine = Vec::new();
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= count {
                        return mine;
                    }
                    let picture = pictures[i % pictures.len()];
                    let (pixels, variant) = artwork.variant(picture, (i / pictures.len()) as u64);
                    mine.push((i, pixels, Row { picture, variant }));
                }
            };
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
            let join = |w: std::thread::ScopedJoinHandle<'_, Vec<_>>| {
                w.join().expect("drawing a variant does not panic")
            };
            workers.into_iter().flat_map(join).collect()
        });
        drawn.sort_by_key(|(i, ..)| *i);
        let rows = drawn.iter().map(|(.., row)| *row).collect();
        let blocks: Vec<Tensor> = drawn
            .chunks(256)
            .map(|block| {
                let images: Vec<&RgbImage> = block.iter().map(|(_, image, _)| image).collect();
                bytes_to_tensor(&images).to_device(device)
            })
            .collect();
        Self {
            rows,
            pixels: Tensor::cat(&blocks, 0),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What row `i` shows.
    pub fn row(&self, i: usize) -> Row {
        self.rows[i]
    }

    /// Rows as `[n, 3, h, w]` in [0, 1] of this dtype.
    pub fn batch(&self, rows: &[usize], kind: Kind) -> Tensor {
        let index: Vec<i64> = rows.iter().map(|&r| r as i64).collect();
        let index = Tensor::from_slice(&index).to_device(self.pixels.device());
        (self.pixels.index_select(0, &index).to_kind(Kind::Float) / 255.0).to_kind(kind)
    }
}

/// Pictures of one size as `[n, 3, h, w]` u8 on the CPU.
pub fn bytes_to_tensor(pictures: &[&RgbImage]) -> Tensor {
    let rows: Vec<Tensor> = pictures
        .iter()
        .map(|p| {
            let (w, h) = (i64::from(p.width()), i64::from(p.height()));
            let bytes: &[u8] = p.as_raw();
            Tensor::from_data_size(bytes, &[h, w, 3], Kind::Uint8).permute([2, 0, 1])
        })
        .collect();
    Tensor::stack(&rows, 0)
}

/// Pictures of one size as `[n, 3, h, w]` f32 in [0, 1] on the CPU.
pub fn pictures_to_tensor(pictures: &[&RgbImage]) -> Tensor {
    bytes_to_tensor(pictures).to_kind(Kind::Float) / 255.0
}

/// `[n, 3, h, w]` in [0, 1] (clamped here) to pictures.
pub fn tensor_to_pictures(tensor: &Tensor) -> Vec<RgbImage> {
    let size = tensor.size();
    let (n, h, w) = (size[0], size[2], size[3]);
    let bytes = (tensor
        .to_device(Device::Cpu)
        .to_kind(Kind::Float)
        .clamp(0.0, 1.0)
        * 255.0)
        .round()
        .to_kind(Kind::Uint8)
        .permute([0, 2, 3, 1])
        .contiguous();
    (0..n)
        .map(|i| {
            let mut pixels = vec![0u8; (h * w * 3) as usize];
            let len = pixels.len();
            bytes.get(i).copy_data_u8(&mut pixels, len);
            RgbImage::from_raw(w as u32, h as u32, pixels).expect("three bytes a pixel")
        })
        .collect()
}

/// Writes pictures of one size as a sheet with `columns` a row.
///
/// # Errors
/// When the file cannot be written.
pub fn write_sheet(path: &Path, pictures: &[RgbImage], columns: u32) -> Result<(), TrainError> {
    const GAP: u32 = 4;
    let Some(first) = pictures.first() else {
        return Ok(());
    };
    let (w, h) = (first.width() + GAP, first.height() + GAP);
    let rows = (pictures.len() as u32).div_ceil(columns);
    let white = image::Rgb([255; 3]);
    let mut sheet = RgbImage::from_pixel(columns * w + GAP, rows * h + GAP, white);
    for (i, picture) in pictures.iter().enumerate() {
        let (x, y) = (i as u32 % columns * w + GAP, i as u32 / columns * h + GAP);
        image::imageops::replace(&mut sheet, picture, i64::from(x), i64::from(y));
    }
    sheet.save(path).map_err(|error| TrainError::Io {
        path: path.into(),
        source: std::io::Error::other(error),
    })
}
