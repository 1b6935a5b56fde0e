//! Where the parameters of a network come from: files in the hub's layout, or a seed.

mod checkpoint;
mod files;
mod folder;
mod hub;
pub mod mini;
mod params;

pub use checkpoint::{Checkpoint, save};
pub use files::variants;
pub use folder::{Component, ModelCard, ModelFolder};
pub use hub::{HubLayout, LITE, REPOSITORY_DEPTH, UNetSize, holds_published};
pub use params::{Init, Parameter, Params};

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What can be wrong with a folder of weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// A file could not be read or written.
    #[error("{path}: {}", told(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// There is no room to map a file.
    #[error(
        "{0}: there is not enough memory to map it: allow this program more address space, or use \
         a smaller model"
    )]
    Memory(PathBuf),
    /// A file is no safetensors file, or is truncated.
    #[error("{path} is no whole safetensors file: {reason}; put a whole one in its place")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// A `config.json` does not parse, or asks for something this program does not have.
    #[error("{path}: {reason}")]
    Config {
        /// The file.
        path: PathBuf,
        /// The field and what is allowed.
        reason: String,
    },
    /// A folder has no model, or a part of one.
    #[error("{folder}: {reason}")]
    NoModel {
        /// The folder.
        folder: PathBuf,
        /// What is needed.
        reason: String,
    },
    /// A folder has several models of a kind, or none of the size that was asked for.
    #[error("{folder}: {reason}")]
    Layout {
        /// The folder.
        folder: PathBuf,
        /// What is needed.
        reason: String,
    },
    /// A tensor that the network needs is not in the files.
    #[error(
        "the weights lack the tensor `{0}`: they belong to another architecture, or a shard is missing"
    )]
    Missing(String),
    /// A tensor has another shape than the configuration asks for.
    #[error(
        "the tensor `{name}` has shape {found:?} where the configuration asks for {expected:?}"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// The file's shape.
        found: Vec<i64>,
        /// The configuration's shape.
        expected: Vec<i64>,
    },
    /// A tensor has a dtype this program does not read, or weights have one of whole numbers.
    #[error(
        "the tensor `{name}` has dtype {dtype}, which is not read here: weights are f32, f16, bf16 or f64"
    )]
    Dtype {
        /// The tensor.
        name: String,
        /// Its dtype in the file.
        dtype: String,
    },
    /// The files hold tensors that the network does not use.
    #[error("the weights hold tensors that the configuration has no place for: {0}")]
    Unexpected(String),
    /// The weights of one of several networks do not fit.
    #[error("{folder}: {problem}")]
    Network {
        /// The network's folder, or its file where it has one alone.
        folder: PathBuf,
        /// What is wrong.
        problem: Box<WeightsError>,
    },
}

/// What the operating system said of a file, and what to do where it is not there.
fn told(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => format!("{error}; fetch it, or correct the name"),
        _ => error.to_string(),
    }
}

impl WeightsError {
    /// The error with the file of the configuration that it is about, where it does not say itself.
    pub(crate) fn in_file(self, file: &Path) -> Self {
        match self {
            Self::Config { path, reason } if path.parent() == Some(Path::new("")) => Self::Config {
                path: file.to_owned(),
                reason,
            },
            other => other,
        }
    }

    /// The error with the folder of the network that it is about, where it does not say itself.
    pub(crate) fn about(self, folder: &Path) -> Self {
        match self {
            Self::Config { ref path, .. } => {
                let file = folder.join(path.file_name().unwrap_or_default());
                self.in_file(&file)
            }
            Self::Missing(_) | Self::Shape { .. } | Self::Dtype { .. } | Self::Unexpected(_) => {
                Self::Network {
                    folder: folder.to_owned(),
                    problem: Box::new(self),
                }
            }
            other => other,
        }
    }
}

/// The folders in `dir` that are not hidden, in the order of their names.
///
/// # Errors
/// The folder cannot be listed.
pub fn subfolders(dir: &Path) -> Result<Vec<PathBuf>, WeightsError> {
    let mut entries = entries(dir)?;
    entries.retain(|path| path.is_dir() && !is_hidden(path));
    Ok(entries)
}

/// All that is in `dir`, in the order of the names.
///
/// # Errors
/// The folder cannot be listed.
pub fn entries(dir: &Path) -> Result<Vec<PathBuf>, WeightsError> {
    let io = |source| WeightsError::Io {
        path: dir.to_owned(),
        source,
    };
    let path = |entry: std::io::Result<std::fs::DirEntry>| Ok(entry.map_err(io)?.path());
    let listed = std::fs::read_dir(dir).map_err(io)?;
    let mut paths = listed.map(path).collect::<Result<Vec<_>, WeightsError>>()?;
    paths.sort();
    Ok(paths)
}

/// Checks that `path` is a file: a pipe would keep its reader waiting for ever.
pub(crate) fn check_file(path: &Path) -> Result<(), WeightsError> {
    let reason = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => return Ok(()),
        Ok(_) => std::io::Error::other("it is no file"),
        Err(source) => source,
    };
    Err(WeightsError::Io {
        path: path.to_owned(),
        source: reason,
    })
}

/// Whether a name begins with a dot: what is in such folders is none of a model's.
pub fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with('.')
}

/// Reads and parses a `config.json`, naming the file and field on failure.
pub fn read_config<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, WeightsError> {
    let text = std::fs::read_to_string(path).map_err(|source| WeightsError::Io {
        path: path.into(),
        source,
    })?;
    let mut json = serde_json::Deserializer::from_str(&text);
    let damaged = |reason: String| WeightsError::Config {
        path: path.into(),
        reason,
    };
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        match field.as_str() {
            "." | "?" => damaged(error.inner().to_string()),
            _ => damaged(format!("`{field}`: {}", error.inner())),
        }
    })?;
    json.end().map_err(|error| damaged(error.to_string()))?;
    Ok(value)
}
