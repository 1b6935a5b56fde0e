//! The training data: public artwork that draws the same subjects in several styles.
//!
//! [`build::build`] fetches the sets through npm, joins them on Unicode code points, renders
//! every picture and leaves an artwork set on disk; [`artwork::Artwork`] reads it.

pub mod artwork;
pub mod build;
pub mod cache;
pub mod captions;
pub mod colours;
mod join;
mod npm;
mod render;
mod slow_tokenizer;
pub mod sources;
pub mod split;
#[cfg(test)]
mod tests;
pub mod tokenizer;
pub mod variant;
mod words;

use std::path::PathBuf;

/// Side of every picture of the set, in pixels.
pub const PICTURE_SIZE: u32 = 128;

/// What can go wrong while the data is fetched, rendered or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// npm itself could not be started.
    #[error(
        "npm could not be started ({0}); install Node.js with npm (on Debian: apt-get install npm)"
    )]
    NpmMissing(std::io::Error),
    /// A package could not be fetched.
    #[error(
        "the package {package} could not be fetched with `npm pack`: {reason}; check the network and npm's registry setting, then run the command again"
    )]
    PackageMissing {
        /// Name and version, `name@version`.
        package: String,
        /// npm's last words.
        reason: String,
    },
    /// A fetched package cannot be read to its end.
    #[error("{path} is no whole package ({source}); delete the file and run the command again")]
    Tarball {
        /// The package in the cache.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A package lacks a file, or the file is not what it should be.
    #[error(
        "{package}: {file}: {reason}; delete the package from the cache and run the command again"
    )]
    PackageContent {
        /// Name and version.
        package: String,
        /// Path within the package.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// Reading or writing a file failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The artwork set on disk is damaged or from another version.
    #[error("{path}: {reason}; run `predilect data build` (add --force to build anew)")]
    Set {
        /// The set's folder or file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The tokenizer could not be trained, read or written.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
}

impl DataError {
    /// Wraps an I/O error with the path it happened at.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Removes a folder with all that is in it, if it is there.
fn remove_folder(dir: &std::path::Path) -> Result<(), DataError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(DataError::io(dir)),
    }
}
