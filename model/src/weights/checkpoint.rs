//! Safetensors files, memory-mapped; a sharded set looks like one file.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorInfo, TensorView};
use tch::{Device, Kind, Tensor};

use super::{Params, WeightsError, check_file, files};

/// How the file begins that Git has in place of a large one which was not fetched.
const LFS_POINTER: &[u8] = b"version https://git-lfs";

struct Shard {
    path: PathBuf,
    bytes: Mmap,
    /// Where the tensors' bytes begin: past the length field and the header.
    data_start: usize,
    metadata: Metadata,
}

impl Shard {
    /// Lets the system take back the pages of what was copied out: mapped pages count as the
    /// process's memory, and every weight would be there twice.
    fn forget(&self, offset: usize, length: usize) {
        #[cfg(unix)]
        // SAFETY: the map is read only and backed by its file, so dropped pages are read anew.
        // A refusal leaves them where they are, which only costs memory.
        let _ = unsafe {
            self.bytes
                .unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, length)
        };
    }
}

/// A set of named tensors on disk. Opening reads headers only; a tensor's bytes are read
/// when it is asked for, and nothing is kept in memory twice.
pub struct Checkpoint {
    shards: Vec<Shard>,
    by_name: HashMap<String, usize>,
}

impl Checkpoint {
    /// Opens `stem.safetensors` in `dir`, or the shards of its index. Of several variants
    /// (`stem.bf16.safetensors`) the one nearest to `kind`, the dtype to compute in, is taken.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub fn open_in(dir: &Path, stem: &str, kind: Kind) -> Result<Self, WeightsError> {
        Self::open(&files::find(dir, stem, kind)?)
    }

    /// Opens a safetensors file, or the shards of an index.json.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub fn open_path(path: &Path) -> Result<Self, WeightsError> {
        Self::open(&files::named(path)?)
    }

    /// Opens these files as one set of tensors.
    pub fn open(files: &[PathBuf]) -> Result<Self, WeightsError> {
        let mut shards = Vec::with_capacity(files.len());
        let mut by_name = HashMap::new();
        for path in files {
            let io = |source| WeightsError::Io {
                path: path.clone(),
                source,
            };
            check_file(path)?;
            let file = File::open(path).map_err(io)?;
            // SAFETY: the map is read only; a file changed by someone else meanwhile gives
            // other numbers, never an access out of bounds, unless it is truncated.
            let bytes = unsafe { Mmap::map(&file) }.map_err(|error| match error.kind() {
                ErrorKind::OutOfMemory => WeightsError::Memory(path.clone()),
                _ => io(error),
            })?;
            let (header, metadata) =
                SafeTensors::read_metadata(&bytes).map_err(|e| WeightsError::Damaged {
                    path: path.clone(),
                    reason: match bytes.starts_with(LFS_POINTER) {
                        true => {
                            "it is a pointer of Git LFS, and `git lfs pull` fetches the file".into()
                        }
                        false => e.to_string(),
                    },
                })?;
            let data_start = header + 8;
            let needed = metadata.data_len() + data_start;
            if bytes.len() != needed {
                return Err(WeightsError::Damaged {
                    path: path.clone(),
                    reason: format!("it has {} bytes of {needed}", bytes.len()),
                });
            }
            for name in metadata.tensors().keys() {
                by_name.insert(name.clone(), shards.len());
            }
            shards.push(Shard {
                path: path.clone(),
                bytes,
                data_start,
                metadata,
            });
        }
        Ok(Self { shards, by_name })
    }

    /// The names of all tensors, in no particular order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Whether a tensor of this name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    fn info(&self, name: &str) -> Result<(&Shard, &TensorInfo), WeightsError> {
        let missing = || WeightsError::Missing(name.to_owned());
        let shard = &self.shards[*self.by_name.get(name).ok_or_else(missing)?];
        Ok((shard, shard.metadata.info(name).ok_or_else(missing)?))
    }

    /// The tensor's shape as the file states it.
    pub fn shape(&self, name: &str) -> Result<Vec<i64>, WeightsError> {
        let (_, info) = self.info(name)?;
        Ok(info.shape.iter().map(|&d| d as i64).collect())
    }

    /// A network from its configuration and these weights, all of which it must use.
    ///
    /// # Errors
    /// The configuration asks for something that is not built, or the weights do not fit it.
    pub fn network<C, N>(
        self,
        config: C,
        kind: Kind,
        device: Device,
        build: impl FnOnce(&Params, C) -> Result<N, WeightsError>,
    ) -> Result<(N, Params), WeightsError> {
        let params = Params::load(self, kind, device);
        Ok((params.network(config, build)?, params))
    }

    /// The tensor's dtype.
    ///
    /// # Errors
    /// There is no such tensor, or its dtype is not read here.
    pub fn kind(&self, name: &str) -> Result<Kind, WeightsError> {
        let (_, info) = self.info(name)?;
        kind_of(info.dtype).ok_or_else(|| WeightsError::Dtype {
            name: name.to_owned(),
            dtype: format!("{:?}", info.dtype),
        })
    }

    /// How many numbers all tensors have.
    pub fn parameters(&self) -> u64 {
        let tensors = self
            .shards
            .iter()
            .flat_map(|s| s.metadata.tensors().into_values());
        tensors
            .map(|info| info.shape.iter().product::<usize>() as u64)
            .sum()
    }

    /// The dtypes of the tensors, as safetensors names them (`BF16`), in the order of names.
    pub fn dtypes(&self) -> BTreeSet<String> {
        let tensors = self
            .shards
            .iter()
            .flat_map(|s| s.metadata.tensors().into_values());
        tensors.map(|info| format!("{:?}", info.dtype)).collect()
    }

    /// Reads one tensor to `device` in the file's own dtype.
    pub fn tensor(&self, name: &str, device: Device) -> Result<Tensor, WeightsError> {
        let kind = self.kind(name)?;
        let (shard, info) = self.info(name)?;
        let (from, to) = info.data_offsets;
        let bytes = shard
            .bytes
            .get(shard.data_start + from..shard.data_start + to)
            .ok_or_else(|| WeightsError::Damaged {
                path: shard.path.clone(),
                reason: format!("the tensor `{name}` lies outside the file"),
            })?;
        let shape: Vec<i64> = info.shape.iter().map(|&d| d as i64).collect();
        let tensor = Tensor::from_data_size(bytes, &shape, kind).to_device(device);
        shard.forget(shard.data_start + from, to - from);
        Ok(tensor)
    }
}

/// Whether weights may be of this dtype: what holds whole numbers or truth values is something else.
pub(super) fn is_weight(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Float | Kind::Half | Kind::BFloat16 | Kind::Double
    )
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::F32 => Kind::Float,
        Dtype::F16 => Kind::Half,
        Dtype::BF16 => Kind::BFloat16,
        Dtype::I64 => Kind::Int64,
        Dtype::I32 => Kind::Int,
        Dtype::U8 => Kind::Uint8,
        Dtype::BOOL => Kind::Bool,
        Dtype::F64 => Kind::Double,
        _ => return None,
    })
}

fn dtype_of(kind: Kind) -> Option<Dtype> {
    Some(match kind {
        Kind::Float => Dtype::F32,
        Kind::Half => Dtype::F16,
        Kind::BFloat16 => Dtype::BF16,
        Kind::Int64 => Dtype::I64,
        Kind::Int => Dtype::I32,
        Kind::Uint8 => Dtype::U8,
        Kind::Bool => Dtype::BOOL,
        Kind::Double => Dtype::F64,
        _ => return None,
    })
}

/// Writes named tensors to one safetensors file, complete or not at all: under another
/// name first, flushed to disk, then renamed.
pub fn save<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
) -> Result<(), WeightsError> {
    let mut buffers = Vec::new();
    for (name, tensor) in tensors {
        let tensor = tensor.to_device(Device::Cpu).contiguous();
        let dtype = dtype_of(tensor.kind()).ok_or_else(|| WeightsError::Dtype {
            name: name.to_owned(),
            dtype: format!("{:?}", tensor.kind()),
        })?;
        let mut bytes = vec![0u8; tensor.numel() * tensor.kind().elt_size_in_bytes()];
        tensor.copy_data_u8(&mut bytes, tensor.numel());
        let shape: Vec<usize> = tensor.size().iter().map(|&d| d as usize).collect();
        buffers.push((name, dtype, shape, bytes));
    }
    let damaged = |e: safetensors::SafeTensorError| WeightsError::Damaged {
        path: path.into(),
        reason: e.to_string(),
    };
    let mut views = Vec::with_capacity(buffers.len());
    for (name, dtype, shape, bytes) in &buffers {
        views.push((
            *name,
            TensorView::new(*dtype, shape.clone(), bytes).map_err(damaged)?,
        ));
    }
    let io = |source| WeightsError::Io {
        path: path.into(),
        source,
    };
    let partial = path.with_extension("partial");
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(io)?;
    }
    // The crate makes a file for its owner alone, and others may be the ones who serve from it.
    let usual = File::create(&partial).and_then(|file| file.metadata());
    let usual = usual.map_err(io)?.permissions();
    safetensors::tensor::serialize_to_file(views, None, &partial).map_err(damaged)?;
    std::fs::set_permissions(&partial, usual).map_err(io)?;
    File::open(&partial)
        .and_then(|f| f.sync_all())
        .map_err(io)?;
    std::fs::rename(&partial, path).map_err(io)
}
