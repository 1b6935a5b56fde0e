//! Where networks compute, and in which dtype.

use std::str::FromStr;
use std::time::{Duration, Instant};

pub use tch::Device;
use tch::{Kind, Tensor};

/// A device as it is asked for: `auto`, `cpu`, `cuda` or `cuda:1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The first CUDA device where there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device of this number.
    Cuda(usize),
}

/// Why a device cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The name is none of a device.
    #[error("`{0}` is no device: auto, cpu, cuda and cuda:N are")]
    Unknown(String),
    /// The name is none of a dtype.
    #[error("`{0}` is no dtype: auto, f32 and bf16 are")]
    UnknownDtype(String),
    /// CUDA was asked for by number and there are fewer devices.
    #[error(
        "cuda:{wanted} was asked for and {found} CUDA devices are to be seen; use auto or cpu to compute without one"
    )]
    Absent {
        /// The number asked for.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let unknown = || DeviceError::Unknown(text.to_owned());
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let number = text.strip_prefix("cuda:").ok_or_else(unknown)?;
                Ok(Self::Cuda(number.parse().map_err(|_| unknown())?))
            }
        }
    }
}

impl DeviceChoice {
    /// The device itself.
    ///
    /// # Errors
    /// When a CUDA device was asked for that is not there.
    pub fn resolve(self) -> Result<Device, DeviceError> {
        match self {
            Self::Auto => Ok(Device::cuda_if_available()),
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(wanted) => {
                let found = tch::Cuda::device_count().max(0) as usize;
                match wanted < found {
                    true => Ok(Device::Cuda(wanted)),
                    false => Err(DeviceError::Absent { wanted, found }),
                }
            }
        }
    }
}

/// Sets how many CPU threads one operation uses.
pub fn set_threads(threads: i32) {
    tch::set_num_threads(threads);
}

/// A dtype as it is asked for: `auto`, `f32` or `bf16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DtypeChoice {
    /// bf16 on CUDA; on a CPU whichever is faster there.
    #[default]
    Auto,
    /// 32-bit floats.
    F32,
    /// bfloat16. f16 is no choice: the prior does not bear it.
    Bf16,
}

impl FromStr for DtypeChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "auto" => Ok(Self::Auto),
            "f32" => Ok(Self::F32),
            "bf16" => Ok(Self::Bf16),
            _ => Err(DeviceError::UnknownDtype(text.to_owned())),
        }
    }
}

impl DtypeChoice {
    /// The dtype to compute in on `device`.
    ///
    /// A CPU is timed: among those with bf16 instructions some multiply matrices four times
    /// faster in bf16, others at half the speed of f32.
    pub fn resolve(self, device: Device) -> Kind {
        match (self, device) {
            (Self::F32, _) => Kind::Float,
            (Self::Bf16, _) | (Self::Auto, Device::Cuda(_)) => Kind::BFloat16,
            (Self::Auto, _) if product_time(Kind::BFloat16) < product_time(Kind::Float) => {
                Kind::BFloat16
            }
            (Self::Auto, _) => Kind::Float,
        }
    }
}

/// A dtype that networks compute in, as it is asked for.
pub fn dtype_word(kind: Kind) -> &'static str {
    match kind {
        Kind::BFloat16 => "bf16",
        _ => "f32",
    }
}

/// The shortest of a few times that one matrix product takes on the CPU.
fn product_time(kind: Kind) -> Duration {
    let matrix = Tensor::ones([512, 512], (kind, Device::Cpu));
    let time = |_| {
        let started = Instant::now();
        let _product = matrix.matmul(&matrix);
        started.elapsed()
    };
    // The first two also load the kernels.
    (0..8).map(time).skip(2).min().unwrap_or_default()
}
