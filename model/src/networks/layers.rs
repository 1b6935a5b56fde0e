//! The layers that several networks share, under torch's parameter names.

use tch::{Kind, Tensor};

use crate::weights::{Init, Params, WeightsError};

/// `y = x·Wᵀ + b` over the last dimension.
pub struct Linear {
    /// `[out, in]`.
    pub weight: Tensor,
    /// `[out]`, where the layer has one.
    pub bias: Option<Tensor>,
}

impl Linear {
    /// Takes `weight` and `bias`; torch's default start.
    pub fn new(params: &Params, inputs: i64, outputs: i64) -> Result<Self, WeightsError> {
        Self::init(params, inputs, outputs, Init::FanIn, true)
    }

    /// Takes `weight` alone.
    pub fn without_bias(params: &Params, inputs: i64, outputs: i64) -> Result<Self, WeightsError> {
        Self::init(params, inputs, outputs, Init::FanIn, false)
    }

    /// Takes the parameters with this start of the weight; a bias starts at zero.
    pub fn init(
        params: &Params,
        inputs: i64,
        outputs: i64,
        init: Init,
        bias: bool,
    ) -> Result<Self, WeightsError> {
        let weight = params.tensor("weight", &[outputs, inputs], init)?;
        let bias = match bias {
            true => Some(params.tensor("bias", &[outputs], Init::Const(0.0))?),
            false => None,
        };
        Ok(Self { weight, bias })
    }

    /// `[…, in]` to `[…, out]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, self.bias.as_ref())
    }
}

/// A 2-D convolution with a square kernel.
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: i64,
    padding: i64,
    groups: i64,
}

/// How a [`Conv2d`] differs from a 1×1 convolution with bias.
#[derive(Clone, Copy)]
pub struct Conv2dOptions {
    /// Side of the kernel.
    pub kernel: i64,
    /// Step between outputs.
    pub stride: i64,
    /// Zeros added on each side.
    pub padding: i64,
    /// Groups of channels that do not mix.
    pub groups: i64,
    /// Whether there is a bias.
    pub bias: bool,
    /// How the weight starts.
    pub init: Init,
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Self {
            kernel: 1,
            stride: 1,
            padding: 0,
            groups: 1,
            bias: true,
            init: Init::FanIn,
        }
    }
}

impl Conv2d {
    /// Takes `weight` `[out, in/groups, k, k]` and `bias` `[out]`.
    pub fn new(
        params: &Params,
        inputs: i64,
        outputs: i64,
        options: Conv2dOptions,
    ) -> Result<Self, WeightsError> {
        let Conv2dOptions { kernel, groups, .. } = options;
        let shape = [outputs, inputs / groups, kernel, kernel];
        Ok(Self {
            weight: params.tensor("weight", &shape, options.init)?,
            bias: match options.bias {
                true => Some(params.tensor("bias", &[outputs], Init::Const(0.0))?),
                false => None,
            },
            stride: options.stride,
            padding: options.padding,
            groups,
        })
    }

    /// `[B, in, h, w]` to `[B, out, h', w']`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        let bias = self.bias.as_ref();
        x.conv2d(&self.weight, bias, stride, padding, [1, 1], self.groups)
    }
}

/// A transposed 2-D convolution with a square kernel.
pub struct ConvTranspose2d {
    weight: Tensor,
    bias: Tensor,
    stride: i64,
    padding: i64,
}

impl ConvTranspose2d {
    /// Takes `weight` `[in, out, k, k]` and `bias` `[out]`.
    pub fn new(
        params: &Params,
        inputs: i64,
        outputs: i64,
        kernel: i64,
        stride: i64,
        padding: i64,
    ) -> Result<Self, WeightsError> {
        Ok(Self {
            weight: params.tensor("weight", &[inputs, outputs, kernel, kernel], Init::FanIn)?,
            bias: params.tensor("bias", &[outputs], Init::Const(0.0))?,
            stride,
            padding,
        })
    }

    /// `[B, in, h, w]` to `[B, out, h', w']`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        let bias = Some(&self.bias);
        x.conv_transpose2d(&self.weight, bias, stride, padding, [0, 0], 1, [1, 1])
    }
}

/// Layer norm over the last dimension, with scale and shift.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Takes `weight` and `bias`, `[size]` each.
    pub fn new(params: &Params, size: i64, eps: f64) -> Result<Self, WeightsError> {
        Ok(Self {
            weight: params.tensor("weight", &[size], Init::Const(1.0))?,
            bias: params.tensor("bias", &[size], Init::Const(0.0))?,
            eps,
        })
    }

    /// `[…, size]` to the same.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let size = self.weight.size();
        x.layer_norm(size, Some(&self.weight), Some(&self.bias), self.eps, true)
    }
}

/// Batch norm over the channels of `[B, c, h, w]` (Ioffe and Szegedy, 2015).
pub struct BatchNorm2d {
    affine: Option<(Tensor, Tensor)>,
    running_mean: Tensor,
    running_var: Tensor,
    options: BatchNormOptions,
}

/// How a [`BatchNorm2d`] is made.
#[derive(Debug, Clone, Copy)]
pub struct BatchNormOptions {
    /// Added to the variance.
    pub eps: f64,
    /// Share of a batch in the running statistics.
    pub momentum: f64,
    /// Whether there is a scale and a shift a channel.
    pub affine: bool,
}

impl Default for BatchNormOptions {
    /// As torch has it.
    fn default() -> Self {
        Self {
            eps: 1e-5,
            momentum: 0.1,
            affine: true,
        }
    }
}

impl BatchNorm2d {
    /// Takes `running_mean` and `running_var`, and with `affine` also `weight` and `bias`;
    /// `[channels]` each.
    pub fn new(
        params: &Params,
        channels: i64,
        options: BatchNormOptions,
    ) -> Result<Self, WeightsError> {
        let affine = match options.affine {
            true => Some((
                params.tensor("weight", &[channels], Init::Const(1.0))?,
                params.tensor("bias", &[channels], Init::Const(0.0))?,
            )),
            false => None,
        };
        Ok(Self {
            affine,
            running_mean: params.buffer("running_mean", &[channels], Init::Const(0.0))?,
            running_var: params.buffer("running_var", &[channels], Init::Const(1.0))?,
            options,
        })
    }

    /// `[B, channels, h, w]` to the same, by the running statistics. `train` normalises by the
    /// batch's own and moves the running ones towards them.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let BatchNormOptions { eps, momentum, .. } = self.options;
        x.batch_norm(
            self.affine.as_ref().map(|(weight, _)| weight),
            self.affine.as_ref().map(|(_, bias)| bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            train,
            momentum,
            eps,
            false,
        )
    }
}

/// Layer norm over the last dimension without parameters, ε = 1e-6, as Würstchen has it.
pub fn plain_layer_norm(x: &Tensor) -> Tensor {
    let channels = x.size()[x.dim() - 1];
    x.layer_norm([channels], None::<&Tensor>, None::<&Tensor>, 1e-6, true)
}

/// `[B, c, h, w]` to `[B, h, w, c]`. A view: between this and [`channels_first`] tensors
/// stay contiguous in channels-last order, which convolutions keep.
pub fn channels_last(x: &Tensor) -> Tensor {
    x.permute([0, 2, 3, 1])
}

/// `[B, h, w, c]` to `[B, c, h, w]`, a view.
pub fn channels_first(x: &Tensor) -> Tensor {
    x.permute([0, 3, 1, 2])
}

/// Layer norm without parameters over the channels of `[B, c, h, w]`.
pub fn channel_norm(x: &Tensor) -> Tensor {
    channels_first(&plain_layer_norm(&channels_last(x)))
}

/// Bilinear resizing with aligned corners to `[h, w]`, in f32 for low-precision inputs.
pub fn resize_bilinear(x: &Tensor, size: [i64; 2]) -> Tensor {
    if x.size()[2..] == size {
        return x.shallow_clone();
    }
    let resized = x
        .to_kind(Kind::Float)
        .upsample_bilinear2d(size, true, None, None);
    resized.to_kind(x.kind())
}

/// Batch, channels, height and width of `[B, c, h, w]`.
pub(super) fn size4(x: &Tensor) -> (i64, i64, i64, i64) {
    let size = x.size();
    (size[0], size[1], size[2], size[3])
}
