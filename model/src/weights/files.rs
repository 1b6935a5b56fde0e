//! Which files hold a network's weights, by the names that diffusers and transformers give them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tch::Kind;

use super::{WeightsError, read_config};

/// What `save_pretrained` writes beside the shards.
#[derive(serde::Deserialize)]
struct ShardIndex {
    /// The shard that each tensor is in.
    weight_map: BTreeMap<String, String>,
}

/// The files of `stem` in `dir`: one, or the shards of an index; where there are several
/// variants (`stem.bf16.safetensors`), the one nearest to `kind`. Without any, the plain file,
/// which opening then reports as missing.
pub(super) fn find(dir: &Path, stem: &str, kind: Kind) -> Result<Vec<PathBuf>, WeightsError> {
    let variants = match kind {
        Kind::Float => ["", ".bf16", ".fp16"],
        _ => [".bf16", "", ".fp16"],
    };
    let candidates = variants.iter().flat_map(|variant| {
        [
            format!("{stem}{variant}.safetensors"),
            // diffusers and transformers put the variant last, older versions before the suffix.
            format!("{stem}.safetensors.index{variant}.json"),
            format!("{stem}{variant}.safetensors.index.json"),
        ]
    });
    let found = candidates
        .map(|name| dir.join(name))
        .find(|path| path.exists());
    named(&found.unwrap_or_else(|| dir.join(format!("{stem}.safetensors"))))
}

/// Whether there is any of `stem`'s weights in `dir`.
pub(super) fn any(dir: &Path, stem: &str) -> bool {
    find(dir, stem, Kind::Float).is_ok_and(|files| files.iter().any(|file| file.exists()))
}

/// Every set of files in `dir` that `stem`'s weights may be read from, by the dtype computed in:
/// one set, or that of bf16 beside it where there are two variants.
///
/// # Errors
/// An index cannot be read.
pub fn variants(dir: &Path, stem: &str) -> Result<Vec<Vec<PathBuf>>, WeightsError> {
    let mut sets = vec![
        find(dir, stem, Kind::Float)?,
        find(dir, stem, Kind::BFloat16)?,
    ];
    sets.dedup();
    Ok(sets)
}

/// The files that `path` names: itself, or what an index lists beside it.
pub(super) fn named(path: &Path) -> Result<Vec<PathBuf>, WeightsError> {
    if path.extension().is_none_or(|extension| extension != "json") {
        return Ok(vec![path.to_owned()]);
    }
    let index: ShardIndex = read_config(path)?;
    let dir = path.parent().unwrap_or(Path::new(""));
    let mut files: Vec<PathBuf> = index
        .weight_map
        .values()
        .map(|file| dir.join(file))
        .collect();
    files.sort();
    files.dedup();
    match files.is_empty() {
        false => Ok(files),
        true => Err(WeightsError::Config {
            path: path.to_owned(),
            reason: "`weight_map` names no file".into(),
        }),
    }
}
