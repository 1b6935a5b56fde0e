//! EfficientNetV2's blocks, after torchvision `MBConv` and `FusedMBConv`.

use tch::Tensor;

use super::config::{BlockKind, StageConfig};
use crate::networks::layers::{BatchNorm2d, BatchNormOptions, Conv2d, Conv2dOptions};
use crate::weights::{Params, WeightsError};

/// A convolution without bias that keeps the resolution but for its stride, a batch norm and,
/// where it has one, SiLU.
pub(super) struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm2d,
    activated: bool,
}

impl ConvNorm {
    /// Takes `0.weight` and the norm's `1.…`.
    pub(super) fn new(
        params: &Params,
        inputs: i64,
        outputs: i64,
        options: Conv2dOptions,
        activated: bool,
    ) -> Result<Self, WeightsError> {
        let conv = Conv2dOptions {
            padding: options.kernel / 2,
            bias: false,
            ..options
        };
        let norm = BatchNormOptions {
            eps: 1e-3,
            ..Default::default()
        };
        Ok(Self {
            conv: Conv2d::new(&params.sub(0), inputs, outputs, conv)?,
            norm: BatchNorm2d::new(&params.sub(1), outputs, norm)?,
            activated,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.norm.forward(&self.conv.forward(x), false);
        match self.activated {
            true => y.silu(),
            false => y,
        }
    }
}

/// Scales channels by what a small network makes of their means (Hu et al., 2018).
struct SqueezeExcitation {
    fc1: Conv2d,
    fc2: Conv2d,
}

impl SqueezeExcitation {
    fn new(params: &Params, channels: i64, squeezed: i64) -> Result<Self, WeightsError> {
        let plain = Conv2dOptions::default();
        Ok(Self {
            fc1: Conv2d::new(&params.sub("fc1"), channels, squeezed, plain)?,
            fc2: Conv2d::new(&params.sub("fc2"), squeezed, channels, plain)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let mean = x.adaptive_avg_pool2d([1, 1]);
        x * self.fc2.forward(&self.fc1.forward(&mean).silu()).sigmoid()
    }
}

enum Part {
    Conv(ConvNorm),
    Excitation(SqueezeExcitation),
}

/// A block of either kind, with a residual where input and output are alike.
pub(super) struct InvertedResidual {
    parts: Vec<Part>,
    residual: bool,
}

impl InvertedResidual {
    /// Takes the parts under their positions (`0.…`, `1.…`).
    pub(super) fn new(params: &Params, config: &StageConfig) -> Result<Self, WeightsError> {
        let (inputs, outputs) = (config.input_channels, config.out_channels);
        let inside = config.expanded();
        let spatial = Conv2dOptions {
            kernel: config.kernel,
            stride: config.stride,
            ..Default::default()
        };
        let plain = Conv2dOptions::default();
        let mut parts = Vec::new();
        let conv = |parts: &mut Vec<Part>, from, to, options, activated| {
            let part = ConvNorm::new(&params.sub(parts.len()), from, to, options, activated)?;
            parts.push(Part::Conv(part));
            Ok::<_, WeightsError>(())
        };
        match config.block {
            BlockKind::Fused if inside == inputs => {
                conv(&mut parts, inputs, outputs, spatial, true)?;
            }
            BlockKind::Fused => {
                conv(&mut parts, inputs, inside, spatial, true)?;
                conv(&mut parts, inside, outputs, plain, false)?;
            }
            BlockKind::Depthwise => {
                if inside != inputs {
                    conv(&mut parts, inputs, inside, plain, true)?;
                }
                let depthwise = Conv2dOptions {
                    groups: inside,
                    ..spatial
                };
                conv(&mut parts, inside, inside, depthwise, true)?;
                let squeezed = (inputs / 4).max(1);
                let at = params.sub(parts.len());
                parts.push(Part::Excitation(SqueezeExcitation::new(
                    &at, inside, squeezed,
                )?));
                conv(&mut parts, inside, outputs, plain, false)?;
            }
        }
        Ok(Self {
            parts,
            residual: config.stride == 1 && inputs == outputs,
        })
    }

    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let mut y = x.shallow_clone();
        for part in &self.parts {
            y = match part {
                Part::Conv(conv) => conv.forward(&y),
                Part::Excitation(excitation) => excitation.forward(&y),
            };
        }
        match self.residual {
            true => y + x,
            false => y,
        }
    }
}
