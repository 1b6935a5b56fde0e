//! The previewer of the original release (`modules/previewer.py`): convolutions from Stage C
//! latents to small pictures.

use tch::Tensor;

use super::config::{Unread, check_positive};
use super::layers::{BatchNorm2d, BatchNormOptions, Conv2d, Conv2dOptions, ConvTranspose2d};
use crate::weights::{Params, WeightsError};

/// The original's arguments. Its file, `previewer.safetensors`, comes without a config.json: it
/// is all defaults.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ConvPreviewerConfig {
    /// Channels of the latent.
    pub c_in: i64,
    /// Channels at the latent's resolution; the two doublings that follow halve them.
    pub c_hidden: i64,
    /// Channels of the picture.
    pub c_out: i64,
    /// The fields that are not named here.
    #[serde(flatten, skip_serializing)]
    pub unread: Unread,
}

impl Default for ConvPreviewerConfig {
    fn default() -> Self {
        Self {
            c_in: 16,
            c_hidden: 512,
            c_out: 3,
            unread: Unread::default(),
        }
    }
}

impl ConvPreviewerConfig {
    fn validate(&self) -> Result<(), WeightsError> {
        let network = "the previewer";
        self.unread.check(network)?;
        self.unread.check_class(network, "Previewer")?;
        check_positive(&[
            ("c_in", self.c_in),
            // The last levels have a quarter of these channels.
            ("c_hidden / 4", self.c_hidden / 4),
            ("c_out", self.c_out),
        ])
    }
}

enum Layer {
    Conv(Conv2d),
    Up(ConvTranspose2d),
}

/// A layer, then GELU and batch norm.
struct Block {
    layer: Layer,
    norm: BatchNorm2d,
}

impl Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = match &self.layer {
            Layer::Conv(conv) => conv.forward(x),
            Layer::Up(conv) => conv.forward(x),
        };
        self.norm.forward(&x.gelu("none"), false)
    }
}

/// Writes a previewer of random weights with this many hidden channels.
#[cfg(test)]
pub(crate) fn write_random(path: &std::path::Path, c_hidden: i64) {
    let params = Params::random(1, tch::Kind::BFloat16, tch::Device::Cpu);
    let config = ConvPreviewerConfig {
        c_hidden,
        ..Default::default()
    };
    ConvPreviewer::new(&params, config).unwrap();
    let taken = params.taken();
    let tensors = taken.iter().map(|p| (p.name.as_str(), &p.tensor));
    crate::weights::save(path, tensors).unwrap();
}

/// The previewer: three doublings of the latent's resolution.
pub struct ConvPreviewer {
    config: ConvPreviewerConfig,
    blocks: Vec<Block>,
    last: Conv2d,
}

impl ConvPreviewer {
    /// Takes its parameters from `params` (`blocks.…`).
    ///
    /// # Errors
    /// A field asks for something that is not built; a tensor is missing or of another shape.
    pub fn new(params: &Params, config: ConvPreviewerConfig) -> Result<Self, WeightsError> {
        config.validate()?;
        let (wide, half, quarter) = (config.c_hidden, config.c_hidden / 2, config.c_hidden / 4);
        let wider = Conv2dOptions {
            kernel: 3,
            padding: 1,
            ..Default::default()
        };
        let params = params.sub("blocks");
        let mut blocks = Vec::new();
        // In the original's list every block has three places: layer, GELU, norm.
        let mut add = |channels, build: &dyn Fn(&Params) -> Result<Layer, WeightsError>| {
            let at = 3 * blocks.len();
            let layer = build(&params.sub(at))?;
            let norm =
                BatchNorm2d::new(&params.sub(at + 2), channels, BatchNormOptions::default())?;
            blocks.push(Block { layer, norm });
            Ok::<(), WeightsError>(())
        };
        let first = Conv2dOptions::default();
        add(wide, &|p| {
            Ok(Layer::Conv(Conv2d::new(p, config.c_in, wide, first)?))
        })?;
        add(wide, &|p| {
            Ok(Layer::Conv(Conv2d::new(p, wide, wide, wider)?))
        })?;
        for (from, to) in [(wide, half), (half, quarter), (quarter, quarter)] {
            add(to, &|p| {
                Ok(Layer::Up(ConvTranspose2d::new(p, from, to, 2, 2, 0)?))
            })?;
            add(to, &|p| Ok(Layer::Conv(Conv2d::new(p, to, to, wider)?)))?;
        }
        let last = params.sub(3 * blocks.len());
        let last = Conv2d::new(&last, quarter, config.c_out, first)?;
        Ok(Self {
            config,
            blocks,
            last,
        })
    }

    /// The configuration that it was made with.
    pub fn config(&self) -> &ConvPreviewerConfig {
        &self.config
    }

    /// Latents `[B, c_in, h, w]`, in the parameters' dtype, to pictures `[B, c_out, 8h, 8w]` in
    /// about [0, 1].
    pub fn forward(&self, latents: &Tensor) -> Tensor {
        let mut x = latents.shallow_clone();
        for block in &self.blocks {
            x = block.forward(&x);
        }
        self.last.forward(&x)
    }
}
