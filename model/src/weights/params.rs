//! A path-scoped source of named parameters, as a network asks for them.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::checkpoint::is_weight;
use super::{Checkpoint, WeightsError};
use crate::diffusion::Noise;

/// How a parameter starts when the source is a seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Every element the same.
    Const(f64),
    /// Gaussian with mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Uniform in ±1/√fan_in, as torch starts linear and convolution layers.
    FanIn,
    /// Uniform in ±gain·√(6/(fan_in+fan_out)) (Glorot and Bengio, 2010).
    Xavier {
        /// Factor on the bound.
        gain: f64,
    },
}

/// One named tensor of a network.
pub struct Parameter {
    /// The name in the file, for example `down_blocks.0.0.depthwise.weight`.
    pub name: String,
    /// The tensor itself; shares its storage with the network's.
    pub tensor: Tensor,
    /// False for buffers such as running statistics.
    pub trainable: bool,
}

enum Source {
    Seed(u64),
    Files(Checkpoint),
    /// The files' names, shapes and dtypes alone.
    Headers(Checkpoint),
}

impl Source {
    fn checkpoint(&self) -> Option<&Checkpoint> {
        match self {
            Self::Seed(_) => None,
            Self::Files(files) | Self::Headers(files) => Some(files),
        }
    }
}

struct Shared {
    source: Source,
    device: Device,
    kind: Kind,
    taken: RefCell<Vec<Parameter>>,
}

/// Hands a network its parameters by name, from files or from a seed, in one dtype on one
/// device, and remembers what was taken. Cloning is cheap.
#[derive(Clone)]
pub struct Params {
    shared: Rc<Shared>,
    prefix: String,
}

impl Params {
    fn new(source: Source, kind: Kind, device: Device) -> Self {
        let shared = Shared {
            source,
            device,
            kind,
            taken: RefCell::default(),
        };
        Self {
            shared: Rc::new(shared),
            prefix: String::new(),
        }
    }

    /// Parameters drawn from `seed`: each depends on the seed and its own name only.
    pub fn random(seed: u64, kind: Kind, device: Device) -> Self {
        Self::new(Source::Seed(seed), kind, device)
    }

    /// Parameters read from files, converted to `kind` on `device`.
    pub fn load(checkpoint: Checkpoint, kind: Kind, device: Device) -> Self {
        Self::new(Source::Files(checkpoint), kind, device)
    }

    /// Parameters of the files' names and shapes without their numbers: a network made of them
    /// says whether files and configuration fit, in no time and no memory, and can do nothing
    /// else.
    pub fn headers(checkpoint: Checkpoint) -> Self {
        Self::new(Source::Headers(checkpoint), Kind::Float, Device::Cpu)
    }

    /// The scope one segment deeper: `params.sub("blocks").sub(3)` names `blocks.3.…`.
    pub fn sub(&self, segment: impl Display) -> Self {
        Self {
            shared: self.shared.clone(),
            prefix: self.full_name(&segment.to_string()),
        }
    }

    /// The device that the parameters are on.
    pub fn device(&self) -> Device {
        self.shared.device
    }

    /// The dtype that the parameters have.
    pub fn kind(&self) -> Kind {
        self.shared.kind
    }

    fn full_name(&self, name: &str) -> String {
        if self.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.prefix)
        }
    }

    /// Whether the files hold this name, or anything below it. Always true of a seed.
    pub fn contains(&self, name: &str) -> bool {
        let full = self.full_name(name);
        self.shared.source.checkpoint().is_none_or(|files| {
            let below = format!("{full}.");
            files.names().any(|n| n == full || n.starts_with(&below))
        })
    }

    /// Whether the weights come from files and those hold this very name.
    pub fn stored(&self, name: &str) -> bool {
        let files = self.shared.source.checkpoint();
        files.is_some_and(|files| files.contains(&self.full_name(name)))
    }

    /// A trainable parameter of this shape.
    pub fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Result<Tensor, WeightsError> {
        self.take(name, shape, init, true)
    }

    /// A tensor that belongs to the weights but is not trained by gradient.
    pub fn buffer(&self, name: &str, shape: &[i64], init: Init) -> Result<Tensor, WeightsError> {
        self.take(name, shape, init, false)
    }

    fn take(
        &self,
        name: &str,
        shape: &[i64],
        init: Init,
        trainable: bool,
    ) -> Result<Tensor, WeightsError> {
        let name = self.full_name(name);
        let shared = &self.shared;
        if let Some(files) = shared.source.checkpoint() {
            let found = files.shape(&name)?;
            if found != shape {
                return Err(WeightsError::Shape {
                    name,
                    found,
                    expected: shape.to_vec(),
                });
            }
            let kind = files.kind(&name)?;
            if !is_weight(kind) {
                return Err(WeightsError::Dtype {
                    name,
                    dtype: format!("{kind:?}"),
                });
            }
        }
        let tensor = match &shared.source {
            Source::Seed(seed) => initial(*seed, &name, shape, init).to_device(shared.device),
            Source::Files(files) => files.tensor(&name, shared.device)?,
            // One number seen at every place, so that no memory is used.
            Source::Headers(_) => {
                Tensor::zeros([1], (shared.kind, shared.device)).expand(shape, false)
            }
        }
        .to_kind(shared.kind);
        shared.taken.borrow_mut().push(Parameter {
            name,
            tensor: tensor.shallow_clone(),
            trainable,
        });
        Ok(tensor)
    }

    /// A network from its configuration and these parameters, all of which it must use.
    ///
    /// # Errors
    /// The configuration asks for something that is not built, or the files do not fit it.
    pub fn network<C, N>(
        &self,
        config: C,
        build: impl FnOnce(&Self, C) -> Result<N, WeightsError>,
    ) -> Result<N, WeightsError> {
        let network = build(self, config)?;
        self.finish()?;
        Ok(network)
    }

    /// Everything taken so far, in the order of asking.
    pub fn taken(&self) -> Vec<Parameter> {
        let copy = |p: &Parameter| Parameter {
            name: p.name.clone(),
            tensor: p.tensor.shallow_clone(),
            trainable: p.trainable,
        };
        self.shared.taken.borrow().iter().map(copy).collect()
    }

    /// [`Self::taken`] with `prefix/` before every name, for a stage that trains several networks.
    pub fn taken_as(&self, prefix: &str) -> Vec<Parameter> {
        let mut taken = self.taken();
        for parameter in &mut taken {
            parameter.name = format!("{prefix}/{}", parameter.name);
        }
        taken
    }

    /// How many numbers the network has taken.
    pub fn count(&self) -> u64 {
        let taken = self.shared.taken.borrow();
        taken.iter().map(|p| p.tensor.numel() as u64).sum()
    }

    /// Checks that every tensor of the files was taken, apart from those that no network reads:
    /// weights with tensors left over belong to another configuration.
    pub fn finish(&self) -> Result<(), WeightsError> {
        let Some(files) = self.shared.source.checkpoint() else {
            return Ok(());
        };
        let taken = self.shared.taken.borrow();
        let taken: std::collections::HashSet<&str> =
            taken.iter().map(|p| p.name.as_str()).collect();
        let mut left: Vec<&str> = files
            .names()
            .filter(|n| !taken.contains(n) && !is_derived(n))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        left.sort_unstable();
        let more = left.len().saturating_sub(5);
        let mut list = left[..left.len().min(5)].join(", ");
        if more > 0 {
            list.push_str(&format!(" and {more} more"));
        }
        Err(WeightsError::Unexpected(list))
    }
}

/// Whether a tensor of this name says nothing that the configuration does not: torch's count of
/// batches in every batch norm, and the tables that older versions of transformers saved.
fn is_derived(name: &str) -> bool {
    ["num_batches_tracked", "position_ids", "rotary_emb.inv_freq"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

/// FNV-1a: a parameter's draw must not change when others are added, nor between releases
/// of the standard library's hasher.
fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn initial(seed: u64, name: &str, shape: &[i64], init: Init) -> Tensor {
    let mut noise = Noise::new(seed ^ name_hash(name));
    // Linear and convolution weights are [out, in, ...]: fan counts a kernel's positions.
    let receptive: i64 = shape.iter().skip(2).product();
    let fan_in = shape.get(1).copied().unwrap_or(shape[0]) * receptive;
    let fan_out = shape[0] * receptive;
    match init {
        Init::Const(value) => Tensor::full(shape, value, (Kind::Float, Device::Cpu)),
        Init::Normal { std } => noise.gaussian(shape) * std,
        Init::FanIn => noise.uniform(shape) * (1.0 / (fan_in as f64).sqrt()),
        Init::Xavier { gain } => {
            noise.uniform(shape) * (gain * (6.0 / (fan_in + fan_out) as f64).sqrt())
        }
    }
}
