//! Fetching pinned packages with `npm pack`, kept as tarballs in the cache.
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::sources::Package;
use super::{DataError, remove_folder};

/// The files of one package that were asked for, by their path within it.
pub(crate) struct PackageFiles {
    package: Package,
    files: HashMap<String, Vec<u8>>,
}

impl PackageFiles {
    /// The files with their paths, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// One file's bytes, or an error that names the package and file.
    pub(crate) fn get(&self, file: &str) -> Result<&[u8], DataError> {
        let bytes = self
            .files
            .get(file)
            .ok_or_else(|| self.bad(file, "the file is missing"))?;
        Ok(bytes)
    }

    /// One file parsed as JSON.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, file: &str) -> Result<T, DataError> {
        serde_json::from_slice(self.get(file)?).map_err(|error| self.bad(file, error))
    }

    /// An error about one file of this package.
    pub(crate) fn bad(&self, file: &str, reason: impl std::fmt::Display) -> DataError {
        DataError::PackageContent {
            package: self.package.to_string(),
            file: file.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// The package's tarball in `cache`, fetched there first if need be.
pub(crate) fn fetch(cache: &Path, package: Package) -> Result<PathBuf, DataError> {
    let tarball = cache.join(tarball_name(package));
    if tarball.is_file() {
        return Ok(tarball);
    }
    std::fs::create_dir_all(cache).map_err(DataError::io(cache))?;
    // Packed into a folder of its own: a stopped npm never leaves half a tarball in the cache. What
    // it does leave is removed before the next one; builds with one cache take turns.
    let staging = cache.join(".packing");
    remove_folder(&staging)?;
    std::fs::create_dir_all(&staging).map_err(DataError::io(&staging))?;
    let output = Command::new("npm")
        .args(["pack", "--silent", "--pack-destination"])
        .arg(&staging)
        .arg(package.to_string())
        .output()
        .map_err(DataError::NpmMissing)?;
    let packed = staging.join(tarball_name(package));
    let moved = if output.status.success() && packed.is_file() {
        std::fs::rename(&packed, &tarball).map_err(DataError::io(&tarball))
    } else {
        let words = String::from_utf8_lossy(&output.stderr);
        let reason = match words.trim() {
            "" => format!("npm ended with {}", output.status),
            words => words.lines().take(6).collect::<Vec<_>>().join(" | "),
        };
        Err(DataError::PackageMissing {
            package: package.to_string(),
            reason,
        })
    };
    remove_folder(&staging)?;
    moved.map(|()| tarball)
}

/// Reads the files of a package whose path within it (without `package/`) is wanted.
pub(crate) fn open(
    cache: &Path,
    package: Package,
    wanted: impl Fn(&str) -> bool,
) -> Result<PackageFiles, DataError> {
    let path = fetch(cache, package)?;
    let file = std::fs::File::open(&path).map_err(DataError::io(&path))?;
    let damaged = |source| DataError::Tarball {
        path: path.clone(),
        source,
    };
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut files = HashMap::new();
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = entry.path().map_err(damaged)?;
        let name = name.to_string_lossy().into_owned();
        // npm tarballs have one top folder, usually but not always called "package".
        let Some((_, inner)) = name.split_once('/') else {
            continue;
        };
        if wanted(inner) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(damaged)?;
            files.insert(inner.to_owned(), bytes);
        }
    }
    Ok(PackageFiles { package, files })
}

/// What npm calls the package's file.
pub(super) fn tarball_name(package: Package) -> String {
    let name = package.name.trim_start_matches('@').replace('/', "-");
    format!("{name}-{}.tgz", package.version)
}
